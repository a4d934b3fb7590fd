/** The table of TensorFlow operators: one entry each, from attributes and inputs to the operations both importers share. */

import { ELTWISE, PAD, POOLING, REDUCE } from "../../ir/operators";
import { elementCount, shapeText } from "../../ir/shape";
import { fill, mapConstant, range } from "../constant-operations";
import { badValue, unsupported } from "../failures";
import { depthToSpace, spaceToDepth } from "../image-operations";
import { isConstant, type Target, type Value } from "../lowering";
import {
  activation,
  addBias,
  axisIn,
  batchNorm,
  concat,
  constantFilter,
  constantOf,
  convolution,
  depthwiseConvolution,
  eltwise,
  eltwiseChain,
  eltwiseScalar,
  imageChannels,
  localResponseNorm,
  matMul,
  numberOf,
  numbersOf,
  pad,
  pooling,
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
  compare,
  cumsum,
  expand,
  floorMod,
  gather,
  LOGIC,
  logical,
  not,
  oneHot,
  reverse,
  select,
  tile,
} from "../value-operations";
import { fakeQuantArgs, fakeQuantPerChannel, fakeQuantVars } from "./fake-quant";
import { batchToSpace, deconv2d, extractPatches, resizeWith, spaceToBatch, windowOf } from "./image-table";
import type { TensorflowNode } from "./node";
import { decodeTensor, elementType } from "./tensors";

export type TensorflowLowering = (node: TensorflowNode) => Value | Value[];

const identity: TensorflowLowering = (node) => node.input(0);

const unary =
  (attributes: Readonly<Record<string, number | string>>): TensorflowLowering =>
  (node) =>
    activation(node.lower, node.target, node.input(0), attributes);

const binary =
  (type: number): TensorflowLowering =>
  (node) =>
    eltwise(node.lower, node.target, type, node.input(0), node.input(1));

const reduction =
  (type: number): TensorflowLowering =>
  (node) => {
    const keep = node.boolean("keep_dims") || node.boolean("keepdims");
    return reduce(node.lower, node.target, type, node.input(0), numbersOf(node.input(1), "its axes"), keep);
  };

const compares =
  (type: number): TensorflowLowering =>
  (node) =>
    compare(node.lower, node.target, type, node.input(0), node.input(1));

const logic =
  (type: number): TensorflowLowering =>
  (node) =>
    logical(node.lower, node.target, type, node.input(0), node.input(1));

const shapeVector = (node: TensorflowNode, target: Target, numbers: readonly number[]): Value =>
  node.lower.constant(target.tensor, [numbers.length], Int32Array.from(numbers));

const conv2d: TensorflowLowering = (node) => {
  const filter = constantFilter(node.input(1));
  const [kh = 0, kw = 0, depth = 0] = filter.shape;
  const order = node.order();
  const x = node.input(0);
  const group = depth > 0 ? imageChannels(x, order) / depth : 0;
  if (!Number.isInteger(group)) {
    badValue(`a filter of shape ${shapeText(filter.shape)} does not fit ${shapeText(x.shape)}`);
  }
  const window = windowOf(node, x, [kh, kw], node.spatial("dilations", [1, 1]));
  return convolution(node.lower, node.target, x, filter, order, { ...window, group, filterOrder: "HWIO" });
};

const depthwise: TensorflowLowering = (node) => {
  const filter = constantFilter(node.input(1));
  const [kh = 0, kw = 0] = filter.shape;
  const x = node.input(0);
  const window = windowOf(node, x, [kh, kw], node.spatial("dilations", [1, 1]));
  return depthwiseConvolution(node.lower, node.target, x, filter, node.order(), window);
};

const pool =
  (type: number): TensorflowLowering =>
  (node) => {
    const kernel = node.spatial("ksize");
    const x = node.input(0);
    const window = windowOf(node, x, kernel, [1, 1]);
    return pooling(node.lower, node.target, x, node.order(), {
      ...window,
      type,
      kernel,
      roundUp: false,
      countPads: false,
    });
  };

const fusedBatchNorm: TensorflowLowering = (node) => {
  if (node.boolean("is_training", true)) unsupported("it normalizes with the statistics of the batch (is_training)");
  const x = node.input(0);
  return batchNorm(node.lower, node.target, x, node.order() === "NHWC" ? x.shape.length - 1 : 1, {
    scale: constantOf(node.input(1), "its scale"),
    offset: constantOf(node.input(2), "its offset"),
    mean: constantOf(node.input(3), "its mean"),
    variance: constantOf(node.input(4), "its variance"),
    epsilon: node.float("epsilon", 1e-4),
  });
};

/** The batch normalization of the first published Inception graphs. */
const oldBatchNorm: TensorflowLowering = (node) => {
  const x = node.input(0);
  const gamma = constantOf(node.input(4), "its gamma");
  const scaled = node.boolean("scale_after_normalization");
  return batchNorm(node.lower, node.target, x, x.shape.length - 1, {
    scale: scaled ? gamma : { ...gamma, data: new Float32Array(gamma.data.length).fill(1) },
    offset: constantOf(node.input(3), "its beta"),
    mean: constantOf(node.input(1), "its mean"),
    variance: constantOf(node.input(2), "its variance"),
    epsilon: node.float("variance_epsilon"),
  });
};

const product: TensorflowLowering = (node) => {
  const [a, b] = [node.input(0), node.input(1)];
  return matMul(node.lower, node.target, a, b, node.boolean("transpose_a"), node.boolean("transpose_b"));
};

const batchProduct: TensorflowLowering = (node) => {
  const [a, b] = [node.input(0), node.input(1)];
  return matMul(node.lower, node.target, a, b, node.boolean("adj_x"), node.boolean("adj_y"));
};

const padding = (type: number): TensorflowLowering => {
  return (node) => {
    const list = numbersOf(node.input(1), "its paddings");
    const pairs = node
      .input(0)
      .shape.map((_, axis): [number, number] => [list[2 * axis] ?? 0, list[2 * axis + 1] ?? 0]);
    if (list.length !== 2 * pairs.length) badValue("its paddings do not fit its input");
    const value = node.inputs.length > 2 ? numberOf(node.input(2), "its padding value") : 0;
    return pad(node.lower, node.target, node.input(0), pairs, type, value);
  };
};

const mirrorPad: TensorflowLowering = (node) =>
  padding(node.string("mode") === "SYMMETRIC" ? PAD.SYMMETRIC : PAD.REFLECT)(node);

const squeeze: TensorflowLowering = (node) => {
  const { shape } = node.input(0);
  const listed = [...node.integers("squeeze_dims"), ...node.integers("axis")].map((axis) => axisIn(axis, shape.length));
  for (const axis of listed) if (shape[axis] !== 1) badValue(`axis ${axis} of ${shapeText(shape)} cannot be squeezed`);
  const kept = shape.filter((size, axis) => (listed.length > 0 ? !listed.includes(axis) : size !== 1));
  return reshape(node.lower, node.target, node.input(0), kept);
};

const expandDims: TensorflowLowering = (node) => {
  const shape = [...node.input(0).shape];
  shape.splice(axisIn(numberOf(node.input(1), "its axis"), shape.length + 1), 0, 1);
  return reshape(node.lower, node.target, node.input(0), shape);
};

const pack: TensorflowLowering = (node) => {
  const shape = [...node.input(0).shape];
  const axis = axisIn(node.integer("axis", 0), shape.length + 1);
  shape.splice(axis, 0, 1);
  const parts = node.inputs.map((value, index) => {
    if (shapeText(value.shape) !== shapeText(node.input(0).shape)) badValue("its inputs have different shapes");
    return reshape(node.lower, node.lower.step(node.target, `${index}`), value, shape);
  });
  const [only] = parts;
  return parts.length === 1 && only ? only : concat(node.lower, node.target, parts, axis);
};

const unpack: TensorflowLowering = (node) => {
  const x = node.input(0);
  const axis = axisIn(node.integer("axis", 0), x.shape.length);
  const count = x.shape[axis] ?? 0;
  if (count > 1024) unsupported(`it has ${count} outputs`);
  const names = node.outputs(count);
  const sliceNames = names.map((name) => node.lower.fresh(`${name}/slice`));
  const shape = x.shape.filter((_, i) => i !== axis);
  const parts = split(
    node.lower,
    { ...node.target, node: `${node.name}/split` },
    sliceNames,
    x,
    axis,
    names.map(() => 1),
  );
  return parts.map((part, i) => reshape(node.lower, { node: node.name, tensor: names[i] ?? "" }, part, shape));
};

const stridedSlice: TensorflowLowering = (node) => {
  const x = node.input(0);
  const begin = numbersOf(node.input(1), "its begin");
  const end = numbersOf(node.input(2), "its end");
  const strides = numbersOf(node.input(3), "its strides");
  const bit = (name: string, i: number): boolean => ((node.integer(name, 0) >> i) & 1) === 1;
  if (end.length !== begin.length || strides.length !== begin.length || begin.length > 31)
    badValue("its limits do not fit");
  const newAxes = begin.filter((_, i) => !bit("ellipsis_mask", i) && bit("new_axis_mask", i)).length;
  const ellipses = begin.filter((_, i) => bit("ellipsis_mask", i)).length;
  if (ellipses > 1) badValue("it has two ellipses");
  const axes: SliceAxis[] = [];
  const shape: number[] = [];
  const whole = (): void => {
    const size = x.shape[axes.length] ?? badValue("it has more limits than axes");
    axes.push({ begin: 0, end: size, stride: 1 });
    shape.push(size);
  };
  begin.forEach((from, i) => {
    if (bit("ellipsis_mask", i)) {
      const count = x.shape.length - (begin.length - newAxes - 1);
      for (let k = 0; k < count; k++) whole();
      return;
    }
    if (bit("new_axis_mask", i)) {
      shape.push(1);
      return;
    }
    const size = x.shape[axes.length] ?? badValue("it has more limits than axes");
    if (bit("shrink_axis_mask", i)) {
      const at = from < 0 ? from + size : from;
      if (at < 0 || at >= size) badValue(`the index ${from} is outside an axis of ${size}`);
      axes.push({ begin: at, end: at + 1, stride: 1 });
      return;
    }
    const axis = resolveSlice(
      bit("begin_mask", i) ? undefined : from,
      bit("end_mask", i) ? undefined : end[i],
      strides[i] ?? 1,
      size,
    );
    axes.push(axis);
    shape.push(Math.max(0, Math.ceil((axis.end - axis.begin) / axis.stride)));
  });
  while (axes.length < x.shape.length) whole();
  if (
    shapeText(shape) === shapeText(axes.map((axis) => Math.max(0, Math.ceil((axis.end - axis.begin) / axis.stride))))
  ) {
    return slice(node.lower, node.target, x, axes);
  }
  return reshape(node.lower, node.target, slice(node.lower, node.lower.step(node.target, "slice"), x, axes), shape);
};

const sliceOf: TensorflowLowering = (node) => {
  const x = node.input(0);
  const begin = numbersOf(node.input(1), "its begin");
  const sizes = numbersOf(node.input(2), "its size");
  const axes = x.shape.map((size, axis): SliceAxis => {
    const from = begin[axis] ?? -1;
    const count = sizes[axis] ?? -2;
    const to = count === -1 ? size : from + count;
    if (from < 0 || count < -1 || to > size) badValue(`the part ${from} + ${count} is outside an axis of ${size}`);
    return { begin: from, end: to, stride: 1 };
  });
  return slice(node.lower, node.target, x, axes);
};

const splitEvenly: TensorflowLowering = (node) => {
  const x = node.input(1);
  const count = node.integer("num_split");
  const axis = axisIn(numberOf(node.input(0), "its axis"), x.shape.length);
  const size = (x.shape[axis] ?? 0) / count;
  if (!Number.isInteger(size) || count < 1)
    badValue(`axis ${axis} of ${shapeText(x.shape)} has no ${count} equal parts`);
  const names = node.outputs(count);
  return split(
    node.lower,
    node.target,
    names,
    x,
    axis,
    names.map(() => size),
  );
};

const splitUnevenly: TensorflowLowering = (node) => {
  const x = node.input(0);
  const axis = axisIn(numberOf(node.input(2), "its axis"), x.shape.length);
  const sizes = numbersOf(node.input(1), "its sizes");
  const known = sizes.reduce((sum, size) => sum + Math.max(0, size), 0);
  const resolved = sizes.map((size) => (size === -1 ? (x.shape[axis] ?? 0) - known : size));
  return split(node.lower, node.target, node.outputs(sizes.length), x, axis, resolved);
};

const cast: TensorflowLowering = (node) => {
  const dtype = elementType(node.dataType("DstT")) ?? unsupported("it casts to a type without canonical form");
  return castTo(node.lower, node.target, node.input(0), dtype);
};

const gatherWith =
  (axis: (node: TensorflowNode) => number): TensorflowLowering =>
  (node) =>
    gather(node.lower, node.target, node.input(0), node.input(1), axis(node));

const extreme =
  (least: boolean): TensorflowLowering =>
  (node) => {
    const axis = numberOf(node.input(1), "its axis");
    return argMax(node.lower, node.target, node.input(0), { axis, keepDims: false, least });
  };

/** The first version's condition may be a vector, which then chooses whole rows. */
const selectRows: TensorflowLowering = (node) => {
  const { lower, target } = node;
  const [condition, a, b] = [node.input(0), node.input(1), node.input(2)];
  const rows = condition.shape.length === 1 && a.shape.length > 1;
  const shape = [condition.shape[0] ?? 1, ...a.shape.slice(1).map(() => 1)];
  const spread = rows ? reshape(lower, lower.step(target, "rows"), condition, shape) : condition;
  return select(lower, target, spread, a, b);
};

const oneHotOf: TensorflowLowering = (node) =>
  oneHot(node.lower, node.target, node.input(0), {
    depth: numberOf(node.input(1), "its depth"),
    axis: node.integer("axis", -1),
    on: numberOf(node.input(2), "its value at the index"),
    off: numberOf(node.input(3), "its value elsewhere"),
    wraps: false,
  });

/** Functions that constants of integers have too. */
const rounding =
  (name: string): TensorflowLowering =>
  (node) =>
    node.input(0).dtype === "float32" ? unary({ activation: name })(node) : node.input(0);

const selu: TensorflowLowering = (node) => {
  const { lower, target } = node;
  const attributes = { activation: "ELU", activation_coefficient: 1.6732632423543772 };
  const bent = activation(lower, lower.step(target, "elu"), node.input(0), attributes);
  return eltwiseScalar(lower, target, ELTWISE.PROD, bent, 1.0507009873554805);
};

export const TENSORFLOW_OPERATORS: Readonly<Record<string, TensorflowLowering>> = {
  // Sources and what stands for its input.
  Const: (node) => decodeTensor(node.lower, node.name, node.tensor("value")),
  PlaceholderWithDefault: identity,
  Identity: identity,
  IdentityN: (node) => [...node.inputs],
  Snapshot: identity,
  StopGradient: identity,
  PreventGradient: identity,
  CheckNumerics: identity,
  EnsureShape: identity,
  FakeQuantWithMinMaxVars: fakeQuantVars,
  FakeQuantWithMinMaxArgs: fakeQuantArgs,
  FakeQuantWithMinMaxVarsPerChannel: fakeQuantPerChannel,

  // Products.
  Conv2D: conv2d,
  DepthwiseConv2dNative: depthwise,
  Conv2DBackpropInput: deconv2d,
  SpaceToBatchND: spaceToBatch,
  BatchToSpaceND: batchToSpace,
  MatMul: product,
  BatchMatMul: batchProduct,
  BatchMatMulV2: batchProduct,
  BiasAdd: (node) => {
    const x = node.input(0);
    return addBias(node.lower, node.target, x, node.input(1), node.order() === "NHWC" ? x.shape.length - 1 : 1);
  },
  BiasAddV1: (node) => addBias(node.lower, node.target, node.input(0), node.input(1), node.input(0).shape.length - 1),

  // Normalization.
  FusedBatchNorm: fusedBatchNorm,
  FusedBatchNormV2: fusedBatchNorm,
  FusedBatchNormV3: fusedBatchNorm,
  BatchNormWithGlobalNormalization: oldBatchNorm,
  LRN: (node) =>
    localResponseNorm(node.lower, node.target, node.input(0), "NHWC", {
      size: 2 * node.integer("depth_radius", 5) + 1,
      alpha: node.float("alpha", 1),
      beta: node.float("beta", 0.5),
      bias: node.float("bias", 1),
    }),

  // Element by element, two inputs.
  Add: binary(ELTWISE.SUM),
  AddV2: binary(ELTWISE.SUM),
  AddN: (node) => eltwiseChain(node.lower, node.target, ELTWISE.SUM, node.inputs),
  Sub: binary(ELTWISE.SUB),
  Mul: binary(ELTWISE.PROD),
  RealDiv: binary(ELTWISE.DIV),
  Div: binary(ELTWISE.DIV),
  Maximum: binary(ELTWISE.MAX),
  Minimum: binary(ELTWISE.MIN),
  SquaredDifference: binary(ELTWISE.SQR_DIFF),
  Pow: binary(ELTWISE.POW),
  FloorDiv: binary(ELTWISE.FLOOR_DIV),
  FloorMod: (node) => floorMod(node.lower, node.target, node.input(0), node.input(1)),
  Greater: compares(ELTWISE.GREATER),
  GreaterEqual: compares(ELTWISE.GREATER_OR_EQUAL),
  Less: compares(ELTWISE.LESS),
  LessEqual: compares(ELTWISE.LESS_OR_EQUAL),
  Equal: compares(ELTWISE.EQUAL),
  NotEqual: compares(ELTWISE.NOT_EQUAL),
  LogicalAnd: logic(LOGIC.AND),
  LogicalOr: logic(LOGIC.OR),
  Select: selectRows,
  SelectV2: (node) => select(node.lower, node.target, node.input(0), node.input(1), node.input(2)),

  // Element by element, one input.
  Relu: unary({ activation: "RELU" }),
  Relu6: unary({ activation: "RELUX", max_limit: 6 }),
  Sigmoid: unary({ activation: "SIGMOID" }),
  Tanh: unary({ activation: "TANH" }),
  Elu: unary({ activation: "ELU", activation_coefficient: 1 }),
  LeakyRelu: (node) => {
    const attributes = { activation: "LEAKYRELU", activation_coefficient: node.float("alpha", 0.2) };
    return activation(node.lower, node.target, node.input(0), attributes);
  },
  Exp: unary({ activation: "EXP" }),
  Sqrt: unary({ activation: "SQRT" }),
  Rsqrt: unary({ activation: "RSQRT" }),
  Abs: unary({ activation: "ABS" }),
  Neg: (node) =>
    node.input(0).dtype === "float32"
      ? unary({ activation: "NEG" })(node)
      : mapConstant(node.lower, node.target, node.input(0), (value) => -value),
  Square: (node) =>
    node.input(0).dtype === "float32"
      ? unary({ activation: "SQUARE" })(node)
      : eltwise(node.lower, node.target, ELTWISE.PROD, node.input(0), node.input(0)),
  Reciprocal: unary({ activation: "RECIPROCAL" }),
  Inv: unary({ activation: "RECIPROCAL" }),
  Log: unary({ activation: "LOG" }),
  Sign: (node) =>
    isConstant(node.input(0))
      ? mapConstant(node.lower, node.target, node.input(0), Math.sign)
      : unary({ activation: "SIGN" })(node),
  Erf: unary({ activation: "ERF" }),
  Softplus: unary({ activation: "SOFTPLUS" }),
  Selu: selu,
  ClipByValue: (node) => {
    const limits = {
      min_limit: numberOf(node.input(1), "its minimum"),
      max_limit: numberOf(node.input(2), "its maximum"),
    };
    return activation(node.lower, node.target, node.input(0), { activation: "CLIP", ...limits });
  },
  Floor: rounding("FLOOR"),
  Ceil: rounding("CEIL"),
  Round: rounding("ROUND"),
  Rint: rounding("ROUND"),
  LogicalNot: (node) => not(node.lower, node.target, node.input(0)),
  ZerosLike: (node) => fill(node.lower, node.target, node.input(0).shape, 0, node.input(0).dtype),
  OnesLike: (node) => fill(node.lower, node.target, node.input(0).shape, 1, node.input(0).dtype),
  Cast: cast,
  Softmax: (node) => softmax(node.lower, node.target, node.input(0), -1, false),
  LogSoftmax: (node) => softmax(node.lower, node.target, node.input(0), -1, true),

  // Reductions and pooling.
  Mean: reduction(REDUCE.MEAN),
  Max: reduction(REDUCE.MAX),
  Min: reduction(REDUCE.MIN),
  Sum: reduction(REDUCE.SUM),
  Prod: reduction(REDUCE.PROD),
  MaxPool: pool(POOLING.MAX),
  AvgPool: pool(POOLING.AVG),
  ArgMax: extreme(false),
  ArgMin: extreme(true),
  Cumsum: (node) => {
    const axis = numberOf(node.input(1), "its axis");
    return cumsum(node.lower, node.target, node.input(0), axis, node.boolean("exclusive"), node.boolean("reverse"));
  },
  ResizeBilinear: resizeWith("ResizeBilinear"),
  ResizeNearestNeighbor: resizeWith("ResizeNearestNeighbor"),
  ResizeBicubic: resizeWith("ResizeBicubic"),

  // Data movement.
  ConcatV2: (node) => concat(node.lower, node.target, node.inputs.slice(0, -1), numberOf(node.last(), "its axis")),
  Concat: (node) => concat(node.lower, node.target, node.inputs.slice(1), numberOf(node.input(0), "its axis")),
  Pad: padding(PAD.CONSTANT),
  PadV2: padding(PAD.CONSTANT),
  MirrorPad: mirrorPad,
  Reshape: (node) => {
    const shape = resolveShape(node.input(0), numbersOf(node.input(1), "its shape"));
    return reshape(node.lower, node.target, node.input(0), shape);
  },
  Squeeze: squeeze,
  ExpandDims: expandDims,
  Pack: pack,
  Stack: pack,
  Unpack: unpack,
  Unstack: unpack,
  DepthToSpace: (node) =>
    depthToSpace(node.lower, node.target, node.input(0), node.order(), node.integer("block_size")),
  SpaceToDepth: (node) =>
    spaceToDepth(node.lower, node.target, node.input(0), node.order(), node.integer("block_size")),
  ExtractImagePatches: extractPatches,
  ReverseV2: (node) => reverse(node.lower, node.target, node.input(0), numbersOf(node.input(1), "its axes")),
  OneHot: oneHotOf,
  StridedSlice: stridedSlice,
  Slice: sliceOf,
  Split: splitEvenly,
  SplitV: splitUnevenly,
  Transpose: (node) => transpose(node.lower, node.target, node.input(0), numbersOf(node.input(1), "its permutation")),

  // Shape arithmetic.
  Shape: (node) => shapeVector(node, node.target, node.input(0).shape),
  ShapeN: (node) =>
    node.inputs.map((x, i) => shapeVector(node, { ...node.target, tensor: node.outputs(i + 1)[i] ?? "" }, x.shape)),
  Rank: (node) => node.lower.constant(node.name, [], Int32Array.of(node.input(0).shape.length)),
  Size: (node) => node.lower.constant(node.name, [], Int32Array.of(elementCount(node.input(0).shape))),
  Range: (node) => range(node.lower, node.target, [node.input(0), node.input(1), node.input(2)]),
  Fill: (node) => {
    const value = numberOf(node.input(1), "its value");
    return fill(node.lower, node.target, numbersOf(node.input(0), "its shape"), value, node.input(1).dtype);
  },
  BroadcastTo: (node) => expand(node.lower, node.target, node.input(0), numbersOf(node.input(1), "its shape")),
  Tile: (node) => tile(node.lower, node.target, node.input(0), numbersOf(node.input(1), "its repeats")),
  Gather: gatherWith(() => 0),
  GatherV2: gatherWith((node) => numberOf(node.input(2), "its axis")),
};

/** Loops and conditions; Switch and Merge remain only where their condition is computed. */
export const CONTROL_FLOW: ReadonlySet<string> = new Set([
  "Enter",
  "Exit",
  "NextIteration",
  "LoopCond",
  "While",
  "StatelessWhile",
  "If",
  "StatelessIf",
  "Switch",
  "Merge",
]);

/** What graph tools write for weights whose float values are gone. */
export const QUANTIZED_WEIGHTS: ReadonlySet<string> = new Set(["Dequantize", "QuantizedConv2D", "QuantizedMatMul"]);
