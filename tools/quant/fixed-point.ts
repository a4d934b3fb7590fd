/** TensorFlow Lite's integer arithmetic: mace/quant/README.md §12, the reference for the runtime's kernels. */

import type { Affine } from "./affine";
import { clamp } from "./round";

/** mantissa * 2^(exponent - 31); the mantissa is 0 or in [2^30, 2^31 - 1], the exponent in [-31, 30]. */
export interface FixedMultiplier {
  readonly mantissa: number;
  readonly exponent: number;
}

export type FixedPointOperation = "SUM" | "SUB" | "PROD";

const f32 = Math.fround;
const LARGEST = 2147483647;
const SUM_UNIT = 2 ** 20;

/** The nearest fixed-point multiplier; 0 below 2^-32, the greatest one from 2^30 on. */
export function toFixed(multiplier: number): FixedMultiplier {
  if (!(multiplier > 0)) return { mantissa: 0, exponent: 0 };
  if (multiplier >= 2 ** 30) return { mantissa: LARGEST, exponent: 30 };
  if (multiplier < 2 ** -33) return { mantissa: 0, exponent: 0 };
  let exponent = 0;
  let fraction = multiplier;
  for (; fraction >= 1; fraction /= 2) exponent++;
  for (; fraction < 0.5; fraction *= 2) exponent--;
  let mantissa = Math.floor(fraction * 2 ** 31 + 0.5);
  if (mantissa === 2 ** 31) {
    mantissa = 2 ** 30;
    exponent++;
  }
  if (exponent > 30) return { mantissa: LARGEST, exponent: 30 };
  return exponent < -31 ? { mantissa: 0, exponent: 0 } : { mantissa, exponent };
}

function saturated(x: number, left: number): bigint {
  const limit = LARGEST >> left;
  return BigInt(clamp(x, -limit - 1, limit));
}

/** An int32 times the multiplier with two roundings: the upper half of the product half up, the shift half away from zero. */
export function fixedProduct(x: number, { mantissa, exponent }: FixedMultiplier): number {
  const left = Math.max(exponent, 0);
  const right = BigInt(left - exponent);
  const shifted = saturated(x, left) << BigInt(left);
  const high = (shifted * BigInt(mantissa) + (1n << 30n)) >> 31n;
  if (right === 0n) return Number(high);
  const half = 1n << (right - 1n);
  return Number(high < 0n ? -((half - high) >> right) : (high + half) >> right);
}

/** The same with one rounding, half up. */
export function fixedProductOnce(x: number, { mantissa, exponent }: FixedMultiplier): number {
  const shift = BigInt(31 - exponent);
  return Number((saturated(x, Math.max(exponent, 0)) * BigInt(mantissa) + (1n << (shift - 1n))) >> shift);
}

/** The code of `a op b`. `low` and `high` are those of the fused activation. */
export function fixedElementwise(
  type: FixedPointOperation,
  qa: number,
  a: Affine,
  qb: number,
  b: Affine,
  y: Affine,
  low: number,
  high: number,
): number {
  const [da, db] = [qa - a.zeroPoint, qb - b.zeroPoint];
  const toCode = (value: number): number => clamp(value, low - y.zeroPoint, high - y.zeroPoint) + y.zeroPoint;
  if (type === "PROD") return toCode(fixedProduct(da * db, toFixed(f32(f32(a.scale * b.scale) / y.scale))));
  const twice = 2 * Math.max(a.scale, b.scale);
  const va = fixedProduct(da * SUM_UNIT, toFixed(a.scale / twice));
  const vb = fixedProduct(db * SUM_UNIT, toFixed(b.scale / twice));
  return toCode(fixedProduct(type === "SUB" ? va - vb : va + vb, toFixed(twice / (SUM_UNIT * y.scale))));
}
