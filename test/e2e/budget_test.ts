/** The search for an accuracy budget as users meet it: the same bytes every time, nothing measured twice, the best so far on Ctrl-C. */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { readModel } from "../../tools/emit/model-reader";
import { writeStack } from "./layer-stack";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-budget-"));
const at = (name: string): string => path.join(folder, name);
after(() => fs.rmSync(folder, { recursive: true }));

const mace = require.resolve("../../tools/cli/main");
const [RUN, STAT] = ["mace/bin/mace_run", "mace/bin/mace_stat"].map((program) => path.resolve(program)) as [
  string,
  string,
];
const FLAGS = process.execArgv.filter((flag) => flag !== "--test");
const SIDE = 8;
const LAYERS = 4;

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly said: string;
}

const environment = (temporary: string): NodeJS.ProcessEnv => ({
  ...process.env,
  NODE_TEST_CONTEXT: "",
  TMPDIR: temporary,
});

function call(...args: readonly string[]): Ended {
  const result = spawnSync(process.execPath, [...FLAGS, mace, ...args], { encoding: "utf8", env: environment(folder) });
  return { code: result.status ?? -1, out: result.stdout, said: result.stderr };
}

/** A runner that notes each call in a file, and waits for ever at the `hangs`-th call for a candidate of the search. */
function notingRunner(name: string, hangs = 0): { readonly runner: string; calls(): string[] } {
  const [runner, log] = [at(`${name}.sh`), at(`${name}.log`)];
  fs.writeFileSync(log, "");
  const script = `#!/bin/bash
case "$*" in
  *candidate.pb*)
    echo candidate >> "${log}"
    [ "$(grep -c candidate "${log}")" = "${hangs}" ] && exec sleep 1000
    ;;
  *) echo float >> "${log}" ;;
esac
exec "${RUN}" "$@"
`;
  fs.writeFileSync(runner, script, { mode: 0o755 });
  return {
    runner,
    calls: () =>
      fs
        .readFileSync(log, "utf8")
        .split("\n")
        .filter((line) => line !== ""),
  };
}

const quantize = (prefix: string, runner: string, ...more: readonly string[]): string[] => [
  ...["quantize", "--model", at("net.pb"), "--ranges", at("net.ranges"), "--scheme", "uint8", "--runner", runner],
  ...["--input_dir", at("samples"), "--num_threads", "1", "--output_prefix", at(prefix), ...more],
];
const BUDGET = ["--min_sqnr", "36", "--max_float", "100"];
const bytesOf = (prefix: string): string[] =>
  ["pb", "data", "txt"].map((ending) => fs.readFileSync(at(`${prefix}.${ending}`)).toString("base64"));

before(() => {
  writeStack(folder, { layers: LAYERS, side: SIDE, samples: 6, mixed: 3 });
  const converted = call("convert", "--config", at("net.yml"), "--output_prefix", at("net"));
  assert.equal(converted.code, 0, converted.said);
  const measured = call(
    ...["stat", "--model", at("net.pb"), "--runner", STAT, "--input_dir", at("samples"), "--ranges", at("net.ranges")],
  );
  assert.equal(measured.code, 0, measured.said);
});

test("two searches give the same bytes, and one with a cache measures nothing twice", () => {
  const [first, second] = ["one", "two"].map((name) => call(...quantize(name, RUN, ...BUDGET)));
  assert.equal(first?.code, 0, first?.said);
  assert.equal(second?.code, 0, second?.said);
  assert.deepEqual(bytesOf("one"), bytesOf("two"));
  const { graph } = readModel(at("one.pb"), at("one.data"));
  const kept = graph.nodes.filter(({ why }) => why?.startsWith("kept float for the accuracy budget"));
  assert.ok(kept.length > 0 && kept.length < LAYERS, first?.said);

  const cache = ["--search_cache", at("cache")];
  const filling = notingRunner("filling");
  assert.equal(call(...quantize("filled", filling.runner, ...BUDGET, ...cache)).code, 0);
  assert.ok(filling.calls().filter((line) => line === "candidate").length > LAYERS);
  const knowing = notingRunner("knowing");
  assert.equal(call(...quantize("known", knowing.runner, ...BUDGET, ...cache)).code, 0);
  assert.deepEqual(knowing.calls(), ["float"]);
  for (const name of ["filled", "known"]) assert.deepEqual(bytesOf(name), bytesOf("one"));
});

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  test(`${signal} leaves the best model so far, says so, and no temporary files`, async () => {
    const temporary = at(`${signal}.tmp`);
    fs.mkdirSync(temporary);
    const { runner, calls } = notingRunner(signal, 3);
    const args = [...FLAGS, mace, ...quantize(signal, runner, ...BUDGET)];
    const child = spawn(process.execPath, args, { env: environment(temporary) });
    let said = "";
    child.stderr.on("data", (chunk) => {
      said += chunk;
    });
    const ended = new Promise<number>((resolve) => child.on("close", (status) => resolve(status ?? -1)));
    while (calls().filter((line) => line === "candidate").length < 3) {
      assert.equal(child.exitCode, null, said);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(fs.readdirSync(temporary).length, 1);
    child.kill(signal);
    assert.equal(await ended, code, said);
    assert.match(said, /error\[MQ421\]: interrupted[\s\S]*the best model so far was written: .* with 0 of 4 operators/);
    assert.deepEqual(fs.readdirSync(temporary), []);
    const { graph, quantized } = readModel(at(`${signal}.pb`), at(`${signal}.data`));
    assert.ok(quantized);
    assert.match(graph.missedBudget ?? "", /^min_sqnr 36 dB: /);
    assert.ok(fs.existsSync(at(`${signal}.txt`)));
    assert.deepEqual(
      fs.readdirSync(folder).filter((name) => name.startsWith(`.${signal}`)),
      [],
    );
  });
}

test("before a first model there is none, and that is said", async () => {
  const { runner, calls } = notingRunner("early", 1);
  const child = spawn(process.execPath, [...FLAGS, mace, ...quantize("early", runner, ...BUDGET)], {
    env: environment(folder),
  });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  const ended = new Promise<number>((resolve) => child.on("close", (status) => resolve(status ?? -1)));
  while (!calls().includes("candidate")) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill("SIGINT");
  assert.equal(await ended, 130, said);
  assert.match(said, /no model was written/);
  assert.ok(!fs.existsSync(at("early.pb")));
});

test("a missed budget is an error with its own exit code, or a warning that the model keeps", () => {
  const impossible = ["--min_sqnr", "150", "--max_float", "30"];
  const failed = call(...quantize("missed", RUN, ...impossible));
  assert.equal(failed.code, 3);
  assert.match(failed.said, /error\[MQ414\]/);
  const accepted = call(...quantize("accepted", RUN, ...impossible, "--accept_missed_budget"));
  assert.equal(accepted.code, 0, accepted.said);
  assert.match(accepted.said, /warning\[MQ414\]/);
  assert.deepEqual(bytesOf("accepted"), bytesOf("missed"));
  assert.match(call("explain", at("accepted.pb")).out, /^accuracy budget missed: min_sqnr 150 dB: /);
  const evaluate = ["evaluate", "--model", at("net.pb"), "--quantized", at("accepted.pb"), "--runner", RUN];
  const samples = ["--input_dir", at("samples"), "--quiet"];
  assert.equal(call(...evaluate, ...samples).code, 0);
  const checked = call(...evaluate, ...samples, "--min_sqnr", "1");
  assert.equal(checked.code, 3);
  assert.match(checked.said, /error\[MQ420\]/);
});
