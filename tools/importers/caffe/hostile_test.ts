/**
 * Networks and weights that no version of Caffe wrote. Whatever is in the files, the answer is a diagnostic or a graph, soon
 * and in little memory: never a crash, a hang or an internal error.
 */

import * as assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../../diagnostics/diagnostic";
import { optimize } from "../../passes/pipeline";
import { IMPORTERS } from "../importer";
import { blobBytes, caffemodel, inputs, layer, text } from "../testing/caffe-builder";
import { importCaffe } from "./import";

/** Processor time that no case may exceed. */
const MILLISECONDS = 5000;
/** No case may leave more behind. */
const HEAP_BYTES = 900 * 2 ** 20;

interface Case {
  readonly name: string;
  readonly net: () => Uint8Array | string;
  readonly weights?: () => Uint8Array;
  /** Codes of which the first diagnostic has one; undefined for "any diagnostic, or success". */
  readonly codes?: readonly string[];
}

function randomBytes(length: number, seed: number, map: (byte: number) => number = (byte) => byte): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return map(state >>> 24);
  });
}

const x = inputs({ x: [1, 2, 4, 4] });
const CONV = "convolution_param { num_output: 2 kernel_size: 1 bias_term: false }";
const conv = `${x}\n${layer("Convolution", "c", "x", "y", CONV)}`;
const fitting = (): Uint8Array => caffemodel({ c: [{ shape: [2, 2, 1, 1], values: [1, 2, 3, 4] }] });
const one =
  (type: string, parameters = "", tops = "y") =>
  (): string =>
    `${x}\n${layer(type, "l", "x", tops, parameters)}`;

/** A weights file whose only blob says what it likes. */
const rawBlob = (bytes: readonly number[]) => (): Uint8Array => {
  const model = fitting();
  const blob = blobBytes({ shape: [2, 2, 1, 1], values: [1, 2, 3, 4] });
  const head = [...model.slice(0, model.length - blob.length - 2)];
  // Lengths of the layer and of the blob are in one byte each.
  head[2] = (model[2] ?? 0) - blob.length + bytes.length;
  return Uint8Array.from([...head, 0x3a, bytes.length, ...bytes]);
};

const CASES: readonly Case[] = [
  { name: "an empty file", net: () => "", codes: ["MQ216"] },
  { name: "zeros", net: () => new Uint8Array(1000), codes: ["MQ219"] },
  { name: "ones", net: () => new Uint8Array(1000).fill(0xff), codes: ["MQ219"] },
  { name: "random bytes", net: () => randomBytes(2 ** 16, 1), codes: ["MQ219"] },
  { name: "random letters", net: () => randomBytes(2 ** 16, 2, (byte) => 32 + (byte % 95)), codes: ["MQ219"] },
  {
    name: "random punctuation",
    net: () => randomBytes(2 ** 16, 3, (byte) => "{}<>[]:;,\"'#a1 \n".charCodeAt(byte % 17)),
  },
  { name: "the weights in place of the network", net: fitting, codes: ["MQ219"] },
  { name: "deep nesting", net: () => "layer {".repeat(2 ** 18), codes: ["MQ219"] },
  { name: "deep nesting that is closed", net: () => `${"a {".repeat(1000)}${"}".repeat(1000)}`, codes: ["MQ219"] },
  { name: "too large a file", net: () => " ".repeat(2 ** 23), codes: ["MQ219"] },
  { name: "a long number", net: () => `input_dim: ${"1".repeat(2 ** 21)}`, codes: ["MQ219"] },
  { name: "many comments", net: () => "#\n".repeat(2 ** 20), codes: ["MQ216"] },
  { name: "many inputs", net: () => 'input: "x" '.repeat(2 ** 17), codes: ["MQ201"] },
  { name: "many distinct inputs", net: () => Array.from({ length: 2 ** 17 }, (_, i) => `input: "${i}"`).join("\n") },
  { name: "one layer with many tops", net: () => layer("Slice", "l", "x", "y ".repeat(2 ** 16)), codes: ["MQ201"] },
  {
    name: "one layer with many distinct bottoms",
    net: () => {
      const blobs = Array.from({ length: 2 ** 14 }, (_, i) => `b${i}`).join(" ");
      return `${blobs
        .split(" ")
        .map((name) => `input: "${name}" input_shape { dim: 1 dim: 1 }`)
        .join("\n")}\n${layer("Concat", "l", blobs, "y")}`;
    },
  },
  {
    name: "a long chain of layers in place",
    net: () => `${x}\n${Array.from({ length: 2 ** 12 }, (_, i) => layer("ReLU", `r${i}`, "x", "x")).join("\n")}`,
  },
  { name: "a cycle", net: () => layer("ReLU", "a", "b", "c") + layer("ReLU", "b", "c", "b"), codes: ["MQ201"] },
  { name: "a blob that nothing makes", net: () => layer("ReLU", "a", "x", "y"), codes: ["MQ201"] },
  {
    name: "a blob made twice",
    net: () => x + layer("ReLU", "a", "x", "y") + layer("ReLU", "b", "x", "y"),
    codes: ["MQ201"],
  },
  { name: "a layer without a type", net: () => `${x} layer { name: "a" bottom: "x" top: "y" }`, codes: ["MQ201"] },
  { name: "an empty input", net: () => `input: "" input_shape { dim: 1 } ${conv}`, codes: ["MQ201"] },
  { name: "an empty output", net: () => `${x} layer { type: "ReLU" bottom: "x" top: "" }`, codes: ["MQ201"] },
  { name: "an empty layer's name", net: () => `${x} layer { name: "" type: "ReLU" bottom: "x" top: "y" }` },
  { name: "a layer that is a number", net: () => "layer: 3", codes: ["MQ201"] },
  { name: "a layer without inputs", net: () => x + layer("ReLU", "a", "", "y"), codes: ["MQ205"] },
  { name: "both forms of layers", net: () => `${x} layer { type: "ReLU" } layers { type: RELU }`, codes: ["MQ201"] },
  {
    name: "names of Object's prototype",
    net: () => x + layer("__proto__", "constructor", "x", "toString"),
    codes: ["MQ202"],
  },
  {
    name: "fields of Object's prototype",
    net: () => `${x} __proto__ { a: 1 } constructor: 3 ${layer("ReLU", "r", "x", "y")}`,
  },
  {
    name: "huge dimensions",
    net: () => inputs({ x: [2147483647, 2147483647, 2147483647, 2147483647] }) + layer("ReLU", "a", "x", "y"),
    codes: ["MQ204"],
  },
  {
    name: "dimensions of 0 and below",
    net: () => inputs({ x: [1, 0, -3, 4] }) + layer("ReLU", "a", "x", "y"),
    codes: ["MQ207"],
  },
  { name: "dimensions that are no integers", net: () => 'input: "x" input_shape { dim: 1.5 }', codes: ["MQ201"] },
  {
    name: "many dimensions",
    net: () => inputs({ x: new Array<number>(2 ** 16).fill(1) }) + layer("ReLU", "a", "x", "y"),
    codes: ["MQ201"],
  },
  {
    name: "a reshape to many dimensions",
    net: one("Reshape", `reshape_param { shape { ${"dim: 1 ".repeat(2 ** 16)} dim: -1 } }`),
    codes: ["MQ205"],
  },
  {
    name: "a reshape to other sizes",
    net: one("Reshape", "reshape_param { shape { dim: 3 dim: -1 dim: -1 } }"),
    codes: ["MQ205"],
  },
  {
    name: "a huge kernel",
    net: one("Pooling", "pooling_param { kernel_size: 2147483647 }"),
    codes: ["MQ204", "MQ205"],
  },
  {
    name: "a huge padding",
    net: one("Pooling", "pooling_param { kernel_size: 2147483647 pad: 2147483646 }"),
    codes: ["MQ202", "MQ204", "MQ205"],
  },
  { name: "a step of 0", net: one("Pooling", "pooling_param { kernel_size: 2 stride: 0 }"), codes: ["MQ205"] },
  {
    name: "slices out of order",
    net: one("Slice", "slice_param { axis: 2 slice_point: 3 slice_point: 1 }", "a b c"),
    codes: ["MQ205"],
  },
  { name: "an axis far outside", net: one("Softmax", "softmax_param { axis: 2147483647 }"), codes: ["MQ205"] },
  { name: "a permutation that is none", net: one("Permute", "permute_param { order: 1 order: 1 }"), codes: ["MQ205"] },
  {
    name: "groups that do not divide",
    net: one("ShuffleChannel", "shuffle_channel_param { group: 3 }"),
    codes: ["MQ205"],
  },
  { name: "an even neighbourhood", net: one("LRN", "lrn_param { local_size: 4 }"), codes: ["MQ205"] },
  { name: "a parameter that is not finite", net: one("Power", "power_param { scale: nan }"), codes: ["MQ205"] },
  {
    name: "huge numbers of boxes and classes",
    net: one(
      "YoloDetectionOutput",
      "yolo_detection_output_param { num_classes: 2147483647 num_box: 2147483647 biases: 1 biases: 1 }",
    ),
    codes: ["MQ205"],
  },
  {
    name: "more boxes than fit",
    net: () =>
      inputs({ x: [1, 6, 2048, 2048] }) +
      layer(
        "YoloDetectionOutput",
        "l",
        "x",
        "y",
        "yolo_detection_output_param { num_classes: 1 num_box: 1 biases: 1 biases: 1 }",
      ),
    codes: ["MQ202"],
  },
  {
    name: "far more boxes than fit",
    net: () =>
      inputs({ x: [1, 6, 5000, 5000] }) +
      layer(
        "Yolov3DetectionOutput",
        "l",
        "x",
        "y",
        "yolov3_detection_output_param { num_classes: 1 num_box: 1 biases: 1 biases: 1 mask: 0 anchors_scale: 1 mask_group_num: 1 }",
      ),
    codes: ["MQ202"],
  },
  {
    name: "huge scales and masks",
    net: () =>
      inputs({ x: [1, 6, 2, 2] }) +
      layer(
        "Yolov3DetectionOutput",
        "l",
        "x",
        "y",
        "yolov3_detection_output_param { num_classes: 1 num_box: 1 biases: 1 biases: 1 mask: 2147483647 anchors_scale: 2147483647 mask_group_num: 1 }",
      ),
    codes: ["MQ205"],
  },
  {
    name: "detections of nothing",
    net: () =>
      x + layer("YoloDetectionOutput", "l", "", "y", "yolo_detection_output_param { num_classes: 1 num_box: 0 }"),
    codes: ["MQ205"],
  },
  {
    name: "huge numbers of outputs",
    net: one("InnerProduct", "inner_product_param { num_output: 2147483647 }"),
    weights: fitting,
    codes: ["MQ218"],
  },
  { name: "weights: an empty file", net: () => conv, weights: () => new Uint8Array(0), codes: ["MQ218"] },
  { name: "weights: zeros", net: () => conv, weights: () => new Uint8Array(1000), codes: ["MQ201", "MQ218"] },
  { name: "weights: random bytes", net: () => conv, weights: () => randomBytes(2 ** 16, 5), codes: ["MQ201", "MQ218"] },
  {
    name: "weights: nested groups",
    net: () => conv,
    weights: () => new Uint8Array(2 ** 20).fill(0x0b),
    codes: ["MQ201"],
  },
  {
    name: "weights: the network in their place",
    net: () => conv,
    weights: () => text(conv),
    codes: ["MQ201", "MQ218"],
  },
  {
    name: "weights: a length of 4 GB",
    net: () => conv,
    weights: () => Uint8Array.of(0xa2, 0x06, 0xff, 0xff, 0xff, 0xff, 0x0f),
    codes: ["MQ201"],
  },
  {
    name: "weights: none of this layer",
    net: () => conv,
    weights: () => caffemodel({ d: [{ shape: [1], values: [1] }] }),
    codes: ["MQ218"],
  },
  { name: "weights: a blob without values", net: () => conv, weights: rawBlob([]), codes: ["MQ218"] },
  {
    name: "weights: a shape of negative sizes",
    net: () => conv,
    weights: rawBlob([0x3a, 0x0b, 0x0a, 0x09, ...new Array<number>(8).fill(0xff), 0x7f]),
    codes: ["MQ201", "MQ218"],
  },
  { name: "weights: values that are cut off", net: () => conv, weights: rawBlob([0x2a, 0x7f, 0, 0]), codes: ["MQ201"] },
  { name: "weights: values of the wrong type", net: () => conv, weights: rawBlob([0x28, 0x01]), codes: ["MQ201"] },
  {
    name: "weights: values that are no numbers",
    net: () => conv,
    weights: () => caffemodel({ c: [{ shape: [2, 2, 1, 1], values: [Number.NaN, 1, Number.POSITIVE_INFINITY, 0] }] }),
  },
];

const bytesOf = (net: Uint8Array | string): Uint8Array => (typeof net === "string" ? text(net) : net);

for (const { name, net, weights, codes } of CASES) {
  test(name, () => {
    const bytes = bytesOf(net());
    const start = process.cpuUsage();
    let found: string | undefined;
    try {
      optimize(importCaffe(bytes, { file: "hostile", name: "hostile", ...(weights && { weights: weights() }) }));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      found = error.diagnostics[0]?.code;
    }
    const used = process.cpuUsage(start);
    const took = (used.user + used.system) / 1000;
    assert.ok(took < MILLISECONDS, `${took} ms`);
    assert.ok(process.memoryUsage().rss < HEAP_BYTES + bytes.length, `${process.memoryUsage().rss} bytes`);
    if (codes) assert.ok(found !== undefined && codes.includes(found), `${found} is not ${codes.join(" or ")}`);
  });
}

const NETWORK = [
  inputs({ x: [1, 2, 4, 4] }),
  layer("Convolution", "c", "x", "c", CONV),
  layer("ReLU", "r", "c", "c", "relu_param { negative_slope: 0.1 }"),
  layer("Pooling", "p", "c", "p", "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }"),
  layer("Reshape", "s", "p", "y", "reshape_param { shape { dim: 0 dim: -1 } }"),
].join("\n");

function attempt(net: Uint8Array, weights: Uint8Array): void {
  try {
    importCaffe(net, { file: "mutant", name: "mutant", weights });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
}

test("truncated and altered networks", () => {
  const bytes = text(NETWORK);
  const weights = fitting();
  attempt(bytes, weights);
  for (let i = 0; i < bytes.length; i++) {
    attempt(bytes.slice(0, i), weights);
    for (const value of [0x00, 0x22, 0x2d, 0x39, 0x7b, 0x7d, 0xff]) {
      const mutant = bytes.slice();
      mutant[i] = value;
      attempt(mutant, weights);
    }
  }
});

test("truncated and altered weights", () => {
  const bytes = fitting();
  for (let i = 0; i < bytes.length; i++) {
    attempt(text(NETWORK), bytes.slice(0, i));
    for (let value = 0; value < 256; value += 5) {
      const mutant = bytes.slice();
      mutant[i] = value;
      attempt(text(NETWORK), mutant);
    }
  }
});

test("files of other formats are recognized", () => {
  const onnx = Uint8Array.of(0x08, 0x08, 0x12, 0x01, 0x61);
  const importer = IMPORTERS.caffe;
  assert.ok(importer);
  assert.throws(
    () => importer(onnx, { file: "net.bin", name: "net" }),
    (error) => error instanceof UserError && error.diagnostics[0]?.code === "MQ213",
  );
  const graph = importer(text(`${x}\n${layer("ReLU", "r", "x", "y")}`), { file: "net.txt", name: "net" });
  assert.equal(graph.nodes.length, 1);
});
