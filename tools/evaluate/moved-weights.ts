/** Whether a quantized model's layers are still those of the float one. */

import type { Graph } from "../ir/graph";

/** Steps by which rounding may move a weight: adaptive rounding takes the neighbour on the other side. */
const ROUNDING = 1.5;

/** A constant of the float graph whose values are others in the quantized one: equalization and splitting move weights between layers. */
export function movedWeights(float: Graph, quantized: Graph): string | undefined {
  for (const { name, dtype, data, shape } of float.tensors.values()) {
    if (!data || dtype !== "float32" || data.length < 2) continue;
    const codes = quantized.tensors.get(name);
    if (!codes?.data || !codes.quant || codes.dtype === "int32") continue;
    if (codes.data.length !== data.length) return name;
    const { axis, scales, zeroPoint } = codes.quant;
    // Elements that follow each other with the same scale.
    const run = axis === null ? data.length : shape.slice(axis + 1).reduce((a, b) => a * b, 1);
    const moved = data.some((value, i) => {
      const scale = scales[Math.floor(i / run) % scales.length] ?? 1;
      return Math.abs(value - scale * ((codes.data?.[i] ?? 0) - zeroPoint)) > ROUNDING * scale;
    });
    if (moved) return name;
  }
  return undefined;
}
