/**
 * The key table of the model deployment file: every key of MACE's YAML, and the few that this project adds.
 *
 * A key that only makes sense on another runtime (GPU, code generation …) is `kept`: its value is checked
 * and then has no effect here. A `dead` key never had one.
 */

import { APU_VERSIONS, WEIGHT_GRANULARITIES } from "../ir/graph";
import { OPTIMIZER_RULES } from "./optimizer-rules";

export type KeyKind =
  | "string"
  /** 0, 1, true or false. */
  | "flag"
  | "int"
  /** A string or a list of strings. */
  | "strings"
  /** "1,224,224,3" or a list of such. */
  | "shapes"
  /** "-1.0,1.0" or a list of such. */
  | "ranges"
  | "enum"
  /** An entry of `values` or a list of such. */
  | "enums"
  /** Name to a range, "min,max" or a list of the two. */
  | "rangeMap"
  /** Name to one of `values`. */
  | "enumMap"
  /** Name to number. */
  | "numbers"
  /** Checked by its own code. */
  | "nested";

export interface KeySpec {
  readonly kind: KeyKind;
  /** Where the key may stand. Model keys may also stand in a subgraph, where they win. */
  readonly scope: "top" | "model";
  readonly values?: readonly string[];
  readonly effect?: "kept" | "dead";
  /** With `effect`: the value that asks for nothing, of which nobody needs to be told. */
  readonly idle?: string | number | boolean;
  /** It describes a subgraph. */
  readonly part?: true;
  /** Subgraphs of a model may differ in it, and each is quantized by itself then. Other keys of a model are the same for all. */
  readonly own?: true;
  readonly doc: string;
}

export const PLATFORMS = ["tensorflow", "caffe", "onnx", "tflite", "megengine", "keras", "pytorch"] as const;
export const ABIS = ["armeabi-v7a", "arm64-v8a", "arm64", "armhf", "host"] as const;
export const RUNTIMES = ["cpu", "gpu", "cpu+gpu", "dsp", "hexagon", "hta", "apu", "htp"] as const;
/** Values of `runtime` that quantized models are lowered for, and what the tools call them. */
export const ACCELERATORS: Readonly<Record<string, string>> = { dsp: "dsp", hexagon: "dsp", apu: "apu" };
export const DATA_TYPES = ["float32", "int32", "float16", "int16", "uint8", "bfloat16"] as const;
export const DATA_FORMATS = ["NHWC", "NCHW", "NONE", "OIHW"] as const;
const MODEL_FORMATS = ["file", "code"] as const;
const STORAGE_TYPES = ["fp32_fp32", "fp16_fp32", "bf16_fp32", "fp16_fp16", "uint8"] as const;
export const SCHEMAS = ["", "int8", "mace_apu_16bit_per_tensor", "mace_htp_u16a_s8w"] as const;
/** Names of the quantization schemes, and the one that chooses. */
export const QUANTIZATION_SCHEMES = ["auto", "int8_per_channel", "uint8"] as const;

export const BIAS_CORRECTION_NAMES = ["analytic", "empirical", "none"] as const;

const top = (kind: KeyKind, doc: string, more: Partial<KeySpec> = {}): KeySpec => ({
  kind,
  scope: "top",
  doc,
  ...more,
});
const model = (kind: KeyKind, doc: string, more: Partial<KeySpec> = {}): KeySpec => ({
  kind,
  scope: "model",
  doc,
  ...more,
});
const part = (kind: KeyKind, doc: string, more: Partial<KeySpec> = {}): KeySpec =>
  model(kind, doc, { part: true, ...more });
const own = (kind: KeyKind, doc: string, more: Partial<KeySpec> = {}): KeySpec =>
  model(kind, doc, { own: true, ...more });
const kept = { effect: "kept" } as const;
const off = { ...kept, idle: false } as const;
const none = { ...kept, idle: 0 } as const;

export const KEYS: Readonly<Record<string, KeySpec>> = {
  library_name: top("string", "Name of the library."),
  target_abis: top("enums", "ABIs; in Bazel the rule's attribute decides.", { values: ABIS }),
  target_socs: top("strings", "SoCs to check for on attached devices.", kept),
  model_graph_format: top("enum", "How the graph is delivered; here always as a file.", {
    values: MODEL_FORMATS,
    ...kept,
    idle: "file",
  }),
  model_data_format: top("enum", "How the constants are delivered; here always as a file.", {
    values: MODEL_FORMATS,
    ...kept,
    idle: "file",
  }),
  quantize_stat: top("flag", "As the flag of that name of //tools:converter; the rules and `mace` do not look at it."),
  docker_image_tag: top("string", "Image of the Caffe validator.", kept),
  dockerfile_path: top("string", "Image of the Caffe validator.", kept),
  dockerfile_sha256_checksum: top("string", "Image of the Caffe validator.", kept),
  models: top("nested", "Name to model."),

  platform: part("enum", "Framework of the model file.", { values: PLATFORMS }),
  model_file_path: part("string", "Model file; in Bazel found among `srcs` by its base name."),
  model_sha256_checksum: part("string", "SHA-256 of the model file, checked when given."),
  weight_file_path: part("string", "Weights file (Caffe); found like the model file."),
  weight_sha256_checksum: part("string", "SHA-256 of the weights file, checked when given."),
  mean_file_path: part(
    "string",
    "Mean image of a Caffe network (.binaryproto), subtracted from its input in the graph; preprocess then gives the pixels.",
  ),
  subgraphs: model("nested", "One subgraph in a list, or a map name to subgraph; several make one model (see below)."),
  input_tensors: part("strings", "Names of the inputs."),
  input_shapes: part("shapes", "Shape of each input, in the layout of input_data_formats."),
  input_ranges: part("ranges", "Least and greatest value of each input."),
  input_data_types: part(
    "enums",
    "Element type of each input buffer: float32, int32, float16, int16 or uint8; values are converted where they enter.",
    { values: DATA_TYPES },
  ),
  input_data_formats: part("enums", "Layout of each input buffer.", { values: DATA_FORMATS }),
  input_aliases: part("strings", "Public names of the inputs."),
  output_tensors: part("strings", "Names of the outputs."),
  output_shapes: part("shapes", "Shape of each output, checked when given."),
  output_data_types: part(
    "enums",
    "Element type of each output buffer, likewise; what does not fit is cut: fractions towards zero, values outside the type to its ends.",
    { values: DATA_TYPES },
  ),
  output_data_formats: part("enums", "Layout of each output buffer.", { values: DATA_FORMATS }),
  output_aliases: part("strings", "Public names of the outputs."),
  check_tensors: part("strings", "Intermediate tensors that become the outputs."),
  check_shapes: part("shapes", "Shapes of check_tensors."),
  preprocess: part("nested", "How images become the input: color, mean, scale or preset."),
  runtime: own(
    "enum",
    "Device that runs the model, or a subgraph of it. `dsp` (also `hexagon`) and `apu`: quantized models are lowered for it; others run on the CPU.",
    { values: RUNTIMES },
  ),
  data_type: model("enum", "Storage and compute types; here float32, or the codes of a quantized model.", {
    values: STORAGE_TYPES,
    ...kept,
    idle: "fp32_fp32",
  }),
  quantize: own(
    "flag",
    "Quantize weights and activations; in Bazel the rule decides. A subgraph without it, beside others with it, stays float.",
  ),
  quantize_schema: model("enum", "Number format of a quantized model.", { values: SCHEMAS }),
  quantize_range_file: own("string", "overall_range file; in Bazel the rule's `ranges`."),
  scheme: own("enum", "Quantization scheme; the rule's `scheme` and `--scheme` are stronger.", {
    values: QUANTIZATION_SCHEMES,
  }),
  keep_float: own(
    "strings",
    "Operators that stay float, besides those of the rule: nodes or outputs; * for any characters.",
  ),
  ranges: own("rangeMap", "Tensor, or pattern with *, to min,max; the rule's `range_overrides` are stronger."),
  weights: own(
    "enumMap",
    "Operator, or pattern with *, to per_tensor or per_channel: scales of its weights; the rule's `weights` are stronger.",
    { values: WEIGHT_GRANULARITIES },
  ),
  bias_correction: own(
    "enum",
    "What biases make up for; the rule's `bias_correction` and `--bias_correction` are stronger.",
    { values: BIAS_CORRECTION_NAMES },
  ),
  quantize_large_weights: model(
    "flag",
    "Store the weights of convolutions and matrix products as uint8 in a float model, a quarter of the size; not with `quantize`. Also as an attribute of mace_model.",
  ),
  change_concat_ranges: own(
    "flag",
    "Give all that a Concat joins one range, so that it copies codes; by default it rescales each input exactly, which keeps the precision of narrow ones. Also as an attribute of mace_quantized_model.",
  ),
  winograd: model(
    "int",
    "Tile size of Winograd convolutions; here the runtime chooses its kernels, all of which give the same bits, as Winograd's would not.",
    none,
  ),
  obfuscate: model(
    "flag",
    "In the file for devices, names of inner tensors and operators become digits of a hash. Statistics, ranges and reports keep the names. Also as an attribute of mace_model.",
  ),
  limit_opencl_kernel_time: model("flag", "GPU, on which nothing runs here.", off),
  opencl_queue_window_size: model("int", "GPU, on which nothing runs here.", none),
  nnlib_graph_mode: model("flag", "Had an effect on old Hexagon libraries only.", { effect: "dead" }),
  cl_mem_type: model("enum", "GPU, on which nothing runs here.", { values: ["image", "buffer"], ...kept }),
  graph_optimize_options: model(
    "enums",
    "Rules of MACE's converter that are to be applied; absent: all. Passes that none of them stands for are left out (see below).",
    { values: Object.keys(OPTIMIZER_RULES) },
  ),
  backend: model("enum", "Reference for ONNX validation.", { values: ["tensorflow", "caffe2", "pytorch"], ...kept }),
  validation_inputs_data: model(
    "strings",
    "File of each input for --validate: .npy or raw float32, relative to this file.",
  ),
  validation_outputs_data: model("strings", "File of each output that the training framework gave for them."),
  validation_threshold: model(
    "numbers",
    "Cosine similarity that --validate asks of each output: CPU of the float model (default 0.999), QUANTIZE of the quantized one (0.98).",
    { values: ["CPU", "GPU", "HEXAGON", "DSP", "HTA", "APU", "HTP", "QUANTIZE"] },
  ),
  accuracy_validation_script: model("strings", "Python validator.", kept),
  accelerator_api: model("enum", "API of an HTP-like device.", { values: ["qnn"], ...kept }),
  apu_version_with_no_device: model(
    "enum",
    "Version of the APU, in MACE's count, that a model with `runtime: apu` is for; the rule's `apu_version` and `--apu_version` are stronger. Default 4.",
    { values: APU_VERSIONS.map(String) },
  ),
  order: part("int", "Position of a subgraph among several; default: as they stand in the file."),
};
