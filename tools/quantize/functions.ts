/** The real functions of the Activation operator, in binary64: the source of lookup tables and of function ranges. */

import { invariant } from "../diagnostics/diagnostic";
import type { GraphNode } from "../ir/graph";

export function activationFunction({ attributes, name }: GraphNode): (x: number) => number {
  const limit = Number(attributes.max_limit ?? 0);
  const low = Number(attributes.min_limit ?? 0);
  const coefficient = Number(attributes.activation_coefficient ?? 0);
  const alpha = Number(attributes.hardsigmoid_alpha ?? 0);
  const beta = Number(attributes.hardsigmoid_beta ?? 0);
  const hardSigmoid = (x: number): number => Math.min(Math.max(alpha * x + beta, 0), 1);
  const table: Readonly<Record<string, (x: number) => number>> = {
    RELU: (x) => Math.max(x, 0),
    RELUX: (x) => Math.min(Math.max(x, 0), limit),
    CLIP: (x) => Math.min(Math.max(x, low), limit),
    TANH: Math.tanh,
    SIGMOID: (x) => 1 / (1 + Math.exp(-x)),
    LEAKYRELU: (x) => (x < 0 ? coefficient * x : x),
    ELU: (x) => (x < 0 ? coefficient * Math.expm1(x) : x),
    HARDSIGMOID: hardSigmoid,
    HARDSWISH: (x) => x * hardSigmoid(x),
    EXP: Math.exp,
    SQRT: Math.sqrt,
    RSQRT: (x) => 1 / Math.sqrt(x),
    ABS: Math.abs,
    NEG: (x) => -x,
  };
  const found = table[String(attributes.activation)];
  invariant(found, `node '${name}': no function of one variable called ${String(attributes.activation)}`);
  return found;
}

/** The values that an activation can take whatever its input, where that is bounded. */
export function functionRange({ attributes }: GraphNode): readonly [number, number] | undefined {
  const limit = Number(attributes.max_limit ?? 0);
  switch (attributes.activation) {
    case "RELUX":
      return [0, limit];
    case "CLIP":
      return [Number(attributes.min_limit ?? 0), limit];
    case "SIGMOID":
    case "HARDSIGMOID":
      return [0, 1];
    case "TANH":
      return [-1, 1];
    default:
      return undefined;
  }
}
