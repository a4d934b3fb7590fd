import assert from "node:assert/strict";
import { test } from "node:test";
import { TensorStatistics } from "../../mace/proto/statistics";
import { Random } from "../synth/random";
import { calibrate, type Method, METHODS, squaredError } from "./calibrate";

/** The histogram of values as mace_stat counts them. */
function observe(values: readonly number[]): { tensor: TensorStatistics; extremes: readonly [number, number] } {
  const view = new DataView(new ArrayBuffer(4));
  const counts = new Map<number, number>();
  for (const value of values) {
    view.setFloat32(0, value === 0 ? 0 : value);
    const bucket = view.getUint32(0) >>> 19;
    counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
  }
  const bucket = [...counts.keys()].sort((a, b) => a - b);
  const tensor = TensorStatistics.fromPartial({
    bucket,
    bucketCount: bucket.map((b) => counts.get(b) ?? 0),
    count: values.length,
  });
  return { tensor, extremes: [Math.fround(Math.min(...values)), Math.fround(Math.max(...values))] };
}

const range = (values: readonly number[], method: Method, coverage = 99) => {
  const { tensor, extremes } = observe(values);
  return calibrate(tensor, extremes, { method, coverage });
};

/** Mean square error of rounding to 256 codes of a range, of which one is zero: no histogram. */
function trueError(values: readonly number[], [low, high]: readonly [number, number]): number {
  const step = (high - low) / 255;
  const zero = Math.round(-low / step);
  let sum = 0;
  for (const value of values) {
    const code = Math.min(255, Math.max(0, Math.round(value / step) + zero));
    sum += ((code - zero) * step - value) ** 2;
  }
  return sum / values.length;
}

/** What the sixteenth of an octave that a bucket spans may cost. */
const RESOLUTION = 1.1;

const random = new Random("calibrate");
const normal = Array.from({ length: 20000 }, () => random.normal());
const rectified = normal.map((v) => Math.max(v, 0));
const withOutlier = [...normal, 1000];

test("minmax clips nothing", () => {
  assert.deepEqual(range([-2, 0.5, 7], "minmax"), [-2, 7]);
});

test("a percentile leaves out the share at both ends, to a bucket's resolution", () => {
  const [low, high] = range(
    Array.from({ length: 10001 }, (_, i) => i - 5000),
    "percentile",
    90,
  );
  assert.ok(Math.abs(low + 4500) < 150 && Math.abs(high - 4500) < 150, `${low} … ${high}`);
});

test("a range always holds zero", () => {
  const positive = normal.map((v) => 10 + v);
  for (const method of Object.keys(METHODS) as Method[]) {
    if (method === "minmax") continue;
    assert.ok(range(positive, method)[0] <= 0, method);
    assert.ok(
      range(
        positive.map((v) => -v),
        method,
      )[1] >= 0,
      method,
    );
  }
});

test("the least error gives up a lone outlier when that helps the others more", () => {
  const crowd = Array.from({ length: 4 }, () => normal).flat();
  const [, high] = range([...crowd, 40], "mse");
  assert.ok(high < 40 && high > 3, String(high));
  // One outlier so far away that losing it costs more than coarse steps for the rest stays.
  assert.ok(range(withOutlier, "mse")[1] > 500);
});

for (const [name, values] of [
  ["normal", normal],
  ["rectified", rectified],
  ["with an outlier", withOutlier],
  ["heavy-tailed", normal.map((v) => v ** 5)],
  ["constant but for one", [...Array(1000).fill(0), 3]],
] as const) {
  test(`${name}: mse and auto do not lose to the extremes`, () => {
    const { tensor, extremes } = observe(values);
    const error = (method: Method): number => trueError(values, range(values, method, 99.99));
    assert.ok(error("mse") <= error("minmax") * RESOLUTION, `${error("mse")} against ${error("minmax")}`);
    assert.ok(error("auto") <= error("minmax") * RESOLUTION);
    assert.ok(calibrate(tensor, extremes, { method: "auto", coverage: 99 }).every(Number.isFinite));
  });
}

test("the histogram's error follows the true one", () => {
  for (const limit of [0.5, 1, 2, 4]) {
    const { tensor } = observe(normal);
    const view = new DataView(new ArrayBuffer(4));
    const buckets = tensor.bucket.map((bucket, i) => {
      view.setUint32(0, (bucket * 2 ** 19) >>> 0);
      const near = view.getFloat32(0);
      view.setUint32(0, (bucket * 2 ** 19 + 2 ** 19 - 1) >>> 0);
      const far = view.getFloat32(0);
      return { low: Math.min(near, far), high: Math.max(near, far), count: tensor.bucketCount[i] ?? 0 };
    });
    const estimated = squaredError(buckets, [-limit, limit]) / normal.length;
    const actual = trueError(normal, [-limit, limit]);
    assert.ok(Math.abs(estimated / actual - 1) < 0.1, `limit ${limit}: ${estimated} for ${actual}`);
  }
});

test("entropy clips a thin tail and keeps a flat distribution whole", () => {
  const flat = Array.from({ length: 50000 }, () => random.uniform());
  assert.ok(range(flat, "entropy")[1] > 0.95);
  const [, high] = range([...rectified, 30], "entropy");
  assert.ok(high < 15, String(high));
});

test("constant and empty histograms keep their extremes", () => {
  for (const method of Object.keys(METHODS) as Method[]) {
    assert.deepEqual(calibrate(TensorStatistics.fromPartial({}), [2, 2], { method, coverage: 99 }), [2, 2]);
  }
});
