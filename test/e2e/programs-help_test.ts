/** docs/programs.md against what the C++ programs print: a change of their help is seen in review. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";

for (const name of ["mace_run", "mace_run_with_accelerators", "mace_stat"]) {
  test(`${name} --help is the text of docs/programs.md`, () => {
    const program = path.resolve("mace/bin", name);
    const { status, stdout, stderr } = spawnSync(program, ["--help"], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    assert.equal(stderr, "");
    const page = fs.readFileSync("docs/programs.md", "utf8");
    const [, text] = new RegExp(`^## ${name}\\n[\\s\\S]*?\`\`\`text\\n([\\s\\S]*?)\`\`\`$`, "m").exec(page) ?? [];
    assert.equal(text, stdout, `copy the output of bazel-bin/mace/bin/${name} --help there`);
  });
}
