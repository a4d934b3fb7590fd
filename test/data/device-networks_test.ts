/**
 * Whole networks on the simulators of accelerators, through the product's own commands, against the references: every output is the
 * reference's, number for number. Networks with trained weights are in the test data; of Inception-v3 and MobileNetV2 the weights are generated.
 */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { readModel } from "../../tools/emit/model-reader";
import { BACK_ENDS } from "../../tools/lower/back-ends";
import type { LoweredNet } from "../../tools/lower/net";
import { partition } from "../../tools/lower/partition";
import { quantizeArray } from "../../tools/quant/affine";
import { RecordDecoder } from "../../tools/statistics/sample-stream";
import { inceptionV3 } from "../../tools/synth/inception-v3";
import { mobilenetV2 } from "../../tools/synth/mobilenet-v2";
import { sampleImage } from "../../tools/synth/sample-images";
import * as neuron from "../reference/neuron";
import * as nnlib from "../reference/nnlib";
import { dataFile, imagenetLike } from "./data";
import { DEVICES } from "./devices";
import { keys, MODELS, mobilenet } from "./models";
import { Pipeline } from "./pipeline";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-networks-"));
after(() => fs.rmSync(folder, { recursive: true }));

type Reference = (net: LoweredNet, inputs: readonly Uint8Array[]) => Float32Array[];
const REFERENCES: Readonly<Record<string, Reference>> = { apu: neuron.runReference, dsp: nnlib.runReference };

/** Runs a model for each device on one prepared sample, and compares. */
async function compare(pipeline: Pipeline, ranges: boolean): Promise<void> {
  const [sample] = new RecordDecoder().push(fs.readFileSync(pipeline.file("stream")));
  assert.ok(sample);
  for (const [runtime, device] of Object.entries(DEVICES)) {
    await pipeline.quantizeFor(runtime, ranges);
    const files = ["pb", "data"].map((kind) => pipeline.file(`${runtime}.quantized.${kind}`)) as [string, string];
    const backEnd = BACK_ENDS[runtime];
    const reference = REFERENCES[runtime];
    assert.ok(backEnd && reference);
    const { parts } = partition(readModel(...files).graph, backEnd, false);
    assert.deepEqual(parts.map((part) => part.runtime), [runtime], "all of it is on the device");
    const net = backEnd.lower(parts[0]?.graph as (typeof parts)[0]["graph"]);
    const codes = net.inputs.map(({ scale = 1, zeroPoint = 0 }, i) => {
      return quantizeArray(sample.tensors[i] as Float32Array, { scale, zeroPoint }, "uint8") as Uint8Array;
    });
    const expected = reference(net, codes);
    const [actual] = pipeline.allOutputs(runtime, device);
    assert.deepEqual(actual, expected, runtime);
    assert.ok(expected.every((output) => new Set(output).size > 1), `${runtime}: all outputs are equal`);
  }
}

const SYNTHETIC = {
  inception_v3: { bytes: inceptionV3, size: 299, output: "InceptionV3/Predictions/Reshape_1" },
  mobilenet_v2: { bytes: mobilenetV2, size: 224, output: "MobilenetV2/Predictions/Reshape_1" },
} as const;

for (const [name, { bytes, size, output }] of Object.entries(SYNTHETIC)) {
  test(`${name}, generated weights`, async () => {
    const model = path.join(folder, `${name}.pb`);
    fs.writeFileSync(model, bytes());
    const images: string[] = [];
    for (let i = 0; i < 3; i++) {
      const file = path.join(folder, `${size}.${i}.png`);
      fs.writeFileSync(file, await sampleImage(i, size, size));
      images.push(file);
    }
    const pipeline = new Pipeline(folder, name);
    await pipeline.convert(model, mobilenet("tensorflow", size, output, "tf-inception"));
    await pipeline.calibrate(images.slice(1));
    await pipeline.prepare(images.slice(0, 1));
    await compare(pipeline, true);
  });
}

for (const name of ["float", "qat", "partly_qat"]) {
  test(`shapes_net, ${name}`, async () => {
    const pictures = path.resolve("models/shapes_net/calibration");
    const images = fs.readdirSync(pictures).sort().map((file) => path.join(pictures, file));
    const pipeline = new Pipeline(folder, name);
    await pipeline.convert(
      path.resolve(`models/shapes_net/${name}.pb`),
      keys("tensorflow", "input", "1,32,32,3", "NHWC", "probabilities", "tf-inception"),
    );
    const trained = name === "qat";
    if (!trained) await pipeline.calibrate(images.slice(1));
    await pipeline.prepare(images.slice(0, 1));
    await compare(pipeline, !trained);
  });
}

/** Of those with codes of their own, which need no ranges. */
const TRAINED = ["mobilenet_v1_0_25_224_qat", "mobilenet_0_25_224_codes", "mobilenet_0_5_160_codes"];
const MEASURED = ["mobilenet_v1_0_25_224", "mobilenet_v1_0_5_160", "squeezenet1_1", "squeezenet1_0"];

for (const name of [...MEASURED, ...TRAINED]) {
  const model = MODELS.find((m) => m.name === name);
  assert.ok(model);
  const files = [model.file, ...(model.others ?? [])].map(dataFile);
  const skip = files.every((file) => file !== undefined) ? false : `the test data has no ${model.file}`;
  test(name, { skip }, async () => {
    const pipeline = new Pipeline(folder, name);
    const [source = "", ...others] = files as string[];
    await pipeline.convert(source, model.keys, others);
    const trained = TRAINED.includes(name);
    if (!trained) await pipeline.calibrate(imagenetLike("calib").slice(0, 20).map((sample) => sample.file));
    await pipeline.prepare(imagenetLike("val").slice(0, 1).map((sample) => sample.file));
    await compare(pipeline, !trained);
  });
}
