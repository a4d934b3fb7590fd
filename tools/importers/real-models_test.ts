/** Imports models that others trained, runs the passes, and compares with results of independent runtimes. */

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, type TestContext, test } from "node:test";
import { runFiles } from "../../test/conformance/native";
import { writeModel } from "../emit/model-writer";
import { UserError } from "../diagnostics/diagnostic";
import type { ConstantData, Graph, TrainedQuantization } from "../ir/graph";
import { interpret } from "../ir/interpret";
import { parseGraph } from "../ir/parse";
import { printGraph } from "../ir/print";
import { elementCount } from "../ir/shape";
import { optimize } from "../passes/pipeline";
import { DEFAULT_SETTINGS, quantizeModel } from "../quantize/quantize-model";
import { TensorProto } from "../schema/onnx";
import { IMPORTERS } from "./importer";
import type { ImportOptions } from "./options";
import { greatestDifference, runModel } from "./testing/run-model";
import { readBytes, readNpy, testData } from "./testing/test-data";

const SETTINGS = { ...DEFAULT_SETTINGS, scheme: "uint8" };
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-models-"));
after(() => fs.rmSync(folder, { recursive: true }));

interface Model {
  readonly file: string;
  /** File of the trained weights, where they are apart (Caffe). */
  readonly weights?: string;
  readonly options?: Partial<ImportOptions>;
  /** Number of nodes by type after the passes, "Type" or "Type:ACTIVATION". */
  readonly nodes: Readonly<Record<string, number>>;
  readonly reference?: {
    readonly inputs: string;
    readonly results: Readonly<Record<string, string>>;
    readonly normalize: (pixel: number, channel: number) => number;
    readonly bgr?: boolean;
    /** Elements of the output before those of the reference (a background class). */
    readonly skip?: number;
    /**
     * The reference rounds to codes, so that the quantized model is compared: the greatest difference of a probability. These results are of
     * kernels that round elsewhere than TensorFlow Lite's reference kernels, whose codes test/data/recorded_test.ts compares exactly.
     */
    readonly codes?: number;
  };
}

const MOBILENET = {
  "Conv2D:RELUX": 14,
  "DepthwiseConv2d:RELUX": 13,
  Reduce: 1,
  Conv2D: 1,
  Reshape: 1,
  Softmax: 1,
};
const RESNET8 = {
  "Conv2D:RELU": 4,
  Conv2D: 5,
  "Eltwise:RELU": 3,
  Reduce: 1,
  Reshape: 1,
  FullyConnected: 1,
  Softmax: 1,
};
const VWW = {
  "Conv2D:RELU": 14,
  "DepthwiseConv2d:RELU": 13,
  Reduce: 1,
  Reshape: 1,
  FullyConnected: 1,
  Softmax: 1,
};
const RFB = { "Conv2D:RELU": 18, "DepthwiseConv2d:RELU": 18, Conv2D: 16, "Eltwise:RELU": 1, Reshape: 8, Softmax: 1 };
const SQUEEZENET = { "Conv2D:RELU": 26, Pooling: 3, Concat: 8, Reduce: 1, Softmax: 1 };

const slim = (pixel: number): number => (pixel - 127.5) / 127.5;
const centred = (pixel: number): number => (pixel - 128) / 128;

const RFB_CAFFE: Model = {
  file: "models/caffe/RFB-320.prototxt",
  weights: "models/caffe/RFB-320.caffemodel",
  nodes: { ...RFB, Concat: 3 },
};

const MODELS: readonly Model[] = [
  {
    file: "models/tf/mobilenet_v1_0.25_224_frozen.pb",
    nodes: MOBILENET,
    reference: {
      inputs: "inputs_rgb_u8_224.npy",
      results: { "MobilenetV1/Predictions/Reshape_1": "tf_frozen_mnv1_0.25_224.npy" },
      normalize: slim,
      skip: 1,
    },
  },
  {
    file: "models/tf/mobilenet_v1_0.25_128_frozen.pb",
    nodes: MOBILENET,
    reference: {
      inputs: "inputs_rgb_u8_128.npy",
      results: { "MobilenetV1/Predictions/Reshape_1": "tf_frozen_mnv1_0.25_128.npy" },
      normalize: slim,
      skip: 1,
    },
  },
  {
    file: "models/tf/mobilenet_v1_0.5_160_float.pb",
    nodes: MOBILENET,
    reference: {
      inputs: "inputs_rgb_u8_160.npy",
      results: { output: "pb_mnv1_0.5_160_float.npy" },
      normalize: centred,
      skip: 1,
    },
  },
  {
    file: "models/tf/mobilenet_v1_0.25_224_qat.pb",
    nodes: MOBILENET,
    reference: {
      inputs: "inputs_rgb_u8_224.npy",
      results: { output: "pb_mnv1_0.25_224_qat.npy" },
      normalize: centred,
      skip: 1,
      codes: 0.1,
    },
  },
  { file: "models/tf/mnist_fc_layers_frozen.pb", nodes: { "FullyConnected:RELU": 2, FullyConnected: 1 } },
  {
    file: "models/tf/kws_ds_cnn_s.pb",
    options: { inputs: [{ name: "Reshape:0", shape: [1, 490] }], outputs: ["labels_softmax:0"] },
    nodes: { "Conv2D:RELU": 5, "DepthwiseConv2d:RELU": 4, Reduce: 1, Reshape: 2, FullyConnected: 1, Softmax: 1 },
  },
  {
    file: "models/onnx/squeezenet1.1_fp16.onnx",
    nodes: SQUEEZENET,
    reference: {
      inputs: "inputs_rgb_u8_224.npy",
      results: { softmaxout_1: "onnx_squeezenet_fp16.npy" },
      normalize: (pixel, channel) => pixel - ([104, 117, 123][channel] ?? 0),
      bgr: true,
    },
  },
  {
    file: "models/onnx/mnist-8.onnx",
    nodes: { "Conv2D:RELU": 2, Pooling: 2, Transpose: 1, Reshape: 1, FullyConnected: 1 },
  },
  { file: "models/onnx/light_squeezenet.onnx", nodes: SQUEEZENET },
  {
    file: "models/onnx/light_resnet50.onnx",
    nodes: {
      "Conv2D:RELU": 33,
      Conv2D: 20,
      "Eltwise:RELU": 16,
      Pooling: 1,
      Reduce: 1,
      Reshape: 1,
      FullyConnected: 1,
      Softmax: 1,
    },
  },
  {
    file: "models/onnx/version-RFB-320.onnx",
    nodes: { ...RFB, Concat: 5, StridedSlice: 6, Eltwise: 9, Activation: 1 },
    reference: {
      inputs: "faces_rgb_u8_320x240.npy",
      results: { scores: "version-RFB-320.scores.npy", boxes: "version-RFB-320.boxes.npy" },
      normalize: (pixel) => (pixel - 127) / 128,
    },
  },
  { file: "models/onnx/version-RFB-320_simplified.onnx", nodes: { ...RFB, Concat: 3 } },
  {
    file: "models/caffe/squeezenet_v1.0_deploy.prototxt",
    weights: "models/caffe/squeezenet_v1.0_dc.caffemodel",
    nodes: { "Conv2D:RELU": 26, Pooling: 3, Concat: 8, Reduce: 1 },
    reference: {
      inputs: "inputs_rgb_u8_227.npy",
      results: { pool_final: "caffe_squeezenet1.0_dc.npy" },
      normalize: (pixel, channel) => pixel - ([104, 117, 123][channel] ?? 0),
      bgr: true,
    },
  },
  {
    file: "models/caffe/lenet.prototxt",
    weights: "models/caffe/lenet_iter_10000.caffemodel",
    options: { inputs: [{ name: "data", shape: [1, 1, 28, 28] }], outputs: ["prob"] },
    nodes: { Conv2D: 2, Pooling: 2, Reshape: 1, "FullyConnected:RELU": 1, FullyConnected: 1, Softmax: 1 },
  },
  {
    file: "models/caffe/cifar10_quick.prototxt",
    weights: "models/caffe/cifar10_quick_iter_5000.caffemodel",
    nodes: { Conv2D: 1, Pooling: 3, Activation: 1, "Conv2D:RELU": 2, Reshape: 1, FullyConnected: 2, Softmax: 1 },
  },
  RFB_CAFFE,
  {
    file: "models/tflite/mobilenet_v1_0.25_224_float.tflite",
    nodes: MOBILENET,
    reference: {
      inputs: "inputs_rgb_u8_224.npy",
      results: { "MobilenetV1/Predictions/Reshape_1": "tflite_mnv1_0.25_224_float.npy" },
      normalize: slim,
      skip: 1,
    },
  },
  {
    file: "models/tflite/mobilenet_v1_0.25_224_quant.tflite",
    nodes: MOBILENET,
    reference: {
      inputs: "inputs_rgb_u8_224.npy",
      results: { "MobilenetV1/Predictions/Reshape_1": "tflite_mnv1_0.25_224_quant.npy" },
      normalize: centred,
      skip: 1,
      codes: 0.1,
    },
  },
  {
    file: "models/tflite/mobilenet_v1_0.5_160_quant.tflite",
    nodes: MOBILENET,
    reference: {
      inputs: "inputs_rgb_u8_160.npy",
      results: { "MobilenetV1/Predictions/Reshape_1": "tflite_mnv1_0.5_160_quant.npy" },
      normalize: centred,
      skip: 1,
      codes: 0.1,
    },
  },
  { file: "models/tflite/resnet8_cifar10_float.tflite", nodes: RESNET8 },
  { file: "models/tflite/resnet8_cifar10_int8.tflite", nodes: RESNET8 },
  { file: "models/tflite/vww_96_float.tflite", nodes: VWW },
  { file: "models/tflite/vww_96_int8.tflite", nodes: VWW },
  { file: "models/tflite/ad01_float.tflite", nodes: { "FullyConnected:RELU": 9, FullyConnected: 1 } },
  { file: "models/tflite/ad01_int8.tflite", nodes: { "FullyConnected:RELU": 9, FullyConnected: 1 } },
];

const PLATFORMS: Readonly<Record<string, string>> = {
  onnx: "onnx",
  pb: "tensorflow",
  prototxt: "caffe",
  tflite: "tflite",
};

function importModel(model: Model, file: string): Graph {
  const importer = IMPORTERS[PLATFORMS[model.file.split(".").pop() ?? ""] ?? ""];
  assert.ok(importer);
  const weights = model.weights === undefined ? undefined : testData(model.weights);
  return importer(readBytes(file), {
    file: model.file,
    name: "model",
    ...(weights !== undefined && { weights: readBytes(weights) }),
    ...(model.weights !== undefined && { weightsFile: model.weights }),
    ...model.options,
  });
}

function countNodes(graph: Graph): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const node of graph.nodes) {
    const activation = node.type === "Activation" ? undefined : node.attributes.activation;
    const key = activation === undefined ? node.type : `${node.type}:${activation}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

/** Reading back the text gives the same text. */
function checkText(graph: Graph): void {
  const text = printGraph(graph);
  const constants = new Map<string, ConstantData>();
  for (const tensor of graph.tensors.values()) if (tensor.data) constants.set(tensor.name, tensor.data);
  const back = parseGraph(text, { constant: (_, tensor) => constants.get(tensor.name) });
  assert.equal(printGraph(back), text);
}

/** The values that one image of a reference is fed as. */
function feedOf(pixels: ArrayLike<number>, { normalize, bgr }: NonNullable<Model["reference"]>): Float32Array {
  return Float32Array.from({ length: pixels.length }, (_, i) => {
    const channel = i % 3;
    return normalize(pixels[bgr ? i - channel + (2 - channel) : i] ?? 0, channel);
  });
}

/**
 * All images of the reference through the runtime, the first through the interpreter too. A difference counts in parts of the greatest value
 * that the reference has in that tensor.
 */
function compareWithReference(source: Graph, { reference }: Model, t: TestContext): void {
  if (!reference) return;
  const { codes } = reference;
  const graph =
    codes === undefined ? source : quantizeModel(source, SETTINGS, { ranges: new Map(), rangesName: "" }).graph;
  const inputs = testData(`reference/${reference.inputs}`);
  if (!inputs) {
    t.diagnostic("no reference results in the test data");
    return;
  }
  const { shape, data: pixels } = readNpy(inputs);
  const count = shape[0] ?? 1;
  const input = graph.inputs[0]?.tensor ?? "";
  writeModel(graph, path.join(folder, "model"));
  const worst = new Map<string, number>();
  for (let image = 0; image < count; image++) {
    const one = pixels.subarray((image * pixels.length) / count, ((image + 1) * pixels.length) / count);
    const feeds = new Map([[input, feedOf(one, reference)]]);
    const { outputs } = runFiles(path.join(folder, "model"), graph, feeds);
    const native = new Map(graph.outputs.map((port, i) => [port.tensor, outputs[i] ?? new Float32Array()]));
    for (const results of image === 0 && codes === undefined ? [native, interpret(graph, feeds)] : [native]) {
      for (const [tensor, file] of Object.entries(reference.results)) {
        const all = readNpy(testData(`reference/${file}`) ?? "");
        const [from, to] = [image, image + 1].map((at) => (at * all.data.length) / (all.shape[0] ?? 1));
        const wanted = all.data.subarray(from, to);
        const actual = results.get(tensor)?.subarray(reference.skip ?? 0) ?? new Float32Array(0);
        const greatest = Array.from(wanted).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        const difference = greatestDifference(actual, wanted) / (codes === undefined ? greatest : 1);
        worst.set(tensor, Math.max(worst.get(tensor) ?? 0, difference));
        assert.ok(difference <= (codes ?? 1e-4), `${tensor} of image ${image} differs by ${difference}`);
        // Of classes that are as good as equal in codes, either may come first.
        const top = wanted[actual.indexOf(Math.max(...actual))] ?? 0;
        assert.ok(top >= greatest - (codes ?? 0), `image ${image}: the best class has ${top}, not ${greatest}`);
      }
    }
  }
  for (const [tensor, difference] of worst) {
    const unit = codes === undefined ? " of its greatest value" : "";
    t.diagnostic(`${tensor} of ${count} images differs by ${difference.toExponential(1)}${unit}`);
  }
}

for (const model of MODELS) {
  test(model.file, (t) => {
    const file = testData(model.file);
    if (!file || (model.weights !== undefined && !testData(model.weights))) {
      t.skip("not in the test data");
      return;
    }
    const graph = importModel(model, file);
    optimize(graph);
    assert.deepEqual(sorted(countNodes(graph)), sorted(model.nodes));
    checkText(graph);
    compareWithReference(graph, model, t);
  });
}

function sorted(counts: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** What the models of onnx's "light" tests compute of an input that counts from 0 to 1 in the order of its NCHW buffer. */
for (const name of ["light_squeezenet", "light_resnet50"]) {
  test(`${name} gives its published output`, (t) => {
    const [file, output] = [testData(`models/onnx/${name}.onnx`), testData(`models/onnx/${name}_output_0.pb`)];
    if (!file || !output) {
      t.skip("not in the test data");
      return;
    }
    const graph = importModel({ file, nodes: {} }, file);
    optimize(graph);
    const [input, end] = [graph.inputs[0]?.tensor ?? "", graph.outputs[0]?.tensor ?? ""];
    const size = elementCount(graph.tensors.get(input)?.shape ?? []);
    const feed = Float32Array.from({ length: size }, (_, i) => i / size);
    const actual = runModel(graph, new Map([[input, feed]])).get(end) ?? new Float32Array(0);
    const expected = new Float32Array(new Uint8Array(TensorProto.decode(readBytes(output)).rawData ?? []).buffer);
    assert.equal(actual.length, expected.length);
    const greatest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const difference = greatestDifference(actual, expected) / greatest;
    t.diagnostic(`${end} differs by ${difference.toExponential(1)} of its greatest value`);
    assert.ok(difference <= 1e-4, `${end} differs by ${difference}`);
  });
}

test("ranges of quantization-aware training", (t) => {
  const file = "models/tf/mobilenet_v1_0.25_224_qat.pb";
  const found = testData(file);
  if (!found) {
    t.skip("not in the test data");
    return;
  }
  const graph = importModel({ file, nodes: {} }, found);
  optimize(graph);
  const outputs = graph.nodes.flatMap((node) =>
    node.type === "Conv2D" || node.type === "DepthwiseConv2d" ? node.outputs : [],
  );
  assert.equal(outputs.length, 28);
  for (const name of outputs) assert.equal(graph.tensors.get(name)?.range?.source, "trained", name);
  const filters = graph.nodes
    .map((node) => graph.tensors.get(node.inputs[1] ?? ""))
    .filter((t) => t?.shape.length === 4);
  assert.equal(filters.length, 28);
  for (const filter of filters) assert.equal(filter?.range?.source, "trained", filter?.name);
});

test("weights that are quantized already are refused", (t) => {
  const file = "models/tf/mobilenet_v1_0.25_224_quantize_weights.pb";
  const found = testData(file);
  if (!found) {
    t.skip("not in the test data");
    return;
  }
  assert.throws(
    () => importModel({ file, nodes: {} }, found),
    (error) => error instanceof UserError && error.diagnostics[0]?.code === "MQ211",
  );
});

test("a network from Caffe and from ONNX gives the same results", (t) => {
  const twin: Model = { file: "models/onnx/version-RFB-320_without_postprocessing.onnx", nodes: {} };
  const paths = [testData(RFB_CAFFE.file), testData(RFB_CAFFE.weights ?? ""), testData(twin.file)];
  const pixels = testData("reference/faces_rgb_u8_320x240.npy");
  const [caffe, , onnx] = paths;
  if (!caffe || !paths[1] || !onnx || !pixels) {
    t.skip("not in the test data");
    return;
  }
  const feed = Float32Array.from(readNpy(pixels).data.subarray(0, 240 * 320 * 3), (pixel) => (pixel - 127) / 128);
  const [a, b] = [importModel(RFB_CAFFE, caffe), importModel(twin, onnx)].map((graph) => {
    optimize(graph);
    return interpret(graph, new Map([["input", feed]]));
  });
  for (const name of ["scores", "boxes"]) {
    const [x, y] = [a?.get(name) ?? [], b?.get(name) ?? []];
    const difference = greatestDifference(x, y);
    t.diagnostic(`${name} differs by ${difference.toExponential(1)}`);
    assert.ok(x.length > 0 && difference <= 1e-5, `${name} differs by ${difference}`);
  }
});

test("a network of quantization-aware training has the codes and scales of its quantized file, tensor by tensor", (t) => {
  const file = testData("models/tf/mobilenet_v1_0.25_224_qat.pb");
  const twin = testData("models/tflite/mobilenet_v1_0.25_224_quant.tflite");
  if (!file || !twin) {
    t.skip("no trained network with its quantized form in the test data");
    return;
  }
  const [trained, quantized] = [
    IMPORTERS.tensorflow?.(readBytes(file), { file, name: "qat" }),
    IMPORTERS.tflite?.(readBytes(twin), { file: twin, name: "quant" }),
  ];
  assert.ok(trained && quantized);
  const products = (graph: Graph): Graph["nodes"] => {
    optimize(graph);
    return graph.nodes.filter((node) => node.type === "Conv2D" || node.type === "DepthwiseConv2d");
  };
  const pairs = products(trained).map((node, i) => [node, products(quantized)[i]] as const);
  assert.equal(pairs.length, 28);
  assert.equal(products(quantized).length, 28);
  const codesOf = (graph: Graph, name: string): Uint8Array => {
    const { data, trained: grid } = graph.tensors.get(name) ?? {};
    assert.ok(data && grid, `'${name}' has no trained weights`);
    const [scale = 1] = grid.scales;
    return Uint8Array.from(data, (value) => Math.round(value / scale) + grid.zeroPoint);
  };
  for (const [a, b] of pairs) {
    assert.ok(b && a.type === b.type, a.name);
    const [filterA = "", filterB = ""] = [a.inputs[1], b.inputs[1]];
    assert.deepEqual(codesOf(trained, filterA), codesOf(quantized, filterB), a.name);
    const grids = (x: string, y: string): readonly (TrainedQuantization | undefined)[] => [
      trained.tensors.get(x)?.trained,
      quantized.tensors.get(y)?.trained,
    ];
    const [own, other] = grids(a.outputs[0] ?? "", b.outputs[0] ?? "");
    assert.deepEqual([own?.scales, own?.zeroPoint], [other?.scales, other?.zeroPoint], a.name);
    // The converter divided the range of the weights in binary64: the same codes in steps that differ in the last place.
    const [weights, twins] = grids(filterA, filterB);
    assert.equal(weights?.zeroPoint, twins?.zeroPoint, a.name);
    const [scale = 0, wanted = 1] = [weights?.scales[0], twins?.scales[0]];
    assert.ok(Math.abs(scale / wanted - 1) <= 2 ** -23, `${a.name}: ${scale}, ${wanted}`);
  }
});
