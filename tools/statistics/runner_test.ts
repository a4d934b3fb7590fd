import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { UserError } from "../diagnostics/diagnostic";
import type { Graph } from "../ir/graph";
import { runOverSamples } from "./runner";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "runner-"));
after(() => fs.rmSync(folder, { recursive: true }));

const GRAPH: Graph = {
  name: "g",
  inputs: [{ tensor: "x", format: "NHWC" }],
  outputs: [],
  tensors: new Map([["x", { name: "x", shape: [1, 2], dtype: "float32" }]]),
  nodes: [],
};

/** A program of two lines of shell. */
function program(name: string, line: string): string {
  const file = path.join(folder, name);
  fs.writeFileSync(file, `#!/bin/sh\n${line}\n`, { mode: 0o755 });
  return file;
}

function sample(name: string, bytes: number): { name: string; files: string[] } {
  const file = path.join(folder, name);
  fs.writeFileSync(file, new Uint8Array(bytes));
  return { name, files: [file] };
}

// As mace_stat, when the signal comes between its look at whether there was one and its read.
const DEAF = "trap : TERM; cat >/dev/null; exit 3";

test("a sample that cannot be loaded ends a runner that the signal does not wake", { timeout: 60_000 }, async () => {
  const samples = [sample("good.dat", 8), sample("bad.dat", 4)];
  const run = runOverSamples(program("deaf", DEAF), [], samples, GRAPH, { onOutput: () => undefined });
  await assert.rejects(run, (error) => error instanceof UserError && error.diagnostics[0]?.code === "MQ512");
});

test("a runner that fails is told with what it said", async () => {
  const failing = program("failing", "cat >/dev/null; echo broken >&2; exit 7");
  const run = runOverSamples(failing, [], [sample("a.dat", 8)], GRAPH, { onOutput: () => undefined });
  await assert.rejects(run, (error) => {
    assert.ok(error instanceof UserError);
    assert.equal(error.diagnostics[0]?.code, "MQ520");
    return JSON.stringify(error.diagnostics).includes("broken") && JSON.stringify(error.diagnostics).includes("exit code 7");
  });
});
