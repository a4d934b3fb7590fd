/**
 * Imported quantized models against what TensorFlow Lite computed with codes: the float graph, with every tensor rounded to the
 * grid that the importer gave it, differs from integer arithmetic by roundings that fall the other way only.
 */

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import { importTflite } from "../../tools/importers/tflite/import";
import type { Graph, Tensor } from "../../tools/ir/graph";
import { interpretNode } from "../../tools/ir/interpret";
import type { Shape } from "../../tools/ir/shape";
import { dataFile } from "./data";
import { RECORDED_MODELS, RECORDED_SAMPLES, recordedInput, recordedOutputs, recordedPattern } from "./recorded-outputs";

/** Samples that are run; the interpreter is slow. */
const SAMPLES = 8;
/**
 * Greatest difference in codes, and samples whose greatest output is the same. A rounding that falls the other way moves a logit
 * by a code or four; a softmax makes much of that where the patterns, which are no photographs, leave the network undecided.
 */
const EXPECTED: Readonly<Record<string, { readonly codes: number; readonly agreeing: number }>> = {
  "mobilenet_v1_0.25_224_quant": { codes: 10, agreeing: 7 },
  "mobilenet_v1_0.5_160_quant": { codes: 10, agreeing: 8 },
  resnet8_cifar10_int8: { codes: 50, agreeing: 5 },
  vww_96_int8: { codes: 1, agreeing: 8 },
  ad01_int8: { codes: 1, agreeing: 8 },
};

/** Rounds to the tensor's grid, halves away from zero. */
function onGrid({ trained }: Tensor, values: Float32Array): Float32Array {
  if (!trained) return values;
  const { scales, zeroPoint, qmin, qmax } = trained;
  const [scale = 1] = scales;
  return values.map((value) => {
    const steps = Math.fround(value / scale);
    const code = Math.sign(steps) * Math.floor(Math.abs(steps) + 0.5) + zeroPoint;
    return scale * (Math.max(qmin, Math.min(qmax, code)) - zeroPoint);
  });
}

function runOnGrids(graph: Graph, feed: Float32Array): Float32Array {
  const tensor = (name: string): Tensor => graph.tensors.get(name) as Tensor;
  const values = new Map<string, Float32Array>([[graph.inputs[0]?.tensor ?? "", feed]]);
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => {
      const data = tensor(name).data ?? values.get(name);
      return data ? { shape: tensor(name).shape, data } : null;
    });
    const shapes: Shape[] = node.outputs.map((name) => tensor(name).shape);
    interpretNode(node, inputs, shapes).forEach((data, i) => {
      const name = node.outputs[i] ?? "";
      values.set(name, onGrid(tensor(name), data as Float32Array));
    });
  }
  return values.get(graph.outputs[0]?.tensor ?? "") ?? new Float32Array(0);
}

test("the pattern is the one that was recorded with", () => {
  const pattern = recordedPattern(0, [4, 4, 1]);
  let sum = 0;
  for (let sample = 0; sample < RECORDED_SAMPLES; sample++) {
    recordedPattern(sample, [32, 32, 3]).forEach((byte, i) => {
      sum = (sum * 31 + byte + i) % 1000003;
    });
  }
  assert.deepEqual({ pattern: [...pattern], sum }, { pattern: [81, 152, 224, 173, 41, 134, 227, 206, 1, 115, 230, 239, 93, 167, 241, 224], sum: 689537 });
});

for (const model of RECORDED_MODELS) {
  test(model.name, (t) => {
    const file = dataFile(`models/tflite/${model.name}.tflite`);
    if (!file) {
      t.skip("not in the test data");
      return;
    }
    const graph = importTflite(new Uint8Array(fs.readFileSync(file)), { file, name: "model" });
    const [input, output] = [graph.inputs[0]?.tensor ?? "", graph.outputs[0]?.tensor ?? ""];
    const source = graph.tensors.get(input)?.trained;
    const result = graph.tensors.get(output)?.trained;
    assert.ok(source && result);
    const recorded = recordedOutputs(model);
    let worst = 0;
    let agreeing = 0;
    for (let sample = 0; sample < SAMPLES; sample++) {
      const codes = recordedInput(model, sample);
      const feed = Float32Array.from(codes, (code) => (source.scales[0] ?? 0) * (code - source.zeroPoint));
      const actual = runOnGrids(graph, feed);
      const expected: Float32Array = Float32Array.from(recorded[sample] ?? [], (code: number) => code - result.zeroPoint);
      assert.equal(actual.length, expected.length);
      actual.forEach((value, i) => {
        worst = Math.max(worst, Math.abs(value / (result.scales[0] ?? 1) - (expected[i] ?? 0)));
      });
      const best = actual.indexOf(Math.max(...actual));
      if ((expected[best] ?? 0) === Math.max(...expected)) agreeing++;
    }
    t.diagnostic(`differs by ${worst.toFixed(1)} codes, top-1 agrees for ${agreeing} of ${SAMPLES}`);
    const limit = EXPECTED[model.name];
    assert.ok(limit && worst <= limit.codes, `differs by ${worst} codes`);
    assert.ok(agreeing >= limit.agreeing, `top-1 agrees for ${agreeing} of ${SAMPLES}`);
  });
}
