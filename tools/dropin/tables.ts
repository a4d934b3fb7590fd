/** The command tables of the programs that take the place of MACE's scripts: their names, flags and defaults. */

import type { CommandSpec, OptionSpec } from "../cli/options";
import type { ProgramSpec } from "../cli/program";
import { PRESETS } from "../config/preprocess";
import { FITS, RESIZES } from "../ir/graph";

const CONFIG: readonly OptionSpec[] = [
  { name: "config", value: "FILE", required: true, doc: "model deployment file (YAML)" },
  {
    name: "output",
    value: "DIR",
    default: "build",
    doc: "folder below which models are written: <output>/<library_name>/model",
  },
  { name: "quantize_stat", doc: "convert: write the float model whatever `quantize` says; run: print the range log" },
];

/** Options of MACE that change nothing here, and why. */
export const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  model_graph_format: "models are files",
  model_data_format: "models are files",
  debug_mode: "build with `-c dbg` instead",
  address_sanitizer: "build with `--config=asan` instead",
  mace_lib_type: "the programs are static",
  cpu_affinity_policy: "the system places the threads",
  disable_tuning: "there is nothing to tune on a CPU",
  opencl_cache_reuse_policy: "there is no GPU",
  vlog_level: "there is one level of messages",
};

/** Options of MACE that only make sense with a device at hand. */
const DEVICE = "build a runner for its ABI with mace_quantized_model and push the three files; see README.md";
export const NEEDS_DEVICE: Readonly<Record<string, string>> = {
  target_socs: DEVICE,
  devices_to_run: DEVICE,
  device_yml: DEVICE,
  gpu_perf_hint: DEVICE,
  gpu_priority_hint: DEVICE,
  apu_boost_hint: DEVICE,
  accelerator_cache_policy: DEVICE,
  accelerator_binary_file: DEVICE,
  accelerator_storage_file: DEVICE,
};

const other = (command: "convert" | "run"): readonly OptionSpec[] => {
  const names = Object.entries(WITHOUT_EFFECT).filter(
    ([name]) =>
      command === "run" ||
      ["model_graph_format", "model_data_format", "debug_mode", "address_sanitizer"].includes(name),
  );
  const flags = ["debug_mode", "address_sanitizer", "disable_tuning"];
  return [
    {
      name: "target_abis",
      value: "LIST",
      doc:
        command === "run"
          ? "host; for other ABIs see the rule mace_quantized_model"
          : "accepted: a model is the same for every ABI",
    },
    ...names.map(
      ([name, why]): OptionSpec => ({
        name,
        ...(!flags.includes(name) && { value: "VALUE" }),
        doc: `accepted, no effect: ${why}`,
      }),
    ),
    ...Object.keys(NEEDS_DEVICE).map(
      (name): OptionSpec => ({ name, value: "VALUE", doc: "needs a device: an error here" }),
    ),
  ];
};

export const CONVERTER: ProgramSpec = {
  name: "converter",
  description: "MACE's converter: models from a deployment file, and runs of them on this machine.",
  commands: [
    {
      name: "convert",
      summary: "convert the models of a deployment file",
      description:
        "Writes <output>/<library_name>/model/<model>.pb, .data and .txt; with `quantize: 1` the quantized model, and the float one in .../float.",
      options: [...CONFIG, ...other("convert")],
    },
    {
      name: "run",
      summary: "run the converted models on this machine",
      description:
        "With --quantize_stat prints the range log of a folder of samples; otherwise runs the model on a folder, validates it, or times it.",
      options: [
        ...CONFIG,
        { name: "input_dir", value: "DIR", doc: "folder of tensors or images whose names start with the input's name" },
        { name: "output_dir", value: "DIR", doc: "write the outputs there as raw float32" },
        {
          name: "validate",
          doc: "compare the float model with its source and the quantized model with the float one, on the samples; exit code 3 below a threshold",
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
          default: "-1",
          doc: "with --validate: print these layers too, as 0:10 or 5; -1 for none, : for all",
        },
        { name: "benchmark", doc: "print the time of each operator" },
        {
          name: "resume",
          doc: "with --quantize_stat: continue a run that was interrupted (Ctrl-C), whose finished samples are kept beside the model",
        },
        { name: "round", value: "N", default: "1", doc: "timed runs" },
        { name: "num_threads", value: "N", default: "-1", doc: "threads; -1 takes every processor" },
        ...other("run"),
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

const IMAGE_TO_TENSOR_COMMAND: CommandSpec = {
  name: "image_to_tensor",
  summary: "decode images and write them as input tensors",
  description:
    "Writes <output_dir>/<prefix><name>.dat for each image, raw little-endian float32. Without --mean and --preset pixels become -1 to 1; value = (pixel - mean) / 255 with --mean alone. An image that cannot be read is named and left out.",
  options: [
    { name: "input", value: "PATH", required: true, doc: "image, or folder of images" },
    { name: "output_dir", value: "DIR", default: ".", doc: "folder of the tensors; made when absent" },
    IMAGE_SHAPE,
    {
      name: "prefix",
      value: "NAME",
      default: "",
      doc: "put before each file's name: the input's name makes renaming unnecessary",
    },
    { name: "mean", value: "LIST", doc: "mean of the pixels (0 to 255), one number or one per channel" },
    { name: "std", value: "LIST", doc: "divide by this after the mean is subtracted" },
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
    { name: "pad", value: "N", default: "0", doc: "with --fit letterbox: pixel value around the image" },
    { name: "layout", value: "NAME", default: "NHWC", choices: ["NHWC", "NCHW"], doc: "order of the dimensions" },
    {
      name: "type",
      value: "NAME",
      default: "float32",
      choices: ["float32", "uint8"],
      doc: "uint8 writes the fitted pixels themselves",
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
  description: "Prints a line tensor@@min,max per tensor of the log, in the order of first appearance.",
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
  ],
};

export const QUANTIZE_STAT: ProgramSpec = {
  name: "quantize_stat",
  description: QUANTIZE_STAT_COMMAND.description,
  commands: QUANTIZE_STAT_COMMAND,
};

export const PROGRAMS: readonly ProgramSpec[] = [CONVERTER, IMAGE_TO_TENSOR, TENSOR_TO_IMAGE, QUANTIZE_STAT];
