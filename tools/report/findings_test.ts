import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import { Statistics } from "../../mace/proto/statistics";
import type { Evaluation } from "../evaluate/evaluate";
import type { Graph, Tensor } from "../ir/graph";
import type { Explanation } from "../quantize/explain";
import { type Finding, findingsOf } from "./findings";
import { linearHistogram, quantizedHistogram } from "./histogram";
import { weightRows } from "./quantization-report";

const GRAPH: Graph = {
  name: "g",
  inputs: [{ tensor: "x", format: "NHWC", declaredRange: [-1, 1] }],
  outputs: [{ tensor: "y", format: "NHWC" }],
  tensors: new Map(),
  nodes: [],
};

const withBias = (code: number): Graph => ({
  ...GRAPH,
  tensors: new Map<string, Tensor>([["b", { name: "b", shape: [2], dtype: "int32", data: Int32Array.of(1, code) }]]),
  nodes: [{ name: "conv", type: "Conv2D", inputs: ["x", "w", "b"], outputs: ["y"], attributes: {} }],
});

const row = (over: Partial<Explanation>): Explanation => ({
  tensor: "y",
  origin: "y",
  node: "conv",
  type: "Conv2D",
  codes: "uint8",
  heirs: [],
  ...over,
});

const observed = (measured: readonly [number, number], clipped = 0): Partial<Explanation> => ({
  observed: { range: measured, measured, samples: ["a", "b"], clipped },
});

const layers = (...ratios: readonly (number | null)[]): Evaluation => ({
  model: "g",
  samples: 1,
  layerSamples: 1,
  agreement: 100,
  outputs: [],
  layers: ratios.map((sqnr, i) => ({ tensor: `t${i}`, node: `n${i}`, type: "Conv2D", sqnr, cosine: 1, maxError: 0 })),
});

/** Statistics of `count` samples of x, each with the same range unless told. */
const statistics = (count: number, range: (s: number) => readonly [number, number], over = {}): Statistics =>
  Statistics.fromPartial({
    version: 1,
    tensor: [{ name: "x", count: 100, ...over }],
    sample: Array.from({ length: count }, (_, s) => ({ name: `s${s}`, min: [range(s)[0]], max: [range(s)[1]] })),
  });

const CASES: readonly (readonly [string, Partial<Parameters<typeof findingsOf>[0]>, RegExp, string])[] = [
  [
    "a missed budget",
    { quantized: { ...GRAPH, missedBudget: "30 dB: 20 dB" } },
    /budget was missed: 30 dB: 20 dB/,
    "max_float =",
  ],
  [
    "every poor layer, in order",
    { evaluation: layers(40, 14.2, null, 3, 16) },
    /2 layers below 15 dB.*'n1' \(t1\) 14\.2 dB; Conv2D 'n3' \(t3\) 3\.0 dB/,
    'keep_float = ["t1", "t3"]',
  ],
  [
    "clipping",
    { explanations: [row({ range: [0, 1], ...observed([-0.5, 4], 0.25) })] },
    /'y' clips 25\.00 %/,
    'range_overrides = {"y": "-0.5,4"}',
  ],
  [
    "ranges in conflict",
    { explanations: [row({ range: [0, 1], source: "trained", ...observed([0, 4.5]) })] },
    /trained with 0 … 1, and the samples have 0 … 4\.5/,
    'range_overrides = {"y": "0,4.5"}',
  ],
  ["a clamped bias", { quantized: withBias(-2147483647) }, /bias of Conv2D 'conv'/, 'keep_float = ["conv"]'],
  [
    "NaN",
    { statistics: statistics(20, () => [-1, 1], { nanCount: 3 }) },
    /NaN or infinite values in 'x'/,
    'keep_float = ["x"]',
  ],
  [
    "a dead tensor",
    { statistics: statistics(20, () => [0, 0]) },
    /1 tensor with zero in every sample: 'x'/,
    "inputs = [",
  ],
  [
    "a constant tensor",
    { statistics: statistics(20, () => [0.5, 0.5]) },
    /one value in every sample: 'x'/,
    "inputs = [",
  ],
  ["few samples", { statistics: statistics(3, () => [-1, 1]) }, /Only 3 samples/, "inputs = ["],
  [
    "ranges that still grow",
    { statistics: statistics(20, (s) => [0, s < 19 ? 0.5 : 1]) },
    /widened the ranges by 50\.0 %/,
    "inputs = [",
  ],
  [
    "an input that is not as declared",
    { statistics: statistics(20, () => [0, 255]) },
    /outside of the declared/,
    'config = "',
  ],
];

const find = (over: Partial<Parameters<typeof findingsOf>[0]>): Finding[] =>
  findingsOf({ float: GRAPH, quantized: GRAPH, explanations: [], ...over });

for (const [what, input, text, attribute] of CASES) {
  test(`finding: ${what}, with an attribute that the rule has`, () => {
    const found = find(input).find((f) => text.test(f.what));
    assert.ok(found?.attribute, JSON.stringify(find(input)));
    assert.ok(found.attribute.text.startsWith(attribute), found.attribute.text);
    const [name = ""] = attribute.split(" ");
    const rule = fs.readFileSync(`bazel/private/${found.attribute.rule}.bzl`, "utf8");
    assert.match(rule, new RegExp(`^    "${name}": attr\\.`, "m"));
  });
}

test("nothing to find in a good model", () => {
  const good = {
    quantized: withBias(2147483646),
    evaluation: layers(40, null, 30),
    explanations: [row({ range: [0, 1], source: "trained", ...observed([0, 1.5]) })],
    statistics: statistics(20, () => [-1, 1]),
  };
  assert.deepEqual(find(good), []);
});

test("histograms: every element counts once; codes reach no farther than the range, and are no finer than its steps", () => {
  // 1 (0x3f800000), 2, -1 and 0: the upper 13 bits.
  const tensor = Statistics.fromPartial({
    tensor: [
      { name: "x", bucket: [0, 0x3f800000 >>> 19, 0x40000000 >>> 19, 0xbf800000 >>> 19], bucketCount: [10, 5, 3, 2] },
    ],
  }).tensor[0];
  assert.ok(tensor);
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const float = linearHistogram(tensor, [-1.1, 2.2], 33);
  assert.equal(sum(float), 20);
  assert.equal(float[11], 10, "zeros");
  const codes = quantizedHistogram(tensor, [-1.1, 2.2], 33, [0, 1]);
  assert.ok(Math.abs(sum(codes) - 20) < 1e-9);
  assert.equal(codes[11], 12, "what is negative became zero");
  assert.ok(Math.abs(sum(codes.slice(20, 22)) - 8) < 1e-9, "what is greater became one");
  assert.equal(sum(codes.slice(22)), 0);
  const coarse = quantizedHistogram(tensor, [-1.1, 2.2], 33, [-100, 100]);
  assert.ok(coarse.filter((count) => count > 0).length <= 5, `${coarse}`);
});

test("weights: the ends of every channel, before and after, on the axis of both", () => {
  const graph = (first: number, outputs: number): Graph => {
    const data = Float32Array.from({ length: 2 * outputs }, (_, i) => (i < 2 ? first * (i === 0 ? -1 : 1) : 0.25));
    return {
      ...GRAPH,
      tensors: new Map<string, Tensor>([["w", { name: "w", shape: [outputs, 2], dtype: "float32", data }]]),
      nodes: [{ name: "fc", type: "FullyConnected", inputs: ["x", "w"], outputs: ["y"], attributes: {} }],
    };
  };
  const [cells] = weightRows(graph(4, 3), graph(2, 3));
  const [, name, axis, before, after] = cells ?? [];
  assert.deepEqual([name, axis], ["w", "-4 … 4"]);
  assert.match(before ?? "", /channel 0: -4 … 4<.*channel 1: 0\.25 … 0\.25<.*channel 2/);
  assert.match(after ?? "", /channel 0: -2 … 2</);
  assert.notEqual(before, after);
  const [many] = weightRows(graph(1, 100), graph(1, 100));
  assert.match(many?.[3] ?? "", /channel 31:.*channels 32 to 99: 0 … 0\.25/);
  assert.doesNotMatch(many?.[3] ?? "", /channel 32:/);
});
