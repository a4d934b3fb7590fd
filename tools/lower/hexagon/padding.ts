/** nnlib's kinds of padding, as numbers of hexagon_nn_padding_type, and what each does with a window. */

import type { Sliding } from "../windows";

export const PADDING = { NA: 0, SAME: 1, VALID: 2, SAME_CAFFE: 5 } as const;

/** Where a window stands along one axis. */
export interface Positions {
  readonly count: number;
  /** Cells of the first window that lie before the image. */
  readonly before: number;
}

/** What nnlib makes of a kind of padding; SAME_CAFFE has the odd cell before the image, SAME behind it. */
export function positionsOf(size: number, window: number, stride: number, kind: number): Positions {
  if (kind === PADDING.VALID) return { count: Math.max(0, Math.floor((size - window) / stride) + 1), before: 0 };
  const count = Math.ceil(size / stride);
  const pad = Math.max(0, (count - 1) * stride + window - size);
  return { count, before: Math.floor((kind === PADDING.SAME_CAFFE ? pad + 1 : pad) / 2) };
}

/** The kind of padding that puts the window where `pads` put it; undefined when there is none. */
export function kindOf({ height, width, kernel, strides, pads, rows, columns }: Sliding): number | undefined {
  return [PADDING.VALID, PADDING.SAME, PADDING.SAME_CAFFE].find((kind) => {
    const down = positionsOf(height, kernel[0], strides[0], kind);
    const across = positionsOf(width, kernel[1], strides[1], kind);
    return down.count === rows && across.count === columns && down.before === pads.top && across.before === pads.left;
  });
}
