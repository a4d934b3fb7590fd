/** Opening of model files: of the formats with large payloads only the outline comes to memory. */

import { detectFormat } from "../importers/detect-format";
import { readOutline } from "../importers/outline";
import { StoredFile } from "../io/stored-file";

/** Enough of a file to recognize its format. */
const HEAD_BYTES = 1 << 16;

/**
 * What an importer takes: the file's bytes, or its outline.
 *
 * @param what what the file is for, as diagnostics call it.
 * @param format the format that the file must have; recognized by its bytes when absent.
 */
export function readModelSource(file: StoredFile | string, what: string, format?: string): Uint8Array {
  const stored = typeof file === "string" ? new StoredFile(file, what) : file;
  const known = format ?? detectFormat(stored.read(0, Math.min(stored.size, HEAD_BYTES)), stored.path);
  return readOutline(stored, known);
}
