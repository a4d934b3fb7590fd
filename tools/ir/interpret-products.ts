/** Reference meaning of the matrix products: convolutions, their transposes, fully connected layers, MatMul, BatchNorm. */

import { type Attributed, numberAttribute, padsAttribute, pairAttribute } from "./attributes";
import type { ConstantData } from "./graph";
import { size4, type TensorValue } from "./interpret-values";
import { broadcastStrides, elementCount, type Shape } from "./shape";
import { gatherStrided, transposeData } from "./transpose";

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

export function conv2d(
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

export function depthwiseConv2d(
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

/**
 * Every input pixel adds its value times the filter to the window of the output that begins at (row * stride - top,
 * column * stride - left). Output cells that no window reaches hold the bias.
 */
export function deconv2d(
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
  const perGroup = outChannels / numberAttribute(node, "group");
  const sums = new Float64Array(elementCount(out));
  if (bias) for (let i = 0; i < sums.length; i++) sums[i] = bias.data[i % outChannels] as number;
  for (let n = 0; n < batch; n++) {
    for (let h = 0; h < height; h++) {
      for (let w = 0; w < width; w++) {
        const from = ((n * height + h) * width + w) * channels;
        for (let i = 0; i < kh; i++) {
          const row = h * sh - pads.top + i * dh;
          if (row < 0 || row >= rows) continue;
          for (let j = 0; j < kw; j++) {
            const column = w * sw - pads.left + j * dw;
            if (column < 0 || column >= columns) continue;
            const to = ((n * rows + row) * columns + column) * outChannels;
            for (let o = 0; o < outChannels; o++) {
              const first = from + Math.floor(o / perGroup) * depth;
              const weights = ((o * kh + i) * kw + j) * depth;
              let sum = 0;
              for (let c = 0; c < depth; c++)
                sum += (x.data[first + c] as number) * (filter.data[weights + c] as number);
              sums[to + o] = (sums[to + o] as number) + sum;
            }
          }
        }
      }
    }
  }
  return Float32Array.from(sums);
}

export function fullyConnected(x: TensorValue, filter: TensorValue, bias: TensorValue | null): ConstantData {
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

export function matMul(node: Attributed, left: TensorValue, right: TensorValue, out: Shape): ConstantData {
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

export function batchNorm(x: TensorValue, scale: TensorValue, offset: TensorValue): ConstantData {
  const channels = scale.data.length;
  const result = new Float32Array(x.data.length);
  for (let i = 0, c = 0; i < result.length; i++) {
    result[i] = (x.data[i] as number) * (scale.data[c] as number) + (offset.data[c] as number);
    if (++c === channels) c = 0;
  }
  return result;
}
