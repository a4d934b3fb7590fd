/** Operators with canonical operators of their own kind: resizing, blocks, indices, normalization, detection. */

import * as assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../../diagnostics/diagnostic";
import { greatestDifference, runModel } from "../testing/run-model";
import { float, int, type ModelSpec, type Option, type TensorSpec, tfliteModel } from "../testing/tflite-builder";
import { importTflite } from "./import";
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
