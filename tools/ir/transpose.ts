/** Permutes the axes of row-major data. */

import type { ConstantData } from "./graph";
import { elementCount, type Shape, stridesOf } from "./shape";

/** The axes of an image: axis i of the result is axis TO_NHWC[i] of one in NCHW. */
export const TO_NHWC = [0, 2, 3, 1] as const;
/** Axis i of the result is axis TO_NCHW[i] of one in NHWC. */
export const TO_NCHW = [0, 3, 1, 2] as const;

/** New data of the same type and length as `data`. */
export function emptyLike(data: ConstantData, length: number): ConstantData {
  if (data instanceof Float32Array) return new Float32Array(length);
  if (data instanceof Int32Array) return new Int32Array(length);
  return data instanceof Uint8Array ? new Uint8Array(length) : new Int8Array(length);
}

export function permuteShape(shape: Shape, dims: readonly number[]): number[] {
  return dims.map((axis) => shape[axis] ?? 0);
}

/** True when the permutation moves only axes of size 1, so that the data stay in place. */
export function keepsOrder(shape: Shape, dims: readonly number[]): boolean {
  const moved = dims.filter((axis) => shape[axis] !== 1);
  return moved.every((axis, i) => i === 0 || axis > (moved[i - 1] ?? -1));
}

/**
 * Reads `data` with arbitrary strides: result[i0, i1, …] = data[offset + Σ i_k · strides[k]] for a result of `shape`.
 * Transposes, slices and broadcasts are all this.
 */
export function gatherStrided(data: ConstantData, shape: Shape, strides: readonly number[], offset = 0): ConstantData {
  const count = elementCount(shape);
  const result = emptyLike(data, count);
  const rank = shape.length;
  if (rank === 0) {
    result[0] = data[offset] as number;
    return result;
  }
  const innerSize = shape[rank - 1] as number;
  const innerStride = strides[rank - 1] as number;
  const index = new Int32Array(rank);
  let from = offset;
  for (let to = 0; to < count; ) {
    for (let i = 0, source = from; i < innerSize; i++, source += innerStride) result[to++] = data[source] as number;
    for (let axis = rank - 2; axis >= 0; axis--) {
      const stride = strides[axis] as number;
      const next = (index[axis] as number) + 1;
      from += stride;
      if (next < (shape[axis] as number)) {
        index[axis] = next;
        break;
      }
      from -= stride * next;
      index[axis] = 0;
    }
  }
  return result;
}

/** Data of a tensor of shape `permuteShape(shape, dims)`: output axis i is input axis dims[i]. */
export function transposeData(data: ConstantData, shape: Shape, dims: readonly number[]): ConstantData {
  if (keepsOrder(shape, dims)) return data;
  const strides = stridesOf(shape);
  return gatherStrided(
    data,
    permuteShape(shape, dims),
    dims.map((axis) => strides[axis] ?? 0),
  );
}
