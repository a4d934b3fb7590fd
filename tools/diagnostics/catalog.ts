/**
 * Every diagnostic of the TypeScript tools: one function a message, so that all wording is in one file and call sites
 * hold none. Codes are stable: MQ1xx configuration, MQ2xx import, MQ3xx ranges and statistics, MQ4xx quantization,
 * MQ5xx files, images and command line, MQ9xx internal.
 */

import type { Diagnostic, DiagnosticPlace } from "./diagnostic";

export type DiagnosticCode = `MQ${number}`;

function make(
  code: DiagnosticCode,
  place: DiagnosticPlace,
  message: string,
  cause: string | undefined,
  ...fixes: string[]
): Diagnostic {
  return { code, message, place, cause, fixes };
}

/** The entry of `known` with the least edit distance to `word`, if it is near enough to be a slip. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

const didYouMean = (word: string, known: Iterable<string>): string[] => {
  const near = nearest(word, known);
  return near === undefined ? [] : [`did you mean '${near}'?`];
};

// --- MQ5xx: files and command line ---

export const fileNotFound = (file: string, what: string): Diagnostic =>
  make("MQ501", { file }, `${what} not found`, undefined, "check the path; relative paths start where you stand");

export const fileUnreadable = (file: string, reason: string): Diagnostic =>
  make("MQ502", { file }, "cannot read the file", reason, "check the permissions and that it is a regular file");

export const fileUnwritable = (file: string, reason: string): Diagnostic =>
  make("MQ503", { file }, "cannot write the file", reason, "check that the folder exists and is writable");

export const unknownWord = (what: string, word: string, known: Iterable<string>): Diagnostic => {
  const list = [...known];
  return make("MQ504", {}, `unknown ${what} '${word}'`, undefined, ...didYouMean(word, list), `known: ${list.join(", ")}`);
};

// --- MQ2xx: import ---

export const malformedModel = (place: DiagnosticPlace, cause: string): Diagnostic =>
  make("MQ201", place, "the model file is malformed", cause, "check that the download or export is complete", "check `platform` in the configuration");

export interface UnsupportedNode {
  readonly name: string;
  readonly type: string;
  readonly why?: string;
}

export const unsupportedOperators = (file: string, nodes: readonly UnsupportedNode[]): Diagnostic =>
  make(
    "MQ202",
    { file },
    `${nodes.length} node${nodes.length === 1 ? "" : "s"} cannot be imported`,
    nodes.map((n) => `\n  ${n.type} '${n.name}'${n.why ? `: ${n.why}` : ""}`).join(""),
    "end the graph before them with `output_tensors` (or `check_tensors`)",
    "replace them in the training framework by operators of docs/operators.md",
  );

export const tensorNotInModel = (file: string, tensor: string, role: string, known: Iterable<string>): Diagnostic =>
  make("MQ203", { file, tensor }, `${role} '${tensor}' is not in the model`, undefined, ...didYouMean(tensor, known));

export const badShape = (place: DiagnosticPlace, cause: string): Diagnostic =>
  make("MQ204", place, "shapes do not fit", cause, "check `input_shapes` in the configuration");

export const badAttribute = (place: DiagnosticPlace, cause: string): Diagnostic =>
  make("MQ205", place, "an attribute has a value that cannot be imported", cause, "export the model with supported values");

export const cyclicGraph = (place: DiagnosticPlace, cause: string): Diagnostic =>
  make("MQ206", place, "the graph has a cycle", cause, "freeze the model without control-flow loops");
