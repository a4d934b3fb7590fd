/** Resizing of 8-bit pixels, in a fixed order of operations: the same bits on every host. */

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

interface Window {
  readonly start: number;
  readonly weights: readonly number[];
}

/** Triangle filters as wide as the reduction, normalized. */
function windows(from: number, to: number): Window[] {
  const ratio = from / to;
  const support = Math.max(ratio, 1);
  return Array.from({ length: to }, (_, i) => {
    const center = (i + 0.5) * ratio;
    const start = Math.max(Math.floor(center - support + 0.5), 0);
    const end = Math.min(Math.floor(center + support + 0.5), from);
    const raw = Array.from({ length: end - start }, (_, k) =>
      Math.max(1 - Math.abs(start + k + 0.5 - center) / support, 0),
    );
    const sum = raw.reduce((total, w) => total + w, 0);
    return { start, weights: raw.map((w) => w / sum) };
  });
}

/** One axis of the antialiased resize; every line of `count` becomes one of `filters.length`, `step` values apart. */
function filterAxis(
  source: ArrayLike<number>,
  lines: number,
  count: number,
  step: number,
  filters: readonly Window[],
): Uint8Array {
  const out = new Uint8Array(lines * filters.length * step);
  for (let line = 0, at = 0; line < lines; line++) {
    for (const { start, weights } of filters) {
      for (let k = 0; k < step; k++) {
        let sum = 0;
        for (let w = 0; w < weights.length; w++) {
          sum += (weights[w] ?? 0) * (source[(line * count + start + w) * step + k] ?? 0);
        }
        out[at++] = Math.min(Math.max(Math.floor(sum + 0.5), 0), 255);
      }
    }
  }
  return out;
}

/** Bilinear with antialiasing, rounded to 8 bits after each axis, rows first: Pillow's BILINEAR. */
export function resizeAntialiased(pixels: Pixels, width: number, height: number): Float32Array {
  const { channels } = pixels;
  const narrow = filterAxis(pixels.data, pixels.height, pixels.width, channels, windows(pixels.width, width));
  return Float32Array.from(filterAxis(narrow, 1, pixels.height, width * channels, windows(pixels.height, height)));
}
