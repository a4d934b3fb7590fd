/** The ONNX operators on codes and on integers. Each computes with the float32 values that its codes stand for. */

import { derive, like } from "../../ir/deferred";
import type { ConstantData } from "../../ir/graph";
import { ELTWISE, POOLING, REDUCE } from "../../ir/operators";
import { badValue, unsupported } from "../failures";
import { type ConstantValue, isConstant, type Value } from "../lowering";
import {
  activation,
  concat,
  constantOf,
  eltwise,
  fullyConnected,
  imageSize,
  matMul,
  pooling,
  reduce,
  softmax,
  transpose,
} from "../operations";
import { select } from "../value-operations";
import { convolutionOf } from "./image-table";
import type { OnnxNode } from "./node";
import {
  coded,
  dequantizeLinear,
  dynamicQuantizeLinear,
  type Grid,
  gridOf,
  quantizeLinear,
  realValue,
} from "./quantize-linear";

type CodedLowering = (node: OnnxNode) => Value | readonly Value[];

/** The real values of the codes at input `index`, which their scale and zero point follow. */
function realInput(node: OnnxNode, index: number, axis = 0): { readonly value: Value; readonly grid: Grid } {
  const codes = node.input(index);
  const grid = gridOf(node, codes.shape, index + 1, axis, codes);
  return { grid, value: realValue(node, node.lower.step(node.target, `input${index}`), index, grid) };
}

/** The constant grid of the output, which no shape belongs to: one scale. */
const outputGrid = (node: OnnxNode, scaleAt: number): Grid => gridOf(node, [], scaleAt, 0);

const qLinearConv: CodedLowering = (node) => {
  const x = realInput(node, 0);
  const filter = realInput(node, 3);
  if (!isConstant(filter.value)) return unsupported("its filter is computed at run time");
  const bias = node.inputs[8] && constantOf(node.inputs[8], "its bias");
  const [inputScale = 1] = x.grid.scales;
  // A bias counts in steps of the product of both scales.
  const steps = filter.grid.scales.map((scale) => Math.fround(scale * inputScale));
  const real: ConstantValue | undefined = bias && {
    ...bias,
    dtype: "float32",
    data: Float32Array.from(bias.data, (code, c) => code * (steps[c % steps.length] ?? 1)),
  };
  return coded(node, convolutionOf(node, x.value, filter.value, real), outputGrid(node, 6));
};

const qLinearMatMul: CodedLowering = (node) => {
  const a = realInput(node, 0, -2);
  const b = realInput(node, 3, -1);
  const { lower, target } = node;
  const rows = isConstant(b.value) && b.value.shape.length === 2 && !isConstant(a.value);
  const y =
    rows && isConstant(b.value)
      ? fullyConnected(lower, target, a.value, b.value, { transposed: false, alpha: 1 })
      : matMul(lower, target, a.value, b.value);
  return isConstant(y) ? unsupported("both of its inputs are constant") : coded(node, y, outputGrid(node, 6));
};

const toFloats = (data: ConstantData): ConstantData => Float32Array.from(data);

/** Integers less their zero point, as float32: exact up to 2^24. Several zero points lie along `axis`. */
function centred(node: OnnxNode, index: number, zeroAt: number, axis: number): Value {
  const { lower, target } = node;
  const x = node.input(index);
  if (x.dtype === "float32") return unsupported("it works on float32 values");
  const suffix = `input${index}`;
  const real = isConstant(x)
    ? like(x, { name: lower.fresh(`${x.name}/float`), dtype: "float32" }, derive({}, x, toFloats, "float32"))
    : lower.floats(lower.step(target, suffix), x);
  const zero = node.inputs[zeroAt];
  if (!zero || (isConstant(zero) && zero.data.every((value) => value === 0))) return real;
  const count = zero.shape[0] ?? 1;
  const at = axis < 0 ? axis + x.shape.length : axis;
  const several = zero.shape.length > 1 || (count > 1 && !(isConstant(zero) && count === x.shape[at]));
  if (several) return unsupported("it has zero points that do not lie along its channels");
  const shape = count > 1 ? [count, ...new Array<number>(x.shape.length - 1 - at).fill(1)] : [];
  const offset = isConstant(zero)
    ? lower.constant(lower.fresh(`${zero.name}/float`), shape, Float32Array.from(zero.data))
    : lower.floats(lower.step(target, `zero_point${index}`), zero);
  return eltwise(lower, lower.step(target, `${suffix}/centred`), ELTWISE.SUB, real, offset);
}

const convInteger: CodedLowering = (node) => {
  const filter = centred(node, 1, 3, 0);
  if (!isConstant(filter)) return unsupported("its filter is computed at run time");
  return node.lower.integers(
    node.lower.step(node.target, "int32"),
    convolutionOf(node, centred(node, 0, 2, 1), filter),
  );
};

const matMulInteger: CodedLowering = (node) => {
  const { lower, target } = node;
  const product = matMul(lower, target, centred(node, 0, 2, -2), centred(node, 1, 3, -1));
  if (!isConstant(product)) return lower.integers(lower.step(target, "int32"), product);
  return lower.constant(product.name, product.shape, Int32Array.from(product.data));
};

/** A function of the real values of one input: X, its scale and zero point, then those of the output. */
const ofOne =
  (apply: (node: OnnxNode, x: Value) => Value): CodedLowering =>
  (node) =>
    coded(node, apply(node, realInput(node, 0).value), outputGrid(node, 3));

const ofTwo =
  (type: number): CodedLowering =>
  (node) => {
    const [a, b] = [realInput(node, 0).value, realInput(node, 3).value];
    return coded(node, eltwise(node.lower, node.target, type, a, b), outputGrid(node, 6));
  };

/**
 * alpha * A * B + C; A, B and the output with scale and zero point each. C counts in steps of alpha and both scales. Without the output's
 * scale the result is numbers.
 */
const qGemm: CodedLowering = (node) => {
  const { lower, target } = node;
  const alpha = node.float("alpha", 1);
  const transposed = node.integer("transB", 0) === 1;
  const a = realInput(node, 0);
  const b = realInput(node, 3, transposed ? 0 : 1);
  const [rows, matrix] = [a.value, b.value];
  if (rows.shape.length !== 2 || matrix.shape.length !== 2) badValue("its first two inputs must be matrices");
  if (!isConstant(matrix) || isConstant(rows)) return unsupported("its second matrix is not the constant one");
  const left = node.integer("transA", 0) === 1 ? transpose(lower, lower.step(target, "a"), rows, [1, 0]) : rows;
  const columns = matrix.shape[transposed ? 0 : 1] ?? 0;
  const c = node.inputs[6] && constantOf(node.inputs[6], "its bias");
  if (c && c.data.length !== columns && c.data.length !== 1) return unsupported("its bias is no vector");
  const { scales } = b.grid;
  const step = (column: number): number => alpha * (a.grid.scales[0] ?? 1) * (scales[column % scales.length] ?? 1);
  const bias: ConstantValue | undefined = c && {
    ...c,
    shape: [columns],
    dtype: "float32",
    data: Float32Array.from(
      { length: columns },
      (_, column) => (c.data[c.data.length === 1 ? 0 : column] ?? 0) * step(column),
    ),
  };
  const y = fullyConnected(lower, target, left, matrix, { transposed, alpha, ...(bias && { bias }) });
  return node.inputs[7] ? coded(node, y, outputGrid(node, 7)) : y;
};

const qLinearWhere: CodedLowering = (node) => {
  const [a, b] = [realInput(node, 1).value, realInput(node, 4).value];
  return coded(node, select(node.lower, node.target, node.input(0), a, b), outputGrid(node, 7));
};

const channelsFirst = (node: OnnxNode): void => {
  if (node.integer("channels_last", 0) === 1) unsupported("its images are NHWC (channels_last)");
};

const qLinearConcat: CodedLowering = (node) => {
  const count = (node.inputs.length - 2) / 3;
  if (!Number.isInteger(count) || count < 1) return badValue(`it has ${node.inputs.length} inputs`);
  const values = Array.from({ length: count }, (_, i) => realInput(node, 2 + 3 * i).value);
  return coded(node, concat(node.lower, node.target, values, node.integer("axis")), outputGrid(node, 0));
};

export const QUANTIZED_OPERATORS: Readonly<Record<string, CodedLowering>> = {
  QuantizeLinear: quantizeLinear,
  DequantizeLinear: dequantizeLinear,
  DynamicQuantizeLinear: (node) => {
    const { lower, target } = node;
    const x = node.input(0);
    const all = x.shape.map((_, axis) => axis);
    const extreme = (type: number, suffix: string): Value =>
      reduce(lower, lower.step(target, suffix), type, x, all, false);
    return dynamicQuantizeLinear(node, [extreme(REDUCE.MIN, "least"), extreme(REDUCE.MAX, "greatest")]);
  },
  QLinearConv: qLinearConv,
  QLinearMatMul: qLinearMatMul,
  ConvInteger: convInteger,
  MatMulInteger: matMulInteger,
};

/** The same kind of operators in the domain com.microsoft, which ONNX Runtime's quantization tool writes. */
export const MICROSOFT_OPERATORS: Readonly<Record<string, CodedLowering>> = {
  QuantizeLinear: quantizeLinear,
  DequantizeLinear: dequantizeLinear,
  QLinearAdd: ofTwo(ELTWISE.SUM),
  QLinearMul: ofTwo(ELTWISE.PROD),
  QLinearConcat: qLinearConcat,
  QLinearWhere: qLinearWhere,
  QGemm: qGemm,
  QLinearReduceMean: ofOne((node, x) => {
    const axes = node.integers("axes") ?? x.shape.map((_, axis) => axis);
    return reduce(node.lower, node.target, REDUCE.MEAN, x, axes, node.integer("keepdims", 1) === 1);
  }),
  QLinearSigmoid: ofOne((node, x) => activation(node.lower, node.target, x, { activation: "SIGMOID" })),
  QLinearLeakyRelu: ofOne((node, x) => {
    const activation_coefficient = node.float("alpha", Math.fround(0.01));
    return activation(node.lower, node.target, x, { activation: "LEAKYRELU", activation_coefficient });
  }),
  QLinearSoftmax: ofOne((node, x) => softmax(node.lower, node.target, x, node.integer("axis", -1), false)),
  QLinearGlobalAveragePool: ofOne((node, x) => {
    channelsFirst(node);
    const axes = x.shape.map((_, axis) => axis).slice(2);
    return reduce(node.lower, node.target, REDUCE.MEAN, x, axes, true);
  }),
  QLinearAveragePool: ofOne((node, x) => {
    channelsFirst(node);
    imageSize(x, "NCHW");
    const kernel = node.pair("kernel_shape");
    const strides = node.pair("strides", [1, 1]);
    return pooling(node.lower, node.target, x, "NCHW", {
      type: POOLING.AVG,
      kernel,
      strides,
      dilations: [1, 1],
      pads: node.windowPads(x, kernel, strides, [1, 1]),
      roundUp: node.integer("ceil_mode", 0) === 1,
      countPads: node.integer("count_include_pad", 0) === 1,
    });
  }),
};

/** Operators that read codes as what they stand for; for all others codes become numbers. */
export const READS_CODES: ReadonlySet<string> = new Set([
  "DequantizeLinear",
  "QLinearConv",
  "QLinearMatMul",
  ...Object.keys(MICROSOFT_OPERATORS),
]);

/** Operators that move codes or choose among them: their result has the grid of their input. */
export const MOVES_CODES: ReadonlySet<string> = new Set([
  "DepthToSpace",
  "Dropout",
  "Expand",
  "Flatten",
  "Gather",
  "Identity",
  "MaxPool",
  "Reshape",
  "Slice",
  "SpaceToDepth",
  "Squeeze",
  "Tile",
  "Transpose",
  "Unsqueeze",
]);
