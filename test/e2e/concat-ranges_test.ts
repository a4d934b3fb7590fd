/** `change_concat_ranges` of a configuration, and of the command line, from an ONNX file to a quantized model that runs. */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { main } from "../../tools/cli/main";
import { readModel } from "../../tools/emit/model-reader";
import { Distance } from "../../tools/evaluate/metrics";
import { model, node, tensor } from "../../tools/importers/testing/onnx-builder";
import { Random } from "../../tools/synth/random";
import { succeed } from "./call";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-concat-"));
after(() => fs.rmSync(folder, { recursive: true }));
const at = (name: string): string => path.join(folder, name);

const SIDE = 8;
const random = new Random("concat");
const values = (count: number, factor = 1): Float32Array =>
  Float32Array.from({ length: count }, () => random.normal() * factor);

/** A narrow and a wide branch; the narrow one is read beside the Concat too. */
fs.writeFileSync(
  at("net.onnx"),
  model({
    inputs: { x: [1, 3, SIDE, SIDE] },
    outputs: ["out", "side"],
    nodes: [
      node("Conv", ["x", "w1"], ["a"]),
      node("Relu", ["a"], ["narrow"]),
      node("Conv", ["x", "w2"], ["wide"]),
      node("Concat", ["narrow", "wide"], ["both"], { axis: 1 }),
      node("Conv", ["both", "w3"], ["out"]),
      node("Conv", ["narrow", "w4"], ["side"]),
    ],
    initializers: [
      tensor("w1", [4, 3, 1, 1], values(12, 0.1)),
      tensor("w2", [4, 3, 1, 1], values(12, 1)),
      tensor("w3", [4, 8, 1, 1], values(32, 1)),
      tensor("w4", [4, 4, 1, 1], values(16, 1)),
    ],
  }),
);

const yaml = (key: string): string => `models:
  net:
    platform: onnx
    model_file_path: net.onnx
    input_data_formats: NCHW
    output_data_formats: NCHW
    subgraphs:
      - input_tensors: x
        input_shapes: 1,3,${SIDE},${SIDE}
        output_tensors: [out, side]
${key}`;

const samples = at("samples");
fs.mkdirSync(samples);
for (let i = 0; i < 4; i++) fs.writeFileSync(path.join(samples, `${i}.dat`), values(3 * SIDE * SIDE));

/** Grids of what the Concat reads and writes, and the dB that the outputs keep. */
async function quantized(name: string, key: string, ...flags: readonly string[]) {
  fs.writeFileSync(at(`${name}.yml`), yaml(key));
  await succeed(main, "convert", "--config", at(`${name}.yml`), "--output_prefix", at(name));
  const runner = (program: string) => ["--runner", path.resolve(`mace/bin/${program}`)];
  const measured = ["--input_dir", samples, "--output", at(`${name}.stat`), "--ranges", at(`${name}.ranges`)];
  await succeed(main, "stat", "--model", at(`${name}.pb`), ...runner("mace_stat"), ...measured);
  const ranges = ["--ranges", at(`${name}.ranges`), "--output_prefix", at(`${name}_quant`)];
  await succeed(main, "quantize", "--model", at(`${name}.pb`), ...ranges, ...flags);
  const { graph } = readModel(at(`${name}_quant.pb`), at(`${name}_quant.data`));
  const concat = graph.nodes.find(({ type }) => type === "Concat");
  assert.ok(concat);
  const grids = [...concat.inputs, ...concat.outputs].map((tensor) => graph.tensors.get(tensor)?.quant);
  const outputs = await Promise.all(
    [name, `${name}_quant`].map(async (each) => {
      fs.mkdirSync(at(`${each}.out`));
      const files = ["--input", path.join(samples, "0.dat"), "--output_dir", at(`${each}.out`)];
      await succeed(main, "run", "--model", at(`${each}.pb`), ...runner("mace_run"), ...files);
      return fs.readdirSync(at(`${each}.out`)).map((file) => {
        const bytes = new Uint8Array(fs.readFileSync(path.join(at(`${each}.out`), file)));
        return new Float32Array(bytes.buffer);
      });
    }),
  );
  const distances = (outputs[0] ?? []).map((reference, i) => {
    const distance = new Distance();
    distance.add(reference, outputs[1]?.[i] ?? new Float32Array(0));
    return distance.sqnr;
  });
  return { grids, distances };
}

test("the key and the flag give a Concat's inputs one grid; by default narrow ones keep theirs", async () => {
  const [plain, key, flag] = [
    await quantized("plain", ""),
    await quantized("key", "    change_concat_ranges: 1\n"),
    await quantized("flag", "", "--change_concat_ranges"),
  ];
  assert.deepEqual(key.grids, flag.grids);
  assert.deepEqual(key.distances, flag.distances);
  const [narrow, wide, both] = key.grids;
  assert.deepEqual(narrow, both);
  assert.deepEqual(wide, both);
  assert.ok((plain.grids[0]?.scales[0] ?? 0) < (both?.scales[0] ?? 0) / 3, "the narrow input has finer steps");
  const text = (list: readonly number[]): string => list.map((value) => value.toFixed(1)).join(" and ");
  console.log(`out and side: ${text(plain.distances)} dB; with one grid ${text(key.distances)} dB`);
  for (const sqnr of plain.distances) assert.ok(sqnr > 30, text(plain.distances));
  for (const sqnr of key.distances) assert.ok(sqnr > 15, text(key.distances));
  // What reads the narrow input beside the Concat pays for it.
  assert.ok((plain.distances[1] ?? 0) > (key.distances[1] ?? 0) + 6);
});
