/** Opening of files with diagnostics. */

import * as fs from "node:fs";
import { fileNotFound, fileUnreadable } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";

/** Opens a regular file; the caller closes it. */
export function openForReading(file: string, what: string): { readonly descriptor: number; readonly stat: fs.Stats } {
  let descriptor: number;
  try {
    descriptor = fs.openSync(file, "r");
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === "ENOENT"
      ? new UserError(fileNotFound(file, what))
      : new UserError(fileUnreadable(file, (error as Error).message));
  }
  const stat = fs.fstatSync(descriptor);
  if (!stat.isFile()) {
    fs.closeSync(descriptor);
    throw new UserError(fileUnreadable(file, "it is not a regular file"));
  }
  return { descriptor, stat };
}
