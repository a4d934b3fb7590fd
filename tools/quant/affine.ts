/** Affine parameters and codes: mace/quant/README.md §1 and §2. Pure arithmetic; knows nothing of graphs. */

import { clamp, roundHalfEven } from "./round";

/** Element types of codes. */
export type CodeType = "uint8" | "int8";

export const CODE_RANGE: Readonly<Record<CodeType, readonly [number, number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
};

export interface Affine {
  /** A positive binary32 value. */
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Below this a scale would make products with real values underflow. */
const SMALLEST_SCALE = 2 ** -100;
const LARGEST_BINARY32 = Math.fround(3.4028234663852886e38);

/**
 * Parameters of an activation (or of uint8 weights) that cover [min, max] and give zero a code of its own.
 * A dead, constant-zero, NaN or infinite range gets scale 1 and the zero code.
 *
 * @param leastScale a binary32 value that the scale must not be below.
 */
export function activationParameters(min: number, max: number, type: CodeType, leastScale = SMALLEST_SCALE): Affine {
  const [low, high] = CODE_RANGE[type];
  const m = Math.min(min, 0);
  const span = Math.max(max, 0) - m;
  if (!(span > 0) || !Number.isFinite(span)) return { scale: 1, zeroPoint: low };
  const scale = Math.max(Math.fround(span / 255), leastScale, SMALLEST_SCALE);
  return { scale, zeroPoint: clamp(roundHalfEven(low - m / scale), low, high) };
}

/** The real values of the least and the greatest code. */
export function representedRange({ scale, zeroPoint }: Affine, type: CodeType): [number, number] {
  const [low, high] = CODE_RANGE[type];
  return [Math.fround(scale * (low - zeroPoint)), Math.fround(scale * (high - zeroPoint))];
}

/** quantize(x): NaN gives the zero point, values outside saturate. */
export function quantizeValue(x: number, { scale, zeroPoint }: Affine, type: CodeType): number {
  if (Number.isNaN(x)) return zeroPoint;
  const [low, high] = CODE_RANGE[type];
  const quotient = clamp(Math.fround(Math.fround(x) / scale), -512, 512);
  return clamp(roundHalfEven(quotient) + zeroPoint, low, high);
}

export function dequantizeValue(q: number, { scale, zeroPoint }: Affine): number {
  return Math.fround(scale * (q - zeroPoint));
}

export function quantizeArray(values: Float32Array, parameters: Affine, type: CodeType): Uint8Array | Int8Array {
  const codes = type === "uint8" ? new Uint8Array(values.length) : new Int8Array(values.length);
  for (let i = 0; i < values.length; i++) codes[i] = quantizeValue(values[i] ?? 0, parameters, type);
  return codes;
}

/** Extremes of the finite elements; [0, 0] if there are none. */
export function extremes(values: Float32Array): [number, number] {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const v = values[i] ?? 0;
    if (v < min && v !== Number.NEGATIVE_INFINITY) min = v;
    if (v > max && v !== Number.POSITIVE_INFINITY) max = v;
  }
  return min <= max ? [min, max] : [0, 0];
}

export interface PerChannelWeights {
  readonly codes: Int8Array;
  /** One binary32 scale per channel; zero points are 0. */
  readonly scales: Float32Array;
}

/**
 * Symmetric int8 weights per channel, codes in [-127, 127].
 *
 * @param values row-major; channel of element i is floor(i / inner) % channels.
 * @param leastScales per channel, binary32 values that the scales must not be below.
 */
export function perChannelWeights(
  values: Float32Array,
  channels: number,
  inner: number,
  leastScales: ArrayLike<number> = [],
): PerChannelWeights {
  const greatest = new Float64Array(channels);
  const outer = values.length / (channels * inner);
  for (let o = 0, i = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      let most = greatest[c] ?? 0;
      for (let k = 0; k < inner; k++, i++) most = Math.max(most, Math.abs(values[i] ?? 0));
      greatest[c] = most;
    }
  }
  const scales = Float32Array.from(greatest, (most, c) => {
    const own = most > 0 && Number.isFinite(most) ? Math.fround(most / 127) : 0;
    return Math.max(own, leastScales[c] ?? 0, SMALLEST_SCALE);
  });
  const codes = new Int8Array(values.length);
  for (let o = 0, i = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      const scale = scales[c] ?? 1;
      for (let k = 0; k < inner; k++, i++) {
        const quotient = Math.fround((values[i] ?? 0) / scale);
        codes[i] = clamp(roundHalfEven(clamp(quotient, -512, 512)), -127, 127);
      }
    }
  }
  return { codes, scales };
}

/**
 * The least weight scale with which a bias takes at most 2^30 steps, so that it and the sum it starts fit 32 bits. Channels whose
 * weights training has shrunk to almost nothing would otherwise have no room for their bias.
 */
export function leastWeightScale(bias: number, inputScale: number): number {
  const least = Math.abs(bias) / (inputScale * 2 ** 30);
  return Number.isFinite(least) ? Math.fround(least * (1 + 2 ** -20)) : 0;
}

/** Codes of biases lie between this and its negative. */
export const GREATEST_BIAS = 2147483647;

export interface QuantizedBias {
  readonly codes: Int32Array;
  /** Channels whose bias did not fit 32 bits and was clamped. */
  readonly clamped: readonly number[];
}

/** Bias codes of scale inputScale * weightScale[c]; a single weight scale serves all channels. */
export function quantizeBias(bias: Float32Array, inputScale: number, weightScales: ArrayLike<number>): QuantizedBias {
  const codes = new Int32Array(bias.length);
  const clamped: number[] = [];
  for (let c = 0; c < bias.length; c++) {
    const scale = inputScale * (weightScales[weightScales.length === 1 ? 0 : c] ?? 1);
    const value = (bias[c] ?? 0) / scale;
    const limited = clamp(value, -GREATEST_BIAS, GREATEST_BIAS);
    if (limited !== value) clamped.push(c);
    codes[c] = Number.isNaN(value) ? 0 : roundHalfEven(limited);
  }
  return { codes, clamped };
}

/** The multiplier of §3: binary32 of s_x * s_w / s_y, at most FLT_MAX. */
export function requantizeMultiplier(inputScale: number, weightScale: number, outputScale: number): number {
  return Math.min(Math.fround((inputScale * weightScale) / outputScale), LARGEST_BINARY32);
}

/** §3: an int32 accumulator to a code. */
export function requantize(acc: number, multiplier: number, zeroPoint: number, low: number, high: number): number {
  const product = clamp(Math.fround(Math.fround(acc) * multiplier), -1048576, 1048576);
  return clamp(roundHalfEven(product) + zeroPoint, low, high);
}
