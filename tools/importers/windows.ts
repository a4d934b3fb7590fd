/** Padding of sliding windows: every framework's modes become explicit numbers at import. */

import { badValue } from "./failures";

/** Top, left, bottom, right. */
export type WindowPads = readonly [number, number, number, number];

export type AutoPad = "VALID" | "SAME_UPPER" | "SAME_LOWER";

/** Before and after along one axis, so that the output has ceil(size / stride) positions. */
function same(size: number, kernel: number, stride: number, dilation: number, upper: boolean): [number, number] {
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + dilation * (kernel - 1) + 1 - size);
  const small = Math.floor(total / 2);
  return upper ? [small, total - small] : [total - small, small];
}

export function autoPads(
  mode: AutoPad,
  size: readonly [number, number],
  kernel: readonly [number, number],
  strides: readonly [number, number],
  dilations: readonly [number, number],
): WindowPads {
  if (mode === "VALID") return [0, 0, 0, 0];
  for (const value of [...kernel, ...strides, ...dilations])
    if (value < 1) badValue("a window has a size or step below 1");
  const upper = mode === "SAME_UPPER";
  const [top, bottom] = same(size[0], kernel[0], strides[0], dilations[0], upper);
  const [left, right] = same(size[1], kernel[1], strides[1], dilations[1], upper);
  return [top, left, bottom, right];
}
