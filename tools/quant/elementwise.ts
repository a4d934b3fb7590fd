/** Element-wise arithmetic on codes: mace/quant/README.md §4 and §6, the reference for the runtime's kernels. */

import type { Affine } from "./affine";
import { clamp, roundHalfEven } from "./round";

export type ElementwiseType = "SUM" | "SUB" | "PROD" | "MIN" | "MAX";

const f32 = Math.fround;
const LIMIT = 1048576;

/** The code of `a op b`. `low` and `high` are those of the fused activation. */
export function elementwise(
  type: ElementwiseType,
  qa: number,
  a: Affine,
  qb: number,
  b: Affine,
  y: Affine,
  low: number,
  high: number,
): number {
  const da = qa - a.zeroPoint;
  const db = qb - b.zeroPoint;
  let value: number;
  if (type === "PROD") {
    value = f32(f32(da * db) * f32((a.scale * b.scale) / y.scale));
  } else {
    const va = f32(da * f32(a.scale / y.scale));
    const vb = f32(db * f32(b.scale / y.scale));
    switch (type) {
      case "SUM":
        value = f32(va + vb);
        break;
      case "SUB":
        value = f32(va - vb);
        break;
      case "MIN":
        value = Math.min(va, vb);
        break;
      case "MAX":
        value = Math.max(va, vb);
        break;
    }
  }
  return clamp(roundHalfEven(clamp(value, -LIMIT, LIMIT)) + y.zeroPoint, low, high);
}

/** §6: the code of the same real value in other parameters. */
export function rescale(q: number, x: Affine, y: Affine, low: number, high: number): number {
  const value = f32((q - x.zeroPoint) * f32(x.scale / y.scale));
  return clamp(roundHalfEven(clamp(value, -LIMIT, LIMIT)) + y.zeroPoint, low, high);
}

/** §5: the code of the average of `n` codes whose differences from the zero point sum to `sum`. */
export function average(
  sum: number,
  n: number,
  inputScale: number,
  outputScale: number,
  zeroPoint: number,
  low: number,
  high: number,
): number {
  const value = f32(f32(sum) * f32(inputScale / (n * outputScale)));
  return clamp(roundHalfEven(clamp(value, -LIMIT, LIMIT)) + zeroPoint, low, high);
}
