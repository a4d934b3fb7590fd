import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../diagnostics/diagnostic";
import type { Graph, GraphNode, Tensor } from "../ir/graph";
import { ELTWISE, POOLING, REDUCE } from "../ir/operators";
import { activationParameters } from "../quant/affine";
import type { Ranges } from "../statistics/overall-range";
import { assignRanges } from "./assign-ranges";
import { sketchGraph } from "./fixture";
import { DEFAULT_SETTINGS, quantizeModel } from "./quantize-model";
import { placeFloatNodes } from "./placement";
import { quantizeGraph } from "./quantize-graph";
import { SCHEMES } from "./scheme";

const scheme = (name: string) => {
  const found = SCHEMES[name];
  assert.ok(found);
  return found;
};

function quantize(graph: Graph, ranges: Record<string, readonly [number, number]>, name = "int8_per_channel") {
  const float = placeFloatNodes(graph, scheme(name));
  const file: Ranges = new Map(Object.entries(ranges));
  const rangeWarnings = assignRanges(graph, float, { file, fileName: "range file" }, scheme(name).type);
  return { ...quantizeGraph(graph, scheme(name), float), float, rangeWarnings };
}

const outline = (graph: Graph): string[] =>
  graph.nodes.map((n) => `${n.type}(${n.inputs.join(",")})->${n.outputs.join(",")}`);

/** x → conv → relu'd y, with two output channels of very different weights. */
const convolution = (): Graph =>
  sketchGraph(
    { x: [1, 2, 2, 1] },
    { w: { shape: [2, 1, 1, 1], data: [1, 0.01] }, b: { shape: [2], data: [0.5, -0.25] } },
    [{ type: "Conv2D", inputs: ["x", "w", "b"], outputs: { y: [1, 2, 2, 2] }, attributes: { activation: "RELU" } }],
    ["y"],
  );

test("a convolution, per channel: borders, names, weights, bias", () => {
  const { graph } = quantize(convolution(), { x: [-1, 1], y: [0, 2] });
  assert.deepEqual(outline(graph), [
    "Quantize(x)->x/quantized",
    "Conv2D(x/quantized,w,b)->y/quantized",
    "Dequantize(y/quantized)->y",
  ]);
  const w = graph.tensors.get("w");
  assert.deepEqual([...(w?.data ?? [])], [127, 127]);
  assert.deepEqual(w?.quant?.scales, [Math.fround(1 / 127), Math.fround(Math.fround(0.01) / 127)]);
  const x = activationParameters(-1, 1, "int8");
  const b = graph.tensors.get("b");
  assert.equal(b?.dtype, "int32");
  assert.deepEqual(
    [...(b?.data ?? [])],
    [0.5, -0.25].map((v, c) => Math.round(v / (x.scale * (w?.quant?.scales[c] ?? 0)))),
  );
  assert.equal(graph.tensors.get("y/quantized")?.quant?.zeroPoint, -128);
  assert.equal(graph.tensors.get("y")?.dtype, "float32");
});

test("a convolution, uint8 per tensor: small channels lose their resolution", () => {
  const { graph } = quantize(convolution(), { x: [-1, 1], y: [0, 2] }, "uint8");
  const w = graph.tensors.get("w");
  assert.deepEqual([...(w?.data ?? [])], [255, 3]);
  assert.deepEqual(w?.quant, { scales: [Math.fround(1 / 255)], zeroPoint: 0, axis: null });
  assert.equal(graph.tensors.get("y/quantized")?.quant?.zeroPoint, 0);
});

test("a missing range names the tensor, its operator and the ways out", () => {
  assert.throws(
    () => quantize(convolution(), { x: [-1, 1] }),
    (e) => {
      assert.ok(e instanceof UserError);
      const [d] = e.diagnostics;
      assert.equal(d?.code, "MQ401");
      assert.match(d?.cause ?? "", /'y', written by Conv2D 'y\/node'/);
      assert.equal(d?.fixes.length, 3);
      return true;
    },
  );
});

test("operators without a kernel become float islands", () => {
  const graph = sketchGraph(
    { x: [1, 4] },
    { w: { shape: [4, 4], data: Array.from({ length: 16 }, (_, i) => i - 8) } },
    [
      { type: "FullyConnected", inputs: ["x", "w"], outputs: { a: [1, 4] } },
      { type: "Eltwise", inputs: ["a", "x"], outputs: { d: [1, 4] }, attributes: { type: ELTWISE.DIV } },
      { type: "FullyConnected", inputs: ["d", "w"], outputs: { y: [1, 4] } },
    ],
    ["y"],
  );
  const { graph: q, float } = quantize(graph, { x: [-1, 1], a: [-1, 1], d: [-2, 2], y: [-3, 3] });
  assert.match(float.get("d/node") ?? "", /no int8 kernel for Eltwise of type 3/);
  assert.deepEqual(outline(q), [
    "Quantize(x)->x/quantized",
    "FullyConnected(x/quantized,w)->a",
    "Dequantize(a)->a/float",
    "Eltwise(a/float,x)->d",
    "Quantize(d)->d/quantized",
    "FullyConnected(d/quantized,w)->y/quantized",
    "Dequantize(y/quantized)->y",
  ]);
});

test("the softmax that computes the output stays float, an inner one has its fixed parameters and table", () => {
  const { graph } = quantize(
    sketchGraph(
      { x: [1, 4] },
      {},
      [
        { type: "Softmax", inputs: ["x"], outputs: { s: [1, 4] } },
        { type: "Eltwise", inputs: ["s", "x"], outputs: { m: [1, 4] }, attributes: { type: ELTWISE.PROD } },
        { type: "Softmax", inputs: ["m"], outputs: { p: [1, 4] } },
        { type: "Reshape", inputs: ["p"], outputs: { y: [4] } },
      ],
      ["y"],
    ),
    { x: [-4, 4], m: [-4, 4] },
  );
  assert.deepEqual(graph.tensors.get("s")?.quant, { scales: [1 / 256], zeroPoint: -128, axis: null });
  assert.equal(graph.tensors.get("s/node/table")?.data?.[0], 8388608);
  assert.ok(outline(graph).includes("Softmax(m/float)->p"));
  assert.ok(outline(graph).includes("Reshape(p)->y"));
});

test("a mean that ends the graph stays float, but for devices and where its grid was trained", () => {
  const placed = (name: string, change: (graph: Graph) => void = () => {}): string[] => {
    const graph = sketchGraph(
      { x: [1, 4, 4, 2] },
      {},
      [
        {
          type: "Reduce",
          inputs: ["x"],
          outputs: { i: [1, 1, 1, 2] },
          attributes: { reduce_type: REDUCE.MEAN, axis: [1, 2] },
        },
        { type: "Eltwise", inputs: ["i", "x"], outputs: { e: [1, 4, 4, 2] }, attributes: { type: ELTWISE.PROD } },
        {
          type: "Reduce",
          inputs: ["e"],
          outputs: { m: [1, 1, 1, 2] },
          attributes: { reduce_type: REDUCE.MEAN, axis: [1, 2] },
        },
        { type: "Reshape", inputs: ["m"], outputs: { r: [1, 2] } },
        { type: "Softmax", inputs: ["r"], outputs: { p: [1, 2] } },
        { type: "Reshape", inputs: ["p"], outputs: { y: [2] } },
      ],
      ["y"],
    );
    change(graph);
    return [...placeFloatNodes(graph, scheme(name)).keys()].sort();
  };
  const named = (...outputs: string[]): string[] => outputs.map((name) => `${name}/node`).sort();
  assert.deepEqual(placed("int8_per_channel"), named("m", "r", "p", "y"));
  assert.deepEqual(placed("uint8"), named("p", "y"));
  const trained = (graph: Graph): void => {
    (graph.tensors.get("m") as Tensor).range = { min: 0, max: 1, source: "trained", reason: "trained" };
  };
  assert.deepEqual(placed("int8_per_channel", trained), named("p", "y"));
  const maximum = (graph: Graph): void => {
    (graph.nodes[2] as GraphNode).attributes.reduce_type = REDUCE.MAX;
  };
  assert.deepEqual(placed("int8_per_channel", maximum), named("p", "y"));
});

test("operators that copy codes inherit, whatever the file says", () => {
  const graph = sketchGraph(
    { x: [1, 4, 4, 1] },
    {},
    [
      {
        type: "Pooling",
        inputs: ["x"],
        outputs: { p: [1, 2, 2, 1] },
        attributes: { pooling_type: POOLING.MAX, kernels: [2, 2], strides: [2, 2] },
      },
      {
        type: "Pooling",
        inputs: ["p"],
        outputs: { y: [1, 1, 1, 1] },
        attributes: { pooling_type: POOLING.AVG, kernels: [2, 2] },
      },
    ],
    ["y"],
  );
  quantize(graph, { x: [-1, 3], p: [0, 100] }, "uint8");
  assert.deepEqual(graph.tensors.get("p")?.range, {
    min: -1,
    max: 3,
    source: "inherited",
    reason: "same codes as 'x'",
    from: "x",
  });
  assert.equal(graph.tensors.get("y")?.range?.source, "inherited");
});

test("interval arithmetic covers what was not measured, and fused clamps cut it", () => {
  const graph = sketchGraph(
    { a: [1, 2], b: [1, 2] },
    {},
    [
      {
        type: "Eltwise",
        inputs: ["a", "b"],
        outputs: { y: [1, 2] },
        attributes: { type: ELTWISE.SUB, activation: "RELUX", max_limit: 6 },
      },
    ],
    ["y"],
  );
  quantize(graph, { a: [-1, 9], b: [-2, 3] });
  assert.deepEqual([graph.tensors.get("y")?.range?.min, graph.tensors.get("y")?.range?.max], [0, 6]);
  assert.equal(graph.tensors.get("y")?.range?.source, "interval");
});

test("what only a Concat reads is written in the Concat's parameters", () => {
  const graph = sketchGraph(
    { x: [1, 2] },
    { w: { shape: [2, 2], data: [1, 2, 3, 4] } },
    [
      { type: "FullyConnected", inputs: ["x", "w"], outputs: { a: [1, 2] } },
      { type: "FullyConnected", inputs: ["x", "w"], outputs: { b: [1, 2] } },
      { type: "Concat", inputs: ["a", "b"], outputs: { y: [1, 4] }, attributes: { axis: 1 } },
      { type: "FullyConnected", inputs: ["b", "w"], outputs: { z: [1, 2] } },
    ],
    ["y", "z"],
  );
  const { graph: q } = quantize(graph, { x: [-1, 1], a: [-1, 1], b: [-5, 5], z: [-1, 1] });
  assert.equal(graph.tensors.get("a")?.range?.max, 5);
  assert.equal(graph.tensors.get("b")?.range?.source, "file");
  // The weights are shared by three nodes and quantized once.
  assert.equal([...q.tensors.values()].filter((t) => t.dtype === "int8" && t.data).length, 1);
});

test("trained ranges win over the file", () => {
  const graph = convolution();
  const y = graph.tensors.get("y");
  assert.ok(y);
  y.range = { min: 0, max: 7, source: "trained", reason: "FakeQuant" };
  quantize(graph, { x: [-1, 1], y: [0, 2] });
  assert.equal(graph.tensors.get("y")?.range?.max, 7);
});

test("sums that may not fit 32 bits are refused", () => {
  const graph = sketchGraph(
    { x: [1, 70000] },
    { w: { shape: [1, 70000], data: new Array<number>(70000).fill(1) } },
    [{ type: "FullyConnected", inputs: ["x", "w"], outputs: { y: [1, 1] } }],
    ["y"],
  );
  assert.throws(
    () => quantize(graph, { x: [0, 1], y: [0, 1] }, "uint8"),
    (e) => e instanceof UserError && e.message.includes("MQ402"),
  );
});

test("bias correction takes back what rounded weights add on average", () => {
  const graph = convolution();
  const float = placeFloatNodes(graph, scheme("uint8"));
  const file: Ranges = new Map([
    ["x", [-1, 1]],
    ["y", [0, 2]],
  ]);
  assignRanges(graph, float, { file, fileName: "range file" }, "uint8");
  const mean = 0.5;
  const x = { min: Float64Array.of(-1), max: Float64Array.of(1), mean: Float64Array.of(mean) };
  const facts = { channels: new Map([["x", x]]), biasCorrection: true };
  const { graph: corrected } = quantizeGraph(graph, scheme("uint8"), float, facts);
  const w = corrected.tensors.get("w");
  const weightScale = w?.quant?.scales[0] ?? 0;
  [1, 0.01].forEach((real, c) => {
    const error = weightScale * ((w?.data?.[c] ?? 0) - (w?.quant?.zeroPoint ?? 0)) - real;
    const expected = ([0.5, -0.25][c] ?? 0) - error * mean;
    const code = corrected.tensors.get("b")?.data?.[c] ?? 0;
    assert.ok(Math.abs(code - expected / (weightScale * activationParameters(-1, 1, "uint8").scale)) <= 0.51);
  });
});

test("indices stay int32 beside codes", () => {
  const graph = sketchGraph(
    { x: [1, 2, 2, 3] },
    {},
    [
      { type: "ArgMax", inputs: ["x"], outputs: { i: [1, 2, 2] }, attributes: { axis: 3 } },
      { type: "Reshape", inputs: ["i"], outputs: { flat: [4] } },
      { type: "Gather", inputs: ["x", "flat"], outputs: { y: [1, 2, 2, 4] }, attributes: { axis: 3 } },
    ],
    ["y"],
  );
  for (const name of ["i", "flat"]) Object.assign(graph.tensors.get(name) ?? {}, { dtype: "int32" });
  const { graph: quantized, float } = quantize(graph, { x: [-1, 1] });
  assert.deepEqual([...float.keys()], ["flat/node"]);
  assert.deepEqual(outline(quantized), [
    "Quantize(x)->x/quantized",
    "ArgMax(x/quantized)->i",
    "Reshape(i)->flat",
    "Gather(x/quantized,flat)->y/quantized",
    "Dequantize(y/quantized)->y",
  ]);
  assert.equal(quantized.tensors.get("i")?.dtype, "int32");
  assert.deepEqual(quantized.tensors.get("y/quantized")?.quant, quantized.tensors.get("x/quantized")?.quant);
});

test("PRELU has a table for each channel", () => {
  const graph = sketchGraph(
    { x: [1, 2, 2, 2] },
    { slope: { shape: [2], data: [0.25, -1] } },
    [{ type: "Activation", inputs: ["x", "slope"], outputs: { y: [1, 2, 2, 2] }, attributes: { activation: "PRELU" } }],
    ["y"],
  );
  const { graph: quantized, float } = quantize(graph, { x: [-1, 1], y: [-1, 1] }, "uint8");
  assert.equal(float.size, 0);
  const table = quantized.tensors.get(quantized.nodes[1]?.inputs[2] ?? "");
  assert.deepEqual(table?.shape, [2, 256]);
  assert.equal(quantized.nodes[1]?.inputs[1], "");
  const zero = activationParameters(-1, 1, "uint8").zeroPoint;
  const entry = (c: number, q: number): number => table?.data?.[256 * c + q] ?? -1;
  for (const q of [0, 40, zero]) {
    assert.equal(entry(0, q), zero + Math.round((q - zero) * 0.25));
    assert.ok(Math.abs(entry(1, q) - Math.min(255, 2 * zero - q)) <= 1);
  }
  assert.equal(entry(0, 200), 200);
  assert.equal(entry(1, 200), 200);
});

test("a product of matrices with more terms than 32 bits hold stays float", () => {
  const product = (terms: number, transposed: 0 | 1): Graph =>
    sketchGraph(
      { a: transposed ? [terms, 1] : [1, terms], b: [terms, 1] },
      {},
      [{ type: "MatMul", inputs: ["a", "b"], outputs: { y: [1, 1] }, attributes: { transpose_a: transposed } }],
      ["y"],
    );
  for (const transposed of [0, 1] as const) {
    assert.equal(placeFloatNodes(product(33025, transposed), scheme("uint8")).size, 0);
    const float = placeFloatNodes(product(33026, transposed), scheme("int8_per_channel"));
    assert.match([...float.values()].join(), /sums of 33026 products of codes may exceed 32 bits/);
  }
});

const given = (min: number, max: number, source: "user" | "trained") => ({ min, max, source, reason: "given" });

test("what a user wants of a tensor whose codes are copied is not taken, and a warning says so", () => {
  const reshape = (range?: ReturnType<typeof given>): Graph => {
    const graph = sketchGraph(
      { x: [1, 4] },
      {},
      [
        { type: "Reshape", inputs: ["x"], outputs: { r: [2, 2] } },
        { type: "Eltwise", inputs: ["r", "r"], outputs: { y: [2, 2] }, attributes: { type: ELTWISE.SUM } },
      ],
      ["y"],
    );
    Object.assign(graph.tensors.get("r") ?? {}, range && { range });
    return graph;
  };
  for (const source of ["user", "trained"] as const) {
    const graph = reshape(given(-3, 3, source));
    const { rangeWarnings, graph: quantized } = quantize(graph, { x: [-1, 1], y: [-2, 2] });
    assert.deepEqual(
      rangeWarnings.map(({ code, cause }) => [code, cause]),
      [["MQ417", "Reshape 'r/node' copies codes, and 'x' has -1 … 1"]],
    );
    const r = quantized.tensors.get("r");
    assert.equal(r?.range?.source, "inherited");
    assert.deepEqual(r?.quant, quantized.tensors.get("x/quantized")?.quant);
  }
  assert.deepEqual(quantize(reshape(given(-1, 1, "trained")), { x: [-1, 1], y: [-2, 2] }).rangeWarnings, []);
  assert.deepEqual(quantize(reshape(), { x: [-1, 1], r: [-9, 9], y: [-2, 2] }).rangeWarnings, []);
});

test("an inner Softmax says the range that its codes have", () => {
  const softmax = (): Graph =>
    sketchGraph(
      { x: [1, 4] },
      {},
      [
        { type: "Softmax", inputs: ["x"], outputs: { s: [1, 4] } },
        { type: "Eltwise", inputs: ["s", "x"], outputs: { y: [1, 4] }, attributes: { type: ELTWISE.PROD } },
      ],
      ["y"],
    );
  const ranges = { x: [-4, 4], s: [0, 0.5], y: [-4, 4] } as const;
  const measured = quantize(softmax(), ranges);
  assert.deepEqual(measured.rangeWarnings, []);
  const { range, quant } = measured.graph.tensors.get("s") ?? {};
  assert.deepEqual([range?.min, range?.max, range?.source], [0, 255 / 256, "operator"]);
  assert.deepEqual(quant, { scales: [1 / 256], zeroPoint: -128, axis: null });

  const wanted = softmax();
  Object.assign(wanted.tensors.get("s") ?? {}, { range: given(0, 0.5, "user") });
  const result = quantize(wanted, ranges);
  assert.deepEqual(
    result.rangeWarnings.map(({ code, place }) => [code, place.tensor]),
    [["MQ417", "s"]],
  );
  assert.equal(result.graph.tensors.get("s")?.range?.max, 255 / 256);
});

test("weights of chosen operators share one scale", () => {
  const measured = {
    ranges: new Map([
      ["x", [-1, 1] as const],
      ["y", [0, 2] as const],
    ]),
    rangesName: "range file",
  };
  const scales = (...weights: readonly string[]): readonly number[] | undefined => {
    const settings = { ...DEFAULT_SETTINGS, scheme: "int8_per_channel", weights };
    return quantizeModel(convolution(), settings, measured).graph.tensors.get("w")?.quant?.scales;
  };
  const [one, other] = [Math.fround(1 / 127), Math.fround(Math.fround(0.01) / 127)];
  assert.deepEqual(scales(), [one, other]);
  assert.deepEqual(scales("y*=per_tensor"), [one, one]);
  assert.deepEqual(scales("y/node=per_tensor", "y=per_channel"), [one, other], "the last that fits counts");
  const fails = (scheme: string, text: string, code: string): void =>
    assert.throws(
      () => quantizeModel(convolution(), { ...DEFAULT_SETTINGS, scheme, weights: [text] }, measured),
      (e) => e instanceof UserError && e.diagnostics[0]?.code === code,
      text,
    );
  fails("uint8", "y=per_channel", "MQ419");
  fails("int8_per_channel", "y=per_row", "MQ418");
  fails("int8_per_channel", "y", "MQ418");
  fails("int8_per_channel", "z=per_tensor", "MQ409");
  const uint8 = { ...DEFAULT_SETTINGS, scheme: "uint8", weights: ["y=per_tensor"] };
  assert.equal(quantizeModel(convolution(), uint8, measured).graph.tensors.get("w")?.quant?.axis, null);
});
