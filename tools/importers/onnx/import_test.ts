import * as assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../../diagnostics/diagnostic";
import type { Graph } from "../../ir/graph";
import { optimize } from "../../passes/pipeline";
import { TensorProto, TensorProto_DataType } from "../../schema/onnx";
import type { ImportOptions } from "../options";
import { int64s, type ModelSpec, model, node, tensor } from "../testing/onnx-builder";
import { greatestDifference, runModel } from "../testing/run-model";
import { importOnnx } from "./import";

function importModel(spec: ModelSpec, options: Partial<ImportOptions> = {}): Graph {
  return importOnnx(model(spec), { file: "test.onnx", name: "test", ...options });
}

const ramp = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => ((i * 7) % 11) * 0.1 - 0.4);
const types = (graph: Graph): string[] => graph.nodes.map((entry) => entry.type);

interface Single extends Omit<ModelSpec, "outputs" | "inputs"> {
  readonly name: string;
  readonly shape: readonly number[];
  readonly x: readonly number[];
  readonly expected: readonly number[];
  /** Canonical operators before the passes. */
  readonly types?: readonly string[];
}

/** One operator or a few, with the input x in ONNX's order and the output y. */
const SINGLES: readonly Single[] = [
  {
    name: "Flatten of an image of one pixel needs no transpose",
    shape: [1, 2, 2, 2],
    x: [1, 2, 3, 4, 5, 6, 7, 8],
    nodes: [node("GlobalAveragePool", ["x"], ["g"]), node("Flatten", ["g"], ["y"])],
    expected: [2.5, 6.5],
    types: ["Reduce", "Reshape"],
  },
  {
    name: "Flatten of a larger image does",
    shape: [1, 2, 1, 2],
    x: [-1, 2, 3, 4],
    nodes: [node("MaxPool", ["x"], ["p"], { kernel_shape: [1, 1] }), node("Flatten", ["p"], ["y"])],
    expected: [-1, 2, 3, 4],
    types: ["Pooling", "Transpose", "Reshape"],
  },
  {
    name: "Concat over channels and a constant per channel stay NHWC",
    shape: [1, 2, 1, 2],
    x: [1, 2, 3, 4],
    initializers: [tensor("c", [4, 1, 1], [10, 20, 30, 40])],
    nodes: [node("Concat", ["x", "x"], ["d"], { axis: 1 }), node("Add", ["d", "c"], ["y"])],
    expected: [11, 12, 23, 24, 31, 32, 43, 44],
    types: ["Concat", "Eltwise"],
  },
  {
    name: "a vector is aligned with the columns, not with the channels",
    shape: [1, 2, 1, 2],
    x: [1, 2, 3, 4],
    initializers: [tensor("c", [2], [10, 20])],
    nodes: [node("Add", ["x", "c"], ["y"])],
    expected: [11, 22, 13, 24],
  },
  {
    name: "before opset 7, a vector is aligned by an attribute",
    opset: 6,
    shape: [1, 2, 1, 2],
    x: [1, 2, 3, 4],
    initializers: [tensor("c", [2], [10, 20])],
    nodes: [node("Add", ["x", "c"], ["y"], { broadcast: 1, axis: 1 })],
    expected: [11, 12, 23, 24],
    types: ["Eltwise"],
  },
  {
    name: "Slice, Pad, Split and Reduce over the axes of NCHW",
    shape: [1, 2, 2, 3],
    x: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
    initializers: [
      int64s("starts", [1, -1]),
      int64s("ends", [2 ** 40, -(2 ** 40)]),
      int64s("axes", [3, 1]),
      int64s("steps", [1, -1]),
    ],
    nodes: [
      node("Slice", ["x", "starts", "ends", "axes", "steps"], ["s"]),
      node("Split", ["s"], ["a", "b"], { axis: 2 }),
      node("Pad", ["b"], ["p"], { pads: [0, 0, 0, 1, 0, 0, 0, 0] }),
      node("Sum", ["a", "a"], ["aa"]),
      node("ReduceSum", ["aa"], ["r"], { axes: [2, 3], keepdims: 0 }),
      node("ReduceMax", ["p"], ["m"], { axes: [2, 3], keepdims: 0 }),
      node("Concat", ["r", "m"], ["y"], { axis: -1 }),
    ],
    opset: 11,
    expected: [34, 10, 12, 6],
  },
  {
    name: "a reduction that would change the order of the axes left",
    shape: [1, 2, 2, 2],
    x: [1, 2, 3, 4, 5, 6, 7, 8],
    nodes: [node("ReduceMean", ["x"], ["y"], { axes: [2], keepdims: 0 })],
    expected: [2, 3, 6, 7],
  },
  {
    name: "Transpose to NHWC and Reshape cost nothing",
    shape: [1, 2, 1, 2],
    x: [1, 2, 3, 4],
    initializers: [int64s("s", [0, -1])],
    nodes: [
      node("Relu", ["x"], ["r"]),
      node("Transpose", ["r"], ["t"], { perm: [0, 2, 3, 1] }),
      node("Reshape", ["t", "s"], ["y"]),
    ],
    expected: [1, 3, 2, 4],
    types: ["Activation", "Reshape"],
  },
  {
    name: "Softmax before opset 13 runs over all axes from the one given",
    opset: 9,
    shape: [1, 2, 1, 2],
    x: [0, 0, 0, 0],
    nodes: [node("Softmax", ["x"], ["y"])],
    expected: [0.25, 0.25, 0.25, 0.25],
  },
  {
    name: "Softmax from opset 13 runs over one axis",
    shape: [1, 2, 1, 2],
    x: [0, 0, 0, 0],
    nodes: [node("Softmax", ["x"], ["y"], { axis: 1 })],
    expected: [0.5, 0.5, 0.5, 0.5],
    types: ["Softmax"],
  },
  {
    name: "a depthwise convolution with a multiplier",
    shape: [1, 2, 1, 1],
    x: [2, 3],
    initializers: [tensor("w", [4, 1, 1, 1], [1, 2, 3, 4]), tensor("b", [4], [1, 1, 1, 1])],
    nodes: [node("Conv", ["x", "w", "b"], ["y"], { group: 2 })],
    expected: [3, 5, 10, 13],
    types: ["DepthwiseConv2d"],
  },
  {
    name: "Gemm with all its attributes",
    shape: [2, 1],
    x: [1, 2],
    initializers: [tensor("b", [2, 2], [1, 2, 3, 4]), tensor("c", [1, 2], [10, 20])],
    nodes: [node("Gemm", ["x", "b", "c"], ["y"], { transA: 1, transB: 1, alpha: 0.5, beta: 0.25 })],
    expected: [5, 10.5],
    types: ["Transpose", "FullyConnected"],
  },
  {
    name: "PRelu per channel",
    shape: [1, 2, 1, 2],
    x: [-1, 1, -2, 2],
    initializers: [tensor("slope", [2, 1, 1], [0.5, 0.25])],
    nodes: [node("PRelu", ["x", "slope"], ["y"])],
    expected: [-0.5, 1, -0.5, 2],
    types: ["Activation"],
  },
  {
    name: "Clip by inputs and by attributes",
    shape: [3],
    x: [-2, 0.5, 9],
    initializers: [tensor("low", [], [-1])],
    nodes: [node("Clip", ["x", "low"], ["a"]), node("Clip", ["a", "", "high"], ["y"])],
    expected: [-1, 0.5, 6],
  },
  {
    name: "shape arithmetic: Shape, Gather, Mul, Unsqueeze, Concat, Reshape",
    shape: [2, 3],
    x: [1, 2, 3, 4, 5, 6],
    initializers: [
      TensorProto.fromPartial({ ...int64s("zero", [0]), dims: [] }),
      TensorProto.fromPartial({ ...int64s("one", [1]), dims: [] }),
      int64s("axes", [0]),
    ],
    nodes: [
      node("Shape", ["x"], ["s"]),
      node("Gather", ["s", "zero"], ["rows"]),
      node("Gather", ["s", "one"], ["columns"]),
      node("Mul", ["rows", "columns"], ["all"]),
      node("Unsqueeze", ["all", "axes"], ["list"]),
      node("Concat", ["list", "axes1"], ["shape"], { axis: 0 }),
      node("Reshape", ["x", "shape"], ["y"]),
    ],
    expected: [1, 2, 3, 4, 5, 6],
    types: ["Reshape"],
  },
  {
    name: "InstanceNormalization",
    shape: [1, 1, 1, 2],
    x: [1, 3],
    initializers: [tensor("s", [1], [2]), tensor("b", [1], [1])],
    nodes: [node("InstanceNormalization", ["x", "s", "b"], ["y"], { epsilon: 1e-9 })],
    expected: [-1, 3],
  },
];

for (const single of SINGLES) {
  test(single.name, () => {
    const more = [tensor("high", [], [6]), int64s("axes1", [1])];
    const graph = importModel({
      ...single,
      initializers: [...(single.initializers ?? []), ...more],
      inputs: { x: single.shape },
      outputs: ["y"],
    });
    if (single.types) assert.deepEqual(types(graph), single.types);
    const check = (): void => {
      const [result] = runModel(graph, new Map([["x", Float32Array.from(single.x)]])).values();
      assert.ok(greatestDifference(result ?? [], single.expected) < 1e-5, `${result}`);
    };
    check();
    optimize(graph, { checkPasses: true });
    check();
  });
}

test("a chain of image operators has no transposes", () => {
  const graph = importModel({
    inputs: { x: [null, 3, 8, 8] },
    outputs: ["y"],
    initializers: [
      tensor("w", [4, 3, 3, 3], ramp(108)),
      tensor("v", [4, 1, 3, 3], ramp(36)),
      ...["s", "o", "m", "q"].map((name) => tensor(name, [4], [1, 2, 3, 4])),
      tensor("low", [], [0]),
      tensor("high", [], [6]),
    ],
    nodes: [
      node("Conv", ["x", "w"], ["c"], { pads: [1, 1, 1, 1], strides: [2, 2] }),
      node("BatchNormalization", ["c", "s", "o", "m", "q"], ["n"]),
      node("Clip", ["n", "low", "high"], ["r"]),
      node("Conv", ["r", "v"], ["d"], { group: 4, auto_pad: "SAME_LOWER" }),
      node("Add", ["d", "r"], ["e"]),
      node("HardSigmoid", ["e"], ["h"], { alpha: 1 / 6 }),
      node("Mul", ["e", "h"], ["hs"]),
      node("AveragePool", ["hs"], ["y"], { kernel_shape: [3, 3], ceil_mode: 1, strides: [2, 2] }),
    ],
  });
  optimize(graph, { checkPasses: true });
  assert.deepEqual(types(graph), ["Conv2D", "DepthwiseConv2d", "Eltwise", "Activation", "Pooling"]);
  assert.equal(graph.nodes[0]?.attributes.activation, "RELUX");
  assert.deepEqual(graph.inputs, [{ tensor: "x", format: "NCHW" }]);
  assert.deepEqual(graph.outputs, [{ tensor: "y", format: "NCHW" }]);
});

test("float16 weights and weights in another file", () => {
  const half = TensorProto.fromPartial({
    name: "a",
    dims: [2],
    dataType: TensorProto_DataType.FLOAT16,
    rawData: Uint8Array.of(0x00, 0x3c, 0x00, 0xc0),
  });
  const external = TensorProto.fromPartial({
    name: "b",
    dims: [2],
    dataType: TensorProto_DataType.FLOAT,
    dataLocation: 1,
    externalData: [
      { key: "location", value: "weights.bin" },
      { key: "offset", value: "4" },
      { key: "length", value: "8" },
    ],
  });
  const spec: ModelSpec = {
    inputs: { x: [2] },
    outputs: ["y"],
    initializers: [half, external],
    nodes: [node("Mul", ["x", "a"], ["m"]), node("Add", ["m", "b"], ["y"])],
  };
  const externalData = (location: string): Uint8Array => {
    assert.equal(location, "weights.bin");
    return new Uint8Array(Float32Array.of(9, 10, 20).buffer);
  };
  const [result] = runModel(importModel(spec, { externalData }), new Map([["x", Float32Array.of(1, 1)]])).values();
  assert.deepEqual([...(result ?? [])], [11, 18]);
  assert.throws(
    () => importModel(spec),
    (error) => error instanceof UserError && error.diagnostics[0]?.code === "MQ215",
  );
});

test("pairs of QuantizeLinear and DequantizeLinear become ranges", () => {
  const codes = TensorProto.fromPartial({
    name: "codes",
    dims: [2],
    dataType: TensorProto_DataType.INT8,
    rawData: Uint8Array.of(2, 0xfe),
  });
  const zero = TensorProto.fromPartial({
    name: "z",
    dims: [],
    dataType: TensorProto_DataType.UINT8,
    rawData: Uint8Array.of(128),
  });
  const graph = importModel({
    inputs: { x: [2] },
    outputs: ["y"],
    initializers: [codes, zero, tensor("s", [], [0.5])],
    nodes: [
      node("QuantizeLinear", ["x", "s", "z"], ["q"]),
      node("DequantizeLinear", ["q", "s", "z"], ["d"]),
      node("DequantizeLinear", ["codes", "s"], ["w"]),
      node("Mul", ["d", "w"], ["y"]),
    ],
  });
  assert.deepEqual(types(graph), ["Eltwise"]);
  assert.deepEqual(graph.tensors.get("x")?.range, { min: -64, max: 63.5, source: "trained", reason: "q" });
  assert.deepEqual([...(graph.tensors.get("w")?.data ?? [])], [1, -1]);
});

const relu: ModelSpec = { inputs: { x: [1, 3, 4, 5] }, outputs: ["y"], nodes: [node("Relu", ["x"], ["y"])] };

test("the caller chooses the format of the buffers", () => {
  const shapeOf = (graph: Graph): readonly number[] | undefined => graph.tensors.get("x")?.shape;
  const nhwc = importModel(relu, { inputs: [{ name: "x", shape: [1, 4, 5, 3], format: "NHWC" }] });
  assert.deepEqual([shapeOf(nhwc), nhwc.inputs[0]?.format], [[1, 4, 5, 3], "NHWC"]);
  const nchw = importModel(relu, {
    inputs: [{ name: "x", shape: [1, 3, 4, 5], format: "NCHW", range: [0, 1], alias: "image" }],
  });
  assert.deepEqual(nchw.inputs, [{ tensor: "x", format: "NCHW", alias: "image", declaredRange: [0, 1] }]);
  const none = importModel(relu, { inputs: [{ name: "x", format: "NONE" }] });
  assert.deepEqual([shapeOf(none), none.inputs[0]?.format], [[1, 3, 4, 5], "NONE"]);
});

test("an input that the model turns into NCHW itself is NHWC", () => {
  const graph = importModel({
    inputs: { x: [1, 4, 4, 1] },
    outputs: ["y"],
    initializers: [tensor("w", [1, 1, 2, 2], [1, 2, 3, 4])],
    nodes: [node("Transpose", ["x"], ["t"], { perm: [0, 3, 1, 2] }), node("Conv", ["t", "w"], ["y"])],
  });
  assert.deepEqual(types(graph), ["Conv2D"]);
  assert.deepEqual(graph.inputs, [{ tensor: "x", format: "NHWC" }]);
});

test("any part of a model can be taken", () => {
  const spec: ModelSpec = {
    inputs: { x: [1, 2] },
    outputs: ["z"],
    nodes: [node("Foo", ["x"], ["y"]), node("Tanh", ["y"], ["z"]), node("Bar", ["z"], ["u"])],
  };
  const graph = importModel(spec, { inputs: [{ name: "y", shape: [1, 2] }], outputs: ["z"] });
  assert.deepEqual(types(graph), ["Activation"]);
});

test("all unsupported nodes are listed at once", () => {
  const spec: ModelSpec = {
    inputs: { x: [1, 2, 3] },
    outputs: ["u"],
    nodes: [
      node("Foo", ["x"], ["y"]),
      node("Bar", ["y"], ["z"]),
      node("GlobalAveragePool", ["x"], ["g"]),
      node("Floor", ["x"], ["f"]),
      node("Sum", ["z", "g", "f"], ["u"]),
    ],
  };
  assert.throws(
    () => importModel(spec),
    (error) => {
      assert.ok(error instanceof UserError);
      const [first] = error.diagnostics;
      assert.equal(first?.code, "MQ202");
      assert.match(first?.cause ?? "", /Foo 'y'[\s\S]*Bar 'z'[\s\S]*Floor 'f': it is supported on constants only/);
      return true;
    },
  );
});
