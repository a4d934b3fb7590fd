import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConstantData, Graph } from "../ir/graph";
import { interpret } from "../ir/interpret";
import type { Channels } from "../statistics/channels";
import { Random } from "../synth/random";
import { absorbBias } from "./absorb-bias";
import { equalize, scaleChannels, followChannels } from "./equalize";
import { observe, sketchGraph } from "./fixture";

const CHANNELS = 4;

/** Pointwise, depthwise, pointwise; the second channel's weights are a thousand times greater than the third's. */
function chain(activation: string): Graph {
  const random = new Random("equalize");
  const values = (count: number, gain: (i: number) => number): number[] =>
    Array.from({ length: count }, (_, i) => random.normal() * gain(i));
  const uneven = (c: number): number => [1, 30, 0.03, 1][c] ?? 1;
  const attributes = { activation, max_limit: 6 };
  return sketchGraph(
    { x: [1, 4, 4, 2] },
    {
      w1: { shape: [CHANNELS, 1, 1, 2], data: values(CHANNELS * 2, (i) => uneven(i >> 1)) },
      b1: { shape: [CHANNELS], data: values(CHANNELS, () => 0.1) },
      w2: { shape: [3, 3, CHANNELS, 1], data: values(9 * CHANNELS, (i) => 1 / uneven(i % CHANNELS)) },
      b2: { shape: [CHANNELS], data: values(CHANNELS, () => 0.1) },
      w3: { shape: [3, 1, 1, CHANNELS], data: values(3 * CHANNELS, () => 1) },
      b3: { shape: [3], data: values(3, () => 0.1) },
    },
    [
      { type: "Conv2D", inputs: ["x", "w1", "b1"], outputs: { a: [1, 4, 4, CHANNELS] }, attributes },
      { type: "DepthwiseConv2d", inputs: ["a", "w2", "b2"], outputs: { d: [1, 2, 2, CHANNELS] }, attributes },
      { type: "Conv2D", inputs: ["d", "w3", "b3"], outputs: { y: [1, 2, 2, 3] } },
    ],
    ["y"],
  );
}

const feeds = (scale: number): Map<string, ConstantData> => {
  const random = new Random("feeds");
  return new Map([["x", Float32Array.from({ length: 32 }, () => random.normal() * scale)]]);
};

const spread = (graph: Graph, name: string, channelOf: (i: number) => number): number => {
  const most = new Map<number, number>();
  graph.tensors.get(name)?.data?.forEach((w, i) => {
    most.set(channelOf(i), Math.max(most.get(channelOf(i)) ?? 0, Math.abs(w)));
  });
  return Math.max(...most.values()) / Math.min(...most.values());
};

for (const [activation, scale] of [
  ["NOOP", 1],
  ["RELU", 1],
  ["RELUX", 0.02],
  ["RELUX", 3],
] as const) {
  test(`${activation}, inputs times ${scale}: same results, no wider activations`, () => {
    const graph = chain(activation);
    const input = feeds(scale);
    const before = observe(graph, input);
    const expected = interpret(graph, input).get("y") ?? new Float32Array();
    const originals = ["w1", "w2", "w3"].map((name) => graph.tensors.get(name)?.data);
    const copies = originals.map((data) => data?.slice());
    const equalization = equalize(graph, before);
    assert.deepEqual(originals, copies, "constants are replaced, not written to");
    const actual = interpret(graph, input).get("y") ?? new Float32Array();
    const most = Math.max(...expected.map(Math.abs));
    for (const [i, v] of actual.entries()) {
      assert.ok(Math.abs(v - (expected[i] ?? 0)) <= 1e-5 * most, `${v}, not ${expected[i]}`);
    }
    const after = observe(graph, input);
    const predicted = scaleChannels(before, equalization);
    for (const name of ["a", "d"]) {
      const greatest = (channels: Channels): number => Math.max(...(channels.get(name)?.max ?? []));
      assert.ok(greatest(after) <= greatest(before) * (1 + 1e-5), `${name} grew`);
      after.get(name)?.max.forEach((m, c) => {
        const p = predicted.get(name)?.max[c] ?? 0;
        assert.ok(Math.abs(m - p) <= 1e-4 * Math.max(1e-3, Math.abs(p)), `${name}, channel ${c}: ${m}, predicted ${p}`);
      });
    }
  });
}

test("the channels' weights come together", () => {
  const graph = chain("RELU");
  const channels = observe(graph, feeds(1));
  const before = spread(graph, "w1", (i) => i >> 1);
  equalize(graph, channels);
  assert.ok(before > 300, String(before));
  assert.ok(spread(graph, "w1", (i) => i >> 1) < before / 8);
});

test("tensors that others read, or that are outputs, are left alone", () => {
  const graph = chain("RELU");
  graph.outputs.push({ tensor: "a", format: "NHWC" });
  const { factors } = equalize(graph, observe(graph, feeds(1)));
  assert.deepEqual([...factors.keys()], ["d"]);
});

test("ranges follow, in the proportion in which they were narrowed", () => {
  const graph = chain("NOOP");
  const before = observe(graph, feeds(1));
  const equalization = equalize(graph, before);
  const after = scaleChannels(before, equalization);
  const least = (c: Channels): number => Math.min(...(c.get("a")?.min ?? []));
  const ranges = followChannels(
    new Map([
      ["a", [least(before) / 2, 1]],
      ["y", [-1, 1]],
    ]),
    before,
    after,
    equalization.factors,
  );
  assert.ok(Math.abs((ranges.get("a")?.[0] ?? 0) - least(after) / 2) < 1e-9);
  assert.deepEqual(ranges.get("y"), [-1, 1]);
});

test("the sum of a residual branch, and what it adds up, keep their channels; inside of the branch they move", () => {
  const random = new Random("residual");
  const uneven = (c: number): number => [1, 30, 0.03, 1][c] ?? 1;
  const values = (count: number, gain: (i: number) => number): number[] =>
    Array.from({ length: count }, (_, i) => random.normal() * gain(i));
  const pointwise = (inputs: number, gain: (i: number) => number) => ({
    shape: [CHANNELS, 1, 1, inputs],
    data: values(CHANNELS * inputs, gain),
  });
  const bias = { shape: [CHANNELS], data: values(CHANNELS, () => 0.5) };
  const shape = [1, 4, 4, CHANNELS];
  const graph = sketchGraph(
    { x: [1, 4, 4, 2] },
    {
      w1: pointwise(2, (i) => uneven(i >> 1)),
      w2: pointwise(CHANNELS, (i) => uneven(i >> 2)),
      w3: pointwise(CHANNELS, (i) => 1 / uneven(i % CHANNELS)),
      w4: pointwise(CHANNELS, () => 1),
      b1: bias,
      b2: bias,
      b3: bias,
      b4: bias,
    },
    [
      { type: "Conv2D", inputs: ["x", "w1", "b1"], outputs: { a: shape } },
      { type: "Conv2D", inputs: ["a", "w2", "b2"], outputs: { inside: shape }, attributes: { activation: "RELU" } },
      { type: "Conv2D", inputs: ["inside", "w3", "b3"], outputs: { b: shape } },
      { type: "Eltwise", inputs: ["a", "b"], outputs: { sum: shape }, attributes: { type: 0 } },
      { type: "Conv2D", inputs: ["sum", "w4", "b4"], outputs: { y: shape } },
    ],
    ["y"],
  );
  const before = observe(graph, feeds(1));
  const expected = interpret(graph, feeds(1)).get("y") ?? [];
  const { factors } = equalize(graph, before);
  assert.deepEqual([...factors.keys()], ["inside"]);
  const { shifts } = absorbBias(graph, new Map(), scaleChannels(before, { factors }));
  assert.ok([...shifts.keys()].every((name) => name === "inside"));
  const most = Math.max(...expected.map(Math.abs));
  interpret(graph, feeds(1))
    .get("y")
    ?.forEach((v, i) => {
      assert.ok(Math.abs(v - (expected[i] ?? 0)) <= 1e-5 * most);
    });
});
