import assert from "node:assert/strict";
import { test } from "node:test";
import type { Graph } from "../ir/graph";
import { interpret } from "../ir/interpret";
import { elementCount } from "../ir/shape";
import { Random } from "../synth/random";
import {
  AdaptiveRounding,
  type CodeParameters,
  type Moments,
  MomentsCollector,
  roundAdaptively,
} from "./adaptive-rounding";
import { sketchGraph } from "./fixture";
import { type ProductView, productOf } from "./product-view";

const numbers = (random: Random, count: number): number[] =>
  Array.from({ length: count }, () => random.uniform() - 0.3);

interface Case {
  readonly type: string;
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly y: readonly number[];
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
}

const CASES: readonly Case[] = [
  { type: "FullyConnected", x: [3, 10], w: [4, 10], y: [3, 4] },
  { type: "Conv2D", x: [1, 6, 5, 3], w: [4, 1, 1, 3], y: [1, 6, 5, 4] },
  {
    type: "Conv2D",
    x: [2, 7, 6, 3],
    w: [5, 3, 2, 3],
    y: [2, 3, 3, 5],
    attributes: { strides: [2, 2], pads: [1, 1, 0, 0], dilations: [1, 2] },
  },
  { type: "Conv2D", x: [1, 5, 5, 6], w: [4, 3, 3, 3], y: [1, 5, 5, 4], attributes: { group: 2, pads: [1, 1, 1, 1] } },
  {
    type: "DepthwiseConv2d",
    x: [1, 5, 6, 3],
    w: [3, 3, 3, 2],
    y: [1, 3, 6, 6],
    attributes: { strides: [2, 1], pads: [1, 1, 1, 1] },
  },
];

function build(
  { type, x, w, y, attributes }: Case,
  random: Random,
): { readonly graph: Graph; readonly product: ProductView } {
  const data = numbers(random, elementCount(w));
  const node = { type, inputs: ["x", "w"], outputs: { y }, ...(attributes && { attributes }) };
  const graph = sketchGraph({ x }, { w: { shape: w, data } }, [node], ["y"]);
  const product = productOf(graph, graph.nodes[0] as Graph["nodes"][number]);
  assert.ok(product);
  return { graph, product };
}

test("a product's patches and weights give its outputs", () => {
  const random = new Random("products");
  for (const sketch of CASES) {
    const { graph, product } = build(sketch, random);
    const x = Float32Array.from(numbers(random, elementCount(sketch.x)));
    const weights = graph.tensors.get("w")?.data as Float32Array;
    const expected = interpret(graph, new Map([["x", x]])).get("y") as Float32Array;
    const outputs = product.groups * product.rows;
    assert.equal(product.positions * outputs, expected.length);
    const patch = new Float64Array(product.terms);
    for (let position = 0; position < product.positions; position++) {
      for (let group = 0; group < product.groups; group++) {
        product.patch(x, group, position, patch);
        for (let row = 0; row < product.rows; row++) {
          let sum = 0;
          for (let k = 0; k < product.terms; k++) {
            sum += (patch[k] ?? 0) * (weights[product.weightAt(group, row, k)] ?? 0);
          }
          const y = expected[position * outputs + product.channelOf(group, row)] ?? 0;
          assert.ok(Math.abs(sum - y) < 1e-5, `${sketch.type} ${sum} ${y}`);
        }
      }
    }
  }
});

const SCALE = 0.05;
const PARAMETERS: CodeParameters = { zeroPoint: 0, low: -127, high: 127, scaleOf: () => SCALE };
const nearest = (weights: Float32Array): Int8Array => Int8Array.from(weights, (w) => Math.round(w / SCALE));

/** Mean square of the error of the outputs over the inputs given, or its variance. */
function outputError(
  product: ProductView,
  inputs: readonly Float32Array[],
  weights: Float32Array,
  codes: Int8Array,
  variance: boolean,
): number {
  const patch = new Float64Array(product.terms);
  let total = 0;
  for (let group = 0; group < product.groups; group++) {
    for (let row = 0; row < product.rows; row++) {
      const errors = inputs.flatMap((x) =>
        Array.from({ length: product.positions }, (_, position) => {
          product.patch(x, group, position, patch);
          return patch.reduce((sum, v, k) => {
            const at = product.weightAt(group, row, k);
            return sum + v * (SCALE * (codes[at] ?? 0) - (weights[at] ?? 0));
          }, 0);
        }),
      );
      const mean = variance ? errors.reduce((a, b) => a + b, 0) / errors.length : 0;
      total += errors.reduce((sum, e) => sum + (e - mean) ** 2, 0) / errors.length;
    }
  }
  return total;
}

/** Values that go together, as those of neighbouring channels do. */
function alike(random: Random, count: number): Float32Array {
  const common = 2 * random.uniform();
  return Float32Array.from({ length: count }, () => common + 0.5 * random.uniform());
}

test("outputs come closer, and no code moves by more than one", () => {
  const random = new Random("rounding");
  const sum = { before: 0, after: 0 };
  for (const sketch of CASES) {
    for (const corrected of [false, true]) {
      const { graph, product } = build(sketch, random);
      const weights = graph.tensors.get("w")?.data as Float32Array;
      const inputs = Array.from({ length: 8 }, () => alike(random, elementCount(sketch.x)));
      const collector = new MomentsCollector(product, 1000);
      for (const x of inputs) collector.add(x);
      const before = nearest(weights);
      const codes = before.slice();
      roundAdaptively(product, collector.moments(), weights, codes, PARAMETERS, corrected);
      codes.forEach((code, i) => {
        assert.ok(Math.abs(SCALE * code - (weights[i] ?? 0)) <= SCALE * (1 + 1e-6), `code ${i}`);
      });
      const old = outputError(product, inputs, weights, before, corrected);
      const now = outputError(product, inputs, weights, codes, corrected);
      // Damping keeps the descent from the very least.
      assert.ok(now < old, `${sketch.type} ${corrected}: ${old} to ${now}`);
      sum.before += old;
      sum.after += now;
    }
  }
  assert.ok(sum.after < 0.3 * sum.before, `${sum.before} to ${sum.after}`);
});

test("two inputs that always agree: errors cancel", () => {
  const graph = sketchGraph(
    { x: [1, 2] },
    { w: { shape: [1, 2], data: [0.02, 0.02] } },
    [{ type: "FullyConnected", inputs: ["x", "w"], outputs: { y: [1, 1] } }],
    ["y"],
  );
  const product = productOf(graph, graph.nodes[0] as Graph["nodes"][number]) as ProductView;
  const collector = new MomentsCollector(product, 8);
  for (const v of [1, -2, 3]) collector.add([v, v]);
  const codes = new Int8Array(2);
  roundAdaptively(product, collector.moments(), Float32Array.from([0.02, 0.02]), codes, PARAMETERS, false);
  // 0.04 is nearer to one step of 0.05 than to none.
  assert.deepEqual([...codes], [1, 0]);
});

test("codes stay in their range, and NaN in samples does no harm", () => {
  const { graph, product } = build(CASES[0] as Case, new Random("range"));
  const data = graph.tensors.get("w")?.data as Float32Array;
  const weights = data.map((w) => w * 20);
  const codes = weights.map((w) => Math.max(-127, Math.min(127, Math.round(w / SCALE))));
  const collector = new MomentsCollector(product, 8);
  collector.add(Float32Array.from({ length: 30 }, (_, i) => (i % 7 === 0 ? Number.NaN : i % 5)));
  const rounded = Int8Array.from(codes);
  roundAdaptively(product, collector.moments(), weights, rounded, PARAMETERS, false);
  for (const code of rounded) assert.ok(code >= -127 && code <= 127);
  assert.ok(collector.moments().products.every((data) => data.every(Number.isFinite)));
});

test("a layer is rounded once, and layers that were not measured keep the nearest codes", () => {
  const { graph, product } = build(CASES[1] as Case, new Random("once"));
  const weights = graph.tensors.get("w")?.data as Float32Array;
  const collector = new MomentsCollector(product, 16);
  collector.add(alike(new Random("x"), 90));
  let reads = 0;
  const rounding = new AdaptiveRounding((node): Moments | undefined => {
    reads++;
    return node === "measured" ? collector.moments() : undefined;
  });
  const round = (node: string): Int8Array => {
    const codes = nearest(weights);
    rounding.round(node, product, weights, codes, PARAMETERS, false);
    return codes;
  };
  assert.deepEqual(round("measured"), round("measured"));
  assert.equal(reads, 1);
  assert.notDeepEqual(round("measured"), nearest(weights));
  assert.deepEqual(round("other"), nearest(weights));
});
