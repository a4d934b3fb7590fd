/** The table of TensorFlow Lite operators: one entry each, from options and inputs to canonical operators. All is NHWC. */

import { derive, share } from "../../ir/deferred";
import type { AttributeValue } from "../../ir/graph";
import { ELTWISE, PAD, POOLING, REDUCE } from "../../ir/operators";
import { broadcastShapes, elementCount, type Shape, sameShape, shapeText } from "../../ir/shape";
import { roundHalfEven } from "../../ir/activation-function";
import { expand, fill, gather, mapConstant, range, tile, zipConstants } from "../constant-operations";
import { badValue, unsupported } from "../failures";
import { type ConstantValue, isConstant, transposedFrom, type Value } from "../lowering";
import {
  activation,
  axisIn,
  constantFilter,
  constantOf,
  eltwise,
  eltwiseChain,
  eltwiseScalar,
  imageSize,
  matMul,
  numberOf,
  numbersOf,
  pad,
  reduce,
  reshape,
  resolveShape,
  resolveSlice,
  type SliceAxis,
  slice,
  softmax,
  split,
  transpose,
} from "../operations";
import { floorMod, LOGIC, logical, not } from "../value-operations";
import { autoPads, type WindowPads } from "../windows";
import { dequantize, fakeQuant, quantize } from "./codes";
import type { Field } from "./flatbuffer";
import { detectionPostProcess } from "./detection";
import type { TfliteNode } from "./node";
import * as options from "./schema";

export type TfliteLowering = (node: TfliteNode) => Value | readonly Value[];

/** Least norm of L2_NORMALIZATION. */
const NORM_EPSILON = 1e-6;

function pads(
  node: TfliteNode,
  padding: Field<number>,
  size: readonly [number, number],
  kernel: readonly [number, number],
  strides: readonly [number, number],
  dilations: readonly [number, number],
): WindowPads {
  const name = options.PADDINGS[node.option(padding)] ?? badValue("its padding is neither SAME nor VALID");
  for (const value of [...strides, ...dilations]) if (value < 1) badValue("a window has a step below 1");
  return autoPads(name === "SAME" ? "SAME_UPPER" : "VALID", size, kernel, strides, dilations);
}

/**
 * The bias of a convolution or matrix product. In a quantized node it is int32, in steps of the input's scale times the
 * filter's, whatever its own scale says.
 */
function biasOf(node: TfliteNode, at: number, inputAt: number, filterAt: number): ConstantValue | undefined {
  if (!node.has(at)) return undefined;
  const bias = constantOf(node.input(at), "its bias");
  if (bias.dtype === "float32") return bias;
  const x = node.inputTensor(inputAt).grid;
  const filter = node.inputTensor(filterAt).grid;
  const type = node.inputTensor(at).type;
  if (bias.dtype !== "int32" || type !== "INT32") return unsupported(`its bias holds ${type} values`);
  if (!x || !filter || x.axis !== null) return badValue("its bias holds codes, but its input or filter does not");
  if (filter.scales.length !== 1 && filter.scales.length !== bias.data.length) {
    badValue(`its filter has ${filter.scales.length} scales for ${bias.data.length} channels`);
  }
  const [scale = 0] = x.scales;
  const scaleOf = (channel: number): number => filter.scales[filter.scales.length === 1 ? 0 : channel] ?? 0;
  const data = Float32Array.from(bias.data, (code, channel) => scale * scaleOf(channel) * code);
  // A bias shared by nodes of different scales has a value for each.
  return node.lower.constant(bias.name, bias.shape, data);
}

function biasInput(node: TfliteNode, bias: ConstantValue | undefined, channels: number, scales: string): string[] {
  if (!bias) return [];
  if (bias.data.length !== channels) badValue(`a bias of shape ${shapeText(bias.shape)} for ${channels} channels`);
  return [node.lower.constantForm(bias, `bias ${scales}`, () => share({ shape: [channels] }, bias))];
}

function scalesOf(node: TfliteNode, inputAt: number, filterAt: number): string {
  const scales = [inputAt, filterAt].map((at) => node.inputTensor(at));
  return scales.map((tensor) => (tensor.grid ? `${tensor.grid.scales[0]} ${tensor.index}` : "")).join("|");
}

const conv: TfliteLowering = (node) => {
  const { lower } = node;
  const x = node.input(0);
  const size = imageSize(x, "NHWC");
  const filter = constantFilter(node.input(1));
  const [o = 0, kh = 0, kw = 0, depth = 0] = filter.shape;
  const channels = x.shape[3] ?? 0;
  if (filter.shape.length !== 4 || depth < 1 || channels % depth !== 0 || o % (channels / depth) !== 0) {
    badValue(`a filter of shape ${shapeText(filter.shape)} does not fit ${channels} channels`);
  }
  const strides = [node.option(options.CONV_2D.strideH), node.option(options.CONV_2D.strideW)] as const;
  const dilations = [node.option(options.CONV_2D.dilationH), node.option(options.CONV_2D.dilationW)] as const;
  const window = {
    strides: [...strides],
    dilations: [...dilations],
    pads: [...pads(node, options.CONV_2D.padding, size, [kh, kw], strides, dilations)],
  };
  const bias = biasInput(node, biasOf(node, 2, 0, 1), o, scalesOf(node, 0, 1));
  const fused = node.option(options.CONV_2D.activation);
  const group = channels / depth;
  if (group > 1 && group === channels) {
    // Output channel c * M + m is [c][m], so that splitting O into (C, M) leaves the order as it is.
    const form = lower.constantForm(filter, "hwcm", () => {
      const hwcm = {
        shape: [kh, kw, channels, o / channels],
        ...(filter.trained && { trained: { ...filter.trained, axis: filter.trained.axis === null ? null : 2 } }),
      };
      return derive(hwcm, filter, transposedFrom(filter.shape, [1, 2, 3, 0]));
    });
    return node.emit("DepthwiseConv2d", [lower.plain(x), form, ...bias], window, fused);
  }
  return node.emit("Conv2D", [lower.plain(x), lower.plain(filter), ...bias], { ...window, group }, fused);
};

const depthwiseConv: TfliteLowering = (node) => {
  const { lower } = node;
  const x = node.input(0);
  const size = imageSize(x, "NHWC");
  const filter = constantFilter(node.input(1));
  const [one = 0, kh = 0, kw = 0, o = 0] = filter.shape;
  const channels = x.shape[3] ?? 0;
  if (filter.shape.length !== 4 || one !== 1 || channels < 1 || o % channels !== 0) {
    badValue(`a depthwise filter of shape ${shapeText(filter.shape)} does not fit ${channels} channels`);
  }
  const { strideH, strideW, dilationH, dilationW, padding, activation: fused } = options.DEPTHWISE_CONV_2D;
  const multiplier = node.option(options.DEPTHWISE_CONV_2D.depthMultiplier);
  if (multiplier !== 0 && multiplier * channels !== o) {
    badValue(`depth_multiplier ${multiplier} contradicts a filter of shape ${shapeText(filter.shape)}`);
  }
  const strides = [node.option(strideH), node.option(strideW)] as const;
  const dilations = [node.option(dilationH), node.option(dilationW)] as const;
  // The file's last axis is c * M + m; the canonical filter's axis 2 stands for it in a grid.
  const { trained } = filter;
  const form = lower.constantForm(filter, "hwcm", () => {
    const shape = [kh, kw, channels, o / channels];
    const grid = trained && { trained: { ...trained, axis: trained.axis === 3 ? 2 : trained.axis } };
    return share({ shape, ...grid }, filter);
  });
  const bias = biasInput(node, biasOf(node, 2, 0, 1), o, scalesOf(node, 0, 1));
  return node.emit(
    "DepthwiseConv2d",
    [lower.plain(x), form, ...bias],
    {
      strides: [...strides],
      dilations: [...dilations],
      pads: [...pads(node, padding, size, [kh, kw], strides, dilations)],
    },
    node.option(fused),
  );
};

/** Inputs: shape of the output, filter [O, H, W, I], image, bias. */
const transposeConv: TfliteLowering = (node) => {
  const { lower } = node;
  const shape = numbersOf(node.input(0), "the shape of its output");
  const filter = constantFilter(node.input(1));
  const x = node.input(2);
  imageSize(x, "NHWC");
  const [o = 0, kh = 0, kw = 0, depth = 0] = filter.shape;
  const [n = 0, rows = 0, columns = 0, channels = 0] = shape;
  if (filter.shape.length !== 4 || shape.length !== 4 || channels !== o || depth !== x.shape[3]) {
    badValue(
      `a filter of shape ${shapeText(filter.shape)} does not turn ${shapeText(x.shape)} into ${shapeText(shape)}`,
    );
  }
  const { strideH, strideW, padding, activation: fused } = options.TRANSPOSE_CONV;
  const strides = [node.option(strideH), node.option(strideW)] as const;
  // The convolution whose gradient this is goes from the output to the input, and has the paddings.
  const around = pads(node, padding, [rows, columns], [kh, kw], strides, [1, 1]);
  const bias = biasInput(node, biasOf(node, 3, 2, 1), o, scalesOf(node, 2, 1));
  return node.emit(
    "Deconv2D",
    [lower.plain(x), lower.plain(filter), ...bias],
    { strides: [...strides], pads: [...around] },
    node.option(fused),
    // The batch of the input counts: the file's may be another where the batch is not fixed.
    [x.shape[0] ?? n, rows, columns, o],
  );
};

const fullyConnected: TfliteLowering = (node) => {
  const { lower } = node;
  const { activation: fused, keepNumDims, weightsFormat } = options.FULLY_CONNECTED;
  if (node.option(weightsFormat) !== 0) unsupported("its weights are shuffled for one kernel");
  const filter = node.input(1);
  const [o = 0, k = 0] = filter.shape;
  if (filter.shape.length !== 2 || k < 1) badValue(`its weights have the shape ${shapeText(filter.shape)}`);
  let x = node.input(0);
  if (node.option(keepNumDims)) {
    if (x.shape.at(-1) !== k) badValue(`weights of shape ${shapeText(filter.shape)} for ${shapeText(x.shape)}`);
  } else if (x.shape.length !== 2 || x.shape[1] !== k) {
    x = reshape(lower, node.step("rows"), x, resolveShape(x, [-1, k]));
  }
  if (isConstant(filter)) {
    const bias = biasInput(node, biasOf(node, 2, 0, 1), o, scalesOf(node, 0, 1));
    return node.emit("FullyConnected", [lower.plain(x), lower.plain(filter), ...bias], {}, node.option(fused));
  }
  const bias = biasOf(node, 2, 0, 1);
  const after = node.fused(node.option(fused));
  const product = matMul(lower, bias || after ? node.step("product") : node.target, x, filter, false, true);
  const sum = bias ? eltwise(lower, after ? node.step("sum") : node.target, ELTWISE.SUM, product, bias) : product;
  return after ? node.activate(sum, after) : sum;
};

const pool =
  (type: number): TfliteLowering =>
  (node) => {
    const x = node.input(0);
    const size = imageSize(x, "NHWC");
    const { filterH, filterW, strideH, strideW, padding, activation: fused } = options.POOL_2D;
    const kernel = [node.option(filterH), node.option(filterW)] as const;
    const strides = [node.option(strideH), node.option(strideW)] as const;
    const attributes = {
      pooling_type: type,
      kernels: [...kernel],
      strides: [...strides],
      pads: [...pads(node, padding, size, kernel, strides, [1, 1])],
    };
    return node.emit("Pooling", [node.lower.plain(x)], attributes, node.option(fused));
  };

/** Element-wise arithmetic with a fused activation. */
const binary =
  (type: number, fusing = true): TfliteLowering =>
  (node) => {
    const [a, b] = [node.input(0), node.input(1)];
    if (broadcastShapes(a.shape, b.shape) === null) {
      badValue(`${shapeText(a.shape)} and ${shapeText(b.shape)} do not broadcast`);
    }
    const fused = fusing ? node.option(options.FUSED_ACTIVATION.activation) : 0;
    return node.emit("Eltwise", [node.lower.plain(a), node.lower.plain(b)], { type }, fused);
  };

/** On shapes, which are constant, the result is a truth value at once. */
const compare =
  (type: number, apply: (a: number, b: number) => boolean): TfliteLowering =>
  (node) => {
    const values = [node.input(0), node.input(1)];
    if (values.every(isConstant)) {
      return zipConstants(node.lower, node.target, values, (a, b) => (apply(a, b) ? 1 : 0), "bool");
    }
    return binary(type, false)(node);
  };

const onConstants =
  (apply: (a: number, b: number) => number): TfliteLowering =>
  (node) => {
    const [a, b] = [node.input(0), node.input(1)];
    return zipConstants(node.lower, node.target, [a, b], apply, a.dtype);
  };

/** A function of one variable; `onIntegers` serves shape arithmetic. */
const unary =
  (
    attributes: (node: TfliteNode) => Readonly<Record<string, AttributeValue>>,
    onIntegers?: (value: number) => number,
  ): TfliteLowering =>
  (node) => {
    const x = node.input(0);
    if (x.dtype !== "float32" && isConstant(x) && onIntegers) {
      return mapConstant(node.lower, node.target, x, onIntegers);
    }
    return activation(node.lower, node.target, x, attributes(node));
  };

const named = (name: string) => (): Record<string, string> => ({ activation: name });

const clamp = (low: number, high: number) => (): Record<string, AttributeValue> => ({
  activation: "CLIP",
  min_limit: low,
  max_limit: high,
});

const prelu: TfliteLowering = (node) => {
  const { lower, target } = node;
  const x = node.input(0);
  const slope = node.input(1);
  if (isConstant(slope) && slope.data.length === 1) {
    return activation(lower, target, x, { activation: "LEAKYRELU", activation_coefficient: slope.data[0] ?? 0 });
  }
  const channels = x.shape.at(-1) ?? 0;
  if (isConstant(slope) && slope.data.length === channels && slope.shape.at(-1) === channels) {
    const { trained } = slope;
    const vector = lower.constantForm(slope, "slope", () => {
      const grid = trained && { trained: { ...trained, axis: trained.axis === null ? null : 0 } };
      return share({ shape: [channels], ...grid }, slope);
    });
    return activation(lower, target, x, { activation: "PRELU" }, vector);
  }
  // max(x, 0) + slope * min(x, 0)
  const negative = eltwiseScalar(lower, node.step("negative"), ELTWISE.MIN, x, 0);
  const bent = eltwise(lower, node.step("bent"), ELTWISE.PROD, negative, slope);
  const positive = activation(lower, node.step("positive"), x, { activation: "RELU" });
  return eltwise(lower, target, ELTWISE.SUM, positive, bent);
};

const softmaxOf: TfliteLowering = (node) => {
  const { lower, target } = node;
  const beta = node.option(options.SOFTMAX.beta);
  const x = node.input(0);
  const scaled = beta === 1 ? x : eltwiseScalar(lower, node.step("scaled"), ELTWISE.PROD, x, beta);
  return softmax(lower, target, scaled, -1, false);
};

const reduction =
  (type: number): TfliteLowering =>
  (node) => {
    const axes = numbersOf(node.input(1), "its axes");
    return reduce(node.lower, node.target, type, node.input(0), axes, node.option(options.REDUCER.keepDims));
  };

const concatOf: TfliteLowering = (node) => {
  // Empty parts are legal in shape arithmetic only, which is all constant.
  const parts = node.all().filter((value) => !(isConstant(value) && value.data.length === 0));
  const [first] = parts;
  if (!first) return badValue("it has no input");
  const axis = axisIn(node.option(options.CONCATENATION.axis), first.shape.length);
  const fused = node.option(options.CONCATENATION.activation);
  const after = node.fused(fused);
  if (parts.length === 1) return after ? activation(node.lower, node.target, first, after) : first;
  return node.emit(
    "Concat",
    parts.map((part) => node.lower.plain(part)),
    { axis },
    fused,
  );
};

/** A list of pairs, one an axis. */
function pairsOf(value: Value, what: string): [number, number][] {
  const numbers = numbersOf(value, what);
  return Array.from({ length: numbers.length >> 1 }, (_, i) => [numbers[2 * i] ?? 0, numbers[2 * i + 1] ?? 0]);
}

const padOf: TfliteLowering = (node) =>
  pad(node.lower, node.target, node.input(0), pairsOf(node.input(1), "its paddings"), PAD.CONSTANT, 0);

const padV2: TfliteLowering = (node) => {
  const value = node.has(2) ? numberOf(node.input(2), "its padding value") : 0;
  return pad(node.lower, node.target, node.input(0), pairsOf(node.input(1), "its paddings"), PAD.CONSTANT, value);
};

const mirrorPad: TfliteLowering = (node) => {
  const mode = node.option(options.MIRROR_PAD.mode) === 0 ? PAD.REFLECT : PAD.SYMMETRIC;
  return pad(node.lower, node.target, node.input(0), pairsOf(node.input(1), "its paddings"), mode, 0);
};

const reshapeOf: TfliteLowering = (node) => {
  const x = node.input(0);
  const wanted = node.has(1) ? numbersOf(node.input(1), "its shape") : [...node.option(options.RESHAPE.newShape)];
  // [0] is how old converters write the shape of a scalar.
  const scalar = wanted.length === 1 && wanted[0] === 0 && elementCount(x.shape) === 1;
  return reshape(node.lower, node.target, x, scalar ? [] : resolveShape(x, wanted));
};

const squeeze: TfliteLowering = (node) => {
  const x = node.input(0);
  const axes = node.option(options.SQUEEZE.dims).map((axis) => axisIn(axis, x.shape.length));
  for (const axis of axes)
    if (x.shape[axis] !== 1) badValue(`axis ${axis} of ${shapeText(x.shape)} cannot be squeezed`);
  const kept = x.shape.filter((size, axis) => (axes.length > 0 ? !axes.includes(axis) : size !== 1));
  return reshape(node.lower, node.target, x, kept);
};

const expandDims: TfliteLowering = (node) => {
  const x = node.input(0);
  const axis = axisIn(numberOf(node.input(1), "its axis"), x.shape.length + 1);
  return reshape(node.lower, node.target, x, [...x.shape.slice(0, axis), 1, ...x.shape.slice(axis)]);
};

const pack: TfliteLowering = (node) => {
  const { lower } = node;
  const parts = node.all();
  const [first] = parts;
  if (!first) return badValue("it has no input");
  const axis = axisIn(node.option(options.PACK.axis), first.shape.length + 1);
  const widened = parts.map((part, i) => {
    if (!sameShape(part.shape, first.shape)) badValue("its inputs have different shapes");
    const shape = [...part.shape.slice(0, axis), 1, ...part.shape.slice(axis)];
    return reshape(lower, parts.length === 1 ? node.target : node.step(`${i}`), part, shape);
  });
  if (widened.length === 1) return widened;
  return lower.emit(
    node.target,
    "Concat",
    widened.map((part) => lower.plain(part)),
    { axis },
  );
};

const unpack: TfliteLowering = (node) => {
  const { lower } = node;
  const x = node.input(0);
  const axis = axisIn(node.option(options.UNPACK.axis), x.shape.length);
  const names = node.outputNames();
  const shape = x.shape.filter((_, i) => i !== axis);
  if (names.length !== x.shape[axis]) badValue(`it has ${names.length} outputs for ${shapeText(x.shape)}`);
  if (names.length === 1) return reshape(lower, node.target, x, shape);
  const steps = names.map((name) => lower.fresh(`${name}/part`));
  const parts = split(
    lower,
    node.target,
    steps,
    x,
    axis,
    names.map(() => 1),
  );
  return parts.map((part, i) => reshape(lower, { node: names[i] ?? "", tensor: names[i] ?? "" }, part, shape));
};

const splitInto = (node: TfliteNode, x: Value, axis: number, sizes: readonly number[]): Value[] => {
  return split(node.lower, node.target, node.outputNames(), x, axisIn(axis, x.shape.length), sizes);
};

const splitOf: TfliteLowering = (node) => {
  const x = node.input(1);
  const axis = axisIn(numberOf(node.input(0), "its axis"), x.shape.length);
  const count = node.parts.outputs.length;
  return splitInto(node, x, axis, new Array<number>(count).fill((x.shape[axis] ?? 0) / count));
};

const splitV: TfliteLowering = (node) => {
  const x = node.input(0);
  const axis = axisIn(numberOf(node.input(2), "its axis"), x.shape.length);
  const sizes = numbersOf(node.input(1), "its sizes");
  const known = sizes.filter((size) => size !== -1).reduce((sum, size) => sum + size, 0);
  return splitInto(
    node,
    x,
    axis,
    sizes.map((size) => (size === -1 ? (x.shape[axis] ?? 0) - known : size)),
  );
};

const sliceOf: TfliteLowering = (node) => {
  const x = node.input(0);
  const begin = numbersOf(node.input(1), "its begin");
  const size = numbersOf(node.input(2), "its size");
  if (begin.length !== x.shape.length || size.length !== x.shape.length) badValue("its limits have another rank");
  const axes = x.shape.map((extent, i): SliceAxis => {
    const from = begin[i] ?? 0;
    const to = size[i] === -1 ? extent : from + (size[i] ?? 0);
    if (from < 0 || to < from || to > extent) badValue(`${from} to ${to} lies outside an axis of ${extent}`);
    return { begin: from, end: to, stride: 1 };
  });
  return slice(node.lower, node.target, x, axes);
};

const stridedSlice: TfliteLowering = (node) => {
  const x = node.input(0);
  const [begin, end, strides] = [1, 2, 3].map((i) => numbersOf(node.input(i), "one of its limits"));
  if (!begin || !end || !strides || begin.length !== end.length || begin.length !== strides.length) {
    return badValue("its limits have different lengths");
  }
  if (begin.length > 32) badValue(`it has ${begin.length} limits`);
  const { beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask, offset } = options.STRIDED_SLICE;
  const bit = (mask: Field<number>, i: number): boolean => ((node.option(mask) >> i) & 1) === 1;
  const relative = node.option(offset);
  const consuming = begin.filter((_, i) => !bit(ellipsisMask, i) && !bit(newAxisMask, i)).length;
  const axes: SliceAxis[] = [];
  const shape: (number | "kept")[] = [];
  const whole = (): void => {
    axes.push({ begin: 0, end: x.shape[axes.length] ?? 0, stride: 1 });
    shape.push("kept");
  };
  begin.forEach((from, i) => {
    if (bit(ellipsisMask, i)) {
      for (let left = x.shape.length - consuming; left > 0; left--) whole();
      return;
    }
    if (bit(newAxisMask, i)) {
      shape.push(1);
      return;
    }
    const size = x.shape[axes.length] ?? badValue(`its limits have more axes than ${shapeText(x.shape)}`);
    if (bit(shrinkAxisMask, i)) {
      const at = axisIn(from, size);
      axes.push({ begin: at, end: at + 1, stride: 1 });
      return;
    }
    const to = relative ? from + (end[i] ?? 0) : end[i];
    axes.push(
      resolveSlice(bit(beginMask, i) ? undefined : from, bit(endMask, i) ? undefined : to, strides[i] ?? 1, size),
    );
    shape.push("kept");
  });
  while (axes.length < x.shape.length) whole();
  const shrunk = begin.some((_, i) => !bit(ellipsisMask, i) && bit(shrinkAxisMask, i) && !bit(newAxisMask, i));
  if (!shrunk && !shape.includes(1)) return slice(node.lower, node.target, x, axes);
  const part = slice(node.lower, node.step("part"), x, axes);
  const removed = keptAxes(begin, bit, options.STRIDED_SLICE, x.shape.length, consuming);
  const sizes = part.shape.filter((_, axis) => !removed.has(axis));
  let next = 0;
  return reshape(
    node.lower,
    node.target,
    part,
    shape.map((size) => (size === "kept" ? (sizes[next++] ?? 1) : size)),
  );
};

/** Axes of the input that a strided slice takes one element of and drops. */
function keptAxes(
  begin: readonly number[],
  bit: (mask: Field<number>, i: number) => boolean,
  masks: typeof options.STRIDED_SLICE,
  rank: number,
  consuming: number,
): Set<number> {
  const dropped = new Set<number>();
  let axis = 0;
  begin.forEach((_, i) => {
    if (bit(masks.ellipsisMask, i)) axis += Math.max(0, rank - consuming);
    else if (!bit(masks.newAxisMask, i)) {
      if (bit(masks.shrinkAxisMask, i)) dropped.add(axis);
      axis++;
    }
  });
  return dropped;
}

const resizeTo =
  (type: string, attributes: (node: TfliteNode) => Readonly<Record<string, AttributeValue>>): TfliteLowering =>
  (node) => {
    const x = node.input(0);
    imageSize(x, "NHWC");
    const [rows = 0, columns = 0] = numbersOf(node.input(1), "its size");
    if (rows < 1 || columns < 1) badValue(`its size is ${rows} by ${columns}`);
    const shape: Shape = [x.shape[0] ?? 1, rows, columns, x.shape[3] ?? 1];
    return node.emit(type, [node.lower.plain(x)], attributes(node), 0, shape);
  };

const bilinear = (node: TfliteNode): Record<string, AttributeValue> => {
  const { alignCorners, halfPixelCenters } = options.RESIZE_BILINEAR;
  if (node.option(alignCorners)) return { coordinate_mode: "align_corners" };
  return node.option(halfPixelCenters) ? { coordinate_mode: "half_pixel" } : {};
};

const nearest = (node: TfliteNode): Record<string, AttributeValue> => {
  const { alignCorners, halfPixelCenters } = options.RESIZE_NEAREST_NEIGHBOR;
  if (node.option(alignCorners)) {
    if (node.option(halfPixelCenters)) unsupported("it has align_corners and half_pixel_centers at once");
    return { coordinate_mode: "align_corners", nearest_mode: "round_prefer_ceil" };
  }
  return node.option(halfPixelCenters) ? { coordinate_mode: "half_pixel_uncentred" } : {};
};

const blocks =
  (type: string): TfliteLowering =>
  (node) => {
    const x = node.input(0);
    imageSize(x, "NHWC");
    return node.lower.emit(node.target, type, [node.lower.plain(x)], {
      block_size: node.option(options.BLOCK.blockSize),
    });
  };

const batchBlocks =
  (type: string, edges: string): TfliteLowering =>
  (node) => {
    const x = node.input(0);
    imageSize(x, "NHWC");
    const shape = numbersOf(node.input(1), "its block shape");
    const around = numbersOf(node.input(2), `its ${edges}`);
    if (shape.length !== 2 || around.length !== 4) unsupported("its blocks are not of rows and columns");
    return node.lower.emit(node.target, type, [node.lower.plain(x)], { block_shape: shape, [edges]: around });
  };

const argMax =
  (argmin: number): TfliteLowering =>
  (node) => {
    const x = node.input(0);
    const axis = axisIn(numberOf(node.input(1), "its axis"), x.shape.length);
    return node.lower.emit(node.target, "ArgMax", [node.lower.plain(x)], { axis, argmin });
  };

const cast: TfliteLowering = (node) => {
  const { lower, target } = node;
  const x = node.input(0);
  const { type } = node.output();
  const real = type.includes("FLOAT");
  const whole = type === "INT32" || type === "INT64";
  if (!real && !whole && type !== "BOOL") return unsupported(`it casts to ${type}`);
  if (isConstant(x)) {
    const dtype = real ? "float32" : type === "BOOL" ? "bool" : "int32";
    return mapConstant(lower, target, x, (value) => value, dtype);
  }
  if (type === "BOOL") {
    const zero = x.dtype === "float32" ? Float32Array.of(0) : Int32Array.of(0);
    return eltwise(lower, target, ELTWISE.NOT_EQUAL, x, lower.constant(lower.fresh(`${target.tensor}/zero`), [], zero));
  }
  if ((x.dtype === "float32") === real) return x;
  return lower.emit(target, "Cast", [lower.plain(x)]);
};

const gatherOf: TfliteLowering = (node) => {
  const { lower, target } = node;
  const [x, indices] = [node.input(0), node.input(1)];
  if (node.option(options.GATHER.batchDims) !== 0) unsupported("it gathers with batch_dims");
  const axis = axisIn(node.option(options.GATHER.axis), x.shape.length);
  if (isConstant(x) && isConstant(indices)) return gather(lower, target, x, indices, axis);
  return lower.emit(target, "Gather", [lower.plain(x), lower.plain(indices)], { axis });
};

const tileOf: TfliteLowering = (node) => {
  const { lower, target } = node;
  const x = node.input(0);
  const multiples = numbersOf(node.input(1), "its multiples");
  if (isConstant(x)) return tile(lower, target, x, multiples);
  if (multiples.length !== x.shape.length || multiples.some((m) => m < 1)) badValue("its multiples do not fit");
  return multiples.every((m) => m === 1) ? x : lower.emit(target, "Tile", [lower.plain(x)], { multiples });
};

const broadcastTo: TfliteLowering = (node) => {
  const { lower, target } = node;
  const x = node.input(0);
  const shape = numbersOf(node.input(1), "its shape");
  if (isConstant(x)) return expand(lower, target, x, shape);
  if (!sameShape(broadcastShapes(x.shape, shape) ?? [], shape)) {
    badValue(`${shapeText(x.shape)} does not broadcast to ${shapeText(shape)}`);
  }
  const from = [...new Array<number>(shape.length - x.shape.length).fill(1), ...x.shape];
  const wide = sameShape(from, x.shape) ? x : reshape(lower, node.step("wide"), x, from);
  const multiples = shape.map((size, axis) => (from[axis] === 1 ? size : 1));
  return lower.emit(target, "Tile", [lower.plain(wide)], { multiples });
};

const reverse: TfliteLowering = (node) => {
  const x = node.input(0);
  const axes = numbersOf(node.input(1), "its axes").map((axis) => axisIn(axis, x.shape.length));
  const axis = [...new Set(axes)].sort((a, b) => a - b);
  return axis.length === 0 ? x : node.lower.emit(node.target, "Reverse", [node.lower.plain(x)], { axis });
};

const select: TfliteLowering = (node) => {
  const { lower } = node;
  const [condition, a, b] = [node.input(0), node.input(1), node.input(2)];
  // SELECT's vector of conditions chooses among slices of the first axis.
  const rows = condition.shape.length === 1 && node.parts.type === "SELECT" && a.shape.length > 1;
  const spread = [...condition.shape, ...new Array<number>(Math.max(0, a.shape.length - 1)).fill(1)];
  const chosen = rows ? reshape(lower, node.step("condition"), condition, spread) : condition;
  return lower.emit(
    node.target,
    "Select",
    [chosen, a, b].map((value) => lower.plain(value)),
  );
};

const oneHot: TfliteLowering = (node) => {
  const indices = node.input(0);
  const given = node.option(options.ONE_HOT.axis);
  return node.lower.emit(node.target, "OneHot", [node.lower.plain(indices)], {
    depth: numberOf(node.input(1), "its depth"),
    axis: axisIn(given, indices.shape.length + 1),
    on_value: numberOf(node.input(2), "its on value"),
    off_value: numberOf(node.input(3), "its off value"),
  });
};

const cumsum: TfliteLowering = (node) => {
  const x = node.input(0);
  return node.lower.emit(node.target, "Cumsum", [node.lower.plain(x)], {
    axis: axisIn(numberOf(node.input(1), "its axis"), x.shape.length),
    exclusive: node.option(options.CUMSUM.exclusive) ? 1 : 0,
    reverse: node.option(options.CUMSUM.reverse) ? 1 : 0,
  });
};

const l2Normalization: TfliteLowering = (node) => {
  const x = node.input(0);
  const attributes = { p: 2, axis: [x.shape.length - 1], epsilon: NORM_EPSILON };
  return node.emit("LpNorm", [node.lower.plain(x)], attributes, node.option(options.FUSED_ACTIVATION.activation));
};

const localResponseNormalization: TfliteLowering = (node) => {
  const x = node.input(0);
  imageSize(x, "NHWC");
  const { radius, bias, alpha, beta } = options.LOCAL_RESPONSE_NORMALIZATION;
  const size = 2 * node.option(radius) + 1;
  if (size < 1) badValue(`its radius is ${node.option(radius)}`);
  return node.lower.emit(node.target, "LocalResponseNorm", [node.lower.plain(x)], {
    size,
    alpha: node.option(alpha),
    beta: node.option(beta),
    bias: node.option(bias),
  });
};

const shapeOf: TfliteLowering = (node) => {
  const { shape } = node.input(0);
  return node.lower.constant(node.target.tensor, [shape.length], Int32Array.from(shape));
};

const fillOf: TfliteLowering = (node) => {
  const value = constantOf(node.input(1), "its value");
  const shape = numbersOf(node.input(0), "its shape");
  return fill(node.lower, node.target, shape, numberOf(value, "its value"), value.dtype);
};

const transposeOf: TfliteLowering = (node) =>
  transpose(node.lower, node.target, node.input(0), numbersOf(node.input(1), "its permutation"));

export const TFLITE_OPERATORS: Readonly<Record<string, TfliteLowering>> = {
  ABS: unary(named("ABS"), Math.abs),
  ADD: binary(ELTWISE.SUM),
  ADD_N: (node) => eltwiseChain(node.lower, node.target, ELTWISE.SUM, node.all()),
  ARG_MAX: argMax(0),
  ARG_MIN: argMax(1),
  AVERAGE_POOL_2D: pool(POOLING.AVG),
  BATCH_MATMUL: (node) => {
    const { adjX, adjY } = options.BATCH_MATMUL;
    return matMul(node.lower, node.target, node.input(0), node.input(1), node.option(adjX), node.option(adjY));
  },
  BATCH_TO_SPACE_ND: batchBlocks("BatchToSpaceND", "crops"),
  BROADCAST_ARGS: (node) => {
    const [a, b] = [node.input(0), node.input(1)].map((value) => numbersOf(value, "a shape"));
    const shape = broadcastShapes(a ?? [], b ?? []) ?? badValue("its shapes do not broadcast");
    return node.lower.constant(node.target.tensor, [shape.length], Int32Array.from(shape));
  },
  BROADCAST_TO: broadcastTo,
  CAST: cast,
  CEIL: unary(named("CEIL")),
  CONCATENATION: concatOf,
  CONV_2D: conv,
  CUMSUM: cumsum,
  DEPTHWISE_CONV_2D: depthwiseConv,
  DEPTH_TO_SPACE: blocks("DepthToSpace"),
  DEQUANTIZE: dequantize,
  DIV: binary(ELTWISE.DIV),
  ELU: unary(() => ({ activation: "ELU", activation_coefficient: 1 })),
  EQUAL: compare(ELTWISE.EQUAL, (a, b) => a === b),
  EXP: unary(named("EXP")),
  EXPAND_DIMS: expandDims,
  FAKE_QUANT: fakeQuant,
  FILL: fillOf,
  FLOOR: unary(named("FLOOR")),
  FLOOR_DIV: (node) =>
    [node.input(0), node.input(1)].every(isConstant)
      ? onConstants((a, b) => Math.floor(a / b))(node)
      : binary(ELTWISE.FLOOR_DIV, false)(node),
  FLOOR_MOD: (node) => floorMod(node.lower, node.target, node.input(0), node.input(1)),
  FULLY_CONNECTED: fullyConnected,
  GATHER: gatherOf,
  GELU: unary((node) => ({ activation: node.option(options.GELU.approximate) ? "GELU_TANH" : "GELU" })),
  GREATER: compare(ELTWISE.GREATER, (a, b) => a > b),
  GREATER_EQUAL: compare(ELTWISE.GREATER_OR_EQUAL, (a, b) => a >= b),
  HARD_SWISH: unary(named("HARDSWISH")),
  L2_NORMALIZATION: l2Normalization,
  LEAKY_RELU: unary((node) => ({
    activation: "LEAKYRELU",
    activation_coefficient: node.option(options.LEAKY_RELU.alpha),
  })),
  LESS: compare(ELTWISE.LESS, (a, b) => a < b),
  LESS_EQUAL: compare(ELTWISE.LESS_OR_EQUAL, (a, b) => a <= b),
  LOCAL_RESPONSE_NORMALIZATION: localResponseNormalization,
  LOG: unary(named("LOG")),
  LOGICAL_AND: (node) => logical(node.lower, node.target, LOGIC.AND, node.input(0), node.input(1)),
  LOGICAL_NOT: (node) => not(node.lower, node.target, node.input(0)),
  LOGICAL_OR: (node) => logical(node.lower, node.target, LOGIC.OR, node.input(0), node.input(1)),
  LOGISTIC: unary(named("SIGMOID")),
  LOG_SOFTMAX: (node) => softmax(node.lower, node.target, node.input(0), -1, true),
  MAXIMUM: binary(ELTWISE.MAX, false),
  MAX_POOL_2D: pool(POOLING.MAX),
  MEAN: reduction(REDUCE.MEAN),
  MINIMUM: binary(ELTWISE.MIN, false),
  MIRROR_PAD: mirrorPad,
  MUL: binary(ELTWISE.PROD),
  NEG: unary(named("NEG"), (value) => -value),
  NOT_EQUAL: compare(ELTWISE.NOT_EQUAL, (a, b) => a !== b),
  ONE_HOT: oneHot,
  PACK: pack,
  PAD: padOf,
  PADV2: padV2,
  POW: binary(ELTWISE.POW, false),
  PRELU: prelu,
  QUANTIZE: quantize,
  RANGE: (node) => range(node.lower, node.target, node.all()),
  RANK: (node) => node.lower.constant(node.target.tensor, [], Int32Array.of(node.input(0).shape.length)),
  REDUCE_MAX: reduction(REDUCE.MAX),
  REDUCE_MIN: reduction(REDUCE.MIN),
  REDUCE_PROD: reduction(REDUCE.PROD),
  RELU: unary(named("RELU")),
  RELU6: unary(() => ({ activation: "RELUX", max_limit: 6 })),
  RELU_0_TO_1: unary(() => ({ activation: "RELUX", max_limit: 1 })),
  RELU_N1_TO_1: unary(clamp(-1, 1)),
  RESHAPE: reshapeOf,
  RESIZE_BILINEAR: resizeTo("ResizeBilinear", bilinear),
  RESIZE_NEAREST_NEIGHBOR: resizeTo("ResizeNearestNeighbor", nearest),
  REVERSE_V2: reverse,
  ROUND: unary(named("ROUND"), roundHalfEven),
  RSQRT: unary(named("RSQRT")),
  SELECT: select,
  SELECT_V2: select,
  SHAPE: shapeOf,
  SIGN: unary(named("SIGN"), Math.sign),
  SLICE: sliceOf,
  SOFTMAX: softmaxOf,
  SPACE_TO_BATCH_ND: batchBlocks("SpaceToBatchND", "paddings"),
  SPACE_TO_DEPTH: blocks("SpaceToDepth"),
  SPLIT: splitOf,
  SPLIT_V: splitV,
  SQRT: unary(named("SQRT")),
  SQUARE: unary(named("SQUARE"), (value) => value * value),
  SQUARED_DIFFERENCE: binary(ELTWISE.SQR_DIFF, false),
  SQUEEZE: squeeze,
  STRIDED_SLICE: stridedSlice,
  SUB: binary(ELTWISE.SUB),
  SUM: reduction(REDUCE.SUM),
  TANH: unary(named("TANH")),
  TILE: tileOf,
  TRANSPOSE: transposeOf,
  TRANSPOSE_CONV: transposeConv,
  UNPACK: unpack,
  ZEROS_LIKE: (node) => fill(node.lower, node.target, node.input(0).shape, 0, node.input(0).dtype),
};

/** Custom operators by their names in the file. */
export const TFLITE_CUSTOM_OPERATORS: Readonly<Record<string, TfliteLowering>> = {
  TFLite_Detection_PostProcess: detectionPostProcess,
};

/** Operators that run other subgraphs. */
export const CONTROL_FLOW: ReadonlySet<string> = new Set(["CALL", "CALL_ONCE", "IF", "STABLEHLO_CASE", "WHILE"]);
