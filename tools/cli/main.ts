/** The umbrella command `mace`. */

import { COMMANDS } from "./options";
import { type Handler, type ProgramSpec, runProgram } from "./program";
import { checkLibrary } from "./commands/check-library";
import { convert } from "./commands/convert";
import { evaluate } from "./commands/evaluate";
import { explain } from "./commands/explain";
import { inspect } from "./commands/inspect";
import { quantize } from "./commands/quantize";
import { lower } from "./commands/lower";
import { ranges } from "./commands/ranges";
import { report } from "./commands/report";
import { run } from "./commands/run";
import { stat } from "./commands/stat";
import { restore } from "./commands/restore-names";
import { statMerge } from "./commands/stat-merge";
import { validate } from "./commands/validate";

const HANDLERS: Readonly<Record<string, Handler>> = {
  convert,
  inspect,
  stat,
  "restore-names": restore,
  "stat-merge": statMerge,
  ranges,
  quantize,
  lower,
  "check-library": checkLibrary,
  explain,
  evaluate,
  validate,
  report,
  run,
};

export const MACE: ProgramSpec = {
  name: "mace",
  description: "Imports, calibrates, quantizes and runs neural networks.",
  commands: COMMANDS,
};

/** Runs a command line; returns the exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runProgram(MACE, HANDLERS, argv);
}

if (require.main === module) {
  void main(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  });
}
