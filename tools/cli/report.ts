/** Warnings and notes on standard error; standard output is for data that was asked for. */

import { render } from "../diagnostics/render";
import type { Diagnostic } from "../diagnostics/diagnostic";

export function warn(diagnostic: Diagnostic): void {
  process.stderr.write(render(diagnostic, "warning"));
}

export function note(text: string): void {
  process.stderr.write(`note: ${text}\n`);
}

/** What a configuration asks for and does not get; no error, but nobody should wait for it. */
export function noteIgnored(ignored: readonly Diagnostic[]): void {
  for (const { message, cause } of ignored) note(cause === undefined ? message : `${message}: ${cause}`);
}
