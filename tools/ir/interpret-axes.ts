/** Reference meaning of the operators that work along axes: reductions, softmax, normalizations, running sums. */

import { type Attributed, listAttribute, numberAttribute } from "./attributes";
import type { ConstantData } from "./graph";
import { around, type TensorValue } from "./interpret-values";
import { REDUCE } from "./operators";
import { broadcastStrides, elementCount, type Shape } from "./shape";
import { emptyLike, gatherStrided } from "./transpose";

/** For every element, the element of the tensor reduced over `axes` that it belongs to; and how many there are. */
function groupsOf(shape: Shape, axes: readonly number[]): { readonly groups: ConstantData; readonly count: number } {
  const kept = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const count = elementCount(kept);
  const numbers = Int32Array.from({ length: count }, (_, i) => i);
  return { groups: gatherStrided(numbers, shape, broadcastStrides(kept, shape)), count };
}

export function reduce(node: Attributed, x: TensorValue): ConstantData {
  const axes = listAttribute(node, "axis");
  const type = numberAttribute(node, "reduce_type");
  const { groups: targets, count } = groupsOf(x.shape, axes);
  const start =
    type === REDUCE.MIN
      ? Number.POSITIVE_INFINITY
      : type === REDUCE.MAX
        ? Number.NEGATIVE_INFINITY
        : type === REDUCE.PROD
          ? 1
          : 0;
  // Sums and products of int32 wrap around; those of float32 are rounded at the end.
  const whole = !(x.data instanceof Float32Array);
  const sums = new Float64Array(count).fill(start);
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
        sums[to] = whole ? Math.imul(sum, value) : sum * value;
        break;
      default:
        sums[to] = whole ? (sum + value) | 0 : sum + value;
    }
  }
  const result = emptyLike(x.data, sums.length);
  const divisor = type === REDUCE.MEAN ? x.data.length / sums.length : 1;
  for (let i = 0; i < sums.length; i++) result[i] = (sums[i] as number) / divisor;
  return result;
}

export function softmax(node: Attributed, x: TensorValue): ConstantData {
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

export function argMax(node: Attributed, x: TensorValue): ConstantData {
  const axis = numberAttribute(node, "axis");
  const sign = numberAttribute(node, "argmin") === 1 ? -1 : 1;
  const last = numberAttribute(node, "select_last") === 1;
  const { outer, inner } = around(x.shape, axis);
  const size = x.shape[axis] ?? 1;
  const result = new Int32Array(outer * inner);
  for (let i = 0; i < outer; i++) {
    for (let j = 0; j < inner; j++) {
      // Nothing is greater than NaN: it wins where it comes first, and nowhere else.
      let best = sign * (x.data[i * size * inner + j] as number);
      let at = 0;
      for (let k = 1; k < size; k++) {
        const value = sign * (x.data[(i * size + k) * inner + j] as number);
        if (value > best || (last && value === best)) [best, at] = [value, k];
      }
      result[i * inner + j] = at;
    }
  }
  return result;
}

export function cumsum(node: Attributed, x: TensorValue): ConstantData {
  const axis = numberAttribute(node, "axis");
  const exclusive = numberAttribute(node, "exclusive") === 1;
  const reverse = numberAttribute(node, "reverse") === 1;
  const { outer, inner } = around(x.shape, axis);
  const size = x.shape[axis] ?? 1;
  const result = emptyLike(x.data, x.data.length);
  for (let i = 0; i < outer; i++) {
    for (let j = 0; j < inner; j++) {
      let sum = 0;
      for (let k = 0; k < size; k++) {
        const at = (i * size + (reverse ? size - 1 - k : k)) * inner + j;
        if (exclusive) result[at] = sum;
        sum += x.data[at] as number;
        if (!exclusive) result[at] = sum;
      }
    }
  }
  return result;
}

export function mvn(node: Attributed, x: TensorValue): ConstantData {
  const { groups, count } = groupsOf(x.shape, listAttribute(node, "axis"));
  const epsilon = numberAttribute(node, "epsilon");
  const outside = numberAttribute(node, "epsilon_outside") === 1;
  const each = x.data.length / count;
  const means = new Float64Array(count);
  const variances = new Float64Array(count);
  const add = (to: Float64Array, i: number, value: number): void => {
    const group = groups[i] as number;
    to[group] = (to[group] as number) + value / each;
  };
  x.data.forEach((value, i) => {
    add(means, i, value);
  });
  const centred = Float64Array.from(x.data, (value, i) => value - (means[groups[i] as number] as number));
  if (numberAttribute(node, "normalize_variance") === 0) return Float32Array.from(centred);
  centred.forEach((value, i) => {
    add(variances, i, value * value);
  });
  const deviations = variances.map((v) => (outside ? Math.sqrt(v) + epsilon : Math.sqrt(v + epsilon)));
  return Float32Array.from(centred, (value, i) => value / (deviations[groups[i] as number] as number));
}

export function lpNorm(node: Attributed, x: TensorValue): ConstantData {
  const { groups, count } = groupsOf(x.shape, listAttribute(node, "axis"));
  const square = numberAttribute(node, "p") === 2;
  const least = numberAttribute(node, "epsilon");
  const sums = new Float64Array(count);
  x.data.forEach((value, i) => {
    const group = groups[i] as number;
    sums[group] = (sums[group] as number) + (square ? value * value : Math.abs(value));
  });
  const norms = sums.map((sum) => Math.max(square ? Math.sqrt(sum) : sum, least));
  return Float32Array.from(x.data, (value, i) => value / (norms[groups[i] as number] as number));
}
