import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import { UserError } from "../../diagnostics/diagnostic";
import type { ConstantData, Graph } from "../../ir/graph";
import { optimize } from "../../passes/pipeline";
import { type AttrValue, DataType } from "../../schema/tensorflow";
import { GraphDefBuilder, intsAttribute, stringAttribute, typeAttribute } from "../../synth/graph-def-builder";
import type { ImportOptions } from "../options";
import { greatestDifference, runModel } from "../testing/run-model";
import { importTensorflow } from "./import";
import { TENSORFLOW_OPERATORS } from "./op-table";

type Attributes = Record<string, Partial<AttrValue>>;

function importGraph(build: (b: GraphDefBuilder) => void, options: Partial<ImportOptions> = {}): Graph {
  const builder = new GraphDefBuilder();
  build(builder);
  return importTensorflow(builder.encode(), { file: "test.pb", name: "test", ...options });
}

const ramp = (length: number, scale = 0.1): Float32Array =>
  Float32Array.from({ length }, (_, i) => ((i * 7) % 11) * scale - 0.4);

/** Runs with a ramp as the only input. */
function run(graph: Graph): ConstantData[] {
  const feeds = new Map<string, ConstantData>(
    graph.inputs.map((port) => [
      port.tensor,
      ramp((graph.tensors.get(port.tensor)?.shape ?? []).reduce((a, b) => a * b, 1)),
    ]),
  );
  return [...runModel(graph, feeds).values()];
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof UserError) return error.diagnostics.map((d) => `${d.code} ${d.cause ?? ""}`).join("\n");
    throw error;
  }
  return "success";
}

const types = (graph: Graph): string[] => graph.nodes.map((node) => node.type);

/** An image network, in either order: padding, convolution, bias, batch norm, pooling, concatenation, mean. */
function imageNetwork(order: "NHWC" | "NCHW"): (b: GraphDefBuilder) => void {
  const nhwc = order === "NHWC";
  const list = (h: number, w: number): Partial<AttrValue> => intsAttribute(nhwc ? [1, h, w, 1] : [1, 1, h, w]);
  const format = { data_format: stringAttribute(order) };
  return (b) => {
    b.placeholder("x", nhwc ? [-1, 5, 7, 2] : [-1, 2, 5, 7]);
    b.constant("p", [4, 2], Int32Array.from(nhwc ? [0, 0, 1, 0, 2, 1, 0, 0] : [0, 0, 0, 0, 1, 0, 2, 1]));
    b.node("Pad", "pad", ["x", "p"]);
    b.constant("w", [3, 2, 2, 3], ramp(36));
    b.node("Conv2D", "conv", ["pad", "w"], { ...format, strides: list(2, 1), padding: stringAttribute("VALID") });
    b.constant("b", [3], ramp(3));
    b.node("BiasAdd", "bias", ["conv", "b"], format);
    for (const [name, values] of Object.entries({ s: [1, 2, 3], o: [4, 5, 6], m: [1, 1, 2], v: [1, 4, 9] })) {
      b.constant(name, [3], Float32Array.from(values));
    }
    b.node("FusedBatchNormV3", "bn", ["bias", "s", "o", "m", "v"], {
      ...format,
      is_training: { b: false },
      epsilon: { f: 0.5 },
    });
    b.node("Relu6", "relu", ["bn"]);
    b.node("MaxPool", "max", ["relu"], {
      ...format,
      ksize: list(2, 2),
      strides: list(1, 1),
      padding: stringAttribute("SAME"),
    });
    b.node("AvgPool", "avg", ["relu"], {
      ...format,
      ksize: list(2, 3),
      strides: list(1, 1),
      padding: stringAttribute("SAME"),
    });
    b.constant("axis", [], Int32Array.of(nhwc ? 3 : 1));
    b.node("ConcatV2", "cat", ["max", "avg", "axis"]);
    b.constant("axes", [2], Int32Array.from(nhwc ? [1, 2] : [2, 3]));
    b.node("Mean", "y", ["cat", "axes"]);
  };
}

test("NCHW graphs compute what NHWC graphs compute, without transposes", () => {
  const nhwc = importGraph(imageNetwork("NHWC"));
  const nchw = importGraph(imageNetwork("NCHW"));
  assert.deepEqual(types(nchw), types(nhwc));
  assert.deepEqual(nchw.inputs, [{ tensor: "x", format: "NCHW" }]);
  assert.deepEqual(nchw.tensors.get("x")?.shape, [1, 5, 7, 2]);
  const input = ramp(70);
  const turned = Float32Array.from({ length: 70 }, (_, i) => input[((i % 35) * 2 + Math.floor(i / 35)) % 70] ?? 0);
  const a = [...runModel(nhwc, new Map([["x", input]])).values()];
  const b = [...runModel(nchw, new Map([["x", turned]])).values()];
  assert.ok(greatestDifference(a[0] ?? [], b[0] ?? []) < 1e-6);
  optimize(nchw, { checkPasses: true });
  assert.deepEqual(types(nchw), ["Conv2D", "Pooling", "Pooling", "Concat", "Reduce"]);
});

/** A test of one operator on the input x of the given shape: expected shape and values. */
interface Single {
  readonly name: string;
  readonly shape: readonly number[];
  readonly x: readonly number[];
  readonly build: (b: GraphDefBuilder) => void;
  readonly expected: readonly number[];
  readonly outShape: readonly number[];
}

const constantInts = (b: GraphDefBuilder, values: Readonly<Record<string, readonly number[]>>): void => {
  for (const [name, list] of Object.entries(values)) b.constant(name, [list.length], Int32Array.from(list));
};

const SINGLES: readonly Single[] = [
  {
    name: "StridedSlice with every mask",
    shape: [2, 3, 4],
    x: Array.from({ length: 24 }, (_, i) => i),
    build: (b) => {
      // x[1, tf.newaxis, ..., ::-2]
      constantInts(b, { begin: [1, 0, 0, 0], end: [2, 0, 0, 0], strides: [1, 1, 1, -2] });
      const masks: Attributes = {
        begin_mask: { i: 8 },
        end_mask: { i: 8 },
        ellipsis_mask: { i: 4 },
        new_axis_mask: { i: 2 },
        shrink_axis_mask: { i: 1 },
      };
      b.node("StridedSlice", "y", ["x", "begin", "end", "strides"], masks);
    },
    expected: [15, 13, 19, 17, 23, 21],
    outShape: [1, 3, 2],
  },
  {
    name: "Slice with -1",
    shape: [3, 2],
    x: [1, 2, 3, 4, 5, 6],
    build: (b) => {
      constantInts(b, { begin: [1, 1], size: [-1, 1] });
      b.node("Slice", "y", ["x", "begin", "size"]);
    },
    expected: [4, 6],
    outShape: [2, 1],
  },
  {
    name: "Pack and Unpack",
    shape: [2, 2],
    x: [1, 2, 3, 4],
    build: (b) => {
      b.node("Unpack", "u", ["x"], { axis: { i: 1 } });
      b.node("Pack", "y", ["u:1", "u"], { axis: { i: 0 } });
    },
    expected: [2, 4, 1, 3],
    outShape: [2, 2],
  },
  {
    name: "Reshape to a computed shape",
    shape: [2, 3],
    x: [1, 2, 3, 4, 5, 6],
    build: (b) => {
      b.node("Shape", "s", ["x"]);
      constantInts(b, { zero: [0], one: [1], minus: [-1] });
      b.node("StridedSlice", "rows", ["s", "zero", "one", "one"], { shrink_axis_mask: { i: 1 } });
      b.constant("m", [], Int32Array.of(-1));
      b.node("Pack", "shape", ["rows", "m"]);
      b.node("Reshape", "flat", ["x", "minus"]);
      b.node("Reshape", "y", ["flat", "shape"]);
    },
    expected: [1, 2, 3, 4, 5, 6],
    outShape: [2, 3],
  },
  {
    name: "Split and SplitV",
    shape: [1, 4],
    x: [1, 2, 3, 4],
    build: (b) => {
      b.constant("axis", [], Int32Array.of(1));
      b.node("Split", "s", ["axis", "x"], { num_split: { i: 2 } });
      constantInts(b, { sizes: [3, -1] });
      b.node("SplitV", "v", ["x", "sizes", "axis"]);
      b.node("ConcatV2", "y", ["s:1", "v:1", "axis"]);
    },
    expected: [3, 4, 4],
    outShape: [1, 3],
  },
  {
    name: "ExpandDims, Squeeze and Transpose",
    shape: [2, 1, 2],
    x: [1, 2, 3, 4],
    build: (b) => {
      b.node("Squeeze", "s", ["x"], { squeeze_dims: intsAttribute([1]) });
      constantInts(b, { perm: [1, 0] });
      b.node("Transpose", "t", ["s", "perm"]);
      b.constant("axis", [], Int32Array.of(-1));
      b.node("ExpandDims", "y", ["t", "axis"]);
    },
    expected: [1, 3, 2, 4],
    outShape: [2, 2, 1],
  },
  {
    name: "MirrorPad",
    shape: [1, 3],
    x: [1, 2, 3],
    build: (b) => {
      b.constant("p", [2, 2], Int32Array.of(0, 0, 2, 1));
      b.node("MirrorPad", "r", ["x", "p"], { mode: stringAttribute("REFLECT") });
      b.node("MirrorPad", "y", ["r", "p"], { mode: stringAttribute("SYMMETRIC") });
    },
    expected: [2, 3, 3, 2, 1, 2, 3, 2, 2],
    outShape: [1, 9],
  },
  {
    name: "LRN",
    shape: [1, 1, 1, 3],
    x: [1, 2, 3],
    build: (b) => {
      b.node("LRN", "y", ["x"], { depth_radius: { i: 1 }, alpha: { f: 1 }, beta: { f: 1 }, bias: { f: 1 } });
    },
    expected: [1 / 6, 2 / 15, 3 / 14],
    outShape: [1, 1, 1, 3],
  },
  {
    name: "the decomposed batch norm of Keras 3",
    shape: [1, 1, 1, 2],
    x: [1, 2],
    build: (b) => {
      b.variable("gamma", [2], Float32Array.of(2, 3));
      b.variable("beta", [2], Float32Array.of(1, -1));
      b.variable("mean", [2], Float32Array.of(0.5, 1));
      b.variable("variance", [2], Float32Array.of(3, 8));
      b.constant("epsilon", [], Float32Array.of(1));
      b.node("AddV2", "add", ["variance/read", "epsilon"]);
      b.node("Rsqrt", "rsqrt", ["add"]);
      b.node("Mul", "mul", ["rsqrt", "gamma/read"]);
      b.node("Mul", "mul_1", ["x", "mul"]);
      b.node("Mul", "mul_2", ["mean/read", "mul"]);
      b.node("Sub", "sub", ["beta/read", "mul_2"]);
      b.node("AddV2", "y", ["mul_1", "sub"]);
    },
    expected: [1.5, 0],
    outShape: [1, 1, 1, 2],
  },
  {
    name: "explicit paddings",
    shape: [1, 1, 1, 1],
    x: [2],
    build: (b) => {
      b.constant("w", [1, 2, 1, 1], Float32Array.of(3, 5));
      b.node("Conv2D", "y", ["x", "w"], {
        strides: intsAttribute([1, 1, 1, 1]),
        padding: stringAttribute("EXPLICIT"),
        explicit_paddings: intsAttribute([0, 0, 0, 0, 1, 1, 0, 0]),
      });
    },
    expected: [10, 6],
    outShape: [1, 1, 2, 1],
  },
  {
    name: "a convolution in two groups",
    shape: [1, 1, 1, 4],
    x: [1, 2, 3, 4],
    build: (b) => {
      b.constant("w", [1, 1, 2, 2], Float32Array.of(1, 2, 3, 4));
      b.node("Conv2D", "y", ["x", "w"], { strides: intsAttribute([1, 1, 1, 1]), padding: stringAttribute("SAME") });
    },
    expected: [7, 22],
    outShape: [1, 1, 1, 2],
  },
  {
    name: "a depthwise convolution with a multiplier",
    shape: [1, 1, 1, 2],
    x: [2, 3],
    build: (b) => {
      b.constant("w", [1, 1, 2, 2], Float32Array.of(1, 2, 3, 4));
      b.node("DepthwiseConv2dNative", "y", ["x", "w"], {
        strides: intsAttribute([1, 1, 1, 1]),
        padding: stringAttribute("SAME"),
      });
    },
    expected: [2, 4, 9, 12],
    outShape: [1, 1, 1, 4],
  },
  {
    name: "constants: Range, Fill, Cast, GatherV2, FloorDiv",
    shape: [3],
    x: [1, 1, 1],
    build: (b) => {
      b.constant("zero", [], Int32Array.of(0));
      b.constant("seven", [], Int32Array.of(7));
      b.constant("two", [], Int32Array.of(2));
      b.node("Range", "range", ["zero", "seven", "two"]);
      b.node("FloorDiv", "half", ["range", "two"]);
      constantInts(b, { indices: [3, 1, 0] });
      b.node("GatherV2", "picked", ["half", "indices", "zero"]);
      b.node("Cast", "floats", ["picked"], { DstT: typeAttribute(DataType.DT_FLOAT) });
      constantInts(b, { three: [3] });
      b.constant("ten", [], Float32Array.of(10));
      b.node("Fill", "tens", ["three", "ten"]);
      b.node("AddN", "y", ["x", "floats", "tens"]);
    },
    expected: [14, 12, 11],
    outShape: [3],
  },
];

for (const single of SINGLES) {
  test(single.name, () => {
    const graph = importGraph(
      (b) => {
        b.placeholder("x", single.shape);
        single.build(b);
      },
      { outputs: ["y:0"] },
    );
    assert.deepEqual(graph.tensors.get("y")?.shape, single.outShape);
    const feeds = new Map([["x", Float32Array.from(single.x)]]);
    const check = (): void => {
      const [result] = runModel(graph, feeds).values();
      assert.ok(greatestDifference(result ?? [], single.expected) < 1e-5, `${result}`);
    };
    check();
    optimize(graph, { checkPasses: true });
    check();
  });
}

test("a dilated convolution between SpaceToBatchND and BatchToSpaceND", () => {
  const dilated = importGraph((b) => {
    b.placeholder("x", [1, 5, 6, 2]);
    b.constant("w", [3, 3, 2, 4], ramp(72));
    b.constant("block", [2], Int32Array.of(2, 2));
    b.constant("p", [2, 2], Int32Array.of(2, 3, 2, 2));
    b.constant("c", [2, 2], Int32Array.of(0, 1, 0, 0));
    b.node("SpaceToBatchND", "s", ["x", "block", "p"]);
    b.node("Conv2D", "conv", ["s", "w"], { strides: intsAttribute([1, 1, 1, 1]), padding: stringAttribute("VALID") });
    b.node("BatchToSpaceND", "y", ["conv", "block", "c"]);
  });
  const plain = importGraph((b) => {
    b.placeholder("x", [1, 5, 6, 2]);
    b.constant("w", [3, 3, 2, 4], ramp(72));
    b.node("Conv2D", "y", ["x", "w"], {
      strides: intsAttribute([1, 1, 1, 1]),
      dilations: intsAttribute([1, 2, 2, 1]),
      padding: stringAttribute("SAME"),
    });
  });
  assert.deepEqual(types(dilated), ["SpaceToBatchND", "Conv2D", "BatchToSpaceND"]);
  optimize(dilated, { checkPasses: true });
  assert.deepEqual(types(dilated), ["Conv2D"]);
  assert.deepEqual(run(dilated), run(plain));
});

/** Dropout as TensorFlow 1 wraps it: a condition on is_training. */
function dropout(b: GraphDefBuilder, training: (b: GraphDefBuilder) => void): void {
  b.placeholder("x", [1, 2]);
  training(b);
  b.node("Switch", "cond/Switch", ["is_training", "is_training"]);
  b.node("Identity", "cond/switch_t", ["cond/Switch:1"]);
  b.node("Identity", "cond/pred_id", ["is_training"]);
  b.node("Switch", "cond/dropout/Switch", ["x", "cond/pred_id"]);
  b.node("RandomUniform", "cond/dropout/random", ["^cond/switch_t"]);
  b.node("Mul", "cond/dropout/mul", ["cond/dropout/Switch:1", "cond/dropout/random"]);
  b.node("Switch", "cond/Identity/Switch", ["x", "cond/pred_id"]);
  b.node("Identity", "cond/Identity", ["cond/Identity/Switch"]);
  b.node("Merge", "cond/Merge", ["cond/Identity", "cond/dropout/mul"]);
  b.node("Relu", "y", ["cond/Merge"]);
}

test("dropout behind a condition disappears", () => {
  const placeholder = importGraph(
    (b) => dropout(b, (c) => void c.node("Placeholder", "is_training", [], { dtype: typeAttribute(DataType.DT_BOOL) })),
    { inputs: [{ name: "x" }], outputs: ["y"] },
  );
  assert.deepEqual(types(placeholder), ["Activation"]);
});

test("a condition that is computed is refused", () => {
  const result = codeOf(() =>
    importGraph((b) => dropout(b, (c) => void c.node("Greater", "is_training", ["x", "x"])), { outputs: ["y"] }),
  );
  assert.match(result, /MQ210/);
});

test("fake quantization becomes ranges", () => {
  const graph = importGraph((b) => {
    b.placeholder("x", [1, 2]);
    b.constant("min", [], Float32Array.of(-1));
    b.constant("max", [], Float32Array.of(3));
    b.constant("w", [2, 2], Float32Array.of(1, 2, 3, 4));
    b.node("FakeQuantWithMinMaxArgs", "xq", ["x"], { min: { f: -2 }, max: { f: 2 } });
    b.node("FakeQuantWithMinMaxVars", "wq", ["w", "min", "max"]);
    b.node("MatMul", "m", ["xq", "wq"]);
    b.node("FakeQuantWithMinMaxVars", "y", ["m", "min", "max"]);
  });
  assert.deepEqual(types(graph), ["MatMul"]);
  // Zero gets a code: 127.49999 in binary32, so that -2 … 2 becomes -127 … 128 steps of 4/255.
  const step = Math.fround(4 / 255);
  const x = graph.tensors.get("x");
  assert.deepEqual(x?.range, {
    min: Math.fround(-127 * step),
    max: Math.fround(128 * step),
    source: "trained",
    reason: "xq",
  });
  assert.deepEqual(x?.trained, {
    type: "uint8",
    scales: [step],
    zeroPoint: 127,
    axis: null,
    qmin: 0,
    qmax: 255,
    requantize: "fixed_point",
  });
  const w = graph.tensors.get("w");
  assert.equal(w?.range?.reason, "wq");
  assert.equal(w?.trained?.zeroPoint, 64);
  // 1, 2 and 3 lie between steps, 4 outside.
  assert.deepEqual(
    [...(w?.data ?? [])],
    [64, 127, 191, 191].map((code) => Math.fround(code * step)),
  );
  assert.deepEqual(graph.outputs, [{ tensor: "y", format: "NONE" }]);
  assert.equal(graph.tensors.get("y")?.range?.reason, "y");
  optimize(graph);
  assert.equal(graph.tensors.get("w")?.range?.reason, "wq");
  assert.equal(graph.tensors.get("w")?.trained?.zeroPoint, 64);
});

test("fake quantization per channel, with narrow ranges and other widths", () => {
  const weights = (
    attributes: Parameters<GraphDefBuilder["node"]>[3],
    min: readonly number[],
    max: readonly number[],
  ) =>
    importGraph((b) => {
      b.placeholder("x", [1, 2, 2, 3]);
      b.constant("w", [1, 1, 3, 2], Float32Array.of(0.5, 2, -0.25, 1, 0.125, -2));
      b.constant("min", [2], Float32Array.from(min));
      b.constant("max", [2], Float32Array.from(max));
      b.node("FakeQuantWithMinMaxVarsPerChannel", "wq", ["w", "min", "max"], attributes);
      b.node("Conv2D", "y", ["x", "wq"], { strides: intsAttribute([1, 1, 1, 1]), padding: stringAttribute("VALID") });
    }).tensors.get("w");
  const narrow = weights({ narrow_range: { b: true } }, [-0.5, -2], [0.5, 2]);
  const scales = [Math.fround(1 / 254), Math.fround(4 / 254)];
  // The output channels are axis 0 of the canonical filter.
  assert.deepEqual(narrow?.trained, {
    type: "uint8",
    scales,
    zeroPoint: 128,
    axis: 0,
    qmin: 1,
    qmax: 255,
    requantize: "fixed_point",
  });
  assert.deepEqual(
    [...(narrow?.data ?? [])],
    [127, -63, 32, 127, 64, -127].map((code, i) => Math.fround(code * (scales[i < 3 ? 0 : 1] ?? 0))),
  );
  // Of grids with different zero points, or of more codes than a byte has, the values and the range are kept.
  const apart = weights({}, [-0.5, 0], [0.5, 2]);
  assert.equal(apart?.trained, undefined);
  assert.equal(apart?.range?.source, "trained");
  const second = Math.fround(2 / 255);
  // The second channel has no negative codes: -2 becomes 0, and 1 is 127.49999 steps in binary32.
  assert.deepEqual(
    [...(apart?.data ?? [])].slice(3),
    [255, 127, 0].map((code) => Math.fround(code * second)),
  );
  assert.equal(weights({ num_bits: { i: 9 } }, [-0.5, -2], [0.5, 2])?.trained, undefined);
  // Fewer bits are the middle of a byte.
  const four = weights({ num_bits: { i: 4 }, narrow_range: { b: true } }, [-0.5, -2], [0.5, 2]);
  assert.deepEqual(four?.trained, {
    type: "uint8",
    scales: [Math.fround(1 / 14), Math.fround(4 / 14)],
    zeroPoint: 128,
    axis: 0,
    qmin: 121,
    qmax: 135,
    requantize: "fixed_point",
  });
  assert.deepEqual(
    [...(four?.data ?? [])],
    // Half steps fall where binary32 has them.
    [7, -4, 2, 7, 3, -7].map((code, i) => Math.fround(code * Math.fround((i < 3 ? 1 : 4) / 14))),
  );
});

test("a computed tensor with less codes than a byte is clamped to them", () => {
  const graph = importGraph((b) => {
    b.placeholder("x", [1, 4]);
    b.node("Relu", "r", ["x"]);
    b.node("FakeQuantWithMinMaxArgs", "y", ["r"], { min: { f: 0 }, max: { f: 6 }, num_bits: { i: 4 } });
  });
  assert.deepEqual(types(graph), ["Activation", "Activation"]);
  const results = runModel(graph, new Map([["x", Float32Array.of(-1, 3, 6, 9)]]));
  // The float graph clamps and does not round.
  assert.deepEqual([...(results.get("y") ?? [])], [0, 3, 6, 6]);
  const { scales, zeroPoint, qmin, qmax } = graph.tensors.get("y")?.trained ?? {};
  assert.deepEqual([scales, zeroPoint, qmin, qmax], [[Math.fround(6 / 15)], 120, 120, 135]);
  // What is clamped has the same grid, as far as a byte goes.
  const before = graph.tensors.get("r")?.trained;
  assert.deepEqual([before?.scales, before?.zeroPoint, before?.qmin, before?.qmax], [scales, 120, 0, 255]);
});

const chain = (b: GraphDefBuilder): void => {
  b.placeholder("x", [-1, 2]);
  b.node("Relu", "a", ["x"]);
  b.node("Tanh", "b", ["a"]);
  b.node("Sigmoid", "c", ["b"]);
  b.node("Identity", "d", ["b"]);
};

test("any part of a graph can be taken", () => {
  const graph = importGraph(chain, { inputs: [{ name: "a:0", shape: [-1, 2] }], outputs: ["b:0"] });
  assert.deepEqual(types(graph), ["Activation"]);
  assert.deepEqual(graph.inputs, [{ tensor: "a", format: "NONE" }]);
});

test("without options, all ends are outputs; one that only renames keeps its name", () => {
  const graph = importGraph(chain);
  assert.deepEqual(
    graph.outputs.map((port) => port.tensor),
    ["c", "d"],
  );
  optimize(graph, { checkPasses: true });
  assert.deepEqual(
    graph.outputs.map((port) => port.tensor),
    ["c", "d"],
  );
  assert.equal(graph.nodes.find((node) => node.attributes.activation === "TANH")?.outputs[0], "d");
});

test("one tensor may be two outputs", () => {
  const graph = importGraph(chain, { outputs: ["b", "d"] });
  optimize(graph, { checkPasses: true });
  const [a, b] = run(graph);
  assert.deepEqual(a, b);
});

test("input shapes", () => {
  const unknown = (b: GraphDefBuilder): void => {
    b.placeholder("x", [-1, -1, 4, 3]);
    b.node("Relu", "y", ["x"]);
  };
  assert.match(
    codeOf(() => importGraph(unknown)),
    /MQ207 the model declares \[\?, \?, 4, 3\]/,
  );
  assert.match(
    codeOf(() => importGraph(unknown, { inputs: [{ name: "x", shape: [1, 2, 5, 3] }] })),
    /MQ208/,
  );
  assert.deepEqual(
    importGraph(unknown, { inputs: [{ name: "x", shape: [2, 2, 4, 3] }] }).tensors.get("y")?.shape,
    [2, 2, 4, 3],
  );
});

test("names that are not in the model", () => {
  assert.match(
    codeOf(() => importGraph(chain, { outputs: ["bb"] })),
    /MQ203/,
  );
  assert.match(
    codeOf(() => importGraph(chain, { inputs: [{ name: "y" }] })),
    /MQ203/,
  );
  const second = (b: GraphDefBuilder): void => {
    chain(b);
    b.placeholder("z", [1, 2]);
    b.node("Add", "sum", ["b", "z"]);
  };
  assert.match(
    codeOf(() => importGraph(second, { inputs: [{ name: "x" }], outputs: ["sum"] })),
    /MQ209/,
  );
});

test("all unsupported nodes are listed at once", () => {
  const result = codeOf(() =>
    importGraph((b) => {
      b.placeholder("x", [1, 2]);
      b.node("Foo", "foo", ["x"]);
      b.node("Bar", "bar", ["foo"]);
      b.node("Relu", "y", ["bar"]);
      b.node("Reshape", "z", ["x", "x"]);
    }),
  );
  assert.match(result, /MQ202[\s\S]*Foo 'foo'[\s\S]*Bar 'bar'[\s\S]*Reshape 'z': its shape/);
});

test("batch norm in training mode is refused", () => {
  const result = codeOf(() =>
    importGraph((b) => {
      b.placeholder("x", [1, 1, 1, 1]);
      b.constant("c", [1], Float32Array.of(1));
      b.node("FusedBatchNorm", "y", ["x", "c", "c", "c", "c"]);
    }),
  );
  assert.match(result, /is_training/);
});

/** Operator, attributes, further constant inputs behind the input x of the given shape, and the values expected of a ramp. */
const OPERATORS: readonly (readonly [
  string,
  Attributes,
  readonly number[],
  readonly number[],
  readonly (readonly [readonly number[], Float32Array | Int32Array])[],
  readonly number[],
])[] = [
  ["ResizeBilinear", { align_corners: { b: true } }, [1, 1, 2, 1], [0, 3], [[[2], Int32Array.of(1, 4)]], [0, 1, 2, 3]],
  [
    "ResizeBilinear",
    { half_pixel_centers: { b: true } },
    [1, 1, 2, 1],
    [0, 4],
    [[[2], Int32Array.of(1, 4)]],
    [0, 1, 3, 4],
  ],
  ["ResizeNearestNeighbor", {}, [1, 1, 2, 1], [1, 2], [[[2], Int32Array.of(1, 4)]], [1, 1, 2, 2]],
  ["ResizeBicubic", {}, [1, 1, 2, 1], [8, 0], [[[2], Int32Array.of(1, 2)]], [8, 0]],
  ["DepthToSpace", { block_size: { i: 2 } }, [1, 1, 1, 4], [1, 2, 3, 4], [], [1, 2, 3, 4]],
  ["SpaceToDepth", { block_size: { i: 2 } }, [1, 2, 2, 1], [1, 2, 3, 4], [], [1, 2, 3, 4]],
  ["ArgMax", {}, [2, 3], [1, 3, 2, 6, 5, 4], [[[], Int32Array.of(1)]], [1, 0]],
  ["ArgMin", {}, [2, 3], [1, 3, 2, 6, 5, 4], [[[], Int32Array.of(0)]], [0, 0, 0]],
  ["Cumsum", { reverse: { b: true } }, [3], [1, 2, 4], [[[], Int32Array.of(0)]], [7, 6, 4]],
  ["ReverseV2", {}, [1, 3], [1, 2, 4], [[[1], Int32Array.of(-1)]], [4, 2, 1]],
  ["Tile", {}, [2], [1, 2], [[[1], Int32Array.of(2)]], [1, 2, 1, 2]],
  ["BroadcastTo", {}, [2], [1, 2], [[[2], Int32Array.of(2, 2)]], [1, 2, 1, 2]],
  ["Gather", {}, [3, 1], [5, 6, 7], [[[2], Int32Array.of(2, 0)]], [7, 5]],
  ["FloorDiv", {}, [2], [-3, 3], [[[], Float32Array.of(2)]], [-2, 1]],
  ["FloorMod", {}, [4], [7, -7, 5.5, -0.5], [[[], Float32Array.of(3)]], [1, 2, 2.5, 2.5]],
  ["Greater", {}, [3], [1, 2, 3], [[[], Float32Array.of(2)]], [0, 0, 1]],
  ["NotEqual", {}, [3], [1, 2, 3], [[[], Float32Array.of(2)]], [1, 0, 1]],
  ["Sign", {}, [3], [-2, 0, 3], [], [-1, 0, 1]],
  ["Log", {}, [1], [1], [], [0]],
  ["Floor", {}, [2], [-1.5, 1.5], [], [-2, 1]],
  ["Rint", {}, [3], [-1.5, 0.5, 1.2], [], [-2, 0, 1]],
  ["Square", {}, [2], [-3, 2], [], [9, 4]],
  ["Erf", {}, [1], [0], [], [0]],
  ["Softplus", {}, [1], [0], [], [Math.LN2]],
  ["Selu", {}, [2], [0, 1], [], [0, 1.0507009873554805]],
  ["ZerosLike", {}, [2], [3, 4], [], [0, 0]],
  [
    "BatchMatMul",
    { adj_y: { b: true } },
    [1, 1, 2],
    [1, 2],
    [[[1, 2, 2], Float32Array.of(1, 10, 100, 1000)]],
    [21, 2100],
  ],
  ["BatchMatMulV2", {}, [2, 1, 2], [1, 2, 3, 4], [[[2, 1], Float32Array.of(10, 1)]], [12, 34]],
  ["BiasAddV1", {}, [1, 2], [1, 2], [[[2], Float32Array.of(10, 20)]], [11, 22]],
  [
    "FusedBatchNormV2",
    { is_training: { b: false }, epsilon: { f: 1 } },
    [1, 1, 1, 2],
    [5, 7],
    // Scale, offset, mean, variance: (5 - 1) / 2 * 3 + 0.5, (7 - 2) / 3 * 6 - 1.
    [
      [[2], Float32Array.of(3, 6)],
      [[2], Float32Array.of(0.5, -1)],
      [[2], Float32Array.of(1, 2)],
      [[2], Float32Array.of(3, 8)],
    ],
    [6.5, 9],
  ],
  [
    "BatchNormWithGlobalNormalization",
    { variance_epsilon: { f: 1 }, scale_after_normalization: { b: true } },
    [1, 1, 1, 2],
    [5, 7],
    // Mean, variance, offset, scale.
    [
      [[2], Float32Array.of(1, 2)],
      [[2], Float32Array.of(3, 8)],
      [[2], Float32Array.of(0.5, -1)],
      [[2], Float32Array.of(3, 6)],
    ],
    [6.5, 9],
  ],
  ["RealDiv", {}, [2], [3, -9], [[[], Float32Array.of(2)]], [1.5, -4.5]],
  ["Div", {}, [2], [3, -9], [[[2], Float32Array.of(2, 3)]], [1.5, -3]],
  ["Maximum", {}, [3], [-1, 0.5, 2], [[[], Float32Array.of(1)]], [1, 1, 2]],
  ["Minimum", {}, [3], [-1, 0.5, 2], [[[], Float32Array.of(1)]], [-1, 0.5, 1]],
  ["SquaredDifference", {}, [2], [1, 5], [[[], Float32Array.of(3)]], [4, 4]],
  ["Pow", {}, [2], [2, 9], [[[2], Float32Array.of(3, 0.5)]], [8, 3]],
  ["GreaterEqual", {}, [3], [1, 2, 3], [[[], Float32Array.of(2)]], [0, 1, 1]],
  ["LessEqual", {}, [3], [1, 2, 3], [[[], Float32Array.of(2)]], [1, 1, 0]],
  ["Equal", {}, [3], [1, 2, 3], [[[], Float32Array.of(2)]], [0, 1, 0]],
  ["Elu", {}, [2], [-1, 2], [], [Math.exp(-1) - 1, 2]],
  ["LeakyRelu", { alpha: { f: 0.25 } }, [2], [-1, 2], [], [-0.25, 2]],
  ["Exp", {}, [2], [0, 1], [], [1, Math.E]],
  ["Sqrt", {}, [2], [4, 0.25], [], [2, 0.5]],
  ["Abs", {}, [2], [-4, 0.25], [], [4, 0.25]],
  ["Neg", {}, [2], [-4, 0.25], [], [4, -0.25]],
  ["Reciprocal", {}, [2], [-4, 0.25], [], [-0.25, 4]],
  ["Inv", {}, [2], [-4, 0.25], [], [-0.25, 4]],
  [
    "ClipByValue",
    {},
    [3],
    [-4, 0.25, 3],
    [
      [[], Float32Array.of(-1)],
      [[], Float32Array.of(2)],
    ],
    [-1, 0.25, 2],
  ],
  ["Ceil", {}, [2], [-1.5, 1.2], [], [-1, 2]],
  ["Round", {}, [3], [-1.5, 0.5, 2.5], [], [-2, 0, 2]],
  ["OnesLike", {}, [2], [3, 4], [], [1, 1]],
  ["Softmax", {}, [1, 2], [0, Math.log(3)], [], [0.25, 0.75]],
  ["LogSoftmax", {}, [1, 2], [0, Math.log(3)], [], [Math.log(0.25), Math.log(0.75)]],
  ["Max", {}, [2, 2], [1, 4, 3, 2], [[[1], Int32Array.of(0)]], [3, 4]],
  ["Min", { keep_dims: { b: true } }, [2, 2], [1, 4, 3, 2], [[[1], Int32Array.of(-1)]], [1, 2]],
  ["Sum", {}, [2, 2], [1, 4, 3, 2], [[[2], Int32Array.of(0, 1)]], [10]],
  ["Prod", {}, [2, 2], [1, 4, 3, 2], [[[1], Int32Array.of(1)]], [4, 6]],
  [
    "PadV2",
    {},
    [2],
    [1, 2],
    [
      [[1, 2], Int32Array.of(1, 2)],
      [[], Float32Array.of(7)],
    ],
    [7, 1, 2, 7, 7],
  ],
  ["Stack", { N: { i: 2 }, axis: { i: 1 } }, [2], [1, 2], [[[2], Float32Array.of(8, 9)]], [1, 8, 2, 9]],
  ["Unstack", { num: { i: 2 }, axis: { i: 1 } }, [2, 2], [1, 2, 3, 4], [], [1, 3]],
  ["PlaceholderWithDefault", {}, [2], [1, 2], [], [1, 2]],
  ["IdentityN", {}, [2], [1, 2], [[[1], Float32Array.of(9)]], [1, 2]],
  ["Snapshot", {}, [2], [1, 2], [], [1, 2]],
  ["StopGradient", {}, [2], [1, 2], [], [1, 2]],
  ["PreventGradient", {}, [2], [1, 2], [], [1, 2]],
  ["CheckNumerics", {}, [2], [1, 2], [], [1, 2]],
  ["EnsureShape", {}, [2], [1, 2], [], [1, 2]],
  [
    "ExtractImagePatches",
    {
      ksizes: intsAttribute([1, 1, 2, 1]),
      strides: intsAttribute([1, 1, 1, 1]),
      rates: intsAttribute([1, 1, 1, 1]),
      padding: stringAttribute("VALID"),
    },
    [1, 1, 3, 1],
    [1, 2, 3],
    [],
    [1, 2, 2, 3],
  ],
];

for (const [op, attributes, shape, x, others, expected] of OPERATORS) {
  test(`${op} ${JSON.stringify(attributes)} at run time`, () => {
    const graph = importGraph(
      (b) => {
        b.placeholder("x", [...shape]);
        for (const [i, [dims, data]] of others.entries()) b.constant(`c${i}`, [...dims], data);
        b.node(op, "y", ["x", ...others.map((_, i) => `c${i}`)], attributes);
      },
      { outputs: ["y"] },
    );
    const feeds = new Map([["x", Float32Array.from(x)]]);
    const first = (): ConstantData => runModel(graph, feeds).get("y") ?? new Float32Array(0);
    assert.ok(first() instanceof Float32Array, "buffers are float32");
    assert.ok(greatestDifference(first(), expected) < 1e-6, `${first()}`);
    optimize(graph);
    assert.ok(greatestDifference(first(), expected) < 1e-6, `${first()}`);
  });
}

test("truth values are combined, and choose", () => {
  const graph = importGraph(
    (b) => {
      b.placeholder("x", [4]);
      b.constant("zero", [], Float32Array.of(0));
      b.constant("two", [], Float32Array.of(2));
      b.node("Greater", "positive", ["x", "zero"]);
      b.node("Less", "small", ["x", "two"]);
      b.node("LogicalAnd", "both", ["positive", "small"]);
      b.node("LogicalNot", "large", ["small"]);
      b.node("LogicalOr", "either", ["both", "large"]);
      b.node("SelectV2", "y", ["both", "two", "x"]);
    },
    { outputs: ["both", "large", "either", "y"] },
  );
  const results = runModel(graph, new Map([["x", Float32Array.of(-1, 1, 2, 0)]]));
  const wanted = { both: [0, 1, 0, 0], large: [0, 0, 1, 0], either: [0, 1, 1, 0], y: [-1, 2, 2, 0] };
  for (const [name, values] of Object.entries(wanted)) assert.deepEqual([...(results.get(name) ?? [])], values, name);
});

test("what a shape says is constant", () => {
  const graph = importGraph(
    (b) => {
      b.placeholder("x", [2, 3]);
      b.node("ShapeN", "shapes", ["x"], { N: { i: 1 } });
      b.node("Rank", "rank", ["x"]);
      b.node("Size", "size", ["x"]);
      for (const name of ["shapes", "rank", "size"]) {
        b.node("Cast", `${name}/float`, [name], { DstT: typeAttribute(DataType.DT_FLOAT) });
      }
      b.node("Add", "sum", ["rank/float", "size/float"]);
      b.node("Add", "y", ["sum", "shapes/float"]);
      b.constant("axis", [1], Int32Array.of(0));
      b.node("Mean", "mean", ["x", "axis"]);
    },
    { outputs: ["y", "mean"] },
  );
  const results = runModel(graph, new Map([["x", new Float32Array(6)]]));
  assert.deepEqual([...(results.get("y") ?? [])], [10, 11]);
});

test("choices, casts and one-hot rows at run time", () => {
  const graph = importGraph(
    (b) => {
      b.placeholder("x", [2, 2]);
      b.constant("zero", [], Float32Array.of(0));
      b.constant("nine", [2, 2], Float32Array.of(9, 9, 9, 9));
      b.node("Less", "negative", ["x", "zero"]);
      b.node("Select", "chosen", ["negative", "nine", "x"]);
      b.node("Cast", "whole", ["chosen"], { DstT: typeAttribute(DataType.DT_INT32) });
      b.constant("depth", [], Int32Array.of(3));
      b.constant("on", [], Float32Array.of(1));
      b.node("OneHot", "rows", ["whole", "depth", "on", "zero"], { axis: { i: -1 } });
      b.node("Cast", "back", ["whole"], { DstT: typeAttribute(DataType.DT_FLOAT) });
    },
    { outputs: ["back", "rows"] },
  );
  const results = runModel(graph, new Map([["x", Float32Array.of(-1, 0.5, 1.9, 2)]]));
  assert.deepEqual([...(results.get("back") ?? [])], [9, 0, 1, 2]);
  assert.deepEqual([...(results.get("rows") ?? [])], [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]);
});

test("a transposed convolution undoes the positions of a SAME convolution", () => {
  const graph = importGraph((b) => {
    b.placeholder("x", [1, 1, 2, 1]);
    b.constant("size", [4], Int32Array.of(1, 1, 3, 2));
    b.constant("w", [1, 2, 2, 1], Float32Array.of(1, 10, 2, 20));
    const attributes = { strides: intsAttribute([1, 1, 2, 1]), padding: stringAttribute("SAME") };
    b.node("Conv2DBackpropInput", "y", ["size", "w", "x"], attributes);
  });
  const [y] = [...runModel(graph, new Map([["x", Float32Array.of(1, 3)]])).values()];
  // Of the windows at 0 and 2, the second's last cell lies in the padding.
  assert.deepEqual([...(y ?? [])], [1, 10, 2, 20, 3, 30]);
});

test("an integer input is a float32 buffer", () => {
  const graph = importGraph((b) => {
    b.node("Placeholder", "x", [], {
      dtype: typeAttribute(DataType.DT_UINT8),
      shape: { shape: { dim: [{ size: 2 }], unknownRank: false } },
    });
    b.node("Cast", "real", ["x"], { DstT: typeAttribute(DataType.DT_FLOAT) });
    b.node("Relu", "y", ["real"]);
  });
  assert.deepEqual(types(graph), ["Activation"]);
});

test("every operator of the table is tested", () => {
  const source = fs.readFileSync(__filename, "utf8");
  // The builder of graphs writes these.
  const built = ["Const", "Placeholder"];
  const missing = Object.keys(TENSORFLOW_OPERATORS).filter((op) => !built.includes(op) && !source.includes(`"${op}"`));
  assert.deepEqual(missing, []);
});
