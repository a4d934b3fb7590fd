/** Reference meaning of the operators that only move elements. */

import { type Attributed, listAttribute, numberAttribute, pairAttribute, stringAttribute } from "./attributes";
import type { ConstantData } from "./graph";
import { around, size4, type TensorValue } from "./interpret-values";
import { invariant } from "../diagnostics/diagnostic";
import { PAD } from "./operators";
import { elementCount, type Shape, stridesOf } from "./shape";
import { emptyLike, gatherStrided, transposeData } from "./transpose";

export function concat(node: Attributed, inputs: readonly TensorValue[], out: Shape): ConstantData {
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

export function split(node: Attributed, x: TensorValue, parts: readonly Shape[]): ConstantData[] {
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

export function stridedSlice(node: Attributed, x: TensorValue, out: Shape): ConstantData {
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

export function pad(node: Attributed, x: TensorValue, out: Shape): ConstantData {
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

/** DCR splits channels into [block row, block column, C], CRD into [C, block row, block column]. */
export function depthToSpace(node: Attributed, x: TensorValue): ConstantData {
  const [n, h, w, c] = size4(x.shape);
  const b = numberAttribute(node, "block_size");
  const depth = c / (b * b);
  return stringAttribute(node, "mode") === "DCR"
    ? transposeData(x.data, [n, h, w, b, b, depth], [0, 1, 3, 2, 4, 5])
    : transposeData(x.data, [n, h, w, depth, b, b], [0, 1, 4, 2, 5, 3]);
}

export function spaceToDepth(node: Attributed, x: TensorValue): ConstantData {
  const [n, h, w, c] = size4(x.shape);
  const b = numberAttribute(node, "block_size");
  const blocks = [n, h / b, b, w / b, b, c];
  return transposeData(
    x.data,
    blocks,
    stringAttribute(node, "mode") === "DCR" ? [0, 1, 3, 2, 4, 5] : [0, 1, 3, 5, 2, 4],
  );
}

export function spaceToBatch(node: Attributed, x: TensorValue): ConstantData {
  const [n, h, w, c] = size4(x.shape);
  const [bh, bw] = pairAttribute(node, "block_shape");
  const [top = 0, bottom = 0, left = 0, right = 0] = listAttribute(node, "paddings");
  const padded = [n, h + top + bottom, w + left + right, c] as const;
  const paddings = [0, 0, top, bottom, left, right, 0, 0];
  const data = pad({ type: "Pad", attributes: { paddings } }, x, padded);
  return transposeData(data, [n, padded[1] / bh, bh, padded[2] / bw, bw, c], [2, 4, 0, 1, 3, 5]);
}

export function batchToSpace(node: Attributed, x: TensorValue, out: Shape): ConstantData {
  const [n, h, w, c] = size4(x.shape);
  const [bh, bw] = pairAttribute(node, "block_shape");
  const [top = 0, , left = 0] = listAttribute(node, "crops");
  const batch = n / (bh * bw);
  const data = transposeData(x.data, [bh, bw, batch, h, w, c], [2, 3, 0, 4, 1, 5]);
  const strides = stridesOf([batch, h * bh, w * bw, c]);
  return gatherStrided(data, out, strides, top * (strides[1] ?? 0) + left * (strides[2] ?? 0));
}

/** Negative indices count from the end; what is outside even so is clamped. */
export function gather(node: Attributed, x: TensorValue, indices: TensorValue): ConstantData {
  const axis = numberAttribute(node, "axis");
  const { outer, inner } = around(x.shape, axis);
  const size = x.shape[axis] ?? 1;
  const result = emptyLike(x.data, outer * indices.data.length * inner);
  let to = 0;
  for (let i = 0; i < outer; i++) {
    for (const index of indices.data) {
      const from = (i * size + Math.max(0, Math.min(size - 1, index < 0 ? index + size : index))) * inner;
      result.set(x.data.subarray(from, from + inner), to);
      to += inner;
    }
  }
  return result;
}

export function tile(x: TensorValue, out: Shape): ConstantData {
  // [a, b] tiled by (r, s) is [1, a, 1, b] broadcast to [r, a, s, b], read as [r * a, s * b].
  const strides = stridesOf(x.shape);
  return gatherStrided(
    x.data,
    x.shape.flatMap((size, axis) => [(out[axis] ?? size) / size, size]),
    strides.flatMap((stride) => [0, stride]),
  );
}

export function reverse(node: Attributed, x: TensorValue): ConstantData {
  const axes = listAttribute(node, "axis");
  const strides = stridesOf(x.shape);
  const offset = axes.reduce((sum, axis) => sum + ((x.shape[axis] ?? 1) - 1) * (strides[axis] ?? 0), 0);
  return gatherStrided(
    x.data,
    x.shape,
    strides.map((stride, axis) => (axes.includes(axis) ? -stride : stride)),
    offset,
  );
}

/** An index that is outside the new axis gives a row of off values. */
export function oneHot(node: Attributed, indices: TensorValue, out: Shape): ConstantData {
  const depth = numberAttribute(node, "depth");
  const on = numberAttribute(node, "on_value");
  const { outer, inner } = around(out, numberAttribute(node, "axis"));
  const result = new Float32Array(outer * depth * inner).fill(numberAttribute(node, "off_value"));
  for (let i = 0; i < outer; i++) {
    for (let j = 0; j < inner; j++) {
      const index = indices.data[i * inner + j] as number;
      if (index >= 0 && index < depth) result[(i * depth + index) * inner + j] = on;
    }
  }
  return result;
}
