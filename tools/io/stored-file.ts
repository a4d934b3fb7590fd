/** A file whose parts are read when they are needed, so that it is never in memory as a whole. */

import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { fileUnreadable } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import { openForReading } from "./open";

const CHUNK = 1 << 20;

export class StoredFile {
  readonly size: number;
  private readonly modified: number;

  /** @param what what the file is for, as diagnostics call it. */
  constructor(
    readonly path: string,
    private readonly what: string,
  ) {
    [this.size, this.modified] = this.opened((_, stat) => [stat.size, stat.mtimeMs] as const);
  }

  /** Opened for every use: parts are large and few, and nobody has to remember to close the file. */
  private opened<T>(use: (descriptor: number, stat: fs.Stats) => T): T {
    const { descriptor, stat } = openForReading(this.path, this.what);
    try {
      return use(descriptor, stat);
    } catch (error) {
      throw error instanceof UserError ? error : new UserError(fileUnreadable(this.path, (error as Error).message));
    } finally {
      fs.closeSync(descriptor);
    }
  }

  /** `length` bytes from `offset` on, in a buffer of their own; both must lie within the file. */
  read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    this.readInto(bytes, offset);
    return bytes;
  }

  /** Fills `bytes` from `offset` on; they must lie within the file. */
  readInto(bytes: Uint8Array, offset: number): void {
    this.opened((descriptor, stat) => {
      if (stat.size !== this.size || stat.mtimeMs !== this.modified) {
        throw new UserError(fileUnreadable(this.path, "it changed while it was read"));
      }
      for (let at = 0; at < bytes.length; ) {
        const read = fs.readSync(descriptor, bytes, at, Math.min(bytes.length - at, 1 << 30), offset + at);
        if (read === 0) throw new UserError(fileUnreadable(this.path, "it shrank while it was read"));
        at += read;
      }
    });
  }

  /** The file from its beginning, piece by piece. */
  *chunks(): Generator<Uint8Array> {
    for (let at = 0; at < this.size; at += CHUNK) yield this.read(at, Math.min(CHUNK, this.size - at));
  }

  sha256(): string {
    const hash = createHash("sha256");
    for (const chunk of this.chunks()) hash.update(chunk);
    return hash.digest("hex");
  }
}
