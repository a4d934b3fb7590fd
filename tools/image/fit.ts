/** Images of any proportions into an input of fixed size. */

import type { Preprocess } from "../ir/graph";
import { MAX_PIXELS, type Pixels } from "./decode";
import { resize } from "./resize";

/** Nearest integer, halves to the even one: Python's round, by which torchvision places its crops. */
function roundEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** The image, scaled and cut or padded to width x height; row-major interleaved values of 0 to 255. */
export function fitImage(pixels: Pixels, width: number, height: number, how: Preprocess): Float32Array {
  switch (how.fit ?? "stretch") {
    case "stretch":
      return resize(pixels, width, height, how.resize);
    case "crop":
      return cropped(pixels, width, height, how);
    case "letterbox":
      return letterboxed(pixels, width, height, how);
  }
}

/** The shorter side becomes `shortSide`, the longer keeps the proportion (rounded down); then the centre is cut out. */
function cropped(pixels: Pixels, width: number, height: number, { resize: filter, shortSide, pad }: Preprocess) {
  const least = Math.min(pixels.width, pixels.height);
  const ratio = shortSide === undefined ? Math.max(width / pixels.width, height / pixels.height) : shortSide / least;
  // The nudge keeps a side that is whole in exact arithmetic from losing a pixel to rounding.
  const side = (size: number): number =>
    shortSide !== undefined && size === least ? shortSide : Math.max(Math.floor(size * ratio + 1e-6), 1);
  const [wide, tall] = [side(pixels.width), side(pixels.height)];
  if (wide * tall > MAX_PIXELS) throw new RangeError(`its shape is too long: it would be scaled to ${wide} x ${tall}`);
  const values = resize(pixels, wide, tall, filter);
  const left = roundEven((wide - width) / 2);
  const top = roundEven((tall - height) / 2);
  return place(values, wide, tall, pixels.channels, width, height, -left, -top, pad ?? 0);
}

/** The whole image, as large as fits, in the middle. */
function letterboxed(pixels: Pixels, width: number, height: number, { resize: filter, pad }: Preprocess) {
  const ratio = Math.min(width / pixels.width, height / pixels.height);
  const side = (size: number): number => Math.max(Math.round(size * ratio), 1);
  const [wide, tall] = [side(pixels.width), side(pixels.height)];
  const values = resize(pixels, wide, tall, filter);
  const left = (width - wide) >> 1;
  const top = (height - tall) >> 1;
  return place(values, wide, tall, pixels.channels, width, height, left, top, pad ?? 0);
}

/** An image at (left, top) of a canvas of `pad`; what lies outside the canvas is cut off. */
function place(
  values: Float32Array,
  wide: number,
  tall: number,
  channels: number,
  width: number,
  height: number,
  left: number,
  top: number,
  pad: number,
): Float32Array {
  const canvas = new Float32Array(width * height * channels).fill(pad);
  const from = Math.max(0, -left);
  const count = Math.min(wide, width - left) - from;
  for (let y = Math.max(0, -top); y < Math.min(tall, height - top) && count > 0; y++) {
    const source = (y * wide + from) * channels;
    canvas.set(values.subarray(source, source + count * channels), ((y + top) * width + from + left) * channels);
  }
  return canvas;
}
