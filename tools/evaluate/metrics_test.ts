import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../synth/random";
import { Distance, topIndices } from "./metrics";

const distance = (reference: readonly number[], actual: readonly number[]): Distance => {
  const d = new Distance();
  d.add(Float32Array.from(reference), Float32Array.from(actual));
  return d;
};

test("SQNR, cosine and greatest error of small vectors", () => {
  const d = distance([3, 4], [3, 4.5]);
  assert.equal(d.sqnr, 10 * Math.log10(25 / 0.25));
  assert.equal(d.maxError, 0.5);
  assert.ok(Math.abs(d.cosine - 27 / (5 * Math.sqrt(29.25))) < 1e-15);
});

test("equal, zero and opposite tensors", () => {
  assert.equal(distance([1, 2], [1, 2]).sqnr, Number.POSITIVE_INFINITY);
  assert.equal(distance([0, 0], [0, 0]).cosine, 1);
  assert.equal(distance([0, 0], [0, 1]).sqnr, Number.NEGATIVE_INFINITY);
  assert.equal(distance([0, 0], [0, 1]).cosine, 0);
  assert.ok(Math.abs(distance([1, 2], [-1, -2]).cosine + 1) < 1e-15);
});

test("NaN is no small error", () => {
  const d = distance([1, 2], [1, Number.NaN]);
  assert.ok(Number.isNaN(d.maxError));
  assert.ok(Number.isNaN(d.sqnr));
});

test("pairs add up as one longer pair", () => {
  const random = new Random("metrics");
  const values = () => Array.from({ length: 64 }, () => random.normal());
  const [a, b] = [values(), values()];
  const whole = distance(a, b);
  const parts = new Distance();
  for (const [from, to] of [
    [0, 32],
    [32, 64],
  ] as const) {
    parts.add(Float32Array.from(a.slice(from, to)), Float32Array.from(b.slice(from, to)));
  }
  assert.ok(Math.abs(parts.sqnr - whole.sqnr) < 1e-9);
  assert.ok(Math.abs(parts.cosine - whole.cosine) < 1e-12);
  assert.equal(parts.count, 64);
});

test("the greatest elements: descending, first of equal ones first, NaN last", () => {
  assert.deepEqual(topIndices(Float32Array.of(1, 5, Number.NaN, 5, -2), 3), [1, 3, 0]);
  assert.deepEqual(topIndices(Float32Array.of(Number.NaN, 1), 2), [1, 0]);
  const random = new Random("top");
  const values = Float32Array.from({ length: 200 }, () => Math.round(random.normal() * 8));
  const sorted = [...values.keys()].sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0) || a - b);
  assert.deepEqual(topIndices(values, 5), sorted.slice(0, 5));
});
