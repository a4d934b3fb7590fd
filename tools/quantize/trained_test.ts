import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../diagnostics/diagnostic";
import type { Graph, Tensor, TrainedQuantization } from "../ir/graph";
import { sketchGraph } from "./fixture";
import { DEFAULT_SETTINGS, type Measured, quantizeModel, type Settings } from "./quantize-model";
import { Random } from "../synth/random";

const NOTHING: Measured = { ranges: new Map(), rangesName: "no range file was given" };
const grid = (type: "uint8" | "int8", zeroPoint: number, scales: readonly number[], axis: number | null = null) =>
  ({
    type,
    zeroPoint,
    axis,
    scales: scales.map(Math.fround),
    qmin: type === "uint8" ? 0 : -128,
    qmax: type === "uint8" ? 255 : 127,
  }) satisfies TrainedQuantization;

/** Gives a tensor what an importer gives it: the grid, the range that follows, and for constants the real values of codes. */
function train(tensor: Tensor | undefined, trained: TrainedQuantization, codes?: readonly number[]): void {
  assert.ok(tensor);
  const { scales, zeroPoint, qmin, qmax } = trained;
  const scale = Math.max(...scales);
  tensor.trained = trained;
  tensor.range = {
    min: scale * (qmin - zeroPoint),
    max: scale * (qmax - zeroPoint),
    source: "trained",
    reason: "test",
  };
  if (!codes) return;
  const inner = codes.length / scales.length;
  tensor.data = Float32Array.from(
    codes,
    (q, i) => (scales[trained.axis === null ? 0 : Math.floor(i / inner)] ?? 1) * (q - zeroPoint),
  );
}

const OUTPUTS = 4;
const INPUTS = 64;

/** x → fully connected → y, with the grids of a file. */
function trainedLayer(
  activation: (k: number) => TrainedQuantization,
  weights: TrainedQuantization,
  codes: readonly number[],
): Graph {
  const graph = sketchGraph(
    { x: [1, INPUTS] },
    { w: { shape: [OUTPUTS, INPUTS], data: codes }, b: { shape: [OUTPUTS], data: [1, -2, 0.5, 0] } },
    [{ type: "FullyConnected", inputs: ["x", "w", "b"], outputs: { y: [1, OUTPUTS] } }],
    ["y"],
  );
  train(graph.tensors.get("x"), activation(0));
  train(graph.tensors.get("y"), activation(1));
  train(graph.tensors.get("w"), weights, codes);
  return graph;
}

const quantized = (graph: Graph, settings: Partial<Settings> = {}, measured = NOTHING) =>
  quantizeModel(graph, { ...DEFAULT_SETTINGS, ...settings }, measured);

const random = new Random("trained");
const codesOf = (low: number, high: number): number[] =>
  Array.from({ length: OUTPUTS * INPUTS }, () => low + Math.floor(random.uniform() * (high - low + 1)));

for (const [name, type, weights, low, scheme] of [
  ["uint8 weights with one grid", "uint8", grid("uint8", 131, [0.0123]), 0, "uint8"],
  ["uint8 weights around 128, which either scheme holds", "uint8", grid("uint8", 128, [0.0123]), 0, "int8_per_channel"],
  ["int8 weights per channel", "int8", grid("int8", 0, [0.01, 0.3, 1e-6, 7], 0), -127, "int8_per_channel"],
  ["int8 weights with one grid", "int8", grid("int8", 0, [0.02]), -128, "int8_per_channel"],
  ["int8 weights off centre, which only uint8 holds", "int8", grid("int8", 3, [0.02]), -128, "uint8"],
] as const) {
  test(`${name} keep their codes`, () => {
    const high = type === "uint8" ? 255 : 127;
    const codes = codesOf(low, high);
    const activation = (k: number) => grid(type, type === "uint8" ? 117 + k : -11 - k, [0.0471 + k]);
    const result = quantized(trainedLayer(activation, weights, codes));
    assert.equal(result.scheme.name, scheme);
    assert.deepEqual(result.warnings, []);
    // The same grid counted in the scheme's type.
    const shift = (from: string, to: string): number => (from === to ? 0 : to === "int8" ? -128 : 128);
    const w = result.graph.tensors.get("w");
    const weightType = scheme === "uint8" ? "uint8" : "int8";
    assert.deepEqual(
      [...(w?.data ?? [])],
      codes.map((q) => q + shift(type, weightType)),
    );
    const expected =
      scheme === "uint8" || weights.axis !== null ? [...weights.scales] : Array(OUTPUTS).fill(weights.scales[0]);
    assert.deepEqual(w?.quant?.scales, expected);
    assert.equal(w?.quant?.zeroPoint, weights.zeroPoint + shift(type, weightType));
    for (const [k, tensor] of ["x/quantized", "y/quantized"].entries()) {
      const quant = result.graph.tensors.get(tensor)?.quant;
      assert.equal(quant?.scales[0], activation(k).scales[0]);
      assert.equal(quant?.zeroPoint, activation(k).zeroPoint + shift(type, result.scheme.type));
    }
  });
}

for (const [what, weights, x, y, expected] of [
  ["all are for fixed point", "fixed_point", "fixed_point", "fixed_point", "fixed_point"],
  ["the weights are for float", undefined, "fixed_point", "fixed_point", "float"],
  ["an activation is for float", "fixed_point", undefined, "fixed_point", "float"],
] as const) {
  test(`arithmetic of a layer whose grids say: ${what}`, () => {
    const made = grid("int8", 0, [0.02]);
    const ofKind = (kind: "fixed_point" | undefined, g: TrainedQuantization): TrainedQuantization =>
      kind ? { ...g, requantize: kind } : g;
    const activation = (k: number) => ofKind(k === 0 ? x : y, grid("int8", 3, [0.1]));
    const graph = trainedLayer(activation, ofKind(weights, made), codesOf(-127, 127));
    const layer = (settings: Partial<Settings>) =>
      quantized(graph, settings).graph.nodes.find((node) => node.type === "FullyConnected");
    assert.equal(layer({})?.attributes.requantize, expected);
  });
}

test("weights that lose their codes are not for fixed point", () => {
  const fixed = (g: TrainedQuantization): TrainedQuantization => ({ ...g, requantize: "fixed_point" });
  const activation = () => fixed(grid("uint8", 100, [0.05]));
  const graph = trainedLayer(activation, fixed(grid("uint8", 131, [0.0123])), codesOf(0, 255));
  const { graph: result } = quantized(graph, { scheme: "int8_per_channel" });
  assert.equal(result.nodes.find((node) => node.type === "FullyConnected")?.attributes.requantize, "float");
});

test("a scheme that cannot hold trained codes says so and rounds anew", () => {
  const graph = trainedLayer(() => grid("uint8", 100, [0.05]), grid("uint8", 131, [0.0123]), codesOf(0, 255));
  const { warnings, graph: result } = quantized(graph, { scheme: "int8_per_channel" });
  assert.deepEqual(
    warnings.map((w) => w.code),
    ["MQ408"],
  );
  assert.equal(result.tensors.get("w")?.quant?.scales.length, OUTPUTS);
});

test("a model that was not trained in codes gets int8_per_channel", () => {
  const graph = trainedLayer(() => grid("uint8", 100, [0.05]), grid("uint8", 131, [0.0123]), codesOf(0, 255));
  for (const tensor of graph.tensors.values()) delete tensor.trained;
  assert.equal(quantized(graph).scheme.name, "int8_per_channel");
});

test("a given range is stronger than a trained one, and a pattern gives many", () => {
  const graph = trainedLayer(() => grid("uint8", 100, [0.05]), grid("uint8", 131, [0.0123]), codesOf(0, 255));
  const { graph: result } = quantized(graph, { ranges: ["*=-2,3"] });
  for (const name of ["x/quantized", "y/quantized"]) {
    assert.deepEqual(result.tensors.get(name)?.range?.source, "user");
    assert.equal(result.tensors.get(name)?.quant?.scales[0], Math.fround(5 / 255));
  }
});

test("overrides that select nothing or are no ranges are errors", () => {
  const layer = () => trainedLayer(() => grid("uint8", 100, [0.05]), grid("uint8", 131, [0.0123]), codesOf(0, 255));
  for (const [settings, code, remedy] of [
    [{ ranges: ["z=0,1"] }, "MQ409", /known|names/],
    [{ ranges: ["y=1,0"] }, "MQ410", /tensor=min,max/],
    [{ ranges: ["y"] }, "MQ410", /tensor=min,max/],
    [{ keepFloat: ["y/nod"] }, "MQ409", /did you mean 'y\/node'/],
  ] as const) {
    assert.throws(
      () => quantized(layer(), settings),
      (error) => {
        assert.ok(error instanceof UserError);
        assert.equal(error.diagnostics[0]?.code, code);
        assert.match(error.diagnostics[0]?.fixes.join("\n") ?? "", remedy);
        return true;
      },
    );
  }
});

test("keep_float leaves a node float, with its reason", () => {
  const graph = trainedLayer(() => grid("uint8", 100, [0.05]), grid("uint8", 131, [0.0123]), codesOf(0, 255));
  const { float, graph: result } = quantized(graph, { keepFloat: ["y*"] });
  assert.match(float.get("y/node") ?? "", /user/);
  assert.deepEqual(
    result.nodes.map((n) => n.type),
    ["FullyConnected"],
  );
});

test("an observed range far from the trained one is reported", () => {
  const graph = trainedLayer(() => grid("uint8", 0, [0.05]), grid("uint8", 131, [0.0123]), codesOf(0, 255));
  const { warnings } = quantized(
    graph,
    {},
    {
      ...NOTHING,
      ranges: new Map([
        ["y", [0, 900]],
        ["x", [0, 12]],
      ]),
    },
  );
  assert.deepEqual(
    warnings.map((w) => [w.code, w.place.tensor]),
    [["MQ411", "y"]],
  );
});
