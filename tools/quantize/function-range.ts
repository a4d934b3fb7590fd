/** What bounds the values of the Activation operator. */

import type { GraphNode } from "../ir/graph";

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
    case "ERF":
    case "SIGN":
      return [-1, 1];
    default:
      return undefined;
  }
}
