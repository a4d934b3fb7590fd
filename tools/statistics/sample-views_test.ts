import assert from "node:assert/strict";
import { test } from "node:test";
import { Statistics } from "../../mace/proto/statistics";
import { PRESETS } from "../config/preprocess";
import type { Graph, GraphPort } from "../ir/graph";
import { Random } from "../synth/random";
import { flatTensors } from "./flat-tensors";
import { lastWidening, samplesByPush, saturation } from "./sample-views";
import { suspiciousInputs } from "./suspicious-inputs";

/** Statistics of samples, each with the [min, max] of every tensor. */
function of(
  samples: readonly (readonly (readonly [number, number])[])[],
  channelMean: readonly number[] = [],
): Statistics {
  return Statistics.fromPartial({
    version: 1,
    tensor: (samples[0] ?? []).map((_, t) => ({
      name: `t${t}`,
      ...(t === 0 && {
        channelMin: channelMean.map(() => -1),
        channelMax: channelMean.map(() => 1),
        channelMean: channelMean.map((mean) => Math.round(mean * samples.length * 2 ** 24)),
      }),
    })),
    sample: samples.map((ranges, s) => ({
      name: `s${s}`,
      min: ranges.map(([min]) => min),
      max: ranges.map(([, max]) => max),
    })),
  });
}

/** Two tensors of ordinary samples. */
const ordinary = (random: Random): [number, number][] =>
  [1, 10].map((size) => [-size * (0.9 + 0.1 * random.uniform()), size * (0.9 + 0.1 * random.uniform())]);

test("a seeded outlier is named, wherever it is, with the tensor that it widens most", () => {
  for (const at of [0, 7, 19]) {
    const random = new Random(`outlier ${at}`);
    const samples = Array.from({ length: 20 }, () => ordinary(random));
    (samples[at] as [number, number][])[1] = [-10, 50];
    const [first, second] = samplesByPush(of(samples));
    assert.equal(first?.sample, `s${at}`);
    assert.equal(first?.tensor, "t1");
    assert.ok((first?.most ?? 0) > 1.9 && (first?.mean ?? 0) > 0.9, JSON.stringify(first));
    assert.ok((second?.mean ?? 1) < 0.05, JSON.stringify(second));
    assert.equal(lastWidening(of(samples)) > at, true);
  }
});

test("distance ranks, not the number of extremes", () => {
  // s0 sets three extremes by a hair, s1 one by far.
  const ranked = samplesByPush(
    of([
      [
        [-1.001, 1.001],
        [-1.001, 1],
      ],
      [
        [-1, 1],
        [-1, 3],
      ],
      [
        [-1, 1],
        [-1, 1],
      ],
    ]),
  );
  assert.deepEqual(
    ranked.map(({ sample, extremes }) => [sample, extremes]),
    [
      ["s1", 1],
      ["s0", 3],
      ["s2", 0],
    ],
  );
  assert.ok(Math.abs((ranked[0]?.most ?? 0) - 2 / 2.001) < 1e-12);
});

test("a sample without a finite element, or alone, pushes what it has", () => {
  assert.deepEqual(
    samplesByPush(of([[[3.4e38, -3.4e38]], [[-1, 1]]])).map(({ sample, most }) => [sample, most]),
    [
      ["s1", 1],
      ["s0", 0],
    ],
  );
  assert.deepEqual(samplesByPush(of([])), []);
});

test("saturation: the share of the final ranges, and the last sample that counts", () => {
  const statistics = of([[[-1, 1]], [[-1, 3]], [[-1, 3.02]], [[0, 1]]]);
  const curve = saturation(statistics);
  assert.deepEqual(
    curve.map((v) => Number(v.toFixed(4))),
    [0.4975, 0.995, 1, 1],
  );
  assert.equal(lastWidening(statistics), 2, "the third widens by half a per cent");
  assert.equal(lastWidening(of([[[0, 0]]])), 0);
  assert.deepEqual(saturation(of([])), []);
});

test("dead, constant and narrow tensors", () => {
  const range: [number, number] = [-1, 1];
  const statistics = of([
    [[0, 0], [2, 2], [0, 5e-7], range],
    [
      [0, 0],
      [2, 2],
      [1e-7, 4e-7],
      [0, 0],
    ],
  ]);
  assert.deepEqual(flatTensors(statistics), { dead: ["t0"], constant: ["t1"], narrow: ["t2"] });
});

function graphWith(port: Partial<GraphPort>): Graph {
  return { name: "g", inputs: [{ tensor: "t0", format: "NHWC", ...port }], outputs: [], tensors: new Map(), nodes: [] };
}

const preset = (name: keyof typeof PRESETS): Partial<GraphPort> => {
  const preprocess = PRESETS[name];
  return preprocess ? { preprocess } : {};
};
/** Means that `pixels` (per channel, in the declared order) have after preprocessing. */
const after = (name: string, pixels: readonly number[]): number[] =>
  pixels.map((p, c) => (p - (PRESETS[name]?.mean[c] ?? 0)) * (PRESETS[name]?.scale[c] ?? 1));
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

for (const [what, port, statistics, expected] of [
  ["right", preset("tf-inception"), of(times(20, [[-1, 1]])), undefined],
  ["a little more than pixels, as resizing makes", preset("unit"), of(times(20, [[-0.02, 1.03]])), undefined],
  ["all zero", preset("unit"), of(times(20, [[0, 0]])), /all zero/],
  ["one value", {}, of(times(20, [[3, 3]])), /one value only, 3/],
  [
    "outside of what is declared",
    { declaredRange: [0, 1] as const },
    of(times(2, [[-1, 1]])),
    /outside of the declared 0 … 1/,
  ],
  ["scaled twice", preset("unit"), of(times(20, [[0, 1 / 255]])), /scaled twice/],
  ["not scaled", preset("tf-inception"), of(times(20, [[0, 255]])), /not scaled/],
  [
    "BGR as declared",
    preset("caffe-bgr"),
    of(times(64, [[-123, 151]]), after("caffe-bgr", [100, 114, 121])),
    undefined,
  ],
  [
    "RGB where BGR is declared",
    preset("caffe-bgr"),
    of(times(64, [[-123, 151]]), after("caffe-bgr", [121, 114, 100])),
    /swapped\? \(99 % sure/,
  ],
  [
    "one picture proves nothing",
    preset("caffe-bgr"),
    of(times(1, [[-123, 151]]), after("caffe-bgr", [121, 114, 100])),
    undefined,
  ],
  [
    "BGR where RGB is declared",
    preset("torchvision"),
    of(times(64, [[-2, 2]]), after("torchvision", [100, 114, 121])),
    /swapped/,
  ],
  ["means that tell no channels apart", preset("tf-inception"), of(times(64, [[-1, 1]]), [-0.2, 0, 0.2]), undefined],
] as const) {
  test(`inputs: ${what}`, () => {
    const found = suspiciousInputs(graphWith(port), statistics as Statistics);
    if (expected === undefined) assert.deepEqual(found, []);
    else {
      assert.equal(found.length, 1);
      assert.match(found[0]?.what ?? "", expected);
    }
  });
}
