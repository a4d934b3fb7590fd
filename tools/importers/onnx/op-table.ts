/** The table of ONNX operators: one entry each, from attributes and inputs to the operations both importers share. */

import { like, share } from "../../ir/deferred";
import { ELTWISE, PAD, REDUCE } from "../../ir/operators";
import { elementCount, type Shape, sameShape, shapeText } from "../../ir/shape";
import { fill, mapConstant, range, zipConstants } from "../constant-operations";
import { badValue, unsupported } from "../failures";
import { isConstant, type Target, type Value } from "../lowering";
import {
  activation,
  axisIn,
  batchNorm,
  concat,
  constantOf,
  eltwise,
  eltwiseChain,
  eltwiseScalar,
  fullyConnected,
  localResponseNorm,
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
import {
  argMax,
  castTo,
  channelAffine,
  compare,
  cumsum,
  expand,
  gather,
  gatherElements,
  LOGIC,
  logical,
  lpNorm,
  mvn,
  not,
  oneHot,
  select,
  tile,
  widened,
} from "../value-operations";
import { IMAGE_OPERATORS } from "./image-table";
import type { OnnxNode } from "./node";
import { QUANTIZED_OPERATORS } from "./quantized-table";
import { elementType, typeName } from "./tensors";

export type OnnxLowering = (node: OnnxNode) => Value | readonly Value[];

/** Keeps the norm of zeros from dividing 0 by 0, and changes no other. */
const LEAST_NORM = 1e-30;

const FLOAT_MAX = 3.4028234663852886e38;

const identity: OnnxLowering = (node) => node.input(0);

/** A function of one variable; `onIntegers` serves shape arithmetic. */
const unary =
  (
    attributes: (node: OnnxNode) => Readonly<Record<string, number | string>>,
    onIntegers?: (value: number) => number,
  ): OnnxLowering =>
  (node) => {
    const x = node.input(0);
    if (x.dtype !== "float32" && isConstant(x) && onIntegers)
      return mapConstant(node.lower, node.target, x, onIntegers);
    return activation(node.lower, node.target, x, attributes(node));
  };

const named = (name: string) => (): Record<string, string> => ({ activation: name });

/** The second operand of a binary operator before opset 7, where it was aligned by an attribute. */
function alignedOperand(node: OnnxNode): Value {
  const [a, b] = [node.input(0), node.input(1)];
  if (node.opset >= 7 || node.integer("broadcast", 0) === 0 || !node.has("axis")) return b;
  const axis = axisIn(node.integer("axis"), a.shape.length);
  const trailing = a.shape.length - axis - b.shape.length;
  if (trailing <= 0) return b;
  const shape = [...b.shape, ...new Array<number>(trailing).fill(1)];
  return reshape(node.lower, node.lower.step(node.target, "aligned"), b, shape);
}

const binary =
  (type: number): OnnxLowering =>
  (node) =>
    eltwise(node.lower, node.target, type, node.input(0), alignedOperand(node));

/** The exponent may have another type than the base, which is that of the result. */
const power: OnnxLowering = (node) => {
  const { lower, target } = node;
  const [x, exponent] = [node.input(0), alignedOperand(node)];
  if (x.dtype === exponent.dtype) return eltwise(lower, target, ELTWISE.POW, x, exponent);
  const base = castTo(lower, lower.step(target, "base"), x, "float32");
  const real = castTo(lower, lower.step(target, "exponent"), exponent, "float32");
  const inner = x.dtype === "float32" ? target : lower.step(target, "power");
  return castTo(lower, target, eltwise(lower, inner, ELTWISE.POW, base, real), x.dtype);
};

const variadic =
  (type: number): OnnxLowering =>
  (node) =>
    eltwiseChain(node.lower, node.target, type, node.all());

const compares =
  (type: number): OnnxLowering =>
  (node) =>
    compare(node.lower, node.target, type, node.input(0), alignedOperand(node));

const logic =
  (type: number): OnnxLowering =>
  (node) =>
    logical(node.lower, node.target, type, node.input(0), alignedOperand(node));

/** Axes from the attribute of older operators or the input of newer ones; undefined when neither is there. */
function axesOf(node: OnnxNode, input: number): number[] | undefined {
  return node.integers("axes") ?? (node.inputs[input] ? numbersOf(node.inputs[input], "its axes") : undefined);
}

const reduction =
  (type: number): OnnxLowering =>
  (node) => {
    const x = node.input(0);
    const axes = axesOf(node, 1) ?? [];
    if (axes.length === 0 && node.integer("noop_with_empty_axes", 0) === 1) return x;
    const all = axes.length > 0 ? axes : x.shape.map((_, axis) => axis);
    return reduce(node.lower, node.target, type, x, all, node.integer("keepdims", 1) === 1);
  };

/** A reduction of what a function makes of the elements, and a function of the result. */
const reductionOf =
  (before: "ABS" | "SQUARE" | "EXP" | undefined, after: "SQRT" | "LOG" | undefined): OnnxLowering =>
  (node) => {
    const { lower, target } = node;
    const x = node.input(0);
    const axes = axesOf(node, 1) ?? [];
    const nothing = axes.length === 0 && node.integer("noop_with_empty_axes", 0) === 1;
    const all = axes.length > 0 || nothing ? axes : x.shape.map((_, axis) => axis);
    const keep = node.integer("keepdims", 1) === 1;
    if (x.dtype !== "float32") unsupported(`it works on ${x.dtype} values`);
    const mapped = before ? activation(lower, lower.step(target, "mapped"), x, { activation: before }) : x;
    const sum = reduce(lower, after ? lower.step(target, "sum") : target, REDUCE.SUM, mapped, all, keep);
    return after ? activation(lower, target, sum, { activation: after }) : sum;
  };

/** log(sum(exp(x))), with the greatest element taken out so that no power overflows. */
const reduceLogSumExp: OnnxLowering = (node) => {
  const { lower, target } = node;
  const x = node.input(0);
  const given = axesOf(node, 1) ?? [];
  const axes = given.length > 0 ? given : x.shape.map((_, axis) => axis);
  const greatest = reduce(lower, lower.step(target, "greatest"), REDUCE.MAX, x, axes, true);
  const rest = eltwise(lower, lower.step(target, "rest"), ELTWISE.SUB, x, greatest);
  const powers = activation(lower, lower.step(target, "powers"), rest, { activation: "EXP" });
  const sum = reduce(lower, lower.step(target, "sum"), REDUCE.SUM, powers, axes, true);
  const log = activation(lower, lower.step(target, "log"), sum, { activation: "LOG" });
  const keep = node.integer("keepdims", 1) === 1;
  const total = eltwise(lower, keep ? target : lower.step(target, "total"), ELTWISE.SUM, log, greatest);
  if (keep) return total;
  const dropped = new Set(axes.map((axis) => axisIn(axis, x.shape.length)));
  return reshape(
    lower,
    target,
    total,
    x.shape.filter((_, axis) => !dropped.has(axis)),
  );
};

/** gamma * (max(x, 0) + min(alpha * (exp(x) - 1), 0)), in which alpha may be scaled first (Celu). */
const selu: OnnxLowering = (node) => {
  const { lower, target } = node;
  const alpha = node.float("alpha", 1.6732632423543772);
  const bent = activation(lower, lower.step(target, "elu"), node.input(0), {
    activation: "ELU",
    activation_coefficient: alpha,
  });
  return eltwiseScalar(lower, target, ELTWISE.PROD, bent, node.float("gamma", 1.0507009873554805));
};

/** max(0, x) + min(0, alpha * (exp(x / alpha) - 1)): alpha * elu(x / alpha). */
const celu: OnnxLowering = (node) => {
  const { lower, target } = node;
  const alpha = node.float("alpha", 1);
  const elu = { activation: "ELU", activation_coefficient: 1 };
  if (alpha === 1) return activation(lower, target, node.input(0), elu);
  const scaled = eltwiseScalar(lower, lower.step(target, "scaled"), ELTWISE.DIV, node.input(0), alpha);
  const bent = activation(lower, lower.step(target, "elu"), scaled, elu);
  return eltwiseScalar(lower, target, ELTWISE.PROD, bent, alpha);
};

/** x where it is above alpha, else 0. */
const thresholdedRelu: OnnxLowering = (node) => {
  const { lower, target } = node;
  const x = node.input(0);
  const above = eltwiseScalar(lower, lower.step(target, "above"), ELTWISE.GREATER, x, node.float("alpha", 1));
  return select(lower, target, above, x, lower.scalar(target, "zero", 0));
};

const batchNormalization: OnnxLowering = (node) => {
  if (node.integer("training_mode", 0) === 1)
    unsupported("it normalizes with the statistics of the batch (training_mode)");
  if (node.integer("spatial", 1) === 0) unsupported("it normalizes every position on its own (spatial = 0)");
  return batchNorm(node.lower, node.target, node.input(0), 1, {
    scale: constantOf(node.input(1), "its scale"),
    offset: constantOf(node.input(2), "its offset"),
    mean: constantOf(node.input(3), "its mean"),
    variance: constantOf(node.input(4), "its variance"),
    epsilon: node.float("epsilon", 1e-5),
  });
};

/** Normalization over axes, then scale and offset per channel. */
function normalized(node: OnnxNode, x: Value, axes: readonly number[]): Value {
  const { lower, target } = node;
  const normal = mvn(lower, lower.step(target, "normal"), x, { axes, epsilon: node.float("epsilon", 1e-5) });
  return channelAffine(lower, target, normal, 1, node.input(1), node.input(2));
}

const instanceNormalization: OnnxLowering = (node) => {
  const x = node.input(0);
  return normalized(node, x, x.shape.map((_, axis) => axis).slice(2));
};

const groupNormalization: OnnxLowering = (node) => {
  const { lower, target } = node;
  const x = node.input(0);
  const groups = node.integer("num_groups");
  const [n = 1, channels = 0] = x.shape;
  if (groups < 1 || channels % groups !== 0) badValue(`${channels} channels do not make ${groups} groups`);
  const rows = [n, groups, elementCount(x.shape) / (n * groups)];
  const flat = reshape(lower, lower.step(target, "groups"), x, rows);
  const spread = (value: Value, what: string): Value => {
    // Up to opset 20 there was one number per group.
    if (value.shape[0] === channels) return value;
    const constant = constantOf(value, what);
    const wide = widened(lower, like(constant, { shape: [groups, 1] }), [groups, channels / groups]);
    return { ...wide, shape: [channels] };
  };
  const normal = mvn(lower, lower.step(target, "normal"), flat, { axes: [2], epsilon: node.float("epsilon", 1e-5) });
  const shaped = reshape(lower, lower.step(target, "shaped"), normal, x.shape);
  const [scale, offset] = [spread(node.input(1), "its scale"), spread(node.input(2), "its offset")];
  return channelAffine(lower, target, shaped, 1, scale, offset);
};

const layerNormalization: OnnxLowering = (node) => {
  const { lower, target } = node;
  const x = node.input(0);
  const first = axisIn(node.integer("axis", -1), x.shape.length);
  const axes = x.shape.map((_, axis) => axis).slice(first);
  const offset = node.inputs[2];
  const normal = mvn(lower, lower.step(target, "normal"), x, { axes, epsilon: node.float("epsilon", 1e-5) });
  const inner = offset ? lower.step(target, "scaled") : target;
  const scaled = eltwise(lower, inner, ELTWISE.PROD, normal, node.input(1));
  const y = offset ? eltwise(lower, target, ELTWISE.SUM, scaled, offset) : scaled;
  const [, meanName = "", factorName = ""] = node.definition.output;
  if (meanName === "" && factorName === "") return y;
  const named = (name: string, suffix: string): Target => {
    return { node: `${target.node}/${suffix}`, tensor: lower.fresh(name === "" ? `${target.tensor}/${suffix}` : name) };
  };
  const mean = reduce(lower, named(meanName, "mean"), REDUCE.MEAN, x, axes, true);
  const squares = eltwise(lower, lower.step(target, "squares"), ELTWISE.SQR_DIFF, x, mean);
  const variance = reduce(lower, lower.step(target, "variance"), REDUCE.MEAN, squares, axes, true);
  const safe = eltwiseScalar(lower, lower.step(target, "safe"), ELTWISE.SUM, variance, node.float("epsilon", 1e-5));
  return [y, mean, activation(lower, named(factorName, "factor"), safe, { activation: "RSQRT" })];
};

const gemm: OnnxLowering = (node) => {
  const { lower, target } = node;
  const alpha = node.float("alpha", 1);
  const beta = node.float("beta", 1);
  const transB = node.integer("transB", 0) === 1;
  const c = node.inputs[2];
  let a = node.input(0);
  if (a.shape.length !== 2 || node.input(1).shape.length !== 2) badValue("its first two inputs must be matrices");
  if (node.integer("transA", 0) === 1) a = transpose(lower, lower.step(target, "a"), a, [1, 0]);
  const b = node.input(1);
  if (isConstant(b) && !isConstant(a)) {
    const columns = b.shape[transB ? 0 : 1] ?? 0;
    const vector =
      c && isConstant(c) && (c.data.length === 1 || (c.data.length === columns && c.shape.at(-1) === columns));
    const inner = vector || !c ? target : lower.step(target, "product");
    const y = fullyConnected(lower, inner, a, b, {
      transposed: transB,
      alpha,
      ...(vector && { bias: c, beta }),
    });
    return vector || !c ? y : eltwise(lower, target, ELTWISE.SUM, y, scaledBy(node, c, beta, "c"));
  }
  const product = matMul(lower, alpha === 1 && !c ? target : lower.step(target, "product"), a, b, false, transB);
  const scaled =
    alpha === 1
      ? product
      : eltwiseScalar(lower, c ? lower.step(target, "scaled") : target, ELTWISE.PROD, product, alpha);
  return c ? eltwise(lower, target, ELTWISE.SUM, scaled, scaledBy(node, c, beta, "c")) : scaled;
};

function scaledBy(node: OnnxNode, x: Value, factor: number, suffix: string): Value {
  if (factor === 1) return x;
  return eltwiseScalar(node.lower, node.lower.step(node.target, suffix), ELTWISE.PROD, x, factor);
}

const product: OnnxLowering = (node) => {
  const { lower, target } = node;
  const [a, b] = [node.input(0), node.input(1)];
  if (a.shape.length > 1 && b.shape.length > 1) return matMul(lower, target, a, b);
  // Vectors become matrices of one row or column, whose axis the result loses again.
  const left = a.shape.length === 1 ? reshape(lower, lower.step(target, "a"), a, [1, ...a.shape]) : a;
  const right = b.shape.length === 1 ? reshape(lower, lower.step(target, "b"), b, [...b.shape, 1]) : b;
  const y = matMul(lower, lower.step(target, "product"), left, right);
  const shape = [...y.shape];
  if (b.shape.length === 1) shape.pop();
  if (a.shape.length === 1) shape.splice(shape.length - (b.shape.length === 1 ? 1 : 2), 1);
  return reshape(lower, target, y, shape);
};

const extreme =
  (least: boolean): OnnxLowering =>
  (node) =>
    argMax(node.lower, node.target, node.input(0), {
      axis: node.integer("axis", 0),
      keepDims: node.integer("keepdims", 1) === 1,
      last: node.integer("select_last_index", 0) === 1,
      least,
    });

const oneHotOf: OnnxLowering = (node) => {
  const [off = 0, on = 1] = numbersOf(node.input(2), "its values");
  const depth = numberOf(node.input(1), "its depth");
  return oneHot(node.lower, node.target, node.input(0), {
    depth,
    axis: node.integer("axis", -1),
    on,
    off,
    wraps: true,
  });
};

const clip: OnnxLowering = (node) => {
  const x = node.input(0);
  const limit = (name: string, input: number, fallback: number): number => {
    if (node.has(name)) return node.float(name);
    return node.inputs[input] ? numberOf(node.inputs[input], `its ${name}imum`) : fallback;
  };
  const low = limit("min", 1, -FLOAT_MAX);
  const high = limit("max", 2, FLOAT_MAX);
  if (x.dtype !== "float32") {
    return mapConstant(node.lower, node.target, x, (value) => Math.min(high, Math.max(low, value)));
  }
  if (low === -FLOAT_MAX && high === FLOAT_MAX) return x;
  return activation(node.lower, node.target, x, { activation: "CLIP", min_limit: low, max_limit: high });
};

const prelu: OnnxLowering = (node) => {
  const { lower, target } = node;
  const x = node.input(0);
  const slope = node.input(1);
  if (isConstant(slope) && slope.data.length === 1) {
    return activation(lower, target, x, { activation: "LEAKYRELU", activation_coefficient: slope.data[0] ?? 0 });
  }
  const channels = x.shape[1] ?? 0;
  const spread: Shape = [channels, ...x.shape.slice(2).map(() => 1)];
  const own = slope.shape.filter((size, axis) => axis > 0 || size !== 1 || slope.shape.length < x.shape.length);
  const perChannel = sameShape(own, spread) || (node.opset < 7 && sameShape(slope.shape, [channels]));
  if (isConstant(slope) && x.shape.length === 4 && perChannel) {
    const name = lower.constantForm(slope, "slope", () => share({ shape: [channels] }, slope));
    const image: Value = { ...x, name: lower.nhwc(x), layout: "nhwc" };
    return activation(lower, target, image, { activation: "PRELU" }, name);
  }
  // max(x, 0) + slope * min(x, 0)
  const negative = eltwiseScalar(lower, lower.step(target, "negative"), ELTWISE.MIN, x, 0);
  const bent = eltwise(lower, lower.step(target, "bent"), ELTWISE.PROD, negative, slope);
  const positive = activation(lower, lower.step(target, "positive"), x, { activation: "RELU" });
  return eltwise(lower, target, ELTWISE.SUM, positive, bent);
};

const softmaxOf =
  (log: boolean): OnnxLowering =>
  (node) => {
    const { lower, target } = node;
    const x = node.input(0);
    if (node.opset >= 13) return softmax(lower, target, x, node.integer("axis", -1), log);
    // Before opset 13 everything from the axis on was one row.
    const axis = axisIn(node.integer("axis", 1), x.shape.length);
    if (x.shape.slice(axis + 1).every((size) => size === 1)) return softmax(lower, target, x, axis, log);
    const rows = [elementCount(x.shape.slice(0, axis)), elementCount(x.shape.slice(axis))];
    const flat = reshape(lower, lower.step(target, "rows"), x, rows);
    return reshape(lower, target, softmax(lower, lower.step(target, "of_rows"), flat, 1, log), x.shape);
  };

const flatten: OnnxLowering = (node) => {
  const x = node.input(0);
  const axis = node.integer("axis", 1);
  const at = axis === x.shape.length ? axis : axisIn(axis, x.shape.length);
  const shape = [elementCount(x.shape.slice(0, at)), elementCount(x.shape.slice(at))];
  return reshape(node.lower, node.target, x, shape);
};

const reshapeOf: OnnxLowering = (node) => {
  const x = node.input(0);
  const wanted = node.integers("shape") ?? numbersOf(node.inputs[1], "its shape");
  const zero = node.integer("allowzero", 0) === 1;
  const copied = wanted.map((size, axis) =>
    size === 0 && !zero ? (x.shape[axis] ?? badValue("it copies a missing axis")) : size,
  );
  return reshape(node.lower, node.target, x, resolveShape(x, copied));
};

const squeeze: OnnxLowering = (node) => {
  const x = node.input(0);
  const axes = axesOf(node, 1)?.map((axis) => axisIn(axis, x.shape.length));
  for (const axis of axes ?? [])
    if (x.shape[axis] !== 1) badValue(`axis ${axis} of ${shapeText(x.shape)} cannot be squeezed`);
  const kept = x.shape.filter((size, axis) => (axes ? !axes.includes(axis) : size !== 1));
  return reshape(node.lower, node.target, x, kept);
};

const unsqueeze: OnnxLowering = (node) => {
  const x = node.input(0);
  const given = axesOf(node, 1) ?? badValue("it has no axes");
  const rank = x.shape.length + given.length;
  const axes = new Set(given.map((axis) => axisIn(axis, rank)));
  if (axes.size !== given.length) badValue("its axes are not distinct");
  let next = 0;
  const shape = Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? 1 : (x.shape[next++] ?? 1)));
  return reshape(node.lower, node.target, x, shape);
};

const sliceOf: OnnxLowering = (node) => {
  const x = node.input(0);
  const list = (name: string, input: number): number[] | undefined =>
    node.integers(name) ?? (node.inputs[input] ? numbersOf(node.inputs[input], `its ${name}`) : undefined);
  const starts = list("starts", 1) ?? badValue("it has no starts");
  const ends = list("ends", 2) ?? badValue("it has no ends");
  const axes = (list("axes", 3) ?? starts.map((_, i) => i)).map((axis) => axisIn(axis, x.shape.length));
  const steps = list("steps", 4) ?? starts.map(() => 1);
  if (ends.length !== starts.length || axes.length !== starts.length || steps.length !== starts.length) {
    badValue("its limits have different lengths");
  }
  const resolved = x.shape.map((size): SliceAxis => ({ begin: 0, end: size, stride: 1 }));
  axes.forEach((axis, i) => {
    resolved[axis] = resolveSlice(starts[i], ends[i], steps[i] ?? 1, x.shape[axis] ?? 0);
  });
  return slice(node.lower, node.target, x, resolved);
};

const splitOf: OnnxLowering = (node) => {
  const x = node.input(0);
  const outputs = node.definition.output;
  const axis = axisIn(node.integer("axis", 0), x.shape.length);
  const size = x.shape[axis] ?? 0;
  const given = node.integers("split") ?? (node.inputs[1] ? numbersOf(node.inputs[1], "its sizes") : undefined);
  const part = Math.ceil(size / outputs.length);
  const sizes = given ?? outputs.map((_, i) => Math.min(part, size - i * part));
  if (sizes.some((s) => s === 0)) unsupported("it has an empty part");
  return split(node.lower, node.target, outputs, x, axis, sizes);
};

const padOf: OnnxLowering = (node) => {
  const x = node.input(0);
  const list = node.integers("pads") ?? numbersOf(node.inputs[1], "its pads");
  const axes = node.inputs[3] ? numbersOf(node.inputs[3], "its axes") : x.shape.map((_, axis) => axis);
  if (list.length !== 2 * axes.length) badValue(`${list.length} pads for ${axes.length} axes`);
  const pairs = x.shape.map((): [number, number] => [0, 0]);
  axes.forEach((axis, i) => {
    pairs[axisIn(axis, x.shape.length)] = [list[i] ?? 0, list[i + axes.length] ?? 0];
  });
  const value = node.inputs[2] ? numberOf(node.inputs[2], "its value") : node.float("value", 0);
  const mode = node.string("mode", "constant");
  const types: Readonly<Record<string, number>> = { constant: PAD.CONSTANT, reflect: PAD.REFLECT, edge: PAD.EDGE };
  return pad(node.lower, node.target, x, pairs, types[mode] ?? unsupported(`its mode is '${mode}'`), value);
};

const gatherOf: OnnxLowering = (node) =>
  gather(node.lower, node.target, node.input(0), node.input(1), node.integer("axis", 0));

const cast: OnnxLowering = (node) => {
  const to = node.integer("to");
  const dtype = elementType(to) ?? unsupported(`it casts to ${typeName(to)}`);
  return castTo(node.lower, node.target, node.input(0), dtype);
};

const constant: OnnxLowering = (node) => {
  const { lower, target } = node;
  const tensor = node.tensor("value", target.tensor);
  if (tensor) return tensor;
  const floats = node.floats("value_floats");
  if (floats) return lower.constant(target.tensor, [floats.length], floats);
  const ints = node.integers("value_ints");
  if (ints) return lower.constant(target.tensor, [ints.length], Int32Array.from(ints));
  if (node.has("value_float")) return lower.constant(target.tensor, [], Float32Array.of(node.float("value_float")));
  if (node.has("value_int")) return lower.constant(target.tensor, [], Int32Array.of(node.integer("value_int")));
  return unsupported("its value is neither a tensor nor numbers");
};

const constantOfShape: OnnxLowering = (node) => {
  const value = node.tensor("value", node.target.tensor);
  const shape = numbersOf(node.input(0), "its shape");
  return fill(node.lower, node.target, shape, value?.data[0] ?? 0, value?.dtype ?? "float32");
};

const shapeOf: OnnxLowering = (node) => {
  const { shape } = node.input(0);
  const part = shape.slice(node.integer("start", 0), node.has("end") ? node.integer("end") : undefined);
  return node.lower.constant(node.target.tensor, [part.length], Int32Array.from(part));
};

const dropout: OnnxLowering = (node) => {
  const training = node.inputs[2];
  if (training && (!isConstant(training) || training.data[0] !== 0)) unsupported("it drops out (training_mode)");
  const x = node.input(0);
  const mask = node.definition.output[1];
  return mask ? [x, fill(node.lower, { ...node.target, tensor: mask }, x.shape, 1, "bool")] : x;
};

export const ONNX_OPERATORS: Readonly<Record<string, OnnxLowering>> = {
  // Products.
  ...IMAGE_OPERATORS,
  Gemm: gemm,
  MatMul: product,

  // Normalization.
  BatchNormalization: batchNormalization,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
  LayerNormalization: layerNormalization,
  MeanVarianceNormalization: (node) =>
    mvn(node.lower, node.target, node.input(0), {
      axes: node.integers("axes") ?? [0, 2, 3],
      epsilon: 1e-9,
      outside: true,
    }),
  LpNormalization: (node) => {
    const axis = node.integer("axis", -1);
    return lpNorm(node.lower, node.target, node.input(0), node.integer("p", 2), [axis], LEAST_NORM);
  },
  LRN: (node) => {
    const size = node.integer("size");
    return localResponseNorm(node.lower, node.target, node.input(0), "NCHW", {
      size,
      alpha: node.float("alpha", 1e-4) / size,
      beta: node.float("beta", 0.75),
      bias: node.float("bias", 1),
    });
  },

  // Element by element, several inputs.
  Add: binary(ELTWISE.SUM),
  Sub: binary(ELTWISE.SUB),
  Mul: binary(ELTWISE.PROD),
  Div: binary(ELTWISE.DIV),
  Pow: power,
  Sum: variadic(ELTWISE.SUM),
  Max: variadic(ELTWISE.MAX),
  Min: variadic(ELTWISE.MIN),
  Mean: (node) => {
    const values = node.all();
    if (values.length === 1) return node.input(0);
    const sum = eltwiseChain(node.lower, node.lower.step(node.target, "sum"), ELTWISE.SUM, values);
    return eltwiseScalar(node.lower, node.target, ELTWISE.DIV, sum, values.length);
  },
  PRelu: prelu,

  // Element by element, one input.
  Relu: unary(named("RELU"), (value) => Math.max(0, value)),
  Clip: clip,
  LeakyRelu: unary((node) => ({
    activation: "LEAKYRELU",
    activation_coefficient: node.float("alpha", Math.fround(0.01)),
  })),
  Elu: unary((node) => ({ activation: "ELU", activation_coefficient: node.float("alpha", 1) })),
  Sigmoid: unary(named("SIGMOID")),
  Tanh: unary(named("TANH")),
  HardSigmoid: unary((node) => ({
    activation: "HARDSIGMOID",
    hardsigmoid_alpha: node.float("alpha", Math.fround(0.2)),
    hardsigmoid_beta: node.float("beta", 0.5),
  })),
  HardSwish: unary(named("HARDSWISH")),
  Exp: unary(named("EXP")),
  Sqrt: unary(named("SQRT")),
  Abs: unary(named("ABS"), Math.abs),
  Neg: unary(named("NEG"), (value) => -value),
  Reciprocal: unary(named("RECIPROCAL")),
  Log: unary(named("LOG")),
  Erf: unary(named("ERF")),
  Gelu: unary((node) => ({ activation: node.string("approximate", "none") === "tanh" ? "GELU_TANH" : "GELU" })),
  Softplus: unary(named("SOFTPLUS")),
  Softsign: (node) => {
    const { lower, target } = node;
    const size = activation(lower, lower.step(target, "size"), node.input(0), { activation: "ABS" });
    const divisor = eltwiseScalar(lower, lower.step(target, "divisor"), ELTWISE.SUM, size, 1);
    return eltwise(lower, target, ELTWISE.DIV, node.input(0), divisor);
  },
  Mish: unary(named("MISH")),
  Selu: selu,
  Celu: celu,
  ThresholdedRelu: thresholdedRelu,
  Floor: unary(named("FLOOR"), Math.floor),
  Ceil: unary(named("CEIL"), Math.ceil),
  Round: unary(named("ROUND"), (value) => value),
  Sign: unary(named("SIGN"), Math.sign),
  Softmax: softmaxOf(false),
  LogSoftmax: softmaxOf(true),

  // Pooling and reductions.
  ReduceMean: reduction(REDUCE.MEAN),
  ReduceMax: reduction(REDUCE.MAX),
  ReduceMin: reduction(REDUCE.MIN),
  ReduceSum: reduction(REDUCE.SUM),
  ReduceProd: reduction(REDUCE.PROD),
  ReduceL1: reductionOf("ABS", undefined),
  ReduceL2: reductionOf("SQUARE", "SQRT"),
  ReduceSumSquare: reductionOf("SQUARE", undefined),
  ReduceLogSum: reductionOf(undefined, "LOG"),
  ReduceLogSumExp: reduceLogSumExp,
  ArgMax: extreme(false),
  ArgMin: extreme(true),
  CumSum: (node) => {
    const axis = numberOf(node.input(1), "its axis");
    const exclusive = node.integer("exclusive", 0) === 1;
    return cumsum(node.lower, node.target, node.input(0), axis, exclusive, node.integer("reverse", 0) === 1);
  },

  // Data movement.
  Concat: (node) => concat(node.lower, node.target, node.all(), node.integer("axis")),
  Flatten: flatten,
  Reshape: reshapeOf,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: (node) => {
    const x = node.input(0);
    const reversed = x.shape.map((_, axis) => x.shape.length - 1 - axis);
    return transpose(node.lower, node.target, x, node.integers("perm") ?? reversed);
  },
  Slice: sliceOf,
  Split: splitOf,
  Pad: padOf,
  Gather: gatherOf,
  GatherElements: (node) =>
    gatherElements(node.lower, node.target, node.input(0), node.input(1), node.integer("axis", 0)),
  Expand: (node) => expand(node.lower, node.target, node.input(0), numbersOf(node.input(1), "its shape")),
  Tile: (node) => tile(node.lower, node.target, node.input(0), numbersOf(node.input(1), "its repeats")),
  OneHot: oneHotOf,
  Cast: cast,
  CastLike: (node) => castTo(node.lower, node.target, node.input(0), node.input(1).dtype),
  Where: (node) => select(node.lower, node.target, node.input(0), node.input(1), node.input(2)),
  ...QUANTIZED_OPERATORS,

  // What stands for its input.
  Identity: identity,
  Dropout: dropout,

  // Constants and shape arithmetic.
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Shape: shapeOf,
  Size: (node) => node.lower.constant(node.target.tensor, [], Int32Array.of(elementCount(node.input(0).shape))),
  Range: (node) => range(node.lower, node.target, node.all()),
  Not: (node) => not(node.lower, node.target, node.input(0)),
  Mod: (node) => {
    const values = [node.input(0), node.input(1)];
    const c = node.integer("fmod", 0) === 1;
    return zipConstants(
      node.lower,
      node.target,
      values,
      (a, b) => (c ? a % b : a - b * Math.floor(a / b)),
      node.input(0).dtype,
    );
  },
  Equal: compares(ELTWISE.EQUAL),
  Greater: compares(ELTWISE.GREATER),
  GreaterOrEqual: compares(ELTWISE.GREATER_OR_EQUAL),
  Less: compares(ELTWISE.LESS),
  LessOrEqual: compares(ELTWISE.LESS_OR_EQUAL),
  And: logic(LOGIC.AND),
  Or: logic(LOGIC.OR),
  Xor: logic(LOGIC.XOR),
};

/** Operators that run other graphs as often as computed values say. */
export const CONTROL_FLOW: ReadonlySet<string> = new Set(["Loop", "Scan"]);
