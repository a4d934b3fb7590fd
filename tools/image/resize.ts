/**
 * Resizing of 8-bit pixels, in a fixed order of operations: the same bits on every host.
 *
 * Every filter is separable: a pixel of the result is a weighted sum of neighbours along one axis, then along the other. The filters
 * differ in where the neighbours lie, what they weigh, and whether the sums of an axis are rounded to 8 bits.
 */

import type { Resize } from "../ir/graph";
import type { Pixels } from "./decode";

/**
 * By how much a value of 0 to 255 may differ from that of the program whose filter it is, at the sizes of networks' inputs (measured on
 * testdata/sizes.tsv, with some room). TensorFlow computes coordinates in binary32; Pillow's weights are integers of 22 bits, so a sum beside a
 * half may round the other way on either axis.
 */
export const RESIZE_TOLERANCE: Readonly<Record<Resize, { readonly program: string; readonly tolerance: number }>> = {
  bilinear: { program: "TensorFlow", tolerance: 0.02 },
  "bilinear-antialias": { program: "Pillow", tolerance: 1 },
  "bilinear-align-corners": { program: "TensorFlow", tolerance: 0.02 },
  "bilinear-asymmetric": { program: "TensorFlow", tolerance: 0.02 },
  bicubic: { program: "Pillow", tolerance: 1 },
  area: { program: "TensorFlow", tolerance: 0.03 },
};

interface Tap {
  readonly low: number;
  readonly high: number;
  readonly weight: number;
}

/** Where the i-th of `to` pixels lies among `from` pixels. */
type Position = (i: number, from: number, to: number) => number;

const POSITIONS: Readonly<Partial<Record<Resize, Position>>> = {
  /** Centres of pixels on centres: TensorFlow's half_pixel_centers, torch's align_corners = False. */
  bilinear: (i, from, to) => (i + 0.5) * (from / to) - 0.5,
  /** First on first, last on last: align_corners = True. */
  "bilinear-align-corners": (i, from, to) => (to === 1 ? 0 : i * ((from - 1) / (to - 1))),
  /** Corners of pixels on corners: what TensorFlow 1 does when nothing is said. */
  "bilinear-asymmetric": (i, from, to) => i * (from / to),
};

function taps(from: number, to: number, position: Position): Tap[] {
  return Array.from({ length: to }, (_, i) => {
    const at = Math.min(Math.max(position(i, from, to), 0), from - 1);
    const low = Math.floor(at);
    return { low, high: Math.min(low + 1, from - 1), weight: at - low };
  });
}

function resizeBilinear(pixels: Pixels, width: number, height: number, position: Position): Float32Array {
  const { channels, data } = pixels;
  const out = new Float32Array(width * height * channels);
  const columns = taps(pixels.width, width, position);
  const rows = taps(pixels.height, height, position);
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
  readonly weights: Float64Array;
}

/** A kernel and half its width, for enlarging; for reducing it is stretched. */
interface Kernel {
  readonly support: number;
  weigh(distance: number): number;
}

const TRIANGLE: Kernel = { support: 1, weigh: (x) => Math.max(1 - Math.abs(x), 0) };

/** Keys' cubic with a = -1/2. */
const CUBIC: Kernel = {
  support: 2,
  weigh: (distance) => {
    const x = Math.abs(distance);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
  },
};

/** Kernels as wide as the reduction, normalized. */
function kernelWindows(from: number, to: number, kernel: Kernel): Window[] {
  const ratio = from / to;
  const stretch = Math.max(ratio, 1);
  const support = kernel.support * stretch;
  return Array.from({ length: to }, (_, i) => {
    const center = (i + 0.5) * ratio;
    const start = Math.max(Math.floor(center - support + 0.5), 0);
    const end = Math.min(Math.floor(center + support + 0.5), from);
    const raw = Float64Array.from({ length: end - start }, (_, k) =>
      kernel.weigh((start + k + 0.5 - center) / stretch),
    );
    return { start, weights: normalized(raw) };
  });
}

/** The share of each pixel in the stretch of the image that becomes one pixel. */
function areaWindows(from: number, to: number): Window[] {
  const ratio = from / to;
  return Array.from({ length: to }, (_, i) => {
    const [low, high] = [i * ratio, (i + 1) * ratio];
    const start = Math.floor(low);
    const end = Math.min(Math.ceil(high), from);
    const raw = Float64Array.from(
      { length: Math.max(end - start, 1) },
      (_, k) => Math.min(high, start + k + 1) - Math.max(low, start + k),
    );
    return { start, weights: normalized(raw) };
  });
}

function normalized(raw: Float64Array): Float64Array {
  const sum = raw.reduce((total, w) => total + w, 0);
  return raw.map((w) => w / sum);
}

/** One axis: every line of `count` becomes one of `filters.length`, `step` values apart. A Uint8Array as `out` rounds. */
function filterAxis<T extends Uint8Array | Float32Array>(
  out: T,
  source: ArrayLike<number>,
  lines: number,
  count: number,
  step: number,
  filters: readonly Window[],
): T {
  const round = out instanceof Uint8Array;
  for (let line = 0, at = 0; line < lines; line++) {
    for (const { start, weights } of filters) {
      for (let k = 0; k < step; k++) {
        let sum = 0;
        let from = (line * count + start) * step + k;
        for (let w = 0; w < weights.length; w++, from += step) sum += (weights[w] as number) * (source[from] as number);
        out[at++] = round ? Math.min(Math.max(Math.floor(sum + 0.5), 0), 255) : sum;
      }
    }
  }
  return out;
}

/** Rounded to 8 bits after each axis, rows first, as Pillow does. */
function resizeByKernel(pixels: Pixels, width: number, height: number, kernel: Kernel): Float32Array {
  const { channels, data } = pixels;
  const columns = kernelWindows(pixels.width, width, kernel);
  const narrow = new Uint8Array(pixels.height * width * channels);
  filterAxis(narrow, data, pixels.height, pixels.width, channels, columns);
  const rows = kernelWindows(pixels.height, height, kernel);
  const out = new Uint8Array(height * width * channels);
  return Float32Array.from(filterAxis(out, narrow, 1, pixels.height, width * channels, rows));
}

function resizeByArea(pixels: Pixels, width: number, height: number): Float32Array {
  const { channels, data } = pixels;
  const narrow = new Float32Array(pixels.height * width * channels);
  filterAxis(narrow, data, pixels.height, pixels.width, channels, areaWindows(pixels.width, width));
  const out = new Float32Array(height * width * channels);
  return filterAxis(out, narrow, 1, pixels.height, width * channels, areaWindows(pixels.height, height));
}

/** The whole image as width x height; row-major interleaved values of 0 to 255. */
export function resize(pixels: Pixels, width: number, height: number, filter: Resize): Float32Array {
  // Every filter leaves an image of the right size as it is.
  if (pixels.width === width && pixels.height === height) return new Float32Array(pixels.data);
  switch (filter) {
    case "bilinear-antialias":
      return resizeByKernel(pixels, width, height, TRIANGLE);
    case "bicubic":
      return resizeByKernel(pixels, width, height, CUBIC);
    case "area":
      return resizeByArea(pixels, width, height);
    default:
      return resizeBilinear(pixels, width, height, POSITIONS[filter] as Position);
  }
}
