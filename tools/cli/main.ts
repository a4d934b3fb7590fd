/** The umbrella command `mace`. Exit codes: 0 ok, 1 user error, 2 usage, 3 check failed, 70 internal. */

import { Command, CommanderError, Option } from "commander";
import { render } from "../diagnostics/render";
import { UserError } from "../diagnostics/diagnostic";
import { CheckFailed } from "./check-failed";
import { Options, type RawOptions } from "./context";
import { type CommandSpec, COMMANDS, type OptionSpec } from "./options";
import { convert } from "./commands/convert";
import { evaluate } from "./commands/evaluate";
import { explain } from "./commands/explain";
import { inspect } from "./commands/inspect";
import { quantize } from "./commands/quantize";
import { ranges } from "./commands/ranges";
import { report } from "./commands/report";
import { run } from "./commands/run";
import { stat } from "./commands/stat";
import { statMerge } from "./commands/stat-merge";

const HANDLERS: Readonly<Record<string, (options: Options) => void | Promise<void>>> = {
  convert,
  inspect,
  stat,
  "stat-merge": statMerge,
  ranges,
  quantize,
  explain,
  evaluate,
  report,
  run,
};

function declareOption(spec: OptionSpec): Option {
  const flags = `--${spec.name}${spec.value ? ` <${spec.value}>` : ""}`;
  const option = new Option(flags, spec.doc);
  if (spec.default !== undefined) option.default(spec.default);
  if (spec.required) option.makeOptionMandatory();
  if (spec.choices) option.choices([...spec.choices]);
  if (spec.repeat) option.argParser((value: string, previous: string[] | undefined) => [...(previous ?? []), value]);
  return option;
}

/** The parser, made from the command table. */
export function buildProgram(perform: (spec: CommandSpec, options: Options) => Promise<void>): Command {
  const program = new Command("mace")
    .description("Imports, calibrates, quantizes and runs neural networks.")
    .showHelpAfterError("(--help lists commands and options)")
    .helpCommand("help [command]", "show the help of a command")
    .exitOverride();
  for (const spec of COMMANDS) {
    const command = program.command(spec.name).summary(spec.summary).description(spec.description);
    if (spec.arguments) command.argument(spec.arguments);
    for (const option of spec.options) command.addOption(declareOption(option));
    command.exitOverride().allowExcessArguments(false);
    command.action(async (...received: unknown[]) => {
      const self = received[received.length - 1] as Command;
      await perform(spec, new Options(self.opts<RawOptions>(), self.args));
    });
  }
  return program;
}

/** Runs a command line; returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    await buildProgram(async (spec, options) => {
      await HANDLERS[spec.name]?.(options);
    }).parseAsync(argv, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof UserError) {
      for (const diagnostic of error.diagnostics) process.stderr.write(render(diagnostic));
      return error instanceof CheckFailed ? 3 : 1;
    }
    process.stderr.write(
      `internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    process.stderr.write(
      "This is a fault of the program; please report it with the command line and the model if you can.\n",
    );
    return 70;
  }
}

if (require.main === module) {
  void main(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  });
}
