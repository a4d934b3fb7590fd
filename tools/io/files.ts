/** File access with diagnostics: every failure names the file and what it was for, and no output is half-written. */

import * as fs from "node:fs";
import * as path from "node:path";
import { fileUnwritable } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import { StoredFile } from "./stored-file";

/** The bytes of a file in a buffer of their own, so that aligned typed arrays can view it. */
export function readFile(file: string, what: string): Uint8Array<ArrayBuffer> {
  const stored = new StoredFile(file, what);
  return stored.read(0, stored.size);
}

export function readTextFile(file: string, what: string): string {
  return new TextDecoder().decode(readFile(file, what));
}

/** Writes the pieces one after another to a temporary neighbour, then renames it into place. */
export function writeFileAtomically(file: string, pieces: readonly (Uint8Array | string)[]): void {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}.tmp`);
  try {
    const descriptor = fs.openSync(temporary, "w");
    try {
      for (const piece of pieces) {
        const bytes = typeof piece === "string" ? new TextEncoder().encode(piece) : piece;
        for (let at = 0; at < bytes.length; ) at += fs.writeSync(descriptor, bytes, at, bytes.length - at);
      }
    } finally {
      fs.closeSync(descriptor);
    }
    fs.renameSync(temporary, file);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw new UserError(fileUnwritable(file, (error as Error).message));
  }
}

/** Renames a file within its folder. */
export function moveFile(from: string, to: string): void {
  try {
    fs.renameSync(from, to);
  } catch (error) {
    throw new UserError(fileUnwritable(to, (error as Error).message));
  }
}
