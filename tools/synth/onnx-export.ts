/**
 * Writes a canonical model as ONNX, so that a peer runs the very same network and that our importer can be asked for it back: float as it
 * is, quantized in the QDQ form (uint8 activations, weights as stored).
 *
 * An image is NCHW in the file and keeps its name; what works on axes of other meanings gets it transposed. What ONNX has no operator for is
 * written in several that compute the same, bit for bit except where `rewritten` names the node, or is in NOT_IN_ONNX.
 */

import { hasNoActivation, listAttribute, numberAttribute, pairAttribute, stringAttribute } from "../ir/attributes";
import type { ConstantData, Graph, GraphNode, Tensor } from "../ir/graph";
import { COMPARISONS, ELTWISE, PAD, POOLING, REDUCE } from "../ir/operators";
import { elementCount, type Shape } from "../ir/shape";
import { keepsOrder, permuteShape, TO_NCHW, TO_NHWC, transposeData } from "../ir/transpose";
import {
  modelMessage,
  nodeMessage,
  ONNX_TYPES,
  type OnnxAttribute,
  type OnnxType,
  tensorMessage,
} from "./onnx-messages";

export interface OnnxExport {
  readonly bytes: Uint8Array;
  /** Nodes that stand in the file as several which round in between: their results are near, not the same. */
  readonly rewritten: readonly string[];
}

/** @throws Error where a node is in NOT_IN_ONNX. */
export function exportOnnx(graph: Graph): OnnxExport {
  return new Exporter(graph).export();
}

/** What ONNX cannot say, and why. */
export const NOT_IN_ONNX: readonly {
  readonly operators: readonly string[];
  /** Absent: in no form. */
  readonly when?: (node: GraphNode, graph: Graph) => boolean;
  readonly reason: string;
}[] = [
  {
    operators: ["DetectionPostProcess"],
    reason:
      "a custom operator of TensorFlow Lite; NonMaxSuppression gives as many rows as it finds, not a fixed number",
  },
  {
    operators: ["DetectionOutput"],
    reason: "a layer of Caffe; NonMaxSuppression gives as many rows as it finds, not a fixed number",
  },
  {
    operators: ["ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic"],
    when: (node) => stringAttribute(node, "coordinate_mode") === "half_pixel_uncentred",
    reason: "Resize had tf_half_pixel_for_nn in opsets 11 and 12 only",
  },
  {
    operators: ["ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic"],
    when: (node, graph) => {
      const [from, to] = [node.inputs[0], node.outputs[0]].map((name) => graph.tensors.get(name ?? "")?.shape ?? []);
      return listAttribute(node, "scales").some(
        (scale, i) => Math.floor(Math.fround((from?.[i + 1] ?? 0) * scale)) !== to?.[i + 1],
      );
    },
    reason: "Resize takes scales or sizes, and these scales do not give this size",
  },
];

/** Why the node cannot be written; undefined if it can. */
export function notInOnnx(node: GraphNode, graph: Graph): string | undefined {
  return NOT_IN_ONNX.find(({ operators, when }) => operators.includes(node.type) && when?.(node, graph) !== false)
    ?.reason;
}

const IMAGE_RANK = 4;
const INT_MIN = -(2 ** 31);

/** Shape in the file. */
const inFile = (shape: Shape): readonly number[] =>
  shape.length === IMAGE_RANK ? permuteShape(shape, TO_NCHW) : shape;
/** Place of an axis in the file. */
const axisInFile = (axis: number, rank: number): number =>
  rank === IMAGE_RANK ? TO_NCHW.indexOf(axis as 0 | 1 | 2 | 3) : axis;
const axesInFile = (axes: readonly number[], rank: number): number[] =>
  axes.map((axis) => axisInFile(axis, rank)).sort((a, b) => a - b);

type Attributes = Readonly<Record<string, OnnxAttribute>>;
const real = (value: number): OnnxAttribute => ({ real: value });

class Exporter {
  readonly rewritten: string[] = [];
  private readonly nodes: Uint8Array[] = [];
  private readonly initializers: Uint8Array[] = [];
  private readonly made = new Set<string>();
  /** Values of constants in the forms that nodes need. */
  private readonly constants = new Map<string, string>();
  /** The oldest operator set that has all there is; peers know the old ones best. */
  private opset = 13;
  private steps = 0;

  constructor(private readonly graph: Graph) {}

  export(): OnnxExport {
    for (const node of this.graph.nodes) {
      const reason = notInOnnx(node, this.graph);
      const write = OPERATORS_IN_ONNX[node.type];
      if (reason !== undefined || !write) {
        throw new Error(`${node.type} '${node.name}' is not in ONNX: ${reason ?? "it is not known"}`);
      }
      write(this, node);
    }
    const port = (name: string) => ({ name, shape: inFile(this.tensor(name).shape) });
    const bytes = modelMessage({
      name: this.graph.name,
      opset: this.opset,
      nodes: this.nodes,
      initializers: this.initializers,
      inputs: this.graph.inputs.map(({ tensor }) => port(tensor)),
      outputs: this.graph.outputs.map(({ tensor }) => port(tensor)),
    });
    return { bytes, rewritten: this.rewritten };
  }

  tensor(name: string | undefined): Tensor {
    const tensor = this.graph.tensors.get(name ?? "");
    if (!tensor) throw new Error(`no tensor '${name}'`);
    return tensor;
  }

  input(node: GraphNode, index = 0): Tensor {
    return this.tensor(node.inputs[index]);
  }

  output(node: GraphNode, index = 0): Tensor {
    return this.tensor(node.outputs[index]);
  }

  needs(opset: number): void {
    this.opset = Math.max(this.opset, opset);
  }

  /** A name that no tensor of the graph has. */
  step(what: string): string {
    return `${what}:${this.steps++}`;
  }

  /** A node of the file; returns its (first) output. */
  add(
    op: string,
    inputs: readonly string[],
    output: string | readonly string[] = this.step(op),
    attributes: Attributes = {},
  ): string {
    const outputs = typeof output === "string" ? [output] : output;
    this.nodes.push(nodeMessage(op, inputs, outputs, attributes));
    return outputs[0] ?? "";
  }

  private initializer(name: string, shape: Shape, type: OnnxType, data: ConstantData | BigInt64Array): string {
    if (!this.made.has(name)) this.initializers.push(tensorMessage(name, shape, type, data));
    this.made.add(name);
    return name;
  }

  /** A shape, axes or sizes. */
  integers(values: readonly number[]): string {
    return this.initializer(this.step("integers"), [values.length], "int64", BigInt64Array.from(values, BigInt));
  }

  number(value: number, type: "float32" | "int32" | "int64" = "float32"): string {
    const data = { float32: Float32Array.of(value), int32: Int32Array.of(value), int64: BigInt64Array.of(0n) }[type];
    if (data instanceof BigInt64Array) data[0] = BigInt(value);
    return this.initializer(this.step("number"), [], type, data);
  }

  /** Scale and zero point of an activation as initializers; int8 codes are shifted to uint8. */
  private parameters(tensor: Tensor): [string, string] {
    const { quant } = tensor;
    if (!quant) throw new Error(`'${tensor.name}' holds no codes`);
    const shift = tensor.dtype === "int8" ? 128 : 0;
    return [
      this.initializer(`${tensor.name}:scale`, [], "float32", Float32Array.from(quant.scales)),
      this.initializer(`${tensor.name}:zero`, [], "uint8", Uint8Array.of(quant.zeroPoint + shift)),
    ];
  }

  /** A constant with its axes permuted and then taken for `shape`, dequantized where it holds codes; `axis` is where their channels come to lie. */
  constant(tensor: Tensor, dims: readonly number[], shape: Shape = permuteShape(tensor.shape, dims), axis = 0): string {
    const { data, quant } = tensor;
    if (!data) throw new Error(`'${tensor.name}' is not constant`);
    const name = `${tensor.name}:${dims.join("")}:${shape.join("x")}`;
    const known = this.constants.get(name);
    if (known !== undefined) return known;
    this.initializer(name, shape, tensor.dtype as OnnxType, transposeData(data, tensor.shape, dims));
    let values = name;
    if (quant) {
      const zeros = data.slice(0, quant.scales.length).fill(quant.zeroPoint);
      const perChannel = quant.axis !== null;
      values = this.dequantized(
        name,
        Float32Array.from(quant.scales),
        zeros,
        tensor.dtype as OnnxType,
        perChannel,
        axis,
      );
    }
    this.constants.set(name, values);
    return values;
  }

  private dequantized(
    name: string,
    scales: Float32Array,
    zeros: ConstantData,
    type: OnnxType,
    perChannel: boolean,
    axis = 0,
  ): string {
    const shape = perChannel ? [scales.length] : [];
    const scale = this.initializer(`${name}:scale`, shape, "float32", scales);
    const zero = this.initializer(`${name}:zero`, shape, type, zeros);
    return this.add("DequantizeLinear", [name, scale, zero], undefined, perChannel ? { axis } : {});
  }

  /** Of a product; int32 codes are in steps of the input's scale times the filter's. */
  bias(tensor: Tensor, input: Tensor, filter: Tensor): string {
    if (!tensor.data) throw new Error(`'${tensor.name}' is not constant`);
    const name = this.initializer(tensor.name, tensor.shape, tensor.dtype as OnnxType, tensor.data);
    if (!filter.quant || !input.quant) return name;
    const sx = input.quant.scales[0] ?? 1;
    const scales = Float32Array.from(filter.quant.scales, (sw) => sx * sw);
    return this.dequantized(name, scales, new Int32Array(scales.length), "int32", filter.quant.axis !== null);
  }

  /** The values of a tensor as the file has them, images NCHW; codes dequantized. */
  read(name: string | undefined): string {
    const tensor = this.tensor(name);
    if (tensor.data) {
      const image = tensor.shape.length === IMAGE_RANK;
      return this.constant(tensor, image ? TO_NCHW : tensor.shape.map((_, axis) => axis));
    }
    return tensor.quant ? this.dequantize(tensor) : tensor.name;
  }

  dequantize(tensor: Tensor, output?: string): string {
    return this.add("DequantizeLinear", [tensor.name, ...this.parameters(tensor)], output);
  }

  quantize(x: string, tensor: Tensor): void {
    this.add("QuantizeLinear", [x, ...this.parameters(tensor)], tensor.name);
  }

  /** The values with the axes of an image in the graph's order. */
  plain(name: string | undefined): string {
    const { shape } = this.tensor(name);
    const x = this.read(name);
    return shape.length === IMAGE_RANK ? this.add("Transpose", [x], undefined, { perm: TO_NHWC }) : x;
  }

  /** The values in another shape, in the graph's order of elements. */
  shaped(name: string | undefined, shape: Shape, output?: string): string {
    const own = this.tensor(name).shape;
    const inOrder = own.length === IMAGE_RANK && keepsOrder(own, TO_NCHW);
    return this.reshape(inOrder ? this.read(name) : this.plain(name), shape, output);
  }

  reshape(x: string, shape: Shape, output?: string): string {
    return this.add("Reshape", [x, this.integers(shape)], output);
  }

  /** An operand of a broadcast to `rank` axes. */
  operand(name: string | undefined, rank: number): string {
    const tensor = this.tensor(name);
    const { shape, data } = tensor;
    const widened = rank === IMAGE_RANK && shape.length < rank && shape.length > 0;
    if (!widened) return rank === IMAGE_RANK ? this.read(name) : this.plain(name);
    const wide = [...new Array<number>(rank - shape.length).fill(1), ...shape];
    if (data) return this.constant({ ...tensor, shape: wide }, TO_NCHW);
    return this.add("Transpose", [this.reshape(this.read(name), wide)], undefined, { perm: TO_NCHW });
  }

  /** Ends a node: clamps with its activation, quantizes where the output holds codes. `produce` gives images as NCHW. */
  result(node: GraphNode, produce: (output: string) => void): void {
    const tensor = this.output(node);
    const { name, quant } = tensor;
    const value = quant ? this.step(name) : name;
    this.activated(node, value, quant?.zeroPoint === -128, produce);
    if (quant) this.quantize(value, tensor);
  }

  /** The same where `produce` gives the axes in the graph's order. */
  plainResult(node: GraphNode, produce: (output: string) => void): void {
    const { shape } = this.output(node);
    if (shape.length !== IMAGE_RANK) {
      this.result(node, produce);
      return;
    }
    this.result(node, (output) => {
      const x = this.step(output);
      produce(x);
      this.add("Transpose", [x], output, { perm: TO_NCHW });
    });
  }

  private activated(node: GraphNode, output: string, saturates: boolean, produce: (output: string) => void): void {
    if (!("activation" in node.attributes) || node.type === "Activation" || hasNoActivation(node) || saturates) {
      produce(output);
      return;
    }
    const linear = this.step(output);
    produce(linear);
    if (stringAttribute(node, "activation") === "RELU") this.add("Relu", [linear], output);
    else this.clip(linear, 0, numberAttribute(node, "max_limit"), output);
  }

  clip(x: string, least: number, greatest: number, output?: string): string {
    return this.add("Clip", [x, this.number(least), this.number(greatest)], output);
  }

  /** Elements `begin` to `end` (exclusive) of one axis of the file. */
  slice(x: string, axis: number, begin: number, end: number, output?: string): string {
    return this.add("Slice", [x, ...[begin, end, axis].map((value) => this.integers([value]))], output);
  }

  /** The elements of an axis of the file from the last to the first. */
  reversed(x: string, axes: readonly number[], output?: string): string {
    const all = (value: number) => this.integers(axes.map(() => value));
    return this.add("Slice", [x, all(-1), all(INT_MIN), this.integers(axes), all(-1)], output);
  }

  /** Truth of int32 values. */
  truth(x: string): string {
    return this.add("Cast", [x], undefined, { to: ONNX_TYPES.bool });
  }

  reduce(op: string, x: string, axes: readonly number[], keep: boolean, output?: string): string {
    // All but ReduceSum had an attribute before.
    if (op !== "ReduceSum") this.needs(18);
    return this.add(op, [x, this.integers(axes)], output, { keepdims: keep ? 1 : 0 });
  }
}

type Write = (e: Exporter, node: GraphNode) => unknown;

/** Strides, pads and dilations, which ONNX counts the same way. */
const windowOf = (node: GraphNode) => ({
  strides: listAttribute(node, "strides"),
  pads: listAttribute(node, "pads"),
  dilations: listAttribute(node, "dilations"),
});

const convolution: Write = (e, node) => {
  const [x, filter] = [e.input(node), e.input(node, 1)];
  const depthwise = node.type === "DepthwiseConv2d";
  const [h = 1, w = 1, channels = 1, multiplier = 1] = filter.shape;
  // [H, W, C, M] is [C * M, 1, H, W], [O, H, W, I] is [O, I, H, W].
  const weights = depthwise
    ? e.constant(filter, [2, 3, 0, 1], [channels * multiplier, 1, h, w])
    : e.constant(filter, TO_NCHW);
  const inputs = [e.read(x.name), weights];
  if (node.inputs[2]) inputs.push(e.bias(e.input(node, 2), x, filter));
  const group = depthwise ? channels : numberAttribute(node, "group");
  e.result(node, (y) => e.add("Conv", inputs, y, { ...windowOf(node), group }));
};

/** The output is what the pads leave of the full size, or more than that. */
const deconvolution: Write = (e, node) => {
  const [x, filter] = [e.input(node), e.input(node, 1)];
  const group = numberAttribute(node, "group");
  const [outputs = 1, h = 1, w = 1, depth = 1] = filter.shape;
  const window = windowOf(node);
  const axes = [h, w].map((kernel, i) => {
    const [size = 1, wanted = 1] = [x.shape[i + 1], e.output(node).shape[i + 1]];
    const full = (size - 1) * (window.strides[i] ?? 1) + (window.dilations[i] ?? 1) * (kernel - 1) + 1;
    const rest = full - (window.pads[i] ?? 0) - wanted;
    return { before: window.pads[i] ?? 0, after: Math.max(0, rest), more: Math.max(0, -rest) };
  });
  // [G * O, H, W, I] to [G * I, O, H, W].
  const grouped = { ...filter, shape: [group, outputs / group, h, w, depth] };
  const weights = e.constant(grouped, [0, 4, 1, 2, 3], [group * depth, outputs / group, h, w], 1);
  const inputs = [e.read(x.name), weights];
  if (node.inputs[2]) inputs.push(e.bias(e.input(node, 2), x, filter));
  e.result(node, (y) =>
    e.add("ConvTranspose", inputs, y, {
      ...window,
      pads: [...axes.map(({ before }) => before), ...axes.map(({ after }) => after)],
      output_padding: axes.map(({ more }) => more),
      group,
    }),
  );
};

const fullyConnected: Write = (e, node) => {
  const [x, filter] = [e.input(node), e.input(node, 1)];
  const terms = filter.shape[1] ?? 1;
  const matrix = [elementCount(x.shape) / terms, terms];
  const inputs = [x.shape.length === 2 ? e.read(x.name) : e.shaped(x.name, matrix), e.constant(filter, [0, 1])];
  if (node.inputs[2]) inputs.push(e.bias(e.input(node, 2), x, filter));
  const { shape } = e.output(node);
  e.plainResult(node, (y) => {
    if (shape.length === 2) e.add("Gemm", inputs, y, { transB: 1 });
    else e.reshape(e.add("Gemm", inputs, undefined, { transB: 1 }), shape, y);
  });
};

const matMul: Write = (e, node) => {
  const operand = (index: number, transposed: number): string => {
    const { name, shape } = e.input(node, index);
    const x = e.plain(name);
    const perm = shape.map((_, axis) => axis);
    if (transposed === 0) return x;
    perm.push(...perm.splice(-2).reverse());
    return e.add("Transpose", [x], undefined, { perm });
  };
  const inputs = [operand(0, numberAttribute(node, "transpose_a")), operand(1, numberAttribute(node, "transpose_b"))];
  e.plainResult(node, (y) => e.add("MatMul", inputs, y));
};

/** Channels lie on axis 1 in ONNX: tensors that have them elsewhere are multiplied and shifted, which rounds twice. */
const batchNorm: Write = (e, node) => {
  const x = e.input(node);
  const rank = x.shape.length;
  if (rank !== 2 && rank !== IMAGE_RANK) {
    e.rewritten.push(node.name);
    const inputs = [0, 1, 2].map((i) => e.read(node.inputs[i]));
    e.result(node, (y) => e.add("Add", [e.add("Mul", inputs.slice(0, 2)), inputs[2] ?? ""], y));
    return;
  }
  const [scale, offset] = [e.read(node.inputs[1]), e.read(node.inputs[2])];
  const vector = (value: number) => {
    const { shape } = e.input(node, 1);
    const data = new Float32Array(elementCount(shape)).fill(value);
    return e.constant({ name: e.step("vector"), shape, dtype: "float32", data }, [0]);
  };
  const inputs = [e.read(x.name), scale, offset, vector(0), vector(1)];
  e.result(node, (y) => e.add("BatchNormalization", inputs, y, { epsilon: real(0) }));
};

const pooling: Write = (e, node) => {
  const input = e.read(node.inputs[0]);
  const { dilations, ...window } = windowOf(node);
  const dilated = dilations.some((d) => d !== 1);
  const greatest = numberAttribute(node, "pooling_type") === POOLING.MAX;
  if (dilated && !greatest) e.needs(19);
  const attributes = {
    kernel_shape: listAttribute(node, "kernels"),
    ...window,
    ...(dilated && { dilations }),
    ceil_mode: numberAttribute(node, "round_mode"),
    ...(!greatest && { count_include_pad: numberAttribute(node, "count_include_pad") }),
  };
  e.result(node, (y) => e.add(greatest ? "MaxPool" : "AveragePool", [input], y, attributes));
};

const REDUCTIONS: Readonly<Record<number, string>> = {
  [REDUCE.MEAN]: "ReduceMean",
  [REDUCE.MIN]: "ReduceMin",
  [REDUCE.MAX]: "ReduceMax",
  [REDUCE.PROD]: "ReduceProd",
  [REDUCE.SUM]: "ReduceSum",
};

const reduction: Write = (e, node) => {
  const x = e.input(node);
  const rank = x.shape.length;
  const axes = listAttribute(node, "axis");
  const op = REDUCTIONS[numberAttribute(node, "reduce_type")] ?? "";
  const keep = numberAttribute(node, "keepdims") === 1;
  if (rank === IMAGE_RANK && keep && op === "ReduceMean" && String(axes) === "1,2") {
    const input = e.read(x.name);
    e.result(node, (y) => e.add("GlobalAveragePool", [input], y));
  } else if (keep) {
    const input = e.read(x.name);
    e.result(node, (y) => e.reduce(op, input, axesInFile(axes, rank), true, y));
  } else {
    const input = e.plain(x.name);
    e.plainResult(node, (y) => e.reduce(op, input, axes, false, y));
  }
};

const ELTWISES: Readonly<Record<number, string>> = {
  [ELTWISE.SUM]: "Add",
  [ELTWISE.SUB]: "Sub",
  [ELTWISE.PROD]: "Mul",
  [ELTWISE.DIV]: "Div",
  [ELTWISE.MIN]: "Min",
  [ELTWISE.MAX]: "Max",
  [ELTWISE.POW]: "Pow",
  [ELTWISE.EQUAL]: "Equal",
  [ELTWISE.LESS]: "Less",
  [ELTWISE.LESS_OR_EQUAL]: "LessOrEqual",
  [ELTWISE.GREATER]: "Greater",
  [ELTWISE.GREATER_OR_EQUAL]: "GreaterOrEqual",
};

/** The quotient of int32 rounded down, where Div rounds towards zero: one less where a remainder has not the divisor's sign. */
function floorOfQuotient(e: Exporter, a: string, b: string, y: string): void {
  const zero = e.number(0, "int32");
  const quotient = e.add("Div", [a, b]);
  const rest = e.add("Sub", [a, e.add("Mul", [quotient, b])]);
  const signs = e.add("Xor", [e.add("Less", [rest, zero]), e.add("Less", [b, zero])]);
  // A quotient by 0 is 0.
  const some = e.add("Not", [e.add("Or", [e.add("Equal", [rest, zero]), e.add("Equal", [b, zero])])]);
  const less = e.add("Cast", [e.add("And", [signs, some])], undefined, { to: ONNX_TYPES.int32 });
  e.add("Sub", [quotient, less], y);
}

const eltwise: Write = (e, node) => {
  const type = numberAttribute(node, "type");
  const rank = e.output(node).shape.length;
  const whole = e.input(node).dtype === "int32";
  const inputs = [e.operand(node.inputs[0], rank), e.operand(node.inputs[1], rank)];
  const [a = "", b = ""] = inputs;
  e.result(node, (y) => {
    if (COMPARISONS.includes(type)) {
      const truth =
        type === ELTWISE.NOT_EQUAL ? e.add("Not", [e.add("Equal", inputs)]) : e.add(ELTWISES[type] ?? "", inputs);
      e.add("Cast", [truth], y, { to: ONNX_TYPES.int32 });
    } else if (type === ELTWISE.SQR_DIFF) {
      if (!whole) e.rewritten.push(node.name);
      const difference = e.add("Sub", inputs);
      e.add("Mul", [difference, difference], y);
    } else if (type === ELTWISE.FLOOR_DIV) {
      if (whole) floorOfQuotient(e, a, b, y);
      else e.add("Floor", [e.add("Div", inputs)], y);
    } else {
      e.add(ELTWISES[type] ?? "", inputs, y);
    }
  });
};

/** Functions that are an operator, its attributes by those of the node, and since which opset. */
const FUNCTIONS: Readonly<
  Record<string, readonly [op: string, attributes?: (node: GraphNode) => Attributes, since?: number]>
> = {
  RELU: ["Relu"],
  TANH: ["Tanh"],
  SIGMOID: ["Sigmoid"],
  LEAKYRELU: ["LeakyRelu", (node) => ({ alpha: real(numberAttribute(node, "activation_coefficient")) })],
  ELU: ["Elu", (node) => ({ alpha: real(numberAttribute(node, "activation_coefficient")) })],
  HARDSIGMOID: [
    "HardSigmoid",
    (node) => ({
      alpha: real(numberAttribute(node, "hardsigmoid_alpha")),
      beta: real(numberAttribute(node, "hardsigmoid_beta")),
    }),
  ],
  EXP: ["Exp"],
  SQRT: ["Sqrt"],
  ABS: ["Abs"],
  NEG: ["Neg"],
  LOG: ["Log"],
  RECIPROCAL: ["Reciprocal"],
  FLOOR: ["Floor"],
  CEIL: ["Ceil"],
  ROUND: ["Round"],
  SIGN: ["Sign"],
  ERF: ["Erf"],
  GELU: ["Gelu", undefined, 20],
  GELU_TANH: ["Gelu", () => ({ approximate: "tanh" }), 20],
  SOFTPLUS: ["Softplus"],
  MISH: ["Mish", undefined, 18],
};

const activation: Write = (e, node) => {
  const { name, shape } = e.input(node);
  const activation = stringAttribute(node, "activation");
  const x = e.read(name);
  const known = FUNCTIONS[activation];
  e.result(node, (y) => {
    if (known) {
      const [op, attributes, since = 0] = known;
      e.needs(since);
      e.add(op, [x], y, attributes?.(node));
      return;
    }
    const number = (key: string) => numberAttribute(node, key);
    switch (activation) {
      case "RELUX":
        e.clip(x, 0, number("max_limit"), y);
        return;
      case "CLIP":
        e.clip(x, number("min_limit"), number("max_limit"), y);
        return;
      case "PRELU":
        e.add("PRelu", [x, e.operand(node.inputs[1], shape.length)], y);
        return;
      case "SQUARE":
        e.add("Mul", [x, x], y);
        return;
      case "RSQRT":
        e.rewritten.push(node.name);
        e.add("Reciprocal", [e.add("Sqrt", [x])], y);
        return;
      case "SILU":
        e.rewritten.push(node.name);
        e.add("Mul", [x, e.add("Sigmoid", [x])], y);
        return;
      case "HARDSWISH": {
        const [alpha, beta] = [number("hardsigmoid_alpha"), number("hardsigmoid_beta")];
        if (alpha === Math.fround(1 / 6) && beta === 0.5) {
          e.needs(14);
          e.add("HardSwish", [x], y);
          return;
        }
        e.rewritten.push(node.name);
        e.add("Mul", [x, e.add("HardSigmoid", [x], undefined, { alpha: real(alpha), beta: real(beta) })], y);
        return;
      }
      default:
        throw new Error(`the function ${activation} is not exported`);
    }
  });
};

const concat: Write = (e, node) => {
  const rank = e.output(node).shape.length;
  const inputs = node.inputs.map((name) => e.read(name));
  e.result(node, (y) => e.add("Concat", inputs, y, { axis: axisInFile(numberAttribute(node, "axis"), rank) }));
};

const split: Write = (e, node) => {
  const axis = numberAttribute(node, "axis");
  const { name, shape, quant } = e.input(node);
  if (quant) throw new Error("only a Split of float32 is exported");
  const sizes = node.outputs.map((output) => e.tensor(output).shape[axis] ?? 0);
  const inputs = [e.read(name), e.integers(sizes)];
  e.add("Split", inputs, node.outputs, { axis: axisInFile(axis, shape.length) });
};

const stridedSlice: Write = (e, node) => {
  const { name, shape } = e.input(node);
  const rank = shape.length;
  const order = rank === IMAGE_RANK ? TO_NCHW : shape.map((_, axis) => axis);
  const list = (key: string) => order.map((axis) => listAttribute(node, key)[axis] ?? 0);
  const [begin, end, strides] = [list("begin"), list("end"), list("strides")];
  // A negative end counts from the back in ONNX.
  const ends = end.map((value) => (value < 0 ? INT_MIN : value));
  const axes = order.map((_, axis) => axis);
  const inputs = [e.read(name), ...[begin, ends, axes, strides].map((values) => e.integers(values))];
  e.result(node, (y) => e.add("Slice", inputs, y));
};

const reshape: Write = (e, node) => {
  const { shape } = e.output(node);
  const inOrder = shape.length === IMAGE_RANK && keepsOrder(shape, TO_NCHW);
  if (inOrder) e.result(node, (y) => e.shaped(node.inputs[0], inFile(shape), y));
  else e.plainResult(node, (y) => e.shaped(node.inputs[0], shape, y));
};

const transpose: Write = (e, node) => {
  const dims = listAttribute(node, "dims");
  const rank = dims.length;
  const order = rank === IMAGE_RANK ? TO_NCHW : dims.map((_, axis) => axis);
  const perm = order.map((axis) => axisInFile(dims[axis] ?? 0, rank));
  const x = e.read(node.inputs[0]);
  e.result(node, (y) => e.add("Transpose", [x], y, { perm }));
};

const PAD_MODES: Readonly<Record<number, string>> = {
  [PAD.CONSTANT]: "constant",
  [PAD.REFLECT]: "reflect",
  [PAD.EDGE]: "edge",
};

const pad: Write = (e, node) => {
  const { name, shape } = e.input(node);
  const paddings = listAttribute(node, "paddings");
  const type = numberAttribute(node, "pad_type");
  const order = shape.length === IMAGE_RANK ? TO_NCHW : shape.map((_, axis) => axis);
  const mode = PAD_MODES[type];
  let x = e.read(name);
  if (mode !== undefined) {
    const sides = [0, 1].flatMap((side) => order.map((axis) => paddings[2 * axis + side] ?? 0));
    const value = type === PAD.CONSTANT ? [e.number(numberAttribute(node, "constant_value"))] : [];
    e.result(node, (y) => e.add("Pad", [x, e.integers(sides), ...value], y, { mode }));
    return;
  }
  // ONNX does not repeat the edge in its reflections: the mirrored strips are joined on.
  order.forEach((axis, at) => {
    const [size, before, after] = [shape[axis] ?? 0, paddings[2 * axis] ?? 0, paddings[2 * axis + 1] ?? 0];
    const first = before > 0 ? [e.reversed(e.slice(x, at, 0, before), [at])] : [];
    const last = after > 0 ? [e.reversed(e.slice(x, at, size - after, size), [at])] : [];
    if (before + after > 0) x = e.add("Concat", [...first, x, ...last], undefined, { axis: at });
  });
  e.result(node, (y) => e.add("Identity", [x], y));
};

const RESIZES: Readonly<Record<string, (node: GraphNode) => Attributes>> = {
  ResizeBilinear: () => ({ mode: "linear" }),
  ResizeNearestNeighbor: (node) => ({ mode: "nearest", nearest_mode: stringAttribute(node, "nearest_mode") }),
  ResizeBicubic: (node) => ({
    mode: "cubic",
    cubic_coeff_a: real(numberAttribute(node, "cubic_coeff")),
    exclude_outside: numberAttribute(node, "exclude_outside"),
  }),
};

const resize: Write = (e, node) => {
  const x = e.read(node.inputs[0]);
  const scales = listAttribute(node, "scales");
  const factors = (): string => {
    const data = Float32Array.of(1, 1, ...scales);
    return e.constant({ name: e.step("scales"), shape: [data.length], dtype: "float32", data }, [0]);
  };
  const size = scales.length > 0 ? [factors()] : ["", e.integers(inFile(e.output(node).shape))];
  const attributes = {
    ...RESIZES[node.type]?.(node),
    coordinate_transformation_mode: stringAttribute(node, "coordinate_mode"),
  };
  e.result(node, (y) => e.add("Resize", [x, "", ...size], y, attributes));
};

const spaceToDepth: Write = (e, node) => {
  const x = e.read(node.inputs[0]);
  const block = numberAttribute(node, "block_size");
  if (stringAttribute(node, "mode") === "DCR") {
    e.result(node, (y) => e.add("SpaceToDepth", [x], y, { blocksize: block }));
    return;
  }
  const [n = 1, h = 1, w = 1, c = 1] = e.input(node).shape;
  const blocks = e.reshape(x, [n, c, h / block, block, w / block, block]);
  const moved = e.add("Transpose", [blocks], undefined, { perm: [0, 1, 3, 5, 2, 4] });
  e.result(node, (y) => e.reshape(moved, inFile(e.output(node).shape), y));
};

const spaceToBatch: Write = (e, node) => {
  const [top = 0, bottom = 0, left = 0, right = 0] = listAttribute(node, "paddings");
  const [rows, columns] = pairAttribute(node, "block_shape");
  const [n = 1, h = 1, w = 1, c = 1] = e.input(node).shape;
  const padded = e.add("Pad", [e.read(node.inputs[0]), e.integers([0, 0, top, left, 0, 0, bottom, right])]);
  const size = [(h + top + bottom) / rows, (w + left + right) / columns] as const;
  const blocks = e.reshape(padded, [n, c, size[0], rows, size[1], columns]);
  const moved = e.add("Transpose", [blocks], undefined, { perm: [3, 5, 0, 1, 2, 4] });
  e.result(node, (y) => e.reshape(moved, inFile(e.output(node).shape), y));
};

const batchToSpace: Write = (e, node) => {
  const [top = 0, bottom = 0, left = 0, right = 0] = listAttribute(node, "crops");
  const [rows, columns] = pairAttribute(node, "block_shape");
  const [n = 1, h = 1, w = 1, c = 1] = e.input(node).shape;
  const batch = n / (rows * columns);
  const blocks = e.reshape(e.read(node.inputs[0]), [rows, columns, batch, c, h, w]);
  const moved = e.add("Transpose", [blocks], undefined, { perm: [2, 3, 4, 0, 5, 1] });
  const whole = e.reshape(moved, [batch, c, h * rows, w * columns]);
  const cut = e.slice(whole, 2, top, h * rows - bottom);
  e.result(node, (y) => e.slice(cut, 3, left, w * columns - right, y));
};

/** A convolution with one filter for each element of the window, which picks it out. */
const extractPatches: Write = (e, node) => {
  const [h, w] = pairAttribute(node, "kernels");
  const channels = e.input(node).shape[3] ?? 1;
  const count = h * w * channels;
  const data = new Float32Array(count * count);
  for (let place = 0; place < h * w; place++) {
    for (let c = 0; c < channels; c++) data[((place * channels + c) * channels + c) * h * w + place] = 1;
  }
  const shape = [count, channels, h, w];
  const filter = e.constant({ name: e.step("patches"), shape, dtype: "float32", data }, [0, 1, 2, 3]);
  const x = e.read(node.inputs[0]);
  e.result(node, (y) => e.add("Conv", [x, filter], y, windowOf(node)));
};

const argMax: Write = (e, node) => {
  const { name, shape } = e.input(node);
  const axis = numberAttribute(node, "axis");
  const keep = numberAttribute(node, "keepdims") === 1;
  const attributes = { keepdims: keep ? 1 : 0, select_last_index: numberAttribute(node, "select_last") };
  const op = numberAttribute(node, "argmin") === 1 ? "ArgMin" : "ArgMax";
  const write = (x: string, at: number) => (y: string) => {
    e.add("Cast", [e.add(op, [x], undefined, { axis: at, ...attributes })], y, { to: ONNX_TYPES.int32 });
  };
  if (keep) e.result(node, write(e.read(name), axisInFile(axis, shape.length)));
  else e.plainResult(node, write(e.plain(name), axis));
};

const cast: Write = (e, node) => {
  const to = ONNX_TYPES[e.output(node).dtype as OnnxType];
  const x = e.read(node.inputs[0]);
  e.result(node, (y) => e.add("Cast", [x], y, { to }));
};

/** Indices outside the axis are an error in ONNX: they are clamped first. */
const gather: Write = (e, node) => {
  const axis = numberAttribute(node, "axis");
  const size = e.input(node).shape[axis] ?? 1;
  const indices = e.plain(node.inputs[1]);
  const fromEnd = e.add("Add", [indices, e.number(size, "int32")]);
  const negative = e.add("Less", [indices, e.number(0, "int32")]);
  const counted = e.add("Where", [negative, fromEnd, indices]);
  const inside = e.add("Min", [e.add("Max", [counted, e.number(0, "int32")]), e.number(size - 1, "int32")]);
  const x = e.plain(node.inputs[0]);
  e.plainResult(node, (y) => e.add("Gather", [x, inside], y, { axis }));
};

const tile: Write = (e, node) => {
  const x = e.read(node.inputs[0]);
  const repeats = e.integers(inFile(listAttribute(node, "multiples")));
  e.result(node, (y) => e.add("Tile", [x, repeats], y));
};

const reverse: Write = (e, node) => {
  const { name, shape } = e.input(node);
  const x = e.read(name);
  e.result(node, (y) => e.reversed(x, axesInFile(listAttribute(node, "axis"), shape.length), y));
};

const select: Write = (e, node) => {
  const rank = e.output(node).shape.length;
  const [condition = "", a = "", b = ""] = node.inputs.map((name) => e.operand(name, rank));
  e.result(node, (y) => e.add("Where", [e.truth(condition), a, b], y));
};

const cumsum: Write = (e, node) => {
  const { name, shape } = e.input(node);
  const inputs = [e.read(name), e.number(axisInFile(numberAttribute(node, "axis"), shape.length), "int64")];
  const attributes = {
    exclusive: numberAttribute(node, "exclusive"),
    reverse: numberAttribute(node, "reverse"),
  };
  e.result(node, (y) => e.add("CumSum", inputs, y, attributes));
};

/** Negative indices count from the end in ONNX, and are outside here: they become one that is outside there too. */
const oneHot: Write = (e, node) => {
  const depth = numberAttribute(node, "depth");
  const indices = e.plain(node.inputs[0]);
  const negative = e.add("Less", [indices, e.number(0, "int32")]);
  const outside = e.add("Where", [negative, e.number(depth, "int32"), indices]);
  const data = Float32Array.of(numberAttribute(node, "off_value"), numberAttribute(node, "on_value"));
  const values = e.constant({ name: e.step("values"), shape: [2], dtype: "float32", data }, [0]);
  const inputs = [outside, e.number(depth, "int64"), values];
  e.plainResult(node, (y) => e.add("OneHot", inputs, y, { axis: numberAttribute(node, "axis") }));
};

const normalization: Write = (e, node) => {
  const { name, shape } = e.input(node);
  const axes = axesInFile(listAttribute(node, "axis"), shape.length);
  const x = e.read(name);
  e.rewritten.push(node.name);
  const centred = e.add("Sub", [x, e.reduce("ReduceMean", x, axes, true)]);
  e.result(node, (y) => {
    if (numberAttribute(node, "normalize_variance") === 0) {
      e.add("Identity", [centred], y);
      return;
    }
    const variance = e.reduce("ReduceMean", e.add("Mul", [centred, centred]), axes, true);
    const epsilon = e.number(numberAttribute(node, "epsilon"));
    const outside = numberAttribute(node, "epsilon_outside") === 1;
    const deviation = outside
      ? e.add("Add", [e.add("Sqrt", [variance]), epsilon])
      : e.add("Sqrt", [e.add("Add", [variance, epsilon])]);
    e.add("Div", [centred, deviation], y);
  });
};

/** LpNormalization knows one axis and no least norm. */
const lpNorm: Write = (e, node) => {
  const { name, shape } = e.input(node);
  const axes = axesInFile(listAttribute(node, "axis"), shape.length);
  const x = e.read(name);
  e.rewritten.push(node.name);
  const norm = e.reduce(numberAttribute(node, "p") === 1 ? "ReduceL1" : "ReduceL2", x, axes, true);
  const least = e.add("Max", [norm, e.number(numberAttribute(node, "epsilon"))]);
  e.result(node, (y) => e.add("Div", [x, least], y));
};

/** One entry an operator that ONNX can say at all. */
export const OPERATORS_IN_ONNX: Readonly<Record<string, Write>> = {
  Quantize: (e, node) => e.quantize(e.read(node.inputs[0]), e.output(node)),
  Dequantize: (e, node) => e.dequantize(e.input(node), node.outputs[0]),
  Conv2D: convolution,
  DepthwiseConv2d: convolution,
  Deconv2D: deconvolution,
  FullyConnected: fullyConnected,
  MatMul: matMul,
  BatchNorm: batchNorm,
  Pooling: pooling,
  Reduce: reduction,
  Eltwise: eltwise,
  Activation: activation,
  Softmax: (e, node) => {
    const { name, shape } = e.input(node);
    const x = e.read(name);
    const axis = axisInFile(shape.length - 1, shape.length);
    e.result(node, (y) => e.add(numberAttribute(node, "log") === 1 ? "LogSoftmax" : "Softmax", [x], y, { axis }));
  },
  LocalResponseNorm: (e, node) => {
    const x = e.read(node.inputs[0]);
    const size = numberAttribute(node, "size");
    // ONNX divides its alpha by the size.
    const [alpha, beta, bias] = ["alpha", "beta", "bias"].map((key) => numberAttribute(node, key)) as [
      number,
      number,
      number,
    ];
    e.rewritten.push(node.name);
    const attributes = { size, alpha: real(alpha * size), beta: real(beta), bias: real(bias) };
    e.result(node, (y) => e.add("LRN", [x], y, attributes));
  },
  Concat: concat,
  Split: split,
  StridedSlice: stridedSlice,
  Reshape: reshape,
  Transpose: transpose,
  Pad: pad,
  ResizeBilinear: resize,
  ResizeNearestNeighbor: resize,
  ResizeBicubic: resize,
  DepthToSpace: (e, node) => {
    const x = e.read(node.inputs[0]);
    const attributes = { blocksize: numberAttribute(node, "block_size"), mode: stringAttribute(node, "mode") };
    e.result(node, (y) => e.add("DepthToSpace", [x], y, attributes));
  },
  SpaceToDepth: spaceToDepth,
  SpaceToBatchND: spaceToBatch,
  BatchToSpaceND: batchToSpace,
  ExtractImagePatches: extractPatches,
  ArgMax: argMax,
  Cast: cast,
  Gather: gather,
  Tile: tile,
  Reverse: reverse,
  Select: select,
  Cumsum: cumsum,
  OneHot: oneHot,
  MVN: normalization,
  LpNorm: lpNorm,
};
