/**
 * Quantized TensorFlow Lite models, imported with their own codes and run by the runtime, against what TensorFlow Lite's
 * reference kernels computed.
 *
 * Weights, scales and zero points are the file's, exactly, and the runtime computes such models with TensorFlow Lite's own integer
 * arithmetic (mace/quant/README.md §12): all codes before the last softmax are the same. That one is float here and a table of
 * exponentials there.
 */

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { readModel } from "../../tools/emit/model-reader";
import { encodeRecord } from "../../tools/statistics/sample-stream";
import { dataFile } from "./data";
import { Pipeline } from "./pipeline";
import { RECORDED_MODELS, RECORDED_SAMPLES, recordedInput, recordedOutputs, recordedPattern } from "./recorded-outputs";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-recorded-"));
after(() => fs.rmSync(folder, { recursive: true }));

/** How far an output may be off, in codes: what the last softmax may make of equal codes. */
const GREATEST_DIFFERENCE: Readonly<Record<string, number>> = {
  "mobilenet_v1_0.25_224_quant": 0,
  "mobilenet_v1_0.5_160_quant": 0,
  resnet8_cifar10_int8: 1,
  vww_96_int8: 0,
  ad01_int8: 0,
};

test("the pattern is the one that was recorded with", () => {
  const pattern = recordedPattern(0, [4, 4, 1]);
  let sum = 0;
  for (let sample = 0; sample < RECORDED_SAMPLES; sample++) {
    recordedPattern(sample, [32, 32, 3]).forEach((byte, i) => {
      sum = (sum * 31 + byte + i) % 1000003;
    });
  }
  assert.deepEqual([...pattern], [81, 152, 224, 173, 41, 134, 227, 206, 1, 115, 230, 239, 93, 167, 241, 224]);
  assert.equal(sum, 689537);
});

for (const model of RECORDED_MODELS) {
  const file = dataFile(`models/tflite/${model.name}.tflite`);
  test(model.name, { skip: file ? false : "not in the test data" }, async (t) => {
    const pipeline = new Pipeline(folder, model.name);
    await pipeline.convertAlone(file ?? "");
    const { graph } = readModel(pipeline.file("float.pb"), pipeline.file("float.data"));
    const gridOf = (port: { readonly tensor: string } | undefined) => graph.tensors.get(port?.tensor ?? "")?.trained;
    const [source, result] = [gridOf(graph.inputs[0]), gridOf(graph.outputs[0])];
    assert.ok(source && result, "input and output carry the file's grids");
    const out = fs.openSync(pipeline.file("stream"), "w");
    for (let sample = 0; sample < RECORDED_SAMPLES; sample++) {
      const codes = recordedInput(model, sample);
      const values = Float32Array.from(codes, (code) => (source.scales[0] ?? 0) * (code - source.zeroPoint));
      fs.writeSync(out, encodeRecord({ name: String(sample), tensors: [values] }));
    }
    fs.closeSync(out);
    await pipeline.quantizeTrained("auto");
    let [worst, withinOne, agreeing] = [0, 0, 0];
    const recorded = recordedOutputs(model);
    pipeline.outputs("auto").forEach((actual, sample) => {
      const expected = Array.from(recorded[sample] ?? [], (code: number) => code - result.zeroPoint);
      assert.equal(actual.length, expected.length);
      let most = 0;
      actual.forEach((value, i) => {
        most = Math.max(most, Math.abs(Math.round(value / (result.scales[0] ?? 1)) - (expected[i] ?? 0)));
      });
      worst = Math.max(worst, most);
      if (most <= 1) withinOne++;
      if (expected[actual.indexOf(Math.max(...actual))] === Math.max(...expected)) agreeing++;
    });
    t.diagnostic(`differs by ${worst} codes at most; ${withinOne} within one code, top-1 agrees for ${agreeing}, of ${RECORDED_SAMPLES}`);
    assert.ok(worst <= (GREATEST_DIFFERENCE[model.name] ?? 0), `differs by ${worst} codes`);
    assert.equal(agreeing, RECORDED_SAMPLES, "top-1");
  });
}
