/** Command lines with slips, for every program, command and option of the tables. */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import { MACE } from "../cli/main";
import type { CommandSpec } from "../cli/options";
import { commandsOf, type ProgramSpec, runProgram } from "../cli/program";
import { PROGRAMS } from "../dropin/tables";

const ALL: readonly ProgramSpec[] = [MACE, ...PROGRAMS];

/** Runs a command line whose command does nothing; what it says. */
async function run(
  program: ProgramSpec,
  argv: readonly string[],
): Promise<{ code: number; said: string; out: string }> {
  const kept = { stderr: process.stderr.write, stdout: process.stdout.write };
  const texts = { stderr: "", stdout: "" };
  const catchInto = (stream: "stderr" | "stdout") => (chunk: unknown) => {
    texts[stream] += String(chunk);
    return true;
  };
  process.stderr.write = catchInto("stderr") as typeof process.stderr.write;
  process.stdout.write = catchInto("stdout") as typeof process.stdout.write;
  try {
    return { code: await runProgram(program, {}, argv), said: texts.stderr, out: texts.stdout };
  } finally {
    process.stderr.write = kept.stderr;
    process.stdout.write = kept.stdout;
  }
}

/** Two letters in the middle changed places. */
function slip(word: string): string {
  const at = word.length >> 1;
  const swapped = word.slice(0, at - 1) + word.charAt(at) + word.charAt(at - 1) + word.slice(at + 1);
  return swapped === word ? `${word}${word.at(-1)}` : swapped;
}

const callOf = (program: ProgramSpec, command: CommandSpec): string[] =>
  "options" in program.commands ? [] : [command.name];

for (const program of ALL) {
  for (const command of commandsOf(program)) {
    const name = [program.name, ...callOf(program, command)].join(" ");

    test(`${name}: a slip in any option is told with the option that was meant`, async () => {
      const names = command.options.map((option) => option.name);
      for (const option of names.filter((known) => known.length > 4)) {
        const wrong = slip(option);
        if (names.includes(wrong)) continue;
        const written = option.length % 2 === 0 ? `--${wrong}` : `--${wrong}=value`;
        const { code, said } = await run(program, [...callOf(program, command), written]);
        assert.equal(code, 2, said);
        assert.ok(said.includes(`unknown option '--${wrong}'`), said);
        assert.match(said, /[Dd]id you mean /);
        assert.ok(said.includes(`--${option}`), `${wrong}: ${said}`);
      }
    });

    test(`${name}: --help goes to standard output and names every option`, async () => {
      const { code, out, said } = await run(program, [...callOf(program, command), "--help"]);
      assert.equal(code, 0);
      assert.equal(said, "");
      for (const option of command.options) assert.ok(out.includes(`--${option.name}`), option.name);
    });

    test(`${name}: what is missing, and what is too much`, async () => {
      const required = command.options.find((option) => option.required);
      if (required) {
        const { code, said } = await run(program, callOf(program, command));
        assert.equal(code, 2);
        assert.match(said, /required option|missing required argument/);
      }
      const positional = command.arguments?.includes("...") ? undefined : ["a", "b"];
      if (!positional) return;
      const needed = command.options.filter((option) => option.required);
      const given = needed.flatMap((option) => [`--${option.name}`, option.choices?.[0] ?? "x"]);
      const { code, said } = await run(program, [...callOf(program, command), ...given, ...positional]);
      assert.equal(code, 2, said);
      assert.match(said, /too many arguments/);
    });
  }

  if (!("options" in program.commands)) {
    test(`${program.name}: a slip in a sub-command is told with the one that was meant`, async () => {
      for (const { name } of commandsOf(program)) {
        const { code, said } = await run(program, [slip(name)]);
        assert.equal(code, 2);
        assert.match(said, new RegExp(`unknown command '${slip(name)}'[\\s\\S]*Did you mean [\\s\\S]*${name}`));
      }
    });
  }
}

test("every option stands in its command's section of docs/cli.md and in docs/help.md", () => {
  const [cli, help] = ["cli.md", "help.md"].map((page) => fs.readFileSync(`docs/${page}`, "utf8"));
  const section = (page: string | undefined, heading: RegExp): string => {
    const [, text = ""] = (page ?? "").split(heading);
    return text.split(/^#+ /m)[0] ?? "";
  };
  for (const program of ALL) {
    for (const command of commandsOf(program)) {
      const call = [program.name, ...callOf(program, command)].join(" ");
      const script = program.name === "converter" ? "###" : "##";
      // `convert` and `run` are commands of both programs, told apart by the level of their headings.
      const inCli = section(cli, new RegExp(`^${script} ${command.name}\\b.*$`, "m"));
      const inHelp = section(help, new RegExp(`^## ${call}$`, "m"));
      for (const { name } of command.options) {
        assert.ok(inCli.includes(`\`--${name}`), `docs/cli.md: ${call} --${name}`);
        assert.ok(inHelp.includes(`--${name}`), `docs/help.md: ${call} --${name}`);
      }
    }
  }
});
