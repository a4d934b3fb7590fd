/**
 * The operator table: every canonical operator, its inputs, attributes, kernels and the rule for its output's range.
 *
 * Everything about operators is derived from here: the verifier, shape inference's argument checks, what may be
 * quantized, what can absorb an activation, the support matrix in the documentation, and the test that compares this
 * table with the runtime's kernel registry. Operator and attribute names are MACE's where MACE has the operator.
 */

export type InputRole =
  /** Computed at run time (or a constant standing in for it); quantized as an activation. */
  | "activation"
  /** Constant; quantized as weights. */
  | "weights"
  /** Constant; int32 with scale s_x * s_w in a quantized node. */
  | "bias"
  /** Constant made at conversion: a lookup table. Present in quantized nodes only. */
  | "table";

export interface InputSpec {
  readonly name: string;
  readonly role: InputRole;
  readonly optional?: boolean;
  /** The last input may repeat. */
  readonly variadic?: boolean;
}

export type AttributeKind = "int" | "ints" | "float" | "floats" | "string";

export interface AttributeSpec {
  readonly kind: AttributeKind;
  /** Used by the reader and left out by the writer when equal; absent means required. */
  readonly default?: number | string | readonly number[];
  /** Number of elements, for list kinds. */
  readonly length?: number;
  readonly values?: readonly (number | string)[];
  readonly doc: string;
}

/** How the range of the output is known when nobody measured or trained it. */
export type RangeRule =
  /** Must be measured, trained or given. */
  | "observed"
  /** Same parameters as input 0: codes are copied or selected. */
  | "same-as-input"
  /** From the function itself (softmax, sigmoid, tanh, RELUX). */
  | "function"
  /** Union of the inputs. */
  | "union"
  /** Interval arithmetic on the inputs. */
  | "interval";

export interface OperatorSpec {
  readonly summary: string;
  readonly inputs: readonly InputSpec[];
  /** Number of outputs; "variadic" for Split. */
  readonly outputs: number | "variadic";
  readonly attributes: Readonly<Record<string, AttributeSpec>>;
  /** Element types of the activations that the runtime has a kernel for. */
  readonly kernels: { readonly float32: boolean; readonly uint8: boolean; readonly int8: boolean };
  /** Takes the attributes `activation` and `max_limit` as an explicit clamp on its output. */
  readonly fusesActivation?: boolean;
  readonly range: RangeRule;
}

/** Codes of Eltwise's attribute `type`, as MACE numbers them. */
export const ELTWISE = {
  SUM: 0,
  SUB: 1,
  PROD: 2,
  DIV: 3,
  MIN: 4,
  MAX: 5,
  NEG: 6,
  ABS: 7,
  SQR_DIFF: 8,
  POW: 9,
} as const;
/** Codes of Pooling's attribute `pooling_type`. */
export const POOLING = { AVG: 1, MAX: 2 } as const;
/** Codes of Reduce's attribute `reduce_type`. */
export const REDUCE = { MEAN: 0, MIN: 1, MAX: 2, PROD: 3, SUM: 4 } as const;
/** Codes of Pad's attribute `pad_type`. */
export const PAD = { CONSTANT: 0, REFLECT: 1, SYMMETRIC: 2, EDGE: 3 } as const;

/** Values of the attribute `activation` of operators that fuse one. */
export const FUSED_ACTIVATIONS = ["NOOP", "RELU", "RELUX"] as const;
/** Values of the attribute `activation` of the Activation operator. */
export const ACTIVATIONS = [
  "RELU",
  "RELUX",
  "PRELU",
  "TANH",
  "SIGMOID",
  "LEAKYRELU",
  "ELU",
  "HARDSIGMOID",
  "HARDSWISH",
  "CLIP",
  "EXP",
  "SQRT",
  "RSQRT",
  "ABS",
  "NEG",
] as const;

const ALL = { float32: true, uint8: true, int8: true } as const;
const FLOAT_ONLY = { float32: true, uint8: false, int8: false } as const;

const FUSED: Record<string, AttributeSpec> = {
  activation: { kind: "string", default: "NOOP", values: FUSED_ACTIVATIONS, doc: "Clamp applied to the output." },
  max_limit: { kind: "float", default: 0, doc: "Upper limit of RELUX." },
};

const WINDOW: Record<string, AttributeSpec> = {
  strides: { kind: "ints", length: 2, default: [1, 1], doc: "Rows, columns." },
  dilations: { kind: "ints", length: 2, default: [1, 1], doc: "Rows, columns." },
  pads: { kind: "ints", length: 4, default: [0, 0, 0, 0], doc: "Top, left, bottom, right; resolved at import." },
};

const AXIS = (doc: string): AttributeSpec => ({ kind: "int", doc });

export const OPERATORS: Readonly<Record<string, OperatorSpec>> = {
  Conv2D: {
    summary: "Convolution. Input NHWC, filter [O, H, W, I / group], bias [O].",
    inputs: [
      { name: "input", role: "activation" },
      { name: "filter", role: "weights" },
      { name: "bias", role: "bias", optional: true },
    ],
    outputs: 1,
    attributes: { ...WINDOW, group: { kind: "int", default: 1, doc: "Number of channel groups." }, ...FUSED },
    kernels: ALL,
    fusesActivation: true,
    range: "observed",
  },
  DepthwiseConv2d: {
    summary: "Depthwise convolution. Input NHWC, filter [H, W, C, M], output channel c * M + m, bias [C * M].",
    inputs: [
      { name: "input", role: "activation" },
      { name: "filter", role: "weights" },
      { name: "bias", role: "bias", optional: true },
    ],
    outputs: 1,
    attributes: { ...WINDOW, ...FUSED },
    kernels: ALL,
    fusesActivation: true,
    range: "observed",
  },
  FullyConnected: {
    summary: "Input [..., K] times filter [O, K] transposed, plus bias [O]; output [..., O].",
    inputs: [
      { name: "input", role: "activation" },
      { name: "filter", role: "weights" },
      { name: "bias", role: "bias", optional: true },
    ],
    outputs: 1,
    attributes: { ...FUSED },
    kernels: ALL,
    fusesActivation: true,
    range: "observed",
  },
  MatMul: {
    summary: "Product of two computed tensors over the last two axes, leading axes broadcast.",
    inputs: [
      { name: "a", role: "activation" },
      { name: "b", role: "activation" },
    ],
    outputs: 1,
    attributes: {
      transpose_a: { kind: "int", default: 0, values: [0, 1], doc: "Transpose the last two axes of a." },
      transpose_b: { kind: "int", default: 0, values: [0, 1], doc: "Transpose the last two axes of b." },
    },
    kernels: FLOAT_ONLY,
    range: "observed",
  },
  BatchNorm: {
    summary:
      "x * scale + offset per channel (last axis). A pass turns 4-D ones that remain into a 1x1 DepthwiseConv2d.",
    inputs: [
      { name: "input", role: "activation" },
      { name: "scale", role: "weights" },
      { name: "offset", role: "bias" },
    ],
    outputs: 1,
    attributes: { ...FUSED },
    kernels: FLOAT_ONLY,
    fusesActivation: true,
    range: "observed",
  },
  Pooling: {
    summary: "Average or maximum over a window.",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: {
      pooling_type: { kind: "int", values: [POOLING.AVG, POOLING.MAX], doc: "1 average, 2 maximum." },
      kernels: { kind: "ints", length: 2, doc: "Rows, columns." },
      ...WINDOW,
      round_mode: { kind: "int", default: 0, values: [0, 1], doc: "1: the output size rounds up (ceil)." },
      count_include_pad: { kind: "int", default: 0, values: [0, 1], doc: "Average counts the cells of `pads`." },
    },
    kernels: ALL,
    range: "same-as-input",
  },
  Reduce: {
    summary: "Mean, minimum, maximum, product or sum over axes.",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: {
      reduce_type: { kind: "int", values: [0, 1, 2, 3, 4], doc: "0 mean, 1 min, 2 max, 3 product, 4 sum." },
      axis: { kind: "ints", doc: "Axes, non-negative, ascending." },
      keepdims: { kind: "int", default: 1, values: [0, 1], doc: "Keep reduced axes with size 1." },
    },
    kernels: ALL,
    range: "observed",
  },
  Eltwise: {
    summary: "Element-wise arithmetic of two tensors, broadcast as in NumPy.",
    inputs: [
      { name: "a", role: "activation" },
      { name: "b", role: "activation" },
    ],
    outputs: 1,
    attributes: {
      type: {
        kind: "int",
        values: [0, 1, 2, 3, 4, 5, 8, 9],
        doc: "0 sum, 1 sub, 2 product, 3 div, 4 min, 5 max, 8 squared difference, 9 power.",
      },
      ...FUSED,
    },
    kernels: ALL,
    fusesActivation: true,
    range: "interval",
  },
  Activation: {
    summary: "A function of one variable, element by element; PRELU has a slope per channel.",
    inputs: [
      { name: "input", role: "activation" },
      { name: "slope", role: "weights", optional: true },
      { name: "table", role: "table", optional: true },
    ],
    outputs: 1,
    attributes: {
      activation: { kind: "string", values: ACTIVATIONS, doc: "The function." },
      max_limit: { kind: "float", default: 0, doc: "Upper limit of RELUX and CLIP." },
      min_limit: { kind: "float", default: 0, doc: "Lower limit of CLIP." },
      activation_coefficient: { kind: "float", default: 0, doc: "Slope of LEAKYRELU, alpha of ELU." },
      hardsigmoid_alpha: {
        kind: "float",
        default: 0.1666666716337204,
        doc: "Slope of HARDSIGMOID (and of HARDSWISH's factor).",
      },
      hardsigmoid_beta: { kind: "float", default: 0.5, doc: "Offset of HARDSIGMOID." },
    },
    kernels: ALL,
    range: "function",
  },
  Softmax: {
    summary: "Softmax over the last axis; log = 1 gives its logarithm.",
    inputs: [
      { name: "input", role: "activation" },
      { name: "table", role: "table", optional: true },
    ],
    outputs: 1,
    attributes: { log: { kind: "int", default: 0, values: [0, 1], doc: "Logarithm of the softmax (float only)." } },
    kernels: ALL,
    range: "function",
  },
  Concat: {
    summary: "Concatenation along an axis.",
    inputs: [{ name: "inputs", role: "activation", variadic: true }],
    outputs: 1,
    attributes: { axis: AXIS("Non-negative.") },
    kernels: ALL,
    range: "union",
  },
  Split: {
    summary: "Parts along an axis; sizes are those of the outputs' shapes.",
    inputs: [{ name: "input", role: "activation" }],
    outputs: "variadic",
    attributes: { axis: AXIS("Non-negative.") },
    kernels: ALL,
    range: "same-as-input",
  },
  StridedSlice: {
    summary: "Elements begin, begin + stride, … before end, per axis.",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: {
      begin: { kind: "ints", doc: "Per axis, resolved." },
      end: { kind: "ints", doc: "Per axis, resolved; -1 with a negative stride means before the first element." },
      strides: { kind: "ints", doc: "Per axis, not 0." },
    },
    kernels: ALL,
    range: "same-as-input",
  },
  Reshape: {
    summary: "Same elements, other shape (the output tensor's).",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: {},
    kernels: ALL,
    range: "same-as-input",
  },
  Transpose: {
    summary: "Permutation of axes.",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: { dims: { kind: "ints", doc: "Output axis i is input axis dims[i]." } },
    kernels: ALL,
    range: "same-as-input",
  },
  Pad: {
    summary: "Padding per axis.",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: {
      paddings: { kind: "ints", doc: "Before and after, per axis: 2 * rank numbers." },
      pad_type: { kind: "int", default: 0, values: [0, 1, 2, 3], doc: "0 constant, 1 reflect, 2 symmetric, 3 edge." },
      constant_value: { kind: "float", default: 0, doc: "Real value of the padding." },
    },
    kernels: ALL,
    range: "same-as-input",
  },
  LocalResponseNorm: {
    summary: "y = x / (bias + alpha * sum of squares over `size` neighbouring channels) ^ beta.",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: {
      size: { kind: "int", doc: "Window over channels: (size - 1) / 2 rounded down before, rounded up after." },
      alpha: { kind: "float", doc: "Factor of each square (ONNX's alpha / size, Caffe's likewise)." },
      beta: { kind: "float", doc: "Exponent." },
      bias: { kind: "float", default: 1, doc: "Offset." },
    },
    kernels: FLOAT_ONLY,
    range: "observed",
  },
  Quantize: {
    summary: "float32 to codes.",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: {},
    kernels: ALL,
    range: "observed",
  },
  Dequantize: {
    summary: "Codes to float32.",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: {},
    kernels: ALL,
    range: "observed",
  },
};

/** Eltwise types and Reduce types that have a quantized kernel; the rest runs as a float island. */
export const QUANTIZED_ELTWISE: readonly number[] = [ELTWISE.SUM, ELTWISE.SUB, ELTWISE.PROD, ELTWISE.MIN, ELTWISE.MAX];
export const QUANTIZED_REDUCE: readonly number[] = [REDUCE.MEAN, REDUCE.MIN, REDUCE.MAX, REDUCE.SUM];
