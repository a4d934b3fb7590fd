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

test("samples none of which can be loaded end a runner that the signal does not wake", {
  timeout: 60_000,
}, async () => {
  const samples = [sample("short.dat", 4), sample("long.dat", 12)];
  const run = runOverSamples(program("deaf", DEAF), [], samples, GRAPH, { onOutput: () => undefined });
  const { unreadable } = await run;
  assert.deepEqual(
    unreadable.flat().map(({ code }) => code),
    ["MQ512", "MQ512"],
  );
});

test("samples that cannot be loaded are left out, and what is wrong with each is told", async () => {
  const samples = ["a", "b", "c", "d", "e", "f", "g"].map((name, i) => sample(`${name}.dat`, i % 3 === 1 ? 4 : 8));
  const seen = path.join(folder, "seen");
  const { signal, unreadable } = await runOverSamples(program("keep", `cat >"${seen}"`), [], samples, GRAPH, {
    onOutput: () => undefined,
  });
  assert.equal(signal, undefined);
  assert.deepEqual(
    unreadable.map(([first]) => path.basename(first?.place.file ?? "")),
    ["b.dat", "e.dat"],
  );
  const names = fs.readFileSync(seen, "latin1").match(/[a-g]\.dat/g);
  assert.deepEqual(names, ["a.dat", "c.dat", "d.dat", "f.dat", "g.dat"]);
});

test("a runner that fails is told with what it said", async () => {
  const failing = program("failing", "cat >/dev/null; echo broken >&2; exit 7");
  const run = runOverSamples(failing, [], [sample("a.dat", 8)], GRAPH, { onOutput: () => undefined });
  await assert.rejects(run, (error) => {
    assert.ok(error instanceof UserError);
    assert.equal(error.diagnostics[0]?.code, "MQ520");
    return (
      JSON.stringify(error.diagnostics).includes("broken") && JSON.stringify(error.diagnostics).includes("exit code 7")
    );
  });
});

test("a runner that sees the end of its input before the signal has not finished", { timeout: 60_000 }, async () => {
  const [begun, told] = [path.join(folder, "begun"), path.join(folder, "told")];
  const patient = `trap : TERM; : >"${begun}"; until [ -e "${told}" ]; do sleep 0.05; done; cat >/dev/null`;
  const values = 1 << 20;
  const tensors = new Map([["x", { name: "x", shape: [1, values], dtype: "float32" as const }]]);
  const samples = [sample("m.dat", 4 * values), sample("n.dat", 4 * values)];
  const run = runOverSamples(
    program("patient", patient),
    [],
    samples,
    { ...GRAPH, tensors },
    {
      onOutput: () => undefined,
    },
  );
  while (!fs.existsSync(begun)) await new Promise((resolve) => setTimeout(resolve, 20));
  process.kill(process.pid, "SIGTERM");
  fs.writeFileSync(told, "");
  assert.equal((await run).signal, "SIGTERM");
});
