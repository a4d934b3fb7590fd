/**
 * Float models whose large weights are codes (`quantize_large_weights`), made by the rules: how small their files are, how near their results,
 * and that the runtime makes the very values of the codes that the tools make.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { main } from "../../tools/cli/main";
import { readModel } from "../../tools/emit/model-reader";
import { writeModel } from "../../tools/emit/model-writer";
import { Distance } from "../../tools/evaluate/metrics";
import type { Graph } from "../../tools/ir/graph";
import { Random } from "../../tools/synth/random";
import { picture } from "../../tools/synth/shapes";
import { call } from "./call";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-large-weights-"));
after(() => fs.rmSync(folder, { recursive: true }));

/** Runs a model on one input; its only output. */
function run(model: string, input: string, values: Float32Array): Float32Array {
  const to = fs.mkdtempSync(path.join(folder, "out-"));
  const file = path.join(to, "x.dat");
  fs.writeFileSync(file, values);
  const output = path.join(to, "out");
  fs.mkdirSync(output);
  const files = [`--model_file=${model}.pb`, `--model_data_file=${model}.data`];
  const args = [...files, `--input=${input}=${file}`, `--output_dir=${output}`];
  const { status, stderr } = spawnSync("mace/bin/mace_run", args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  const [name = "", ...others] = fs.readdirSync(output);
  assert.equal(others.length, 0);
  return new Float32Array(new Uint8Array(fs.readFileSync(path.join(output, name))).buffer);
}

const read = (model: string): Graph => readModel(`${model}.pb`, `${model}.data`).graph;
const sizeOf = (model: string): number => fs.statSync(`${model}.data`).size;
const classOf = (scores: Float32Array): number => scores.indexOf(Math.max(...scores));

test("a trained network: nearly the same probabilities, in less than half of the file", () => {
  const [float, small] = ["models/shapes_net/float", "test/e2e/shapes_net_large_weights"];
  // Its depthwise filters and biases, which stay float32, are a good part of it.
  assert.ok(sizeOf(small) < 0.4 * sizeOf(float), `${sizeOf(small)} of ${sizeOf(float)} bytes`);
  const distance = new Distance();
  let same = 0;
  const pictures = 32;
  for (let i = 0; i < pictures; i++) {
    const values = Float32Array.from(picture("test", i).pixels, (pixel) => pixel / 127.5 - 1);
    const [theirs, ours] = [run(float, "input", values), run(small, "input", values)];
    distance.add(theirs, ours);
    if (classOf(theirs) === classOf(ours)) same++;
  }
  console.log(`shapes_net: ${distance.sqnr.toFixed(1)} dB, ${same} of ${pictures} classes the same`);
  assert.ok(distance.sqnr > 18, `${distance.sqnr} dB`);
  assert.ok(same >= pictures - 1, `${same} classes`);
  assert.ok(distance.sqnr < 120, "the weights are codes");
});

test("a large network is about a quarter of its size", () => {
  const [float, small] = ["models/mobilenet_v2", "test/e2e/mobilenet_v2_large_weights"];
  const ratio = sizeOf(small) / sizeOf(float);
  console.log(`MobileNetV2: ${(100 * ratio).toFixed(1)} % of ${sizeOf(float)} bytes`);
  assert.ok(ratio > 0.25 && ratio < 0.28, String(ratio));
});

test("the runtime reads the values that the codes stand for", () => {
  const graph = read("test/e2e/shapes_net_large_weights");
  const coded = [...graph.tensors.values()].filter(({ codes }) => codes);
  assert.ok(coded.length > 8);
  for (const tensor of coded) delete tensor.codes;
  const plain = path.join(folder, "plain");
  writeModel(graph, plain);
  const random = new Random("pixels");
  const values = Float32Array.from({ length: 32 * 32 * 3 }, () => random.normal());
  assert.deepEqual(run("test/e2e/shapes_net_large_weights", "input", values), run(plain, "input", values));
});

test("such a model is not quantized a second time", async () => {
  const to = path.join(folder, "twice");
  const args = ["--model", "test/e2e/shapes_net_large_weights.pb", "--output_prefix", to];
  const { code, said } = await call(main, "quantize", ...args);
  assert.equal(code, 1, said);
  assert.match(said, /MQ423[\s\S]*quantize_large_weights/);
  assert.ok(!fs.existsSync(`${to}.pb`));
});
