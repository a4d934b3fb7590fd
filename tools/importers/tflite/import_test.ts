import * as assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../../diagnostics/diagnostic";
import type { Graph, Tensor } from "../../ir/graph";
import { optimize } from "../../passes/pipeline";
import type { ImportOptions } from "../options";
import { greatestDifference, runModel } from "../testing/run-model";
import {
  float,
  int,
  ints,
  type ModelSpec,
  type OperatorSpec,
  type TensorSpec,
  tfliteModel,
} from "../testing/tflite-builder";
import { importTflite } from "./import";
import * as schema from "./schema";

const importSpec = (spec: ModelSpec, options: Partial<ImportOptions> = {}): Graph =>
  importTflite(tfliteModel(spec), { file: "net.tflite", name: "net", ...options });

/** Numbers that are not symmetric in any way. */
const sequence = (count: number, step = 0.37, shift = -1.5): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => ((i * step * 7.3) % 3.1) + shift);

const first = (graph: Graph, x: Float32Array): Float32Array =>
  runModel(graph, new Map(graph.inputs.map((port) => [port.tensor, x]))).get(
    graph.outputs[0]?.tensor ?? "",
  ) as Float32Array;

/** Runs the model before and after the passes; both must agree. */
function run(spec: ModelSpec, x: Float32Array): { data: Float32Array; shape: readonly number[]; graph: Graph } {
  const graph = importSpec(spec);
  const data = first(graph, x);
  optimize(graph);
  assert.ok(greatestDifference(first(graph, x), data) < 1e-4, "the passes change the result");
  return { data, shape: graph.tensors.get(graph.outputs[0]?.tensor ?? "")?.shape ?? [], graph };
}

type Rest = Partial<Pick<OperatorSpec, "options">> & {
  readonly constants?: readonly TensorSpec[];
  readonly outputs?: number;
};

/** A model of one operator on `x` and constants, the shape of whose output nobody reads. */
function one(
  type: string,
  shape: readonly number[],
  { options = [], constants = [], outputs = 1 }: Rest = {},
): ModelSpec {
  const ends = outputs === 1 ? ["y"] : Array.from({ length: outputs }, (_, i) => `y${i}`);
  return {
    tensors: [{ name: "x", shape }, ...constants, ...ends.map((name) => ({ name, shape: [] }))],
    operators: [{ type, inputs: ["x", ...constants.map((c) => c.name)], outputs: ends, options }],
    inputs: ["x"],
    outputs: ends,
  };
}

const constant = (name: string, values: readonly number[], type = "INT32", shape = [values.length]): TensorSpec => ({
  name,
  shape,
  type,
  values,
});

const near = (actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5): void => {
  const difference = greatestDifference(actual, expected);
  assert.ok(difference <= tolerance, `differs by ${difference}: ${Array.from(actual)} for ${Array.from(expected)}`);
};

/** TensorFlow's convolution of a batch of one, spelled out: padding SAME or VALID, filter at (o, ky, kx, c). */
function convolve(
  x: Float32Array,
  [h, w, c]: readonly [number, number, number],
  filter: (o: number, ky: number, kx: number, c: number) => number,
  [outputs, kh, kw]: readonly [number, number, number],
  stride: number,
  same: boolean,
): number[] {
  const count = (size: number, k: number): number =>
    same ? Math.ceil(size / stride) : Math.ceil((size - k + 1) / stride);
  const before = (size: number, k: number): number =>
    same ? Math.floor(Math.max(0, (count(size, k) - 1) * stride + k - size) / 2) : 0;
  const result: number[] = [];
  for (let y = 0; y < count(h, kh); y++)
    for (let z = 0; z < count(w, kw); z++)
      for (let o = 0; o < outputs; o++) {
        let sum = 0;
        for (let ky = 0; ky < kh; ky++)
          for (let kx = 0; kx < kw; kx++) {
            const [row, column] = [y * stride - before(h, kh) + ky, z * stride - before(w, kw) + kx];
            if (row < 0 || row >= h || column < 0 || column >= w) continue;
            for (let i = 0; i < c; i++) sum += (x[(row * w + column) * c + i] ?? 0) * filter(o, ky, kx, i);
          }
        result.push(sum);
      }
  return result;
}

const CONV = schema.CONV_2D;
const strides = (table: { strideW: typeof CONV.strideW; strideH: typeof CONV.strideH }, size: number) => [
  int(table.strideW, size),
  int(table.strideH, size),
];

for (const same of [true, false]) {
  for (const stride of [1, 2]) {
    test(`CONV_2D, stride ${stride}, ${same ? "SAME" : "VALID"}`, () => {
      const x = sequence(5 * 6 * 2);
      const filter = sequence(3 * 2 * 3 * 2, 0.53);
      const spec = one("CONV_2D", [1, 5, 6, 2], {
        options: [...strides(CONV, stride), int(CONV.padding, same ? 0 : 1), int(CONV.activation, 1)],
        constants: [
          { name: "w", shape: [3, 2, 3, 2], values: filter },
          { name: "b", shape: [3], values: [0.5, -0.25, 1] },
        ],
      });
      const at = (o: number, ky: number, kx: number, c: number): number => filter[((o * 2 + ky) * 3 + kx) * 2 + c] ?? 0;
      const expected = convolve(x, [5, 6, 2], at, [3, 2, 3], stride, same).map((v, i) =>
        Math.max(0, v + ([0.5, -0.25, 1][i % 3] ?? 0)),
      );
      const { data, graph } = run(spec, x);
      near(data, expected);
      assert.equal(graph.nodes[0]?.attributes.activation, "RELU");
    });
  }
}

test("DEPTHWISE_CONV_2D has its multiplier inside the last axis", () => {
  const x = sequence(4 * 4 * 2);
  const filter = sequence(2 * 2 * 6, 0.71);
  const table = schema.DEPTHWISE_CONV_2D;
  const spec = one("DEPTHWISE_CONV_2D", [1, 4, 4, 2], {
    options: [...strides(table, 1), int(table.padding, 1), int(table.depthMultiplier, 3), int(table.activation, 3)],
    constants: [{ name: "w", shape: [1, 2, 2, 6], values: filter }],
  });
  const at = (o: number, ky: number, kx: number, c: number): number =>
    Math.floor(o / 3) === c ? (filter[(ky * 2 + kx) * 6 + o] ?? 0) : 0;
  const expected = convolve(x, [4, 4, 2], at, [6, 2, 2], 1, false).map((v) => Math.min(6, Math.max(0, v)));
  near(run(spec, x).data, expected);
});

test("a CONV_2D with as many groups as channels", () => {
  const x = sequence(3 * 3 * 2);
  const filter = sequence(4 * 2 * 2, 0.71);
  const spec = one("CONV_2D", [1, 3, 3, 2], {
    options: [...strides(CONV, 1), int(CONV.padding, 1)],
    constants: [{ name: "w", shape: [4, 2, 2, 1], values: filter }],
  });
  const at = (o: number, ky: number, kx: number, c: number): number =>
    Math.floor(o / 2) === c ? (filter[(o * 2 + ky) * 2 + kx] ?? 0) : 0;
  near(run(spec, x).data, convolve(x, [3, 3, 2], at, [4, 2, 2], 1, false));
});

test("dilation", () => {
  const x = sequence(7 * 7);
  const options = [...strides(CONV, 1), int(CONV.dilationH, 2), int(CONV.dilationW, 3), int(CONV.padding, 1)];
  const spec = one("CONV_2D", [1, 7, 7, 1], {
    options,
    constants: [{ name: "w", shape: [1, 2, 2, 1], values: [1, 2, 3, 4] }],
  });
  const { data, shape } = run(spec, x);
  assert.deepEqual(shape, [1, 5, 4, 1]);
  near([data[0] ?? 0], [(x[0] ?? 0) + 2 * (x[3] ?? 0) + 3 * (x[14] ?? 0) + 4 * (x[17] ?? 0)]);
});

test("fused activations that no canonical operator fuses", () => {
  const x = Float32Array.of(-3, -0.5, 0.5, 3);
  const sum = (code: number): Float32Array =>
    run(
      one("ADD", [4], {
        options: [int(schema.FUSED_ACTIVATION.activation, code)],
        constants: [constant("c", [0, 0.25, 0, 0], "FLOAT32")],
      }),
      x,
    ).data;
  near(sum(0), [-3, -0.25, 0.5, 3]);
  near(sum(2), [-1, -0.25, 0.5, 1]);
  near(sum(3), [0, 0, 0.5, 3]);
  near(sum(4), [-3, -0.25, 0.5, 3].map(Math.tanh));
  assert.throws(() => sum(5), refused("MQ202", /SIGN_BIT/));
});

function refused(code: string, text?: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof UserError, String(error));
    assert.equal(error.diagnostics[0]?.code, code, JSON.stringify(error.diagnostics));
    if (text) assert.match(JSON.stringify(error.diagnostics), text);
    return true;
  };
}

test("POOL_2D leaves the padding out of the average", () => {
  const table = schema.POOL_2D;
  const options = [...strides(table, 2), int(table.filterH, 2), int(table.filterW, 2)];
  near(run(one("AVERAGE_POOL_2D", [1, 3, 1, 1], { options }), Float32Array.of(1, 2, 5)).data, [1.5, 5]);
  near(run(one("MAX_POOL_2D", [1, 3, 1, 1], { options }), Float32Array.of(1, 2, 5)).data, [2, 5]);
});

test("FULLY_CONNECTED", () => {
  const x = sequence(12);
  const w = sequence(8, 0.61);
  const weights: TensorSpec = { name: "w", shape: [2, 4], values: w };
  const product = [0, 1, 2].flatMap((row) =>
    [0, 1].map((o) => [0, 1, 2, 3].reduce((sum, k) => sum + (x[4 * row + k] ?? 0) * (w[4 * o + k] ?? 0), 0)),
  );
  const flat = run(one("FULLY_CONNECTED", [1, 3, 2, 2], { constants: [weights] }), x);
  assert.deepEqual(flat.shape, [3, 2]);
  near(flat.data, product);
  const options = [int(schema.FULLY_CONNECTED.keepNumDims, 1)];
  const kept = run(one("FULLY_CONNECTED", [1, 3, 4], { constants: [weights], options }), x);
  assert.deepEqual(kept.shape, [1, 3, 2]);
  near(kept.data, product);
});

test("SOFTMAX has a factor", () => {
  const { data } = run(one("SOFTMAX", [1, 2], { options: [float(schema.SOFTMAX.beta, 2)] }), Float32Array.of(0, 0.5));
  near(data, [1 / (1 + Math.E), Math.E / (1 + Math.E)]);
});

test("functions of one variable", () => {
  const x = Float32Array.of(0.3, 0.7, 1.9, 2.6);
  const cases: readonly [string, (v: number) => number][] = [
    ["ABS", Math.abs],
    ["EXP", Math.exp],
    ["HARD_SWISH", (v) => (v * Math.min(6, Math.max(0, v + 3))) / 6],
    ["LOGISTIC", (v) => 1 / (1 + Math.exp(-v))],
    ["RELU", (v) => Math.max(0, v)],
    ["RELU6", (v) => Math.min(6, Math.max(0, v))],
    ["RELU_0_TO_1", (v) => Math.min(1, Math.max(0, v))],
    ["RELU_N1_TO_1", (v) => Math.min(1, Math.max(-1, v))],
    ["RSQRT", (v) => 1 / Math.sqrt(v)],
    ["SQRT", Math.sqrt],
    ["TANH", Math.tanh],
    ["NEG", (v) => -v],
    ["ELU", (v) => (v > 0 ? v : Math.exp(v) - 1)],
  ];
  for (const [type, apply] of cases) near(run(one(type, [4]), x).data, Array.from(x, apply), 1e-5);
  const leaky = one("LEAKY_RELU", [2], { options: [float(schema.LEAKY_RELU.alpha, 0.25)] });
  near(run(leaky, Float32Array.of(-4, 4)).data, [-1, 4]);
  const slopes = constant("a", [0.5, 0.1], "FLOAT32", [1, 1, 2]);
  near(
    run(one("PRELU", [1, 1, 2, 2], { constants: [slopes] }), Float32Array.of(-2, -2, 2, -4)).data,
    [-1, -0.2, 2, -0.4],
  );
  const full = constant("a", [0.5, 0.1, 0.2, 1], "FLOAT32", [2, 2]);
  near(run(one("PRELU", [2, 2], { constants: [full] }), Float32Array.of(-2, -2, 2, -4)).data, [-1, -0.2, 2, -4]);
});

test("arithmetic broadcasts", () => {
  const x = sequence(6);
  const operand = constant("c", [2, 4], "FLOAT32", [1, 2]);
  const cases: readonly [string, (a: number, b: number) => number][] = [
    ["SUB", (a, b) => a - b],
    ["MUL", (a, b) => a * b],
    ["DIV", (a, b) => a / b],
    ["MAXIMUM", Math.max],
    ["MINIMUM", Math.min],
    ["SQUARED_DIFFERENCE", (a, b) => (a - b) ** 2],
  ];
  for (const [type, apply] of cases) {
    const expected = Array.from(x, (v, i) => apply(v, [2, 4][i % 2] ?? 0));
    near(run(one(type, [3, 2], { constants: [operand] }), x).data, expected);
  }
});

test("reductions", () => {
  const x = sequence(12);
  const mean = run(one("MEAN", [1, 2, 3, 2], { constants: [constant("axes", [1, 2])] }), x);
  assert.deepEqual(mean.shape, [1, 2]);
  near(
    mean.data,
    [0, 1].map((c) => [0, 1, 2, 3, 4, 5].reduce((sum, i) => sum + (x[2 * i + c] ?? 0), 0) / 6),
  );
  const options = [int(schema.REDUCER.keepDims, 1)];
  const most = run(one("REDUCE_MAX", [2, 6], { constants: [constant("axes", [-1])], options }), x);
  assert.deepEqual(most.shape, [2, 1]);
  near(most.data, [Math.max(...x.slice(0, 6)), Math.max(...x.slice(6))]);
});

test("PAD, PADV2 and MIRROR_PAD", () => {
  const x = Float32Array.of(1, 2, 3);
  const paddings = constant("p", [2, 1], "INT32", [1, 2]);
  near(run(one("PAD", [3], { constants: [paddings] }), x).data, [0, 0, 1, 2, 3, 0]);
  near(
    run(one("PADV2", [3], { constants: [paddings, constant("v", [7], "FLOAT32", [])] }), x).data,
    [7, 7, 1, 2, 3, 7],
  );
  near(run(one("MIRROR_PAD", [3], { constants: [paddings] }), x).data, [3, 2, 1, 2, 3, 2]);
  const options = [int(schema.MIRROR_PAD.mode, 1)];
  near(run(one("MIRROR_PAD", [3], { constants: [paddings], options }), x).data, [2, 1, 1, 2, 3, 3]);
});

test("shapes", () => {
  const x = sequence(12);
  const shapeOf = (spec: ModelSpec): readonly number[] => {
    const { data, shape } = run(spec, x);
    near(data, x);
    return shape;
  };
  assert.deepEqual(shapeOf(one("SQUEEZE", [1, 12, 1])), [12]);
  assert.deepEqual(shapeOf(one("SQUEEZE", [1, 12, 1], { options: [ints(schema.SQUEEZE.dims, [-1])] })), [1, 12]);
  assert.deepEqual(shapeOf(one("EXPAND_DIMS", [12], { constants: [constant("a", [-1], "INT32", [])] })), [12, 1]);
  assert.deepEqual(shapeOf(one("RESHAPE", [12], { constants: [constant("s", [3, -1])] })), [3, 4]);
  assert.deepEqual(shapeOf(one("RESHAPE", [12], { options: [ints(schema.RESHAPE.newShape, [2, 6])] })), [2, 6]);
  assert.deepEqual(shapeOf(one("RESHAPE", [12], { constants: [constant("s", [3, 4], "INT64")] })), [3, 4]);
  const turned = run(one("TRANSPOSE", [3, 4], { constants: [constant("p", [1, 0])] }), x);
  near(
    turned.data,
    Array.from(x, (_, i) => x[(i % 3) * 4 + Math.floor(i / 3)] ?? 0),
  );
});

test("slices", () => {
  const x = Float32Array.from({ length: 12 }, (_, i) => i);
  const limits = (begin: number[], end: number[], step: number[]) => [
    constant("b", begin),
    constant("e", end),
    constant("s", step),
  ];
  const sliced = run(one("SLICE", [3, 4], { constants: [constant("b", [1, 0]), constant("n", [-1, 2])] }), x);
  near(sliced.data, [4, 5, 8, 9]);
  const table = schema.STRIDED_SLICE;
  const cases: readonly [number[], number[], number[], readonly [keyof typeof table, number][], number[], number[]][] =
    [
      [[0, 1], [3, 4], [2, 2], [], [1, 3, 9, 11], [2, 2]],
      [[1, -1], [2, -5], [1, -1], [], [7, 6, 5, 4], [1, 4]],
      [
        [1, 1],
        [0, 3],
        [1, 1],
        [
          ["endMask", 1],
          ["beginMask", 2],
        ],
        [4, 5, 6, 8, 9, 10],
        [2, 3],
      ],
      [[-1], [0], [1], [["shrinkAxisMask", 1]], [8, 9, 10, 11], [4]],
      [[0, 1], [0, 2], [1, 1], [["ellipsisMask", 1]], [1, 5, 9], [3, 1]],
      [
        [0, 0, 2],
        [0, 0, 3],
        [1, 1, 1],
        [
          ["newAxisMask", 2],
          ["endMask", 1],
          ["shrinkAxisMask", 4],
        ],
        [2, 6, 10],
        [3, 1],
      ],
      [
        [0, 1],
        [0, 1],
        [1, 1],
        [
          ["ellipsisMask", 1],
          ["shrinkAxisMask", 2],
        ],
        [1, 5, 9],
        [3],
      ],
    ];
  for (const [begin, end, step, masks, values, shape] of cases) {
    const options = masks.map(([name, value]) => int(table[name], value));
    const result = run(one("STRIDED_SLICE", [3, 4], { constants: limits(begin, end, step), options }), x);
    near(result.data, values);
    assert.deepEqual(result.shape, shape);
  }
});

test("SPLIT, SPLIT_V, UNPACK, PACK and CONCATENATION", () => {
  const x = Float32Array.of(1, 2, 3, 4, 5, 6);
  const ends = (spec: ModelSpec): number[][] => {
    const graph = importSpec(spec);
    const results = runModel(graph, new Map([["x", x]]));
    return graph.outputs.map((port) => Array.from(results.get(port.tensor) ?? []));
  };
  const axis = constant("a", [1], "INT32", []);
  const halves = one("SPLIT", [2, 3], { constants: [axis], outputs: 3 });
  const [operator] = halves.operators;
  assert.ok(operator);
  assert.deepEqual(ends({ ...halves, operators: [{ ...operator, inputs: ["a", "x"] }] }), [
    [1, 4],
    [2, 5],
    [3, 6],
  ]);
  const sizes = constant("s", [1, -1]);
  assert.deepEqual(ends(one("SPLIT_V", [2, 3], { constants: [sizes, axis], outputs: 2 })), [
    [1, 4],
    [2, 3, 5, 6],
  ]);
  const unpack = one("UNPACK", [2, 3], { options: [int(schema.UNPACK.axis, -1)], outputs: 3 });
  assert.deepEqual(ends(unpack), [
    [1, 4],
    [2, 5],
    [3, 6],
  ]);
  const again = constant("c", [7, 8, 9, 10, 11, 12], "FLOAT32");
  const packed = one("PACK", [6], { constants: [again], options: [int(schema.PACK.axis, 1)] });
  assert.deepEqual(ends(packed), [[1, 7, 2, 8, 3, 9, 4, 10, 5, 11, 6, 12]]);
  const row = constant("c", [7, 8], "FLOAT32", [2, 1]);
  const joined = one("CONCATENATION", [2, 3], { constants: [row], options: [int(schema.CONCATENATION.axis, -1)] });
  assert.deepEqual(ends(joined), [[1, 2, 3, 7, 4, 5, 6, 8]]);
});

test("shape arithmetic of a dynamic batch is folded", () => {
  const spec: ModelSpec = {
    tensors: [
      { name: "x", shape: [1, 2, 3, 2], signature: [-1, 2, 3, 2] },
      { name: "shape", shape: [4], type: "INT32" },
      constant("zero", [0]),
      constant("end", [1]),
      constant("step", [1]),
      { name: "batch", shape: [], type: "INT32" },
      constant("rest", [12], "INT32", []),
      { name: "wanted", shape: [2], type: "INT32" },
      { name: "y", shape: [1, 12], signature: [-1, 12] },
    ],
    operators: [
      { type: "SHAPE", inputs: ["x"], outputs: ["shape"] },
      {
        type: "STRIDED_SLICE",
        inputs: ["shape", "zero", "end", "step"],
        outputs: ["batch"],
        options: [int(schema.STRIDED_SLICE.shrinkAxisMask, 1)],
      },
      { type: "PACK", inputs: ["batch", "rest"], outputs: ["wanted"] },
      { type: "RESHAPE", inputs: ["x", "wanted"], outputs: ["y"] },
    ],
    inputs: ["x"],
    outputs: ["y"],
  };
  const graph = importSpec(spec);
  assert.deepEqual(
    graph.nodes.map((node) => node.type),
    ["Reshape"],
  );
  assert.deepEqual(graph.tensors.get("y")?.shape, [1, 12]);
  const batched = importSpec(spec, { inputs: [{ name: "x", shape: [3, 2, 3, 2] }] });
  assert.deepEqual(batched.tensors.get("y")?.shape, [3, 12]);
});

const codes = (scale: number, zeroPoint: number) => ({ scale: [scale], zeroPoint: [zeroPoint] });

/** A quantized convolution; the bias's own scale is deliberately not the product of the others. */
function quantizedConv(perAxis: boolean): ModelSpec {
  return {
    tensors: [
      { name: "x", shape: [1, 2, 2, 2], type: "INT8", quantization: codes(0.5, -3) },
      {
        name: "w",
        shape: [2, 1, 1, 2],
        type: "INT8",
        values: [10, 256 - 127, 3, 4],
        quantization: perAxis ? { scale: [0.25, 0.125], zeroPoint: [0, 0], axis: 0 } : codes(0.25, 0),
      },
      { name: "b", shape: [2], type: "INT32", values: [7, -9], quantization: codes(3, 0) },
      { name: "y", shape: [1, 2, 2, 2], type: "INT8", quantization: codes(0.75, -128) },
    ],
    operators: [{ type: "CONV_2D", inputs: ["x", "w", "b"], outputs: ["y"], options: [...strides(CONV, 1)] }],
    inputs: ["x"],
    outputs: ["y"],
  };
}

test("a quantized model keeps its grids", () => {
  for (const perAxis of [false, true]) {
    const graph = importSpec(quantizedConv(perAxis));
    const tensor = (name: string): Tensor => graph.tensors.get(name) as Tensor;
    assert.deepEqual(tensor("x").trained, {
      type: "int8",
      scales: [0.5],
      zeroPoint: -3,
      axis: null,
      qmin: -128,
      qmax: 127,
      requantize: "fixed_point",
    });
    assert.deepEqual(
      [tensor("x").range?.min, tensor("x").range?.max, tensor("x").range?.source],
      [-62.5, 65, "trained"],
    );
    assert.equal(tensor("x").dtype, "float32");
    const scales = perAxis ? [0.25, 0.125] : [0.25];
    const axis = perAxis ? 0 : null;
    assert.deepEqual(tensor("w").trained, {
      type: "int8",
      scales,
      zeroPoint: 0,
      axis,
      qmin: -127,
      qmax: 127,
      requantize: "fixed_point",
    });
    const [s0 = 0, s1 = s0] = scales;
    near(tensor("w").data ?? [], [10 * s0, -127 * s0, 3 * s1, 4 * s1], 0);
    near(tensor("b").data ?? [], [7 * 0.5 * s0, -9 * 0.5 * s1], 0);
    assert.equal(tensor("b").trained, undefined);
    assert.deepEqual(tensor("y").trained?.scales, [0.75]);
    // The grid of y begins at zero, where codes saturate.
    assert.equal(graph.nodes[0]?.attributes.activation, "RELUX");
    assert.equal(graph.nodes[0]?.attributes.max_limit, 255 * 0.75);
  }
});

test("a depthwise filter's scales are along channels and multipliers", () => {
  const table = schema.DEPTHWISE_CONV_2D;
  const scale = [0.5, 0.25, 0.125, 1];
  const graph = importSpec({
    tensors: [
      { name: "x", shape: [1, 1, 1, 2], type: "INT8", quantization: codes(1, 0) },
      {
        name: "w",
        shape: [1, 1, 1, 4],
        type: "INT8",
        values: [1, 2, 3, 128],
        quantization: { scale, zeroPoint: [0, 0, 0, 0], axis: 3 },
      },
      { name: "y", shape: [1, 1, 1, 4], type: "INT8", quantization: codes(1, 0) },
    ],
    operators: [
      {
        type: "DEPTHWISE_CONV_2D",
        inputs: ["x", "w"],
        outputs: ["y"],
        options: [...strides(table, 1), int(table.depthMultiplier, 2)],
      },
    ],
    inputs: ["x"],
    outputs: ["y"],
  });
  const w = graph.tensors.get("w");
  assert.deepEqual(w?.shape, [1, 1, 2, 2]);
  assert.deepEqual(w?.trained, {
    type: "int8",
    scales: scale,
    zeroPoint: 0,
    axis: 2,
    qmin: -128,
    qmax: 127,
    requantize: "fixed_point",
  });
  near(w?.data ?? [], [0.5, 0.5, 0.375, -128], 0);
});

test("QUANTIZE and DEQUANTIZE around a float model's input and output", () => {
  const graph = importSpec({
    tensors: [
      { name: "x", shape: [1, 4] },
      { name: "q", shape: [1, 4], type: "UINT8", quantization: codes(0.5, 10) },
      { name: "r", shape: [1, 4], type: "UINT8", quantization: codes(0.5, 10) },
      { name: "y", shape: [1, 4] },
    ],
    operators: [
      { type: "QUANTIZE", inputs: ["x"], outputs: ["q"] },
      { type: "TANH", inputs: ["q"], outputs: ["r"] },
      { type: "DEQUANTIZE", inputs: ["r"], outputs: ["y"] },
    ],
    inputs: ["x"],
    outputs: ["y"],
  });
  assert.deepEqual(
    graph.nodes.map((node) => node.type),
    ["Activation"],
  );
  assert.equal(graph.tensors.get("x")?.trained?.zeroPoint, 10);
  assert.equal(graph.tensors.get("y")?.trained?.type, "uint8");
});

test("a QUANTIZE between grids survives the passes", () => {
  const requantized = (scale: number, type: string, zeroPoint: number): Graph =>
    importSpec({
      tensors: [
        { name: "x", shape: [1, 4], type: "INT8", quantization: codes(0.5, 0) },
        { name: "a", shape: [1, 4], type: "INT8", quantization: codes(0.5, 0) },
        { name: "b", shape: [1, 4], type, quantization: codes(scale, zeroPoint) },
        { name: "y", shape: [1, 4], type, quantization: codes(scale, zeroPoint) },
      ],
      operators: [
        { type: "ABS", inputs: ["x"], outputs: ["a"] },
        { type: "QUANTIZE", inputs: ["a"], outputs: ["b"] },
        { type: "ABS", inputs: ["b"], outputs: ["y"] },
      ],
      inputs: ["x"],
      outputs: ["y"],
    });
  const graph = requantized(0.25, "INT8", -128);
  optimize(graph);
  assert.deepEqual(
    graph.nodes.map((node) => node.attributes.activation),
    ["ABS", "RELUX", "ABS"],
  );
  assert.deepEqual(graph.tensors.get("a")?.trained?.scales, [0.5]);
  assert.deepEqual(graph.tensors.get("b")?.trained?.scales, [0.25]);
  // int8 to uint8 of the same grid is no change at all.
  assert.equal(requantized(0.5, "UINT8", 128).nodes.length, 2);
});

test("clamps between grids are not merged", () => {
  const graph = importSpec({
    tensors: [
      { name: "x", shape: [1, 4], type: "INT8", quantization: codes(0.5, 0) },
      { name: "c", shape: [1, 4], type: "INT8", quantization: codes(0.25, 0) },
      { name: "s", shape: [1, 4], type: "INT8", quantization: codes(0.3, 0) },
      { name: "y", shape: [1, 4], type: "INT8", quantization: codes(0.125, -128) },
    ],
    operators: [
      { type: "ADD", inputs: ["x", "x"], outputs: ["c"] },
      { type: "QUANTIZE", inputs: ["c"], outputs: ["s"] },
      { type: "QUANTIZE", inputs: ["s"], outputs: ["y"] },
    ],
    inputs: ["x"],
    outputs: ["y"],
  });
  optimize(graph);
  assert.deepEqual(
    graph.nodes.map((node) => node.type),
    ["Eltwise", "Activation", "Activation"],
  );
  assert.equal(graph.nodes[0]?.attributes.activation ?? "NOOP", "NOOP");
});

test("hybrid models: codes for weights, floats for the rest", () => {
  const spec = one("FULLY_CONNECTED", [1, 2], {
    constants: [
      { name: "w", shape: [2, 2], type: "INT8", values: [1, 2, 253, 4], quantization: codes(0.5, 0) },
      { name: "b", shape: [2], values: [1, 2] },
    ],
  });
  const { data, graph } = run(spec, Float32Array.of(1, 10));
  near(data, [0.5 + 10 + 1, -1.5 + 20 + 2]);
  assert.equal(graph.tensors.get("w")?.trained?.type, "int8");
  assert.equal(graph.tensors.get("x")?.trained, undefined);
});

test("float16 constants are widened", () => {
  const spec: ModelSpec = {
    tensors: [
      { name: "x", shape: [2] },
      { name: "h", shape: [2], type: "FLOAT16", values: [0x3c00, 0xc000] },
      { name: "f", shape: [2] },
      { name: "y", shape: [2] },
    ],
    operators: [
      { type: "DEQUANTIZE", inputs: ["h"], outputs: ["f"] },
      { type: "MUL", inputs: ["x", "f"], outputs: ["y"] },
    ],
    inputs: ["x"],
    outputs: ["y"],
  };
  near(run(spec, Float32Array.of(3, 5)).data, [3, -10]);
});

test("int4 weights", () => {
  const spec = one("FULLY_CONNECTED", [1, 3], {
    constants: [
      { name: "w", shape: [1, 3], type: "INT4", values: Uint8Array.of(0x71, 0x0f), quantization: codes(0.5, 0) },
    ],
  });
  near(run(spec, Float32Array.of(1, 10, 100)).data, [0.5 + 35 - 50]);
});

test("FAKE_QUANT becomes a range and a grid", () => {
  const table = schema.FAKE_QUANT;
  const options = [float(table.min, -1), float(table.max, 3), int(table.numBits, 8)];
  const spec = one("FAKE_QUANT", [4], { options });
  const graph = importSpec({
    ...spec,
    tensors: [...spec.tensors, { name: "z", shape: [4] }],
    operators: [...spec.operators, { type: "TANH", inputs: ["y"], outputs: ["z"] }],
    outputs: ["z"],
  });
  // Zero gets a code: 63.75 becomes 64, so that -1 … 3 becomes -64 … 191 steps of 4/255.
  const step = Math.fround(4 / 255);
  const { range, trained } = graph.tensors.get("x") ?? {};
  assert.deepEqual(range, {
    min: Math.fround(-64 * step),
    max: Math.fround(191 * step),
    source: "trained",
    reason: "y",
  });
  assert.deepEqual([trained?.scales, trained?.zeroPoint, trained?.qmin, trained?.qmax], [[step], 64, 0, 255]);
});

test("FAKE_QUANT rounds constants, in narrow ranges and of few bits", () => {
  const table = schema.FAKE_QUANT;
  const rounded = (bits: number, narrow: number): { data: Float32Array; trained: unknown } => {
    const options = [
      float(table.min, -2),
      float(table.max, 2),
      int(table.numBits, bits),
      int(table.narrowRange, narrow),
    ];
    const spec: ModelSpec = {
      tensors: [
        { name: "x", shape: [3] },
        constant("c", [0.3, -5, 1.1], "FLOAT32"),
        { name: "q", shape: [3] },
        { name: "y", shape: [3] },
      ],
      operators: [
        { type: "FAKE_QUANT", inputs: ["c"], outputs: ["q"], options },
        { type: "MUL", inputs: ["x", "q"], outputs: ["y"] },
      ],
      inputs: ["x"],
      outputs: ["y"],
    };
    const graph = importSpec(spec);
    const [, name = ""] = graph.nodes[0]?.inputs ?? [];
    const trained = graph.tensors.get(name)?.trained;
    return { data: run(spec, Float32Array.of(1, 1, 1)).data, trained };
  };
  // 14 steps of 2/7 around 0.
  const step = Math.fround(4 / 14);
  const four = rounded(4, 1);
  near(four.data, [step, -7 * step, 4 * step]);
  const grid = { type: "uint8", scales: [step], zeroPoint: 128, axis: null, qmin: 121, qmax: 135 };
  assert.deepEqual(four.trained, { ...grid, requantize: "fixed_point" });
  // 65535 codes are beyond a byte: the values alone are kept.
  const wide = rounded(16, 0);
  assert.equal(wide.trained, undefined);
  near(wide.data, [0.3, -2, 1.1], 4 / 65535);
});

test("constants behind the tables", () => {
  const spec = one("MUL", [3], { constants: [constant("c", [2, 3, 4], "FLOAT32")] });
  near(run({ ...spec, behind: true }, Float32Array.of(1, 1, 2)).data, [2, 3, 8]);
});

test("codes of operators beyond a byte", () => {
  const spec = one("RELU_0_TO_1", [2]);
  near(run(spec, Float32Array.of(-1, 5)).data, [0, 1]);
});

test("tensors of one name stay apart", () => {
  const spec: ModelSpec = {
    tensors: [
      { name: "x", shape: [2] },
      { name: "t", shape: [2] },
      { name: "u", shape: [2] },
    ],
    operators: [
      { type: "NEG", inputs: ["x"], outputs: ["t"] },
      { type: "ABS", inputs: ["t"], outputs: ["u"] },
    ],
    inputs: ["x"],
    outputs: ["u"],
  };
  const bytes = tfliteModel(spec);
  // Both names are one byte long and followed by zeros.
  const at = bytes.findIndex((byte, i) => byte === 0x75 && bytes[i - 4] === 1 && bytes[i + 1] === 0);
  bytes[at] = 0x74;
  const graph = importTflite(bytes, { file: "net.tflite", name: "net" });
  assert.deepEqual(
    graph.nodes.map((node) => node.outputs[0]),
    ["t", "t#2"],
  );
});

test("the graph may begin and end inside the model", () => {
  const spec: ModelSpec = {
    tensors: ["x", "a", "b", "y"].map((name) => ({ name, shape: [2] })),
    operators: [
      { type: "COS", inputs: ["x"], outputs: ["a"] },
      { type: "ABS", inputs: ["a"], outputs: ["b"] },
      { type: "SIN", inputs: ["b"], outputs: ["y"] },
    ],
    inputs: ["x"],
    outputs: ["y"],
  };
  const graph = importSpec(spec, { inputs: [{ name: "a" }], outputs: ["b"] });
  assert.deepEqual(
    graph.nodes.map((node) => node.type),
    ["Activation"],
  );
  assert.throws(() => importSpec(spec), refused("MQ202", /COS.*SIN/s));
  assert.throws(() => importSpec(spec, { outputs: ["nothing"] }), refused("MQ203"));
  const known = { ...spec, operators: spec.operators.map((operator) => ({ ...operator, type: "NEG" })) };
  assert.throws(() => importSpec(known, { inputs: [{ name: "y" }], outputs: ["b"] }), refused("MQ209"));
});

test("what is refused says why", () => {
  assert.throws(() => importSpec({ ...one("ABS", [2]), subgraphs: 3 }), refused("MQ221"));
  const wide = one("ABS", [2]);
  const sixteen = { type: "INT16", quantization: codes(0.001, 0) };
  const tensors = wide.tensors.map((tensor) => ({ ...tensor, ...sixteen }));
  assert.throws(() => importSpec({ ...wide, tensors }), refused("MQ222", /8-bit/));
  const custom = one("Mystery", [2]);
  const operators = custom.operators.map((operator) => ({ ...operator, custom: true }));
  assert.throws(() => importSpec({ ...custom, operators }), refused("MQ202", /CUSTOM\.Mystery/));
  const large = { name: "s", shape: [1], type: "INT64", values: [2 ** 40] };
  assert.throws(() => importSpec(one("RESHAPE", [2], { constants: [large] })), refused("MQ202", /32 bits/));
  assert.throws(() => importSpec({ ...one("ABS", [2]), version: 2 }), refused("MQ201", /version 2/));
});

test("every operator of the table is one of the schema", async () => {
  const { TFLITE_OPERATORS } = await import("./op-table");
  for (const name of Object.keys(TFLITE_OPERATORS)) assert.ok(schema.OPERATOR_NAMES.includes(name), name);
});
