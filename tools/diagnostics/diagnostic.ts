/** The type of every message that a person is meant to read. Texts are in catalog.ts, layout is in render.ts. */

import type { DiagnosticCode } from "./catalog";

/** Where the problem is. All fields are optional; the renderer prints what there is. */
export interface DiagnosticPlace {
  readonly file?: string;
  /** 1-based. */
  readonly line?: number;
  /** 1-based. */
  readonly column?: number;
  /** The offending source line, without its newline. */
  readonly sourceLine?: string;
  /** Byte offset in a binary file. */
  readonly offset?: number;
  /** Framework name of the node. */
  readonly node?: string;
  /** Framework name of the tensor. */
  readonly tensor?: string;
}

export interface Diagnostic {
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly place: DiagnosticPlace;
  readonly cause?: string;
  /** What the reader can do, one remedy an entry. */
  readonly fixes: readonly string[];
}

/** A fault of the input or the command line; never shows a stack. */
export class UserError extends Error {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: Diagnostic | readonly Diagnostic[]) {
    const list = "code" in diagnostics ? [diagnostics] : diagnostics;
    super(list.map((d) => `${d.code}: ${d.message}`).join("\n"));
    this.name = "UserError";
    this.diagnostics = list;
  }
}

/** A fault of this program. The command line prints the stack and asks for a report. */
export class InternalError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "InternalError";
  }
}

/** Fails as an internal error unless `condition` holds. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InternalError(message);
}
