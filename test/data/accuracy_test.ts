import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { cifar10, dataFile, imagenetLike, mnistDigits } from "./data";
import { keys, MODELS, SCHEMES } from "./models";
import { Pipeline, topOne, topOneOfTies } from "./pipeline";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-accuracy-"));
after(() => fs.rmSync(folder, { recursive: true }));

type Box = readonly [number, number, number, number];

/** Greatest difference of a side, as a share of the image. */
const departure = (a: Box, b: Box): number => Math.max(...a.map((side, i) => Math.abs(side - (b[i] ?? 0))));

function overlap([ax0, ay0, ax1, ay1]: Box, [bx0, by0, bx1, by1]: Box): number {
  const width = Math.max(0, Math.min(ax1, bx1) - Math.max(ax0, bx0));
  const height = Math.max(0, Math.min(ay1, by1) - Math.max(ay0, by0));
  const common = width * height;
  return common / ((ax1 - ax0) * (ay1 - ay0) + (bx1 - bx0) * (by1 - by0) - common);
}

/** Boxes (x0, y0, x1, y1 between 0 and 1) of scores of at least 0.7, the better of two that overlap by more than 0.5. */
function detections([scores = new Float32Array(), boxes = new Float32Array()]: readonly Float32Array[]): Box[] {
  const score = (i: number): number => scores[2 * i + 1] ?? 0;
  const boxAt = (i: number): Box => [...boxes.subarray(4 * i, 4 * i + 4)] as unknown as Box;
  const candidates = Array.from({ length: scores.length / 2 }, (_, i) => i).filter((i) => score(i) >= 0.7);
  candidates.sort((a, b) => score(b) - score(a) || a - b);
  const kept: Box[] = [];
  for (const i of candidates) if (!kept.some((box) => overlap(box, boxAt(i)) > 0.5)) kept.push(boxAt(i));
  return kept;
}

/** The files, or undefined when the data lacks one. */
function filesOf(names: readonly string[]): string[] | undefined {
  const files = names.map(dataFile);
  return files.every((file) => file !== undefined) ? files : undefined;
}

const rows: string[] = [];
after(() => {
  if (rows.length === 0) return;
  console.log(`\n${"top-1, %".padEnd(24)}${"published".padStart(10)}${"float".padStart(10)}${SCHEMES.map((s) => s.padStart(18)).join("")}`);
  for (const row of rows) console.log(row);
});

/** Float and both schemes on the prepared samples; a row for the table. */
async function evaluate(pipeline: Pipeline, labels: readonly number[], published: number): Promise<Record<string, number>> {
  const result: Record<string, number> = { float: topOne(pipeline.outputs("float"), labels) };
  for (const scheme of SCHEMES) {
    await pipeline.quantize(scheme);
    result[scheme] = topOne(pipeline.outputs(scheme), labels);
  }
  const cell = (value: number | undefined, width: number): string => (value ?? Number.NaN).toFixed(2).padStart(width);
  rows.push(`${pipeline.name.padEnd(24)}${cell(published, 10)}${cell(result.float, 10)}${SCHEMES.map((s) => cell(result[s], 18)).join("")}`);
  return result;
}

const ownCodes = new Map<string, number>();
/** Rows of the README's table, as measured here. */
const tableRows: string[] = [];

for (const model of MODELS) {
  const files = filesOf([model.file, ...(model.others ?? [])]);
  test(model.name, { skip: files ? false : `the test data has no ${model.file}` }, async () => {
    const pipeline = new Pipeline(folder, model.name);
    const [source = "", ...others] = files ?? [];
    await pipeline.convert(source, model.keys, others);
    const images = model.images === "cifar10" ? cifar10 : imagenetLike;
    await pipeline.calibrate(images("calib").map((sample) => sample.file));
    const val = images("val");
    await pipeline.prepare(val.map((sample) => sample.file));
    const result = await evaluate(pipeline, val.map((sample) => sample.label + model.offset), model.published);
    // Three images in 300: resizing differs in the last bit between image libraries. CIFAR-10's are not resized.
    assert.ok(Math.abs((result.float ?? 0) - model.published) <= (model.images === "cifar10" ? 0.05 : 1), `float ${result.float}, published ${model.published}`);
    SCHEMES.forEach((scheme, i) => {
      const drop = (result.float ?? 0) - (result[scheme] ?? 0);
      assert.ok(drop <= (model.drop[i] ?? 0), `${scheme} lost ${drop.toFixed(2)} points`);
    });
    if (model.title) tableRows.push(`| ${[model.title, ...["float", ...SCHEMES].map((kind) => result[kind]?.toFixed(1))].join(" | ")} |`);
    const { codes } = model;
    if (!codes) return;
    const shared = topOneOfTies(pipeline.outputs(codes.scheme), val.map((sample) => sample.label + model.offset));
    const text = `${codes.scheme} ${result[codes.scheme]?.toFixed(2)}, ${shared.toFixed(2)} where ties are shared`;
    console.log(`${model.name}: ${text}, published ${model.published}`);
    assert.ok(Math.abs(shared - model.published) <= codes.within, `${text}, published ${model.published}`);
    ownCodes.set(model.name, result[codes.scheme] ?? 0);
  });
}

test("a graph with fake quantization computes what its converted file computes", (t) => {
  const [graph, file] = ["mobilenet_v1_0_25_224_qat", "mobilenet_0_25_224_codes"].map((name) => ownCodes.get(name));
  if (graph === undefined || file === undefined) return t.skip("the test data has not both");
  assert.equal(graph, file);
});

test("the README has these figures", (t) => {
  if (tableRows.length < MODELS.filter(({ title }) => title).length) return t.skip("the test data has not all models");
  const lines = new Set(fs.readFileSync("README.md", "utf8").split("\n"));
  assert.deepEqual(tableRows.filter((row) => !lines.has(row)), []);
});

{
  const file = dataFile("models/tflite/vww_96_float.tflite");
  test("vww agrees with float", { skip: file ? false : "the test data has no vww_96_float.tflite" }, async () => {
    const pipeline = new Pipeline(folder, "vww");
    await pipeline.convert(file ?? "", keys("tflite", "input_1", "1,96,96,3", "NHWC", "Identity", "unit"));
    await pipeline.calibrate(imagenetLike("calib").map((sample) => sample.file));
    await pipeline.prepare(imagenetLike("val").map((sample) => sample.file));
    const classes = (kind: string): number[] => pipeline.outputs(kind).map((output) => output.indexOf(Math.max(...output)));
    const float = classes("float");
    for (const scheme of SCHEMES) {
      await pipeline.quantize(scheme);
      const same = classes(scheme).filter((c, i) => c === float[i]).length;
      rows.push(`vww: ${scheme} agrees with float on ${same} of ${float.length} images`);
      assert.ok(same >= 0.99 * float.length, `${scheme}: ${same} of ${float.length}`);
    }
  });
}

{
  const model = "models/onnx/version-RFB-320.onnx";
  const files = filesOf([model, ...["1", "10", "11", "12"].map((name) => `images/faces/${name}.jpg`)]);
  test("UltraFace finds the faces where float does", { skip: files ? false : `the test data has no ${model}` }, async () => {
    const pipeline = new Pipeline(folder, "ultraface");
    const [source = "", ...faces] = files ?? [];
    const preprocess = "{mean: 127, std: 128}";
    await pipeline.convert(source, keys("onnx", "input", "1,3,240,320", "NCHW", "[scores, boxes]", preprocess));
    await pipeline.calibrate(imagenetLike("calib").map((sample) => sample.file));
    await pipeline.prepare(faces);
    const float = pipeline.allOutputs("float").map(detections);
    assert.ok(float.every((found) => found.length > 0), "float finds no face");
    for (const scheme of SCHEMES) {
      await pipeline.quantize(scheme);
      // Both ways: each face of the float model is found, and no other.
      const departures = pipeline.allOutputs(scheme).flatMap((outputs, i) => {
        const found = detections(outputs);
        const expected = float[i] ?? [];
        assert.equal(found.length, expected.length, `${scheme}: other faces in image ${i}`);
        const nearest = (box: Box, others: readonly Box[]): number =>
          Math.min(...others.map((other) => departure(box, other)));
        return [...expected.map((box) => nearest(box, found)), ...found.map((box) => nearest(box, expected))];
      });
      const greatest = Math.max(...departures);
      rows.push(`ultraface: ${departures.length / 2} faces, ${scheme} boxes depart by up to ${(100 * greatest).toFixed(2)} % of the image`);
      assert.ok(greatest <= 0.01, `${scheme}: a box departs by ${greatest}`);
    }
  });
}

const QUICK = ["quick.prototxt", "quick_iter_5000.caffemodel", "mean.binaryproto"].map((file) => `cifar10_${file}`);
const quick = filesOf(QUICK.map((file) => `models/caffe/${file}`));
test("cifar10_quick, with its mean file", { skip: quick ? false : "the test data has no cifar10_quick" }, async () => {
  const pipeline = new Pipeline(folder, "cifar10_quick");
  const [source = "", ...others] = quick ?? [];
  const own = `    weight_file_path: ${QUICK[1]}\n    mean_file_path: ${QUICK[2]}\n`;
  await pipeline.convert(source, own + keys("caffe", "data", "1,3,32,32", "NCHW", "prob", "raw"), others);
  await pipeline.calibrate(cifar10("calib").map((sample) => sample.file));
  const samples = cifar10("val");
  await pipeline.prepare(samples.map((sample) => sample.file));
  const result = await evaluate(pipeline, samples.map((sample) => sample.label), 76);
  assert.ok(Math.abs((result.float ?? 0) - 76) <= 0.3, `float ${result.float}, published 76.0`);
  for (const scheme of SCHEMES) assert.ok((result[scheme] ?? 0) >= (result.float ?? 0) - 1.5, `${scheme}: ${result[scheme]}`);
});

for (const [name, file, model, shape, input, output, scale, published, drop, weights] of [
  ["mnist_cntk", "models/onnx/mnist-8.onnx", "onnx", "1,1,28,28", "Input3", "Plus214_Output_0", 1, 98.91, 0.1, undefined],
  ["mnist_mlp", "models/tf/mnist_fc_layers_frozen.pb", "tensorflow", "1,784", "X", "output", 1 / 255, 95.48, 0.15, undefined],
  ["mnist_lenet", "models/caffe/lenet.prototxt", "caffe", "1,1,28,28", "data", "prob", 1 / 256, 99.14, 0.1, "lenet_iter_10000.caffemodel"],
] as const) {
  const sources = filesOf([file, ...(weights === undefined ? [] : [`models/caffe/${weights}`])]);
  test(name, { skip: sources ? false : `the test data has no ${file}` }, async () => {
    const pipeline = new Pipeline(folder, name);
    const format = model === "tensorflow" ? "NONE" : "NCHW";
    const [source = "", ...others] = sources ?? [];
    const own = weights === undefined ? "" : `    weight_file_path: ${weights}\n`;
    await pipeline.convert(source, own + keys(model, input, shape, format, output, "raw"), others);
    const digits = mnistDigits(10000);
    const files = digits.images.map((pixels, i) => {
      const sample = path.join(folder, `${name}_${i}.dat`);
      fs.writeFileSync(sample, new Uint8Array(Float32Array.from(pixels, (p) => p * scale).buffer));
      return sample;
    });
    // Calibrated on digits that the evaluation does not count.
    await pipeline.calibrate(files.slice(0, 100));
    await pipeline.prepare(files.slice(100));
    const result = await evaluate(pipeline, digits.labels.slice(100), published);
    assert.ok(Math.abs((result.float ?? 0) - published) <= 0.2, `float ${result.float}, published ${published}`);
    for (const scheme of SCHEMES) assert.ok((result[scheme] ?? 0) >= (result.float ?? 0) - drop, `${scheme}: ${result[scheme]}`);
  });
}
