/** LpNorm on codes: mace/quant/README.md §8, the reference for the runtime's kernel. */

import type { Affine } from "./affine";
import { clamp, roundHalfEven } from "./round";

const LIMIT = 1048576;

/**
 * The codes of x / max(norm, epsilon) for one group of codes. Everything is binary64; the sums of integers are exact.
 *
 * @param p 1: the sum of magnitudes; 2: the root of the sum of squares.
 * @param low lowest code of the output; the highest is 255 above.
 */
export function lpNorm(
  codes: readonly number[],
  p: 1 | 2,
  epsilon: number,
  x: Affine,
  y: Affine,
  low: number,
): number[] {
  const differences = codes.map((q) => q - x.zeroPoint);
  const sum = differences.reduce((s, d) => s + (p === 1 ? Math.abs(d) : d * d), 0);
  const norm = (p === 1 ? sum : Math.sqrt(sum)) * x.scale;
  const divisor = norm < epsilon ? epsilon : norm;
  return differences.map((d) => {
    const value = d === 0 ? 0 : (d * x.scale) / divisor / y.scale;
    return clamp(roundHalfEven(clamp(value, -LIMIT, LIMIT)) + y.zeroPoint, low, low + 255);
  });
}
