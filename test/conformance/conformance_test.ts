import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { perChannelWeights, quantizeBias } from "../../tools/quant/affine";
import {
  adjustRange,
  adjustRangeForHexagon,
  adjustRangeInt8,
  type MaceParameters,
  symmetricScale,
} from "../../tools/quant/mace-compat";
import { maceRange } from "../../tools/quant/mace-ranges";
import { formatOverallRange } from "../../tools/statistics/overall-range";
import { conformanceTables } from "./vectors";

const folder = "test/conformance";
const read = (name: string): string => fs.readFileSync(path.join(folder, name), "utf8");

for (const [name, text] of conformanceTables()) {
  test(`${name} holds what the implementation computes`, () => {
    assert.equal(text, read(name), "run: ./bazelw run //test/conformance:update");
  });
}

const SCHEMES: Readonly<Record<string, (min: number, max: number) => MaceParameters>> = {
  uint8: (min, max) => adjustRange(min, max),
  uint8_non_zero: (min, max) => adjustRange(min, max, true),
  hexagon: adjustRangeForHexagon,
  int8: adjustRangeInt8,
  uint16: (min, max) => adjustRange(min, max, false, 65535),
};

test("MACE's parameters", () => {
  const near = (actual: number, text: string | undefined, what: string): void => {
    if (text === undefined || text === "") return;
    const expected = Number(text);
    assert.ok(Math.abs(actual - expected) <= 1e-6 * Math.abs(expected) + 1e-12, `${what}: ${actual}, not ${expected}`);
  };
  const rows = read("mace-parameters.tsv").trim().split("\n").slice(1);
  assert.ok(rows.length >= 55);
  for (const row of rows) {
    const [scheme = "", min, max, scale, zero, low, high] = row.split("\t");
    const result = SCHEMES[scheme]?.(Number(min), Number(max));
    assert.ok(result, scheme);
    near(result.scale, scale, `${row}: scale`);
    assert.equal(result.zeroPoint, Number(zero), `${row}: zero point`);
    near(result.min, low, `${row}: low`);
    near(result.max, high, `${row}: high`);
  }
});

test("MACE's weight codes", () => {
  const weights = [-1, -0.5, 0, 0.3, 0.7];
  const codes = ({ scale, zeroPoint }: MaceParameters) =>
    weights.map((w) => Math.min(Math.max(Math.round(zeroPoint + w / scale), 0), 255));
  assert.deepEqual(codes(adjustRange(-1, 0.7, true)), [2, 76, 151, 196, 255]);
  assert.deepEqual(codes(adjustRange(-1, 0.7)), [0, 75, 150, 195, 255]);
  assert.ok(Math.abs(symmetricScale(-1, 0.7, 8) - 0.007874016) < 1e-9);
  assert.ok(Math.abs(symmetricScale(-1, 0.7, 16) - 3.0517578e-5) < 1e-12);
  const int8 = perChannelWeights(Float32Array.from(weights), 1, weights.length);
  assert.deepEqual([...int8.codes], [-127, -64, 0, 38, 89]);
});

test("biases round half to even and are clamped to 32 bits", () => {
  assert.deepEqual([...quantizeBias(Float32Array.of(0.5, 1.5, 2.5, -0.5, -1.5), 1, [1]).codes], [0, 2, 2, 0, -2]);
  const { codes, clamped } = quantizeBias(Float32Array.of(1e30, -1e30, 0), 1e-3, [1e-3]);
  assert.deepEqual([...codes], [2147483647, -2147483647, 0]);
  assert.deepEqual([...clamped], [0, 1]);
});

const SAMPLES: readonly (readonly [number, number])[] = [
  [-1, 10],
  [-1.2, 11],
  [-0.9, 10.5],
  [-1.1, 10.2],
  [-9, 60],
  [-1.0, 10.1],
  [-1.05, 10.3],
  [-0.95, 10.6],
  [-1.15, 10.7],
  [-0.97, 10.4],
];

for (const [percentile, enhance, enhanceRatio, expected] of [
  [0, false, 10, "t@@-9.000000,60.000000\n"],
  [10, false, 10, "t@@-1.980000,15.900000\n"],
  [0, true, 10, "t@@-9.000000,60.000000\n"],
  [0, true, 5, "t@@-9.000000,11.000000\n"],
  [0, true, 2, "t@@-9.000000,11.000000\n"],
  [10, true, 5, "t@@-1.980000,15.900000\n"],
] as const) {
  test(`MACE's range, percentile ${percentile}, enhance ${enhance}, ratio ${enhanceRatio}`, () => {
    const [mins, maxs] = [SAMPLES.map(([min]) => min), SAMPLES.map(([, max]) => max)];
    const range = maceRange(mins, maxs, { percentile, enhance, enhanceRatio });
    assert.equal(formatOverallRange(new Map([["t", range]])), expected);
  });
}

test("small and constant tensors have ranges too", () => {
  assert.deepEqual(maceRange([0, 0], [0.05, 0.06], { percentile: 0, enhance: true, enhanceRatio: 10 }), [0, 0.06]);
  assert.deepEqual(maceRange([2], [2]), [2, 2]);
  assert.equal(formatOverallRange(new Map([["t", [0, 1.25e-7]]])), "t@@0.000000,0.000000125\n");
});
