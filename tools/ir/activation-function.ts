/** The functions of one variable that the Activation operator knows, in binary64. */

import { InternalError } from "../diagnostics/diagnostic";
import { type Attributed, numberAttribute, stringAttribute } from "./attributes";

/** The nearest integer; ties go to the even one. */
export function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  return rest < 0.5 || (rest === 0.5 && down % 2 === 0) ? down : down + 1;
}

/** ln(1 + e^x), without overflow. */
function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/**
 * The error function: its Maclaurin series with all terms positive (Abramowitz and Stegun 7.1.6), and past 3 the continued
 * fraction of the complement (7.1.14), each to about 1e-15.
 */
export function erf(x: number): number {
  if (Number.isNaN(x)) return x;
  const z = Math.abs(x);
  const sign = x < 0 ? -1 : 1;
  if (z > 6) return sign;
  const gauss = Math.exp(-z * z);
  if (z < 3) {
    let term = z;
    let sum = z;
    for (let n = 1; term > sum * 1e-17; n++) {
      term *= (2 * z * z) / (2 * n + 1);
      sum += term;
    }
    return sign * ((2 / Math.sqrt(Math.PI)) * gauss * sum);
  }
  let fraction = z;
  for (let n = 60; n > 0; n--) fraction = z + n / 2 / fraction;
  return sign * (1 - gauss / (Math.sqrt(Math.PI) * fraction));
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
    case "LOG":
      return Math.log;
    case "RECIPROCAL":
      return (x) => 1 / x;
    case "SQUARE":
      return (x) => x * x;
    case "FLOOR":
      return Math.floor;
    case "CEIL":
      return Math.ceil;
    case "ROUND":
      return roundHalfEven;
    case "SIGN":
      return Math.sign;
    case "ERF":
      return erf;
    case "GELU":
      return (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2));
    case "GELU_TANH":
      return (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
    case "SILU":
      return (x) => x / (1 + Math.exp(-x));
    case "SOFTPLUS":
      return softplus;
    case "MISH":
      return (x) => x * Math.tanh(softplus(x));
    default:
      throw new InternalError(`there is no activation '${activation}' of one variable`);
  }
}
