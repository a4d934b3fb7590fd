/**
 * The parts of TensorFlow Lite's published schema (version 3) that the importer reads: for each table, the slot and kind of its
 * fields, with the schema's defaults.
 */

import {
  bool,
  bytes,
  float32,
  float32s,
  int8,
  int32,
  int32s,
  int64s,
  string,
  table,
  tables,
  uint8,
  uint32,
  uint64,
} from "./flatbuffer";

export const SCHEMA_VERSION = 3;
export const FILE_IDENTIFIER = "TFL3";

export const MODEL = {
  version: uint32(0),
  operatorCodes: tables(1),
  subgraphs: tables(2),
  buffers: tables(4),
} as const;

export const OPERATOR_CODE = {
  /** Where the code was before it outgrew a byte; the larger of both counts. */
  deprecatedBuiltinCode: int8(0),
  customCode: string(1),
  version: int32(2, 1),
  builtinCode: int32(3),
} as const;

export const SUBGRAPH = { tensors: tables(0), inputs: int32s(1), outputs: int32s(2), operators: tables(3) } as const;

export const BUFFER = {
  data: bytes(0),
  /** Place in the file of data that lie behind the FlatBuffer, in models of more than 2 GB; 0 and 1 say nothing. */
  offset: uint64(1),
  size: uint64(2),
} as const;

export const TENSOR = {
  shape: int32s(0),
  type: int8(1),
  buffer: uint32(2),
  name: string(3),
  quantization: table(4),
  isVariable: bool(5),
  sparsity: table(6),
  /** The shape with -1 for dimensions that are not fixed. */
  shapeSignature: int32s(7),
  externalBuffer: uint32(10),
} as const;

export const QUANTIZATION = {
  scale: float32s(2),
  zeroPoint: int64s(3),
  detailsType: uint8(4),
  quantizedDimension: int32(6),
} as const;

export const OPERATOR = {
  opcodeIndex: uint32(0),
  /** -1 for an absent optional input. */
  inputs: int32s(1),
  outputs: int32s(2),
  builtinOptions: table(4),
  customOptions: bytes(5),
  largeCustomOptionsOffset: uint64(9),
  largeCustomOptionsSize: uint64(10),
} as const;

/** The options of operators. An operator's table of options is of the one type that belongs to it. */
export const CONV_2D = {
  padding: int8(0),
  strideW: int32(1),
  strideH: int32(2),
  activation: int8(3),
  dilationW: int32(4, 1),
  dilationH: int32(5, 1),
} as const;
export const DEPTHWISE_CONV_2D = {
  padding: int8(0),
  strideW: int32(1),
  strideH: int32(2),
  depthMultiplier: int32(3),
  activation: int8(4),
  dilationW: int32(5, 1),
  dilationH: int32(6, 1),
} as const;
export const TRANSPOSE_CONV = { padding: int8(0), strideW: int32(1), strideH: int32(2), activation: int8(3) } as const;
export const POOL_2D = {
  padding: int8(0),
  strideW: int32(1),
  strideH: int32(2),
  filterW: int32(3),
  filterH: int32(4),
  activation: int8(5),
} as const;
export const FULLY_CONNECTED = { activation: int8(0), weightsFormat: int8(1), keepNumDims: bool(2) } as const;
/** Of ADD, SUB, MUL, DIV and L2_NORMALIZATION. */
export const FUSED_ACTIVATION = { activation: int8(0) } as const;
export const SOFTMAX = { beta: float32(0) } as const;
export const CONCATENATION = { axis: int32(0), activation: int8(1) } as const;
export const LOCAL_RESPONSE_NORMALIZATION = {
  radius: int32(0),
  bias: float32(1),
  alpha: float32(2),
  beta: float32(3),
} as const;
export const RESIZE_BILINEAR = { alignCorners: bool(2), halfPixelCenters: bool(3) } as const;
export const RESIZE_NEAREST_NEIGHBOR = { alignCorners: bool(0), halfPixelCenters: bool(1) } as const;
export const RESHAPE = { newShape: int32s(0) } as const;
/** Of SPACE_TO_DEPTH and DEPTH_TO_SPACE. */
export const BLOCK = { blockSize: int32(0) } as const;
export const GATHER = { axis: int32(0), batchDims: int32(1) } as const;
export const REDUCER = { keepDims: bool(0) } as const;
export const SQUEEZE = { dims: int32s(0) } as const;
export const STRIDED_SLICE = {
  beginMask: int32(0),
  endMask: int32(1),
  ellipsisMask: int32(2),
  newAxisMask: int32(3),
  shrinkAxisMask: int32(4),
  offset: bool(5),
} as const;
export const LEAKY_RELU = { alpha: float32(0) } as const;
export const GELU = { approximate: bool(0) } as const;
export const PACK = { axis: int32(1) } as const;
export const UNPACK = { axis: int32(1) } as const;
export const ONE_HOT = { axis: int32(0) } as const;
export const MIRROR_PAD = { mode: int8(0) } as const;
export const FAKE_QUANT = { min: float32(0), max: float32(1), numBits: int32(2), narrowRange: bool(3) } as const;
export const CUMSUM = { exclusive: bool(0), reverse: bool(1) } as const;
export const BATCH_MATMUL = { adjX: bool(0), adjY: bool(1) } as const;

/** Values of `padding`. */
export const PADDINGS = ["SAME", "VALID"] as const;
/** Values of `activation`. */
export const ACTIVATION_NAMES = ["NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT"] as const;
/** Values of `detailsType` other than none. */
export const PLAIN_QUANTIZATION = 0;

/** Names of the operators; the place in the list is the code in the file. */
export const OPERATOR_NAMES: readonly string[] = [
  "ADD",
  "AVERAGE_POOL_2D",
  "CONCATENATION",
  "CONV_2D",
  "DEPTHWISE_CONV_2D",
  "DEPTH_TO_SPACE",
  "DEQUANTIZE",
  "EMBEDDING_LOOKUP",
  "FLOOR",
  "FULLY_CONNECTED",
  "HASHTABLE_LOOKUP",
  "L2_NORMALIZATION",
  "L2_POOL_2D",
  "LOCAL_RESPONSE_NORMALIZATION",
  "LOGISTIC",
  "LSH_PROJECTION",
  "LSTM",
  "MAX_POOL_2D",
  "MUL",
  "RELU",
  "RELU_N1_TO_1",
  "RELU6",
  "RESHAPE",
  "RESIZE_BILINEAR",
  "RNN",
  "SOFTMAX",
  "SPACE_TO_DEPTH",
  "SVDF",
  "TANH",
  "CONCAT_EMBEDDINGS",
  "SKIP_GRAM",
  "CALL",
  "CUSTOM",
  "EMBEDDING_LOOKUP_SPARSE",
  "PAD",
  "UNIDIRECTIONAL_SEQUENCE_RNN",
  "GATHER",
  "BATCH_TO_SPACE_ND",
  "SPACE_TO_BATCH_ND",
  "TRANSPOSE",
  "MEAN",
  "SUB",
  "DIV",
  "SQUEEZE",
  "UNIDIRECTIONAL_SEQUENCE_LSTM",
  "STRIDED_SLICE",
  "BIDIRECTIONAL_SEQUENCE_RNN",
  "EXP",
  "TOPK_V2",
  "SPLIT",
  "LOG_SOFTMAX",
  "DELEGATE",
  "BIDIRECTIONAL_SEQUENCE_LSTM",
  "CAST",
  "PRELU",
  "MAXIMUM",
  "ARG_MAX",
  "MINIMUM",
  "LESS",
  "NEG",
  "PADV2",
  "GREATER",
  "GREATER_EQUAL",
  "LESS_EQUAL",
  "SELECT",
  "SLICE",
  "SIN",
  "TRANSPOSE_CONV",
  "SPARSE_TO_DENSE",
  "TILE",
  "EXPAND_DIMS",
  "EQUAL",
  "NOT_EQUAL",
  "LOG",
  "SUM",
  "SQRT",
  "RSQRT",
  "SHAPE",
  "POW",
  "ARG_MIN",
  "FAKE_QUANT",
  "REDUCE_PROD",
  "REDUCE_MAX",
  "PACK",
  "LOGICAL_OR",
  "ONE_HOT",
  "LOGICAL_AND",
  "LOGICAL_NOT",
  "UNPACK",
  "REDUCE_MIN",
  "FLOOR_DIV",
  "REDUCE_ANY",
  "SQUARE",
  "ZEROS_LIKE",
  "FILL",
  "FLOOR_MOD",
  "RANGE",
  "RESIZE_NEAREST_NEIGHBOR",
  "LEAKY_RELU",
  "SQUARED_DIFFERENCE",
  "MIRROR_PAD",
  "ABS",
  "SPLIT_V",
  "UNIQUE",
  "CEIL",
  "REVERSE_V2",
  "ADD_N",
  "GATHER_ND",
  "COS",
  "WHERE",
  "RANK",
  "ELU",
  "REVERSE_SEQUENCE",
  "MATRIX_DIAG",
  "QUANTIZE",
  "MATRIX_SET_DIAG",
  "ROUND",
  "HARD_SWISH",
  "IF",
  "WHILE",
  "NON_MAX_SUPPRESSION_V4",
  "NON_MAX_SUPPRESSION_V5",
  "SCATTER_ND",
  "SELECT_V2",
  "DENSIFY",
  "SEGMENT_SUM",
  "BATCH_MATMUL",
  "PLACEHOLDER_FOR_GREATER_OP_CODES",
  "CUMSUM",
  "CALL_ONCE",
  "BROADCAST_TO",
  "RFFT2D",
  "CONV_3D",
  "IMAG",
  "REAL",
  "COMPLEX_ABS",
  "HASHTABLE",
  "HASHTABLE_FIND",
  "HASHTABLE_IMPORT",
  "HASHTABLE_SIZE",
  "REDUCE_ALL",
  "CONV_3D_TRANSPOSE",
  "VAR_HANDLE",
  "READ_VARIABLE",
  "ASSIGN_VARIABLE",
  "BROADCAST_ARGS",
  "RANDOM_STANDARD_NORMAL",
  "BUCKETIZE",
  "RANDOM_UNIFORM",
  "MULTINOMIAL",
  "GELU",
  "DYNAMIC_UPDATE_SLICE",
  "RELU_0_TO_1",
  "UNSORTED_SEGMENT_PROD",
  "UNSORTED_SEGMENT_MAX",
  "UNSORTED_SEGMENT_SUM",
  "ATAN2",
  "UNSORTED_SEGMENT_MIN",
  "SIGN",
  "BITCAST",
  "BITWISE_XOR",
  "RIGHT_SHIFT",
  "STABLEHLO_LOGISTIC",
  "STABLEHLO_ADD",
  "STABLEHLO_DIVIDE",
  "STABLEHLO_MULTIPLY",
  "STABLEHLO_MAXIMUM",
  "STABLEHLO_RESHAPE",
  "STABLEHLO_CLAMP",
  "STABLEHLO_CONCATENATE",
  "STABLEHLO_BROADCAST_IN_DIM",
  "STABLEHLO_CONVOLUTION",
  "STABLEHLO_SLICE",
  "STABLEHLO_CUSTOM_CALL",
  "STABLEHLO_REDUCE",
  "STABLEHLO_ABS",
  "STABLEHLO_AND",
  "STABLEHLO_COSINE",
  "STABLEHLO_EXPONENTIAL",
  "STABLEHLO_FLOOR",
  "STABLEHLO_LOG",
  "STABLEHLO_MINIMUM",
  "STABLEHLO_NEGATE",
  "STABLEHLO_OR",
  "STABLEHLO_POWER",
  "STABLEHLO_REMAINDER",
  "STABLEHLO_RSQRT",
  "STABLEHLO_SELECT",
  "STABLEHLO_SUBTRACT",
  "STABLEHLO_TANH",
  "STABLEHLO_SCATTER",
  "STABLEHLO_COMPARE",
  "STABLEHLO_CONVERT",
  "STABLEHLO_DYNAMIC_SLICE",
  "STABLEHLO_DYNAMIC_UPDATE_SLICE",
  "STABLEHLO_PAD",
  "STABLEHLO_IOTA",
  "STABLEHLO_DOT_GENERAL",
  "STABLEHLO_REDUCE_WINDOW",
  "STABLEHLO_SORT",
  "STABLEHLO_WHILE",
  "STABLEHLO_GATHER",
  "STABLEHLO_TRANSPOSE",
  "DILATE",
  "STABLEHLO_RNG_BIT_GENERATOR",
  "REDUCE_WINDOW",
  "STABLEHLO_COMPOSITE",
  "STABLEHLO_SHIFT_LEFT",
  "STABLEHLO_CBRT",
  "STABLEHLO_CASE",
];

/** Element types; the place in the list is the code in the file. */
export const TENSOR_TYPES: readonly string[] = [
  "FLOAT32",
  "FLOAT16",
  "INT32",
  "UINT8",
  "INT64",
  "STRING",
  "BOOL",
  "INT16",
  "COMPLEX64",
  "INT8",
  "FLOAT64",
  "COMPLEX128",
  "UINT64",
  "RESOURCE",
  "VARIANT",
  "UINT32",
  "UINT16",
  "INT4",
  "BFLOAT16",
  "INT2",
  "UINT4",
];
