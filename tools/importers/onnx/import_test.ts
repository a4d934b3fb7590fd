import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import { UserError } from "../../diagnostics/diagnostic";
import type { Graph } from "../../ir/graph";
import { optimize } from "../../passes/pipeline";
import { type NodeProto, TensorProto, TensorProto_DataType } from "../../schema/onnx";
import type { ExternalFile, ImportOptions } from "../options";
import { branch, int64s, type ModelSpec, model, node, tensor } from "../testing/onnx-builder";
import { greatestDifference, runModel } from "../testing/run-model";
import { importOnnx } from "./import";
import { ONNX_OPERATORS } from "./op-table";
import { MICROSOFT_OPERATORS } from "./quantized-table";

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
    name: "Upsample of the older operator sets",
    opset: 9,
    shape: [1, 1, 1, 2],
    x: [1, 2],
    initializers: [tensor("s", [4], [1, 1, 1, 2])],
    nodes: [node("Upsample", ["x", "s"], ["y"])],
    expected: [1, 1, 2, 2],
    types: ["ResizeNearestNeighbor"],
  },
  {
    name: "Resize of rows and columns that come first",
    shape: [1, 2, 1, 2],
    x: [0, 1, 4, 5],
    initializers: [tensor("s", [4], [1, 2, 1, 1])],
    nodes: [node("Resize", ["x", "", "s"], ["y"], { mode: "linear", coordinate_transformation_mode: "align_corners" })],
    expected: [0, 1, 4 / 3, 7 / 3, 8 / 3, 11 / 3, 4, 5],
  },
  {
    name: "Resize of one spatial axis",
    shape: [1, 1, 2],
    x: [8, 0],
    initializers: [tensor("s", [3], [1, 1, 2])],
    nodes: [node("Resize", ["x", "", "s"], ["y"], { mode: "cubic", coordinate_transformation_mode: "asymmetric" })],
    expected: [8, 4, 0, -0.75],
  },
  {
    name: "a transposed convolution of one spatial axis",
    shape: [1, 2, 2],
    x: [1, 2, 3, 4],
    initializers: [tensor("w", [2, 1, 2], [1, 10, 1, 20])],
    nodes: [node("ConvTranspose", ["x", "w"], ["y"], { group: 2, strides: [2], output_padding: [1] })],
    expected: [1, 10, 2, 20, 0, 3, 60, 4, 80, 0],
  },
  {
    name: "LayerNormalization over the last two axes",
    shape: [2, 1, 2],
    x: [1, 3, 6, 6],
    initializers: [tensor("s", [1, 2], [1, 10]), tensor("b", [1, 2], [0, 1])],
    nodes: [node("LayerNormalization", ["x", "s", "b"], ["y"], { axis: 1, epsilon: 1e-12 })],
    expected: [-1, 11, 0, 1],
    types: ["MVN", "Eltwise", "Eltwise"],
  },
  {
    name: "GroupNormalization with a number per group",
    opset: 18,
    shape: [1, 4, 1, 1],
    x: [1, 3, 5, 7],
    initializers: [tensor("s", [2], [1, 10]), tensor("b", [2], [0, 1])],
    nodes: [node("GroupNormalization", ["x", "s", "b"], ["y"], { num_groups: 2, epsilon: 1e-12 })],
    expected: [-1, 1, -9, 11],
  },
  {
    name: "LpNormalization",
    shape: [1, 2, 1, 2],
    x: [3, 0, 4, 0],
    nodes: [node("LpNormalization", ["x"], ["y"], { axis: 1 })],
    expected: [0.6, 0, 0.8, 0],
    types: ["LpNorm"],
  },
  {
    name: "reductions of functions",
    shape: [2, 2],
    x: [1, -2, 3, 4],
    nodes: [
      node("ReduceL1", ["x"], ["a"], { axes: [1] }),
      node("ReduceL2", ["x"], ["b"], { axes: [1] }),
      node("ReduceSumSquare", ["x"], ["c"], { axes: [1] }),
      node("ReduceLogSumExp", ["x"], ["d"], { axes: [1] }),
      node("Concat", ["a", "b", "c", "d"], ["y"], { axis: 1 }),
    ],
    expected: [3, Math.sqrt(5), 5, Math.log(Math.exp(1) + Math.exp(-2)), 7, 5, 25, Math.log(Math.exp(3) + Math.exp(4))],
  },
  {
    name: "functions of one variable",
    shape: [1, 2],
    x: [-2, 2],
    nodes: [
      node("Selu", ["x"], ["a"]),
      node("Celu", ["x"], ["b"], { alpha: 0.5 }),
      node("ThresholdedRelu", ["x"], ["c"], { alpha: 1.5 }),
      node("Softsign", ["x"], ["d"]),
      node("Mish", ["x"], ["e"]),
      node("Concat", ["a", "b", "c", "d", "e"], ["y"], { axis: 0 }),
    ],
    expected: [
      1.0507009873554805 * 1.6732632423543772 * Math.expm1(-2),
      1.0507009873554805 * 2,
      0.5 * Math.expm1(-4),
      2,
      0,
      2,
      -2 / 3,
      2 / 3,
      -2 * Math.tanh(Math.log1p(Math.exp(-2))),
      2 * Math.tanh(Math.log1p(Math.exp(2))),
    ],
  },
  {
    name: "comparisons, logic, choice and one-hot rows",
    shape: [1, 3],
    x: [-1, 0, 2],
    initializers: [tensor("zero", [], [0]), int64s("depth", [3]), tensor("values", [2], [0, 1])],
    nodes: [
      node("Less", ["x", "zero"], ["negative"]),
      node("Equal", ["x", "zero"], ["null"]),
      node("Or", ["negative", "null"], ["either"]),
      node("Not", ["either"], ["positive"]),
      node("Where", ["positive", "x", "zero"], ["chosen"]),
      node("OneHot", ["x", "depth", "values"], ["rows"]),
      node("Flatten", ["rows"], ["flat"]),
      node("Concat", ["chosen", "flat"], ["y"], { axis: 1 }),
    ],
    expected: [0, 0, 2, 0, 0, 1, 1, 0, 0, 0, 0, 1],
  },
  {
    name: "indices of greatest elements choose rows",
    shape: [2, 2],
    x: [1, 3, 7, 5],
    nodes: [node("ArgMax", ["x"], ["i"], { axis: 1 }), node("GatherElements", ["x", "i"], ["y"], { axis: 1 })],
    expected: [3, 7],
  },
  {
    name: "CumSum, Expand and Tile",
    shape: [1, 2],
    x: [1, 2],
    initializers: [int64s("axis", [1]), int64s("shape", [2, 1]), int64s("repeats", [1, 2])],
    nodes: [
      node("CumSum", ["x", "axis"], ["c"], { exclusive: 1 }),
      node("Expand", ["c", "shape"], ["e"]),
      node("Tile", ["e", "repeats"], ["y"]),
    ],
    expected: [0, 1, 0, 1, 0, 1, 0, 1],
  },
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
  const externalData = (location: string): ExternalFile => {
    assert.equal(location, "weights.bin");
    const bytes = new Uint8Array(Float32Array.of(9, 10, 20).buffer);
    return { size: bytes.length, read: (offset, length) => bytes.slice(offset, offset + length) };
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
  const grid = { type: "uint8", scales: [0.5], zeroPoint: 128, axis: null, qmin: 0, qmax: 255 };
  assert.deepEqual(graph.tensors.get("x")?.trained, grid);
  assert.deepEqual([...(graph.tensors.get("w")?.data ?? [])], [1, -1]);
  assert.equal(graph.tensors.get("w")?.trained?.type, "int8");
});

const bytes = (
  name: string,
  dims: readonly number[],
  type: "BOOL" | "INT8" | "UINT8" | "INT32",
  values: readonly number[],
) =>
  TensorProto.fromPartial({
    name,
    dims: [...dims],
    dataType: TensorProto_DataType[type],
    rawData: type === "INT32" ? new Uint8Array(Int32Array.from(values).buffer) : Uint8Array.from(values),
  });

test("a grid that begins at zero clamps what a layer without activation computes", () => {
  const sum = (zeroPoint: number, rest: readonly NodeProto[], outputs: readonly string[]): Graph =>
    importModel({
      inputs: { x: [3] },
      outputs: [...outputs],
      initializers: [tensor("one", [], [1]), bytes("zp", [], "UINT8", [zeroPoint]), tensor("s", [], [0.5])],
      nodes: [
        node("Add", ["x", "one"], ["sum"]),
        node("QuantizeLinear", ["sum", "s", "zp"], ["q"]),
        node("DequantizeLinear", ["q", "s", "zp"], ["d"]),
        ...rest,
      ],
    });
  const values = (graph: Graph, name: string): number[] => [
    ...(runModel(graph, new Map([["x", Float32Array.of(-3, 1, 200)]])).get(name) ?? []),
  ];
  const twice = [node("Add", ["d", "d"], ["y"])];
  const clamped = sum(0, twice, ["y"]);
  assert.deepEqual(values(clamped, "y"), [0, 4, 255]);
  optimize(clamped, { checkPasses: true });
  assert.deepEqual(types(clamped), ["Eltwise", "Eltwise"]);
  assert.equal(clamped.nodes[0]?.attributes.activation, "RELUX");
  const grid = clamped.tensors.get(clamped.nodes[0]?.outputs[0] ?? "")?.trained;
  assert.deepEqual([grid?.scales, grid?.zeroPoint], [[0.5], 0]);
  // Who reads the values before they become codes gets all of them.
  const both = sum(0, [...twice, node("Neg", ["sum"], ["z"])], ["y", "z"]);
  optimize(both);
  assert.deepEqual(
    [values(both, "y"), values(both, "z")],
    [
      [0, 4, 255],
      [2, -2, -201],
    ],
  );
  // Any other grid is a rounding, which the float graph does not have.
  assert.deepEqual(values(sum(1, twice, ["y"]), "y"), [-4, 4, 402]);
});

test("codes of a filter are exact, per output channel, in either kind of convolution", () => {
  const filter = (dims: readonly number[], group: number): Graph => {
    const graph = importModel({
      inputs: { x: [1, 2, 1, 2] },
      outputs: ["y"],
      initializers: [
        bytes("q", dims, "INT8", [127, 255, 64, 128]),
        tensor("s", [2], [0.1, 0.3]),
        bytes("z", [2], "INT8", [0, 0]),
      ],
      nodes: [
        node("DequantizeLinear", ["q", "s", "z"], ["w"], { axis: 0 }),
        node("Conv", ["x", "w"], ["y"], { group }),
      ],
    });
    optimize(graph);
    return graph;
  };
  const scales = [Math.fround(0.1), Math.fround(0.3)];
  const grid = { type: "int8", scales, zeroPoint: 0, qmin: -128, qmax: 127 };
  const plain = filter([2, 2, 1, 1], 1).tensors.get("w");
  assert.deepEqual(plain?.trained, { ...grid, axis: 0 });
  assert.deepEqual(
    [...(plain?.data ?? [])],
    [127, -1, 64, -128].map((code, i) => Math.fround(code * (scales[i >> 1] ?? 0))),
  );
  // [O, 1, H, W] becomes [H, W, C, M], whose channels are axis 2.
  const depthwise = filter([2, 1, 1, 2], 2).tensors.get("w");
  assert.deepEqual([depthwise?.shape, depthwise?.trained], [[1, 2, 2, 1], { ...grid, axis: 2 }]);
});

test("a network of QLinear operators computes with the values, and ends in the codes", () => {
  const spec: ModelSpec = {
    inputs: { x: [1, 1, 1, 2] },
    outputs: ["y"],
    initializers: [
      tensor("sx", [], [0.5]),
      bytes("zx", [], "UINT8", [10]),
      bytes("w", [2, 1, 1, 1], "INT8", [2, 254]),
      tensor("sw", [2], [0.5, 0.25]),
      bytes("zw", [2], "INT8", [0, 0]),
      tensor("sy", [], [0.25]),
      bytes("zy", [], "UINT8", [100]),
      bytes("b", [2], "INT32", [4, 8]),
    ],
    nodes: [
      node("QuantizeLinear", ["x", "sx", "zx"], ["xq"]),
      node("QLinearConv", ["xq", "sx", "zx", "w", "sw", "zw", "sy", "zy", "b"], ["c"]),
      node("MaxPool", ["c"], ["p"], { kernel_shape: [1, 2] }),
      node("Flatten", ["p"], ["y"]),
    ],
  };
  const graph = importModel(spec);
  optimize(graph, { checkPasses: true });
  const conv = graph.nodes.find((entry) => entry.type === "Conv2D");
  assert.deepEqual(graph.tensors.get("x")?.trained?.zeroPoint, 10);
  assert.deepEqual(graph.tensors.get("w")?.trained?.scales, [0.5, 0.25]);
  assert.deepEqual([...(graph.tensors.get("b")?.data ?? [])], [1, 1]);
  const made = graph.tensors.get(conv?.outputs[0] ?? "")?.trained;
  assert.deepEqual(made, { type: "uint8", scales: [0.25], zeroPoint: 100, axis: null, qmin: 0, qmax: 255 });
  // 1 * x + 1 and -0.5 * x + 1, the greater of both positions, in steps of 0.25 from 100 on.
  const result = runModel(graph, new Map([["x", Float32Array.of(2, 4)]])).get("y");
  assert.deepEqual([...(result ?? [])], [120, 100]);
});

test("codes that an operator on integers reads become numbers", () => {
  const graph = importModel({
    inputs: { x: [1, 2] },
    outputs: ["y"],
    initializers: [tensor("s", [], [0.5]), bytes("z", [], "UINT8", [10]), bytes("w", [2, 1], "UINT8", [1, 2])],
    nodes: [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("MatMulInteger", ["q", "w", "z"], ["y"])],
  });
  const result = runModel(graph, new Map([["x", Float32Array.of(1.2, -1)]])).get("y");
  assert.deepEqual([...(result ?? [])], [2 - 4]);
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

test("a condition on a constant is the branch that it chooses", () => {
  const truth = (value: number): TensorProto => bytes("flag", [], "BOOL", [value]);
  // What both branches call t is in use outside as well; the else branch reads what is not supported.
  const conditional = (value: number): ModelSpec => ({
    inputs: { x: [2] },
    outputs: ["y"],
    initializers: [truth(value), tensor("two", [], [2])],
    nodes: [
      node("Mul", ["x", "two"], ["t"]),
      node("Unknown", ["x"], ["u"]),
      node("If", ["flag"], ["chosen"], {
        then_branch: branch(
          [
            node("Add", ["t", "c"], ["a"]),
            node("If", ["flag"], ["inner"], {
              then_branch: branch([node("Neg", ["a"], ["n"]), node("Add", ["n", "x"], ["r"])], ["r"]),
              else_branch: branch([node("Identity", ["u"], ["r"])], ["r"]),
            }),
          ],
          ["inner"],
          [tensor("c", [], [10])],
        ),
        else_branch: branch([node("Relu", ["u"], ["t"])], ["t"]),
      }),
      node("Add", ["chosen", "t"], ["y"]),
    ],
  });
  const graph = importModel(conditional(1));
  // -(2 x + 10) + x + 2 x
  const result = runModel(graph, new Map([["x", Float32Array.of(1, 5)]])).get("y");
  assert.deepEqual([...(result ?? [])], [-9, -5]);
  const refusal = (spec: ModelSpec): string => {
    try {
      importModel(spec);
    } catch (error) {
      assert.ok(error instanceof UserError, String(error));
      return error.diagnostics.map(({ code, cause }) => `${code} ${cause}`).join("\n");
    }
    return "nothing";
  };
  assert.match(refusal(conditional(0)), /MQ202[\s\S]*Unknown 'u'/);
  const reads = (inner: string): ModelSpec => ({
    inputs: { x: [1] },
    outputs: ["y"],
    initializers: [truth(1)],
    nodes: [
      node("If", [inner === "x" ? "x" : "flag"], ["y"], {
        then_branch: branch([node("Neg", [inner], ["r"])], ["r"]),
        else_branch: branch([node("Neg", ["x"], ["r"])], ["r"]),
      }),
    ],
  });
  assert.match(refusal(reads("x")), /MQ210[\s\S]*If 'y'/);
  assert.match(refusal(reads("y")), /MQ206/);
  assert.match(refusal(reads("nothing")), /MQ201/);
});

test("the pads of a transposed convolution say what its output leaves out on every side", () => {
  const padsOf = (attributes: Parameters<typeof node>[3], shape: readonly number[]): unknown => {
    const graph = importModel({
      inputs: { x: [1, 1, 3, 3] },
      outputs: ["y"],
      initializers: [tensor("w", [1, 1, 3, 3], ramp(9))],
      nodes: [node("ConvTranspose", ["x", "w"], ["y"], { strides: [3, 2], ...attributes })],
    });
    assert.deepEqual(graph.tensors.get("y")?.shape, shape);
    return graph.nodes[0]?.attributes.pads;
  };
  assert.deepEqual(padsOf({ pads: [1, 2, 1, 2] }, [1, 7, 3, 1]), [1, 2, 1, 2]);
  assert.deepEqual(padsOf({ auto_pad: "SAME_UPPER" }, [1, 9, 6, 1]), [0, 0, 0, 1]);
  assert.deepEqual(padsOf({ output_padding: [1, 1] }, [1, 10, 8, 1]), [0, 0, 0, 0]);
  assert.deepEqual(padsOf({ output_padding: [1, 1], dilations: [1, 3] }, [1, 10, 12, 1]), [0, 0, 0, 0]);
});

test("what the runtime would not load is refused", () => {
  const refusal = (spec: ModelSpec): string => {
    try {
      importModel(spec);
    } catch (error) {
      assert.ok(error instanceof UserError, String(error));
      return error.diagnostics.map(({ message, cause, place }) => `${message} ${cause} ${place.node}`).join("\n");
    }
    return "nothing";
  };
  const wide: ModelSpec = {
    inputs: { x: [64] },
    outputs: ["y"],
    initializers: [int64s("s", [2, 2, 2, 2, 2, 2, 1])],
    nodes: [node("Reshape", ["x", "s"], ["y"]), node("Relu", ["y"], ["z"])],
  };
  assert.match(refusal(wide), /Reshape 'y': a tensor of shape .* has 7 axes, and the runtime takes at most 6/);
  // On the way between constants there is no limit.
  const constant: ModelSpec = {
    ...wide,
    initializers: [...(wide.initializers ?? []), tensor("c", [64], ramp(64)), int64s("t", [64])],
    nodes: [node("Reshape", ["c", "s"], ["d"]), node("Reshape", ["d", "t"], ["e"]), node("Add", ["x", "e"], ["y"])],
  };
  assert.equal(refusal(constant), "nothing");
  const strides: ModelSpec = {
    inputs: { x: [1, 1, 4, 4] },
    outputs: ["y"],
    nodes: [node("MaxPool", ["x"], ["y"], { kernel_shape: [2, 2], strides: [65537, 1] })],
  };
  assert.match(refusal(strides), /MaxPool 'y': strides of 65537, 1 are more than the 65536/);
  assert.match(
    refusal({ inputs: { x: [1, 1, 1, 1, 1, 1, 1] }, outputs: ["y"], nodes: [node("Relu", ["x"], ["y"])] }),
    /7 axes/,
  );
});

test("all unsupported nodes are listed at once", () => {
  const spec: ModelSpec = {
    inputs: { x: [1, 2, 3] },
    outputs: ["u"],
    nodes: [
      node("Foo", ["x"], ["y"]),
      node("Bar", ["y"], ["z"]),
      node("GlobalAveragePool", ["x"], ["g"]),
      node("Mod", ["x", "x"], ["f"]),
      node("Sum", ["z", "g", "f"], ["u"]),
    ],
  };
  assert.throws(
    () => importModel(spec),
    (error) => {
      assert.ok(error instanceof UserError);
      const [first] = error.diagnostics;
      assert.equal(first?.code, "MQ202");
      assert.match(first?.cause ?? "", /Foo 'y'[\s\S]*Bar 'z'[\s\S]*Mod 'f': it is supported on constants only/);
      return true;
    },
  );
});

/** Operators on the input x of the given shape and constants: attributes, inputs behind x, and the values expected. */
const OPERATORS: readonly (readonly [
  op: string,
  attributes: Parameters<typeof node>[3],
  shape: readonly number[],
  x: readonly number[],
  others: readonly TensorProto[],
  expected: readonly number[],
])[] = [
  ["MatMul", {}, [1, 2], [1, 2], [tensor("c", [2, 2], [1, 10, 100, 1000])], [201, 2010]],
  ["MeanVarianceNormalization", { axes: [0, 2, 3] }, [1, 1, 1, 2], [1, 3], [], [-1, 1]],
  [
    "LRN",
    { size: 1, alpha: 0.5, beta: 0.5, bias: 1.5 },
    [1, 1, 1, 2],
    [2, 4],
    [],
    [2 / Math.sqrt(3.5), 4 / Math.sqrt(9.5)],
  ],
  ["GlobalMaxPool", {}, [1, 2, 1, 2], [1, 3, 5, 4], [], [3, 5]],
  ["DepthToSpace", { blocksize: 2 }, [1, 4, 1, 1], [1, 2, 3, 4], [], [1, 2, 3, 4]],
  ["SpaceToDepth", { blocksize: 2 }, [1, 1, 2, 2], [1, 2, 3, 4], [], [1, 2, 3, 4]],
  ["Sub", {}, [2], [1, 2], [tensor("c", [], [5])], [-4, -3]],
  ["Div", {}, [2], [1, 2], [tensor("c", [2], [4, -8])], [0.25, -0.25]],
  ["Pow", {}, [2], [2, 9], [tensor("c", [2], [3, 0.5])], [8, 3]],
  ["Max", {}, [3], [-1, 0.5, 2], [tensor("c", [], [1]), tensor("d", [3], [-5, 7, 0])], [1, 7, 2]],
  ["Min", {}, [3], [-1, 0.5, 2], [tensor("c", [], [1]), tensor("d", [3], [-5, 7, 0])], [-5, 0.5, 0]],
  ["Mean", {}, [2], [1, 2], [tensor("c", [2], [3, 4]), tensor("d", [2], [5, 9])], [3, 5]],
  ["LeakyRelu", { alpha: 0.25 }, [2], [-1, 2], [], [-0.25, 2]],
  ["Elu", { alpha: 1.5 }, [2], [-1, 2], [], [1.5 * (Math.exp(-1) - 1), 2]],
  ["Sigmoid", {}, [2], [0, Math.log(3)], [], [0.5, 0.75]],
  ["HardSwish", {}, [3], [-4, 1, 4], [], [0, 2 / 3, 4]],
  ["Exp", {}, [2], [0, 1], [], [1, Math.E]],
  ["Sqrt", {}, [2], [4, 0.25], [], [2, 0.5]],
  ["Abs", {}, [2], [-4, 0.25], [], [4, 0.25]],
  ["Neg", {}, [2], [-4, 0.25], [], [4, -0.25]],
  ["Reciprocal", {}, [2], [-4, 0.25], [], [-0.25, 4]],
  ["Log", {}, [2], [1, Math.E], [], [0, 1]],
  ["Erf", {}, [2], [0, 1], [], [0, 0.8427007929497149]],
  ["Gelu", {}, [2], [0, 1], [], [0, 0.8413447460685429]],
  ["Gelu", { approximate: "tanh" }, [1], [1], [], [0.5 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * 1.044715))]],
  ["Softplus", {}, [2], [0, 1], [], [Math.LN2, Math.log(1 + Math.E)]],
  ["Floor", {}, [2], [-1.5, 1.5], [], [-2, 1]],
  ["Ceil", {}, [2], [-1.5, 1.2], [], [-1, 2]],
  ["Round", {}, [3], [-1.5, 0.5, 2.5], [], [-2, 0, 2]],
  ["Sign", {}, [3], [-1.5, 0, 2.5], [], [-1, 0, 1]],
  ["LogSoftmax", { axis: 1 }, [1, 2], [0, Math.log(3)], [], [Math.log(0.25), Math.log(0.75)]],
  ["ReduceMin", { axes: [1], keepdims: 0 }, [2, 2], [1, 4, 3, 2], [], [1, 2]],
  ["ReduceProd", { axes: [1] }, [2, 2], [1, 4, 3, 2], [], [4, 6]],
  ["ReduceLogSum", { axes: [1] }, [2, 2], [1, 4, 3, 2], [], [Math.log(5), Math.log(5)]],
  ["ArgMin", { axis: 1, keepdims: 0 }, [2, 2], [1, 4, 3, 2], [], [0, 1]],
  ["Squeeze", { axes: [0] }, [1, 2], [1, 2], [], [1, 2]],
  ["Cast", { to: TensorProto_DataType.INT32 }, [3], [1.7, -1.7, 0], [], [1, -1, 0]],
  ["CastLike", {}, [3], [1.7, -1.7, 0], [int64s("c", [1])], [1, -1, 0]],
  ["Identity", {}, [2], [1, 2], [], [1, 2]],
  ["Dropout", {}, [2], [1, 2], [], [1, 2]],
  ["Greater", {}, [3], [1, 2, 3], [tensor("c", [], [2])], [0, 0, 1]],
  ["GreaterOrEqual", {}, [3], [1, 2, 3], [tensor("c", [], [2])], [0, 1, 1]],
  ["LessOrEqual", {}, [3], [1, 2, 3], [tensor("c", [], [2])], [1, 1, 0]],
];

for (const [op, attributes, shape, x, others, expected] of OPERATORS) {
  test(`${op} ${JSON.stringify(attributes)}`, () => {
    const inputs = ["x", ...others.map(({ name }) => name)];
    // Axes are attributes until operator set 13.
    const old = attributes && "axes" in attributes && op !== "MeanVarianceNormalization";
    const opset = old ? 11 : op === "Gelu" ? 20 : 18;
    const graph = importModel({
      inputs: { x: shape },
      outputs: ["y"],
      initializers: others,
      nodes: [node(op, inputs, ["y"], attributes)],
      opset,
    });
    const check = (): void => {
      const [result] = runModel(graph, new Map([["x", Float32Array.from(x)]])).values();
      assert.ok(greatestDifference(result ?? [], expected) < 1e-5, `${result}`);
    };
    check();
    optimize(graph, { checkPasses: true });
    check();
  });
}

test("truth values, ranges and sizes", () => {
  const graph = importModel({
    inputs: { x: [4] },
    outputs: ["y"],
    initializers: [tensor("zero", [], [0]), tensor("two", [], [2]), scalarInt("from", 0), scalarInt("by", 2)],
    nodes: [
      node("Greater", ["x", "zero"], ["positive"]),
      node("Less", ["x", "two"], ["small"]),
      node("And", ["positive", "small"], ["both"]),
      node("Xor", ["positive", "small"], ["one"]),
      node("Cast", ["both"], ["bothf"], { to: TensorProto_DataType.FLOAT }),
      node("Cast", ["one"], ["onef"], { to: TensorProto_DataType.FLOAT }),
      // [0, 2], as many as half of the elements; [10, 10, 10, 10] of a shape.
      node("Size", ["x"], ["size"]),
      node("Range", ["from", "size", "by"], ["range"]),
      node("Cast", ["range"], ["rangef"], { to: TensorProto_DataType.FLOAT }),
      node("Concat", ["rangef", "rangef"], ["four"], { axis: 0 }),
      node("Shape", ["x"], ["shape"]),
      node("ConstantOfShape", ["shape"], ["tens"], { value: tensor("", [1], [10]) }),
      node("Constant", [], ["hundred"], { value: tensor("", [], [100]) }),
      node("Mul", ["bothf", "hundred"], ["a"]),
      node("Mul", ["onef", "tens"], ["b"]),
      node("Sum", ["a", "b", "four"], ["y"]),
    ],
  });
  const result = runModel(graph, new Map([["x", Float32Array.of(-1, 1, 2, 0)]])).get("y");
  assert.deepEqual([...(result ?? [])], [0 + 10, 2 + 100, 0 + 10, 2 + 10]);
});

const inDomain = (definition: NodeProto, domain: string): NodeProto => ({ ...definition, domain });
const scalarInt = (name: string, value: number): TensorProto => ({ ...int64s(name, [value]), dims: [] });

/** Operators of com.microsoft on codes of x, in steps of 0.5 from 10 on, and the real values of the codes that they give. */
const CODED: readonly (readonly [
  op: string,
  attributes: Parameters<typeof node>[3],
  shape: readonly number[],
  x: readonly number[],
  /** Inputs by name, "X" being codes, scale and zero point of x, and "Y" scale and zero point of the output. */
  inputs: readonly string[],
  expected: readonly number[],
])[] = [
  ["QLinearAdd", {}, [2], [1, -2], ["X", "w", "sw", "zw", "Y"], [1.5, -1.75]],
  ["QLinearMul", {}, [2], [1, -2], ["X", "w", "sw", "zw", "Y"], [0.5, -0.5]],
  ["QLinearConcat", { axis: 0 }, [2], [1, -2], ["Y", "X", "w", "sw", "zw"], [1, -2, 0.5, 0.25]],
  ["QLinearSigmoid", {}, [2], [0, 5], ["X", "Y"], [0.5, 1]],
  ["QLinearLeakyRelu", { alpha: 0.5 }, [2], [1, -2], ["X", "Y"], [1, -1]],
  ["QLinearSoftmax", { axis: 1, opset: 13 }, [1, 2], [3, 3], ["X", "Y"], [0.5, 0.5]],
  ["QLinearGlobalAveragePool", {}, [1, 1, 2, 2], [1, 2, 3, 6], ["X", "Y"], [3]],
  ["QLinearAveragePool", { kernel_shape: [1, 2] }, [1, 1, 2, 2], [1, 2, 3, 6], ["X", "Y"], [1.5, 4.5]],
  ["QLinearReduceMean", { axes: [1], keepdims: 0 }, [2, 2], [1, 2, 3, 6], ["X", "Y"], [1.5, 4.5]],
  ["QLinearWhere", {}, [2], [1, -2], ["which", "X", "w", "sw", "zw", "Y"], [1, 0.25]],
  // x * [[0.5, 0.25], [0.25, 1]]' + 0.125 * [8, 16]
  ["QGemm", { transB: 1 }, [1, 2], [1, -2], ["X", "m", "sw", "zw", "b", "Y"], [1, 0.25]],
  ["QGemm", { transB: 1 }, [1, 2], [1, -2], ["X", "m", "sw", "zw", "b"], [1, 0.25]],
];

for (const [op, attributes, shape, x, inputs, expected] of CODED) {
  test(`${op} ${inputs.join(" ")}`, () => {
    const bundles: Readonly<Record<string, readonly string[]>> = { X: ["xq", "sx", "zx"], Y: ["sy", "zy"] };
    const codes = op !== "QGemm" || inputs.includes("Y");
    const graph = importModel({
      inputs: { x: shape },
      outputs: ["y"],
      initializers: [
        tensor("sx", [], [0.5]),
        bytes("zx", [], "UINT8", [10]),
        bytes("w", [2], "UINT8", [2, 1]),
        bytes("m", [2, 2], "UINT8", [2, 1, 1, 4]),
        tensor("sw", [], [0.25]),
        bytes("zw", [], "UINT8", [0]),
        bytes("b", [2], "INT32", [8, 16]),
        bytes("which", [2], "BOOL", [1, 0]),
        tensor("sy", [], [0.25]),
        bytes("zy", [], "UINT8", [100]),
      ],
      nodes: [
        node("QuantizeLinear", ["x", "sx", "zx"], ["xq"]),
        inDomain(
          node(
            op,
            inputs.flatMap((name) => bundles[name] ?? [name]),
            [codes ? "q" : "y"],
            attributes,
          ),
          "com.microsoft",
        ),
        ...(codes ? [node("DequantizeLinear", ["q", "sy", "zy"], ["y"])] : []),
      ],
    });
    const [result] = runModel(graph, new Map([["x", Float32Array.from(x)]])).values();
    // Real values: rounding to the grid of the output is quantization's business, half a step at most.
    assert.ok(greatestDifference(result ?? [], expected) <= 0.125, `${result}`);
    if (!codes) return;
    const trained = graph.tensors.get(graph.outputs[0]?.tensor ?? "")?.trained;
    assert.deepEqual([trained?.scales, trained?.zeroPoint], [[0.25], 100]);
  });
}

test("products of codes", () => {
  const spec = (nodes: readonly NodeProto[], shape: readonly number[]): ModelSpec => ({
    inputs: { x: shape },
    outputs: ["y"],
    initializers: [
      tensor("sx", [], [0.5]),
      bytes("zx", [], "UINT8", [10]),
      bytes("m", [2, 2], "UINT8", [3, 2, 2, 5]),
      bytes("w", [1, 1, 1, 2], "UINT8", [3, 2]),
      tensor("sw", [], [0.25]),
      bytes("zw", [], "UINT8", [1]),
      tensor("sy", [], [0.25]),
      bytes("zy", [], "UINT8", [100]),
    ],
    nodes: [node("QuantizeLinear", ["x", "sx", "zx"], ["xq"]), ...nodes],
  });
  const outputOf = (nodes: readonly NodeProto[], shape: readonly number[], x: readonly number[]): number[] => [
    ...(runModel(importModel(spec(nodes, shape)), new Map([["x", Float32Array.from(x)]])).get("y") ?? []),
  ];
  // x * [[0.5, 0.25], [0.25, 1]]
  const matrix = [
    node("QLinearMatMul", ["xq", "sx", "zx", "m", "sw", "zw", "sy", "zy"], ["q"]),
    node("DequantizeLinear", ["q", "sy", "zy"], ["y"]),
  ];
  assert.deepEqual(outputOf(matrix, [1, 2], [1, -2]), [0, -1.75]);
  // Codes less their zero points: [2, -4] with [2, 1].
  const conv = [node("ConvInteger", ["xq", "w", "zx", "zw"], ["i"]), node("Cast", ["i"], ["y"], { to: 1 })];
  assert.deepEqual(outputOf(conv, [1, 1, 1, 2], [1, -2]), [0]);
  // The scale is 1 and the zero point 0.
  const dynamic = [node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]), node("Cast", ["q"], ["y"], { to: 1 })];
  assert.deepEqual(outputOf(dynamic, [1, 3], [0, 37, 255]), [0, 37, 255]);
});

test("every operator of the tables is tested", () => {
  // The node tests of ONNX are data that may be absent: they do not count.
  const source = fs.readFileSync(__filename, "utf8");
  const all = [...Object.keys(ONNX_OPERATORS), ...Object.keys(MICROSOFT_OPERATORS)];
  assert.deepEqual(
    all.filter((op) => !source.includes(`"${op}"`)),
    [],
  );
});
