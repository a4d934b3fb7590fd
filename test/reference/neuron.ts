/**
 * What the Neuron adapter's operations compute, from the formulas in third_party/apu/sim/README.md: runs the nets that tools/lower/apu makes, in
 * ECMAScript's numbers; products of 32 bits are BigInts. Every binary32 operation is one `Math.fround`. Written for clarity; convolutions are fast
 * enough for whole networks.
 */

import assert from "node:assert/strict";
import { DataType, type OperatorDef } from "../../mace/proto/mace";
import type { LoweredNet, NetConstant } from "../../tools/lower/net";

const f32 = Math.fround;

interface Value {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
  readonly scale: number;
  readonly zero: number;
}

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const clamp = (v: number, low: number, high: number): number => Math.min(high, Math.max(low, v));
/** Halves away from zero. */
const round = (v: number): number => Math.sign(v) * Math.floor(Math.abs(v) + 0.5);
const toCode = (steps: number, zero: number): number => clamp(round(steps) + zero, 0, 255);

/** The place of a cell among the cells of a shape; undefined outside. */
function place(shape: readonly number[], cell: readonly number[]): number | undefined {
  let index = 0;
  for (const [i, d] of shape.entries()) {
    const at = cell[i] as number;
    if (at < 0 || at >= d) return undefined;
    index = index * d + at;
  }
  return index;
}

function cellOf(shape: readonly number[], index: number): number[] {
  const cell = new Array<number>(shape.length);
  let left = index;
  for (let i = shape.length - 1; i >= 0; i--) {
    cell[i] = left % (shape[i] as number);
    left = Math.floor(left / (shape[i] as number));
  }
  return cell;
}

const at = (value: Value, ...cell: number[]): number => {
  const index = place(value.shape, cell);
  // Around the image is zero.
  return index === undefined ? value.zero : (value.data[index] as number);
};

const bounded = (v: bigint): bigint => (v > 0x7fffffffn ? 0x7fffffffn : v < -0x80000000n ? -0x80000000n : v);

/** x times a positive number, in integers. */
function multiplier(real: number): (x: number) => number {
  if (!(real > 0)) return () => 0;
  let exponent = 0;
  let fraction = real;
  while (fraction >= 1) {
    fraction /= 2;
    exponent++;
  }
  while (fraction < 0.5) {
    fraction *= 2;
    exponent--;
  }
  let mantissa = Math.floor(fraction * 2 ** 31 + 0.5);
  if (mantissa === 2 ** 31) {
    mantissa = 2 ** 30;
    exponent++;
  }
  if (exponent < -31) return () => 0;
  if (exponent > 30) {
    exponent = 30;
    mantissa = 2 ** 31 - 1;
  }
  return (x) => {
    const shifted = bounded(bounded(BigInt(x)) << BigInt(Math.max(exponent, 0)));
    const high = (shifted * BigInt(mantissa) + (1n << 30n)) >> 31n;
    return exponent < 0 ? round(Number(high) / 2 ** -exponent) : Number(bounded(high));
  };
}

type Cell = (cell: readonly number[]) => number;
interface Operator {
  readonly op: OperatorDef;
  readonly inputs: readonly Value[];
  readonly out: Omit<Value, "data">;
  /** Which of its outputs is computed. */
  readonly part: number;
}

const input = ({ inputs }: Operator, i: number): Value => {
  const value = inputs[i];
  assert(value, `operand ${i}`);
  return value;
};
const list = (o: Operator, i: number): number[] => Array.from(input(o, i).data);
const integer = ({ op }: Operator, name: string): number => Number(op.arg.find((a) => a.name === name)?.i ?? 0);
const text = ({ op }: Operator, name: string): string =>
  new TextDecoder().decode(op.arg.find((a) => a.name === name)?.s ?? new Uint8Array());

function clampFor(activation: string, { scale, zero }: Omit<Value, "data">): (code: number) => number {
  const low = activation === "" ? 0 : zero;
  const high = activation === "RELU6" ? clamp(zero + round(f32(6 / scale)), 0, 255) : 255;
  return (code) => clamp(code, low, high);
}

/** From sums to codes. */
function finish(o: Operator): (sum: number) => number {
  const times = multiplier(f32(f32(input(o, 0).scale * input(o, 1).scale) / o.out.scale));
  const limit = clampFor(text(o, "activation"), o.out);
  return (sum) => limit(times(sum) + o.out.zero);
}

/** Whole networks pass here: a sum's terms are neighbours in the input and in the filter. */
function convolution(o: Operator): Cell {
  const [x, w] = [input(o, 0), input(o, 1)];
  const bias = list(o, 2);
  const [sy = 1, sx = 1] = list(o, 3);
  const [top = 0, , left = 0] = list(o, 4);
  const [dy = 1, dx = 1] = list(o, 5);
  const depthwise = o.op.type === "DepthwiseConv2d";
  const [, height = 1, width = 1, depth = 1] = x.shape;
  const [, rows = 1, columns = 1, last = 1] = w.shape;
  const steps = Int32Array.from(x.data, (q) => q - x.zero);
  const weights = Int32Array.from(w.data, (q) => q - w.zero);
  const code = finish(o);
  return ([n = 0, r = 0, c = 0, k = 0]) => {
    let sum = bias[k] as number;
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        const [row, column] = [r * sy + i * dy - top, c * sx + j * dx - left];
        if (row < 0 || column < 0 || row >= height || column >= width) continue;
        const pixel = ((n * height + row) * width + column) * depth;
        if (depthwise) {
          // A channel of the input has `last / depth` of the output.
          const channel = Math.floor((k * depth) / last);
          sum += (steps[pixel + channel] as number) * (weights[(i * columns + j) * last + k] as number);
          continue;
        }
        const from = ((k * rows + i) * columns + j) * depth;
        for (let d = 0; d < depth; d++) sum += (steps[pixel + d] as number) * (weights[from + d] as number);
      }
    }
    return code(sum);
  };
}

/** Spreads each cell of the input, unlike the simulator, which gathers for each cell of the output. */
function deconvolution(o: Operator): Cell {
  const [x, w] = [input(o, 0), input(o, 1)];
  const [sy = 1, sx = 1] = list(o, 3);
  const [top = 0, , left = 0] = list(o, 4);
  const bias = list(o, 2);
  const sums = Array.from({ length: size(o.out.shape) }, (_, i) => bias[i % bias.length] as number);
  for (let i = 0; i < x.data.length; i++) {
    const [n = 0, r = 0, c = 0, d = 0] = cellOf(x.shape, i);
    for (let k = 0; k < w.data.length; k++) {
      const [channel = 0, y = 0, z = 0, depth = 0] = cellOf(w.shape, k);
      const to = place(o.out.shape, [n, r * sy + y - top, c * sx + z - left, channel]);
      if (depth !== d || to === undefined) continue;
      sums[to] = (sums[to] as number) + ((x.data[i] as number) - x.zero) * ((w.data[k] as number) - w.zero);
    }
  }
  const code = finish(o);
  return (cell) => code(sums[place(o.out.shape, cell) as number] as number);
}

function fullyConnected(o: Operator): Cell {
  const [x, w] = [input(o, 0), input(o, 1)];
  const width = w.shape[1] as number;
  const bias = list(o, 2);
  const code = finish(o);
  return ([row = 0, k = 0]) => {
    let sum = bias[k] as number;
    for (let i = 0; i < width; i++) sum += ((x.data[row * width + i] as number) - x.zero) * (at(w, k, i) - w.zero);
    return code(sum);
  };
}

function pooling(o: Operator): Cell {
  const x = input(o, 0);
  const [sy = 1, sx = 1] = list(o, 1);
  const [top = 0, , left = 0] = list(o, 2);
  const [rows = 1, columns = 1] = list(o, 3);
  return ([n = 0, r = 0, c = 0, k = 0]) => {
    const seen: number[] = [];
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        const index = place(x.shape, [n, r * sy + i - top, c * sx + j - left, k]);
        if (index !== undefined) seen.push(x.data[index] as number);
      }
    }
    if (integer(o, "pooling_type") === 2) return Math.max(...seen);
    return Math.floor((seen.reduce((a, b) => a + b, 0) + Math.floor(seen.length / 2)) / seen.length);
  };
}

function pairwise(o: Operator, f: (x: number, y: number) => number): Cell {
  const broadcast = (v: Value, cell: readonly number[]): number => {
    const own = cell.slice(cell.length - v.shape.length).map((i, k) => (v.shape[k] === 1 ? 0 : i));
    return at(v, ...own) - v.zero;
  };
  return (cell) => f(broadcast(input(o, 0), cell), broadcast(input(o, 1), cell));
}

function eltwise(o: Operator): Cell {
  const [a, b] = [input(o, 0).scale, input(o, 1).scale];
  const { scale, zero } = o.out;
  const limit = clampFor(text(o, "activation"), o.out);
  const type = integer(o, "type");
  if (type <= 1) {
    const twice = 2 * Math.max(a, b);
    const [ka, kb, k] = [multiplier(a / twice), multiplier(b / twice), multiplier(twice / (2 ** 20 * scale))];
    const sign = type === 0 ? 1 : -1;
    return pairwise(o, (x, y) => limit(k(ka(x * 2 ** 20) + sign * kb(y * 2 ** 20)) + zero));
  }
  if (type === 2) {
    const k = multiplier(f32(f32(a * b) / scale));
    return pairwise(o, (x, y) => limit(k(x * y) + zero));
  }
  const choose = type === 4 ? Math.min : Math.max;
  return pairwise(o, (x, y) => choose(toCode((x * a) / scale, zero), toCode((y * b) / scale, zero)));
}

function activation(o: Operator): Cell {
  const x = input(o, 0);
  const { scale, zero } = o.out;
  const name = text(o, "activation");
  if (name === "PRELU") {
    const slope = input(o, 1).scale;
    const [above, below] = [multiplier(x.scale / scale), multiplier(f32(x.scale * slope) / scale)];
    return pairwise(o, (p, q) => clamp((p >= 0 ? above(p) : below(p * q)) + zero, 0, 255));
  }
  const limit = clampFor(name, o.out);
  const functions: Readonly<Record<string, (v: number) => number>> = {
    SIGMOID: (v) => 1 / (1 + Math.exp(-v)),
    TANH: Math.tanh,
    HARDSWISH: (v) => (v * clamp(v + 3, 0, 6)) / 6,
  };
  const f = functions[name];
  return (cell) => {
    const code = at(x, ...cell);
    return f ? toCode(f(x.scale * (code - x.zero)) / scale, zero) : limit(code);
  };
}

function softmax(o: Operator): Cell {
  const x = input(o, 0);
  const [beta = 1] = list(o, 1);
  const depth = x.shape.at(-1) as number;
  return (cell) => {
    const row = Array.from({ length: depth }, (_, i) => at(x, ...cell.slice(0, -1), i));
    const most = Math.max(...row);
    const powers = row.map((q) => Math.exp(-x.scale * beta * (most - q)));
    const sum = powers.reduce((a, b) => a + b, 0);
    return toCode((256 * (powers[cell.at(-1) as number] as number)) / sum, 0);
  };
}

function concat(o: Operator): Cell {
  const parts = o.inputs.slice(0, -1);
  const [axis = 0] = list(o, parts.length);
  const { scale, zero } = o.out;
  return (cell) => {
    const from = [...cell];
    let part = 0;
    for (let length = parts[0]?.shape[axis] as number; (from[axis] as number) >= length; ) {
      from[axis] = (from[axis] as number) - length;
      length = parts[++part]?.shape[axis] as number;
    }
    const x = parts[part] as Value;
    const code = at(x, ...from);
    if (x.scale === scale && x.zero === zero) return code;
    const factor = f32(x.scale * f32(1 / scale));
    return toCode(f32(f32(code * factor) + f32(-x.zero * factor)), zero);
  };
}

function mean(o: Operator): Cell {
  const x = input(o, 0);
  const axes = list(o, 1);
  const kept = x.shape.map((d, i) => (axes.includes(i) ? 1 : d));
  const sums = new Array<number>(size(kept)).fill(0);
  for (let i = 0; i < x.data.length; i++) {
    const to = place(
      kept,
      cellOf(x.shape, i).map((v, k) => (axes.includes(k) ? 0 : v)),
    ) as number;
    sums[to] = (sums[to] as number) + (x.data[i] as number);
  }
  const terms = x.data.length / sums.length;
  // Without the reduced axes, cells keep their order.
  return (cell) => Math.floor((sums[place(o.out.shape, cell) as number] as number) / terms);
}

function resize(o: Operator): Cell {
  const x = input(o, 0);
  const [align, half] = [integer(o, "align_corners") === 1, integer(o, "half_pixel_centers") === 1];
  const nearest = o.op.type === "ResizeNearestNeighbor";
  const position = (i: number, axis: number): number => {
    const [from, to] = [x.shape[axis] as number, o.out.shape[axis] as number];
    const scale = align && to > 1 ? f32((from - 1) / (to - 1)) : f32(from / to);
    if (!half) return f32(i * scale);
    const centre = f32((i + 0.5) * scale);
    return nearest ? centre : f32(centre - 0.5);
  };
  const inside = (p: number, axis: number): number => clamp(p, 0, (x.shape[axis] as number) - 1);
  return ([n = 0, r = 0, c = 0, k = 0]) => {
    const [v, u] = [position(r, 1), position(c, 2)];
    if (nearest) {
      const pick = (p: number, axis: number): number => inside(Math.floor(align ? f32(p + 0.5) : p), axis);
      return at(x, n, pick(v, 1), pick(u, 2), k);
    }
    const along = (p: number, axis: number): [number, number, number] => {
      const first = inside(Math.floor(p), axis);
      return [first, inside(Math.floor(p) + 1, axis), f32(Math.max(p, 0) - first)];
    };
    const [r0, r1, a] = along(v, 1);
    const [c0, c1, b] = along(u, 2);
    const mix = (p: number, q: number, t: number): number => f32(p + f32(f32(q - p) * t));
    const row = (i: number): number => mix(at(x, n, i, c0, k), at(x, n, i, c1, k), b);
    return clamp(Math.floor(f32(mix(row(r0), row(r1), a) + 0.5)), 0, 255);
  };
}

/** An operator whose every code is one of the input, or zero around it. */
const moved =
  (source: (o: Operator, cell: readonly number[]) => number[]) =>
  (o: Operator): Cell =>
  (cell) =>
    at(input(o, 0), ...source(o, cell));

const OPERATORS: Readonly<Record<string, (o: Operator) => Cell>> = {
  Conv2D: convolution,
  DepthwiseConv2d: convolution,
  Deconv2D: deconvolution,
  FullyConnected: fullyConnected,
  Pooling: pooling,
  Eltwise: eltwise,
  Activation: activation,
  Softmax: softmax,
  Concat: concat,
  Reduce: mean,
  ResizeBilinear: resize,
  ResizeNearestNeighbor: resize,
  Reshape: (o) => (cell) => input(o, 0).data[place(o.out.shape, cell) as number] as number,
  Transpose: moved((o, cell) => {
    const from: number[] = [];
    list(o, 1).forEach((axis, i) => {
      from[axis] = cell[i] as number;
    });
    return from;
  }),
  Pad: moved((o, cell) => cell.map((v, i) => v - (input(o, 1).data[2 * i] as number))),
  StridedSlice: moved((o, cell) => cell.map((v, i) => (list(o, 1)[i] as number) + v * (list(o, 3)[i] as number))),
  Split: (o) => {
    const [axis = 0] = list(o, 1);
    return (cell) => at(input(o, 0), ...cell.map((v, i) => (i === axis ? o.part * (o.out.shape[i] as number) + v : v)));
  },
  DepthToSpace: moved((o, [n = 0, r = 0, c = 0, d = 0]) => {
    const [b = 1] = list(o, 1);
    const inner = (r % b) * b + (c % b);
    return [n, Math.floor(r / b), Math.floor(c / b), inner * (o.out.shape[3] as number) + d];
  }),
  SpaceToDepth: moved((o, [n = 0, r = 0, c = 0, d = 0]) => {
    const [b = 1] = list(o, 1);
    const depth = input(o, 0).shape[3] as number;
    const inner = Math.floor(d / depth);
    return [n, r * b + Math.floor(inner / b), c * b + (inner % b), d % depth];
  }),
};

/** Operators that the reference has. */
export const REFERENCE_OPERATORS: readonly string[] = Object.keys(OPERATORS);

function constantValue({ dims, dataType, data, scale = 0, zeroPoint = 0 }: NetConstant): Value {
  assert(data);
  const grid = { shape: dims, scale, zero: zeroPoint };
  if (dataType === DataType.DT_UINT8) return { ...grid, data };
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const read = (i: number): number =>
    dataType === DataType.DT_FLOAT ? view.getFloat32(4 * i, true) : view.getInt32(4 * i, true);
  return { ...grid, data: Array.from({ length: data.byteLength / 4 }, (_, i) => read(i)) };
}

/** Real numbers of the net's outputs, from codes of its inputs in their grids. */
export function runReference(net: LoweredNet, inputs: readonly Uint8Array[]): Float32Array[] {
  const values = new Map<string, Value>();
  for (const constant of net.constants) values.set(constant.name, constantValue(constant));
  net.inputs.forEach(({ name = "", dims, scale = 1, zeroPoint = 0 }, i) => {
    const shape = dims.length === 0 ? [1] : dims;
    values.set(name, { shape, data: inputs[i] as Uint8Array, scale, zero: zeroPoint });
  });
  const of = (name: string): Value => {
    const value = values.get(name);
    assert(value, `tensor ${name}`);
    return value;
  };
  for (const op of net.ops) {
    const operands = op.input.map(of);
    op.output.forEach((name, i) => {
      const { scale = 1, zeroPoint: zero = 0 } = op.quantizeInfo[i] ?? {};
      const out = { shape: (op.outputShape[i]?.dims ?? []).map(Number), scale, zero };
      const run = OPERATORS[op.type ?? ""];
      assert(run, `operator ${op.type}`);
      const code = run({ op, inputs: operands, out, part: i });
      const data = Uint8Array.from({ length: size(out.shape) }, (_, k) => code(cellOf(out.shape, k)));
      values.set(name, { ...out, data });
    });
  }
  return net.outputs.map(({ name = "" }) => {
    const { data, scale, zero } = of(name);
    return Float32Array.from(data, (q) => f32(scale * (q - zero)));
  });
}
