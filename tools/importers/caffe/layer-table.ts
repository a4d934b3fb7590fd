/** The table of Caffe layers: one entry each, from parameters and blobs to the operations that importers share. */

import { derive, like } from "../../ir/deferred";
import { windowCount } from "../../ir/infer-shapes";
import { ELTWISE, POOLING, REDUCE } from "../../ir/operators";
import { elementCount, type Shape, sameShape, shapeText } from "../../ir/shape";
import { TO_NCHW, TO_NHWC } from "../../ir/transpose";
import { badValue, unsupported } from "../failures";
import { type ConstantValue, type Target, transposedFrom, type Value } from "../lowering";
import {
  activation,
  axisIn,
  batchNorm,
  concat,
  convolution,
  eltwise,
  eltwiseChain,
  eltwiseScalar,
  fullyConnected,
  imageChannels,
  imageSize,
  localResponseNorm,
  matMul,
  pooling,
  reduce,
  reshape,
  resolveShape,
  slice,
  softmax,
  split,
  transpose,
} from "../operations";
import { argMax, castTo, lpNorm, mvn, tile } from "../value-operations";
import { DETECTION_LAYERS } from "./detection-table";
import { IMAGE_LAYERS } from "./image-table";
import { type CaffeLayer, type CaffeLowering, MAX_AXES } from "./layer";
import { shapesOf } from "./net";
import type { Parameters } from "./parameters";
import { checkWindow, pair } from "./window-parameters";
import { YOLO_LAYERS } from "./yolo-table";

/** `depthwise`: the layer of several forks that is a convolution with a group per channel. */
const conv =
  (depthwise: boolean): CaffeLowering =>
  (layer) => {
    const x = layer.only();
    imageSize(x, "NCHW");
    const p = layer.parameters("convolution_param");
    const outputs = p.integer("num_output");
    const kernel = pair(p, "kernel_size", "kernel");
    const strides = pair(p, "stride", "stride", 1);
    const [padH, padW] = pair(p, "pad", "pad", 0);
    const [dilationH, dilationW = dilationH] = p.integers("dilation");
    const dilations: [number, number] = [dilationH ?? 1, dilationW ?? 1];
    const declaredGroup = p.integer("group", 1);
    const bias = p.flag("bias_term", true);
    if (layer.axis(p, x) !== 1) unsupported("it convolves over other axes than rows and columns");
    checkWindow(kernel, strides, dilations, [padH, padW]);
    const channels = imageChannels(x, "NCHW");
    const group = depthwise ? channels : declaredGroup;
    if (group < 1 || channels % group !== 0 || outputs < 1 || outputs % group !== 0) {
      badValue(`${channels} channels and ${outputs} outputs do not make ${group} groups`);
    }
    const [filter, offset] = layer.blobs({
      filter: [outputs, channels / group, ...kernel],
      ...(bias && { bias: [outputs] }),
    });
    return convolution(layer.lower, layer.target, x, filter ?? badValue("it has no filter"), "NCHW", {
      strides,
      dilations,
      pads: [padH, padW, padH, padW],
      group,
      filterOrder: "OIHW",
      ...(offset && { bias: offset }),
    });
  };

/** The matrix of a product with rows of images: its columns in the order in which the graph stores the images. */
function imageColumns(layer: CaffeLayer, matrix: ConstantValue, image: Shape): ConstantValue {
  const [rows = 0] = matrix.shape;
  const [, ...chw] = image;
  layer.lower.spend(elementCount(matrix.shape));
  return like(matrix, derive({}, matrix, transposedFrom([rows, ...chw], TO_NHWC)));
}

const innerProduct: CaffeLowering = (layer) => {
  const { lower, target } = layer;
  let x = layer.only();
  const p = layer.parameters("inner_product_param");
  const outputs = p.integer("num_output");
  const bias = p.flag("bias_term", true);
  const columnsFirst = p.flag("transpose", false);
  const axis = layer.axis(p, x);
  if (outputs < 1) badValue(`'num_output' is ${outputs}`);
  const leading = x.shape.slice(0, axis);
  const depth = elementCount(x.shape.slice(axis));
  const blobs = layer.blobs({
    filter: columnsFirst ? [depth, outputs] : [outputs, depth],
    ...(bias && { bias: [outputs] }),
  });
  let matrix = blobs[0] ?? badValue("it has no filter");
  const offset = blobs[1];
  if (x.layout === "nhwc" && axis === 1 && !columnsFirst) {
    // Permuting the columns once saves a transposition of the image at every run.
    matrix = imageColumns(layer, matrix, x.shape);
    x = transpose(lower, lower.step(target, "image"), x, TO_NHWC);
  }
  const rows = sameShape(x.shape, [...leading, depth])
    ? x
    : reshape(lower, lower.step(target, "rows"), x, [...leading, depth]);
  return fullyConnected(lower, target, rows, matrix, {
    transposed: !columnsFirst,
    alpha: 1,
    ...(offset && { bias: offset }),
  });
};

/** Caffe's number of windows along an axis; it looks at the clipping rule only when there is padding. */
function caffeCount(size: number, padding: number, clip: boolean, kernel: number, stride: number, up: boolean): number {
  const steps = (size + 2 * padding - kernel) / stride;
  const count = (up ? Math.ceil(steps) : Math.floor(steps)) + 1;
  return clip && (count - 1) * stride >= size + padding ? count - 1 : count;
}

const pool: CaffeLowering = (layer) => {
  const x = layer.only();
  const size = imageSize(x, "NCHW");
  const p = layer.parameters("pooling_param");
  const kind = p.choice("pool", ["MAX", "AVE", "STOCHASTIC"], "MAX");
  const global = p.flag("global_pooling", false);
  // Forks name rounding down in two ways; Caffe itself added the second.
  const roundUp = p.flag("ceil_mode", true) && p.choice("round_mode", ["CEIL", "FLOOR"], "CEIL") === "CEIL";
  const kernel = global ? size : pair(p, "kernel_size", "kernel");
  const strides = pair(p, "stride", "stride", 1);
  const pads = pair(p, "pad", "pad", 0);
  checkWindow(kernel, strides, [1], pads);
  if (kind === "STOCHASTIC") unsupported("it pools at random (STOCHASTIC)");
  if (layer.outputs.length > 1) unsupported("it gives the positions of the maxima");
  if (global) {
    if (p.has("kernel_size") || p.has("kernel_h") || p.has("kernel_w")) {
      badValue("it has a kernel, and global_pooling");
    }
    if (Math.max(...pads) > 0 || Math.max(...strides) > 1) badValue("it has padding or steps, and global_pooling");
    return reduce(layer.lower, layer.target, kind === "MAX" ? REDUCE.MAX : REDUCE.MEAN, x, [2, 3], true);
  }
  const clip = Math.max(...pads) > 0;
  for (const axis of [0, 1] as const) {
    if (pads[axis] >= kernel[axis]) badValue(`a padding of ${pads[axis]} for a kernel of ${kernel[axis]}`);
    const [image, pad, window, step] = [size[axis], pads[axis], kernel[axis], strides[axis]];
    const windows = caffeCount(image, pad, clip, window, step, roundUp);
    if (windows > 0 && windows !== windowCount(image, pad, pad, window, step, 1, roundUp)) {
      unsupported("its last window lies outside the image");
    }
  }
  return pooling(layer.lower, layer.target, x, "NCHW", {
    type: kind === "MAX" ? POOLING.MAX : POOLING.AVG,
    kernel,
    strides,
    dilations: [1, 1],
    pads: [pads[0], pads[1], pads[0], pads[1]],
    roundUp,
    // Caffe divides by the part of the window that is inside the padded image.
    countPads: true,
  });
};

const vector = (layer: CaffeLayer, suffix: string, channels: number, value: number): ConstantValue =>
  layer.lower.constant(
    layer.lower.fresh(`${layer.layer.name}/${suffix}`),
    [channels],
    new Float32Array(channels).fill(value),
  );

const batchNormalization: CaffeLowering = (layer) => {
  const x = layer.only();
  const p = layer.parameters("batch_norm_param");
  const epsilon = p.number("eps", Math.fround(1e-5));
  p.number("moving_average_fraction", 1);
  if (!p.flag("use_global_stats", true)) unsupported("it normalizes with the statistics of the batch");
  const channels = x.shape[1] ?? badValue("its input has one axis");
  const [mean, variance, count] = layer.blobs({ mean: [channels], variance: [channels], factor: [1] });
  if (!mean || !variance || !count) return badValue("it has no statistics");
  // The blobs are sums over the training; the third says of how many.
  const divisor = count.data[0] ?? 0;
  const factor = divisor === 0 ? 0 : 1 / divisor;
  const averaged = (sum: ConstantValue): ConstantValue => ({
    ...sum,
    data: Float32Array.from(sum.data, (value) => value * factor),
  });
  return batchNorm(layer.lower, layer.target, x, 1, {
    scale: vector(layer, "scale", channels, 1),
    offset: vector(layer, "offset", channels, 0),
    mean: averaged(mean),
    variance: averaged(variance),
    epsilon,
  });
};

/** The shape of a factor that starts at `axis` of x, with ones for the axes behind it. */
function spreadShape(x: Value, axis: number, own: Shape): Shape {
  const behind = x.shape.length - axis - own.length;
  const fits = own.every((size, i) => size === x.shape[axis + i]);
  if (behind < 0 || !fits) badValue(`${shapeText(own)} does not fit ${shapeText(x.shape)} from axis ${axis} on`);
  return [...own, ...new Array<number>(behind).fill(1)];
}

/** The second bottom, or what a blob of that name holds, along `axis` and `num_axes` axes. */
function operand(layer: CaffeLayer, p: Parameters, x: Value, own: Shape | undefined, name: string): Value {
  const axis = layer.axis(p, x);
  const computed = layer.inputs[1];
  if (computed) {
    const shape = spreadShape(x, axis, computed.shape);
    return sameShape(shape, computed.shape)
      ? computed
      : reshape(layer.lower, layer.lower.step(layer.target, name), computed, shape);
  }
  const [blob] = layer.blobs({ [name]: own ?? [] });
  return blob ? like(blob, { shape: spreadShape(x, axis, own ?? []) }) : badValue(`it has no ${name}`);
}

/** Axes that a blob covers: `num_axes` from `axis` on, -1 for all. */
function covered(layer: CaffeLayer, p: Parameters, x: Value): Shape {
  const axis = layer.axis(p, x);
  const count = p.integer("num_axes", 1);
  const end = count === -1 ? x.shape.length : axis + count;
  if (count < -1 || end > x.shape.length) badValue(`'num_axes' is ${count} from axis ${axis} of ${shapeText(x.shape)}`);
  return x.shape.slice(axis, end);
}

const scale: CaffeLowering = (layer) => {
  const { lower, target } = layer;
  const x = layer.input(0);
  const p = layer.parameters("scale_param");
  const withBias = p.flag("bias_term", false);
  const axis = layer.axis(p, x);
  const own = covered(layer, p, x);
  if (layer.inputs.length > 1) {
    const inner = withBias ? lower.step(target, "scaled") : target;
    const y = eltwise(lower, inner, ELTWISE.PROD, x, operand(layer, p, x, undefined, "factor"));
    if (!withBias) return y;
    const factorShape = layer.input(1).shape;
    const [bias] = layer.blobs({ bias: factorShape });
    const offset = bias ?? badValue("it has no bias");
    return eltwise(lower, target, ELTWISE.SUM, y, like(offset, { shape: spreadShape(x, axis, factorShape) }));
  }
  const [factor, bias] = layer.blobs({ factor: own, ...(withBias && { bias: own }) });
  if (!factor) return badValue("it has no factor");
  if (own.length === 1) {
    const [channels = 0] = own;
    return batchNorm(lower, target, x, axis, {
      scale: factor,
      offset: bias ?? vector(layer, "offset", channels, 0),
      mean: vector(layer, "mean", channels, 0),
      variance: vector(layer, "variance", channels, 1),
      epsilon: 0,
    });
  }
  const shape = spreadShape(x, axis, own);
  const y = eltwise(lower, bias ? lower.step(target, "scaled") : target, ELTWISE.PROD, x, like(factor, { shape }));
  return bias ? eltwise(lower, target, ELTWISE.SUM, y, like(bias, { shape })) : y;
};

const addedBias: CaffeLowering = (layer) => {
  const x = layer.input(0);
  const p = layer.parameters("bias_param");
  const own = covered(layer, p, x);
  return eltwise(layer.lower, layer.target, ELTWISE.SUM, x, operand(layer, p, x, own, "bias"));
};

const eltwiseOf: CaffeLowering = (layer) => {
  const { lower, target, inputs } = layer;
  const p = layer.parameters("eltwise_param");
  const operation = p.choice("operation", ["PROD", "SUM", "MAX"], "SUM");
  const coefficients = p.numbers("coeff");
  const [first, second] = inputs;
  if (!first || !second) return badValue("it has fewer than two inputs");
  const other = inputs.find((x) => !sameShape(x.shape, first.shape));
  if (other) badValue(`its inputs have the shapes ${shapeText(first.shape)} and ${shapeText(other.shape)}`);
  if (coefficients.length === 0) {
    const types = { PROD: ELTWISE.PROD, SUM: ELTWISE.SUM, MAX: ELTWISE.MAX };
    return eltwiseChain(lower, target, types[operation], inputs);
  }
  if (operation !== "SUM") badValue(`'coeff' is for sums, not ${operation}`);
  if (coefficients.length !== inputs.length) {
    badValue(`it has ${coefficients.length} coefficients for ${inputs.length} inputs`);
  }
  const [a, b] = coefficients;
  if (inputs.length === 2 && a === 1 && b === -1) return eltwise(lower, target, ELTWISE.SUB, first, second);
  const terms = inputs.map((x, i) => {
    const coefficient = coefficients[i] ?? 1;
    return coefficient === 1 ? x : eltwiseScalar(lower, lower.step(target, `term${i}`), ELTWISE.PROD, x, coefficient);
  });
  return eltwiseChain(lower, target, ELTWISE.SUM, terms);
};

/** factor * x + offset. Neither is emitted where it changes nothing; `last` says that the result is the layer's. */
function affine(layer: CaffeLayer, x: Value, factor: number, offset: number, last: boolean): Value {
  const { lower, target } = layer;
  const inner = last && offset === 0 ? target : lower.step(target, "scaled");
  const scaled = factor === 1 ? x : eltwiseScalar(lower, inner, ELTWISE.PROD, x, Math.fround(factor));
  if (offset === 0) return scaled;
  return eltwiseScalar(lower, last ? target : lower.step(target, "shifted"), ELTWISE.SUM, scaled, Math.fround(offset));
}

/** (shift + scale * x) ^ power */
const power: CaffeLowering = (layer) => {
  const p = layer.parameters("power_param");
  const exponent = p.number("power", 1);
  const factor = p.number("scale", 1);
  const shift = p.number("shift", 0);
  if (exponent === 0 || factor === 0) unsupported("its result is constant");
  const inner = affine(layer, layer.only(), factor, shift, exponent === 1);
  return exponent === 1 ? inner : eltwiseScalar(layer.lower, layer.target, ELTWISE.POW, inner, Math.fround(exponent));
};

/** base ^ (shift + scale * x); the base -1 stands for e. */
const exponential: CaffeLowering = (layer) => {
  const p = layer.parameters("exp_param");
  const base = p.number("base", -1);
  const factor = p.number("scale", 1);
  const shift = p.number("shift", 0);
  if (base !== -1 && base <= 0) badValue(`the base ${base} is not positive`);
  const log = base === -1 ? 1 : Math.log(base);
  if (factor * log === 0) unsupported("its result is constant");
  const inner = affine(layer, layer.only(), factor * log, shift * log, false);
  return activation(layer.lower, layer.target, inner, { activation: "EXP" });
};

const unary =
  (attributes: (layer: CaffeLayer) => Readonly<Record<string, number | string>>): CaffeLowering =>
  (layer) =>
    activation(layer.lower, layer.target, layer.only(), attributes(layer));

const named = (name: string) => (): Record<string, string> => ({ activation: name });

const prelu: CaffeLowering = (layer) => {
  const { lower, target } = layer;
  const x = layer.only();
  const shared = layer.parameters("prelu_param").flag("channel_shared", false);
  const channels = x.shape[1] ?? badValue("its input has one axis");
  const [slope] = layer.blobs({ slope: shared ? [1] : [channels] });
  if (!slope) return badValue("it has no slope");
  if (slope.data.length === 1) {
    return activation(lower, target, x, { activation: "LEAKYRELU", activation_coefficient: slope.data[0] ?? 0 });
  }
  if (x.shape.length !== 4 && x.shape.length !== 2) unsupported(`its input has the shape ${shapeText(x.shape)}`);
  const stored: Value = x.shape.length === 4 ? { ...x, name: lower.nhwc(x), layout: "nhwc" } : x;
  return activation(lower, target, stored, { activation: "PRELU" }, lower.plain(slope));
};

const concatOf: CaffeLowering = (layer) => {
  const p = layer.parameters("concat_param");
  const older = p.has("concat_dim") ? p.integer("concat_dim") : 1;
  const x = layer.input(0);
  return concat(layer.lower, layer.target, layer.inputs, layer.axis(p, x, older));
};

const sliceOf: CaffeLowering = (layer) => {
  const x = layer.only();
  const p = layer.parameters("slice_param");
  const axis = layer.axis(p, x, p.has("slice_dim") ? p.integer("slice_dim") : 1);
  const points = p.integers("slice_point");
  const { outputs } = layer;
  const size = x.shape[axis] ?? 0;
  if (points.length > 0 && points.length !== outputs.length - 1) {
    badValue(`it has ${points.length} slice points for ${outputs.length} parts`);
  }
  if (points.length === 0 && size % outputs.length !== 0)
    badValue(`${size} does not divide into ${outputs.length} parts`);
  const ends = points.length > 0 ? [...points, size] : outputs.map((_, i) => ((i + 1) * size) / outputs.length);
  const sizes = ends.map((end, i) => end - (ends[i - 1] ?? 0));
  return split(layer.lower, layer.target, outputs, x, axis, sizes);
};

const flatten: CaffeLowering = (layer) => {
  const x = layer.only();
  const p = layer.parameters("flatten_param");
  const axis = layer.axis(p, x);
  const end = axisIn(p.integer("end_axis", -1), x.shape.length);
  if (end < axis) badValue(`'end_axis' is before 'axis'`);
  const merged = elementCount(x.shape.slice(axis, end + 1));
  const shape = [...x.shape.slice(0, axis), merged, ...x.shape.slice(end + 1)];
  return sameShape(shape, x.shape) ? x : reshape(layer.lower, layer.target, x, shape);
};

/** Axes `axis` to `axis + num_axes` take the given shape; 0 keeps the size of the axis, -1 is the rest. */
const reshapeOf: CaffeLowering = (layer) => {
  const x = layer.only();
  const p = layer.parameters("reshape_param");
  const [wanted] = shapesOf(p, "shape");
  const first = p.integer("axis", 0);
  const count = p.integer("num_axes", -1);
  const rank = x.shape.length;
  const axis = first < 0 ? first + rank + 1 : first;
  const end = count === -1 ? rank : axis + count;
  if (!wanted) return badValue("it has no shape");
  if (axis < 0 || axis > rank || count < -1 || end > rank) badValue(`axes ${axis} to ${end} of ${shapeText(x.shape)}`);
  const copied = wanted.map((size, i) =>
    size === 0 ? (x.shape[axis + i] ?? badValue("it copies a missing axis")) : size,
  );
  const all = [...x.shape.slice(0, axis), ...copied, ...x.shape.slice(end)];
  if (all.length > MAX_AXES) badValue(`its shape has ${all.length} axes`);
  const shape = resolveShape(x, all);
  return sameShape(shape, x.shape) ? x : reshape(layer.lower, layer.target, x, shape);
};

/** The first two axes of the first input, the last two of an image's shape: back from pairs of pixels to the image they are of. */
const nonlocalReshape: CaffeLowering = (layer) => {
  const [x, like] = [layer.input(0), layer.input(1)];
  const [batch, channels] = x.shape;
  const [rows, columns] = like.shape.slice(2);
  if (batch === undefined || channels === undefined || rows === undefined || like.shape.length !== 4) {
    return badValue(`it gives ${shapeText(x.shape)} the rows and columns of ${shapeText(like.shape)}`);
  }
  return reshape(layer.lower, layer.target, x, resolveShape(x, [batch, channels, rows, columns ?? 1]));
};

const permute: CaffeLowering = (layer) => {
  const x = layer.only();
  const order = layer.parameters("permute_param").integers("order");
  const rest = x.shape.map((_, axis) => axis).filter((axis) => !order.includes(axis));
  return transpose(layer.lower, layer.target, x, [...order, ...rest]);
};

/** Channel g * n + i moves to i * groups + g, where n = channels / groups. */
const shuffleChannel: CaffeLowering = (layer) => {
  const { lower, target } = layer;
  const x = layer.only();
  const groups = layer.parameters("shuffle_channel_param").integer("group", 1);
  const [rows, columns] = imageSize(x, "NCHW");
  const channels = imageChannels(x, "NCHW");
  if (groups < 1 || channels % groups !== 0) badValue(`${channels} channels do not make ${groups} groups`);
  // On the image as it is stored: channels last.
  const image = transpose(lower, lower.step(target, "image"), x, TO_NHWC);
  const shape = [x.shape[0] ?? 1, rows, columns];
  const grouped = reshape(lower, lower.step(target, "groups"), image, [...shape, groups, channels / groups]);
  const mixed = transpose(lower, lower.step(target, "mixed"), grouped, [0, 1, 2, 4, 3]);
  return transpose(lower, target, reshape(lower, target, mixed, [...shape, channels]), TO_NCHW);
};

/** x * (1 + alpha * mean of squares in the window around the pixel) ^ -beta */
function withinChannel(layer: CaffeLayer, size: number, alpha: number, beta: number): Value {
  const { lower, target } = layer;
  const x = layer.only();
  imageSize(x, "NCHW");
  const pad = (size - 1) / 2;
  const squares = activation(lower, lower.step(target, "squares"), x, { activation: "SQUARE" });
  const means = pooling(lower, lower.step(target, "means"), squares, "NCHW", {
    type: POOLING.AVG,
    kernel: [size, size],
    strides: [1, 1],
    dilations: [1, 1],
    pads: [pad, pad, pad, pad],
    roundUp: false,
    countPads: true,
  });
  const scaled = eltwiseScalar(lower, lower.step(target, "scaled"), ELTWISE.PROD, means, Math.fround(alpha));
  const safe = eltwiseScalar(lower, lower.step(target, "safe"), ELTWISE.SUM, scaled, 1);
  const factor = eltwiseScalar(lower, lower.step(target, "factor"), ELTWISE.POW, safe, Math.fround(-beta));
  return eltwise(lower, target, ELTWISE.PROD, x, factor);
}

const localResponse: CaffeLowering = (layer) => {
  const p = layer.parameters("lrn_param");
  const size = p.integer("local_size", 5);
  const alpha = p.number("alpha", 1);
  const beta = p.number("beta", 0.75);
  const bias = p.number("k", 1);
  const region = p.choice("norm_region", ["ACROSS_CHANNELS", "WITHIN_CHANNEL"], "ACROSS_CHANNELS");
  if (size < 1 || size % 2 === 0) badValue(`'local_size' is ${size}, not odd`);
  if (region === "WITHIN_CHANNEL") return withinChannel(layer, size, alpha, beta);
  return localResponseNorm(layer.lower, layer.target, layer.only(), "NCHW", { size, alpha: alpha / size, beta, bias });
};

/** x / sqrt(sum of squares + eps) * scale; the sum is over the channels of each pixel, or over the whole image. */
const normalize: CaffeLowering = (layer) => {
  const { lower, target } = layer;
  const x = layer.only();
  const p = layer.parameters("norm_param");
  const across = p.flag("across_spatial", true);
  const shared = p.flag("channel_shared", true);
  const epsilon = p.number("eps", Math.fround(1e-10));
  imageSize(x, "NCHW");
  const channels = imageChannels(x, "NCHW");
  const [factor] = layer.blobs({ factor: [shared ? 1 : channels] });
  if (!factor) return badValue("it has no factor");
  const squares = eltwise(lower, lower.step(target, "squares"), ELTWISE.PROD, x, x);
  const sum = reduce(lower, lower.step(target, "sum"), REDUCE.SUM, squares, across ? [1, 2, 3] : [1], true);
  const safe = eltwiseScalar(lower, lower.step(target, "safe"), ELTWISE.SUM, sum, epsilon);
  const norm = activation(lower, lower.step(target, "norm"), safe, { activation: "RSQRT" });
  const normal = eltwise(lower, lower.step(target, "normal"), ELTWISE.PROD, x, norm);
  return eltwise(lower, target, ELTWISE.PROD, normal, { ...factor, shape: [factor.data.length, 1, 1] });
};

/** Without a learned factor, over the channels of each pixel. */
const normalizedBy =
  (norm: number): CaffeLowering =>
  (layer) => {
    const x = layer.only();
    return lpNorm(layer.lower, layer.target, x, norm, [1], Math.fround(1e-10));
  };

const mvnOf: CaffeLowering = (layer) => {
  const x = layer.only();
  const p = layer.parameters("mvn_param");
  const across = p.flag("across_channels", false);
  imageSize(x, "NCHW");
  return mvn(layer.lower, layer.target, x, {
    axes: across ? [1, 2, 3] : [2, 3],
    epsilon: p.number("eps", Math.fround(1e-9)),
    variance: p.flag("normalize_variance", true),
    outside: true,
  });
};

const groupNorm: CaffeLowering = (layer) => {
  const { lower, target } = layer;
  const x = layer.only();
  const p = layer.parameters("group_norm_param");
  const groups = p.integer("group_num", 32);
  const [n = 1, channels = 0] = x.shape;
  if (groups < 1 || channels % groups !== 0) badValue(`${channels} channels do not make ${groups} groups`);
  const rows = [n, groups, elementCount(x.shape) / (n * groups)];
  const flat = reshape(lower, lower.step(target, "groups"), x, rows);
  const normal = mvn(lower, lower.step(target, "normal"), flat, { axes: [2], epsilon: p.number("eps", 1e-5) });
  return reshape(lower, target, normal, x.shape);
};

/** The sum, or the like, over all axes from one on, times a factor. */
const reduction: CaffeLowering = (layer) => {
  const { lower, target } = layer;
  const x = layer.only();
  const p = layer.parameters("reduction_param");
  // Numbers of the enumeration begin with 1.
  const operation = p.choice("operation", ["", "SUM", "ASUM", "SUMSQ", "MEAN"], "SUM");
  const axis = layer.axis(p, x, 0);
  const factor = p.number("coeff", 1);
  const axes = x.shape.map((_, i) => i).slice(axis);
  const before = { ASUM: "ABS", SUMSQ: "SQUARE" } as const;
  const mapped =
    operation === "ASUM" || operation === "SUMSQ"
      ? activation(lower, lower.step(target, "mapped"), x, { activation: before[operation] })
      : x;
  const type = operation === "MEAN" ? REDUCE.MEAN : REDUCE.SUM;
  const sum = reduce(lower, factor === 1 ? target : lower.step(target, "sum"), type, mapped, axes, false);
  return factor === 1 ? sum : eltwiseScalar(lower, target, ELTWISE.PROD, sum, Math.fround(factor));
};

/** The index of the greatest element, as float32; of all axes behind the first where none is given. */
const argMaxOf: CaffeLowering = (layer) => {
  const { lower, target } = layer;
  const x = layer.only();
  const p = layer.parameters("argmax_param");
  const values = p.flag("out_max_val", false);
  if (p.integer("top_k", 1) !== 1) unsupported("it gives more than the greatest element (top_k)");
  const given = p.has("axis");
  const [n = 1] = x.shape;
  const rows = given ? x : reshape(lower, lower.step(target, "rows"), x, [n, 1, elementCount(x.shape) / n]);
  const axis = given ? layer.axis(p, x) : 2;
  const greatest = (to: Target): Value => reduce(lower, to, REDUCE.MAX, rows, [axis], true);
  const index = (to: Target): Value => {
    const found = argMax(lower, lower.step(to, "int32"), rows, { axis, keepDims: true });
    return castTo(lower, to, found, "float32");
  };
  if (!values) return index(target);
  if (given) return greatest(target);
  return concat(lower, target, [index(lower.step(target, "index")), greatest(lower.step(target, "value"))], 1);
};

const tileOf: CaffeLowering = (layer) => {
  const x = layer.only();
  const p = layer.parameters("tile_param");
  const axis = layer.axis(p, x);
  const count = p.integer("tiles");
  if (count < 1) badValue(`'tiles' is ${count}`);
  const repeats = x.shape.map((_, i) => (i === axis ? count : 1));
  return tile(layer.lower, layer.target, x, repeats);
};

/** The part of the first input that has the shape of the second, from `axis` on. */
const crop: CaffeLowering = (layer) => {
  const x = layer.input(0);
  const p = layer.parameters("crop_param");
  const axis = layer.axis(p, x, 2);
  const offsets = p.integers("offset");
  const other = layer.input(1).shape;
  const count = x.shape.length - axis;
  if (other.length !== x.shape.length) badValue(`${shapeText(x.shape)} cannot be cut to ${shapeText(other)}`);
  if (offsets.length > 1 && offsets.length !== count) badValue(`${offsets.length} offsets for ${count} axes`);
  const axes = x.shape.map((size, i) => {
    const begin = i < axis ? 0 : (offsets[offsets.length > 1 ? i - axis : 0] ?? 0);
    const end = i < axis ? size : begin + (other[i] ?? 0);
    if (begin < 0 || end > size) badValue(`${other[i]} elements from ${begin} on are outside an axis of ${size}`);
    return { begin, end, stride: 1 };
  });
  return slice(layer.lower, layer.target, x, axes);
};

/** log(shift + scale * x) to a base, of which -1 stands for e. */
const logarithm: CaffeLowering = (layer) => {
  const p = layer.parameters("log_param");
  const base = p.number("base", -1);
  if (base !== -1 && (base <= 0 || base === 1)) badValue(`the base is ${base}`);
  const inner = affine(layer, layer.only(), p.number("scale", 1), p.number("shift", 0), false);
  const { lower, target } = layer;
  if (base === -1) return activation(lower, target, inner, { activation: "LOG" });
  const log = activation(lower, lower.step(target, "log"), inner, { activation: "LOG" });
  return eltwiseScalar(lower, target, ELTWISE.PROD, log, Math.fround(1 / Math.log(base)));
};

/** 1 where x is above the threshold, else 0. */
const threshold: CaffeLowering = (layer) => {
  const { lower, target } = layer;
  const limit = layer.parameters("threshold_param").number("threshold", 0);
  const above = eltwiseScalar(lower, lower.step(target, "int32"), ELTWISE.GREATER, layer.only(), Math.fround(limit));
  return castTo(lower, target, above, "float32");
};

/** x * sigmoid(beta * x) */
const swish: CaffeLowering = (layer) => {
  const { lower, target } = layer;
  const x = layer.only();
  const beta = layer.parameters("swish_param").number("beta", 1);
  if (beta === 1) return activation(lower, target, x, { activation: "SILU" });
  const scaled = eltwiseScalar(lower, lower.step(target, "scaled"), ELTWISE.PROD, x, Math.fround(beta));
  const gate = activation(lower, lower.step(target, "gate"), scaled, { activation: "SIGMOID" });
  return eltwise(lower, target, ELTWISE.PROD, x, gate);
};

export const CAFFE_LAYERS: Readonly<Record<string, CaffeLowering>> = {
  // Products.
  Convolution: conv(false),
  ConvolutionDepthwise: conv(true),
  DepthwiseConvolution: conv(true),
  InnerProduct: innerProduct,
  MatMul: (layer) => matMul(layer.lower, layer.target, layer.input(0), layer.input(1)),

  // Normalization.
  BatchNorm: batchNormalization,
  Scale: scale,
  Bias: addedBias,
  LRN: localResponse,
  Normalize: normalize,
  L1Normalization: normalizedBy(1),
  L2Normalization: normalizedBy(2),
  MVN: mvnOf,
  GroupNorm: groupNorm,

  // Element by element.
  Eltwise: eltwiseOf,
  // What a fork calls the sum.
  Add: eltwiseOf,
  Power: power,
  Exp: exponential,
  ReLU: unary((layer): Readonly<Record<string, number | string>> => {
    const slope = layer.parameters("relu_param").number("negative_slope", 0);
    return slope === 0 ? { activation: "RELU" } : { activation: "LEAKYRELU", activation_coefficient: slope };
  }),
  ReLU6: unary(() => ({ activation: "RELUX", max_limit: 6 })),
  PReLU: prelu,
  ELU: unary((layer) => ({
    activation: "ELU",
    activation_coefficient: layer.parameters("elu_param").number("alpha", 1),
  })),
  Clip: unary((layer) => {
    const p = layer.parameters("clip_param");
    return { activation: "CLIP", min_limit: p.number("min"), max_limit: p.number("max") };
  }),
  Sigmoid: unary(named("SIGMOID")),
  TanH: unary(named("TANH")),
  AbsVal: unary(named("ABS")),
  BNLL: unary(named("SOFTPLUS")),
  Mish: unary(named("MISH")),
  Log: logarithm,
  Threshold: threshold,
  Swish: swish,
  Softmax: (layer) => {
    const x = layer.only();
    return softmax(layer.lower, layer.target, x, layer.axis(layer.parameters("softmax_param"), x), false);
  },

  // Images, pooling and reductions.
  ...IMAGE_LAYERS,
  ...DETECTION_LAYERS,
  ...YOLO_LAYERS,
  Pooling: pool,
  Reduction: reduction,
  ArgMax: argMaxOf,

  // Data movement.
  Concat: concatOf,
  Slice: sliceOf,
  Crop: crop,
  Tile: tileOf,
  Flatten: flatten,
  Reshape: reshapeOf,
  NonlocalReshape: nonlocalReshape,
  Permute: permute,
  ShuffleChannel: shuffleChannel,
};

/** Layers that give their input under other names, or their own. */
export const PASS_THROUGH: ReadonlySet<string> = new Set(["Dropout", "Split"]);

/** Layers that read samples; at inference their tops are inputs. */
export const DATA_LAYERS: ReadonlySet<string> = new Set([
  "Data",
  "DummyData",
  "HDF5Data",
  "ImageData",
  "Input",
  "MemoryData",
  "WindowData",
]);

/** Layers that judge results, or do nothing; a network ends before them. */
export const LEFT_OUT: ReadonlySet<string> = new Set([
  "Accuracy",
  "ContrastiveLoss",
  "DetectionEvaluate",
  "EuclideanLoss",
  "HDF5Output",
  "HingeLoss",
  "InfogainLoss",
  "MultinomialLogisticLoss",
  "RegionLoss",
  "SigmoidCrossEntropyLoss",
  "Silence",
  "SoftmaxWithLoss",
  "Yolov3",
]);
