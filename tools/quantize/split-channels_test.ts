import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConstantData, Graph } from "../ir/graph";
import { interpret } from "../ir/interpret";
import { verifyGraph } from "../ir/verify";
import { Random } from "../synth/random";
import { observe, sketchGraph } from "./fixture";
import { splitChannels } from "./split-channels";

const C = 12;

/** Channels of three magnitudes, mixed up. */
const uneven = (c: number): number => [1, 0.02, 40][(c * 7) % 3] ?? 1;
const even = (): number => 1;

interface Shape {
  readonly gain: (c: number) => number;
  readonly depthwise: boolean;
  readonly outputs?: readonly string[];
}

/** x → pointwise a → (depthwise d) → pooling p → two readers y and z. */
function network({ gain, depthwise, outputs = ["y", "z"] }: Shape): Graph {
  const random = new Random("split");
  const values = (count: number, of: (i: number) => number): number[] =>
    Array.from({ length: count }, (_, i) => random.normal() * of(i));
  const attributes = { activation: "RELU" };
  const last = depthwise ? "d" : "a";
  return sketchGraph(
    { x: [1, 6, 6, 3] },
    {
      w1: { shape: [C, 1, 1, 3], data: values(C * 3, (i) => gain(Math.floor(i / 3))) },
      b1: { shape: [C], data: values(C, (c) => gain(c)) },
      w2: { shape: [3, 3, C, 1], data: values(9 * C, (i) => gain((i + 5) % C)) },
      b2: { shape: [C], data: values(C, () => 0.1) },
      w3: { shape: [5, 1, 1, C], data: values(5 * C, () => 1) },
      w4: { shape: [2, 2, 2, C], data: values(8 * C, () => 1) },
    },
    [
      { type: "Conv2D", inputs: ["x", "w1", "b1"], outputs: { a: [1, 6, 6, C] }, attributes },
      ...(depthwise
        ? [{ type: "DepthwiseConv2d", inputs: ["a", "w2", "b2"], outputs: { d: [1, 4, 4, C] }, attributes }]
        : []),
      {
        type: "Pooling",
        inputs: [last],
        outputs: { p: depthwise ? [1, 2, 2, C] : [1, 3, 3, C] },
        attributes: { pooling_type: 2, kernels: [2, 2], strides: [2, 2] },
      },
      { type: "Conv2D", inputs: ["p", "w3"], outputs: { y: depthwise ? [1, 2, 2, 5] : [1, 3, 3, 5] } },
      { type: "Conv2D", inputs: ["p", "w4"], outputs: { z: depthwise ? [1, 1, 1, 2] : [1, 2, 2, 2] } },
    ],
    outputs,
  );
}

const random = new Random("feed");
const feeds = new Map<string, ConstantData>([["x", Float32Array.from({ length: 108 }, () => random.normal())]]);

for (const depthwise of [false, true]) {
  test(`groups of channels compute what the layer did${depthwise ? ", through a depthwise convolution" : ""}`, () => {
    const graph = network({ gain: uneven, depthwise });
    const expected = interpret(graph, feeds);
    const channels = observe(graph, feeds);
    const { groups, ranges, channels: moved } = splitChannels(graph, new Map([["a", [0, 100]]]), channels);
    assert.deepEqual([...groups.keys()], depthwise ? ["a/node", "d/node"] : ["a/node"]);
    assert.ok((groups.get("a/node") ?? 0) >= 2);
    verifyGraph(graph, "split");
    const actual = interpret(graph, feeds);
    for (const name of ["y", "z"]) {
      const [was, is] = [expected.get(name) ?? [], actual.get(name) ?? []];
      assert.equal(is.length, was.length);
      const most = Math.max(...was.map(Math.abs));
      is.forEach((v, i) => {
        assert.ok(Math.abs(v - (was[i] ?? 0)) <= 1e-5 * most, `${name}[${i}]: ${v}, not ${was[i]}`);
      });
    }
    // Statistics follow the channels, so that bias correction uses the right means.
    const observed = observe(graph, feeds);
    for (const [name, facts] of observed) {
      if (!moved.has(name)) continue;
      facts.max.forEach((m, c) => {
        const predicted = moved.get(name)?.max[c] ?? Number.NaN;
        assert.ok(Math.abs(m - predicted) <= 1e-5 * Math.max(1, Math.abs(m)), `${name}, channel ${c}`);
      });
    }
    for (const [name, [, high]] of ranges) assert.ok(name === "a" || high <= 100, name);
    assert.ok(ranges.has("a/part0"));
  });
}

test("even channels stay one layer", () => {
  for (const depthwise of [false, true]) {
    const graph = network({ gain: even, depthwise });
    const names = graph.nodes.map((node) => node.name);
    assert.equal(splitChannels(graph, new Map(), observe(graph, feeds)).groups.size, 0);
    assert.deepEqual(
      graph.nodes.map((node) => node.name),
      names,
    );
  }
});

test("channels that the caller sees, or whose range is fixed, keep their order", () => {
  const seen = network({ gain: uneven, depthwise: false, outputs: ["y", "z", "p"] });
  assert.equal(splitChannels(seen, new Map(), observe(seen, feeds)).groups.size, 0);
  const fixed = network({ gain: uneven, depthwise: false });
  const tensor = fixed.tensors.get("a");
  assert.ok(tensor);
  tensor.range = { min: 0, max: 6, source: "trained", reason: "test" };
  assert.equal(splitChannels(fixed, new Map(), observe(fixed, feeds)).groups.size, 0);
});
