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
  /** Computed int32 (indices, truth values): never quantized. */
  | "index"
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
  EQUAL: 10,
  NOT_EQUAL: 11,
  FLOOR_DIV: 12,
  LESS: 15,
  LESS_OR_EQUAL: 16,
  GREATER: 17,
  GREATER_OR_EQUAL: 18,
} as const;
/** The types of Eltwise whose output is a truth value: int32, 1 or 0. */
export const COMPARISONS: readonly number[] = [
  ELTWISE.EQUAL,
  ELTWISE.NOT_EQUAL,
  ELTWISE.LESS,
  ELTWISE.LESS_OR_EQUAL,
  ELTWISE.GREATER,
  ELTWISE.GREATER_OR_EQUAL,
];
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
  "LOG",
  "RECIPROCAL",
  "SQUARE",
  "FLOOR",
  "CEIL",
  "ROUND",
  "SIGN",
  "ERF",
  "GELU",
  "GELU_TANH",
  "SILU",
  "SOFTPLUS",
  "MISH",
] as const;

/** Where the pixel that output pixel i stands for lies in the input; s is input size / output size (or 1 / `scales`). */
export const COORDINATE_MODES = [
  /** i * s */
  "asymmetric",
  /** (i + 0.5) * s - 0.5 */
  "half_pixel",
  /** i * (in - 1) / (out - 1), 0 when out is 1 */
  "align_corners",
  /** half_pixel, but 0 when out is 1 */
  "pytorch_half_pixel",
  /** (i + 0.5) * s: TensorFlow's half_pixel_centers of nearest neighbour */
  "half_pixel_uncentred",
] as const;
/** Which neighbour ResizeNearestNeighbor takes. */
export const NEAREST_MODES = ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"] as const;

const ALL = { float32: true, uint8: true, int8: true } as const;
const FLOAT_ONLY = { float32: true, uint8: false, int8: false } as const;

const FUSED: Record<string, AttributeSpec> = {
  activation: { kind: "string", default: "NOOP", values: FUSED_ACTIVATIONS, doc: "Clamp applied to the output." },
  max_limit: { kind: "float", default: 0, doc: "Upper limit of RELUX." },
};

/** Operators that can round as TensorFlow Lite's do. */
const REQUANTIZE: Record<string, AttributeSpec> = {
  requantize: {
    kind: "string",
    default: "float",
    values: ["float", "fixed_point"],
    doc: "Arithmetic from sums to codes, in quantized models: binary32, or TensorFlow Lite's integers.",
  },
};

const WINDOW: Record<string, AttributeSpec> = {
  strides: { kind: "ints", length: 2, default: [1, 1], doc: "Rows, columns." },
  dilations: { kind: "ints", length: 2, default: [1, 1], doc: "Rows, columns." },
  pads: { kind: "ints", length: 4, default: [0, 0, 0, 0], doc: "Top, left, bottom, right; resolved at import." },
};

const AXIS = (doc: string): AttributeSpec => ({ kind: "int", doc });

const BLOCK_SIZE: AttributeSpec = { kind: "int", doc: "Side of a block, at least 1." };
const DEPTH_MODE: AttributeSpec = {
  kind: "string",
  default: "DCR",
  values: ["DCR", "CRD"],
  doc: "DCR: channel = (row in block * block + column in block) * C + c; CRD: channel = (c * block + row) * block + column.",
};
const BLOCK_SHAPE: AttributeSpec = { kind: "ints", length: 2, doc: "Rows, columns of a block." };

const RESIZE: Record<string, AttributeSpec> = {
  coordinate_mode: {
    kind: "string",
    default: "asymmetric",
    values: COORDINATE_MODES,
    doc: "Where an output pixel lies in the input.",
  },
  scales: {
    kind: "floats",
    default: [],
    doc: "Output size / input size of rows and columns, when not the ratio of the sizes themselves.",
  },
};

export const OPERATORS: Readonly<Record<string, OperatorSpec>> = {
  Conv2D: {
    summary: "Convolution. Input NHWC, filter [O, H, W, I / group], bias [O].",
    inputs: [
      { name: "input", role: "activation" },
      { name: "filter", role: "weights" },
      { name: "bias", role: "bias", optional: true },
    ],
    outputs: 1,
    attributes: {
      ...WINDOW,
      group: { kind: "int", default: 1, doc: "Number of channel groups." },
      ...FUSED,
      ...REQUANTIZE,
    },
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
    attributes: { ...WINDOW, ...FUSED, ...REQUANTIZE },
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
    attributes: { ...FUSED, ...REQUANTIZE },
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
    kernels: ALL,
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
      ...REQUANTIZE,
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
      ...REQUANTIZE,
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
        values: Object.values(ELTWISE),
        doc: "0 sum, 1 sub, 2 product, 3 div, 4 min, 5 max, 8 squared difference, 9 power, 10 =, 11 ≠, 12 floor of the quotient, 15 <, 16 ≤, 17 >, 18 ≥.",
      },
      ...FUSED,
      ...REQUANTIZE,
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
  Deconv2D: {
    summary:
      "Transposed convolution. Input NHWC, filter [O, H, W, I / group], bias [O]; the output's size is its declared shape.",
    inputs: [
      { name: "input", role: "activation" },
      { name: "filter", role: "weights" },
      { name: "bias", role: "bias", optional: true },
    ],
    outputs: 1,
    attributes: {
      ...WINDOW,
      group: { kind: "int", default: 1, doc: "Number of channel groups; I channels and O channels are split alike." },
      ...FUSED,
    },
    kernels: ALL,
    fusesActivation: true,
    range: "observed",
  },
  ResizeBilinear: {
    summary: "Bilinear resize of rows and columns to the declared output shape; cells outside repeat the edge.",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: { ...RESIZE },
    kernels: ALL,
    range: "same-as-input",
  },
  ResizeNearestNeighbor: {
    summary: "Nearest-neighbour resize of rows and columns to the declared output shape.",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: {
      ...RESIZE,
      nearest_mode: { kind: "string", default: "floor", values: NEAREST_MODES, doc: "Which neighbour." },
    },
    kernels: ALL,
    range: "same-as-input",
  },
  ResizeBicubic: {
    summary: "Bicubic resize of rows and columns to the declared output shape.",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: {
      ...RESIZE,
      cubic_coeff: { kind: "float", default: -0.75, doc: "Coefficient a of the cubic kernel." },
      exclude_outside: {
        kind: "int",
        default: 0,
        values: [0, 1],
        doc: "1: taps outside weigh 0 and the others are scaled to a sum of 1; 0: they repeat the edge.",
      },
    },
    kernels: FLOAT_ONLY,
    range: "observed",
  },
  DepthToSpace: {
    summary: "Blocks of channels become blocks of pixels: [N, H, W, b * b * C] to [N, H * b, W * b, C].",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: { block_size: BLOCK_SIZE, mode: DEPTH_MODE },
    kernels: ALL,
    range: "same-as-input",
  },
  SpaceToDepth: {
    summary: "Blocks of pixels become blocks of channels, the inverse of DepthToSpace.",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: { block_size: BLOCK_SIZE, mode: DEPTH_MODE },
    kernels: ALL,
    range: "same-as-input",
  },
  SpaceToBatchND: {
    summary:
      "Pads with zeros, then moves the cells of each block to the batch: [N * b * b', (H + pads) / b, (W + pads) / b', C].",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: {
      block_shape: BLOCK_SHAPE,
      paddings: { kind: "ints", length: 4, default: [0, 0, 0, 0], doc: "Top, bottom, left, right." },
    },
    kernels: ALL,
    range: "same-as-input",
  },
  BatchToSpaceND: {
    summary: "The inverse of SpaceToBatchND: batch entries become blocks, then the crops are cut off.",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: {
      block_shape: BLOCK_SHAPE,
      crops: { kind: "ints", length: 4, default: [0, 0, 0, 0], doc: "Top, bottom, left, right." },
    },
    kernels: ALL,
    range: "same-as-input",
  },
  ArgMax: {
    summary: "Index of the greatest (or least) element along an axis, as int32.",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: {
      axis: AXIS("Non-negative."),
      keepdims: { kind: "int", default: 0, values: [0, 1], doc: "Keep the axis with size 1." },
      argmin: { kind: "int", default: 0, values: [0, 1], doc: "Least instead of greatest." },
      select_last: { kind: "int", default: 0, values: [0, 1], doc: "Of equal elements the last instead of the first." },
    },
    kernels: ALL,
    range: "observed",
  },
  Cast: {
    summary: "float32 to int32 (towards zero, saturating, NaN to 0) or int32 to float32, as the output's type says.",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: {},
    kernels: FLOAT_ONLY,
    range: "observed",
  },
  Gather: {
    summary: "Slices of input 0 along an axis at int32 indices; -1 counts from the end, indices outside are clamped.",
    inputs: [
      { name: "input", role: "activation" },
      { name: "indices", role: "index" },
    ],
    outputs: 1,
    attributes: { axis: AXIS("Non-negative.") },
    kernels: ALL,
    range: "same-as-input",
  },
  Tile: {
    summary: "Repeats the tensor along each axis.",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: { multiples: { kind: "ints", doc: "Per axis, at least 1." } },
    kernels: ALL,
    range: "same-as-input",
  },
  Reverse: {
    summary: "Elements in reverse order along axes.",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: { axis: { kind: "ints", doc: "Axes, non-negative, ascending." } },
    kernels: ALL,
    range: "same-as-input",
  },
  Select: {
    summary: "a where the int32 condition is not 0, else b; all three broadcast.",
    inputs: [
      { name: "condition", role: "index" },
      { name: "a", role: "activation" },
      { name: "b", role: "activation" },
    ],
    outputs: 1,
    attributes: {},
    kernels: FLOAT_ONLY,
    range: "observed",
  },
  Cumsum: {
    summary: "Running sum along an axis.",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: {
      axis: AXIS("Non-negative."),
      exclusive: { kind: "int", default: 0, values: [0, 1], doc: "Leave out the element itself." },
      reverse: { kind: "int", default: 0, values: [0, 1], doc: "From the end." },
    },
    kernels: FLOAT_ONLY,
    range: "observed",
  },
  OneHot: {
    summary: "int32 indices to rows with on_value at the index and off_value elsewhere; a new axis of size `depth`.",
    inputs: [{ name: "indices", role: "index" }],
    outputs: 1,
    attributes: {
      depth: { kind: "int", doc: "Size of the new axis." },
      axis: AXIS("Position of the new axis, non-negative."),
      on_value: { kind: "float", default: 1, doc: "Value at the index." },
      off_value: { kind: "float", default: 0, doc: "Value elsewhere." },
    },
    kernels: FLOAT_ONLY,
    range: "observed",
  },
  ExtractImagePatches: {
    summary: "The window of every position as channels: [N, rows, columns, kh * kw * C], zeros outside.",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: { kernels: { kind: "ints", length: 2, doc: "Rows, columns." }, ...WINDOW },
    kernels: FLOAT_ONLY,
    range: "same-as-input",
  },
  MVN: {
    summary: "(x - mean) / sqrt(variance + epsilon) over axes: instance, layer and group norm before scale and offset.",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: {
      axis: { kind: "ints", doc: "Axes, non-negative, ascending." },
      normalize_variance: { kind: "int", default: 1, values: [0, 1], doc: "0: subtract the mean only." },
      epsilon: { kind: "float", default: 0.00001, doc: "Added to the variance (or the deviation)." },
      epsilon_outside: {
        kind: "int",
        default: 0,
        values: [0, 1],
        doc: "1: divide by sqrt(variance) + epsilon (Caffe).",
      },
    },
    kernels: FLOAT_ONLY,
    range: "observed",
  },
  LpNorm: {
    summary: "x / max(norm, epsilon) over axes; the norm is the sum of |x| (p = 1) or sqrt(sum of x * x) (p = 2).",
    inputs: [{ name: "input", role: "activation" }],
    outputs: 1,
    attributes: {
      p: { kind: "int", default: 2, values: [1, 2], doc: "Which norm." },
      axis: { kind: "ints", doc: "Axes, non-negative, ascending." },
      epsilon: { kind: "float", default: 1e-12, doc: "Least norm." },
    },
    kernels: ALL,
    range: "observed",
  },
  DetectionPostProcess: {
    summary:
      "Boxes [1, A, 4] (y, x, h, w codes), scores [1, A, C] and anchors [A, 4] to boxes, classes, scores and the count.",
    inputs: [
      { name: "boxes", role: "activation" },
      { name: "scores", role: "activation" },
      { name: "anchors", role: "activation" },
    ],
    outputs: 4,
    attributes: {
      max_detections: { kind: "int", doc: "Detections returned." },
      max_classes_per_detection: { kind: "int", default: 1, doc: "Classes returned for one box (fast way)." },
      detections_per_class: { kind: "int", default: 100, doc: "Detections kept per class (regular way)." },
      num_classes: {
        kind: "int",
        doc: "Classes without the background, which is the first score when there is one more.",
      },
      use_regular_nms: { kind: "int", default: 0, values: [0, 1], doc: "Suppression per class instead of over all." },
      nms_score_threshold: { kind: "float", doc: "Least score." },
      nms_iou_threshold: { kind: "float", doc: "Greatest overlap." },
      scale: { kind: "floats", length: 4, doc: "y, x, h, w: divisors of the codes." },
    },
    kernels: FLOAT_ONLY,
    range: "observed",
  },
  DetectionOutput: {
    summary:
      "SSD's last layer: locations [N, P * 4], confidences [N, P * C] and priors [1, 2, P * 4] to rows [image, label, score, x0, y0, x1, y1].",
    inputs: [
      { name: "locations", role: "activation" },
      { name: "confidences", role: "activation" },
      { name: "priors", role: "activation" },
    ],
    outputs: 1,
    attributes: {
      num_classes: { kind: "int", doc: "Classes, the background included." },
      share_location: { kind: "int", default: 1, values: [1], doc: "One box for all classes." },
      background_label: { kind: "int", default: 0, doc: "Class that is no detection; -1 for none." },
      variance_encoded_in_target: { kind: "int", default: 0, values: [0, 1], doc: "Codes are already scaled." },
      keep_top_k: { kind: "int", doc: "Detections of an image; rows beyond those found have label -1." },
      top_k: { kind: "int", default: -1, doc: "Candidates of a class before suppression; -1 for all." },
      nms_threshold: { kind: "float", default: 0.3, doc: "Greatest overlap." },
      confidence_threshold: { kind: "float", default: 0, doc: "Least score, exclusive." },
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
