/**
 * Files that no exporter wrote. Whatever is in a file, the importers answer with a diagnostic, soon and in little memory:
 * never with a crash, a hang or an internal error.
 */

import * as assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../diagnostics/diagnostic";
import { optimize } from "../passes/pipeline";
import { AttrValue, DataType, TensorProto } from "../schema/tensorflow";
import { TensorProto as OnnxTensor } from "../schema/onnx";
import { GraphDefBuilder, intsAttribute, stringAttribute, typeAttribute } from "../synth/graph-def-builder";
import { importOnnx } from "./onnx/import";
import { importTensorflow } from "./tensorflow/import";
import { int64s, model, node, tensor } from "./testing/onnx-builder";

/** Processor time that no case may exceed. */
const MILLISECONDS = 5000;
/** No case may leave more behind. */
const HEAP_BYTES = 700 * 2 ** 20;

interface Case {
  readonly name: string;
  readonly bytes: () => Uint8Array;
  /** Codes of which the first diagnostic has one; undefined for "any diagnostic, or success". */
  readonly codes?: readonly string[];
}

function graphDef(build: (builder: GraphDefBuilder) => void): () => Uint8Array {
  return () => {
    const builder = new GraphDefBuilder();
    build(builder);
    return builder.encode();
  };
}

/** A Const whose tensor says what it likes. */
function rawConst(
  builder: GraphDefBuilder,
  name: string,
  proto: Partial<TensorProto>,
  extra: readonly number[] = [],
): void {
  const encoded = TensorProto.encode(TensorProto.fromPartial(proto)).finish();
  builder.node("Const", name, [], { value: { tensor: Uint8Array.of(...encoded, ...extra) } });
}

const dims = (...sizes: number[]): TensorProto["tensorShape"] => ({
  unknownRank: false,
  dim: sizes.map((size) => ({ size })),
});

const windowAttributes = {
  strides: intsAttribute([1, 1, 1, 1]),
  ksize: intsAttribute([1, 2, 2, 1]),
  padding: stringAttribute("VALID"),
};

function randomBytes(length: number, seed: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

const small = graphDef((b) => {
  b.placeholder("x", [1, 4, 4, 1]);
  b.constant("w", [2, 2, 1, 1], Float32Array.of(1, 2, 3, 4));
  b.node("Conv2D", "y", ["x", "w"], windowAttributes);
});

const TENSORFLOW: readonly Case[] = [
  { name: "an empty file", bytes: () => new Uint8Array(0), codes: ["MQ201"] },
  { name: "zeros", bytes: () => new Uint8Array(1000), codes: ["MQ201"] },
  { name: "ones", bytes: () => new Uint8Array(1000).fill(0xff), codes: ["MQ201"] },
  { name: "nested groups", bytes: () => new Uint8Array(2 ** 20).fill(0x0b), codes: ["MQ201"] },
  { name: "a length of 4 GB", bytes: () => Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2), codes: ["MQ201"] },
  { name: "text", bytes: () => new TextEncoder().encode('node { name: "x" op: "Placeholder" }'), codes: ["MQ201"] },
  {
    name: "a cycle",
    bytes: graphDef((b) => {
      b.node("Relu", "a", ["b"]);
      b.node("Relu", "b", ["a"]);
      b.node("Relu", "c", ["a"]);
    }),
    codes: ["MQ206"],
  },
  {
    name: "a loop",
    bytes: graphDef((b) => {
      b.placeholder("x", [1]);
      b.node("Enter", "enter", ["x"]);
      b.node("Merge", "merge", ["enter", "next"]);
      b.node("NextIteration", "next", ["merge"]);
      b.node("Exit", "exit", ["merge"]);
    }),
    codes: ["MQ210"],
  },
  {
    name: "two nodes of one name",
    bytes: graphDef((b) => {
      b.placeholder("x", [1]);
      b.placeholder("x", [1]);
    }),
    codes: ["MQ201"],
  },
  { name: "an input that does not exist", bytes: graphDef((b) => b.node("Relu", "y", ["x"])), codes: ["MQ201"] },
  {
    name: "an output that the input does not have",
    bytes: graphDef((b) => {
      b.placeholder("x", [1]);
      b.node("Relu", "a", ["x"]);
      b.node("Relu", "y", ["a:7"]);
    }),
    codes: ["MQ201"],
  },
  { name: "a node without inputs", bytes: graphDef((b) => b.node("Relu", "y", [])), codes: ["MQ205"] },
  {
    name: "names of Object's prototype",
    bytes: graphDef((b) => {
      b.placeholder("__proto__", [1]);
      b.node("constructor", "toString", ["__proto__"], { __proto__: {}, hasOwnProperty: { i: 1 } });
    }),
    codes: ["MQ202"],
  },
  {
    name: "a splat of 2^40 elements",
    bytes: graphDef((b) => {
      rawConst(b, "c", { dtype: DataType.DT_FLOAT, tensorShape: dims(2 ** 20, 2 ** 20) }, [0x2d, 0, 0, 0x80, 0x3f]);
      b.node("Relu", "y", ["c"]);
    }),
    codes: ["MQ202"],
  },
  {
    name: "negative dimensions of a constant",
    bytes: graphDef((b) => {
      rawConst(b, "c", { dtype: DataType.DT_FLOAT, tensorShape: dims(-4, -4) });
      b.node("Relu", "y", ["c"]);
    }),
    codes: ["MQ205"],
  },
  {
    name: "a dimension beyond 2^53",
    bytes: graphDef((b) => {
      const shape = [0x12, 0x0c, 0x12, 0x0a, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
      rawConst(b, "c", { dtype: DataType.DT_FLOAT }, shape);
      b.node("Relu", "y", ["c"]);
    }),
    codes: ["MQ201", "MQ205"],
  },
  {
    name: "too few bytes",
    bytes: graphDef((b) => {
      rawConst(b, "c", { dtype: DataType.DT_FLOAT, tensorShape: dims(4), tensorContent: new Uint8Array(15) });
      b.node("Relu", "y", ["c"]);
    }),
    codes: ["MQ205"],
  },
  {
    name: "a tensor of strings",
    bytes: graphDef((b) => {
      rawConst(b, "c", { dtype: DataType.DT_STRING, tensorShape: dims(4) });
      b.node("Relu", "y", ["c"]);
    }),
    codes: ["MQ202"],
  },
  {
    name: "an element type that does not exist",
    bytes: graphDef((b) => {
      rawConst(b, "c", { dtype: 77 as DataType, tensorShape: dims(4) });
      b.node("Relu", "y", ["c"]);
    }),
    codes: ["MQ202"],
  },
  {
    name: "attributes of the wrong kind",
    bytes: graphDef((b) => {
      b.placeholder("x", [1, 4, 4, 1]);
      b.node("MaxPool", "y", ["x"], { strides: stringAttribute("x"), ksize: { f: 1 }, padding: { i: 3 } });
    }),
    codes: ["MQ205"],
  },
  {
    name: "strides of zero",
    bytes: graphDef((b) => {
      b.placeholder("x", [1, 4, 4, 1]);
      b.node("MaxPool", "y", ["x"], { ...windowAttributes, strides: intsAttribute([1, 0, 0, 1]) });
    }),
    codes: ["MQ204", "MQ205"],
  },
  {
    name: "strides of zero with SAME padding",
    bytes: graphDef((b) => {
      b.placeholder("x", [1, 4, 4, 1]);
      b.node("MaxPool", "y", ["x"], {
        ...windowAttributes,
        padding: stringAttribute("SAME"),
        strides: intsAttribute([1, 0, 0, 1]),
      });
    }),
    codes: ["MQ204", "MQ205"],
  },
  {
    name: "a window larger than the image",
    bytes: graphDef((b) => {
      b.placeholder("x", [1, 1, 1, 1]);
      b.node("MaxPool", "y", ["x"], windowAttributes);
    }),
    codes: ["MQ204"],
  },
  {
    name: "a filter of other channels",
    bytes: graphDef((b) => {
      b.placeholder("x", [1, 4, 4, 3]);
      b.constant("w", [2, 2, 2, 1], new Float32Array(8));
      b.node("Conv2D", "y", ["x", "w"], windowAttributes);
    }),
    codes: ["MQ205"],
  },
  {
    name: "a filter of no elements",
    bytes: graphDef((b) => {
      b.placeholder("x", [1, 4, 4, 3]);
      b.constant("w", [2, 2, 0, 0], new Float32Array(0));
      b.node("Conv2D", "y", ["x", "w"], windowAttributes);
    }),
    codes: ["MQ205"],
  },
  {
    name: "a placeholder of 2^60 elements",
    bytes: graphDef((b) => {
      b.placeholder("x", [2 ** 30, 2 ** 30]);
      b.node("Relu", "y", ["x"]);
    }),
    codes: ["MQ204"],
  },
  {
    name: "constants that double 64 times",
    bytes: graphDef((b) => {
      b.constant("axis", [], Int32Array.of(0));
      b.constant("c0", [2], Float32Array.of(1, 2));
      for (let i = 0; i < 64; i++) b.node("ConcatV2", `c${i + 1}`, [`c${i}`, `c${i}`, "axis"]);
    }),
    codes: ["MQ202"],
  },
  {
    name: "a fill of 2^62 elements",
    bytes: graphDef((b) => {
      b.constant("shape", [2], Int32Array.of(2 ** 31 - 1, 2 ** 31 - 1));
      b.constant("value", [], Float32Array.of(1));
      b.node("Fill", "y", ["shape", "value"]);
    }),
    codes: ["MQ202"],
  },
  {
    name: "a pad of 2^31",
    bytes: graphDef((b) => {
      b.placeholder("x", [1, 4]);
      b.constant("p", [2, 2], Int32Array.of(2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1));
      b.node("Pad", "y", ["x", "p"]);
    }),
    codes: ["MQ202"],
  },
  {
    name: "a reshape to nothing",
    bytes: graphDef((b) => {
      b.placeholder("x", [1, 4]);
      b.constant("s", [3], Int32Array.of(-1, -1, 0));
      b.node("Reshape", "y", ["x", "s"]);
    }),
    codes: ["MQ205"],
  },
  {
    name: "an unpacking into 2^20 outputs",
    bytes: graphDef((b) => {
      b.placeholder("x", [2 ** 20, 2]);
      b.node("Unpack", "y", ["x"]);
    }),
    codes: ["MQ202"],
  },
  {
    name: "a chain of 10,000 nodes",
    bytes: graphDef((b) => {
      b.placeholder("n0", [1, 4]);
      for (let i = 0; i < 10_000; i++) b.node("Relu", `n${i + 1}`, [`n${i}`]);
    }),
  },
  {
    name: "5,000 outputs, each under two names",
    bytes: graphDef((b) => {
      b.placeholder("x", [1, 4]);
      for (let i = 0; i < 5000; i++) {
        b.node("Relu", `n${i}`, ["x"]);
        b.node("Identity", `out${i}`, [`n${i}`]);
      }
    }),
  },
  {
    name: "a product of integers",
    bytes: graphDef((b) => {
      b.constant("a", [2, 2], Int32Array.of(1, 2, 3, 4));
      b.node("MatMul", "y", ["a", "a"]);
    }),
    codes: ["MQ202"],
  },
  {
    name: "quantized weights",
    bytes: graphDef((b) => {
      rawConst(b, "c", { dtype: DataType.DT_QUINT8, tensorShape: dims(4), tensorContent: new Uint8Array(4) });
      b.node("Dequantize", "y", ["c", "c", "c"]);
    }),
    codes: ["MQ211"],
  },
  {
    name: "an axis out of range",
    bytes: graphDef((b) => {
      b.placeholder("x", [1, 4]);
      b.constant("axis", [1], Int32Array.of(2 ** 31 - 1));
      b.node("Mean", "y", ["x", "axis"]);
    }),
    codes: ["MQ205"],
  },
  {
    name: "placeholders of texts",
    bytes: graphDef((b) => {
      b.node("Placeholder", "x", [], { dtype: typeAttribute(DataType.DT_STRING), shape: AttrValue.fromPartial({}) });
      b.node("Relu", "y", ["x"]);
    }),
    codes: ["MQ202"],
  },
];

const ONNX: readonly Case[] = [
  { name: "an empty file", bytes: () => new Uint8Array(0), codes: ["MQ201"] },
  { name: "random bytes", bytes: () => randomBytes(10_000, 7), codes: ["MQ201"] },
  { name: "nested groups", bytes: () => new Uint8Array(2 ** 20).fill(0x0b), codes: ["MQ201"] },
  {
    name: "opset 999",
    bytes: () => model({ opset: 999, inputs: { x: [1] }, outputs: ["y"], nodes: [node("Relu", ["x"], ["y"])] }),
    codes: ["MQ214"],
  },
  {
    name: "a cycle",
    bytes: () =>
      model({ inputs: { x: [1] }, outputs: ["b"], nodes: [node("Relu", ["b"], ["a"]), node("Relu", ["a"], ["b"])] }),
    codes: ["MQ206"],
  },
  {
    name: "a tensor defined twice",
    bytes: () =>
      model({ inputs: { x: [1] }, outputs: ["y"], nodes: [node("Relu", ["x"], ["y"]), node("Abs", ["x"], ["y"])] }),
    codes: ["MQ201"],
  },
  {
    name: "an input that does not exist",
    bytes: () => model({ inputs: { x: [1] }, outputs: ["y"], nodes: [node("Add", ["x", "z"], ["y"])] }),
    codes: ["MQ201"],
  },
  {
    name: "an output that does not exist",
    bytes: () => model({ inputs: { x: [1] }, outputs: ["z"], nodes: [node("Relu", ["x"], ["y"])] }),
    codes: ["MQ203"],
  },
  {
    name: "8,000 outputs of one name",
    bytes: () =>
      model({
        inputs: { x: [4] },
        outputs: new Array<string>(8000).fill("y"),
        nodes: [node("ArgMax", ["x"], ["y"], { axis: 0 })],
      }),
  },
  { name: "no outputs", bytes: () => model({ inputs: { x: [1] }, outputs: [], nodes: [] }), codes: ["MQ216"] },
  {
    name: "a condition",
    bytes: () => model({ inputs: { x: [1] }, outputs: ["y"], nodes: [node("If", ["x"], ["y"])] }),
    codes: ["MQ210"],
  },
  {
    name: "several unknown operators",
    bytes: () =>
      model({ inputs: { x: [1] }, outputs: ["z"], nodes: [node("Foo", ["x"], ["y"]), node("Bar", ["y"], ["z"])] }),
    codes: ["MQ202"],
  },
  {
    name: "too few raw bytes",
    bytes: () =>
      model({
        inputs: { x: [4] },
        outputs: ["y"],
        initializers: [tensor("w", [5], [1, 2])],
        nodes: [node("Add", ["x", "w"], ["y"])],
      }),
    codes: ["MQ205"],
  },
  {
    name: "dimensions of 2^40",
    bytes: () =>
      model({
        inputs: { x: [4] },
        outputs: ["y"],
        initializers: [tensor("w", [2 ** 40, 2 ** 40], [])],
        nodes: [node("Add", ["x", "w"], ["y"])],
      }),
    codes: ["MQ205"],
  },
  {
    name: "negative dimensions",
    bytes: () =>
      model({
        inputs: { x: [4] },
        outputs: ["y"],
        initializers: [tensor("w", [-2, -2], [1, 2, 3, 4])],
        nodes: [node("Add", ["x", "w"], ["y"])],
      }),
    codes: ["MQ205"],
  },
  {
    name: "an input of 2^60 elements",
    bytes: () => model({ inputs: { x: [2 ** 30, 2 ** 30] }, outputs: ["y"], nodes: [node("Relu", ["x"], ["y"])] }),
    codes: ["MQ204"],
  },
  {
    name: "an input of unknown size",
    bytes: () => model({ inputs: { x: [null, null] }, outputs: ["y"], nodes: [node("Relu", ["x"], ["y"])] }),
    codes: ["MQ207"],
  },
  {
    name: "a constant of 2^40 elements",
    bytes: () =>
      model({
        inputs: { x: [4] },
        outputs: ["y"],
        initializers: [int64s("s", [2 ** 20, 2 ** 20])],
        nodes: [node("ConstantOfShape", ["s"], ["c"]), node("Add", ["x", "c"], ["y"])],
      }),
    codes: ["MQ202"],
  },
  {
    name: "an expansion to 2^40 elements",
    bytes: () =>
      model({
        inputs: { x: [4] },
        outputs: ["y"],
        initializers: [tensor("c", [1], [1]), int64s("s", [2 ** 20, 2 ** 20])],
        nodes: [node("Expand", ["c", "s"], ["e"]), node("Add", ["x", "e"], ["y"])],
      }),
    codes: ["MQ202"],
  },
  {
    name: "a broadcast of constants to 2^34 elements",
    bytes: () =>
      model({
        inputs: { x: [4] },
        outputs: ["y"],
        initializers: [
          tensor("a", [2 ** 17, 1], new Float32Array(2 ** 17)),
          tensor("b", [2 ** 17], new Float32Array(2 ** 17)),
        ],
        nodes: [node("Mul", ["a", "b"], ["y"])],
      }),
    codes: ["MQ202"],
  },
  {
    name: "a window without a kernel",
    bytes: () => model({ inputs: { x: [1, 1, 4, 4] }, outputs: ["y"], nodes: [node("MaxPool", ["x"], ["y"])] }),
    codes: ["MQ205"],
  },
  {
    name: "a window of 2^31 with pads of 2^31",
    bytes: () =>
      model({
        inputs: { x: [1, 1, 4, 4] },
        outputs: ["y"],
        nodes: [
          node("MaxPool", ["x"], ["y"], {
            kernel_shape: [2 ** 31, 2 ** 31],
            pads: [2 ** 31, 2 ** 31, 2 ** 31, 2 ** 31],
            strides: [1, 1],
          }),
        ],
      }),
    codes: ["MQ202", "MQ204"],
  },
  {
    name: "external data outside of the folder",
    bytes: () =>
      model({
        inputs: { x: [4] },
        outputs: ["y"],
        initializers: [
          OnnxTensor.fromPartial({
            name: "w",
            dims: [4],
            dataType: 1,
            dataLocation: 1,
            externalData: [{ key: "location", value: "../secret" }],
          }),
        ],
        nodes: [node("Add", ["x", "w"], ["y"])],
      }),
    codes: ["MQ215"],
  },
  {
    name: "a domain of its own",
    bytes: () => {
      const custom = { ...node("Relu", ["x"], ["y"]), domain: "com.example" };
      return model({ inputs: { x: [1] }, outputs: ["y"], nodes: [custom] });
    },
    codes: ["MQ202"],
  },
];

const OPTIONS = { file: "hostile", name: "hostile" };

function checkCase({ name, bytes, codes }: Case, importer: typeof importTensorflow): void {
  const input = bytes();
  const start = process.cpuUsage();
  let found: string | undefined;
  try {
    optimize(importer(input, { ...OPTIONS }));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    found = error.diagnostics[0]?.code;
  }
  const used = process.cpuUsage(start);
  const took = (used.user + used.system) / 1000;
  assert.ok(took < MILLISECONDS, `${name}: ${took} ms`);
  assert.ok(process.memoryUsage().rss < HEAP_BYTES + input.length, `${name}: ${process.memoryUsage().rss} bytes`);
  if (codes) assert.ok(found !== undefined && codes.includes(found), `${name}: ${found} is not ${codes.join(" or ")}`);
}

for (const entry of TENSORFLOW) test(`TensorFlow: ${entry.name}`, () => checkCase(entry, importTensorflow));
for (const entry of ONNX) test(`ONNX: ${entry.name}`, () => checkCase(entry, importOnnx));

/** Every prefix, and every single byte replaced, of a sound file: only diagnostics or success. */
function mutate(bytes: Uint8Array, importer: typeof importTensorflow): void {
  const attempt = (mutant: Uint8Array): void => {
    try {
      importer(mutant, { ...OPTIONS });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
    }
  };
  for (let length = 0; length < bytes.length; length++) attempt(bytes.slice(0, length));
  for (let i = 0; i < bytes.length; i++) {
    for (const value of [0x00, 0x01, 0x7f, 0x80, 0xff, (bytes[i] ?? 0) ^ 0x08]) {
      const mutant = bytes.slice();
      mutant[i] = value;
      attempt(mutant);
    }
  }
}

test("TensorFlow: truncated and altered files", () => mutate(small(), importTensorflow));

test("ONNX: truncated and altered files", () => {
  const bytes = model({
    inputs: { x: [1, 2, 4, 4] },
    outputs: ["y"],
    initializers: [tensor("w", [2, 1, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]), int64s("s", [1, -1])],
    nodes: [
      node("Conv", ["x", "w"], ["c"], { group: 2, pads: [1, 0, 0, 1], kernel_shape: [2, 2] }),
      node("LeakyRelu", ["c"], ["l"], { alpha: 0.125 }),
      node("Reshape", ["l", "s"], ["y"]),
    ],
  });
  mutate(bytes, importOnnx);
});
