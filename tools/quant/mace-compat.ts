/**
 * MACE's own formulas for parameters from a range, kept under MACE's names: uint8 ("adjust range"), the same with the
 * zero code left unused ("non zero"), the Hexagon and HTA variant that keeps one end exact, the int8 schema and the
 * 16-bit schemas. Used for back ends that compute with them and tested against values of MACE's own tools.
 */

import { roundHalfEven } from "./round";

export interface MaceParameters {
  readonly scale: number;
  readonly zeroPoint: number;
  readonly min: number;
  readonly max: number;
}

/** MACE treats anything nearer to zero than this as zero, whatever the magnitude of the other end. */
const EPSILON = 1e-6;

/** A range without extent has no scale; MACE divides by zero here. */
const DEAD: MaceParameters = { scale: 1, zeroPoint: 0, min: 0, max: 0 };

/** `levels` is 255 for uint8 and 65535 for uint16. */
export function adjustRange(min: number, max: number, nonZero = false, levels = 255): MaceParameters {
  const top = Math.max(0, max);
  let bottom = Math.min(0, min);
  if (nonZero) bottom = Math.min(bottom, min - (top - min) / (levels - 1));
  const scale = (top - bottom) / levels;
  if (!(scale > 0)) return DEAD;
  let zeroPoint: number;
  if (bottom < -EPSILON && top > EPSILON) {
    const real = -bottom / scale;
    zeroPoint = roundHalfEven(real);
    if (nonZero && Math.abs(real - zeroPoint) > EPSILON) zeroPoint = Math.ceil(real);
  } else {
    zeroPoint = bottom > -EPSILON ? 0 : levels;
  }
  return { scale, zeroPoint, min: -zeroPoint * scale, max: (levels - zeroPoint) * scale };
}

export function adjustRangeForHexagon(min: number, max: number): MaceParameters {
  const top = Math.max(0, max);
  const bottom = Math.min(0, min);
  let scale = (top - bottom) / 255;
  if (!(scale > 0)) return DEAD;
  let zeroPoint: number;
  if (bottom < -EPSILON && top > EPSILON) {
    const real = -bottom / scale;
    const ceiling = Math.ceil(real);
    const nearest = roundHalfEven(real);
    const keepTop = (ceiling - real) / top < (real + 1 - ceiling) / -bottom;
    if (nearest <= 0 || (nearest < 254 && keepTop)) {
      zeroPoint = ceiling;
      scale = top / (255 - zeroPoint);
    } else {
      zeroPoint = nearest;
      scale = -bottom / zeroPoint;
    }
  } else {
    zeroPoint = bottom > -EPSILON ? 0 : 255;
  }
  return { scale, zeroPoint, min: -zeroPoint * scale, max: (255 - zeroPoint) * scale };
}

/** The int8 schema: the zero point is truncated and the range is not moved, so zero is not exact in general. */
export function adjustRangeInt8(min: number, max: number): MaceParameters {
  const top = Math.max(0, max);
  const bottom = Math.min(0, min);
  const scale = (top - bottom) / 255;
  if (!(scale > 0)) return DEAD;
  // Adding 0 turns -0 into 0.
  return { scale, zeroPoint: Math.trunc(-bottom / scale - 128) + 0, min: bottom, max: top };
}

/** Symmetric weights of `bits` bits: int8 (clip ±127) and the APU's int16 (clip to the type). */
export function symmetricScale(min: number, max: number, bits: 8 | 16): number {
  const most = Math.max(Math.abs(min), Math.abs(max));
  return most > 0 ? most / (bits === 8 ? 127 : 32768) : 1;
}
