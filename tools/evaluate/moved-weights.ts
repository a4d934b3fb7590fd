/** Whether a quantized model's layers are still those of the float one. */

import type { Graph } from "../ir/graph";

/** Steps by which rounding may move a weight: adaptive rounding takes the neighbour on the other side. */
const ROUNDING = 1.5;

/**
 * A constant of the float graph whose values are others in the quantized one: equalization and splitting move weights between layers.
 * Only per-tensor weights are moved so.
 */
export function movedWeights(float: Graph, quantized: Graph): string | undefined {
  for (const { name, dtype, data } of float.tensors.values()) {
    if (!data || dtype !== "float32" || data.length < 2) continue;
    const codes = quantized.tensors.get(name);
    const scale = codes?.quant?.scales[0];
    if (!codes?.data || !codes.quant || codes.quant.axis !== null || codes.dtype === "int32" || scale === undefined)
      continue;
    if (codes.data.length !== data.length) return name;
    const { zeroPoint } = codes.quant;
    const moved = data.some(
      (value, i) => Math.abs(value - scale * ((codes.data?.[i] ?? 0) - zeroPoint)) > ROUNDING * scale,
    );
    if (moved) return name;
  }
  return undefined;
}
