/** Command lines made from tables: parser, help and the way errors are told. Exit codes: 0 ok, 1 user error, 2 usage, 3 check failed, 70 internal, 128 + N by signal N. */

import { Command, CommanderError, Option } from "commander";
import { render } from "../diagnostics/render";
import { UserError } from "../diagnostics/diagnostic";
import { CheckFailed } from "./check-failed";
import { Interrupted } from "./interrupted";
import { Options, type RawOptions } from "./context";
import type { CommandSpec, OptionSpec } from "./options";

export type Handler = (options: Options) => void | Promise<void>;

export interface ProgramSpec {
  readonly name: string;
  readonly description: string;
  /** Either sub-commands, or the one command that the program is. */
  readonly commands: readonly CommandSpec[] | CommandSpec;
}

const isOne = (commands: readonly CommandSpec[] | CommandSpec): commands is CommandSpec => "options" in commands;

export const commandsOf = ({ commands }: ProgramSpec): readonly CommandSpec[] =>
  isOne(commands) ? [commands] : commands;

function declareOption(spec: OptionSpec): Option {
  const flags = `--${spec.name}${spec.value ? ` <${spec.value}>` : ""}`;
  const option = new Option(flags, spec.doc);
  if (spec.default !== undefined) option.default(spec.default);
  if (spec.choices) option.choices([...spec.choices]);
  if (spec.repeat) option.argParser((value: string, previous: string[] | undefined) => [...(previous ?? []), value]);
  return option;
}

/** Fills a commander command from a table entry. */
function fill(
  command: Command,
  spec: CommandSpec,
  perform: (spec: CommandSpec, options: Options) => Promise<void>,
): void {
  if (spec.arguments) command.argument(spec.arguments);
  for (const option of spec.options) command.addOption(declareOption(option));
  command.exitOverride().allowExcessArguments(false);
  command.action(async (...received: unknown[]) => {
    const self = received[received.length - 1] as Command;
    // After commander has looked for unknown options: a slip in a required one is told as what it is.
    const missing = spec.options.find(({ name, required }) => required && self.opts<RawOptions>()[name] === undefined);
    if (missing) self.error(`error: required option '--${missing.name} <${missing.value}>' not specified`);
    await perform(spec, new Options(self.opts<RawOptions>(), self.args));
  });
}

export function buildProgram(
  { name, description, commands }: ProgramSpec,
  perform: (spec: CommandSpec, options: Options) => Promise<void>,
): Command {
  const program = new Command(name).description(description).exitOverride();
  if (isOne(commands)) {
    fill(program.showHelpAfterError("(--help lists the options)"), commands, perform);
    return program;
  }
  program
    .showHelpAfterError("(--help lists commands and options)")
    .helpCommand("help [command]", "show the help of a command");
  for (const spec of commands) {
    fill(program.command(spec.name).summary(spec.summary).description(spec.description), spec, perform);
  }
  return program;
}

/** The help of the program, and of each of its commands, by name. */
export function helpTexts(spec: ProgramSpec): ReadonlyMap<string, string> {
  const program = buildProgram(spec, async () => undefined).configureHelp({ helpWidth: 120 });
  const texts = new Map([[spec.name, program.helpInformation()]]);
  for (const command of program.commands) {
    texts.set(`${spec.name} ${command.name()}`, command.configureHelp({ helpWidth: 120 }).helpInformation());
  }
  return texts;
}

/** Options as if a command had been called with `given`: the defaults of its table, and `given` over them. */
export function optionsFor(spec: CommandSpec | undefined, given: RawOptions): Options {
  const defaults = (spec?.options ?? []).flatMap((option) =>
    option.default === undefined ? [] : [[option.name, option.default] as const],
  );
  const present = Object.entries(given).filter(([, value]) => value !== undefined);
  return new Options({ ...Object.fromEntries(defaults), ...Object.fromEntries(present) }, []);
}

/** Who reads the output may stop early, as `head` does; that is no fault. */
function leaveQuietly(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
}

/**
 * Options as the tables have them: dashes in a name stand for underscores, and an option that no command has loses its value, as it is
 * looked for by its name alone.
 */
function normalized(program: ProgramSpec, argv: readonly string[]): string[] {
  const known = new Set(commandsOf(program).flatMap(({ options }) => options.map(({ name }) => name)));
  return argv.map((argument) => {
    const [, name, value = ""] = /^--([^=]+)(=[\s\S]*)?$/.exec(argument) ?? [];
    if (name === undefined || known.has(name)) return argument;
    const own = name.replaceAll("-", "_");
    return known.has(own) ? `--${own}${value}` : `--${name}`;
  });
}

/** Runs a command line; returns the exit code. */
export async function runProgram(
  program: ProgramSpec,
  handlers: Readonly<Record<string, Handler>>,
  argv: readonly string[],
): Promise<number> {
  if (process.stdout.listenerCount("error") === 0) process.stdout.on("error", leaveQuietly);
  try {
    await buildProgram(program, async (spec, options) => {
      await handlers[spec.name]?.(options);
    }).parseAsync(normalized(program, argv), { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof UserError) {
      for (const diagnostic of error.diagnostics) process.stderr.write(render(diagnostic));
      if (error instanceof Interrupted) return error.exitCode;
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
