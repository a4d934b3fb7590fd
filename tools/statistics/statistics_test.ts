import assert from "node:assert/strict";
import { test } from "node:test";
import { Statistics } from "../../mace/proto/statistics";
import { UserError } from "../diagnostics/diagnostic";
import { Random } from "../synth/random";
import { RANGE_DEFAULTS, rangesFromStatistics } from "./ranges";
import { mergeStatistics } from "./statistics";

/** Statistics of one sample of two tensors. */
function run(name: string, min: number, max: number, buckets: readonly [number, number][] = [[5, 1]]): Statistics {
  const tensor = ["x", "y"].map((tensorName) => ({
    name: tensorName,
    count: 4,
    bucket: buckets.map(([b]) => b),
    bucketCount: buckets.map(([, count]) => count),
  }));
  return Statistics.fromPartial({
    version: 1,
    graphDigest: Uint8Array.of(1, 2),
    tensor,
    sample: [{ name, min: [min, 0], max: [max, 1] }],
  });
}

const encode = (s: Statistics): string => Buffer.from(Statistics.encode(s).finish()).toString("hex");
const part = (statistics: Statistics) => ({ file: "part", statistics });

test("merging is associative and commutative", () => {
  const random = new Random("merge");
  for (let round = 0; round < 50; round++) {
    const parts = Array.from({ length: 5 }, (_, i) =>
      run(`s${i}`, -random.uniform(), random.uniform(), [
        [random.next() % 8, 1 + (random.next() % 9)],
        [8 + (random.next() % 8), 1],
      ]),
    );
    const all = encode(mergeStatistics(parts.map(part)));
    const shuffled = [...parts].sort(() => (random.next() % 2 === 0 ? -1 : 1));
    assert.equal(encode(mergeStatistics(shuffled.map(part))), all);
    const [a, b, ...rest] = shuffled as [Statistics, Statistics, ...Statistics[]];
    assert.equal(encode(mergeStatistics([part(mergeStatistics([part(a), part(b)])), ...rest.map(part)])), all);
  }
});

test("channels keep their extremes and add up their means", () => {
  const parts = [
    [-1, 2, 3],
    [-4, 1, 5],
    [-2, 7, -9],
  ].map(([min = 0, max = 0, mean = 0], i) => {
    const statistics = run(`s${i}`, min, max);
    for (const tensor of statistics.tensor) {
      tensor.channelMin = [min, 0];
      tensor.channelMax = [max, 0];
      tensor.channelMean = [mean, 1];
    }
    return part(statistics);
  });
  const [x] = mergeStatistics(parts).tensor;
  assert.deepEqual(
    [x?.channelMin, x?.channelMax, x?.channelMean],
    [
      [-4, 0],
      [7, 0],
      [-1, 3],
    ],
  );
});

test("runs of different models do not merge", () => {
  const other = { ...run("b", 0, 1), graphDigest: Uint8Array.of(9) };
  assert.throws(
    () => mergeStatistics([part(run("a", 0, 1)), part(other)]),
    (e) => e instanceof UserError && e.message.includes("MQ302"),
  );
});

test("ranges come from the samples' extremes", () => {
  const merged = mergeStatistics([part(run("a", -1, 2)), part(run("b", -3, 1))]);
  const { ranges, warnings } = rangesFromStatistics(merged, "f", RANGE_DEFAULTS);
  assert.deepEqual(
    [...ranges],
    [
      ["x", [-3, 2]],
      ["y", [0, 1]],
    ],
  );
  assert.deepEqual(warnings, []);
});

test("a tensor without a finite element is an error that names it; NaN among others is a warning", () => {
  const dead = run("a", 1, -1);
  assert.throws(
    () => rangesFromStatistics(dead, "f", RANGE_DEFAULTS),
    (e) => e instanceof UserError && e.diagnostics[0]?.place.tensor === "x",
  );
  const some = run("a", 0, 1);
  for (const tensor of some.tensor) tensor.nanCount = 1;
  assert.deepEqual(
    rangesFromStatistics(some, "f", RANGE_DEFAULTS).warnings.map((w) => w.code),
    ["MQ305", "MQ305"],
  );
});
