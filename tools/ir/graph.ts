/**
 * The canonical graph: what importers produce, passes transform, quantization decides on and the emitter writes.
 *
 * Layout is NHWC. A tensor's name is its identity: the framework's own name of the tensor (without TensorFlow's `:0`),
 * never changed after import, because ranges, overrides and reports are keyed on it. Nodes are kept in execution order.
 */

export type DataType = "float32" | "int32" | "uint8" | "int8" | "bool";

export type ConstantData = Float32Array | Int32Array | Uint8Array | Int8Array;

/** How codes of a tensor map to real values: x = scale * (q - zeroPoint). See mace/quant/README.md §1. */
export interface AffineParameters {
  /** One scale, or one per channel along `axis`; every one is a binary32 value. */
  readonly scales: readonly number[];
  readonly zeroPoint: number;
  /** Channel axis of per-channel parameters; null for per-tensor ones. */
  readonly axis: number | null;
}

/** The grid that training quantized a tensor to (TensorFlow's FakeQuant, ONNX's Q/DQ, TFLite's quantized tensors), exactly. */
export interface TrainedQuantization extends AffineParameters {
  /** How the file counts codes. The same grid has other codes in the other type: uint8 codes less 128 are int8 codes. */
  readonly type: "uint8" | "int8";
  /** Least and greatest code in use; narrow ranges leave out the least code of the type. */
  readonly qmin: number;
  readonly qmax: number;
  /** Set where operators on such tensors round as TensorFlow Lite's do (mace/quant/README.md §12). */
  readonly requantize?: "fixed_point";
}

export type RangeSource = "user" | "trained" | "file" | "operator" | "inherited" | "interval";

/** The grid of a constant of float32 that the model file holds as codes; loading makes values of them again. */
export interface StoredCodes extends AffineParameters {
  readonly type: "uint8" | "int8";
}

/** The range of real values that a tensor's codes cover, and why. */
export interface TensorRange {
  readonly min: number;
  readonly max: number;
  readonly source: RangeSource;
  readonly reason: string;
  /** The tensor that the range is inherited from, by its name in the quantized graph. */
  readonly from?: string;
}

/**
 * What a tensor is of a tensor of the float graph, where quantization rescaled, shifted, reordered or divided its channels (the last
 * axis): here[c] = there[channels[c]] / factors[c] - shifts[c].
 */
export interface TensorOrigin {
  /** Name in the float graph. */
  readonly tensor: string;
  /** Absent: all channels, in order. */
  readonly channels?: readonly number[];
  /** Absent: all 1. */
  readonly factors?: readonly number[];
  /** Absent: all 0. */
  readonly shifts?: readonly number[];
}

export interface Tensor {
  readonly name: string;
  /** Static shape; every dimension is at least 1 after import. A scalar has shape []. */
  shape: readonly number[];
  dtype: DataType;
  /** Present for constants; row-major, length is the product of `shape`. Treated as immutable. */
  data?: ConstantData;
  /** Present when `dtype` holds codes (or, on int32, a quantized bias). */
  quant?: AffineParameters;
  /** Trained (QAT) range on import; the range decided on after `assignRanges`. */
  range?: TensorRange;
  /**
   * Set with a `range` of source "trained". The data of a constant that has it are float32 products scale * (code - zero point),
   * so that rounding them to the grid gives the file's codes back. Whoever changes the values makes a new tensor without it.
   */
  trained?: TrainedQuantization;
  /** Of a float32 constant whose values are exactly those of the codes that the file holds in their place. */
  codes?: StoredCodes;
  /** Absent where the tensor is the float graph's own. */
  origin?: TensorOrigin;
}

export type AttributeValue = number | string | readonly number[];

export interface GraphNode {
  /** Unique in the graph; the framework's node name. */
  readonly name: string;
  /** A key of OPERATORS. */
  type: string;
  /** Tensor names, in the order of the operator's inputs; an absent optional input is "". */
  inputs: string[];
  outputs: string[];
  attributes: Record<string, AttributeValue>;
  /** In a quantized graph: why the node is float, or runs on codes, where something else than the operator table decided. */
  readonly why?: string;
  /** The node of the float graph that this one computes a part of, where quantization divided it. */
  readonly layer?: string;
}

/** Element types of callers' buffers besides a graph's own; values are converted at the border. */
export const BUFFER_TYPES = ["int32", "float16", "int16", "uint8"] as const;
export type BufferType = (typeof BUFFER_TYPES)[number];

/** Layout of the caller's buffer for a graph input or output; the graph itself is always NHWC. */
export type BufferFormat = "NHWC" | "NCHW" | "NONE";

export const RESIZES = [
  "bilinear",
  "bilinear-antialias",
  "bilinear-align-corners",
  "bilinear-asymmetric",
  "bicubic",
  "area",
] as const;
export type Resize = (typeof RESIZES)[number];

/** What becomes of an image whose proportions are not the input's. */
export const FITS = ["stretch", "crop", "letterbox"] as const;
export type Fit = (typeof FITS)[number];

/** Longest side that an image may be scaled to. */
export const MAX_SIDE = 1 << 14;

/** How pixels become the values of an input tensor. Part of the model: statistics, evaluation and runs share it. */
export interface Preprocess {
  readonly color: "RGB" | "BGR" | "GRAY";
  /** value = (pixel - mean[c]) * scale[c], in the order of `color`; pixels are 0 to 255. */
  readonly mean: readonly number[];
  readonly scale: readonly number[];
  /** The filter that changes the image's size. */
  readonly resize: Resize;
  /** Absent: `stretch`. */
  readonly fit?: Fit;
  /** With `crop`: pixels of the image's shorter side before the centre is cut out; absent: as few as cover the input. */
  readonly shortSide?: number;
  /** With `letterbox`: the pixel value around the image, before mean and scale; absent: 0. */
  readonly pad?: number;
}

export interface GraphPort {
  readonly tensor: string;
  readonly format: BufferFormat;
  /** Element type of the caller's buffer, where it is not the tensor's. */
  readonly buffer?: BufferType;
  /** Public name, when the configuration gives one. */
  readonly alias?: string;
  /** Declared range of an input (`input_ranges`). */
  readonly declaredRange?: readonly [number, number];
  readonly preprocess?: Preprocess;
}

/** Versions of MediaTek's APU in MACE's count, and the newest. */
export const APU_VERSIONS = [1, 2, 3, 4] as const;
export type ApuVersion = (typeof APU_VERSIONS)[number];
export const NEWEST_APU: ApuVersion = 4;

/** How many scales the weights of a layer may have. */
export const WEIGHT_GRANULARITIES = ["per_channel", "per_tensor"] as const;

/** What a configuration says of quantization. */
export interface QuantizationOverrides {
  readonly scheme?: string;
  /** `dsp` or `apu`; absent for the CPU. */
  readonly runtime?: string;
  /** With `apu`: absent for the newest. */
  readonly apuVersion?: ApuVersion;
  /** Names or patterns of nodes, or of their outputs, that stay float. */
  readonly keepFloat: readonly string[];
  /** `tensor=min,max`, the tensor by name or pattern. */
  readonly ranges: readonly string[];
  /** `node=per_tensor` or `node=per_channel`, the node by name or pattern. */
  readonly weights?: readonly string[];
  /** Name of a bias correction. */
  readonly biasCorrection?: string;
  /** Everything that a Concat joins gets one range. */
  readonly shareConcat?: boolean;
  /** Nothing of the subgraph is quantized. */
  readonly float?: boolean;
}

/** Overrides without what says nothing, in the order in which model files hold them. */
export function overridesOf(
  given: {
    readonly [K in keyof Required<QuantizationOverrides>]: QuantizationOverrides[K] | undefined;
  },
): QuantizationOverrides {
  const { scheme, runtime, apuVersion, keepFloat = [], ranges = [], weights = [], biasCorrection } = given;
  return {
    ...(scheme !== undefined && { scheme }),
    ...(runtime !== undefined && { runtime }),
    ...(apuVersion !== undefined && { apuVersion }),
    keepFloat,
    ranges,
    ...(weights.length > 0 && { weights }),
    ...(biasCorrection !== undefined && { biasCorrection }),
    ...(given.shareConcat && { shareConcat: true }),
    ...(given.float && { float: true }),
  };
}

/**
 * A network of its own among those that a graph was joined of: the nodes that its outputs need, up to its inputs. Its ports are tensors that
 * no pass removes.
 */
export interface Subgraph {
  /** Its key in the configuration. */
  readonly name: string;
  /** Inputs of the graph, or outputs of earlier subgraphs. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Of a float graph whose subgraphs are not all quantized alike: what the configuration says of this one. */
  readonly quantization?: QuantizationOverrides;
  /** Of a quantized graph whose subgraphs are not all quantized alike: the device, `cpu` among them. */
  readonly runtime?: string;
}

export interface Graph {
  name: string;
  inputs: GraphPort[];
  outputs: GraphPort[];
  /** Of a float graph whose configuration says so. */
  quantization?: QuantizationOverrides;
  /** Of a graph that several networks were joined to: these, in the order in which they run. */
  subgraphs?: readonly Subgraph[];
  /** Devices get the model without the names of its inner tensors and operators. */
  obfuscate?: boolean;
  /** Of a quantized graph: the accuracy budget that no placement met, and what was reached. */
  missedBudget?: string;
  /** Of a quantized graph whose configuration names one. */
  apuVersion?: ApuVersion;
  /** Every tensor that a node or a port names, constants included. */
  tensors: Map<string, Tensor>;
  nodes: GraphNode[];
}
