/** Bilinear resize of 8-bit pixels to binary32, in a fixed order of operations: the same bits on every host. */

import type { Pixels } from "./decode";

interface Tap {
  readonly low: number;
  readonly high: number;
  readonly weight: number;
}

/** Half-pixel centres without antialiasing, edges clamped: TensorFlow's half_pixel_centers = true. */
function taps(from: number, to: number): Tap[] {
  const ratio = from / to;
  return Array.from({ length: to }, (_, i) => {
    const position = Math.min(Math.max((i + 0.5) * ratio - 0.5, 0), from - 1);
    const low = Math.floor(position);
    return { low, high: Math.min(low + 1, from - 1), weight: position - low };
  });
}

/** The whole image stretched to width x height; row-major interleaved values of 0 to 255. */
export function resizeBilinear(pixels: Pixels, width: number, height: number): Float32Array {
  const { channels, data } = pixels;
  const out = new Float32Array(width * height * channels);
  const columns = taps(pixels.width, width);
  const rows = taps(pixels.height, height);
  let at = 0;
  for (const row of rows) {
    const upper = row.low * pixels.width * channels;
    const lower = row.high * pixels.width * channels;
    for (const column of columns) {
      const left = column.low * channels;
      const right = column.high * channels;
      for (let c = 0; c < channels; c++) {
        const a = data[upper + left + c] ?? 0;
        const b = data[upper + right + c] ?? 0;
        const d = data[lower + left + c] ?? 0;
        const e = data[lower + right + c] ?? 0;
        const top = a + (b - a) * column.weight;
        const bottom = d + (e - d) * column.weight;
        out[at++] = top + (bottom - top) * row.weight;
      }
    }
  }
  return out;
}
