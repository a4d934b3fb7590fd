/** File access with diagnostics: every failure names the file and what it was for, and no output is half-written. */

import * as fs from "node:fs";
import * as path from "node:path";
import { fileNotFound, fileUnreadable, fileUnwritable } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";

/** The bytes of a file in a buffer of their own, so that aligned typed arrays can view it. */
export function readFile(file: string, what: string): Uint8Array<ArrayBuffer> {
  let descriptor: number;
  try {
    descriptor = fs.openSync(file, "r");
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === "ENOENT"
      ? new UserError(fileNotFound(file, what))
      : new UserError(fileUnreadable(file, (error as Error).message));
  }
  try {
    const stat = fs.fstatSync(descriptor);
    if (!stat.isFile()) throw new UserError(fileUnreadable(file, "it is not a regular file"));
    const bytes = new Uint8Array(stat.size);
    let at = 0;
    while (at < bytes.length) {
      const read = fs.readSync(descriptor, bytes, at, Math.min(bytes.length - at, 1 << 30), null);
      if (read === 0) throw new UserError(fileUnreadable(file, "it shrank while it was read"));
      at += read;
    }
    return bytes;
  } catch (error) {
    throw error instanceof UserError ? error : new UserError(fileUnreadable(file, (error as Error).message));
  } finally {
    fs.closeSync(descriptor);
  }
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
