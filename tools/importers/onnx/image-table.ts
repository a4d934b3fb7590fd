/** The ONNX operators that look at windows of an image or change its size. One spatial axis is an image with one row. */

import { like } from "../../ir/deferred";
import { POOLING, REDUCE } from "../../ir/operators";
import { type Shape, shapeText } from "../../ir/shape";
import { badValue, unsupported } from "../failures";
import { asImage, deconvolution, depthToSpace, type ResizeSpec, resize, spaceToDepth } from "../image-operations";
import type { ConstantValue, Target, Value } from "../lowering";
import {
  constantFilter,
  constantOf,
  convolution,
  type ImageOrder,
  imageSize,
  numbersOf,
  pooling,
  reduce,
  reshape,
} from "../operations";
import { castTo } from "../value-operations";
import type { WindowPads } from "../windows";
import type { OnnxNode } from "./node";

type ImageLowering = (node: OnnxNode) => Value;

/** The filter of an image with one row. */
function imageFilter(filter: ConstantValue): ConstantValue {
  const [o = 0, i = 0, length = 0] = filter.shape;
  return filter.shape.length === 3 ? like(filter, { shape: [o, i, 1, length] }) : filter;
}

/** A convolution of `x` with `filter`, by the attributes of the node. */
export function convolutionOf(node: OnnxNode, x: Value, weights: ConstantValue, bias?: ConstantValue): Value {
  const filter = imageFilter(weights);
  return asImage(node.lower, node.target, x, (target, image) => {
    imageSize(image, "NCHW");
    const [, , kh = 0, kw = 0] = filter.shape;
    const strides = node.pair("strides", [1, 1]);
    const dilations = node.pair("dilations", [1, 1]);
    const kernel = node.pair("kernel_shape", [kh, kw]);
    if (kernel[0] !== kh || kernel[1] !== kw) {
      badValue(`kernel_shape contradicts the filter ${shapeText(filter.shape)}`);
    }
    return convolution(node.lower, target, image, filter, "NCHW", {
      strides,
      dilations,
      pads: node.windowPads(image, kernel, strides, dilations),
      group: node.integer("group", 1),
      filterOrder: "OIHW",
      ...(bias && { bias }),
    });
  });
}

const conv: ImageLowering = (node) => {
  const bias = node.inputs[2];
  return convolutionOf(node, node.input(0), constantFilter(node.input(1)), bias && constantOf(bias, "its bias"));
};

/** Size of the output of a transposed convolution along one axis, and what its pads cut off before it. */
function transposedAxis(
  mode: string,
  full: number,
  wanted: number | undefined,
  size: number,
  stride: number,
  pads: readonly [number, number],
): { readonly size: number; readonly before: number } {
  const same = mode === "SAME_UPPER" || mode === "SAME_LOWER";
  const target = wanted ?? (same ? size * stride : undefined);
  if (target === undefined) {
    const [before, after] = mode === "VALID" ? [0, 0] : pads;
    return { size: full - before - after, before };
  }
  // What the given size leaves over is cut: the greater half in front, unless the mode says SAME_UPPER.
  const cut = Math.max(0, full - target);
  return { size: target, before: mode === "SAME_UPPER" ? Math.floor(cut / 2) : cut - Math.floor(cut / 2) };
}

const convTranspose: ImageLowering = (node) => {
  const { lower } = node;
  const filter = imageFilter(constantFilter(node.input(1)));
  const bias = node.inputs[2];
  return asImage(lower, node.target, node.input(0), (target, x) => {
    const size = imageSize(x, "NCHW");
    const [, , kh = 0, kw = 0] = filter.shape;
    const strides = node.pair("strides", [1, 1]);
    const dilations = node.pair("dilations", [1, 1]);
    const kernel = node.pair("kernel_shape", [kh, kw]);
    const more = node.pair("output_padding", [0, 0], 0);
    const wanted = node.integers("output_shape")?.slice(-2);
    if (kernel[0] !== kh || kernel[1] !== kw)
      badValue(`kernel_shape contradicts the filter ${shapeText(filter.shape)}`);
    const mode = node.string("auto_pad", "NOTSET");
    const given: WindowPads = mode === "NOTSET" ? node.windowPads(x, kernel, strides, dilations) : [0, 0, 0, 0];
    const axis = (i: 0 | 1): { size: number; before: number } => {
      const full = (size[i] - 1) * strides[i] + dilations[i] * (kernel[i] - 1) + 1 + more[i];
      const own = wanted?.length === 1 ? (i === 0 ? 1 : wanted[0]) : wanted?.[i];
      return transposedAxis(mode, full, own, size[i], strides[i], [given[i], given[i + 2] ?? 0]);
    };
    const [rows, columns] = [axis(0), axis(1)];
    return deconvolution(lower, target, x, filter, "NCHW", {
      strides,
      dilations,
      pads: [rows.before, columns.before, 0, 0],
      size: [rows.size, columns.size],
      group: node.integer("group", 1),
      filterOrder: "IOHW",
      ...(bias && { bias: constantOf(bias, "its bias") }),
    });
  });
};

const pool =
  (type: number): ImageLowering =>
  (node) => {
    const { lower } = node;
    // The greatest of integers is the greatest of the same numbers in float32.
    const whole = node.input(0);
    const integers = whole.dtype !== "float32";
    const input = integers ? castTo(lower, lower.step(node.target, "float"), whole, "float32") : whole;
    const result = integers ? lower.step(node.target, "greatest") : node.target;
    const y = asImage(lower, result, input, (target, x) => {
      imageSize(x, "NCHW");
      const kernel = node.pair("kernel_shape");
      const strides = node.pair("strides", [1, 1]);
      const dilations = node.pair("dilations", [1, 1]);
      return pooling(lower, target, x, "NCHW", {
        type,
        kernel,
        strides,
        dilations,
        pads: node.windowPads(x, kernel, strides, dilations),
        roundUp: node.integer("ceil_mode", 0) === 1,
        countPads: node.integer("count_include_pad", 0) === 1,
      });
    });
    return integers ? castTo(lower, node.target, y, whole.dtype) : y;
  };

/** Over all spatial axes. */
const globalPool =
  (type: number): ImageLowering =>
  (node) => {
    const x = node.input(0);
    const axes = x.shape.map((_, axis) => axis).slice(2);
    return reduce(node.lower, node.target, type, x, axes, true);
  };

const RESIZES: Readonly<Record<string, ResizeSpec["type"]>> = {
  nearest: "ResizeNearestNeighbor",
  linear: "ResizeBilinear",
  bilinear: "ResizeBilinear",
  cubic: "ResizeBicubic",
};
const COORDINATES = ["asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel", "half_pixel_uncentred"];

interface NewSize {
  readonly shape: readonly number[];
  readonly scales: readonly number[];
}

/** Sizes and scales of all axes from what the node gives of them. */
function newSize(node: OnnxNode, x: Value): NewSize {
  const rank = x.shape.length;
  const last = node.type === "Upsample" || node.opset < 11 ? 1 : 2;
  const list = (index: number, what: string): number[] => {
    const value = node.inputs[index];
    return value && !(value.data?.length === 0) ? numbersOf(value, what) : [];
  };
  const scales = node.has("scales") ? [...(node.floats("scales") ?? [])] : list(last, "its scales");
  const sizes = last === 2 ? list(3, "its sizes") : [];
  const axes = (node.integers("axes") ?? x.shape.map((_, axis) => axis)).map((a) => (a < 0 ? a + rank : a));
  const given = sizes.length > 0 ? sizes : scales;
  if (given.length !== axes.length || given.some((value) => !(value > 0)) || axes.some((a) => a < 0 || a >= rank)) {
    return badValue("its sizes or scales do not fit its input");
  }
  const shape = [...x.shape];
  const factors = x.shape.map(() => 1);
  const policy = node.string("keep_aspect_ratio_policy", "stretch");
  if (sizes.length > 0 && policy !== "stretch") {
    // One factor for all axes, of which the results are rounded half up.
    const ratios = axes.map((axis, i) => (sizes[i] ?? 1) / (x.shape[axis] ?? 1));
    const factor = policy === "not_larger" ? Math.min(...ratios) : Math.max(...ratios);
    for (const axis of axes) {
      shape[axis] = Math.floor(factor * (x.shape[axis] ?? 1) + 0.5);
      factors[axis] = factor;
    }
    return { shape, scales: factors };
  }
  axes.forEach((axis, i) => {
    const size = x.shape[axis] ?? 1;
    const factor = sizes.length > 0 ? (sizes[i] ?? 1) / size : Math.fround(scales[i] ?? 1);
    shape[axis] = sizes.length > 0 ? (sizes[i] ?? 1) : Math.floor(Math.fround(size * factor));
    factors[axis] = factor;
  });
  return { shape, scales: factors };
}

/** Views the value as images of which only rows and columns change. */
function asResized(shape: Shape, changed: readonly number[]): { readonly shape: Shape; readonly order: ImageOrder } {
  const within = (...axes: number[]): boolean => changed.every((axis) => axes.includes(axis));
  const [a = 1, b = 1, c = 1] = shape;
  if (shape.length === 4 && within(2, 3)) return { shape, order: "NCHW" };
  if (shape.length === 4 && within(1, 2)) return { shape, order: "NHWC" };
  if (shape.length === 3 && within(2)) return { shape: [a, b, 1, c], order: "NCHW" };
  if (shape.length === 3 && within(1, 2)) return { shape: [1, a, b, c], order: "NCHW" };
  if (shape.length === 2) return { shape: [1, 1, a, b], order: "NCHW" };
  return unsupported("it resizes other axes than rows and columns");
}

const resizeOf: ImageLowering = (node) => {
  const { lower, target } = node;
  const x = node.input(0);
  const old = node.type === "Upsample" || node.opset < 11;
  const mode = node.string("mode", "nearest");
  const type = RESIZES[mode] ?? unsupported(`its mode is '${mode}'`);
  const given = old ? "asymmetric" : node.string("coordinate_transformation_mode", "half_pixel");
  const coordinates = given === "tf_half_pixel_for_nn" ? "half_pixel_uncentred" : given;
  if (!COORDINATES.includes(coordinates)) unsupported(`its coordinate_transformation_mode is '${given}'`);
  if (node.integer("antialias", 0) === 1) unsupported("it filters before it shrinks (antialias)");
  const { shape, scales } = newSize(node, x);
  const changed = shape.flatMap((size, axis) => (size !== x.shape[axis] || scales[axis] !== 1 ? [axis] : []));
  if (changed.length === 0) return x;
  const whole = shape.every((size, axis) => Math.abs(size - (x.shape[axis] ?? 1) * (scales[axis] ?? 1)) < 1e-3);
  // The distance between corners would be counted in parts of a pixel.
  if (coordinates === "align_corners" && !whole) unsupported("its corners are aligned, and its size is not whole");
  const view = asResized(x.shape, changed);
  const grown = asResized(shape, changed).shape;
  const image = x.shape.length === 4 ? x : reshape(lower, lower.step(target, "image"), x, view.shape);
  const inner: Target = x.shape.length === 4 ? target : lower.step(target, "resized");
  const [first, second] = view.order === "NCHW" ? [2, 3] : [1, 2];
  const scaleOf = (axis: number): number => scales[axis - (4 - x.shape.length)] ?? 1;
  const nearest = {
    coordinate_mode: coordinates,
    nearest_mode: old ? "floor" : node.string("nearest_mode", "round_prefer_floor"),
  };
  const cubic = {
    coordinate_mode: coordinates,
    cubic_coeff: node.float("cubic_coeff_a", -0.75),
    exclude_outside: node.integer("exclude_outside", 0),
  };
  const linear = { coordinate_mode: coordinates };
  if (type === "ResizeBilinear" && node.integer("exclude_outside", 0) === 1) unsupported("it has exclude_outside");
  const single = x.shape.length === 3 && view.shape[2] === 1 && changed.length === 1;
  const y = resize(lower, inner, image, view.order, {
    type,
    size: [grown[first] ?? 0, grown[second] ?? 0],
    scales: [single ? 1 : scaleOf(first), scaleOf(second)],
    attributes: type === "ResizeNearestNeighbor" ? nearest : type === "ResizeBicubic" ? cubic : linear,
  });
  return x.shape.length === 4 ? y : reshape(lower, target, y, shape);
};

export const IMAGE_OPERATORS: Readonly<Record<string, ImageLowering>> = {
  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: pool(POOLING.MAX),
  AveragePool: pool(POOLING.AVG),
  GlobalAveragePool: globalPool(REDUCE.MEAN),
  GlobalMaxPool: globalPool(REDUCE.MAX),
  Resize: resizeOf,
  Upsample: resizeOf,
  DepthToSpace: (node) => {
    const mode = node.string("mode", "DCR");
    if (mode !== "DCR" && mode !== "CRD") return badValue(`its mode is '${mode}'`);
    return depthToSpace(node.lower, node.target, node.input(0), "NCHW", node.integer("blocksize"), mode);
  },
  SpaceToDepth: (node) => spaceToDepth(node.lower, node.target, node.input(0), "NCHW", node.integer("blocksize")),
};
