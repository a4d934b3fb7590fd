import type { Diagnostic } from "../diagnostics/diagnostic";
import { UserError } from "../diagnostics/diagnostic";
import { exitCodeOf, type StopSignal } from "../statistics/runner";

/** A run that a signal ended early, with what it had kept; its exit code is the signal's. */
export class Interrupted extends UserError {
  constructor(
    readonly signal: StopSignal,
    diagnostic: Diagnostic,
  ) {
    super(diagnostic);
  }

  get exitCode(): number {
    return exitCodeOf(this.signal);
  }
}
