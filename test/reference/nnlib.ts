/**
 * What nnlib computes, from the formulas in third_party/nnlib/sim/README.md: runs the nets that tools/lower/hexagon makes, in ECMAScript's numbers.
 * Every binary32 operation is one `Math.fround`. Written for clarity; convolutions are fast enough for whole networks.
 */

import assert from "node:assert/strict";
import { DataType } from "../../mace/proto/mace";
import type { LoweredNet, NetConstant } from "../../tools/lower/net";

const f32 = Math.fround;
type Shape = readonly [number, number, number, number];

interface Value {
  readonly shape: Shape;
  /** Codes, int32 or floats; empty where only the shape counts. */
  readonly data: ArrayLike<number>;
}

interface Range {
  readonly min: number;
  readonly max: number;
}

/** Halves away from zero; the half is added in binary32. */
const roundAway = (x: number): number => Math.trunc(f32(x + (x < 0 || Object.is(x, -0) ? -0.5 : 0.5)));
const toU8 = (v: number): number => Math.min(255, Math.max(0, v));
const clampTo = (v: number, low: number, high: number): number => Math.min(high, Math.max(low, v));

const stepOf = ({ min, max }: Range): number => f32(f32(max - min) / 255);
const zeroOf = (range: Range): number => toU8(roundAway(f32(-range.min / stepOf(range))));
function codeOf(x: number, { min, max }: Range): number {
  const perStep = f32(255 / Math.max(f32(1e-18), f32(max - min)));
  const code = roundAway(f32(f32(x - min) * perStep));
  return Number.isNaN(code) ? 0 : toU8(code);
}

/** e of x = f · 2^e, 0.5 ≤ f < 1. */
function exponentOf(x: number): number {
  let e = Math.ceil(Math.log2(x));
  while (x >= 2 ** e) e++;
  while (x < 2 ** (e - 1)) e--;
  return e;
}

/** Makes zero a code: `both` when both ends were given, else the end that moves less goes outwards. */
function exactZero({ min, max }: Range, both: boolean): Range {
  const span = f32(max - min);
  if (both ? !(span > 0) : !(span >= f32(1e-6))) return { min, max };
  if (min === 0) return { min, max };
  const z = f32(f32(-255 * min) / span);
  const whole = Math.floor(z);
  const part = f32(z - whole);
  if (part <= f32(6.1035156e-5) || part >= f32(0.999938965)) return { min, max };
  const maxFor = (zero: number): Range => ({ min, max: f32(min - f32(f32(255 * min) / zero)) });
  const minFor = (zero: number): Range => ({ min: f32(f32(max * zero) / (zero - 255)), max });
  if (!both) {
    const moveTop = whole > 0 && (whole > 253 || f32(f32(part - 1) * min) >= f32(part * max));
    return moveTop ? maxFor(whole) : minFor(whole + 1);
  }
  const nearest = part >= 0.5 ? whole + 1 : whole;
  if (z <= 63.75) return minFor(nearest);
  if (z >= 192.25) return maxFor(nearest);
  const shift = f32(f32(f32(z - nearest) * span) * f32(1 / 255));
  return { min: f32(min + shift), max: f32(max + shift) };
}

const count = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);
const at = (shape: Shape, n: number, h: number, w: number, c: number): number =>
  ((n * shape[1] + h) * shape[2] + w) * shape[3] + c;

/** All coordinates of a shape, the last axis fastest. */
function* cells(shape: Shape): Generator<Shape> {
  for (let n = 0; n < shape[0]; n++)
    for (let h = 0; h < shape[1]; h++)
      for (let w = 0; w < shape[2]; w++) for (let c = 0; c < shape[3]; c++) yield [n, h, w, c];
}

/** A tensor whose every cell is taken from a cell of another, or is `fill`. */
function moved(from: Value, shape: Shape, source: (cell: Shape) => Shape, fill = 0): Value {
  const data = new Uint8Array(count(shape));
  let i = 0;
  for (const cell of cells(shape)) {
    const [n, h, w, c] = source(cell);
    const inside =
      n >= 0 &&
      h >= 0 &&
      w >= 0 &&
      c >= 0 &&
      n < from.shape[0] &&
      h < from.shape[1] &&
      w < from.shape[2] &&
      c < from.shape[3];
    data[i++] = inside ? (from.data[at(from.shape, n, h, w, c)] as number) : fill;
  }
  return { shape, data };
}

/** First cell of window `i` and number of windows along an axis. */
function windows(
  size: number,
  window: number,
  stride: number,
  padding: number,
): { count: number; first: (i: number) => number } {
  if (padding === 2) return { count: Math.floor((size - window) / stride) + 1, first: (i) => i * stride };
  const positions = Math.floor((size + stride - 1) / stride);
  const spare = Math.max(0, (positions - 1) * stride + window - size);
  const before = Math.floor((spare + (padding === 5 ? 1 : 0)) / 2);
  return { count: positions, first: (i) => i * stride - before };
}

class Node {
  constructor(
    readonly inputs: readonly Value[],
    readonly padding: number,
    readonly outputCount: number,
  ) {}

  in(i: number): Value {
    const value = this.inputs[i];
    assert(value, `input ${i}`);
    return value;
  }
  number(i: number): number {
    return this.in(i).data[0] as number;
  }
  range(i: number, j = i + 1): Range {
    return { min: this.number(i), max: this.number(j) };
  }
  ints(i: number): number[] {
    return Array.from(this.in(i).data);
  }
}

const scalar = (x: number): Value => ({ shape: [1, 1, 1, 1], data: [f32(x)] });
const ranged = (codes: Value, { min, max }: Range): Value[] => [codes, scalar(min), scalar(max)];

/** From sums to codes, for the products. */
function requantizer(
  node: Node,
  biasAt: number,
): { inZero: number; filterZero: number; code: (sum: number, channel: number) => number; out: Range } {
  const input = node.range(2);
  const filter = node.range(4);
  const bias = node.in(biasAt).data;
  const out = exactZero(node.range(biasAt + 3), true);
  const product = f32(stepOf(input) * stepOf(filter));
  const scale = f32(product / stepOf(out));
  const shift = scale <= 1 ? 0 : exponentOf(scale);
  const mantissa = BigInt(Math.min(2 ** 31 - 1, Math.trunc(f32(f32(scale * 2 ** (31 - shift)) + 0.5))));
  const ratio = f32(f32(f32(node.number(biasAt + 2) - node.number(biasAt + 1)) / 2 ** 32) / product);
  const least = f32(-out.min / product);
  const offsets = Array.from(bias, (b) => {
    const real = f32(f32(f32(b) * ratio) + least);
    return Math.sign(real) * Math.floor(Math.abs(real) + 0.5);
  });
  const saturate = (v: number): number => clampTo(v, -(2 ** 31), 2 ** 31 - 1);
  const code = (sum: number, channel: number): number => {
    const shifted = saturate(saturate(sum + (offsets[channel] as number)) * 2 ** shift);
    return toU8(Number((BigInt(shifted) * mantissa + (1n << 30n)) >> 31n));
  };
  return { inZero: zeroOf(input), filterZero: zeroOf(filter), code, out };
}

/** Whole networks pass here, so sums of all output channels of a pixel grow together: the filter is read in its order. */
function convolution(node: Node, depthwise: boolean): Value[] {
  const x = node.in(0);
  const filter = node.in(1);
  const [kh, kw, depth, last] = filter.shape;
  const strides = node.in(6).shape;
  const rows = windows(x.shape[1], kh, strides[1], node.padding);
  const columns = windows(x.shape[2], kw, strides[2], node.padding);
  const channels = depthwise ? depth * last : last;
  const shape: Shape = [x.shape[0], rows.count, columns.count, channels];
  const { inZero, filterZero, code, out } = requantizer(node, 7);
  const steps = Int32Array.from(x.data, (q) => q - inZero);
  const weights = Int32Array.from(filter.data, (q) => q - filterZero);
  const sums = new Int32Array(channels);
  const addTap = (pixel: number, tap: number): void => {
    if (depthwise) {
      // A channel of the input has `last` of the output.
      for (let c = 0; c < channels; c++) {
        const step = steps[pixel + Math.floor(c / last)] as number;
        sums[c] = (sums[c] as number) + step * (weights[tap * channels + c] as number);
      }
      return;
    }
    for (let k = 0; k < depth; k++) {
      const step = steps[pixel + k] as number;
      const from = (tap * depth + k) * channels;
      for (let c = 0; c < channels; c++) sums[c] = (sums[c] as number) + step * (weights[from + c] as number);
    }
  };
  const data = new Uint8Array(count(shape));
  let i = 0;
  for (const [n, y, z] of cells([shape[0], shape[1], shape[2], 1])) {
    sums.fill(0);
    for (let ky = 0; ky < kh; ky++) {
      for (let kx = 0; kx < kw; kx++) {
        const [row, column] = [rows.first(y) + ky, columns.first(z) + kx];
        if (row < 0 || column < 0 || row >= x.shape[1] || column >= x.shape[2]) continue;
        addTap(at(x.shape, n, row, column, 0), ky * kw + kx);
      }
    }
    for (let c = 0; c < channels; c++) data[i++] = code(sums[c] as number, c);
  }
  return ranged({ shape, data }, out);
}

function fullyConnected(node: Node): Value[] {
  const x = node.in(0);
  const filter = node.in(1);
  const channels = filter.shape[3];
  const terms = count(filter.shape) / channels;
  const shape: Shape = [1, 1, x.data.length / terms, channels];
  const { inZero, filterZero, code, out } = requantizer(node, 6);
  const data = Uint8Array.from({ length: count(shape) }, (_, i) => {
    const [row, c] = [Math.floor(i / channels), i % channels];
    let sum = 0;
    for (let k = 0; k < terms; k++) {
      sum += ((x.data[row * terms + k] as number) - inZero) * ((filter.data[k * channels + c] as number) - filterZero);
    }
    return code(sum, c);
  });
  return ranged({ shape, data }, out);
}

function transposeConvolution(node: Node): Value[] {
  const x = node.in(0);
  const filter = node.in(1);
  const [channels, kh, kw, depth] = filter.shape;
  const [top, bottom, left, right] = node.ints(6) as [number, number, number, number];
  const strides = node.in(7).shape;
  const shape: Shape = [
    x.shape[0],
    (x.shape[1] - 1) * strides[1] + kh - top - bottom,
    (x.shape[2] - 1) * strides[2] + kw - left - right,
    channels,
  ];
  const { inZero, filterZero, code, out } = requantizer(node, 8);
  const data = new Uint8Array(count(shape));
  let i = 0;
  for (const [n, y, z, c] of cells(shape)) {
    let sum = 0;
    for (let ky = 0; ky < kh; ky++) {
      for (let kx = 0; kx < kw; kx++) {
        // The input cell that this tap of the filter brings here.
        const [row, column] = [(y + top - ky) / strides[1], (z + left - kx) / strides[2]];
        if (!Number.isInteger(row) || !Number.isInteger(column)) continue;
        if (row < 0 || column < 0 || row >= x.shape[1] || column >= x.shape[2]) continue;
        for (let k = 0; k < depth; k++) {
          const weight = (filter.data[((c * kh + ky) * kw + kx) * depth + k] as number) - filterZero;
          sum += ((x.data[at(x.shape, n, row, column, k)] as number) - inZero) * weight;
        }
      }
    }
    data[i++] = code(sum, c);
  }
  return ranged({ shape, data }, out);
}

function pool(node: Node, reduce: (codes: readonly number[]) => number): Value[] {
  const x = node.in(0);
  const window = node.in(3).shape;
  const strides = node.in(4).shape;
  const rows = windows(x.shape[1], window[1], strides[1], node.padding);
  const columns = windows(x.shape[2], window[2], strides[2], node.padding);
  const shape: Shape = [x.shape[0], rows.count, columns.count, x.shape[3]];
  const data = new Uint8Array(count(shape));
  let i = 0;
  for (const [n, y, z, c] of cells(shape)) {
    const codes: number[] = [];
    for (let row = rows.first(y); row < rows.first(y) + window[1]; row++) {
      for (let column = columns.first(z); column < columns.first(z) + window[2]; column++) {
        if (row < 0 || column < 0 || row >= x.shape[1] || column >= x.shape[2]) continue;
        codes.push(x.data[at(x.shape, n, row, column, c)] as number);
      }
    }
    data[i++] = reduce(codes);
  }
  return ranged({ shape, data }, node.range(1));
}

const average = (codes: readonly number[]): number => {
  const reciprocal = Math.min(32767, Math.floor(32768 / codes.length));
  const sum = codes.reduce((a, b) => a + b, 0);
  return toU8(Math.floor((sum * reciprocal + 16384) / 32768));
};

function mean(node: Node): Value[] {
  const x = node.in(0);
  const input = exactZero(node.range(1), false);
  const out = node.inputs.length === 6 ? node.range(4) : input;
  const axes = new Set(node.ints(3).map((axis) => (axis < 0 ? axis + 4 : axis)));
  const shape = x.shape.map((d, i) => (axes.has(i) ? 1 : d)) as unknown as Shape;
  const sums = new Array<number>(count(shape)).fill(0);
  let i = 0;
  for (const cell of cells(x.shape)) {
    const [n, h, w, c] = cell.map((p, axis) => (axes.has(axis) ? 0 : p)) as unknown as Shape;
    sums[at(shape, n, h, w, c)] = (sums[at(shape, n, h, w, c)] as number) + (x.data[i++] as number);
  }
  const terms = count(x.shape) / count(shape);
  const real = Math.min(f32(0.99999), f32(stepOf(input) / f32(stepOf(out) * terms)));
  const shift = -exponentOf(real);
  const mantissa = BigInt(Math.floor(real * 2 ** shift * 2 ** 31));
  const data = Uint8Array.from(sums, (sum) => {
    const high = Number((BigInt(sum - zeroOf(input) * terms) * mantissa + (1n << 30n)) >> 31n);
    const quotient = Math.abs(high) / 2 ** shift;
    return toU8(Math.sign(high) * Math.floor(quotient + 0.5) + zeroOf(out));
  });
  return ranged({ shape, data }, out);
}

/** Pairs of codes of two operands that broadcast. */
function pairs(node: Node): { shape: Shape; codes: [number, number][] } {
  const [a, b] = [node.in(0), node.in(1)];
  const shape = a.shape.map((d, i) => Math.max(d, b.shape[i] as number)) as unknown as Shape;
  const of = (value: Value, cell: Shape): number => {
    const [n, h, w, c] = cell.map((p, i) => (value.shape[i] === 1 ? 0 : p)) as unknown as Shape;
    return value.data[at(value.shape, n, h, w, c)] as number;
  };
  return { shape, codes: Array.from(cells(shape), (cell) => [of(a, cell), of(b, cell)]) };
}

function add(node: Node, sign: 1 | -1): Value[] {
  const { shape, codes } = pairs(node);
  const [a, b, out] = [node.range(2), node.range(4), node.range(6)];
  const perStep = f32(255 / f32(out.max - out.min));
  const [as, bs] = [f32(perStep * stepOf(a)), f32(perStep * stepOf(b))];
  const largest = sign === 1 ? f32(as + bs) : Math.max(as, bs);
  const shift = Math.min(6 - exponentOf(f32(largest * f32(16384 / 16380))), 7);
  const narrow = shift <= 0;
  const factor = f32(2 ** shift * 256);
  const ka = roundAway(f32(as * factor));
  const kb = sign * roundAway(f32(bs * factor));
  const divisor = narrow ? 2 ** (7 + shift) : 256;
  const last = narrow ? 1 : shift;
  const atZero = Math.floor((zeroOf(a) * ka + zeroOf(b) * kb) / divisor);
  const wide = roundAway(f32(f32(-out.min * perStep) * (narrow ? 2 : 2 ** shift))) - atZero;
  const offset = narrow ? wide : clampTo(wide, -32768, 32767);
  const data = Uint8Array.from(codes, ([p, q]) => {
    const sum = clampTo(Math.floor((p * ka + q * kb) / divisor) + offset, -32768, 32767);
    return toU8(Math.floor((sum + 2 ** (last - 1)) / 2 ** last));
  });
  return ranged({ shape, data }, out);
}

function multiply(node: Node): Value[] {
  const { shape, codes } = pairs(node);
  const [a, b] = [node.range(2), node.range(4)];
  const [az, bz] = [zeroOf(a), zeroOf(b)];
  const one = count(node.in(1).shape) === 1 ? 1 : count(node.in(0).shape) === 1 ? 0 : -1;
  if (one >= 0) {
    const factor = one === 1 ? node.number(1) - bz : node.number(0) - az;
    const real = f32(factor * stepOf(one === 1 ? b : a));
    const other = one === 1 ? a : b;
    const ends = [f32(other.min * real), f32(other.max * real)] as const;
    const data = Uint8Array.from(codes, (pair) => {
      const q = pair[1 - one] as number;
      return factor > 0 ? q : factor === 0 ? 0 : 255 - q;
    });
    if (factor === 0) return ranged({ shape, data }, { min: 0, max: 1 });
    return ranged({ shape, data }, factor > 0 ? { min: ends[0], max: ends[1] } : { min: ends[1], max: ends[0] });
  }
  const products = codes.map(([p, q]) => (p - az) * (q - bz));
  const least = Math.min(0, ...products);
  const greatest = Math.max(0, ...products);
  const most = least === greatest ? 4 : greatest;
  const product = f32(stepOf(a) * stepOf(b));
  let out = exactZero({ min: f32(least * product), max: f32(most * product) }, false);
  const zero = zeroOf(out);
  let scale = f32(product / stepOf(out));
  if (f32(product / 16) >= stepOf(out)) {
    scale = 16;
    out = { min: f32(-zero * f32(product / 16)), max: f32((255 - zero) * f32(product / 16)) };
  }
  const shift = Math.min(14 - exponentOf(scale), 23);
  const k = roundAway(f32(scale * 2 ** shift));
  const data = Uint8Array.from(products, (p) =>
    toU8(Math.floor((p * k + (2 * zero + 1) * 2 ** (shift - 1)) / 2 ** shift)),
  );
  return ranged({ shape, data }, out);
}

function extreme(node: Node, choose: (a: number, b: number) => number): Value[] {
  const { shape, codes } = pairs(node);
  const [a, b] = [node.range(2), node.range(4)];
  const out = node.inputs.length === 8 ? node.range(6) : { min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) };
  const moveTo = (range: Range, q: number): number => {
    if (range.min === out.min && range.max === out.max) return q;
    const k = roundAway(f32(4096 * f32(stepOf(range) / stepOf(out))));
    return toU8(clampTo(Math.floor(((q - zeroOf(range)) * k + 2048) / 4096), -32768, 32767) + zeroOf(out));
  };
  const data = Uint8Array.from(codes, ([p, q]) => choose(moveTo(a, p), moveTo(b, q)));
  return ranged({ shape, data }, out);
}

/** 0 joins a range that is on one side of it. */
const withZero = ({ min, max }: Range): Range => ({ min: Math.min(min, 0), max: Math.max(max, 0) });
/** What a code stands for where ends are stored. */
const realOf = (q: number, range: Range): number => f32(range.min + f32(q * stepOf(range)));

function divide(node: Node): Value[] {
  const [x, divisors] = [node.in(0), node.in(1)];
  const [a, b] = [node.range(2), node.range(4)];
  const reals = Array.from(divisors.data, (q) => realOf(q, b));
  assert(!reals.includes(0), "division by zero");
  const ends = reals.flatMap((real) => [f32(a.min / real), f32(a.max / real)]);
  const found = { min: Math.min(...ends), max: Math.max(...ends) };
  const given = node.inputs.length === 8;
  if (!given && reals.length === 1) return mapped(node, found, (q) => ((reals[0] as number) < 0 ? 255 - q : q));
  const out = given ? node.range(6) : withZero(found);
  const quotient = (q: number, i: number): number => f32(realOf(q, a) / (reals[i % reals.length] as number));
  return ranged({ shape: x.shape, data: Uint8Array.from(x.data, (q, i) => codeOf(quotient(q, i), out)) }, out);
}

function reciprocal(node: Node): Value[] {
  const range = node.range(1);
  const present = [...new Set(Array.from(node.in(0).data))].sort((p, q) => p - q);
  const upTo = (q: number): number[] => Array.from({ length: q + 1 }, (_, i) => i);
  const from = (q: number): number[] => upTo(255).filter((i) => i >= q);
  /** The codes whose reciprocals make the range. */
  const counted = (): number[] => {
    if (node.in(0).data.length < 256) return present;
    if (range.min < 0 && range.max > 0) {
      const zero = Math.floor(f32(-range.min / stepOf(range)) + 0.5);
      const below = present.filter((q) => q < zero).at(-1) ?? 0;
      const above = present.find((q) => q > zero) ?? 255;
      return [...upTo(below), ...from(above)];
    }
    assert(range.min === 0 || range.max === 0, "a range without zero");
    return range.min === 0 ? from(present[0] ?? 0) : upTo(present.at(-1) ?? 0);
  };
  const known = new Map(
    counted()
      .map((q) => [q, realOf(q, range)] as const)
      .filter(([, x]) => x !== 0)
      .map(([q, x]) => [q, f32(1 / x)]),
  );
  const out = withZero({ min: Math.min(...known.values()), max: Math.max(...known.values()) });
  return mapped(node, out, (q) => {
    const y = known.get(q);
    assert(y !== undefined, "the reciprocal of zero");
    return toU8(Math.floor(f32(f32(y - out.min) / stepOf(out)) + 0.5));
  });
}

function instanceNorm(node: Node): Value[] {
  const x = node.in(0);
  const [batches, height, width, depth] = x.shape;
  const cellCount = height * width;
  /** [mean, reciprocal of the deviation] of every channel of every image, in codes. */
  const normals: (readonly [number, number])[] = [];
  let free: Range = { min: 0, max: 0 };
  for (let channel = 0; channel < batches * depth; channel++) {
    const [n, c] = [Math.floor(channel / depth), channel % depth];
    const codes = Array.from({ length: cellCount }, (_, i) => x.data[(n * cellCount + i) * depth + c] as number);
    const [least, greatest] = [Math.min(...codes), Math.max(...codes)];
    const sum = codes.reduce((a, b) => a + b, 0);
    const squares = codes.reduce((a, b) => a + b * b, 0);
    const mean = f32(f32(sum) / cellCount);
    const root = f32(Math.sqrt(f32(squares * cellCount - sum * sum)));
    const perDeviation = f32(cellCount / f32(root + f32(f32(0.00001) * cellCount)));
    if (least === greatest) {
      normals.push([0, 0]);
      continue;
    }
    normals.push([mean, perDeviation]);
    const of = (q: number): number => f32(f32(q - mean) * perDeviation);
    free = { min: Math.min(free.min, of(least)), max: Math.max(free.max, of(greatest)) };
  }
  const out = exactZero({ min: free.min, max: Math.max(free.max, f32(free.min + f32(1e-5))) }, false);
  const perStep = f32(255 / f32(out.max - out.min));
  const factors = normals.map(([mean, perDeviation]) => {
    const offset = f32(f32(1024 * f32(f32(mean * perDeviation) + out.min)) * perStep);
    return [roundAway(f32(f32(1024 * perDeviation) * perStep)), roundAway(offset)] as const;
  });
  return mapped(node, out, (q, i) => {
    const channel = Math.floor(i / (cellCount * depth)) * depth + (i % depth);
    const [k, offset] = factors[channel] as readonly [number, number];
    return toU8(Math.floor((q * k - offset + 512) / 1024));
  });
}

function batchNorm(node: Node): Value[] {
  const [x, scales, offsets] = [node.range(2), node.range(4), node.range(7)];
  const given = withZero(node.range(9));
  const out = exactZero({ min: given.min, max: Math.max(given.max, f32(given.min + f32(1e-6))) }, true);
  const margin = f32(1.00001831);
  const [i16, i32] = [2 ** 15, 2 ** 31].map((most) => (v: number) => clampTo(v, -most, most - 1)) as [
    (v: number) => number,
    (v: number) => number,
  ];
  const shifted = (v: number, shift: number): number => Math.floor(v / 2 ** shift + (shift === 0 ? 0 : 0.5));
  const product = f32(f32(stepOf(x) * stepOf(scales)) / 128);
  const ratio = f32(stepOf(offsets) / product);
  const exponent = Math.max(-31, exponentOf(f32(ratio * margin)) - 15);
  assert(exponent <= 6);
  const offsetFactor = i16(roundAway(f32(ratio * 2 ** -exponent)));
  const wanted = f32(f32(255 / f32(out.max - out.min)) * product);
  const toOut = -exponentOf(f32(wanted * margin));
  assert(toOut >= 1 && toOut <= 29);
  const shift = Math.min(toOut, 22);
  const k = i16(roundAway(f32(wanted * 2 ** (15 + shift))));
  const last = Math.max(1, shift - 15);
  const depth = node.in(0).shape[3];
  const of = (input: number, c: number): number => {
    const { data } = node.in(input);
    return data[c % data.length] as number;
  };
  const factors = Array.from({ length: depth }, (_, c) => {
    const steps = (of(1, c) - zeroOf(scales)) * 128;
    const moved = (of(6, c) - zeroOf(offsets)) * 2 ** Math.max(exponent, 0) * offsetFactor;
    const offset = i32(
      i32(shifted(moved, Math.max(-exponent, 0)) - steps * zeroOf(x)) + roundAway(f32(-out.min / product)),
    );
    return [i16(shifted(steps * k, 15)), i32(shifted(offset * k, 15))] as const;
  });
  return mapped(node, out, (q, i) => {
    const [factor, offset] = factors[i % depth] as readonly [number, number];
    return toU8(shifted(i16(Math.floor(i32(q * factor + offset) / 2 ** (shift - last))), last));
  });
}

function mapped(node: Node, range: Range, of: (q: number, i: number) => number): Value[] {
  const x = node.in(0);
  return ranged({ shape: x.shape, data: Uint8Array.from(x.data, of) }, range);
}

const clampCodes = (node: Node, low: number, high: number): Value[] =>
  mapped(node, node.range(1), (q) => Math.max(Math.min(q, high), low));

function leaky(node: Node): Value[] {
  const range = node.range(1);
  const zero = codeOf(0, range);
  const slopes = node.in(3).data;
  return mapped(node, range, (q, i) => {
    if (q >= zero) return q;
    const k = Math.trunc(f32(65536 * (slopes[i % slopes.length] as number)));
    const scaled = (v: number): number => Math.floor((v * k + 32768) / 65536);
    return toU8(scaled(q) + zero - scaled(zero));
  });
}

function squash(node: Node, sigmoid: boolean): Value[] {
  const range = node.range(1);
  const half = sigmoid ? 0.5 : 1;
  const [gain, least] = [f32(stepOf(range) * half), f32(range.min * half)];
  return mapped(node, sigmoid ? { min: 0, max: 1 } : { min: -1, max: f32(128 / 127) }, (q) => {
    const t = f32(Math.tanh(f32(least + f32(gain * q))));
    return toU8(roundAway(f32(f32(t + 1) * (sigmoid ? 127.5 : 127))));
  });
}

/** Within about 11 bits. */
function power(x: number): number {
  const scaled = roundAway(f32(x * f32(16384 / Math.LN2)));
  const whole = Math.floor(scaled / 16384);
  const f = f32((scaled - whole * 16384) * f32(1 / 16384));
  const inner = f32(f32(0.23793659) + f32(f * f32(0.07154756)));
  const polynomial = f32(1 + f32(f * f32(f32(0.69051585) + f32(f * inner))));
  return whole < -126 ? 0 : f32(2 ** whole * polynomial);
}

function softmax(node: Node): Value[] {
  const x = node.in(0);
  const range = node.range(1);
  const step = f32(f32(f32(range.max - range.min) * 1) / 255);
  const depth = x.shape[3];
  const data = new Uint8Array(x.data.length);
  for (let start = 0; start < data.length; start += depth) {
    const row = Array.from({ length: depth }, (_, i) => x.data[start + i] as number);
    const most = Math.max(...row);
    const powers = row.map((q) => power(step < f32(0.63529) ? f32(f32(step * q) - 83) : f32(step * (q - most))));
    const sum = powers.reduce((a, b) => f32(a + b), 0);
    const reciprocal = f32(255 / sum);
    powers.forEach((p, i) => {
      data[start + i] = toU8(roundAway(f32(reciprocal * p)));
    });
  }
  return ranged({ shape: x.shape, data }, { min: 0, max: 1 });
}

function concat(node: Node): Value[] {
  const parts = (node.inputs.length - 1) / 3;
  const axis = (node.number(0) + 4) % 4;
  const values = Array.from({ length: parts }, (_, i) => node.in(1 + i));
  const ranges = values.map((_, i) => node.range(1 + parts + i, 1 + 2 * parts + i));
  const out = exactZero(
    { min: Math.min(...ranges.map((r) => r.min)), max: Math.max(...ranges.map((r) => r.max)) },
    false,
  );
  const first = values[0]?.shape as Shape;
  const total = values.reduce((sum, v) => sum + (v.shape[axis] as number), 0);
  const shape = first.map((d, i) => (i === axis ? total : d)) as unknown as Shape;
  const perStep = f32(255 / f32(out.max - out.min));
  const requantized = values.map((value, i) => {
    const range = ranges[i] as Range;
    const offset = Math.max(0, roundAway(f32(f32(range.min - out.min) / stepOf(range))));
    const wanted = roundAway(f32(f32(perStep * stepOf(range)) * 32768));
    if (offset === 0 && wanted >= 0x7fc0) return value.data;
    const gain = Math.min(wanted, 32767);
    return Uint8Array.from(value.data, (q) => toU8(Math.floor(((q + offset) * gain + 16384) / 32768)));
  });
  const data = new Uint8Array(count(shape));
  let i = 0;
  for (const cell of cells(shape)) {
    let part = 0;
    let place = cell[axis] as number;
    while (place >= (values[part]?.shape[axis] as number)) place -= values[part++]?.shape[axis] as number;
    const [n, h, w, c] = cell.map((p, k) => (k === axis ? place : p)) as unknown as Shape;
    data[i++] = requantized[part]?.[at(values[part]?.shape as Shape, n, h, w, c)] as number;
  }
  return ranged({ shape, data }, out);
}

function pad(node: Node): Value[] {
  const x = node.in(0);
  const range = node.range(1);
  const value = node.number(4);
  const fill = Number.isFinite(value)
    ? toU8(roundAway(f32(f32(255 * f32(value - range.min)) / f32(range.max - range.min))))
    : value < 0
      ? 0
      : 255;
  const given = node.ints(3);
  const pads = [...new Array<number>(8 - given.length).fill(0), ...given];
  const shape = x.shape.map((d, i) => d + (pads[2 * i] as number) + (pads[2 * i + 1] as number)) as unknown as Shape;
  const source = (cell: Shape): Shape => cell.map((p, i) => p - (pads[2 * i] as number)) as unknown as Shape;
  return ranged(moved(x, shape, source, fill), range);
}

function split(node: Node): Value[] {
  const axis = node.number(0);
  const x = node.in(1);
  const parts = node.outputCount - 2;
  const size = (x.shape[axis] as number) / parts;
  const shape = x.shape.map((d, i) => (i === axis ? size : d)) as unknown as Shape;
  const made = Array.from({ length: parts }, (_, part) =>
    moved(x, shape, (cell) => cell.map((p, i) => (i === axis ? p + part * size : p)) as unknown as Shape),
  );
  return [...made, node.in(2), node.in(3)];
}

function slice(node: Node): Value[] {
  const x = node.in(0);
  const padded = (values: readonly number[], fill: readonly number[]): number[] => [
    ...fill.slice(0, 4 - values.length),
    ...values,
  ];
  const begin = padded(node.ints(1), [0, 0, 0, 0]);
  const end = padded(node.ints(2), x.shape);
  const step = padded(node.ints(3), [1, 1, 1, 1]);
  const shape = begin.map((b, i) => Math.ceil(((end[i] as number) - b) / (step[i] as number))) as unknown as Shape;
  const source = (cell: Shape): Shape =>
    cell.map((p, i) => (begin[i] as number) + p * (step[i] as number)) as unknown as Shape;
  return ranged(moved(x, shape, source), node.range(7));
}

function transpose(node: Node): Value[] {
  const x = node.in(0);
  const given = node.ints(1);
  const skipped = 4 - given.length;
  const axes = [...[0, 1, 2, 3].slice(0, skipped), ...given.map((axis) => axis + skipped)];
  const shape = axes.map((axis) => x.shape[axis]) as unknown as Shape;
  const source = (cell: Shape): Shape => [0, 1, 2, 3].map((axis) => cell[axes.indexOf(axis)]) as unknown as Shape;
  return ranged(moved(x, shape, source), node.range(2));
}

function resize(node: Node, bilinear: boolean): Value[] {
  const x = node.in(0);
  const [rows, columns] = node.ints(1) as [number, number];
  const align = node.number(4) !== 0 && rows > 1 && columns > 1;
  const shape: Shape = [x.shape[0], rows, columns, x.shape[3]];
  const scale = (from: number, to: number): number => (align ? f32((from - 1) / (to - 1)) : f32(from / to));
  const [down, across] = [scale(x.shape[1], rows), scale(x.shape[2], columns)];
  const nearest = (i: number, s: number, size: number): number => {
    const p = f32(i * s);
    return Math.min(node.number(4) !== 0 ? Math.floor(p + 0.5) : Math.floor(p), size - 1);
  };
  if (!bilinear) {
    return ranged(
      moved(x, shape, ([n, h, w, c]) => [n, nearest(h, down, x.shape[1]), nearest(w, across, x.shape[2]), c]),
      node.range(2),
    );
  }
  const between = (a: number, b: number, t: number): number => f32(a + f32(f32(b - a) * t));
  const data = Uint8Array.from(cells(shape), ([n, h, w, c]) => {
    const [y, z] = [f32(h * down), f32(w * across)];
    const code = (dy: number, dz: number): number => {
      const row = Math.min(Math.floor(y) + dy, x.shape[1] - 1);
      const column = Math.min(Math.floor(z) + dz, x.shape[2] - 1);
      return x.data[at(x.shape, n, row, column, c)] as number;
    };
    const u = f32(z - Math.floor(z));
    const top = between(code(0, 0), code(0, 1), u);
    const bottom = between(code(1, 0), code(1, 1), u);
    return toU8(Math.trunc(f32(between(top, bottom, f32(y - Math.floor(y))) + 0.5)));
  });
  return ranged({ shape, data }, node.range(2));
}

function spaceToBatch(node: Node): Value[] {
  const x = node.in(0);
  const [bh, bw] = node.ints(1) as [number, number];
  const [top, bottom, left, right] = node.ints(2) as [number, number, number, number];
  const batches = x.shape[0];
  const shape: Shape = [
    batches * bh * bw,
    (x.shape[1] + top + bottom) / bh,
    (x.shape[2] + left + right) / bw,
    x.shape[3],
  ];
  const source = ([n, h, w, c]: Shape): Shape => {
    const cell = Math.floor(n / batches);
    return [n % batches, h * bh + Math.floor(cell / bw) - top, w * bw + (cell % bw) - left, c];
  };
  return ranged(moved(x, shape, source, codeOf(0, node.range(3))), node.range(3));
}

function batchToSpace(node: Node): Value[] {
  const x = node.in(0);
  const [bh, bw] = node.ints(1) as [number, number];
  const [top, bottom, left, right] = node.ints(2) as [number, number, number, number];
  const batches = x.shape[0] / (bh * bw);
  const shape: Shape = [batches, x.shape[1] * bh - top - bottom, x.shape[2] * bw - left - right, x.shape[3]];
  const source = ([n, h, w, c]: Shape): Shape => {
    const [row, column] = [h + top, w + left];
    return [((row % bh) * bw + (column % bw)) * batches + n, Math.floor(row / bh), Math.floor(column / bw), c];
  };
  return ranged(moved(x, shape, source), node.range(3));
}

function depthToSpace(node: Node): Value[] {
  const x = node.in(0);
  const side = node.number(1);
  const depth = x.shape[3] / side ** 2;
  const shape: Shape = [x.shape[0], x.shape[1] * side, x.shape[2] * side, depth];
  const source = ([n, h, w, c]: Shape): Shape => [
    n,
    Math.floor(h / side),
    Math.floor(w / side),
    ((h % side) * side + (w % side)) * depth + c,
  ];
  return ranged(moved(x, shape, source), node.range(2));
}

function spaceToDepth(node: Node): Value[] {
  const x = node.in(0);
  const side = node.number(1);
  const shape: Shape = [x.shape[0], x.shape[1] / side, x.shape[2] / side, x.shape[3] * side ** 2];
  const source = ([n, h, w, c]: Shape): Shape => {
    const cell = Math.floor(c / x.shape[3]);
    return [n, h * side + Math.floor(cell / side), w * side + (cell % side), c % x.shape[3]];
  };
  return ranged(moved(x, shape, source), node.range(2));
}

const OPERATORS: Readonly<Record<string, (node: Node) => Value[]>> = {
  Supernode_8x8p32to8: (node) => convolution(node, false),
  DepthwiseSupernode_8x8p32to8: (node) => convolution(node, true),
  SuperFC_8x8p32to8: fullyConnected,
  QuantizedTransposeConv2d_8x8p32to8: transposeConvolution,
  QuantizedAvgPool_8: (node) => pool(node, average),
  QuantizedMaxPool_8: (node) => pool(node, (codes) => Math.max(...codes)),
  QuantizedMean_8: mean,
  QuantizedConcat_8: concat,
  QuantizedAdd_8p8to8: (node) => add(node, 1),
  QuantizedSub_8p8to8: (node) => add(node, -1),
  QuantizedMul_8x8to8: multiply,
  QuantizedMinimum_8: (node) => extreme(node, Math.min),
  QuantizedMaximum_8: (node) => extreme(node, Math.max),
  QuantizedRelu_8: (node) => clampCodes(node, codeOf(0, node.range(1)), 255),
  QuantizedReluX_8: (node) => clampCodes(node, codeOf(0, node.range(1)), codeOf(node.number(3), node.range(1))),
  QuantizedClamp_8: (node) =>
    clampCodes(node, codeOf(node.number(3), node.range(1)), codeOf(node.number(4), node.range(1))),
  QuantizedPRelu_8: leaky,
  QuantizedTanh_8: (node) => squash(node, false),
  QuantizedSigmoid_8: (node) => squash(node, true),
  QuantizedSqrt_8: (node) =>
    mapped(node, { min: 0, max: f32(Math.sqrt(node.number(2))) }, (q) => Math.floor(Math.sqrt(255 * q) + 0.5)),
  QuantizedDiv_8: divide,
  QuantizedRecip_8: reciprocal,
  QuantizedInstanceNorm_8: instanceNorm,
  QuantizedBatchNorm_8x8p8to8: batchNorm,
  QuantizedSoftmax_8: softmax,
  QuantizedReshape: (node) => ranged({ shape: node.ints(1) as unknown as Shape, data: node.in(0).data }, node.range(2)),
  QuantizedPad_8: pad,
  QuantizedResizeBilinear_8: (node) => resize(node, true),
  ResizeNearestNeighbor_8: (node) => resize(node, false),
  QuantizedSplit_8: split,
  QuantizedStridedSlice_8: slice,
  Transpose_8: transpose,
  SpaceToBatchND_8: spaceToBatch,
  BatchToSpaceND_8: batchToSpace,
  DepthToSpace_8: depthToSpace,
  SpaceToDepth_8: spaceToDepth,
};

/** Operators that the reference has. */
export const REFERENCE_OPERATORS: readonly string[] = Object.keys(OPERATORS);

function constantValue({ dims, dataType, data }: NetConstant): Value {
  const shape = [...new Array<number>(4 - dims.length).fill(1), ...dims] as unknown as Shape;
  if (!data) return { shape, data: [] };
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (dataType === DataType.DT_UINT8) return { shape, data };
  const read = (i: number): number =>
    dataType === DataType.DT_FLOAT ? view.getFloat32(4 * i, true) : view.getInt32(4 * i, true);
  return { shape, data: Array.from({ length: data.byteLength / 4 }, (_, i) => read(i)) };
}

/** Real numbers of the net's outputs, from codes of its inputs in their grids. */
export function runReference(net: LoweredNet, inputs: readonly Uint8Array[]): Float32Array[] {
  const values = new Map<string, Value>();
  const of = (id: number | undefined, port: number | undefined): Value => {
    const value = values.get(`${id}:${port}`);
    assert(value, `output ${port} of node ${id}`);
    return value;
  };
  for (const constant of net.constants) values.set(`${constant.nodeId}:0`, constantValue(constant));
  for (const op of net.ops) {
    const operands = op.nodeInput.map(({ nodeId, outputPort }) => of(nodeId, outputPort));
    if (op.type === "QuantizeINPUT_f_to_8") {
      net.inputs.forEach(({ dims, scale = 1, zeroPoint = 0 }, i) => {
        const shape = [...new Array<number>(4 - dims.length).fill(1), ...dims] as unknown as Shape;
        values.set(`${op.nodeId}:${3 * i}`, { shape, data: inputs[i] as Uint8Array });
        values.set(`${op.nodeId}:${3 * i + 1}`, scalar(f32(scale * -zeroPoint)));
        values.set(`${op.nodeId}:${3 * i + 2}`, scalar(f32(scale * (255 - zeroPoint))));
      });
    } else if (op.type === "DequantizeOUTPUT_8tof") {
      return net.outputs.map((_, i) => {
        const range = { min: operands[3 * i + 1]?.data[0] as number, max: operands[3 * i + 2]?.data[0] as number };
        const [zero, step] = [zeroOf(range), stepOf(range)];
        return Float32Array.from(operands[3 * i]?.data as ArrayLike<number>, (q) => f32((q - zero) * step));
      });
    } else {
      const run = OPERATORS[op.type ?? ""];
      assert(run, `operator ${op.type}`);
      const node = new Node(operands, op.padding ?? 0, op.outputShape.length);
      run(node).forEach((value, port) => {
        values.set(`${op.nodeId}:${port}`, value);
      });
    }
  }
  throw new Error("the net has no output node");
}
