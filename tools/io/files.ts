/** File access with diagnostics: every failure names the file and what it was for, and no output is half-written. */

import * as fs from "node:fs";
import * as path from "node:path";
import { fileUnwritable } from "../diagnostics/catalog";
import { InternalError, UserError } from "../diagnostics/diagnostic";
import { StoredFile } from "./stored-file";

/** The bytes of a file in a buffer of their own, so that aligned typed arrays can view it. */
export function readFile(file: string, what: string): Uint8Array<ArrayBuffer> {
  const stored = new StoredFile(file, what);
  return stored.read(0, stored.size);
}

export function readTextFile(file: string, what: string): string {
  return new TextDecoder().decode(readFile(file, what));
}

/**
 * A piece of a file. A function makes its parts when they are written, so that not all are in memory at once; each is valid until the
 * next is asked for.
 */
export type Piece<T> = T | (() => Iterable<T>);

/** Files and the pieces that make each up. */
export type FilesToWrite = readonly (readonly [file: string, pieces: readonly Piece<Uint8Array | string>[]])[];

/** Writes the pieces one after another to a temporary neighbour, then renames it into place. */
export function writeFileAtomically(file: string, pieces: readonly Piece<Uint8Array | string>[]): void {
  writeFilesTogether([[file, pieces]]);
}

/**
 * Writes files that belong together, each to a temporary neighbour; only when all are written they are renamed into place, in this
 * order. What stops the program while it writes leaves the earlier files as they were.
 */
export function writeFilesTogether(files: FilesToWrite): void {
  const temporaries = files.map(([file]) =>
    path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}.tmp`),
  );
  let current = "";
  try {
    files.forEach(([file, pieces], i) => {
      current = file;
      writePieces(temporaries[i] as string, pieces);
    });
    files.forEach(([file], i) => {
      current = file;
      fs.renameSync(temporaries[i] as string, file);
    });
  } catch (error) {
    for (const temporary of temporaries) fs.rmSync(temporary, { force: true });
    // A piece that could not be made says so itself.
    const own = error instanceof UserError || error instanceof InternalError;
    throw own ? error : new UserError(fileUnwritable(current, (error as Error).message));
  }
}

function writePieces(file: string, pieces: readonly Piece<Uint8Array | string>[]): void {
  const descriptor = fs.openSync(file, "w");
  try {
    for (const piece of pieces) {
      for (const part of typeof piece === "function" ? piece() : [piece]) {
        const bytes = typeof part === "string" ? new TextEncoder().encode(part) : part;
        for (let at = 0; at < bytes.length; ) at += fs.writeSync(descriptor, bytes, at, bytes.length - at);
      }
    }
  } finally {
    fs.closeSync(descriptor);
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
