import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConstantData, Graph } from "../ir/graph";
import { interpret } from "../ir/interpret";
import { ELTWISE } from "../ir/operators";
import { channelsOf } from "../statistics/channels";
import { Random } from "../synth/random";
import type { Equalization } from "./equalize";
import { equalizeActivations } from "./equalize-activations";
import { sketchGraph, statisticsOf, uneven } from "./fixture";

const C = 6;
const SAMPLES = 4;

interface Variant {
  readonly gain?: (c: number) => number;
  readonly attributes?: Readonly<Record<string, string | number>>;
  readonly outputs?: readonly string[];
  /** What lies between the sum and the last layer. */
  readonly between?: string;
}

/** x → a, b → concatenation c → maxima p → depthwise d → e; p → f; e + f = s → y. */
function network({
  gain = uneven,
  attributes = { activation: "RELU" },
  outputs = ["y"],
  between,
}: Variant = {}): Graph {
  const random = new Random("activations");
  const values = (count: number, of: (i: number) => number): number[] =>
    Array.from({ length: count }, (_, i) => random.normal() * of(i));
  const filters = (outs: number, ins: number, write: (o: number) => number, read: (i: number) => number) => ({
    shape: [outs, 1, 1, ins],
    data: values(outs * ins, (i) => write(Math.floor(i / ins)) / read(i % ins)),
  });
  const one = (): number => 1;
  const image = (channels: number): number[] => [1, 4, 4, channels];
  const bias = (count: number, of: (c: number) => number) => ({ shape: [count], data: values(count, of) });
  return sketchGraph(
    { x: image(3) },
    {
      wa: filters(C, 3, gain, one),
      ba: bias(C, gain),
      wb: filters(C, 3, (c) => gain(c + 1), one),
      bb: bias(C, (c) => gain(c + 1)),
      wd: { shape: [3, 3, 2 * C, 1], data: values(18 * C, (i) => 1 / gain(i % (2 * C) < C ? i % C : (i % C) + 1)) },
      bd: bias(2 * C, () => 0.1),
      we: filters(C, 2 * C, gain, one),
      wf: filters(C, 2 * C, gain, (i) => gain(i < C ? i : i - C + 1)),
      wy: filters(4, C, one, gain),
    },
    [
      { type: "Conv2D", inputs: ["x", "wa", "ba"], outputs: { a: image(C) }, attributes },
      { type: "Conv2D", inputs: ["x", "wb", "bb"], outputs: { b: image(C) }, attributes },
      { type: "Concat", inputs: ["a", "b"], outputs: { c: image(2 * C) }, attributes: { axis: 3 } },
      {
        type: "Pooling",
        inputs: ["c"],
        outputs: { p: image(2 * C) },
        attributes: { pooling_type: 2, kernels: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] },
      },
      {
        type: "DepthwiseConv2d",
        inputs: ["p", "wd", "bd"],
        outputs: { d: image(2 * C) },
        attributes: { activation: "RELU", pads: [1, 1, 1, 1] },
      },
      { type: "Conv2D", inputs: ["d", "we"], outputs: { e: image(C) } },
      { type: "Conv2D", inputs: ["p", "wf"], outputs: { f: image(C) } },
      { type: "Eltwise", inputs: ["e", "f"], outputs: { s: image(C) }, attributes: { type: ELTWISE.SUM } },
      ...(between
        ? [{ type: "Activation", inputs: ["s"], outputs: { t: image(C) }, attributes: { activation: between } }]
        : []),
      { type: "Conv2D", inputs: [between ? "t" : "s", "wy"], outputs: { y: image(4) } },
    ],
    outputs,
  );
}

const samples: readonly ReadonlyMap<string, ConstantData>[] = Array.from({ length: SAMPLES }, (_, s) => {
  const random = new Random(`sample${s}`);
  return new Map([["x", Float32Array.from({ length: 48 }, () => random.normal())]]);
});

function equalized(graph: Graph, rounded: (node: { readonly name: string }) => boolean = () => true): Equalization {
  const statistics = statisticsOf(graph, samples);
  return equalizeActivations(graph, channelsOf(statistics), statistics, rounded);
}

const output = (graph: Graph, sample: ReadonlyMap<string, ConstantData>): ConstantData =>
  interpret(graph, sample).get("y") ?? new Float32Array();

test("the same function", () => {
  const graph = network();
  const expected = samples.map((sample) => output(graph, sample));
  const constants = [...graph.tensors.values()].filter(({ data }) => data);
  const originals = constants.map(({ data }) => data);
  const copies = originals.map((data) => data?.slice());
  assert.ok(equalized(graph).factors.size > 0);
  assert.deepEqual(originals, copies, "constants are replaced, not written to");
  samples.forEach((sample, s) => {
    const most = Math.max(...(expected[s] ?? []).map(Math.abs));
    output(graph, sample).forEach((v, i) => {
      assert.ok(Math.abs(v - (expected[s]?.[i] ?? 0)) <= 1e-5 * most);
    });
  });
});

test("factors go through concatenations, pooling and sums", () => {
  const { factors } = equalized(network());
  assert.deepEqual([...factors.keys()].sort(), ["a", "b", "c", "d", "e", "f", "p", "s"]);
  const of = (name: string): number[] => [...(factors.get(name) ?? [])];
  assert.deepEqual(of("c"), [...of("a"), ...of("b")]);
  assert.deepEqual(of("p"), of("c"));
  assert.deepEqual(of("e"), of("s"));
  assert.deepEqual(of("f"), of("s"));
  assert.ok(Math.min(...of("s")) < 1 / 4, String(of("s")));
  assert.ok([...factors.values()].every((factor) => factor.every((f) => f > 0 && f <= 1)));
});

// The depthwise filters of a few elements are never even: without them.
const withoutDepthwise = ({ name }: { readonly name: string }): boolean => name !== "d/node";

test("channels that are even stay as they are", () => {
  assert.deepEqual([...equalized(network({ gain: () => 1 }), withoutDepthwise).factors.keys()], []);
});

for (const [title, variant, scaled] of [
  ["an output keeps its values, and all that shares its channels", { outputs: ["y", "c"] }, ["d", "e", "f", "s"]],
  ["a function that is not linear stops them", { between: "TANH" }, ["a", "b", "c", "d", "p"]],
  ["a slope below zero does not", { between: "LEAKYRELU" }, ["a", "b", "c", "d", "e", "f", "p", "s", "t"]],
] as const) {
  test(title, () => {
    assert.deepEqual([...equalized(network(variant)).factors.keys()].sort(), scaled);
  });
}

test("channels that a limit clips keep their values", () => {
  const graph = network({ attributes: { activation: "RELUX", max_limit: 2 } });
  const clipped = [...(channelsOf(statisticsOf(graph, samples)).get("a")?.max ?? [])].map((max) => max >= 2);
  assert.ok(clipped.includes(true) && clipped.includes(false));
  const factor = equalized(graph).factors.get("a");
  assert.ok(factor?.some((f) => f < 1));
  clipped.forEach((is, c) => {
    if (is) assert.equal(factor?.[c], 1);
  });
});

test("trained ranges and weights, shared weights and layers that stay float keep their channels", () => {
  const trained = network();
  Object.assign(trained.tensors.get("p") ?? {}, { range: { min: 0, max: 50, source: "trained", reason: "" } });
  assert.deepEqual([...equalized(trained).factors.keys()].sort(), ["d", "e", "f", "s"]);
  const weights = network();
  Object.assign(weights.tensors.get("wy") ?? {}, { range: { min: 0, max: 1, source: "trained", reason: "" } });
  assert.deepEqual([...equalized(weights).factors.keys()].sort(), ["a", "b", "c", "d", "p"]);
  assert.deepEqual([...equalized(network(), ({ name }) => name !== "y/node").factors.keys()].sort(), [
    "a",
    "b",
    "c",
    "d",
    "p",
  ]);
  const shared = network();
  shared.nodes.push({ ...(shared.nodes[0] as Graph["nodes"][number]), name: "again", outputs: ["again"] });
  shared.tensors.set("again", { name: "again", shape: [1, 4, 4, C], dtype: "float32" });
  assert.ok(!equalized(shared).factors.has("a"));
});
