/**
 * The reference interpreter: the obvious meaning of every float operator, accumulated in binary64 and rounded once to
 * the element type. It checks passes, folds constants and says in tests what a model ought to compute. It is no runtime:
 * kernels have their own fixed order of operations (mace/quant/README.md, section 9).
 */

import { InternalError, invariant } from "../diagnostics/diagnostic";
import {
  type Attributed,
  listAttribute,
  numberAttribute,
  padsAttribute,
  pairAttribute,
  stringAttribute,
} from "./attributes";
import type { ConstantData, Graph } from "./graph";
import { ELTWISE, PAD, POOLING, REDUCE } from "./operators";
import { broadcastStrides, elementCount, type Shape, stridesOf } from "./shape";
import { emptyLike, gatherStrided, transposeData } from "./transpose";

export interface TensorValue {
  readonly shape: Shape;
  readonly data: ConstantData;
}

function applyFusedActivation(node: Attributed, data: ConstantData): ConstantData {
  const activation = stringAttribute(node, "activation");
  if (activation === "NOOP") return data;
  const limit = activation === "RELUX" ? numberAttribute(node, "max_limit") : Number.POSITIVE_INFINITY;
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number;
    data[i] = value < 0 ? 0 : value > limit ? limit : value;
  }
  return data;
}

type Size4 = readonly [number, number, number, number];

function size4(shape: Shape): Size4 {
  const [a, b, c, d] = shape;
  invariant(a !== undefined && b !== undefined && c !== undefined && d !== undefined, "a tensor of rank 4 is needed");
  return [a, b, c, d];
}

/**
 * out[o] = x · filter row o, plus bias: `rows` rows of `depth` numbers from `start` on. Four rows at a time, which is what makes
 * whole networks bearable; everything is binary64.
 */
function rowProducts(
  x: Float64Array,
  filter: Float64Array,
  start: number,
  rows: number,
  depth: number,
  bias: ConstantData | null,
  out: ConstantData,
  at: number,
): void {
  let row = 0;
  for (; row + 3 < rows; row += 4) {
    const a = (start + row) * depth;
    let p = 0;
    let q = 0;
    let r = 0;
    let s = 0;
    for (let k = 0, i = a, j = a + depth, l = a + 2 * depth, m = a + 3 * depth; k < depth; k++, i++, j++, l++, m++) {
      const value = x[k] as number;
      p += value * (filter[i] as number);
      q += value * (filter[j] as number);
      r += value * (filter[l] as number);
      s += value * (filter[m] as number);
    }
    const o = start + row;
    out[at + row] = p + (bias ? (bias[o] as number) : 0);
    out[at + row + 1] = q + (bias ? (bias[o + 1] as number) : 0);
    out[at + row + 2] = r + (bias ? (bias[o + 2] as number) : 0);
    out[at + row + 3] = s + (bias ? (bias[o + 3] as number) : 0);
  }
  for (; row < rows; row++) {
    const a = (start + row) * depth;
    let sum = 0;
    for (let k = 0; k < depth; k++) sum += (x[k] as number) * (filter[a + k] as number);
    out[at + row] = sum + (bias ? (bias[start + row] as number) : 0);
  }
}

function conv2d(
  node: Attributed,
  x: TensorValue,
  filter: TensorValue,
  bias: TensorValue | null,
  out: Shape,
): ConstantData {
  const [batch, height, width, channels] = size4(x.shape);
  const [outChannels, kh, kw, depth] = size4(filter.shape);
  const [, rows, columns] = size4(out);
  const [sh, sw] = pairAttribute(node, "strides");
  const [dh, dw] = pairAttribute(node, "dilations");
  const pads = padsAttribute(node);
  const groups = numberAttribute(node, "group");
  const perGroup = outChannels / groups;
  const source = new Float64Array(x.data);
  const weights = new Float64Array(filter.data);
  // The cells under the window, one group's channels; zero outside of the image.
  const patch = new Float64Array(kh * kw * depth);
  const result = new Float32Array(elementCount(out));
  let to = 0;
  for (let n = 0; n < batch; n++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        for (let group = 0; group < groups; group++) {
          patch.fill(0);
          for (let i = 0; i < kh; i++) {
            const h = row * sh - pads.top + i * dh;
            if (h < 0 || h >= height) continue;
            for (let j = 0; j < kw; j++) {
              const w = column * sw - pads.left + j * dw;
              if (w < 0 || w >= width) continue;
              const from = ((n * height + h) * width + w) * channels + group * depth;
              const start = (i * kw + j) * depth;
              for (let c = 0; c < depth; c++) patch[start + c] = source[from + c] as number;
            }
          }
          rowProducts(patch, weights, group * perGroup, perGroup, patch.length, bias?.data ?? null, result, to);
          to += perGroup;
        }
      }
    }
  }
  return result;
}

function depthwiseConv2d(
  node: Attributed,
  x: TensorValue,
  filter: TensorValue,
  bias: TensorValue | null,
  out: Shape,
): ConstantData {
  const [batch, height, width, channels] = size4(x.shape);
  const [kh, kw, , multiplier] = size4(filter.shape);
  const [, rows, columns, outChannels] = size4(out);
  const [sh, sw] = pairAttribute(node, "strides");
  const [dh, dw] = pairAttribute(node, "dilations");
  const pads = padsAttribute(node);
  const result = new Float32Array(elementCount(out));
  const sums = new Float64Array(outChannels);
  let to = 0;
  for (let n = 0; n < batch; n++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        if (bias) sums.set(bias.data);
        else sums.fill(0);
        for (let i = 0; i < kh; i++) {
          const h = row * sh - pads.top + i * dh;
          if (h < 0 || h >= height) continue;
          for (let j = 0; j < kw; j++) {
            const w = column * sw - pads.left + j * dw;
            if (w < 0 || w >= width) continue;
            const xi = ((n * height + h) * width + w) * channels;
            const wi = (i * kw + j) * outChannels;
            for (let o = 0, c = 0; c < channels; c++) {
              const value = x.data[xi + c] as number;
              for (let m = 0; m < multiplier; m++, o++) {
                sums[o] = (sums[o] as number) + value * (filter.data[wi + o] as number);
              }
            }
          }
        }
        result.set(sums, to);
        to += outChannels;
      }
    }
  }
  return result;
}

function fullyConnected(x: TensorValue, filter: TensorValue, bias: TensorValue | null): ConstantData {
  const outChannels = filter.shape[0] ?? 0;
  const depth = filter.shape[1] ?? 1;
  const rows = x.data.length / depth;
  const source = new Float64Array(x.data);
  const weights = new Float64Array(filter.data);
  const result = new Float32Array(rows * outChannels);
  for (let row = 0; row < rows; row++) {
    const part = source.subarray(row * depth, (row + 1) * depth);
    rowProducts(part, weights, 0, outChannels, depth, bias?.data ?? null, result, row * outChannels);
  }
  return result;
}

/** Swaps the last two axes. */
function swapLast({ shape, data }: TensorValue): TensorValue {
  const dims = shape.map((_, axis) => axis);
  dims.push(...dims.splice(-2).reverse());
  return { shape: dims.map((axis) => shape[axis] ?? 0), data: transposeData(data, shape, dims) };
}

function matMul(node: Attributed, left: TensorValue, right: TensorValue, out: Shape): ConstantData {
  const a = numberAttribute(node, "transpose_a") === 1 ? swapLast(left) : left;
  const b = numberAttribute(node, "transpose_b") === 1 ? right : swapLast(right);
  const rows = out[out.length - 2] ?? 1;
  const columns = out[out.length - 1] ?? 1;
  const depth = a.shape[a.shape.length - 1] ?? 1;
  const leading = out.slice(0, -2);
  const count = elementCount(leading);
  const matrixStarts = (operand: TensorValue, size: number): ConstantData => {
    const own = operand.shape.slice(0, -2);
    const starts = Int32Array.from({ length: elementCount(own) }, (_, i) => i * size);
    return gatherStrided(starts, leading, broadcastStrides(own, leading));
  };
  const aStarts = matrixStarts(a, rows * depth);
  const bStarts = matrixStarts(b, columns * depth);
  const left64 = new Float64Array(a.data);
  const right64 = new Float64Array(b.data);
  const result = new Float32Array(count * rows * columns);
  for (let matrix = 0; matrix < count; matrix++) {
    const first = (bStarts[matrix] as number) / depth;
    for (let i = 0; i < rows; i++) {
      const start = (aStarts[matrix] as number) + i * depth;
      const row = left64.subarray(start, start + depth);
      rowProducts(row, right64, first, columns, depth, null, result, (matrix * rows + i) * columns);
    }
  }
  return result;
}

function batchNorm(x: TensorValue, scale: TensorValue, offset: TensorValue): ConstantData {
  const channels = scale.data.length;
  const result = new Float32Array(x.data.length);
  for (let i = 0, c = 0; i < result.length; i++) {
    result[i] = (x.data[i] as number) * (scale.data[c] as number) + (offset.data[c] as number);
    if (++c === channels) c = 0;
  }
  return result;
}

function pooling(node: Attributed, x: TensorValue, out: Shape): ConstantData {
  const [batch, height, width, channels] = size4(x.shape);
  const [, rows, columns] = size4(out);
  const [kh, kw] = pairAttribute(node, "kernels");
  const [sh, sw] = pairAttribute(node, "strides");
  const [dh, dw] = pairAttribute(node, "dilations");
  const pads = padsAttribute(node);
  const average = numberAttribute(node, "pooling_type") === POOLING.AVG;
  const countPads = numberAttribute(node, "count_include_pad") === 1;
  const result = emptyLike(x.data, elementCount(out));
  const sums = new Float64Array(channels);
  let to = 0;
  for (let n = 0; n < batch; n++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        sums.fill(average ? 0 : Number.NEGATIVE_INFINITY);
        let count = 0;
        for (let i = 0; i < kh; i++) {
          const h = row * sh - pads.top + i * dh;
          if (h >= height + pads.bottom) continue;
          for (let j = 0; j < kw; j++) {
            const w = column * sw - pads.left + j * dw;
            if (w >= width + pads.right) continue;
            const inside = h >= 0 && h < height && w >= 0 && w < width;
            if (inside || countPads) count++;
            if (!inside) continue;
            const xi = ((n * height + h) * width + w) * channels;
            for (let c = 0; c < channels; c++) {
              const value = x.data[xi + c] as number;
              const sum = sums[c] as number;
              sums[c] = average ? sum + value : value > sum ? value : sum;
            }
          }
        }
        for (let c = 0; c < channels; c++) result[to++] = average ? (sums[c] as number) / count : (sums[c] as number);
      }
    }
  }
  return result;
}

function reduce(node: Attributed, x: TensorValue, out: Shape): ConstantData {
  const axes = listAttribute(node, "axis");
  const type = numberAttribute(node, "reduce_type");
  const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const targets = gatherStrided(
    Int32Array.from({ length: elementCount(kept) }, (_, i) => i),
    x.shape,
    broadcastStrides(kept, x.shape),
  );
  const start =
    type === REDUCE.MIN
      ? Number.POSITIVE_INFINITY
      : type === REDUCE.MAX
        ? Number.NEGATIVE_INFINITY
        : type === REDUCE.PROD
          ? 1
          : 0;
  const sums = new Float64Array(elementCount(out)).fill(start);
  for (let i = 0; i < x.data.length; i++) {
    const to = targets[i] as number;
    const value = x.data[i] as number;
    const sum = sums[to] as number;
    switch (type) {
      case REDUCE.MIN:
        sums[to] = Math.min(sum, value);
        break;
      case REDUCE.MAX:
        sums[to] = Math.max(sum, value);
        break;
      case REDUCE.PROD:
        sums[to] = sum * value;
        break;
      default:
        sums[to] = sum + value;
    }
  }
  const result = emptyLike(x.data, sums.length);
  const divisor = type === REDUCE.MEAN ? x.data.length / sums.length : 1;
  for (let i = 0; i < sums.length; i++) result[i] = (sums[i] as number) / divisor;
  return result;
}

function eltwiseFunction(type: number, integer: boolean): (a: number, b: number) => number {
  switch (type) {
    case ELTWISE.SUM:
      return (a, b) => a + b;
    case ELTWISE.SUB:
      return (a, b) => a - b;
    case ELTWISE.PROD:
      return (a, b) => a * b;
    case ELTWISE.DIV:
      return integer ? (a, b) => Math.trunc(a / b) : (a, b) => a / b;
    case ELTWISE.MIN:
      return Math.min;
    case ELTWISE.MAX:
      return Math.max;
    case ELTWISE.SQR_DIFF:
      return (a, b) => (a - b) * (a - b);
    case ELTWISE.POW:
      return Math.pow;
    default:
      throw new InternalError(`there is no element-wise function ${type}`);
  }
}

function eltwise(node: Attributed, a: TensorValue, b: TensorValue, out: Shape): ConstantData {
  const apply = eltwiseFunction(numberAttribute(node, "type"), !(a.data instanceof Float32Array));
  const count = elementCount(out);
  const result = emptyLike(a.data, count);
  const widen = (operand: TensorValue): ConstantData =>
    operand.data.length === count
      ? operand.data
      : gatherStrided(operand.data, out, broadcastStrides(operand.shape, out));
  const x = widen(a);
  const y = b.data.length === 1 ? b.data : widen(b);
  const scalar = y.length === 1;
  const constant = y[0] as number;
  for (let i = 0; i < count; i++) result[i] = apply(x[i] as number, scalar ? constant : (y[i] as number));
  return result;
}

/** The function of an Activation node, for one value (PRELU takes its slope separately). */
export function activationFunction(node: Attributed): (x: number) => number {
  const limit = numberAttribute(node, "max_limit");
  const low = numberAttribute(node, "min_limit");
  const coefficient = numberAttribute(node, "activation_coefficient");
  const alpha = numberAttribute(node, "hardsigmoid_alpha");
  const beta = numberAttribute(node, "hardsigmoid_beta");
  const activation = stringAttribute(node, "activation");
  switch (activation) {
    case "RELU":
      return (x) => (x < 0 ? 0 : x);
    case "RELUX":
      return (x) => (x < 0 ? 0 : x > limit ? limit : x);
    case "TANH":
      return Math.tanh;
    case "SIGMOID":
      return (x) => 1 / (1 + Math.exp(-x));
    case "LEAKYRELU":
      return (x) => (x < 0 ? x * coefficient : x);
    case "ELU":
      return (x) => (x < 0 ? coefficient * Math.expm1(x) : x);
    case "HARDSIGMOID":
      return (x) => Math.max(0, Math.min(1, alpha * x + beta));
    case "HARDSWISH":
      return (x) => x * Math.max(0, Math.min(1, alpha * x + beta));
    case "CLIP":
      return (x) => Math.min(limit, Math.max(low, x));
    case "EXP":
      return Math.exp;
    case "SQRT":
      return Math.sqrt;
    case "RSQRT":
      return (x) => 1 / Math.sqrt(x);
    case "ABS":
      return Math.abs;
    case "NEG":
      return (x) => -x;
    default:
      throw new InternalError(`there is no activation '${activation}' of one variable`);
  }
}

function activation(node: Attributed, x: TensorValue, slope: TensorValue | null): ConstantData {
  const result = emptyLike(x.data, x.data.length);
  if (stringAttribute(node, "activation") === "PRELU") {
    invariant(slope, "PRELU has no slope");
    const channels = slope.data.length;
    for (let i = 0; i < result.length; i++) {
      const value = x.data[i] as number;
      result[i] = value < 0 ? value * (slope.data[i % channels] as number) : value;
    }
    return result;
  }
  const apply = activationFunction(node);
  for (let i = 0; i < result.length; i++) result[i] = apply(x.data[i] as number);
  return result;
}

function softmax(node: Attributed, x: TensorValue): ConstantData {
  const log = numberAttribute(node, "log") === 1;
  const depth = x.shape[x.shape.length - 1] ?? 1;
  const result = new Float32Array(x.data.length);
  for (let start = 0; start < result.length; start += depth) {
    let greatest = Number.NEGATIVE_INFINITY;
    for (let i = start; i < start + depth; i++) greatest = Math.max(greatest, x.data[i] as number);
    let sum = 0;
    for (let i = start; i < start + depth; i++) sum += Math.exp((x.data[i] as number) - greatest);
    for (let i = start; i < start + depth; i++) {
      const value = (x.data[i] as number) - greatest;
      result[i] = log ? value - Math.log(sum) : Math.exp(value) / sum;
    }
  }
  return result;
}

/** Elements before and after an axis: data are [outer, shape[axis], inner]. */
function around(shape: Shape, axis: number): { readonly outer: number; readonly inner: number } {
  return { outer: elementCount(shape.slice(0, axis)), inner: elementCount(shape.slice(axis + 1)) };
}

function concat(node: Attributed, inputs: readonly TensorValue[], out: Shape): ConstantData {
  const axis = numberAttribute(node, "axis");
  const { outer, inner } = around(out, axis);
  const first = inputs[0];
  invariant(first, "a concatenation needs an input");
  const result = emptyLike(first.data, elementCount(out));
  const row = (out[axis] ?? 0) * inner;
  let offset = 0;
  for (const input of inputs) {
    const size = (input.shape[axis] ?? 0) * inner;
    for (let i = 0; i < outer; i++) result.set(input.data.subarray(i * size, (i + 1) * size), i * row + offset);
    offset += size;
  }
  return result;
}

function split(node: Attributed, x: TensorValue, parts: readonly Shape[]): ConstantData[] {
  const axis = numberAttribute(node, "axis");
  const { outer, inner } = around(x.shape, axis);
  const row = (x.shape[axis] ?? 0) * inner;
  let offset = 0;
  return parts.map((shape) => {
    const size = (shape[axis] ?? 0) * inner;
    const part = emptyLike(x.data, outer * size);
    for (let i = 0; i < outer; i++) part.set(x.data.subarray(i * row + offset, i * row + offset + size), i * size);
    offset += size;
    return part;
  });
}

function stridedSlice(node: Attributed, x: TensorValue, out: Shape): ConstantData {
  const begin = listAttribute(node, "begin");
  const steps = listAttribute(node, "strides");
  const strides = stridesOf(x.shape);
  const offset = begin.reduce((sum, from, axis) => sum + from * (strides[axis] ?? 0), 0);
  return gatherStrided(
    x.data,
    out,
    strides.map((stride, axis) => stride * (steps[axis] ?? 1)),
    offset,
  );
}

/** The index that padding reads, or -1 for the constant. */
function paddedIndex(index: number, size: number, padType: number): number {
  if (index >= 0 && index < size) return index;
  switch (padType) {
    case PAD.REFLECT:
      return index < 0 ? -index : 2 * size - 2 - index;
    case PAD.SYMMETRIC:
      return index < 0 ? -index - 1 : 2 * size - 1 - index;
    case PAD.EDGE:
      return index < 0 ? 0 : size - 1;
    default:
      return -1;
  }
}

function pad(node: Attributed, x: TensorValue, out: Shape): ConstantData {
  const paddings = listAttribute(node, "paddings");
  const padType = numberAttribute(node, "pad_type");
  const strides = stridesOf(x.shape);
  const result = emptyLike(x.data, elementCount(out));
  result.fill(numberAttribute(node, "constant_value"));
  const maps = out.map((size, axis) =>
    Int32Array.from({ length: size }, (_, i) => {
      const index = paddedIndex(i - (paddings[2 * axis] ?? 0), x.shape[axis] ?? 0, padType);
      return index < 0 ? -1 : index * (strides[axis] ?? 0);
    }),
  );
  const targets = stridesOf(out);
  const visit = (axis: number, from: number, to: number): void => {
    const map = maps[axis];
    if (!map) {
      result[to] = x.data[from] as number;
      return;
    }
    const step = targets[axis] ?? 1;
    for (let i = 0; i < map.length; i++) {
      const offset = map[i] as number;
      if (offset >= 0) visit(axis + 1, from + offset, to + i * step);
    }
  };
  visit(0, 0, 0);
  return result;
}

function localResponseNorm(node: Attributed, x: TensorValue): ConstantData {
  const size = numberAttribute(node, "size");
  const alpha = numberAttribute(node, "alpha");
  const beta = numberAttribute(node, "beta");
  const bias = numberAttribute(node, "bias");
  const channels = x.shape[x.shape.length - 1] ?? 1;
  const before = Math.floor((size - 1) / 2);
  const after = Math.ceil((size - 1) / 2);
  const result = new Float32Array(x.data.length);
  for (let start = 0; start < result.length; start += channels) {
    for (let c = 0; c < channels; c++) {
      let sum = 0;
      for (let i = Math.max(0, c - before); i <= Math.min(channels - 1, c + after); i++) {
        sum += (x.data[start + i] as number) ** 2;
      }
      result[start + c] = (x.data[start + c] as number) / (bias + alpha * sum) ** beta;
    }
  }
  return result;
}

/** Runs one node. `inputs` holds null for absent optional inputs; `outputs` are the shapes that the graph declares. */
export function interpretNode(
  node: Attributed,
  inputs: readonly (TensorValue | null)[],
  outputs: readonly Shape[],
): ConstantData[] {
  const input = (index: number): TensorValue => {
    const value = inputs[index];
    invariant(value, `${node.type} lacks input ${index}`);
    return value;
  };
  const x = input(0);
  const second = inputs[1] ?? null;
  const third = inputs[2] ?? null;
  const out = outputs[0] ?? [];
  switch (node.type) {
    case "Conv2D":
      return [applyFusedActivation(node, conv2d(node, x, input(1), third, out))];
    case "DepthwiseConv2d":
      return [applyFusedActivation(node, depthwiseConv2d(node, x, input(1), third, out))];
    case "FullyConnected":
      return [applyFusedActivation(node, fullyConnected(x, input(1), third))];
    case "MatMul":
      return [matMul(node, x, input(1), out)];
    case "BatchNorm":
      return [applyFusedActivation(node, batchNorm(x, input(1), input(2)))];
    case "Pooling":
      return [pooling(node, x, out)];
    case "Reduce":
      return [reduce(node, x, out)];
    case "Eltwise":
      return [applyFusedActivation(node, eltwise(node, x, input(1), out))];
    case "Activation":
      return [activation(node, x, second)];
    case "Softmax":
      return [softmax(node, x)];
    case "Concat":
      return [
        concat(
          node,
          inputs.filter((value): value is TensorValue => value !== null),
          out,
        ),
      ];
    case "Split":
      return split(node, x, outputs);
    case "StridedSlice":
      return [stridedSlice(node, x, out)];
    case "Reshape":
      return [x.data];
    case "Transpose":
      return [transposeData(x.data, x.shape, listAttribute(node, "dims"))];
    case "Pad":
      return [pad(node, x, out)];
    case "LocalResponseNorm":
      return [localResponseNorm(node, x)];
    default:
      throw new InternalError(`the reference interpreter does not run ${node.type}`);
  }
}

export interface InterpretOptions {
  /** Called with every computed tensor, in execution order. */
  readonly observe?: (name: string, data: ConstantData) => void;
}

/** Runs a float graph. `feeds` holds one entry per input of the graph, in the graph's layout (NHWC). */
export function interpret(
  graph: Graph,
  feeds: ReadonlyMap<string, ConstantData>,
  options: InterpretOptions = {},
): Map<string, ConstantData> {
  const values = new Map<string, ConstantData>();
  for (const port of graph.inputs) {
    const data = feeds.get(port.tensor);
    const tensor = graph.tensors.get(port.tensor);
    invariant(data && tensor, `input '${port.tensor}' is not fed`);
    invariant(data.length === elementCount(tensor.shape), `input '${port.tensor}' has ${data.length} values`);
    values.set(port.tensor, data);
  }
  const wanted = new Set(graph.outputs.map((port) => port.tensor));
  const uses = new Map<string, number>();
  for (const node of graph.nodes) for (const name of node.inputs) uses.set(name, (uses.get(name) ?? 0) + 1);

  const read = (name: string): TensorValue => {
    const tensor = graph.tensors.get(name);
    const data = tensor?.data ?? values.get(name);
    invariant(tensor && data, `tensor '${name}' has no value`);
    return { shape: tensor.shape, data };
  };
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => (name === "" ? null : read(name)));
    const results = interpretNode(
      node,
      inputs,
      node.outputs.map((name) => graph.tensors.get(name)?.shape ?? []),
    );
    node.outputs.forEach((name, index) => {
      const data = results[index];
      invariant(data, `${node.type} '${node.name}' has no result ${index}`);
      values.set(name, data);
      options.observe?.(name, data);
    });
    for (const name of node.inputs) {
      const left = (uses.get(name) ?? 0) - 1;
      uses.set(name, left);
      if (left === 0 && !wanted.has(name)) values.delete(name);
    }
  }
  return new Map(graph.outputs.map((port) => [port.tensor, read(port.tensor).data]));
}
