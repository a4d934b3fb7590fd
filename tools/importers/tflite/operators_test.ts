/** Operators with canonical operators of their own kind: resizing, blocks, indices, normalization, detection. */

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { UserError } from "../../diagnostics/diagnostic";
import { greatestDifference, runModel } from "../testing/run-model";
import { float, int, type ModelSpec, type Option, type TensorSpec, tfliteModel } from "../testing/tflite-builder";
import { importTflite } from "./import";
import { TFLITE_CUSTOM_OPERATORS, TFLITE_OPERATORS } from "./op-table";
import * as schema from "./schema";

/** Values and shape of the only output of one operator on `x` and constants, `x` being input `at`. */
function run(
  type: string,
  shape: readonly number[],
  x: readonly number[],
  constants: readonly TensorSpec[] = [],
  options: readonly Option[] = [],
  { at = 0, output = "FLOAT32" }: { readonly at?: number; readonly output?: string } = {},
): { data: number[]; shape: readonly number[] } {
  const names = constants.map((c) => c.name);
  const spec: ModelSpec = {
    tensors: [{ name: "x", shape }, ...constants, { name: "y", shape: [], type: output }],
    operators: [{ type, inputs: [...names.slice(0, at), "x", ...names.slice(at)], outputs: ["y"], options }],
    inputs: ["x"],
    outputs: ["y"],
  };
  const graph = importTflite(tfliteModel(spec), { file: "net.tflite", name: "net" });
  const [port] = graph.outputs;
  const results = runModel(graph, new Map([["x", Float32Array.from(x)]]));
  return {
    data: Array.from(results.get(port?.tensor ?? "") ?? []),
    shape: graph.tensors.get(port?.tensor ?? "")?.shape ?? [],
  };
}

const integers = (name: string, values: readonly number[], shape = [values.length]): TensorSpec => ({
  name,
  shape,
  type: "INT32",
  values,
});
const floats = (name: string, values: readonly number[], shape = [values.length]): TensorSpec => ({
  name,
  shape,
  values,
});
const near = (actual: readonly number[], expected: readonly number[]): void => {
  const difference = greatestDifference(actual, expected);
  assert.ok(difference <= 1e-5, `differs by ${difference}: ${actual} for ${expected}`);
};

test("RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR in their coordinates", () => {
  const size = integers("s", [1, 4]);
  const bilinear = (...options: Option[]): number[] =>
    run("RESIZE_BILINEAR", [1, 1, 2, 1], [0, 4], [size], options).data;
  near(bilinear(), [0, 2, 4, 4]);
  near(bilinear(int(schema.RESIZE_BILINEAR.halfPixelCenters, 1)), [0, 1, 3, 4]);
  near(bilinear(int(schema.RESIZE_BILINEAR.alignCorners, 1)), [0, 4 / 3, 8 / 3, 4]);
  const near3 = (...options: Option[]): number[] =>
    run("RESIZE_NEAREST_NEIGHBOR", [1, 1, 3, 1], [0, 1, 2], [size], options).data;
  near(near3(), [0, 0, 1, 2]);
  near(near3(int(schema.RESIZE_NEAREST_NEIGHBOR.halfPixelCenters, 1)), [0, 1, 1, 2]);
  near(near3(int(schema.RESIZE_NEAREST_NEIGHBOR.alignCorners, 1)), [0, 1, 1, 2]);
});

test("TRANSPOSE_CONV", () => {
  const table = schema.TRANSPOSE_CONV;
  const filter: TensorSpec = { name: "w", shape: [1, 1, 3, 1], values: [1, 10, 100] };
  const deconv = (columns: number, padding: number): number[] =>
    run(
      "TRANSPOSE_CONV",
      [1, 1, 2, 1],
      [1, 2],
      [integers("o", [1, 1, columns, 1]), filter],
      [int(table.strideH, 1), int(table.strideW, 2), int(table.padding, padding)],
      { at: 2 },
    ).data;
  near(deconv(5, 1), [1, 10, 102, 20, 200]);
  // SAME pads one cell in all, behind.
  near(deconv(4, 0), [1, 10, 102, 20]);
});

test("blocks of channels and of batches", () => {
  const two = [int(schema.BLOCK.blockSize, 2)];
  near(run("DEPTH_TO_SPACE", [1, 1, 1, 4], [1, 2, 3, 4], [], two).data, [1, 2, 3, 4]);
  assert.deepEqual(run("SPACE_TO_DEPTH", [1, 2, 2, 1], [1, 2, 3, 4], [], two).shape, [1, 1, 1, 4]);
  const block = integers("b", [1, 2]);
  const around = integers("p", [0, 0, 0, 0], [2, 2]);
  near(run("SPACE_TO_BATCH_ND", [1, 1, 4, 1], [1, 2, 3, 4], [block, around]).data, [1, 3, 2, 4]);
  near(run("BATCH_TO_SPACE_ND", [2, 1, 2, 1], [1, 3, 2, 4], [block, around]).data, [1, 2, 3, 4]);
});

test("indices and truth values", () => {
  const axis = integers("a", [-1], []);
  near(run("ARG_MAX", [2, 3], [1, 5, 2, 7, 7, 6], [axis], [], { output: "INT64" }).data, [1, 0]);
  near(run("ARG_MIN", [2, 3], [1, 5, 2, 7, 7, 6], [axis], [], { output: "INT32" }).data, [0, 2]);
  near(run("GATHER", [3], [5, 6, 7], [integers("i", [2, 0])]).data, [7, 5]);
  const two: TensorSpec = { name: "c", shape: [1], values: [2] };
  near(run("GREATER", [3], [1, 2, 3], [two], [], { output: "BOOL" }).data, [0, 0, 1]);
  near(run("LESS_EQUAL", [3], [1, 2, 3], [two], [], { output: "BOOL" }).data, [1, 1, 0]);
  near(run("CAST", [3], [1.7, -2.2, 0], [], [], { output: "INT32" }).data, [1, -2, 0]);
});

test("TILE, BROADCAST_TO, REVERSE_V2 and CUMSUM", () => {
  near(run("TILE", [1, 2], [1, 2], [integers("m", [2, 2])]).data, [1, 2, 1, 2, 1, 2, 1, 2]);
  near(run("BROADCAST_TO", [2, 1], [1, 2], [integers("s", [1, 2, 3])]).data, [1, 1, 1, 2, 2, 2]);
  near(run("REVERSE_V2", [2, 2], [1, 2, 3, 4], [integers("a", [1])]).data, [2, 1, 4, 3]);
  near(run("CUMSUM", [3], [1, 2, 4], [integers("a", [0], [])]).data, [1, 3, 7]);
});

test("BATCH_MATMUL", () => {
  const b = floats("b", [1, 2, 3, 4, 5, 6], [1, 3, 2]);
  const x = [1, 0, 2, 0, 1, -1];
  near(run("BATCH_MATMUL", [1, 2, 3], x, [b]).data, [11, 14, -2, -2]);
  const turned = int(schema.BATCH_MATMUL.adjY, 1);
  near(
    run("BATCH_MATMUL", [1, 2, 3], x, [floats("b", [1, 3, 5, 2, 4, 6], [1, 2, 3])], [turned]).data,
    [11, 14, -2, -2],
  );
  const left = int(schema.BATCH_MATMUL.adjX, 1);
  near(run("BATCH_MATMUL", [1, 3, 2], [1, 0, 0, 1, 2, -1], [b], [left]).data, [11, 14, -2, -2]);
});

test("SELECT takes slices of the first axis, SELECT_V2 broadcasts", () => {
  const truth = (values: readonly number[]): TensorSpec => ({
    name: "c",
    shape: [values.length],
    type: "BOOL",
    values,
  });
  const other = floats("b", [9, 8, 7, 6], [2, 2]);
  near(run("SELECT", [2, 2], [1, 2, 3, 4], [truth([1, 0]), other], [], { at: 1 }).data, [1, 2, 7, 6]);
  near(run("SELECT_V2", [2, 2], [1, 2, 3, 4], [truth([1, 0]), other], [], { at: 1 }).data, [1, 8, 3, 6]);
});

/** Two operators in a row: x is cast to int32, then `type` reads it with a constant. */
function onIntegers(type: string, x: readonly number[], c: readonly number[], options: readonly Option[]): number[] {
  const spec: ModelSpec = {
    tensors: [
      { name: "x", shape: [x.length] },
      { name: "i", shape: [x.length], type: "INT32" },
      integers("c", c),
      { name: "y", shape: [], type: "INT32" },
    ],
    operators: [
      { type: "CAST", inputs: ["x"], outputs: ["i"], options: [] },
      { type, inputs: ["i", "c"], outputs: ["y"], options },
    ],
    inputs: ["x"],
    outputs: ["y"],
  };
  const graph = importTflite(tfliteModel(spec), { file: "net.tflite", name: "net" });
  return Array.from(runModel(graph, new Map([["x", Float32Array.from(x)]])).get("y") ?? []);
}

test("activations that are fused into arithmetic on integers are nodes of their own", () => {
  const fused = (name: (typeof schema.ACTIVATION_NAMES)[number]): Option[] => [
    int(schema.FUSED_ACTIVATION.activation, schema.ACTIVATION_NAMES.indexOf(name)),
  ];
  const x = [-9, -1, 0, 2, 90];
  assert.deepEqual(onIntegers("ADD", x, [1], fused("NONE")), [-8, 0, 1, 3, 91]);
  assert.deepEqual(onIntegers("ADD", x, [1], fused("RELU")), [0, 0, 1, 3, 91]);
  assert.deepEqual(onIntegers("SUB", x, [1], fused("RELU6")), [0, 0, 0, 1, 6]);
  assert.deepEqual(onIntegers("MUL", x, [2], fused("RELU_N1_TO_1")), [-1, -1, 0, 1, 1]);
  assert.throws(
    () => onIntegers("ADD", x, [1], fused("TANH")),
    (error: unknown) =>
      error instanceof UserError && /fused activation is TANH, on integers/.test(error.diagnostics[0]?.cause ?? ""),
  );
});

test("ONE_HOT of computed indices, SIGN", () => {
  near(run("SIGN", [4], [-2.5, 0, 3, -0.1]).data, [-1, 0, 1, -1]);
  const spec: ModelSpec = {
    tensors: [
      { name: "x", shape: [3] },
      { name: "i", shape: [3], type: "INT32" },
      integers("depth", [3], []),
      floats("on", [5], []),
      floats("off", [-1], []),
      { name: "y", shape: [] },
    ],
    operators: [
      { type: "CAST", inputs: ["x"], outputs: ["i"], options: [] },
      {
        type: "ONE_HOT",
        inputs: ["i", "depth", "on", "off"],
        outputs: ["y"],
        options: [int(schema.ONE_HOT.axis, -1)],
      },
    ],
    inputs: ["x"],
    outputs: ["y"],
  };
  const graph = importTflite(tfliteModel(spec), { file: "net.tflite", name: "net" });
  const y = runModel(graph, new Map([["x", Float32Array.from([2, 0, 7])]])).get("y");
  near(Array.from(y ?? []), [-1, -1, 5, 5, -1, -1, -1, -1, -1]);
});

test("normalization", () => {
  near(run("L2_NORMALIZATION", [1, 2], [3, 4]).data, [0.6, 0.8]);
  const table = schema.LOCAL_RESPONSE_NORMALIZATION;
  const options = [int(table.radius, 1), float(table.bias, 1), float(table.alpha, 0.5), float(table.beta, 0.5)];
  const y = run("LOCAL_RESPONSE_NORMALIZATION", [1, 1, 1, 3], [1, 2, 3], [], options).data;
  near(y, [1 / Math.sqrt(3.5), 2 / Math.sqrt(8), 3 / Math.sqrt(7.5)]);
});

test("functions that came later", () => {
  near(run("FLOOR", [2], [1.5, -1.5]).data, [1, -2]);
  near(run("LOG", [1], [Math.E]).data, [1]);
  near(run("GELU", [1], [1]).data, [0.8413447]);
  near(run("POW", [2], [2, 3], [{ name: "c", shape: [], values: [2] }]).data, [4, 9]);
  near(run("FLOOR_DIV", [2], [7, -7], [{ name: "c", shape: [], values: [2] }]).data, [3, -4]);
});

/** A FlexBuffer map of numbers: 4-byte values, keys in order. */
function flexMap(entries: Readonly<Record<string, number>>): Uint8Array {
  const names = Object.keys(entries).sort();
  const bytes: number[] = [];
  const starts = names.map((name) => {
    const start = bytes.length;
    bytes.push(...new TextEncoder().encode(name), 0);
    return start;
  });
  while (bytes.length % 4 !== 0) bytes.push(0);
  const word = (value: number): void => void bytes.push(...new Uint8Array(Int32Array.of(value).buffer));
  word(names.length);
  const keys = bytes.length;
  for (const start of starts) word(bytes.length - start);
  word(bytes.length - keys);
  word(4);
  word(names.length);
  const values = bytes.length;
  for (const name of names) bytes.push(...new Uint8Array(Float32Array.of(entries[name] ?? 0).buffer));
  for (const _ of names) bytes.push((3 << 2) | 2);
  bytes.push(bytes.length - values, (9 << 2) | 2, 1);
  return Uint8Array.from(bytes);
}

test("TFLite_Detection_PostProcess", () => {
  const spec: ModelSpec = {
    tensors: [
      { name: "boxes", shape: [1, 2, 4] },
      { name: "scores", shape: [1, 2, 2], values: [0.1, 0.9, 0.2, 0.3] },
      { name: "anchors", shape: [2, 4], values: [0.5, 0.5, 1, 1, 0.25, 0.25, 0.5, 0.5] },
      ...["a", "b", "c", "d"].map((name) => ({ name, shape: [] })),
    ],
    operators: [
      {
        type: "TFLite_Detection_PostProcess",
        custom: true,
        inputs: ["boxes", "scores", "anchors"],
        outputs: ["a", "b", "c", "d"],
        customOptions: flexMap({
          max_detections: 2,
          max_classes_per_detection: 1,
          num_classes: 1,
          nms_score_threshold: 0.5,
          nms_iou_threshold: 0.5,
          y_scale: 10,
          x_scale: 10,
          h_scale: 5,
          w_scale: 5,
        }),
      },
    ],
    inputs: ["boxes"],
    outputs: ["a", "b", "c", "d"],
  };
  const graph = importTflite(tfliteModel(spec), { file: "net.tflite", name: "net" });
  const results = runModel(graph, new Map([["boxes", new Float32Array(8)]]));
  near(Array.from(results.get("d") ?? []), [1]);
  near(Array.from(results.get("a") ?? []).slice(0, 4), [0, 0, 1, 1]);
  near(Array.from(results.get("c") ?? []).slice(0, 1), [0.9]);
});

test("functions, comparisons and reductions", () => {
  const two: TensorSpec = { name: "c", shape: [1], values: [2] };
  const bool = { output: "BOOL" };
  near(run("ADD_N", [2], [1, 2], [floats("a", [10, 20]), floats("b", [100, 200])]).data, [111, 222]);
  near(run("CEIL", [2], [1.2, -1.5]).data, [2, -1]);
  near(run("ROUND", [3], [1.5, 2.5, -0.5]).data, [2, 2, 0]);
  near(run("SQUARE", [2], [3, -1.5]).data, [9, 2.25]);
  near(run("EQUAL", [3], [1, 2, 3], [two], [], bool).data, [0, 1, 0]);
  near(run("NOT_EQUAL", [3], [1, 2, 3], [two], [], bool).data, [1, 0, 1]);
  near(run("LESS", [3], [1, 2, 3], [two], [], bool).data, [1, 0, 0]);
  near(run("GREATER_EQUAL", [3], [1, 2, 3], [two], [], bool).data, [0, 1, 1]);
  near(run("LOG_SOFTMAX", [1, 2], [0, Math.log(3)]).data, [Math.log(0.25), Math.log(0.75)]);
  const last = integers("a", [-1]);
  near(run("SUM", [2, 2], [1, 4, 3, 2], [last]).data, [5, 5]);
  near(run("REDUCE_MIN", [2, 2], [1, 4, 3, 2], [last]).data, [1, 2]);
  near(run("REDUCE_PROD", [2, 2], [1, 4, 3, 2], [last]).data, [4, 6]);
  const kept = run("REDUCE_MIN", [2, 2], [1, 4, 3, 2], [last], [int(schema.REDUCER.keepDims, 1)]);
  assert.deepEqual(kept.shape, [2, 1]);
  near(run("ZEROS_LIKE", [2], [3, 4]).data, [0, 0]);
  near(run("FLOOR_MOD", [4], [7, -7, 5.5, -0.5], [{ name: "c", shape: [1], values: [3] }]).data, [1, 2, 2.5, 2.5]);
});

/** The integers that operators on constants make, as the repetitions of [1]: the shape of the result tells them. */
function shapeOf(steps: readonly (readonly [string, readonly string[]])[], constants: readonly TensorSpec[]): number[] {
  const spec: ModelSpec = {
    tensors: [
      { name: "x", shape: [2, 3] },
      ...constants,
      ...steps.map((_, i) => ({ name: `s${i}`, shape: [], type: "INT32" })),
      floats("one", [1], []),
      { name: "ones", shape: [] },
      { name: "y", shape: [] },
    ],
    operators: [
      ...steps.map(([type, inputs], i) => ({ type, inputs, outputs: [`s${i}`], options: [] })),
      { type: "FILL", inputs: [`s${steps.length - 1}`, "one"], outputs: ["ones"], options: [] },
      { type: "RELU", inputs: ["ones"], outputs: ["y"], options: [] },
    ],
    inputs: ["x"],
    outputs: ["y"],
  };
  const graph = importTflite(tfliteModel(spec), { file: "net.tflite", name: "net" });
  return [...(graph.tensors.get(graph.outputs[0]?.tensor ?? "")?.shape ?? [])];
}

test("shape arithmetic", () => {
  const scalar = (name: string, value: number): TensorSpec => integers(name, [value], []);
  const bounds = [scalar("from", 2), scalar("to", 8), scalar("step", 3)];
  assert.deepEqual(shapeOf([["RANGE", ["from", "to", "step"]]], bounds), [2, 5]);
  const shapes = [integers("a", [3, 1]), integers("b", [1, 4])];
  assert.deepEqual(shapeOf([["BROADCAST_ARGS", ["a", "b"]]], shapes), [3, 4]);
  const rank = [
    ["RANK", ["x"]],
    ["EXPAND_DIMS", ["s0", "zero"]],
  ] as const;
  assert.deepEqual(shapeOf(rank, [scalar("zero", 0)]), [2]);
  assert.deepEqual(shapeOf([["FLOOR_MOD", ["a", "c"]]], [integers("a", [7, 8]), integers("c", [4, 5])]), [3, 3]);
  // Where all is constant, truth values are too.
  const logic = [
    ["LESS", ["a", "c"]],
    ["GREATER_EQUAL", ["a", "d"]],
    ["LOGICAL_AND", ["s0", "s1"]],
    ["LOGICAL_NOT", ["s2"]],
    ["LOGICAL_OR", ["s2", "s0"]],
    ["SELECT", ["s4", "a", "d"]],
  ] as const;
  const numbers = [integers("a", [2, 9]), integers("c", [4, 4]), integers("d", [3, 5])];
  assert.deepEqual(shapeOf(logic, numbers), [2, 5]);
});

test("inputs of integers and truth values are float32 buffers", () => {
  const spec = (type: string): ModelSpec => ({
    tensors: [
      { name: "rows", shape: [2], type },
      { name: "chosen", shape: [2], type: "BOOL" },
      floats("table", [5, 6, 7, 8], [4]),
      floats("none", [-1], [1]),
      { name: "g", shape: [2] },
      { name: "y", shape: [2] },
    ],
    operators: [
      { type: "GATHER", inputs: ["table", "rows"], outputs: ["g"], options: [] },
      { type: "SELECT_V2", inputs: ["chosen", "g", "none"], outputs: ["y"], options: [] },
    ],
    inputs: ["rows", "chosen"],
    outputs: ["y"],
  });
  for (const type of ["INT32", "INT64"]) {
    const graph = importTflite(tfliteModel(spec(type)), { file: "net.tflite", name: "net" });
    assert.deepEqual(
      graph.inputs.map((port) => graph.tensors.get(port.tensor)?.dtype),
      ["float32", "float32"],
    );
    const feeds = new Map([
      ["rows", Float32Array.of(3, 1)],
      ["chosen", Float32Array.of(0, 1)],
    ]);
    near(Array.from(runModel(graph, feeds).get("y") ?? []), [-1, 6]);
  }
  assert.throws(
    () => importTflite(tfliteModel(spec("STRING")), { file: "net.tflite", name: "net" }),
    (error: unknown) =>
      error instanceof UserError && /inputs must be numbers, not STRING/.test(error.diagnostics[0]?.cause ?? ""),
  );
});

test("truth values that are computed", () => {
  const names = ["low", "high", "both", "either", "not"];
  const spec: ModelSpec = {
    tensors: [
      { name: "x", shape: [4] },
      floats("one", [1]),
      floats("three", [3]),
      ...names.map((name) => ({ name, shape: [4], type: "BOOL" })),
    ],
    operators: [
      { type: "GREATER", inputs: ["x", "one"], outputs: ["low"], options: [] },
      { type: "LESS", inputs: ["x", "three"], outputs: ["high"], options: [] },
      { type: "LOGICAL_AND", inputs: ["low", "high"], outputs: ["both"], options: [] },
      { type: "LOGICAL_NOT", inputs: ["low"], outputs: ["not"], options: [] },
      { type: "LOGICAL_OR", inputs: ["both", "not"], outputs: ["either"], options: [] },
    ],
    inputs: ["x"],
    outputs: ["both", "not", "either"],
  };
  const graph = importTflite(tfliteModel(spec), { file: "net.tflite", name: "net" });
  const results = runModel(graph, new Map([["x", Float32Array.of(0, 2, 4, 1)]]));
  const wanted = { both: [0, 1, 0, 0], not: [1, 0, 0, 1], either: [1, 1, 0, 1] };
  for (const [name, values] of Object.entries(wanted)) near(Array.from(results.get(name) ?? []), values);
});

test("every operator of the table is tested", () => {
  const files = [__filename, path.join(__dirname, "import_test.js")];
  const source = files.map((file) => fs.readFileSync(file, "utf8")).join("\n");
  const all = [...Object.keys(TFLITE_OPERATORS), ...Object.keys(TFLITE_CUSTOM_OPERATORS)];
  assert.deepEqual(
    all.filter((type) => !source.includes(`"${type}"`)),
    [],
  );
});
