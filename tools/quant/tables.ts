/** Lookup tables of quantized Activation and Softmax: mace/quant/README.md §7 and §8. */

import { type Affine, CODE_RANGE, type CodeType, quantizeValue } from "./affine";
import { roundHalfEven } from "./round";

/** Parameters of every quantized softmax output. */
export function softmaxOutput(type: CodeType): Affine {
  return { scale: 1 / 256, zeroPoint: CODE_RANGE[type][0] };
}

/** Entry i is the output code of input code qmin + i under the real function `f`. */
export function activationTable(
  f: (x: number) => number,
  input: Affine,
  output: Affine,
  type: CodeType,
): Uint8Array | Int8Array {
  const table = type === "uint8" ? new Uint8Array(256) : new Int8Array(256);
  const low = CODE_RANGE[type][0];
  for (let i = 0; i < 256; i++) {
    table[i] = quantizeValue(f(input.scale * (low + i - input.zeroPoint)), output, type);
  }
  return table;
}

/** e[d] = rne(exp(-scale * d) * 2^23). */
export function softmaxTable(inputScale: number): Int32Array {
  return Int32Array.from({ length: 256 }, (_, d) => roundHalfEven(Math.exp(-inputScale * d) * 8388608));
}

/** Softmax over one row of codes. */
export function softmax(codes: ArrayLike<number>, table: Int32Array, type: CodeType): number[] {
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < codes.length; i++) most = Math.max(most, codes[i] ?? 0);
  const terms = Array.from(codes, (q) => table[most - q] ?? 0);
  const sum = terms.reduce((s, t) => s + t, 0);
  // All quantities are integers far below 2^53, so the division's floor is exact.
  return terms.map((t) => Math.min(255, Math.floor((512 * t + sum) / (2 * sum))) + CODE_RANGE[type][0]);
}
