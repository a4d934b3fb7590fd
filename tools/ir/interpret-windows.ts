/** Reference meaning of the operators that look at a window: pooling, local response normalization, patches. */

import { type Attributed, numberAttribute, padsAttribute, pairAttribute } from "./attributes";
import type { ConstantData } from "./graph";
import { size4, type TensorValue } from "./interpret-values";
import { POOLING } from "./operators";
import { elementCount, type Shape } from "./shape";
import { emptyLike } from "./transpose";

export function pooling(node: Attributed, x: TensorValue, out: Shape): ConstantData {
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

export function localResponseNorm(node: Attributed, x: TensorValue): ConstantData {
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

export function extractImagePatches(node: Attributed, x: TensorValue, out: Shape): ConstantData {
  const [batch, height, width, channels] = size4(x.shape);
  const [, rows, columns, depth] = size4(out);
  const [kh, kw] = pairAttribute(node, "kernels");
  const [sh, sw] = pairAttribute(node, "strides");
  const [dh, dw] = pairAttribute(node, "dilations");
  const pads = padsAttribute(node);
  const result = emptyLike(x.data, elementCount(out));
  for (let n = 0; n < batch; n++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const to = ((n * rows + row) * columns + column) * depth;
        for (let i = 0; i < kh; i++) {
          const h = row * sh - pads.top + i * dh;
          if (h < 0 || h >= height) continue;
          for (let j = 0; j < kw; j++) {
            const w = column * sw - pads.left + j * dw;
            if (w < 0 || w >= width) continue;
            const from = ((n * height + h) * width + w) * channels;
            result.set(x.data.subarray(from, from + channels), to + (i * kw + j) * channels);
          }
        }
      }
    }
  }
  return result;
}
