/** Reference meaning of the operators that work element by element. */

import { InternalError, invariant } from "../diagnostics/diagnostic";
import { activationFunction } from "./activation-function";
import { type Attributed, numberAttribute, stringAttribute } from "./attributes";
import type { ConstantData } from "./graph";
import type { TensorValue } from "./interpret-values";
import { COMPARISONS, ELTWISE } from "./operators";
import { broadcastStrides, elementCount, type Shape } from "./shape";
import { emptyLike, gatherStrided } from "./transpose";

/** Functions of two float32 values; comparisons give 1 or 0. */
function eltwiseFunction(type: number): (a: number, b: number) => number {
  switch (type) {
    case ELTWISE.SUM:
      return (a, b) => a + b;
    case ELTWISE.SUB:
      return (a, b) => a - b;
    case ELTWISE.PROD:
      return (a, b) => a * b;
    case ELTWISE.DIV:
      return (a, b) => a / b;
    case ELTWISE.MIN:
      return Math.min;
    case ELTWISE.MAX:
      return Math.max;
    case ELTWISE.SQR_DIFF:
      return (a, b) => (a - b) * (a - b);
    case ELTWISE.POW:
      return Math.pow;
    case ELTWISE.EQUAL:
      return (a, b) => Number(a === b);
    case ELTWISE.NOT_EQUAL:
      return (a, b) => Number(a !== b);
    case ELTWISE.FLOOR_DIV:
      return (a, b) => Math.floor(Math.fround(a / b));
    case ELTWISE.LESS:
      return (a, b) => Number(a < b);
    case ELTWISE.LESS_OR_EQUAL:
      return (a, b) => Number(a <= b);
    case ELTWISE.GREATER:
      return (a, b) => Number(a > b);
    case ELTWISE.GREATER_OR_EQUAL:
      return (a, b) => Number(a >= b);
    default:
      throw new InternalError(`there is no element-wise function ${type}`);
  }
}

/** The same on int32, which wraps around; a quotient by 0 is 0. */
function integerFunction(type: number): (a: number, b: number) => number {
  switch (type) {
    case ELTWISE.PROD:
      return Math.imul;
    case ELTWISE.DIV:
      return (a, b) => (b === 0 ? 0 : Math.trunc(a / b));
    case ELTWISE.FLOOR_DIV:
      return (a, b) => (b === 0 ? 0 : Math.floor(a / b));
    case ELTWISE.SQR_DIFF:
      return (a, b) => Math.imul(a - b, a - b);
    case ELTWISE.POW:
      return (a, b) => {
        if (b < 0) return a === 1 ? 1 : a === -1 ? (b % 2 === 0 ? 1 : -1) : 0;
        let power = 1;
        for (let base = a, left = b; left > 0; left >>>= 1, base = Math.imul(base, base)) {
          if ((left & 1) === 1) power = Math.imul(power, base);
        }
        return power;
      };
    default:
      // Sums and differences of two int32 are exact; writing them to an int32 wraps them.
      return eltwiseFunction(type);
  }
}

export function eltwise(node: Attributed, a: TensorValue, b: TensorValue, out: Shape): ConstantData {
  const type = numberAttribute(node, "type");
  const apply = a.data instanceof Float32Array ? eltwiseFunction(type) : integerFunction(type);
  const count = elementCount(out);
  const result = COMPARISONS.includes(type) ? new Int32Array(count) : emptyLike(a.data, count);
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

export function activation(node: Attributed, x: TensorValue, slope: TensorValue | null): ConstantData {
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

/** float32 to int32 towards zero, saturating, NaN to 0; int32 to float32. */
export function cast(x: TensorValue): ConstantData {
  if (!(x.data instanceof Float32Array)) return Float32Array.from(x.data);
  return Int32Array.from(x.data, (value) =>
    Number.isNaN(value) ? 0 : Math.max(-2147483648, Math.min(2147483647, Math.trunc(value))),
  );
}

export function select(condition: TensorValue, a: TensorValue, b: TensorValue, out: Shape): ConstantData {
  const wide = (value: TensorValue): ConstantData => gatherStrided(value.data, out, broadcastStrides(value.shape, out));
  const [chosen, x, y] = [wide(condition), wide(a), wide(b)];
  for (let i = 0; i < x.length; i++) if (chosen[i] === 0) x[i] = y[i] as number;
  return x;
}
