/**
 * What both importers lower to: operations on framework values, with axes and shapes as the framework counts them. Layout
 * is dealt with here, so that the tables of framework operators hold nothing but attribute reading.
 */

import type { AttributeValue, ConstantData } from "../ir/graph";
import { derive, like, share } from "../ir/deferred";
import { sliceCount } from "../ir/infer-shapes";
import { ELTWISE, PAD, POOLING, REDUCE } from "../ir/operators";
import { broadcastShapes, elementCount, type Shape, sameShape, shapeText } from "../ir/shape";
import { emptyLike, keepsOrder, permuteShape, TO_NCHW, TO_NHWC, transposeData } from "../ir/transpose";
import { badValue, unsupported } from "./failures";
import {
  type ConstantForm,
  type ConstantValue,
  isConstant,
  type Lowering,
  permutedForm,
  permutedGrid,
  type Target,
  transposedFrom,
  type Value,
} from "./lowering";
import type { WindowPads } from "./windows";

/** Axis order of the images that a node works on. */
export type ImageOrder = "NHWC" | "NCHW";

export interface WindowSpec {
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly pads: WindowPads;
}

export const windowAttributes = ({ strides, dilations, pads }: WindowSpec): Record<string, AttributeValue> => ({
  strides: [...strides],
  dilations: [...dilations],
  pads: [...pads],
});

/** Rows and columns of an image value. */
export function imageSize(x: Value, order: ImageOrder): [number, number] {
  const [, second, third, fourth] = x.shape;
  if (x.shape.length !== 4 || second === undefined || third === undefined || fourth === undefined) {
    return unsupported(`its input has the shape ${shapeText(x.shape)}; only two spatial dimensions are supported`);
  }
  return order === "NHWC" ? [second, third] : [third, fourth];
}

export function imageChannels(x: Value, order: ImageOrder): number {
  return x.shape[order === "NHWC" ? 3 : 1] ?? 0;
}

/** Emits a node that works on images: its first input NHWC, the result in the framework's order again. */
export function emitImage(
  lower: Lowering,
  target: Target,
  type: string,
  x: Value,
  order: ImageOrder,
  others: readonly string[],
  attributes: Readonly<Record<string, AttributeValue>>,
  /** Canonical shape of the output, where the inputs do not determine it. */
  shape?: Shape,
): Value {
  if (order === "NHWC") return lower.emit(target, type, [lower.plain(x), ...others], attributes, "plain", shape);
  return lower.emit(target, type, [lower.nhwc(x), ...others], attributes, "nhwc", shape);
}

/** Where the axes of a filter are, in the framework's order. */
export const FILTER_ORDERS = {
  /** TensorFlow's convolution. */
  HWIO: { toOhwi: [3, 0, 1, 2] },
  /** ONNX's convolution. */
  OIHW: { toOhwi: [0, 2, 3, 1] },
} as const;

/** Constants only: the runtime packs filters when it loads a model. */
export function constantFilter(filter: Value | undefined): ConstantValue {
  return isConstant(filter) ? filter : unsupported("its filter is computed at run time");
}

export interface ConvSpec extends WindowSpec {
  readonly group: number;
  readonly bias?: ConstantValue;
  readonly filterOrder: keyof typeof FILTER_ORDERS;
}

/** A convolution. One group per input channel makes it a DepthwiseConv2d. */
export function convolution(
  lower: Lowering,
  target: Target,
  x: Value,
  filter: ConstantValue,
  order: ImageOrder,
  spec: ConvSpec,
): Value {
  imageSize(x, order);
  if (filter.shape.length !== 4) badValue(`the filter has the shape ${shapeText(filter.shape)}`);
  const channels = imageChannels(x, order);
  const { toOhwi } = FILTER_ORDERS[spec.filterOrder];
  const [o = 0, kh = 0, kw = 0, depth = 0] = permuteShape(filter.shape, toOhwi);
  if (spec.group < 1 || depth * spec.group !== channels || o % spec.group !== 0) {
    badValue(`a filter of shape ${shapeText(filter.shape)} in ${spec.group} groups does not fit ${channels} channels`);
  }
  const { bias } = spec;
  if (bias && (bias.data.length !== o || bias.shape.length !== 1))
    badValue(`the bias has the shape ${shapeText(bias.shape)}`);
  const others = bias ? [lower.plain(bias)] : [];
  if (spec.group > 1 && spec.group === channels) {
    // Output channel c * M + m is [c][m] in both frameworks, so that splitting O into (C, M) leaves the order as it is.
    const multiplier = o / channels;
    const name = lower.constantForm(filter, "hwcm", () => {
      const hwio = [toOhwi[1], toOhwi[2], toOhwi[3], toOhwi[0]];
      // The grid's axis O is (C, M), which axis 2 of the form stands for.
      const { trained } = permutedGrid(filter.trained, hwio);
      const grid = trained && { trained: trained.axis === 3 ? { ...trained, axis: 2 } : trained };
      const hwcm = { shape: [kh, kw, channels, multiplier], ...(trained?.axis !== 2 && grid) };
      return derive(hwcm, filter, transposedFrom(filter.shape, hwio));
    });
    return emitImage(lower, target, "DepthwiseConv2d", x, order, [name, ...others], windowAttributes(spec));
  }
  const name = lower.constantForm(filter, "ohwi", () => permutedForm(filter, toOhwi));
  return emitImage(lower, target, "Conv2D", x, order, [name, ...others], {
    ...windowAttributes(spec),
    group: spec.group,
  });
}

/** TensorFlow's depthwise convolution: the filter is [H, W, C, M]. */
export function depthwiseConvolution(
  lower: Lowering,
  target: Target,
  x: Value,
  filter: ConstantValue,
  order: ImageOrder,
  spec: WindowSpec,
): Value {
  imageSize(x, order);
  if (filter.shape.length !== 4) badValue(`the filter has the shape ${shapeText(filter.shape)}`);
  const name = lower.constantForm(filter, "hwcm", () =>
    share({ shape: filter.shape, ...depthwiseGrid(filter) }, filter),
  );
  return emitImage(lower, target, "DepthwiseConv2d", x, order, [name], windowAttributes(spec));
}

/** The grid of a filter [H, W, C, M]: per output channel c * M + m, which axis 2 stands for. */
function depthwiseGrid({ trained, shape }: ConstantValue): Pick<ConstantForm, "trained"> {
  if (!trained || trained.axis === null) return trained ? { trained } : {};
  const [, , channels = 1, multiplier = 1] = shape;
  const scaleOf = (c: number, m: number): number => trained.scales[trained.axis === 3 ? m : c] ?? 1;
  const scales = Array.from({ length: channels * multiplier }, (_, o) =>
    scaleOf(Math.floor(o / multiplier), o % multiplier),
  );
  return trained.axis < 2 ? {} : { trained: { ...trained, scales, axis: 2 } };
}

export interface PoolingSpec extends WindowSpec {
  readonly type: number;
  readonly kernel: readonly [number, number];
  readonly roundUp: boolean;
  readonly countPads: boolean;
}

export function pooling(lower: Lowering, target: Target, x: Value, order: ImageOrder, spec: PoolingSpec): Value {
  imageSize(x, order);
  return emitImage(lower, target, "Pooling", x, order, [], {
    pooling_type: spec.type,
    kernels: [...spec.kernel],
    ...windowAttributes(spec),
    round_mode: spec.roundUp ? 1 : 0,
    count_include_pad: spec.countPads && spec.type === POOLING.AVG ? 1 : 0,
  });
}

/** scale * (x - mean) / sqrt(variance + epsilon) + offset, per channel. */
export interface Normalization {
  readonly scale: ConstantValue;
  readonly offset: ConstantValue;
  readonly mean: ConstantValue;
  readonly variance: ConstantValue;
  readonly epsilon: number;
}

export function batchNorm(lower: Lowering, target: Target, x: Value, channelAxis: number, norm: Normalization): Value {
  const channels = x.shape[channelAxis] ?? 0;
  for (const value of [norm.scale, norm.offset, norm.mean, norm.variance]) {
    if (value.data.length !== channels)
      badValue(`'${value.name}' has ${value.data.length} values for ${channels} channels`);
  }
  const [scale, offset, mean, variance] = [norm.scale.data, norm.offset.data, norm.mean.data, norm.variance.data];
  const factors = new Float64Array(channels);
  const offsets = new Float64Array(channels);
  for (let c = 0; c < channels; c++) {
    const factor = (scale[c] ?? 0) / Math.sqrt((variance[c] ?? 0) + norm.epsilon);
    factors[c] = factor;
    offsets[c] = (offset[c] ?? 0) - (mean[c] ?? 0) * factor;
  }
  lower.spend(2 * channels);
  const vector = (of: ConstantValue, suffix: string, data: Float64Array): string =>
    lower.plain(lower.constant(lower.fresh(`${of.name}/${suffix}`), [channels], Float32Array.from(data)));
  const others = [vector(norm.scale, "folded", factors), vector(norm.offset, "folded", offsets)];
  const last = x.shape.length - 1;
  if (x.shape.length === 4 && channelAxis === 1) return emitImage(lower, target, "BatchNorm", x, "NCHW", others, {});
  if (channelAxis === last) return lower.emit(target, "BatchNorm", [lower.plain(x), ...others]);
  const back = moveAxisLast(x.shape.length, channelAxis);
  const moved = transpose(lower, lower.step(target, "channels_last"), x, back);
  const y = lower.emit(lower.step(target, "normalized"), "BatchNorm", [lower.plain(moved), ...others]);
  return transpose(lower, target, y, inversePermutation(back));
}

function moveAxisLast(rank: number, axis: number): number[] {
  return [...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis), axis];
}

function inversePermutation(dims: readonly number[]): number[] {
  const inverse = new Array<number>(dims.length).fill(0);
  dims.forEach((from, to) => {
    inverse[from] = to;
  });
  return inverse;
}

/** A function of one variable, in whatever layout the input has. */
export function activation(
  lower: Lowering,
  target: Target,
  x: Value,
  attributes: Readonly<Record<string, AttributeValue>>,
  slope?: string,
): Value {
  const stored = x.layout === "nhwc" ? lower.nhwc(x) : lower.plain(x);
  return lower.emit(target, "Activation", slope === undefined ? [stored] : [stored, slope], attributes, x.layout);
}

/** Leading axes of size 1 say nothing in a broadcast. */
function withoutLeadingOnes(shape: Shape): Shape {
  const first = shape.findIndex((size) => size !== 1);
  return first < 0 ? [] : shape.slice(first);
}

/** The operand of a broadcast in which the result is stored NHWC. */
export function nhwcOperand(lower: Lowering, target: Target, value: Value): string {
  if (elementCount(value.shape) === 1 && (isConstant(value) || value.layout === "plain")) return lower.plain(value);
  const shape = [...new Array<number>(4 - value.shape.length).fill(1), ...value.shape];
  if (isConstant(value)) {
    return lower.constantForm(value, "nhwc_operand", () => {
      const operand = {
        shape: withoutLeadingOnes(permuteShape(shape, TO_NHWC)),
        ...(value.trained?.axis === null && { trained: value.trained }),
      };
      return derive(operand, value, transposedFrom(shape, TO_NHWC));
    });
  }
  if (value.shape.length === 4) return lower.nhwc(value);
  return lower.nhwc(reshape(lower, lower.step(target, `${value.name}/rank4`), value, shape));
}

/** Element-wise arithmetic of two values that broadcast. */
export function eltwise(lower: Lowering, target: Target, type: number, a: Value, b: Value): Value {
  const shape = broadcastShapes(a.shape, b.shape);
  if (shape === null) return badValue(`${shapeText(a.shape)} and ${shapeText(b.shape)} do not broadcast`);
  if ((a.dtype === "float32") !== (b.dtype === "float32")) unsupported(`its inputs are ${a.dtype} and ${b.dtype}`);
  const nhwc = (a.layout === "nhwc" || b.layout === "nhwc") && shape.length === 4;
  if (!nhwc) return lower.emit(target, "Eltwise", [lower.plain(a), lower.plain(b)], { type });
  const operands = [nhwcOperand(lower, target, a), nhwcOperand(lower, target, b)];
  return lower.emit(target, "Eltwise", operands, { type }, "nhwc");
}

/** Element-wise function with a number. */
export function eltwiseScalar(lower: Lowering, target: Target, type: number, x: Value, number: number): Value {
  const operand = lower.scalar(target, "operand", number);
  if (x.dtype === "float32") return eltwise(lower, target, type, x, operand);
  return eltwise(lower, target, type, x, lower.constant(operand.name, [], Int32Array.of(number)));
}

/** a op b op c … of a variadic operator. */
export function eltwiseChain(lower: Lowering, target: Target, type: number, values: readonly Value[]): Value {
  const [first, ...rest] = values;
  if (!first) return badValue("it has no input");
  if (rest.length === 0) return first;
  return rest.reduce((sum, value, index) => {
    return eltwise(lower, index === rest.length - 1 ? target : lower.step(target, `${index}`), type, sum, value);
  }, first);
}

/** Non-negative axis. */
export function axisIn(axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank)
    badValue(`the axis ${axis} is outside a rank of ${rank}`);
  return axis < 0 ? axis + rank : axis;
}

/** The axis of the stored tensor that is `axis` to the framework. */
export function storedAxis(x: Value, axis: number): number {
  return x.layout === "nhwc" ? TO_NHWC.indexOf(axis as 0 | 1 | 2 | 3) : axis;
}

/** The tensor as it is stored, whichever way that is. */
export function stored(lower: Lowering, x: Value): string {
  return x.layout === "nhwc" ? lower.nhwc(x) : lower.plain(x);
}

export function reduce(
  lower: Lowering,
  target: Target,
  type: number,
  x: Value,
  axes: readonly number[],
  keepDims: boolean,
): Value {
  const reduced = [...new Set(axes.map((axis) => axisIn(axis, x.shape.length)))].sort((a, b) => a - b);
  if (reduced.length === 0) return x;
  if (type === REDUCE.MEAN && x.dtype !== "float32") unsupported(`it averages ${x.dtype} values`);
  const keepdims = keepDims ? 1 : 0;
  const left = TO_NHWC.filter((axis) => !reduced.includes(axis));
  const ordered = left.every((axis, i) => i === 0 || axis > (left[i - 1] ?? 0));
  if (x.layout === "nhwc" && (keepDims || ordered)) {
    const axis = reduced.map((a) => storedAxis(x, a)).sort((a, b) => a - b);
    return lower.emit(
      target,
      "Reduce",
      [lower.nhwc(x)],
      { reduce_type: type, axis, keepdims },
      keepDims ? "nhwc" : "plain",
    );
  }
  return lower.emit(target, "Reduce", [lower.plain(x)], { reduce_type: type, axis: reduced, keepdims });
}

export function softmax(lower: Lowering, target: Target, x: Value, axis: number, log: boolean): Value {
  const attributes = { log: log ? 1 : 0 };
  const at = axisIn(axis, x.shape.length);
  if (storedAxis(x, at) === x.shape.length - 1) {
    return lower.emit(target, "Softmax", [stored(lower, x)], attributes, x.layout);
  }
  if (at === x.shape.length - 1) return lower.emit(target, "Softmax", [lower.plain(x)], attributes);
  if (x.shape.length === 4 && at === 1) return lower.emit(target, "Softmax", [lower.nhwc(x)], attributes, "nhwc");
  const back = moveAxisLast(x.shape.length, at);
  const moved = transpose(lower, lower.step(target, "last"), x, back);
  const y = lower.emit(lower.step(target, "of_last"), "Softmax", [lower.plain(moved)], attributes);
  return transpose(lower, target, y, inversePermutation(back));
}

/** Several values in one layout: NHWC when one is stored so, plain otherwise. */
function together(lower: Lowering, values: readonly Value[]): { names: string[]; layout: "plain" | "nhwc" } {
  const nhwc = values.some((value) => value.layout === "nhwc") && values.every((value) => value.shape.length === 4);
  const layout = nhwc ? "nhwc" : "plain";
  return { names: values.map((value) => (nhwc ? lower.nhwc(value) : lower.plain(value))), layout };
}

export function concat(lower: Lowering, target: Target, values: readonly Value[], axis: number): Value {
  // Empty parts are legal in shape arithmetic only, which is all constant.
  const parts = values.filter((value) => !(isConstant(value) && value.data.length === 0));
  const [first] = parts;
  if (!first) return badValue("it has no input");
  const at = axisIn(axis, first.shape.length);
  if (parts.length === 1) return first;
  const { names, layout } = together(lower, parts);
  return lower.emit(target, "Concat", names, { axis: storedAxis({ ...first, layout }, at) }, layout);
}

export function split(
  lower: Lowering,
  target: Target,
  outputs: readonly string[],
  x: Value,
  axis: number,
  sizes: readonly number[],
): Value[] {
  const at = axisIn(axis, x.shape.length);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total !== x.shape[at] || sizes.length !== outputs.length || sizes.some((size) => size < 1)) {
    badValue(`parts of ${sizes.join(", ")} do not make up axis ${axis} of ${shapeText(x.shape)}`);
  }
  if (outputs.length === 1) return [x];
  const axisStored = storedAxis(x, at);
  const shape = x.layout === "nhwc" ? permuteShape(x.shape, TO_NHWC) : x.shape;
  const shapes = sizes.map((size) => shape.map((d, i) => (i === axisStored ? size : d)));
  return lower.emitAll(target.node, outputs, "Split", [stored(lower, x)], { axis: axisStored }, x.layout, shapes);
}

export interface SliceAxis {
  readonly begin: number;
  readonly end: number;
  readonly stride: number;
}

/** `axes` has one entry per axis of `x`, resolved: begin inside the axis, end -1 for "before the first element". */
export function slice(lower: Lowering, target: Target, x: Value, axes: readonly SliceAxis[]): Value {
  const whole = axes.every((a, i) => a.begin === 0 && a.stride === 1 && a.end === x.shape[i]);
  if (whole) return x;
  const sizes = axes.map(({ begin, end, stride }) => sliceCount(begin, end, stride));
  // Shape arithmetic may take nothing of a shape; computed tensors always have elements.
  if (isConstant(x) && sizes.includes(0)) return lower.constant(target.tensor, sizes, emptyLike(x.data, 0), x.dtype);
  const list = (of: (axis: SliceAxis) => number): number[] => {
    const values = axes.map(of);
    return x.layout === "nhwc" ? permuteShape(values, TO_NHWC) : values;
  };
  const attributes = { begin: list((a) => a.begin), end: list((a) => a.end), strides: list((a) => a.stride) };
  return lower.emit(target, "StridedSlice", [stored(lower, x)], attributes, x.layout);
}

/** Begin and end as NumPy reads them, for one axis. */
export function resolveSlice(
  begin: number | undefined,
  end: number | undefined,
  stride: number,
  size: number,
): SliceAxis {
  if (stride === 0) badValue("a slice has the stride 0");
  const clamp = (value: number): number => {
    const index = value < 0 ? value + size : value;
    return stride > 0 ? Math.max(0, Math.min(size, index)) : Math.max(-1, Math.min(size - 1, index));
  };
  return {
    begin: begin === undefined ? (stride > 0 ? 0 : size - 1) : clamp(begin),
    end: end === undefined ? (stride > 0 ? size : -1) : clamp(end),
    stride,
  };
}

/** `paddings` holds before and after for every axis, as the framework counts them. Negative ones cut. */
export function pad(
  lower: Lowering,
  target: Target,
  x: Value,
  paddings: readonly (readonly [number, number])[],
  padType: number,
  value: number,
): Value {
  if (paddings.length !== x.shape.length) badValue(`${paddings.length} pairs of paddings for ${shapeText(x.shape)}`);
  if (paddings.every(([before, after]) => before === 0 && after === 0)) return x;
  if (paddings.some(([before, after]) => before < 0 || after < 0)) {
    const kept = slice(
      lower,
      lower.step(target, "cut"),
      x,
      paddings.map(([before, after], axis) => {
        const size = x.shape[axis] ?? 0;
        return { begin: Math.max(0, -before), end: size + Math.min(0, after), stride: 1 };
      }),
    );
    const rest = paddings.map(([before, after]): [number, number] => [Math.max(0, before), Math.max(0, after)]);
    return pad(lower, target, kept, rest, padType, value);
  }
  const order = x.layout === "nhwc" ? TO_NHWC : x.shape.map((_, axis) => axis);
  const attributes = {
    paddings: order.flatMap((axis) => [...(paddings[axis] ?? [0, 0])]),
    pad_type: padType,
    constant_value: padType === PAD.CONSTANT ? value : 0,
  };
  return lower.emit(target, "Pad", [stored(lower, x)], attributes, x.layout);
}

/** Resolves one -1 in a shape. */
export function resolveShape(x: Value, wanted: readonly number[]): number[] {
  const unknown = wanted.indexOf(-1);
  const known = wanted.reduce((product, size) => (size === -1 ? product : product * size), 1);
  if (wanted.some((size) => size < -1) || wanted.indexOf(-1, unknown + 1) > unknown || (unknown >= 0 && known === 0)) {
    badValue(`the shape ${shapeText(wanted)} cannot be resolved`);
  }
  const shape = wanted.map((size) => (size === -1 ? elementCount(x.shape) / known : size));
  if (elementCount(shape) !== elementCount(x.shape) || !shape.every(Number.isInteger)) {
    badValue(`${shapeText(x.shape)} cannot be reshaped to ${shapeText(wanted)}`);
  }
  return shape;
}

/** A reshape in the framework's order. An NHWC tensor whose data are in that order anyway is not transposed. */
export function reshape(lower: Lowering, target: Target, x: Value, shape: Shape): Value {
  if (isConstant(x)) {
    return like(x, { name: target.tensor, shape, trained: reshapedGrid(x, shape).trained });
  }
  const inOrder = x.layout === "nhwc" && keepsOrder(permuteShape(x.shape, TO_NHWC), TO_NCHW);
  return lower.emit(target, "Reshape", [inOrder ? lower.nhwc(x) : lower.plain(x)], {}, "plain", shape);
}

/** The grid of a reshaped constant, where an axis of the result is the grid's axis. */
function reshapedGrid({ trained, shape: from }: ConstantValue, shape: Shape): Pick<Value, "trained"> {
  if (!trained || trained.axis === null) return trained ? { trained } : {};
  const { axis } = trained;
  const behind = elementCount(from.slice(axis + 1));
  const found = shape.findIndex((size, i) => size === from[axis] && elementCount(shape.slice(i + 1)) === behind);
  return found < 0 ? {} : { trained: { ...trained, axis: found } };
}

/** A permutation of the framework's axes. One that only undoes or makes the NHWC storage costs nothing. */
export function transpose(lower: Lowering, target: Target, x: Value, dims: readonly number[]): Value {
  const identity = x.shape.map((_, axis) => axis);
  if (
    !sameShape(
      [...dims].sort((a, b) => a - b),
      identity,
    )
  )
    badValue(`${shapeText(dims)} is no permutation`);
  if (sameShape(dims, identity)) return x;
  if (isConstant(x)) {
    lower.spend(elementCount(x.shape));
    return like(x, { name: target.tensor, trained: undefined }, permutedForm(x, dims));
  }
  if (x.shape.length === 4 && x.layout === "nhwc" && sameShape(dims, TO_NHWC)) {
    return { ...x, shape: permuteShape(x.shape, dims), layout: "plain" };
  }
  if (x.shape.length === 4 && x.layout === "plain" && sameShape(dims, TO_NCHW)) {
    return { ...x, shape: permuteShape(x.shape, dims), layout: "nhwc" };
  }
  // Stored axis TO_NHWC[i] of an NHWC tensor is framework axis i.
  const over = x.layout === "nhwc" ? dims.map((axis) => storedAxis(x, axis)) : [...dims];
  return lower.emit(target, "Transpose", [stored(lower, x)], { dims: over });
}

export function localResponseNorm(
  lower: Lowering,
  target: Target,
  x: Value,
  order: ImageOrder,
  attributes: { readonly size: number; readonly alpha: number; readonly beta: number; readonly bias: number },
): Value {
  imageSize(x, order);
  if (attributes.size < 1) badValue(`the size ${attributes.size} is below 1`);
  return emitImage(lower, target, "LocalResponseNorm", x, order, [], { ...attributes });
}

export function matMul(
  lower: Lowering,
  target: Target,
  a: Value,
  b: Value,
  transposeA = false,
  transposeB = false,
): Value {
  const attributes = { transpose_a: transposeA ? 1 : 0, transpose_b: transposeB ? 1 : 0 };
  if (a.shape.length < 2 || b.shape.length < 2) unsupported("it multiplies vectors");
  return lower.emit(target, "MatMul", [lower.plain(a), lower.plain(b)], attributes);
}

export interface FullyConnectedSpec {
  /** The matrix is [O, K], not [K, O]. */
  readonly transposed: boolean;
  /** Factor of the product. */
  readonly alpha: number;
  readonly bias?: ConstantValue;
  /** Factor of the bias. */
  readonly beta?: number;
}

/** alpha * x * matrix + beta * bias, with a constant matrix. */
export function fullyConnected(
  lower: Lowering,
  target: Target,
  x: Value,
  matrix: ConstantValue,
  spec: FullyConnectedSpec,
): Value {
  const { transposed, alpha, bias, beta = 1 } = spec;
  const dims = transposed ? [0, 1] : [1, 0];
  const shape = permuteShape(matrix.shape, dims);
  const filter = lower.constantForm(matrix, `filter ${transposed} ${alpha}`, () => {
    if (alpha === 1) return permutedForm(matrix, dims);
    const scaled = transposeData(matrix.data, matrix.shape, dims);
    return { shape, data: Float32Array.from(scaled, (value) => value * alpha) };
  });
  const inputs = [lower.plain(x), filter];
  if (bias) {
    const channels = shape[0] ?? 0;
    const single = bias.data.length === 1;
    const make = (): { shape: Shape; data: ConstantData } => ({
      shape: [channels],
      data: Float32Array.from({ length: channels }, (_, c) => (bias.data[single ? 0 : c] ?? 0) * beta),
    });
    inputs.push(lower.constantForm(bias, `bias ${channels} ${beta}`, make));
  }
  return lower.emit(target, "FullyConnected", inputs);
}

/** x + bias, where the bias lies along `channelAxis`. */
export function addBias(lower: Lowering, target: Target, x: Value, bias: Value, channelAxis: number): Value {
  if (bias.shape.length !== 1 || bias.shape[0] !== x.shape[channelAxis]) {
    badValue(`a bias of shape ${shapeText(bias.shape)} does not fit ${shapeText(x.shape)}`);
  }
  if (channelAxis === x.shape.length - 1) return eltwise(lower, target, ELTWISE.SUM, x, bias);
  const shape = [bias.shape[0] ?? 0, ...new Array<number>(x.shape.length - 1 - channelAxis).fill(1)];
  // The bias keeps its own name when it is constant: only its shape is written differently.
  const spread = isConstant(bias) ? like(bias, { shape }) : reshape(lower, lower.step(target, "bias"), bias, shape);
  return eltwise(lower, target, ELTWISE.SUM, x, spread);
}

/** Values of a small constant: a shape, axes, paddings. */
export function numbersOf(value: Value | undefined, what: string): number[] {
  if (!isConstant(value)) return unsupported(`${what} is computed at run time`);
  if (value.data.length > 4096) badValue(`${what} has ${value.data.length} elements`);
  return Array.from(value.data as ConstantData);
}

/** The only value of a constant. */
export function numberOf(value: Value | undefined, what: string): number {
  const numbers = numbersOf(value, what);
  const [only] = numbers;
  return only !== undefined && numbers.length === 1 ? only : badValue(`${what} has ${numbers.length} values`);
}

/** The constant behind a value. */
export function constantOf(value: Value | undefined, what: string): ConstantValue {
  return isConstant(value) ? value : unsupported(`${what} is computed at run time`);
}
