/** The inputs of the conformance tables, and the tables as the TypeScript implementation computes them. */

import {
  type Affine,
  activationParameters,
  CODE_RANGE,
  type CodeType,
  dequantizeValue,
  quantizeValue,
  requantize,
  requantizeMultiplier,
} from "../../tools/quant/affine";
import { average, elementwise, type ElementwiseType, rescale } from "../../tools/quant/elementwise";
import {
  type FixedPointOperation,
  fixedElementwise,
  fixedProduct,
  fixedProductOnce,
  toFixed,
} from "../../tools/quant/fixed-point";
import { lpNorm } from "../../tools/quant/norm";
import { softmax, softmaxTable } from "../../tools/quant/tables";
import { Random } from "../../tools/synth/random";

const TYPES: readonly CodeType[] = ["uint8", "int8"];
const OPERATIONS: readonly ElementwiseType[] = ["SUM", "SUB", "PROD", "MIN", "MAX"];

type Row = readonly (number | string)[];

function table(columns: readonly string[], rows: readonly Row[]): string {
  return [columns, ...rows]
    .map((row) => `${row.map((v) => (Object.is(v, -0) ? "0" : String(v))).join("\t")}\n`)
    .join("");
}

/** A scale between 2^-12 and 2^4. */
const randomScale = (random: Random): number =>
  Math.fround((1 + random.uniform()) * 2 ** (Math.floor(random.uniform() * 16) - 12));

function randomAffine(random: Random, type: CodeType): Affine {
  const [low] = CODE_RANGE[type];
  return { scale: randomScale(random), zeroPoint: low + (random.next() % 256) };
}

const randomCode = (random: Random, type: CodeType): number => {
  const [low, high] = CODE_RANGE[type];
  const pick = random.next() % 8;
  return pick === 0 ? low : pick === 1 ? high : low + (random.next() % 256);
};

function parameters(): string {
  const random = new Random("parameters");
  const ranges: [number, number][] = [
    [-1, 1],
    [0, 6],
    [0, 1],
    [-1, 0],
    [-0.5, 3.7],
    [0.2, 5],
    [-5, -0.2],
    [-1e-7, 1],
    [-2.3, 0.001],
    [-128, 127],
    [-0.003, 10],
    [0, 0],
    [2, 2],
    [-3, -3],
    [0, 1e-30],
    [-1e-38, 1e-38],
    [-3e38, 3e38],
    [0, 3.4e38],
    [1e-45, 2e-45],
    [-127.5, 127.5],
    [0, 255],
  ];
  for (let i = 0; i < 60; i++) {
    const span = 10 ** (8 * random.uniform() - 4);
    ranges.push([-span * random.uniform(), span * random.uniform()]);
  }
  return table(
    ["min", "max", "type", "scale", "zero"],
    ranges.flatMap(([min, max]) =>
      TYPES.map((type) => {
        const { scale, zeroPoint } = activationParameters(min, max, type);
        return [min, max, type, scale, zeroPoint];
      }),
    ),
  );
}

function quantize(): string {
  const random = new Random("quantize");
  const rows: Row[] = [];
  for (const type of TYPES) {
    for (let i = 0; i < 150; i++) {
      const affine = randomAffine(random, type);
      // Halves of a step are ties; the rest is anywhere, also far outside.
      const steps = i % 3 === 0 ? (random.next() % 600) - 300 + 0.5 : 700 * (random.uniform() - 0.5);
      const x = i === 1 ? "NaN" : i === 2 ? "Infinity" : i === 3 ? "-Infinity" : Math.fround(steps * affine.scale);
      const q = quantizeValue(Number(x), affine, type);
      rows.push([x, affine.scale, affine.zeroPoint, type, q, dequantizeValue(q, affine)]);
    }
  }
  return table(["x", "scale", "zero", "type", "q", "back"], rows);
}

function requantization(): string {
  const random = new Random("requantize");
  const rows: Row[] = [];
  for (const type of TYPES) {
    const [low, high] = CODE_RANGE[type];
    for (let i = 0; i < 200; i++) {
      const [sx, sw, sy] = [randomScale(random), randomScale(random), randomScale(random)];
      const zero = low + (random.next() % 256);
      const multiplier = requantizeMultiplier(sx, sw, sy);
      const extremes = [2147483647, -2147483648, 16777217, -16777217, 0, 1, -1];
      const target = 400 * (random.uniform() - 0.5);
      const acc = extremes[i] ?? Math.max(Math.min(Math.round(target / multiplier), 2147483647), -2147483648);
      const lo = i % 2 === 0 ? low : zero;
      rows.push([acc, sx, sw, sy, zero, lo, high, requantize(acc, multiplier, zero, lo, high)]);
    }
  }
  // A power of two as multiplier makes every odd accumulator a tie.
  for (let acc = -9; acc <= 9; acc++) {
    rows.push([acc, 0.5, 0.5, 0.5, 0, -128, 127, requantize(acc, requantizeMultiplier(0.5, 0.5, 0.5), 0, -128, 127)]);
  }
  return table(["acc", "scale_x", "scale_w", "scale_y", "zero_y", "low", "high", "q"], rows);
}

function elementwiseTable(): string {
  const random = new Random("elementwise");
  const rows: Row[] = [];
  for (const type of TYPES) {
    const [low, high] = CODE_RANGE[type];
    for (const operation of OPERATIONS) {
      for (let i = 0; i < 60; i++) {
        const [a, b, y] = [randomAffine(random, type), randomAffine(random, type), randomAffine(random, type)];
        const [qa, qb] = [randomCode(random, type), randomCode(random, type)];
        const lo = i % 2 === 0 ? low : y.zeroPoint;
        const q = elementwise(operation, qa, a, qb, b, y, lo, high);
        rows.push([operation, qa, a.scale, a.zeroPoint, qb, b.scale, b.zeroPoint, y.scale, y.zeroPoint, lo, high, q]);
      }
    }
  }
  const columns = ["op", "qa", "scale_a", "zero_a", "qb", "scale_b", "zero_b", "scale_y", "zero_y", "low", "high", "q"];
  return table(columns, rows);
}

function rescaleTable(): string {
  const random = new Random("rescale");
  const rows: Row[] = [];
  for (const type of TYPES) {
    const [low, high] = CODE_RANGE[type];
    for (let i = 0; i < 120; i++) {
      const [x, y] = [randomAffine(random, type), randomAffine(random, type)];
      const q = randomCode(random, type);
      rows.push([q, x.scale, x.zeroPoint, y.scale, y.zeroPoint, low, high, rescale(q, x, y, low, high)]);
    }
  }
  return table(["qx", "scale_x", "zero_x", "scale_y", "zero_y", "low", "high", "q"], rows);
}

function averageTable(): string {
  const random = new Random("average");
  const rows: Row[] = [];
  for (const type of TYPES) {
    const [low, high] = CODE_RANGE[type];
    for (let i = 0; i < 120; i++) {
      const n = 1 + (random.next() % 64);
      const sx = randomScale(random);
      const sy = i % 3 === 0 ? sx : randomScale(random);
      const zero = low + (random.next() % 256);
      const sum = (random.next() % (510 * n + 1)) - 255 * n;
      rows.push([sum, n, sx, sy, zero, low, high, average(sum, n, sx, sy, zero, low, high)]);
    }
  }
  return table(["sum", "n", "scale_x", "scale_y", "zero_y", "low", "high", "q"], rows);
}

function softmaxTableRows(): string {
  const random = new Random("softmax");
  const rows: Row[] = [];
  for (const type of TYPES) {
    for (let i = 0; i < 40; i++) {
      const scale = randomScale(random);
      const codes = Array.from({ length: 1 + (random.next() % 40) }, () => randomCode(random, type));
      rows.push([type, scale, codes.join(","), softmax(codes, softmaxTable(scale), type).join(",")]);
    }
  }
  return table(["type", "scale_x", "codes", "softmax"], rows);
}

function normTable(): string {
  const random = new Random("norm");
  const rows: Row[] = [];
  for (const type of TYPES) {
    for (let i = 0; i < 40; i++) {
      const [x, y] = [randomAffine(random, type), randomAffine(random, type)];
      const p = (random.next() % 2) + 1 === 1 ? 1 : 2;
      const epsilon = i % 4 === 0 ? randomScale(random) : 0;
      // Some groups are all zero.
      const codes = Array.from({ length: 1 + (random.next() % 40) }, () =>
        i % 10 === 9 ? x.zeroPoint : randomCode(random, type),
      );
      const result = lpNorm(codes, p, epsilon, x, y, CODE_RANGE[type][0]);
      rows.push([type, p, epsilon, x.scale, x.zeroPoint, y.scale, y.zeroPoint, codes.join(","), result.join(",")]);
    }
  }
  return table(["type", "p", "epsilon", "scale_x", "zero_x", "scale_y", "zero_y", "codes", "norm"], rows);
}

function fixedPoint(): string {
  const random = new Random("fixed-point");
  const rows: Row[] = [];
  const add = (x: number, multiplier: number): void => {
    const m = toFixed(multiplier);
    rows.push([x, multiplier, m.mantissa, m.exponent, fixedProduct(x, m), fixedProductOnce(x, m)]);
  };
  for (const x of [2147483647, -2147483648, 1073741824, -1073741825, 12345, -12345, 1, -1, 0]) {
    for (const m of [
      0,
      2 ** -40,
      2 ** -33,
      2 ** -32,
      2 ** -31,
      1e-4,
      0.5,
      1 - 2 ** -40,
      1,
      1.5,
      300,
      2 ** 29,
      2 ** 30,
      1e30,
    ])
      add(x, m);
  }
  // Powers of two make ties.
  for (let x = -20; x <= 20; x++) for (const m of [0.5, 0.25, 0.125, 0.75]) add(x, m);
  for (let i = 0; i < 300; i++) {
    const m = (0.5 + random.uniform() / 2) * 2 ** (1 - Math.floor(random.uniform() * 20));
    const target = (random.uniform() - 0.5) * 600;
    add(clampToInt32(Math.round(target / m)), m);
  }
  return table(["x", "multiplier", "mantissa", "exponent", "twice", "once"], rows);
}

const clampToInt32 = (x: number): number => Math.max(Math.min(x, 2147483647), -2147483648);

function fixedPointElementwise(): string {
  const random = new Random("fixed-point-elementwise");
  const operations: readonly FixedPointOperation[] = ["SUM", "SUB", "PROD"];
  const rows: Row[] = [];
  for (const type of TYPES) {
    const [low, high] = CODE_RANGE[type];
    for (const operation of operations) {
      for (let i = 0; i < 100; i++) {
        const [a, b, y] = [randomAffine(random, type), randomAffine(random, type), randomAffine(random, type)];
        const [qa, qb] = [randomCode(random, type), randomCode(random, type)];
        const lo = i % 2 === 0 ? low : y.zeroPoint;
        const q = fixedElementwise(operation, qa, a, qb, b, y, lo, high);
        rows.push([operation, qa, a.scale, a.zeroPoint, qb, b.scale, b.zeroPoint, y.scale, y.zeroPoint, lo, high, q]);
      }
    }
  }
  const columns = ["op", "qa", "scale_a", "zero_a", "qb", "scale_b", "zero_b", "scale_y", "zero_y", "low", "high", "q"];
  return table(columns, rows);
}

/** File name to contents. */
export function conformanceTables(): ReadonlyMap<string, string> {
  return new Map([
    ["parameters.tsv", parameters()],
    ["quantize.tsv", quantize()],
    ["requantize.tsv", requantization()],
    ["elementwise.tsv", elementwiseTable()],
    ["rescale.tsv", rescaleTable()],
    ["average.tsv", averageTable()],
    ["softmax.tsv", softmaxTableRows()],
    ["norm.tsv", normTable()],
    ["fixed-point.tsv", fixedPoint()],
    ["fixed-point-elementwise.tsv", fixedPointElementwise()],
  ]);
}
