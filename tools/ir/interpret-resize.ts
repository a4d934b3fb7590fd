/**
 * Reference meaning of the resizing operators: positions as mace/quant/README.md, section 11, defines them, because rounding
 * decides neighbours; sums in binary64.
 */

import { type Attributed, listAttribute, numberAttribute, stringAttribute } from "./attributes";
import type { ConstantData } from "./graph";
import { size4, type TensorValue } from "./interpret-values";
import { elementCount, type Shape } from "./shape";
import { emptyLike } from "./transpose";

/**
 * Where the cells of one axis of the output lie in the input. Without `scales` a position is a quotient of whole numbers, rounded
 * once, so that positions that are whole stay whole.
 */
function coordinates(node: Attributed, axis: 0 | 1, size: number, outSize: number): number[] {
  const mode = stringAttribute(node, "coordinate_mode");
  const scale = listAttribute(node, "scales")[axis];
  /** The input position of the place i + half / 2 of the output. */
  const scaled = (i: number, half: 0 | 1): number =>
    scale === undefined ? ((2 * i + half) * size) / (2 * outSize) : (i + half / 2) / Math.fround(scale);
  const centred = (i: number): number =>
    scale === undefined ? ((2 * i + 1) * size - outSize) / (2 * outSize) : scaled(i, 1) - 0.5;
  return Array.from({ length: outSize }, (_, i) => {
    switch (mode) {
      case "align_corners":
        return outSize === 1 ? 0 : (i * (size - 1)) / (outSize - 1);
      case "half_pixel":
        return centred(i);
      case "pytorch_half_pixel":
        return outSize === 1 ? 0 : centred(i);
      case "half_pixel_uncentred":
        return scaled(i, 1);
      default:
        return scaled(i, 0);
    }
  });
}

/** Cells of one axis that make up an output cell, with their weights. */
interface Taps {
  readonly cells: readonly number[];
  readonly weights: readonly number[];
}

/** Each output cell is the sum of cells of the input, separately along rows and columns. */
function resample(x: TensorValue, out: Shape, taps: readonly [readonly Taps[], readonly Taps[]]): ConstantData {
  const [batch, height, width, channels] = size4(x.shape);
  const [, rows, columns] = size4(out);
  const result = emptyLike(x.data, elementCount(out));
  const sums = new Float64Array(channels);
  let to = 0;
  for (let n = 0; n < batch; n++) {
    for (let row = 0; row < rows; row++) {
      const vertical = taps[0][row] as Taps;
      for (let column = 0; column < columns; column++) {
        const horizontal = taps[1][column] as Taps;
        sums.fill(0);
        vertical.cells.forEach((h, i) => {
          horizontal.cells.forEach((w, j) => {
            const weight = (vertical.weights[i] as number) * (horizontal.weights[j] as number);
            if (weight === 0) return;
            const from = ((n * height + h) * width + w) * channels;
            for (let c = 0; c < channels; c++) sums[c] = (sums[c] as number) + weight * (x.data[from + c] as number);
          });
        });
        result.set(sums, to);
        to += channels;
      }
    }
  }
  return result;
}

/** Taps of both axes from a function of the coordinate and the input's size. */
function bothAxes(
  node: Attributed,
  x: TensorValue,
  out: Shape,
  at: (coordinate: number, size: number) => Taps,
): [Taps[], Taps[]] {
  const axis = (which: 0 | 1): Taps[] => {
    const size = x.shape[which + 1] ?? 1;
    return coordinates(node, which, size, out[which + 1] ?? 1).map((coordinate) => at(coordinate, size));
  };
  return [axis(0), axis(1)];
}

const inside = (cell: number, size: number): number => Math.max(0, Math.min(size - 1, cell));

export function resizeBilinear(node: Attributed, x: TensorValue, out: Shape): ConstantData {
  const taps = bothAxes(node, x, out, (coordinate, size) => {
    const clamped = inside(coordinate, size);
    const low = Math.floor(clamped);
    const weight = clamped - low;
    return { cells: [low, inside(low + 1, size)], weights: [1 - weight, weight] };
  });
  return resample(x, out, taps);
}

export function resizeNearest(node: Attributed, x: TensorValue, out: Shape): ConstantData {
  const mode = stringAttribute(node, "nearest_mode");
  const nearest = (coordinate: number): number => {
    switch (mode) {
      case "ceil":
        return Math.ceil(coordinate);
      case "round_prefer_floor":
        return Math.ceil(coordinate - 0.5);
      case "round_prefer_ceil":
        return Math.floor(coordinate + 0.5);
      default:
        return Math.floor(coordinate);
    }
  };
  const taps = bothAxes(node, x, out, (coordinate, size) => ({
    cells: [inside(nearest(coordinate), size)],
    weights: [1],
  }));
  return resample(x, out, taps);
}

/** Keys' cubic convolution kernel at the distances 1 + t, t, 1 - t and 2 - t. */
function cubicWeights(a: number, t: number): number[] {
  const near = (d: number): number => ((a + 2) * d - (a + 3)) * d * d + 1;
  const far = (d: number): number => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return [far(1 + t), near(t), near(1 - t), far(2 - t)];
}

export function resizeBicubic(node: Attributed, x: TensorValue, out: Shape): ConstantData {
  const a = numberAttribute(node, "cubic_coeff");
  const exclude = numberAttribute(node, "exclude_outside") === 1;
  const taps = bothAxes(node, x, out, (position, size) => {
    const coordinate = Math.max(-1, Math.min(size, position));
    const low = Math.floor(coordinate);
    const cells = [low - 1, low, low + 1, low + 2];
    let weights = cubicWeights(a, coordinate - low);
    if (exclude) {
      weights = weights.map((weight, i) => (cells[i] === inside(cells[i] ?? 0, size) ? weight : 0));
      const sum = weights.reduce((total, weight) => total + weight, 0);
      if (sum !== 0) weights = weights.map((weight) => weight / sum);
    }
    return { cells: cells.map((cell) => inside(cell, size)), weights };
  });
  return resample(x, out, taps);
}
