/**
 * Damaged models: what sound files become when bits, lengths, sizes and structure are changed at random (testing/mutate.ts). Each is
 * imported and optimized as a configuration's model would be, and ends in a diagnostic or in a graph, in bounded time and
 * memory. Every batch runs in a process of its own, whose heap is limited; it would not survive what this looks for.
 */

import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { test } from "node:test";
import { UserError } from "../diagnostics/diagnostic";
import { optimize } from "../passes/pipeline";
import { ModelProto, TensorProto } from "../schema/onnx";
import { DataType } from "../schema/tensorflow";
import { GraphDefBuilder, intsAttribute, stringAttribute, typeAttribute } from "../synth/graph-def-builder";
import { Random } from "../synth/random";
import { importCaffe } from "./caffe/import";
import { importOnnx } from "./onnx/import";
import type { ExternalFile } from "./options";
import { importTensorflow } from "./tensorflow/import";
import { subtractMean } from "./caffe/mean-file";
import { blobBytes, caffemodel, inputs, layer, text } from "./testing/caffe-builder";
import { concatenated, type Mutator, ofMessages, ofText } from "./testing/mutate";
import { branch, int64s, model, node, tensor } from "./testing/onnx-builder";
import { readBytes, testData } from "./testing/test-data";

/** Mutants of every model made here, and of every model of the test data. */
const OF_SMALL = 300;
const OF_REAL = 40;
/** Processor time that no mutant may exceed. */
const MILLISECONDS = 5000;
/** No batch may ever hold more. */
const RESIDENT_BYTES = 2 ** 30;
const HEAP_MEGABYTES = 768;

interface Subject {
  readonly sound: () => Uint8Array;
  readonly mutate: Mutator;
  readonly import: (bytes: Uint8Array) => void;
}

const OPTIONS = { file: "mutant", name: "mutant" };
const ones = (length: number): Float32Array => new Float32Array(length).fill(0.5);

function graphDef(): Uint8Array {
  const b = new GraphDefBuilder();
  const window = { strides: intsAttribute([1, 1, 1, 1]), padding: stringAttribute("SAME") };
  b.placeholder("x", [1, 7, 7, 2]);
  b.constant("w", [3, 3, 2, 4], ones(72));
  b.constant("bias", [4], ones(4));
  b.constant("w2", [3, 3, 4, 1], ones(36));
  b.constant("paddings", [4, 2], Int32Array.of(0, 0, 1, 0, 0, 1, 0, 0));
  b.constant("sizes", [2], Int32Array.of(9, 9));
  b.constant("block", [2], Int32Array.of(2, 2));
  b.constant("crops", [2, 2], new Int32Array(4));
  b.constant("axis", [], Int32Array.of(3));
  b.constant("axes", [2], Int32Array.of(1, 2));
  b.constant("shape", [2], Int32Array.of(1, -1));
  b.constant("matrix", [8, 3], ones(24));
  b.constant("begin", [2], Int32Array.of(0, 1));
  b.constant("end", [2], Int32Array.of(1, 3));
  b.constant("strides", [2], Int32Array.of(1, 1));
  b.node("Conv2D", "conv", ["x", "w"], window);
  b.node("BiasAdd", "biased", ["conv", "bias"]);
  b.node("Relu6", "relu", ["biased"]);
  b.node("FakeQuantWithMinMaxArgs", "fake", ["relu"], { min: { f: 0 }, max: { f: 6 }, num_bits: { i: 8 } });
  b.node("Pad", "padded", ["fake", "paddings"]);
  b.node("DepthwiseConv2dNative", "depthwise", ["padded", "w2"], window);
  b.node("MaxPool", "pool", ["depthwise"], { ...window, ksize: intsAttribute([1, 2, 2, 1]) });
  b.node("SpaceToBatchND", "blocks", ["pool", "block", "crops"]);
  b.node("BatchToSpaceND", "unblocked", ["blocks", "block", "crops"]);
  b.node("ResizeBilinear", "resized", ["unblocked", "sizes"]);
  b.node("ConcatV2", "both", ["resized", "resized", "axis"], { N: { i: 2 }, T: typeAttribute(DataType.DT_FLOAT) });
  b.node("Mean", "mean", ["both", "axes"], { keep_dims: { b: false } });
  b.node("Reshape", "flat", ["mean", "shape"]);
  b.node("MatMul", "product", ["flat", "matrix"], { transpose_a: { b: false } });
  b.node("Softmax", "softmax", ["product"]);
  b.node("StridedSlice", "y", ["softmax", "begin", "end", "strides"], { begin_mask: { i: 1 }, end_mask: { i: 0 } });
  return b.encode();
}

function onnxModel(): Uint8Array {
  return model({
    inputs: { x: [1, 2, 6, 6] },
    outputs: ["y", "best"],
    initializers: [
      tensor("w", [4, 1, 3, 3], ones(36)),
      tensor("up", [4, 2, 2, 2], ones(32)),
      tensor("scale", [2], ones(2)),
      tensor("sizes", [4], [1, 1, 1.5, 2]),
      tensor("matrix", [2, 3], ones(6)),
      int64s("shape", [1, -1, 2]),
      int64s("starts", [0]),
      int64s("ends", [3]),
      int64s("axes", [1]),
      int64s("pads", [0, 0, 1, 0, 0, 0, 0, 1]),
      int64s("repeats", [1, 1, 2]),
    ],
    nodes: [
      node("Conv", ["x", "w"], ["c"], { group: 2, pads: [1, 0, 0, 1], kernel_shape: [3, 3], strides: [1, 2] }),
      node("LeakyRelu", ["c"], ["l"], { alpha: 0.125 }),
      node("ConvTranspose", ["l", "up"], ["t"], { strides: [2, 2], output_padding: [1, 1] }),
      node("BatchNormalization", ["t", "scale", "scale", "scale", "scale"], ["b"], { epsilon: 0.001 }),
      node("Pad", ["b", "pads"], ["p"]),
      node("AveragePool", ["p"], ["a"], { kernel_shape: [2, 2], ceil_mode: 1, count_include_pad: 1 }),
      node("Resize", ["a", "", "sizes"], ["r"], { mode: "linear", coordinate_transformation_mode: "half_pixel" }),
      node("LRN", ["r"], ["n"], { size: 3, alpha: 0.5 }),
      node("InstanceNormalization", ["n", "scale", "scale"], ["i"], { epsilon: 0.01 }),
      node("Reshape", ["i", "shape"], ["s"]),
      node("Slice", ["s", "starts", "ends", "axes"], ["cut"]),
      node("Split", ["cut"], ["one", "two"], { axis: 2, num_outputs: 2 }),
      node("Concat", ["two", "one"], ["joined"], { axis: -1 }),
      node("Tile", ["joined", "repeats"], ["tiled"]),
      node("Transpose", ["joined"], ["turned"], { perm: [0, 2, 1] }),
      node("MatMul", ["joined", "matrix"], ["m"]),
      node("Softmax", ["m"], ["y"], { axis: 2 }),
      node("ArgMax", ["tiled"], ["best"], { axis: 2, keepdims: 0 }),
    ],
    opset: 18,
  });
}

const PROTOTXT = [
  inputs({ x: [1, 2, 8, 8] }),
  layer("Convolution", "c", "x", "c", "convolution_param { num_output: 4 kernel_size: 3 pad: 1 group: 2 }"),
  layer("BatchNorm", "n", "c", "c", "batch_norm_param { eps: 0.001 }"),
  layer("Scale", "s", "c", "c", "scale_param { bias_term: true }"),
  layer("ReLU", "r", "c", "c", "relu_param { negative_slope: 0.1 }"),
  layer("Pooling", "p", "c", "p", "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }"),
  layer("Deconvolution", "d", "p", "d", "convolution_param { num_output: 2 kernel_size: 2 stride: 2 }"),
  layer("Slice", "t", "d", "t1 t2", "slice_param { axis: 1 slice_point: 1 }"),
  layer("Eltwise", "e", "t1 t2", "e", "eltwise_param { operation: SUM coeff: 1 coeff: -1 }"),
  layer("Concat", "j", "e t1", "j", "concat_param { axis: 1 }"),
  layer("LRN", "l", "j", "l", "lrn_param { local_size: 3 alpha: 0.1 }"),
  layer("Permute", "o", "l", "o", "permute_param { order: 0 order: 2 order: 3 order: 1 }"),
  layer("Reshape", "f", "o", "f", "reshape_param { shape { dim: 0 dim: -1 } }"),
  layer("InnerProduct", "i", "f", "i", "inner_product_param { num_output: 3 }"),
  layer("Softmax", "y", "i", "y"),
].join("\n");

const DETECTIONS = [
  inputs({ a: [1, 14, 2, 2], b: [1, 14, 4, 4] }),
  layer(
    "Yolov3DetectionOutput",
    "l",
    "a b",
    "y",
    "yolov3_detection_output_param { num_classes: 2 num_box: 2 confidence_threshold: 0.1 nms_threshold: 0.4 biases: 10 biases: 14 biases: 23 biases: 27 mask: 1 mask: 0 mask: 0 mask: 1 anchors_scale: 32 anchors_scale: 16 mask_group_num: 2 }",
  ),
  layer(
    "YoloDetectionOutput",
    "m",
    "b",
    "z",
    "yolo_detection_output_param { num_classes: 2 num_box: 2 coords: 4 biases: 1.08 biases: 1.19 biases: 3.42 biases: 4.41 }",
  ),
].join("\n");

const weights = (): Uint8Array =>
  caffemodel({
    c: [
      { shape: [4, 1, 3, 3], values: ones(36) },
      { shape: [4], values: ones(4) },
    ],
    n: [4, 4, 1].map((size) => ({ shape: [size], values: ones(size) })),
    s: [4, 4].map((size) => ({ shape: [size], values: ones(size) })),
    d: [
      { shape: [4, 2, 2, 2], values: ones(32) },
      { shape: [2], values: ones(2) },
    ],
    i: [
      { shape: [3, 200], values: ones(600) },
      { shape: [3], values: ones(3) },
    ],
  });

const tensorflow = (sound: () => Uint8Array): Subject => ({
  sound,
  mutate: ofMessages,
  import: (bytes) => optimize(importTensorflow(bytes, OPTIONS)),
});
const onnx = (sound: () => Uint8Array): Subject => ({
  sound,
  mutate: ofMessages,
  import: (bytes) => optimize(importOnnx(bytes, OPTIONS)),
});
const network = (sound: () => Uint8Array, blobs: () => Uint8Array): Subject => ({
  sound,
  mutate: ofText,
  import: (bytes) => optimize(importCaffe(bytes, { ...OPTIONS, weights: blobs() })),
});
const blobs = (net: () => Uint8Array, sound: () => Uint8Array): Subject => ({
  sound,
  mutate: ofMessages,
  import: (bytes) => optimize(importCaffe(net(), { ...OPTIONS, weights: bytes })),
});

/** The input of the network above less a mean image. */
const meanFile: Subject = {
  sound: () => blobBytes({ shape: [1, 2, 8, 8], values: ones(128) }),
  mutate: ofMessages,
  import: (bytes) => {
    const graph = importCaffe(text(PROTOTXT), { ...OPTIONS, weights: weights() });
    subtractMean(graph, bytes, "mean");
    optimize(graph);
  },
};

/** Every constant is in another file, which is as large as it should be. */
const outside: Subject = {
  sound: () => {
    const file = ModelProto.decode(onnxModel());
    let offset = 0;
    file.graph?.initializer.splice(
      0,
      Number.POSITIVE_INFINITY,
      ...(file.graph.initializer ?? []).map((message) => {
        const { rawData, ...rest } = TensorProto.decode(message);
        const length = rawData?.length ?? 0;
        const entries = { location: "weights.bin", offset: String(offset), length: String(length) };
        offset += length;
        const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
        return TensorProto.encode(TensorProto.fromPartial({ ...rest, dataLocation: 1, externalData })).finish();
      }),
    );
    return ModelProto.encode(file).finish();
  },
  mutate: ofMessages,
  import: (bytes) => {
    const parts = ModelProto.decode(onnxModel()).graph?.initializer.map(
      (message) => TensorProto.decode(message).rawData ?? new Uint8Array(),
    );
    const content = concatenated(parts ?? []);
    const externalData = (): ExternalFile => ({
      size: content.length,
      read: (offset, length) => {
        assert.ok(offset >= 0 && offset + length <= content.length, "a part outside of the file");
        return content.slice(offset, offset + length);
      },
    });
    optimize(importOnnx(bytes, { ...OPTIONS, externalData }));
  },
};

/** Conditions within conditions, which read what is around them. */
function conditions(): Uint8Array {
  const truth = TensorProto.fromPartial({ name: "flag", dims: [], dataType: 9, rawData: Uint8Array.of(1) });
  const inner = node("If", ["flag"], ["r"], {
    then_branch: branch([node("Add", ["a", "c"], ["t"])], ["t"], [tensor("c", [], [10])]),
    else_branch: branch([node("Neg", ["x"], ["t"])], ["t"]),
  });
  return model({
    inputs: { x: [2] },
    outputs: ["y"],
    initializers: [truth],
    nodes: [
      node("Relu", ["x"], ["t"]),
      node("If", ["flag"], ["chosen"], {
        then_branch: branch([node("Mul", ["t", "x"], ["a"]), inner], ["r"]),
        else_branch: branch([node("Abs", ["t"], ["r"])], ["r"]),
      }),
      node("Add", ["chosen", "t"], ["y"]),
    ],
  });
}

const SMALL: Readonly<Record<string, Subject>> = {
  "TensorFlow graph": tensorflow(graphDef),
  "ONNX model": onnx(onnxModel),
  "ONNX model with its constants outside": outside,
  "ONNX conditions": onnx(conditions),
  "Caffe network": network(() => text(PROTOTXT), weights),
  "Caffe weights": blobs(() => text(PROTOTXT), weights),
  "Caffe detections": network(() => text(DETECTIONS), weights),
  "Caffe mean file": meanFile,
};

/** A file of the test data; it is there, or the subject is not run. */
const data = (name: string) => (): Uint8Array => readBytes(testData(`models/${name}`) ?? "");

const CIFAR = [data("caffe/cifar10_quick.prototxt"), data("caffe/cifar10_quick_iter_5000.caffemodel")] as const;
const REAL: Readonly<Record<string, Subject>> = {
  "tf/mnist_fc_layers_frozen.pb": tensorflow(data("tf/mnist_fc_layers_frozen.pb")),
  "tf/mobilenet_v1_0.25_224_qat.pb": tensorflow(data("tf/mobilenet_v1_0.25_224_qat.pb")),
  "onnx/mnist-8.onnx": onnx(data("onnx/mnist-8.onnx")),
  "onnx/light_squeezenet.onnx": onnx(data("onnx/light_squeezenet.onnx")),
  "onnx/light_resnet50.onnx": onnx(data("onnx/light_resnet50.onnx")),
  "caffe/cifar10_quick.prototxt": network(...CIFAR),
  "caffe/cifar10_quick_iter_5000.caffemodel": blobs(...CIFAR),
};

interface Tally {
  readonly imported: number;
  readonly refused: number;
  readonly milliseconds: number;
  readonly residentBytes: number;
}

/** Imports the mutants of one subject; the name of each goes ahead of it, so that a crash has a culprit. */
function runBatch(name: string, count: number): void {
  const subject = SMALL[name] ?? REAL[name];
  assert.ok(subject);
  // A plain array: slices of a Buffer are no copies.
  const sound = new Uint8Array(subject.sound());
  subject.import(sound);
  let [imported, refused, milliseconds] = [0, 0, 0];
  const random = new Random(name);
  for (let i = 0; i < count; i++) {
    fs.writeSync(1, `mutant ${i}\n`);
    const mutant = subject.mutate(sound, random);
    const start = process.cpuUsage();
    try {
      subject.import(mutant);
      imported++;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      refused++;
    }
    const { user, system } = process.cpuUsage(start);
    milliseconds = Math.max(milliseconds, (user + system) / 1000);
  }
  const tally: Tally = { imported, refused, milliseconds, residentBytes: process.resourceUsage().maxRSS * 1024 };
  fs.writeSync(1, `${JSON.stringify(tally)}\n`);
}

function batch(name: string, count: number): Tally {
  const limit = `--max-old-space-size=${HEAP_MEGABYTES}`;
  const result = spawnSync(process.execPath, [...process.execArgv, limit, __filename, "--batch", name, String(count)], {
    encoding: "utf8",
    timeout: 100 * 1000,
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
  });
  const lines = result.stdout.trim().split("\n");
  const last = lines[lines.length - 1] ?? "";
  assert.equal(result.status, 0, `${name}, ${last}: ${result.signal ?? ""}\n${result.stderr}`);
  return JSON.parse(last) as Tally;
}

function check(name: string, count: number): Tally {
  const tally = batch(name, count);
  assert.equal(tally.imported + tally.refused, count);
  assert.ok(tally.milliseconds < MILLISECONDS, `${tally.milliseconds} ms`);
  assert.ok(tally.residentBytes < RESIDENT_BYTES, `${tally.residentBytes} bytes`);
  return tally;
}

if (process.argv[2] === "--batch") {
  runBatch(process.argv[3] ?? "", Number(process.argv[4]));
} else {
  for (const name of Object.keys(SMALL)) {
    test(name, (t) => {
      const tally = check(name, OF_SMALL);
      t.diagnostic(JSON.stringify(tally));
      // Mutants that all fail in the decoder would prove little.
      assert.ok(tally.imported >= OF_SMALL / 20 && tally.refused >= OF_SMALL / 5, JSON.stringify(tally));
    });
  }
  for (const name of Object.keys(REAL)) {
    test(name, (t) => {
      if (!testData(`models/${name}`)) t.skip("not in the test data");
      else t.diagnostic(JSON.stringify(check(name, OF_REAL)));
    });
  }
}
