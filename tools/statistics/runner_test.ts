import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { UserError } from "../diagnostics/diagnostic";
import type { Graph } from "../ir/graph";
import { runOverSamples } from "./runner";
import { encodeRecord } from "./sample-stream";

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

/** Runs a program that reads when it is told to, after it was sent a signal that it does not hear: what it got, and how the run ended. */
async function signalled(count: number, values: number): Promise<{ got: number; signal: string | undefined }> {
  const [begun, told, seen] = ["begun", "told", "got"].map((name) => path.join(folder, name)) as [
    string,
    string,
    string,
  ];
  for (const file of [begun, told]) fs.rmSync(file, { force: true });
  const patient = `trap : TERM; : >"${begun}"; until [ -e "${told}" ]; do sleep 0.01; done; cat >"${seen}"`;
  const x = { name: "x", shape: [1, values], dtype: "float32" as const };
  const graph = { ...GRAPH, tensors: new Map([["x", x]]) };
  const samples = Array.from({ length: count }, (_, i) => sample(`${10 + i}.dat`, 4 * values));
  const run = runOverSamples(program("patient", patient), [], samples, graph, { onOutput: () => undefined });
  while (!fs.existsSync(begun)) await setTimeout(10);
  // For what the pipe takes.
  await setTimeout(50);
  process.kill(process.pid, "SIGTERM");
  fs.writeFileSync(told, "");
  const { signal } = await run;
  return { got: fs.statSync(seen).size, signal };
}

test("a runner whose input ended before it saw the signal has finished when it got all of it", {
  timeout: 60_000,
}, async () => {
  const record = (values: number): number =>
    encodeRecord({ name: "10.dat", tensors: [new Float32Array(values)] }).length;
  const signals = new Set<string | undefined>();
  // The pipe takes few samples whole; of more, the last ones wait in this process, all written as far as the loop can tell.
  const many = Array.from({ length: 24 }, (_, i) => [36 + i, 1000] as const);
  for (const [count, values] of [[2, 1 << 20], [1, 2], ...many] as const) {
    const { got, signal } = await signalled(count, values);
    assert.equal(
      signal,
      got === count * record(values) ? undefined : "SIGTERM",
      `${count} samples of ${values} values`,
    );
    signals.add(signal);
  }
  assert.deepEqual(signals, new Set(["SIGTERM", undefined]));
});
