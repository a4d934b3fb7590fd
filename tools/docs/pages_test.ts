import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import { COMMANDS } from "../cli/options";
import { commandsOf } from "../cli/program";
import { PROGRAMS } from "../dropin/tables";
import { pages } from "./pages";

for (const [name, text] of pages()) {
  test(`docs/${name} is up to date`, () => {
    assert.equal(fs.readFileSync(`docs/${name}`, "utf8"), text, "run: ./bazelw run //docs:update");
  });
}

test("every option is documented", () => {
  const cli = pages().get("cli.md") ?? "";
  for (const command of [...COMMANDS, ...PROGRAMS.flatMap(commandsOf)]) {
    for (const option of command.options)
      assert.ok(cli.includes(`\`--${option.name}`), `${command.name} --${option.name}`);
  }
});
