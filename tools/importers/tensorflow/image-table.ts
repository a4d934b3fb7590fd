/** The TensorFlow operators that look at windows of an image, change its size, or move pixels to the batch. */

import type { AttributeValue } from "../../ir/graph";
import { badValue, unsupported } from "../failures";
import { deconvolution, type ResizeSpec, resize } from "../image-operations";
import type { Value } from "../lowering";
import { constantFilter, emitImage, imageSize, numbersOf, type WindowSpec, windowAttributes } from "../operations";
import { autoPads, type WindowPads } from "../windows";
import type { TensorflowNode } from "./node";

type ImageLowering = (node: TensorflowNode) => Value;

function explicitPads(node: TensorflowNode): WindowPads {
  const list = node.integers("explicit_paddings");
  if (list.length !== 8) badValue("the attribute 'explicit_paddings' does not have 8 elements");
  const [h, w] = node.order() === "NHWC" ? [2, 4] : [4, 6];
  return [list[h] ?? 0, list[w] ?? 0, list[h + 1] ?? 0, list[w + 1] ?? 0];
}

function windowFor(
  node: TensorflowNode,
  size: readonly [number, number],
  kernel: readonly [number, number],
  dilations: readonly [number, number],
): WindowSpec {
  const strides = node.spatial("strides");
  const padding = node.padding();
  const pads = padding === "EXPLICIT" ? explicitPads(node) : autoPads(padding, size, kernel, strides, dilations);
  return { strides, dilations, pads };
}

/** The window of a node over `x`. */
export function windowOf(
  node: TensorflowNode,
  x: Value,
  kernel: readonly [number, number],
  dilations: readonly [number, number],
): WindowSpec {
  return windowFor(node, imageSize(x, node.order()), kernel, dilations);
}

/** The gradient of a convolution, whose window lies over the output. */
export const deconv2d: ImageLowering = (node) => {
  const filter = constantFilter(node.input(1));
  const [kh = 0, kw = 0] = filter.shape;
  const x = node.input(2);
  const order = node.order();
  const sizes = numbersOf(node.input(0), "the shape of its output");
  // Some writers give rows and columns only.
  const [rows = 0, columns = 0] = sizes.length === 2 ? sizes : order === "NHWC" ? sizes.slice(1, 3) : sizes.slice(2);
  if ((sizes.length !== 2 && sizes.length !== 4) || !(rows >= 1 && columns >= 1)) {
    badValue("the shape of its output has no rows and columns");
  }
  const window = windowFor(node, [rows, columns], [kh, kw], node.spatial("dilations", [1, 1]));
  return deconvolution(node.lower, node.target, x, filter, order, {
    ...window,
    group: 1,
    filterOrder: "HWOI",
    size: [rows, columns],
  });
};

export const resizeWith =
  (type: ResizeSpec["type"]): ImageLowering =>
  (node) => {
    const [rows = 0, columns = 0] = numbersOf(node.input(1), "its size");
    const aligned = node.boolean("align_corners");
    const centred = node.boolean("half_pixel_centers");
    if (aligned && centred) badValue("it has both align_corners and half_pixel_centers");
    const nearest = type === "ResizeNearestNeighbor";
    const half = nearest ? "half_pixel_uncentred" : "half_pixel";
    const coordinate_mode = aligned ? "align_corners" : centred ? half : "asymmetric";
    const attributes: Readonly<Record<string, AttributeValue>> = nearest
      ? { coordinate_mode, nearest_mode: aligned ? "round_prefer_ceil" : "floor" }
      : type === "ResizeBicubic"
        ? // With half_pixel_centers TensorFlow takes another kernel, and scales it where it leaves the image.
          { coordinate_mode, cubic_coeff: centred ? -0.5 : -0.75, exclude_outside: centred ? 1 : 0 }
        : { coordinate_mode };
    return resize(node.lower, node.target, node.input(0), "NHWC", { type, size: [rows, columns], attributes });
  };

export const extractPatches: ImageLowering = (node) => {
  const x = node.input(0);
  const kernel = node.spatial("ksizes");
  const window = windowFor(node, imageSize(x, "NHWC"), kernel, node.spatial("rates", [1, 1]));
  return emitImage(node.lower, node.target, "ExtractImagePatches", x, "NHWC", [], {
    kernels: [...kernel],
    ...windowAttributes(window),
  });
};

/** Block shape and the pairs of paddings or crops of rows and columns; one block dimension is that of the rows. */
function blocks(node: TensorflowNode): { readonly block: [number, number]; readonly pairs: number[] } {
  const x = node.input(0);
  const block = numbersOf(node.input(1), "its block shape");
  const pairs = numbersOf(node.input(2), "its third input");
  if (x.shape.length !== 4 || block.length > 2 || pairs.length !== 2 * block.length) {
    return unsupported("it is supported on the rows and columns of images only");
  }
  return { block: [block[0] ?? 1, block[1] ?? 1], pairs: [...pairs, 0, 0].slice(0, 4) };
}

export const spaceToBatch: ImageLowering = (node) => {
  const { block, pairs } = blocks(node);
  const attributes = { block_shape: block, paddings: pairs };
  return emitImage(node.lower, node.target, "SpaceToBatchND", node.input(0), "NHWC", [], attributes);
};

export const batchToSpace: ImageLowering = (node) => {
  const { block, pairs } = blocks(node);
  const attributes = { block_shape: block, crops: pairs };
  return emitImage(node.lower, node.target, "BatchToSpaceND", node.input(0), "NHWC", [], attributes);
};
