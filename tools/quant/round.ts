/** Rounding, as mace/quant/README.md means it. */

// 1.5 * 2^52: adding it leaves no fraction bits, and IEEE addition rounds to nearest even.
const MAGIC = 6755399441055744;

/** Nearest integer, ties to even. Valid for |x| < 2^51; never returns -0. */
export function roundHalfEven(x: number): number {
  return x + MAGIC - MAGIC;
}

export function clamp(x: number, low: number, high: number): number {
  return x < low ? low : x > high ? high : x;
}
