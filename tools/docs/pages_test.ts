import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import { COMMANDS } from "../cli/options";
import { commandsOf } from "../cli/program";
import { PROGRAMS } from "../dropin/tables";
import * as catalog from "../diagnostics/catalog";
import { codesOfCatalog, codesOfHeader, type ErrorCode } from "./error-codes";
import { HEADER, pages } from "./pages";

const header = fs.readFileSync(HEADER, "utf8");

for (const [name, text] of pages(header)) {
  test(`docs/${name} is up to date`, () => {
    assert.equal(fs.readFileSync(`docs/${name}`, "utf8"), text, "run: ./bazelw run //docs:update");
  });
}

test("every option is documented", () => {
  const cli = pages(header).get("cli.md") ?? "";
  for (const command of [...COMMANDS, ...PROGRAMS.flatMap(commandsOf)]) {
    for (const option of command.options)
      assert.ok(cli.includes(`\`--${option.name}`), `${command.name} --${option.name}`);
  }
});

test("every diagnostic has one code of its own, a message and a remedy", () => {
  const codes: readonly ErrorCode[] = [...codesOfCatalog(catalog), ...codesOfHeader(header)];
  assert.equal(new Set(codes.map(({ code }) => code)).size, codes.length, "codes are used once");
  for (const { code, message, cause, fixes } of codes) {
    assert.match(code, /^M[QR]\d{3}$/);
    assert.ok(message.length > 0 && fixes.length > 0, `${code} lacks a message or a remedy`);
    const text = [message, cause, ...fixes].join("\n");
    assert.doesNotMatch(text, /undefined|\[object|Quoted|std::/, code);
  }
});

test("no diagnostic is left out of the table", () => {
  const count = (text: string, pattern: RegExp): number => new Set(text.match(pattern)).size;
  assert.equal(codesOfHeader(header).length, count(header, /^inline Status \w+\(/gm));
  const makers = Object.values(catalog).filter((value) => typeof value === "function");
  // `nearest` is the one function of the module that makes no diagnostic.
  assert.equal(codesOfCatalog(catalog).length, makers.length - 1);
});

test("placeholders and C++ expressions become readable text", () => {
  const [made] = codesOfCatalog({
    sample: (count: number, names: readonly string[]) => ({
      code: "MQ999",
      message: `${count} name${count === 1 ? "" : "s"}`,
      cause: names.map((n) => `\n  ${n}`).join(""),
      fixes: [],
    }),
  });
  assert.deepEqual(made, { code: "MQ999", message: "COUNT names", cause: "NAME", fixes: [] });
  const text = `inline Status A(int n) {
  return Status(StatusKind::kX, 999, "a, b" " (" + Quoted(theName) + ")", n > 0 ? "x" : "y" + std::to_string(n));
}`;
  const expected = { code: "MR999", message: "a, b ('THE_NAME')", cause: "x / yN", fixes: [] };
  assert.deepEqual(codesOfHeader(text), [expected]);
});
