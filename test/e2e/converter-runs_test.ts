/** What `converter run` takes, refuses and prints, on a small network. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { main as mace } from "../../tools/cli/main";
import { sliceOf } from "../../tools/cli/validation";
import { main as converter } from "../../tools/dropin/converter";
import { main as quantizeStat } from "../../tools/dropin/quantize-stat";
import { Random } from "../../tools/synth/random";
import { call, succeed } from "./call";
import { network, SIDE, yaml } from "./tiny-network";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-converter-test-"));
const at = (name: string): string => path.join(folder, name);
after(() => fs.rmSync(folder, { recursive: true }));

const OUTPUT = ["--output", at("build")];
const SAMPLES = 2;

/** A process of its own, for runs whose program writes to standard output itself. */
function apart(...args: readonly string[]): { code: number; out: string; said: string } {
  const flags = process.execArgv.filter((flag) => flag !== "--test");
  const script = require.resolve("../../tools/dropin/converter");
  const result = spawnSync(process.execPath, [...flags, script, ...args], {
    encoding: "utf8",
    env: { ...process.env, NODE_TEST_CONTEXT: "" },
  });
  return { code: result.status ?? -1, out: result.stdout, said: result.stderr };
}

before(async () => {
  fs.writeFileSync(at("net.pb"), network());
  fs.writeFileSync(at("tiny.yml"), yaml(""));
  fs.writeFileSync(at("final.yml"), yaml("    quantize: 1\n    quantize_range_file: overall_range\n"));
  fs.mkdirSync(at("tensors"));
  const random = new Random("tensors");
  for (let i = 0; i < SAMPLES; i++) {
    const values = Float32Array.from({ length: SIDE * SIDE * 3 }, () => 2 * random.uniform() - 1);
    fs.writeFileSync(at(`tensors/input${i}.dat`), new Uint8Array(values.buffer));
  }
  await succeed(converter, "convert", "--config", at("tiny.yml"), ...OUTPUT);
  const log = await succeed(
    converter,
    "run",
    "--config",
    at("tiny.yml"),
    ...OUTPUT,
    "--quantize_stat",
    "--input_dir",
    at("tensors"),
  );
  fs.writeFileSync(at("range_log"), log);
  fs.writeFileSync(at("overall_range"), await succeed(quantizeStat, "--log_file", at("range_log")));
  await succeed(converter, "convert", "--config", at("final.yml"), ...OUTPUT);
});

for (const args of [
  ["--layers=:"],
  ["--validate", "--benchmark"],
  ["--validate", "--round=2"],
  ["--validate", "--output_dir=x"],
  ["--validate", "--quantize_stat", "--input_dir=x"],
  ["--recorded=x"],
  ["--validate_threshold=1"],
  ["--input_dir=x", "--benchmark"],
  ["--input_dir=x", "--restart_round=2"],
  ["--resume"],
  ["--quantize_stat", "--input_dir=x", "--output_dir=y"],
]) {
  test(`what would be ignored is an error: run ${args.join(" ")}`, async () => {
    const { code, said } = await call(converter, "run", "--config", at("tiny.yml"), ...OUTPUT, ...args);
    assert.equal(code, 1, said);
    assert.match(said, /^error\[MQ529\]: --\w+ would be ignored with /);
    assert.match(said, /cause: it is for /);
  });
}

test("flags of MACE that change nothing are told, all that cannot be served at once", async () => {
  const idle = ["--gpu_perf_hint=3", "--disable_tuning", "--fake_warmup"];
  const { code, said } = apart("run", "--config", at("tiny.yml"), ...OUTPUT, ...idle, "--round=1");
  assert.equal(code, 0, said);
  for (const flag of idle) assert.match(said, new RegExp(`^note: ${flag.replace(/=.*/, "")} has no effect: `, "m"));
  const refused = await call(
    converter,
    "run",
    "--config",
    at("tiny.yml"),
    "--report",
    "--target_socs=all",
    "--runtime=apu",
  );
  assert.equal(refused.code, 1);
  assert.equal(refused.said.match(/^error\[MQ515\]/gm)?.length, 3, refused.said);
});

test("one model of several, environment variables, and restarts", async () => {
  const given = ["--config", at("tiny.yml"), ...OUTPUT, "--model_name"];
  const twice = apart("run", ...given, "tiny_net", "--round=1", "--restart_round=2", "--envs", "MACE_CPU_TIER=scalar");
  assert.equal(twice.code, 0, twice.said);
  assert.equal(twice.out.match(/^model .*, tier scalar, /gm)?.length, 2, twice.out);
  const other = await call(converter, "run", ...given, "other");
  assert.equal(other.code, 1);
  assert.match(other.said, /MQ113.*/);
  const wrong = apart("run", ...given, "tiny_net", "--envs=MACE_CPU_TIER=none");
  assert.equal(wrong.code, 1);
  assert.match(wrong.said, /MR\d+/);
});

test("--benchmark prints the time of each operator, and of each type", async () => {
  const { code, out, said } = apart("run", "--config", at("final.yml"), ...OUTPUT, "--benchmark", "--round=3");
  assert.equal(code, 0, said);
  assert.match(out, /^By operator \(average of 3 runs\)$/m);
  const [, rows = ""] = /^By operator .*\n.*\n([\s\S]*?)\n\nBy operator type/m.exec(out) ?? [];
  const types = rows.split("\n").map((row) => /Conv2D|Quantize|Dequantize|[A-Z]\w+/.exec(row)?.[0]);
  assert.equal(types.filter((type) => type === "Conv2D").length, 2, out);
  assert.ok(types.includes("Quantize") && types.includes("Dequantize"), out);
  for (const row of rows.split("\n")) assert.match(row, /^ +\d+\.\d{3} +\d+\.\d{2} /);
  assert.match(out, /^ +[\d.]+ +100\.00 .* all$/m);
  assert.match(out, /^init [\d.]+ ms, first run [\d.]+ ms, average [\d.]+ ms, .* \(3 runs\)$/m);
});

test("files without a known ending are raw float32, and outputs need not be kept", async () => {
  fs.mkdirSync(at("raw"));
  for (const [i, name] of ["input_n01440764_15071.JPEG_input", "input1"].entries())
    fs.copyFileSync(at(`tensors/input${i}.dat`), at(`raw/${name}`));
  fs.writeFileSync(at("raw/other_input"), "not named after the input");
  const run = ["run", "--config", at("final.yml"), ...OUTPUT, "--input_dir", at("raw")];
  const { code, out, said } = await call(converter, ...run);
  assert.equal(code, 0, said);
  assert.equal(out, "");
  assert.match(said, /^note: ran on 2 samples$/m);
  await succeed(converter, ...run, "--output_dir", at("raw_outputs"));
  assert.deepEqual(fs.readdirSync(at("raw_outputs")).sort(), ["output1", "output_n01440764_15071.JPEG_input"]);
  await succeed(converter, ...run.slice(0, -1), at("tensors"), "--output_dir", at("outputs"));
  assert.ok(fs.readFileSync(at("raw_outputs/output1")).equals(fs.readFileSync(at("outputs/output1.dat"))));
});

test("the key quantize_stat does what the flag does", async () => {
  const key = (more: string): string => yaml(more).replace("library_name", "quantize_stat: 1\nlibrary_name");
  fs.writeFileSync(at("key.yml"), key("    quantize: 1\n    quantize_range_file: overall_range\n"));
  const given = ["--config", at("key.yml"), "--output", at("key")];
  await succeed(converter, "convert", ...given);
  await succeed(mace, "convert", "--config", at("tiny.yml"), "--output_prefix", at("own"));
  assert.ok(fs.readFileSync(at("key/tiny/model/tiny_net.data")).equals(fs.readFileSync(at("own.data"))));
  const log = await succeed(converter, "run", ...given, "--input_dir", at("tensors"));
  assert.equal(log, fs.readFileSync(at("range_log"), "utf8"));
});

test("--validate without inputs takes random ones, the same every time", async () => {
  const run = ["run", "--config", at("final.yml"), ...OUTPUT, "--validate", "--validate_threshold=0.5"];
  const first = await succeed(converter, ...run, "--layers=:");
  assert.match(first, /^quantized against float, 1 sample, /);
  assert.match(first, /^output output: similarity 0\.\d+/m);
  assert.equal(await succeed(converter, ...run, "--layers=:"), first);
  const layers = first.match(/^layer .*$/gm) ?? [];
  const shown = async (slice: string) =>
    (await succeed(converter, ...run, `--layers=${slice}`)).match(/^layer .*$/gm) ?? [];
  assert.equal(layers.length, 2);
  assert.deepEqual(await shown("-2"), layers.slice(0, 1));
  assert.deepEqual(await shown("::-1"), [...layers].reverse());
});

test("thresholds of a device are those of a model for it; others are told to have no effect", async () => {
  const limits = (runtime: string): string =>
    yaml(
      `    quantize: 1\n    quantize_range_file: overall_range\n    validation_threshold: {DSP: 1.0, APU: 0.5, GPU: 0.9, QUANTIZE: 0.4}\n`,
    ).replace("runtime: cpu", `runtime: ${runtime}`);
  for (const [runtime, code, idle] of [
    ["dsp", 3, ["APU", "GPU"]],
    ["apu", 0, ["DSP", "GPU"]],
    ["cpu", 0, ["DSP", "APU", "GPU"]],
  ] as const) {
    fs.writeFileSync(at("limits.yml"), limits(runtime));
    const result = await call(converter, "run", "--config", at("limits.yml"), ...OUTPUT, "--validate");
    assert.equal(result.code, code, result.said);
    const told = [...result.said.matchAll(/^note: validation_threshold of (\w+) has no effect/gm)].map(
      ([, key]) => key,
    );
    assert.deepEqual(told, idle);
  }
});

test("layers are chosen as Python indexes and slices lists", () => {
  const list = [0, 1, 2, 3, 4, 5, 6];
  for (const [text, expected] of [
    ["-1", []],
    ["0", [0]],
    ["6", [6]],
    ["7", []],
    ["-2", [5]],
    ["-8", []],
    [":", list],
    ["2:4", [2, 3]],
    ["-3:", [4, 5, 6]],
    [":-5", [0, 1]],
    ["4:2", []],
    ["::3", [0, 3, 6]],
    ["1:100:2", [1, 3, 5]],
    ["::-1", [6, 5, 4, 3, 2, 1, 0]],
    ["4:1:-2", [4, 2]],
    ["-1:-4:-1", [6, 5, 4]],
    ["2::-1", [2, 1, 0]],
    ["2:4:", [2, 3]],
  ] as const) {
    assert.deepEqual(sliceOf(list, text), expected, text);
  }
  for (const text of ["", "some", "1:2:3:4", "::0", "1.5", "1,2"])
    assert.throws(() => sliceOf(list, text), /MQ518/, text);
});
