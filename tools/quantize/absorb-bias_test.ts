import assert from "node:assert/strict";
import { test } from "node:test";
import type { AttributeValue, ConstantData, Graph } from "../ir/graph";
import { interpret } from "../ir/interpret";
import { activationParameters, dequantizeValue, quantizeValue } from "../quant/affine";
import type { Ranges } from "../statistics/overall-range";
import { Random } from "../synth/random";
import { absorbBias } from "./absorb-bias";
import { observe, sketchGraph } from "./fixture";

const C = 6;
const random = new Random("absorb");
const feeds = new Map<string, ConstantData>([["x", Float32Array.from({ length: 108 }, () => random.normal())]]);

/** x → a, whose second channel lies far above zero → maximum p → y, z. */
function network(
  attributes: Readonly<Record<string, AttributeValue>>,
  last: { readonly pads?: readonly number[]; readonly outputs?: readonly string[] } = {},
): Graph {
  const own = new Random("weights");
  const values = (count: number): number[] => Array.from({ length: count }, () => own.normal());
  return sketchGraph(
    { x: [1, 6, 6, 3] },
    {
      w1: { shape: [C, 1, 1, 3], data: values(C * 3) },
      b1: { shape: [C], data: [0, 50, 0.5, 9, -1, 0] },
      w2: { shape: [5, 1, 1, C], data: values(5 * C) },
      b2: { shape: [5], data: values(5) },
      w3: { shape: [2, 2, 2, C], data: values(8 * C) },
      b3: { shape: [2], data: values(2) },
    },
    [
      { type: "Conv2D", inputs: ["x", "w1", "b1"], outputs: { a: [1, 6, 6, C] }, attributes },
      {
        type: "Pooling",
        inputs: ["a"],
        outputs: { p: [1, 3, 3, C] },
        attributes: { pooling_type: 2, kernels: [2, 2], strides: [2, 2] },
      },
      { type: "Conv2D", inputs: ["p", "w2", "b2"], outputs: { y: [1, 3, 3, 5] } },
      {
        type: "Conv2D",
        inputs: ["p", "w3", "b3"],
        outputs: { z: last.pads ? [1, 4, 4, 2] : [1, 2, 2, 2] },
        attributes: last.pads ? { pads: last.pads } : {},
      },
    ],
    last.outputs ?? ["y", "z"],
  );
}

function extremesOf(graph: Graph): Ranges {
  const ends = [...observe(graph, feeds)].map(
    ([name, { min, max }]) => [name, [Math.min(...min), Math.max(...max)]] as const,
  );
  return new Map(ends);
}

/** Signal-to-noise ratio of y, dB, when p is rounded to the codes of its range. */
function sqnr(graph: Graph, [min, max]: readonly [number, number], expected: ArrayLike<number>): number {
  const p = interpret({ ...graph, outputs: [{ tensor: "p", format: "NHWC" }] }, feeds).get("p") ?? new Float32Array();
  const affine = activationParameters(min, max, "uint8");
  const rounded = Float32Array.from(p, (v) => dequantizeValue(quantizeValue(v, affine, "uint8"), affine));
  const tail: Graph = {
    ...graph,
    inputs: [{ tensor: "p", format: "NHWC" }],
    outputs: [{ tensor: "y", format: "NHWC" }],
    nodes: graph.nodes.slice(2, 3),
  };
  const y = interpret(tail, new Map([["p", rounded]])).get("y") ?? [];
  let [signal, noise] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    signal += (expected[i] ?? 0) ** 2;
    noise += ((expected[i] ?? 0) - (y[i] ?? 0)) ** 2;
  }
  return 10 * Math.log10(signal / noise);
}

const ACTIVATIONS: readonly Readonly<Record<string, AttributeValue>>[] = [
  { activation: "RELU" },
  { activation: "NOOP" },
  { activation: "RELUX", max_limit: 200 },
];

for (const attributes of ACTIVATIONS) {
  test(`${attributes.activation}: same results, a narrower range, less noise`, () => {
    const graph = network(attributes);
    const before = extremesOf(graph);
    const expected = interpret(graph, feeds);
    const noisy = sqnr(graph, before.get("p") ?? [0, 0], expected.get("y") ?? []);
    const originals = ["b1", "b2", "b3"].map((name) => graph.tensors.get(name)?.data);
    const copies = originals.map((data) => data?.slice());
    const { ranges, channels, shifts } = absorbBias(graph, before, observe(graph, feeds));
    assert.deepEqual(originals, copies, "constants are replaced, not written to");
    assert.deepEqual([...shifts.keys()], ["a", "p"]);
    for (const name of ["y", "z"]) {
      const [was, is] = [expected.get(name) ?? [], interpret(graph, feeds).get(name) ?? []];
      const most = Math.max(...was.map(Math.abs));
      is.forEach((v, i) => {
        assert.ok(Math.abs(v - (was[i] ?? 0)) <= 2e-6 * most, `${name}[${i}]: ${v}, not ${was[i]}`);
      });
    }
    for (const [name, facts] of observe(graph, feeds)) {
      facts.max.forEach((m, c) => {
        assert.ok(Math.abs(m - (channels.get(name)?.max[c] ?? Number.NaN)) <= 1e-4, `${name}, channel ${c}`);
      });
    }
    for (const [name, [low, high]] of extremesOf(graph)) {
      const [least = 0, greatest = 0] = ranges.get(name) ?? [];
      assert.ok(Math.abs(low - least) <= 1e-4 && Math.abs(high - greatest) <= 1e-4, name);
    }
    const quiet = sqnr(graph, ranges.get("p") ?? [0, 0], expected.get("y") ?? []);
    assert.ok(quiet > noisy + 6, `${noisy} dB, then ${quiet} dB`);
    assert.deepEqual(graph.tensors.get("a")?.origin?.tensor, "a");
  });
}

for (const [what, graph] of [
  ["a padded window", network({ activation: "RELU" }, { pads: [1, 1, 1, 1] })],
  ["a tensor that the caller sees", network({ activation: "RELU" }, { outputs: ["y", "z", "p"] })],
] as const) {
  test(`${what} absorbs nothing`, () => {
    assert.equal(absorbBias(graph, new Map(), observe(graph, feeds)).shifts.size, 0);
  });
}

test("layers that stay float, and ranges that are fixed, keep their biases", () => {
  for (const float of ["a/node", "y/node"]) {
    const graph = network({ activation: "RELU" });
    assert.equal(absorbBias(graph, new Map(), observe(graph, feeds), new Set([float])).shifts.size, 0);
  }
  const graph = network({ activation: "RELU" });
  const tensor = graph.tensors.get("p");
  assert.ok(tensor);
  tensor.range = { min: 0, max: 60, source: "trained", reason: "test" };
  assert.equal(absorbBias(graph, new Map(), observe(graph, feeds)).shifts.size, 0);
});

test("a clipping limit stays where it is", () => {
  const graph = network({ activation: "RELUX", max_limit: 51 });
  const channels = observe(graph, feeds);
  const clipped = [...(channels.get("a")?.max ?? [])].map((m) => m >= 51);
  assert.ok(clipped[1]);
  const before = interpret(graph, feeds).get("y") ?? [];
  absorbBias(graph, new Map(), channels);
  const most = Math.max(...before.map(Math.abs));
  interpret(graph, feeds)
    .get("y")
    ?.forEach((v, i) => {
      assert.ok(Math.abs(v - (before[i] ?? 0)) <= 2e-6 * most);
    });
});
