/** The command tables of the programs that take the place of MACE's scripts: their names, flags and defaults. */

import type { CommandSpec, OptionSpec } from "../cli/options";
import type { ProgramSpec } from "../cli/program";
import { PRESETS } from "../config/preprocess";
import { FITS, RESIZES } from "../ir/graph";

/** What became of a script of MACE: the program here, and its command where it has several. */
export const SCRIPTS = {
  "converter.py convert": "converter convert",
  "converter.py run": "converter run",
  "convert.py": "converter convert",
  "run_model.py": "converter run",
  "image_to_tensor.py": "image_to_tensor",
  "tensor_to_image.py": "tensor_to_image",
  "quantize_stat.py": "quantize_stat",
} as const;

export type Script = keyof typeof SCRIPTS;

/**
 * A flag of MACE's scripts. `works`: it is an option of the program here, with MACE's meaning. `noted`: accepted, changes nothing, and a note
 * says why. `refused`: an error that says why and what to do instead.
 */
export interface MaceFlag {
  readonly name: string;
  readonly of: readonly Script[];
  readonly fate: "works" | "noted" | "refused";
  /** It is a switch. */
  readonly bare?: boolean;
  /** Of those that do not work. */
  readonly why?: string;
  readonly remedy?: string;
}

const CONVERT: readonly Script[] = ["converter.py convert", "convert.py"];
const RUN: readonly Script[] = ["converter.py run", "run_model.py"];
const BAZEL: readonly Script[] = ["converter.py convert", "converter.py run"];
const BAZEL_RUN: readonly Script[] = ["converter.py run"];
const CMAKE_RUN: readonly Script[] = ["run_model.py"];

const works = (of: readonly Script[], ...names: readonly string[]): MaceFlag[] =>
  names.map((name) => ({ name, of, fate: "works" }));
const noted = (of: readonly Script[], why: string, ...names: readonly string[]): MaceFlag[] =>
  names.map((name) => ({ name, of, fate: "noted", why }));
const refused = (of: readonly Script[], why: string, remedy: string, ...names: readonly string[]): MaceFlag[] =>
  names.map((name) => ({ name, of, fate: "refused", why, remedy }));
const bare = (flags: readonly MaceFlag[]): MaceFlag[] => flags.map((flag) => ({ ...flag, bare: true }));

const ATTACHED = "it needs an attached device, and this command runs on this machine";
const PUSH = "build a runner for its ABI with mace_quantized_model and push the three files; see README.md";
const HERE = "runs are on the CPU of this machine, which has no such accelerator";
const TAKES = "give it to mace_run_with_accelerators on the device, which takes it under this name";

/** Every flag of the scripts, and what became of it. Options, help, errors and docs/mace-flags.md are made from it. */
export const MACE_FLAGS: readonly MaceFlag[] = [
  ...works([...CONVERT, ...RUN], "config"),
  ...works(BAZEL, "target_abis"),
  ...works(["convert.py", "run_model.py"], "output"),
  ...bare(works([...BAZEL, "run_model.py"], "quantize_stat")),
  ...noted(BAZEL, "models are files", "model_graph_format", "model_data_format"),
  ...bare(noted(BAZEL, "build with `-c dbg` instead", "debug_mode")),
  ...bare(noted(BAZEL, "build with `--config=asan` instead", "address_sanitizer")),
  ...noted(["converter.py convert"], "a model is the same for every device", "target_socs", "devices_to_run"),
  ...bare(
    refused(
      CONVERT,
      "there is no runtime for micro-controllers",
      "take the model to one of the ABIs of mace_quantized_model",
      "enable_micro",
    ),
  ),

  ...works(BAZEL_RUN, "num_threads", "round", "restart_round", "layers"),
  ...works(RUN, "input_dir", "output_dir"),
  ...bare(works(RUN, "validate", "benchmark")),
  ...works(CMAKE_RUN, "validate_threshold", "model_name", "target_abi", "runtime", "envs"),
  ...refused(RUN, ATTACHED, PUSH, "target_socs", "devices_to_run"),
  ...refused(BAZEL_RUN, ATTACHED, PUSH, "device_yml"),
  ...refused(CMAKE_RUN, ATTACHED, PUSH, "device_conf"),
  ...noted(BAZEL_RUN, "the programs are static", "mace_lib_type"),
  ...noted(BAZEL_RUN, "the system places the threads", "cpu_affinity_policy"),
  ...noted(BAZEL_RUN, "there is no GPU", "gpu_perf_hint", "gpu_priority_hint", "opencl_cache_reuse_policy"),
  ...bare(noted(BAZEL_RUN, "there is no GPU", "cl_binary_to_code", "gpu_out_of_range_check")),
  ...bare(noted(BAZEL_RUN, "there is nothing to tune on a CPU", "disable_tuning")),
  ...bare(noted(CMAKE_RUN, "there is nothing to tune on a CPU", "tune")),
  ...bare(noted(BAZEL_RUN, "a run that does not count always comes first", "fake_warmup")),
  ...noted(BAZEL_RUN, "it lets GPU memory fail at random, for tests of MACE", "runtime_failure_ratio"),
  ...noted(BAZEL_RUN, "tensors of Caffe are recorded, see docs/validate.md", "caffe_env"),
  ...noted(CMAKE_RUN, "ONNX models run in onnxruntime, others are recorded, see docs/validate.md", "backend"),
  ...noted(RUN, "there is one level of messages", "vlog_level"),
  ...noted(CMAKE_RUN, "Bazel builds the programs", "build_dir"),
  ...bare(noted(CMAKE_RUN, "Bazel builds the programs", "build")),
  ...bare(noted(CMAKE_RUN, "models are files", "gencode_model", "gencode_param")),
  ...bare(refused(BAZEL_RUN, "tables of devices are not kept", "send the table of --benchmark to a file", "report")),
  ...refused(BAZEL_RUN, "tables of devices are not kept", "send the table of --benchmark to a file", "report_dir"),
  ...refused(
    BAZEL_RUN,
    HERE,
    TAKES,
    "apu_boost_hint",
    "apu_preference_hint",
    "accelerator_cache_policy",
    "accelerator_binary_file",
    "accelerator_storage_file",
  ),
  ...bare(
    refused(
      BAZEL_RUN,
      HERE,
      "nothing on the device: mace_run_with_accelerators takes the system's library unless --accelerator_library names another",
      "use_system_libhexagon_nn",
    ),
  ),

  ...works(["image_to_tensor.py", "tensor_to_image.py"], "input", "output_dir", "image_shape"),
  ...works(["image_to_tensor.py"], "mean"),
  ...bare(works(["tensor_to_image.py"], "add_softmax")),
  ...works(["quantize_stat.py"], "log_file", "percentile", "enhance_ratio"),
  ...bare(works(["quantize_stat.py"], "enhance")),
];

/** The flags of a command of the converter that do nothing there. */
export const idleFlags = (command: "convert" | "run"): readonly MaceFlag[] =>
  MACE_FLAGS.filter(
    ({ fate, of }) => fate !== "works" && of.some((script) => SCRIPTS[script] === `converter ${command}`),
  );

const idleOptions = (command: "convert" | "run"): readonly OptionSpec[] =>
  idleFlags(command).map((flag) => ({
    name: flag.name,
    ...(!flag.bare && { value: "VALUE" }),
    doc: flag.fate === "noted" ? `accepted, no effect: ${flag.why}` : `refused: ${flag.why}`,
  }));

const CONFIG: readonly OptionSpec[] = [
  { name: "config", value: "FILE", required: true, doc: "model deployment file (YAML)" },
  { name: "model_name", value: "NAME", doc: "only this one of its models" },
  {
    name: "output",
    value: "DIR",
    default: "build",
    doc: "folder below which models are written: <output>/<library_name>/model",
  },
  {
    name: "quantize_stat",
    doc: "convert: write the float model whatever `quantize` says; run: print the range log; also `quantize_stat: 1` of the deployment file",
  },
];

/** What a run does; each kind takes options of its own, and those of the others are errors. */
export const RUN_KINDS = {
  "--quantize_stat": ["input_dir", "resume", "strict"],
  "--validate": ["input_dir", "layers", "validate_threshold", "recorded", "onnxruntime"],
  "--input_dir": ["input_dir", "output_dir"],
  "a single run": ["output_dir", "round", "restart_round", "benchmark"],
} as const;

export type RunKind = keyof typeof RUN_KINDS;

export const CONVERTER: ProgramSpec = {
  name: "converter",
  description: "MACE's converter: models from a deployment file, and runs of them on this machine.",
  commands: [
    {
      name: "convert",
      summary: "convert the models of a deployment file",
      description:
        "Writes <output>/<library_name>/model/<model>.pb, .data and .txt; with `quantize: 1` the quantized model, and the float one in .../float.",
      options: [
        ...CONFIG,
        { name: "target_abis", value: "LIST", doc: "accepted: a model is the same for every ABI" },
        ...idleOptions("convert"),
      ],
    },
    {
      name: "run",
      summary: "run the converted models on this machine",
      description:
        "With --quantize_stat prints the range log of a folder of samples, with --validate compares, with --input_dir runs the model on a folder; otherwise runs and times it once, on inputs in the middle of their ranges.",
      options: [
        ...CONFIG,
        {
          name: "input_dir",
          value: "DIR",
          doc: "folder whose files with names that start with the input's name are the samples: tensors or images, raw float32 where the ending says nothing",
        },
        { name: "output_dir", value: "DIR", doc: "write the outputs there as raw float32" },
        {
          name: "validate",
          doc: "compare the float model with its source and the quantized model with the float one, on the samples or else on random inputs in `input_ranges`, the same ones every time; exit code 3 below a threshold",
        },
        {
          name: "validate_threshold",
          value: "N",
          doc: "with --validate: cosine that each output must reach, in place of `validation_threshold` of the deployment file",
        },
        {
          name: "recorded",
          value: "PATH",
          doc: "with --validate: tensors of the training framework (.npz, or a folder of .npy or raw float32 files); for ONNX the model itself is run",
        },
        {
          name: "onnxruntime",
          value: "DIR",
          doc: "with --validate: folder in which node_modules/onnxruntime-node is installed",
        },
        {
          name: "layers",
          value: "SLICE",
          doc: "with --validate: print these layers too, as Python's slices: 0:10, ::2, 5, -2 (the last but one), : for all; -1, as without it, for none",
        },
        { name: "benchmark", doc: "print the time of each operator" },
        {
          name: "resume",
          doc: "with --quantize_stat: continue a run that was interrupted (Ctrl-C), whose finished samples are kept beside the model",
        },
        {
          name: "strict",
          doc: "with --quantize_stat: fail if a sample cannot be read, after all others are done; otherwise it is named and left out",
        },
        { name: "round", value: "N", doc: "timed runs (default: 1)" },
        { name: "restart_round", value: "N", doc: "start the program so many times (default: 1)" },
        { name: "num_threads", value: "N", default: "-1", doc: "threads; -1 takes every processor" },
        {
          name: "programs",
          value: "DIR",
          doc: "folder of other builds of mace_run and mace_stat; default: those that come with this program",
        },
        { name: "envs", value: "K=V,...", doc: "environment variables of the program, such as MACE_CPU_TIER=scalar" },
        { name: "target_abis", value: "LIST", doc: "host; for other ABIs see the rule mace_quantized_model" },
        { name: "target_abi", value: "ABI", doc: "the same" },
        { name: "runtime", value: "NAME", doc: "cpu; accelerators run with mace_run_with_accelerators" },
        ...idleOptions("run"),
      ],
    },
  ],
};

const IMAGE_SHAPE: OptionSpec = {
  name: "image_shape",
  value: "H,W,C",
  required: true,
  doc: "height, width and channels of the tensor",
};

/** Options that say how pixels become values, which a model may say instead. */
export const PREPROCESSING = ["mean", "std", "scale", "preset", "color", "resize", "fit", "short_side", "pad"] as const;

const IMAGE_TO_TENSOR_COMMAND: CommandSpec = {
  name: "image_to_tensor",
  summary: "decode images and write them as input tensors",
  description:
    "Writes <output_dir>/<prefix><name>.dat for each image, raw little-endian float32. With --config or --model the model says how. Otherwise value = (pixel - mean) * scale: -1 to 1 without options, (pixel - mean) / 255 with --mean alone, pixel / std with --std alone, as MACE's script; with --preset, --mean, --std and --scale each take the place of what the preset says. Transparent pixels are laid on black. An image that cannot be read is named and left out.",
  options: [
    { name: "input", value: "PATH", required: true, doc: "image, or folder of images" },
    { name: "output_dir", value: "DIR", default: ".", doc: "folder of the tensors; made when absent" },
    {
      name: "config",
      value: "FILE",
      doc: "model deployment file: shape, name and preprocessing are those of the model's input, as in statistics and runs",
    },
    { name: "model_name", value: "NAME", doc: "with --config: the model, where there are several" },
    { name: "model", value: "FILE", doc: "a converted model (.pb) that says so, instead of --config" },
    { name: "input_tensor", value: "NAME", doc: "with --config or --model: the input, where there are several" },
    {
      ...IMAGE_SHAPE,
      required: false,
      doc: "height, width and channels of the tensor; required without --config and --model",
    },
    {
      name: "prefix",
      value: "NAME",
      doc: "put before each file's name: the input's name, which is the default with --config and --model, makes renaming unnecessary",
    },
    { name: "mean", value: "LIST", doc: "mean of the pixels (0 to 255), one number or one per channel" },
    { name: "std", value: "LIST", doc: "divide by this after the mean is subtracted" },
    { name: "scale", value: "LIST", doc: "multiply by this instead" },
    {
      name: "preset",
      value: "NAME",
      choices: Object.keys(PRESETS),
      doc: "colour order, mean, scale and filter of a framework",
    },
    {
      name: "color",
      value: "NAME",
      choices: ["RGB", "BGR", "GRAY"],
      doc: "order of the channels (default: RGB, GRAY for one channel)",
    },
    {
      name: "resize",
      value: "NAME",
      choices: RESIZES,
      doc: "filter (default: the preset's, or bilinear-asymmetric as MACE's script)",
    },
    { name: "fit", value: "NAME", choices: FITS, doc: "what becomes of other proportions (default: stretch)" },
    { name: "short_side", value: "N", doc: "with --fit crop: pixels of the shorter side before the crop" },
    { name: "pad", value: "N", doc: "with --fit letterbox: pixel value around the image (default: 0)" },
    { name: "layout", value: "NAME", default: "NHWC", choices: ["NHWC", "NCHW"], doc: "order of the dimensions" },
    {
      name: "type",
      value: "NAME",
      default: "float32",
      choices: ["float32", "uint8"],
      doc: "uint8 writes the fitted pixels themselves, rounded; with --config or --model as RGB, which mace_run takes (--input_type uint8)",
    },
    { name: "npy", doc: "write .npy files instead of .dat" },
    { name: "strict", doc: "fail (exit code 1) if an image cannot be read; the others are written all the same" },
  ],
};

export const IMAGE_TO_TENSOR: ProgramSpec = {
  name: "image_to_tensor",
  description: IMAGE_TO_TENSOR_COMMAND.description,
  commands: IMAGE_TO_TENSOR_COMMAND,
};

const TENSOR_TO_IMAGE_COMMAND: CommandSpec = {
  name: "tensor_to_image",
  summary: "write tensors as images",
  description:
    "Values of -1 to 1 become pixels of 0 to 255. With --add_softmax the last channel's share of a softmax over the channels becomes a gray image.",
  options: [
    { name: "input", value: "PATH", required: true, doc: "raw float32 or .npy tensor, or folder of such" },
    { name: "output_dir", value: "DIR", default: ".", doc: "folder of the images; made when absent" },
    IMAGE_SHAPE,
    { name: "add_softmax", doc: "softmax over the channels first" },
    { name: "format", value: "NAME", default: "jpg", choices: ["jpg", "png"], doc: "format of the images" },
  ],
};

export const TENSOR_TO_IMAGE: ProgramSpec = {
  name: "tensor_to_image",
  description: TENSOR_TO_IMAGE_COMMAND.description,
  commands: TENSOR_TO_IMAGE_COMMAND,
};

const QUANTIZE_STAT_COMMAND: CommandSpec = {
  name: "quantize_stat",
  summary: "make the overall range of a range log",
  description:
    "Prints a line tensor@@min,max per tensor of the log, in the order of first appearance and with MACE's six decimals. Where they lose digits, the exact numbers follow after another @@; MACE passes over them, and `converter convert` reads them.",
  options: [
    { name: "log_file", value: "FILE", required: true, doc: "range log, as `converter run --quantize_stat` prints it" },
    {
      name: "percentile",
      value: "PERCENT",
      default: "0",
      doc: "per cent of the samples' extremes dropped at each end, 0 to 50",
    },
    { name: "enhance", doc: "trim ends that cost many steps for few samples" },
    {
      name: "enhance_ratio",
      value: "N",
      default: "10",
      doc: "with --enhance: share of the range saved per share of samples lost",
    },
    { name: "six_decimals", doc: "never write the exact numbers: every line is that of MACE's script" },
  ],
};

export const QUANTIZE_STAT: ProgramSpec = {
  name: "quantize_stat",
  description: QUANTIZE_STAT_COMMAND.description,
  commands: QUANTIZE_STAT_COMMAND,
};

export const PROGRAMS: readonly ProgramSpec[] = [CONVERTER, IMAGE_TO_TENSOR, TENSOR_TO_IMAGE, QUANTIZE_STAT];
