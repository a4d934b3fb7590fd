/** The command table: every command and option of `mace`. Parser, help and documentation are made from it. */

import { PLATFORMS } from "../config/keys";
import { PRESETS } from "../config/preprocess";
import { APU_VERSIONS, NEWEST_APU } from "../ir/graph";
import { METHODS } from "../statistics/calibrate";
import { AUTO_SCHEME, BIAS_CORRECTIONS, DEFAULT_BIAS_CORRECTION, DEFAULT_SCHEME, SCHEMES } from "../quantize/scheme";
import { BACK_ENDS, CPU, PER_SUBGRAPH } from "../lower/back-ends";

export interface OptionSpec {
  readonly name: string;
  /** What the help calls the value; absent for switches. */
  readonly value?: string;
  readonly doc: string;
  readonly required?: boolean;
  readonly repeat?: boolean;
  readonly default?: string;
  readonly choices?: readonly string[];
}

export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  readonly description: string;
  /** Positional arguments, as `<one>` or `[more...]`. */
  readonly arguments?: string;
  readonly options: readonly OptionSpec[];
}

const MODEL: readonly OptionSpec[] = [
  { name: "model", value: "FILE", required: true, doc: "model file (.pb) written by convert or quantize" },
  { name: "model_data", value: "FILE", doc: "its constants; default: the model file with the ending .data" },
];
const RUNNER = (program: string): OptionSpec => ({
  name: "runner",
  value: "FILE",
  required: true,
  doc: `the ${program} program for this machine (//mace/bin:${program})`,
});
const THREADS: OptionSpec = { name: "num_threads", value: "N", default: "0", doc: "threads; 0 takes every processor" };
const LOWERED: readonly OptionSpec[] = [
  {
    name: "lowered",
    value: "FILE",
    doc: "what `mace lower` made of the model (.pb, beside its .data): the outputs are an accelerator's",
  },
  {
    name: "accelerator_library",
    value: "[DEVICE=]FILE",
    repeat: true,
    doc: "with --lowered: the vendor's library, or a simulator; default: the system's. DEVICE is dsp or apu, for a model that has both",
  },
];
/** Of the commands that write models. */
const DEPLOY: readonly OptionSpec[] = [
  {
    name: "obfuscate",
    doc: "write the model as it goes on devices besides, in which the names of inner tensors and operators are digits of a hash; also a key of the configuration",
  },
  {
    name: "deploy_prefix",
    value: "PREFIX",
    doc: "path of what goes on devices, without ending: .pb, and .names, which says what obfuscated names stand for; default: with obfuscation the prefix of the outputs and .obfuscated. The constants are those of the outputs",
  },
];
const INPUT_SHAPE: OptionSpec = {
  name: "input_shape",
  value: "NAME=1,224,224,3",
  repeat: true,
  doc: "shape of an input that the file leaves open",
};
const RANGE_OPTIONS: readonly OptionSpec[] = [
  {
    name: "method",
    value: "NAME",
    default: "mace",
    choices: ["mace", ...Object.keys(METHODS)],
    doc: [
      "mace: MACE's rule, --percentile and --enhance over the samples' extremes.",
      ...Object.entries(METHODS).map(([name, doc]) => `${name}: ${doc}.`),
    ].join(" "),
  },
  {
    name: "coverage",
    value: "PERCENT",
    default: "99.99",
    doc: "with --method percentile: share of the values that the range holds",
  },
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
];
const SAMPLES: readonly OptionSpec[] = [
  {
    name: "input_dir",
    value: "DIR",
    doc: "folder of samples: images, .npy, .npz, .json (lists of numbers) or raw float32",
  },
  { name: "samples_list", value: "FILE", doc: "file with the path of a sample on each line" },
];

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: "convert",
    summary: "import a trained network as a canonical float model",
    description:
      "Imports a model, optimizes the graph and writes <prefix>.pb, <prefix>.data and the text form <prefix>.txt. The model is the one that --config names, or a file that itself says all: its inputs and outputs are the model's then.",
    arguments: "[file]",
    options: [
      { name: "config", value: "FILE", doc: "model deployment file (YAML)" },
      { name: "weights", value: "FILE", doc: "without --config: weights of a Caffe network" },
      INPUT_SHAPE,
      {
        name: "preset",
        value: "NAME",
        choices: Object.keys(PRESETS),
        doc: "without --config: how images become inputs; see docs/config.md",
      },
      { name: "model_name", value: "NAME", doc: "which model of the file; needed when it holds several" },
      {
        name: "src",
        value: "FILE",
        repeat: true,
        doc: "files that the configuration names, found by base name; default: as the configuration says, relative to it",
      },
      { name: "output_prefix", value: "PREFIX", doc: "path of the outputs without ending" },
      { name: "output", value: "DIR", doc: "folder of the outputs, named after the model (default: .)" },
      {
        name: "quantize_large_weights",
        doc: "store the weights of convolutions and matrix products as uint8: a quarter of the file; operators stay float",
      },
      ...DEPLOY,
      {
        name: "check_passes",
        doc: "interpret the graph before and after every pass and name the pass that changes results",
      },
    ],
  },
  {
    name: "inspect",
    summary: "show what a model file holds",
    description: `Prints inputs, outputs, operators, parameters and multiply-adds of a canonical model (.pb with its .data) or of a framework's file (${PLATFORMS.slice(0, 4).join(", ")}). Of a file that cannot be imported it prints what the file says, and marks what is not supported (exit code 1).`,
    arguments: "<file>",
    options: [
      {
        name: "model_data",
        value: "FILE",
        doc: "constants of a canonical model (default: the file with the ending .data), or weights of a Caffe network",
      },
      INPUT_SHAPE,
      { name: "emit_config", doc: "print the model deployment file (YAML) to start from" },
      { name: "html", value: "FILE", doc: "draw the graph on a page of its own, to pan, search and click" },
      { name: "graph", doc: "print the whole graph as text" },
    ],
  },
  {
    name: "stat",
    summary: "run samples through a float model and collect activation statistics",
    description: "Writes a statistics file, or with --ranges the overall_range file, or both.",
    options: [
      ...MODEL,
      RUNNER("mace_stat"),
      ...SAMPLES,
      { name: "shard", value: "I/N", default: "0/1", doc: "take every N-th sample, starting with the I-th (from 0)" },
      { name: "output", value: "FILE", doc: "statistics file to write" },
      { name: "ranges", value: "FILE", doc: "overall_range file to write" },
      {
        name: "resume",
        doc: "continue a run that was interrupted (Ctrl-C): its finished samples are in the output's name and .partial",
      },
      {
        name: "strict",
        doc: "fail if a sample cannot be read, after all others are done and kept for --resume; otherwise it is named and left out",
      },
      ...RANGE_OPTIONS,
      THREADS,
    ],
  },
  {
    name: "stat-merge",
    summary: "add statistics files of one model together",
    description: "The result does not depend on how the samples were divided, nor on the order of the files.",
    arguments: "<files...>",
    options: [{ name: "output", value: "FILE", required: true, doc: "statistics file to write" }],
  },
  {
    name: "ranges",
    summary: "compute ranges from statistics",
    description: "Writes an overall_range file: a line tensor@@min,max per tensor. Runs no inference.",
    options: [
      { name: "statistics", value: "FILE", required: true, doc: "statistics file" },
      { name: "output", value: "FILE", required: true, doc: "overall_range file to write" },
      { name: "range_log", value: "FILE", doc: "write every sample's extremes there, in MACE's log format" },
      ...RANGE_OPTIONS,
    ],
  },
  {
    name: "quantize",
    summary: "quantize a float model to 8 bits",
    description: "Writes <prefix>.pb, <prefix>.data and the text form <prefix>.txt.",
    options: [
      ...MODEL,
      {
        name: "ranges",
        value: "FILE",
        repeat: true,
        doc: "overall_range file; not needed when the model carries every range (QAT). Of several, the last that names a tensor counts",
      },
      {
        name: "statistics",
        value: "FILE",
        doc: "statistics of the model; they let equalization and bias correction work",
      },
      {
        name: "no_equalization",
        doc: "do not move scales of channels between neighbouring layers",
      },
      {
        name: "no_bias_absorption",
        doc: "with a scale for all weights: leave in biases what all values of a channel exceed",
      },
      {
        name: "no_splitting",
        doc: "with a scale for all weights: do not compute groups of channels in layers of their own",
      },
      {
        name: "bias_correction",
        value: "NAME",
        choices: Object.keys(BIAS_CORRECTIONS),
        doc: `what biases make up for; default: what the configuration says, else ${DEFAULT_BIAS_CORRECTION}. ${Object.entries(
          BIAS_CORRECTIONS,
        )
          .map(([name, doc]) => `${name}: ${doc}`)
          .join("; ")}. empirical needs --runner and samples`,
      },
      {
        name: "weights",
        value: "NAME=per_tensor",
        repeat: true,
        doc: "with the scheme int8_per_channel: one scale for all weights of the node, or of those that a pattern with * selects; NAME=per_channel takes nodes out again",
      },
      {
        name: "change_concat_ranges",
        doc: "give all that a Concat joins one range, so that it copies codes; narrow inputs get the coarse steps of the widest",
      },
      {
        name: "scheme",
        value: "NAME",
        default: AUTO_SCHEME,
        choices: [AUTO_SCHEME, ...Object.keys(SCHEMES)],
        doc: [
          ...Object.values(SCHEMES).map((s) => `${s.name}: ${s.doc}`),
          `${AUTO_SCHEME}: the one that holds trained codes without loss, ${DEFAULT_SCHEME} for a model without any.`,
        ].join(" "),
      },
      {
        name: "runtime",
        value: "NAME",
        choices: [CPU, ...Object.keys(BACK_ENDS), PER_SUBGRAPH],
        doc: `device the model is quantized for: ${CPU}, or ${Object.entries(BACK_ENDS)
          .map(([name, { title }]) => `${name} (${title})`)
          .join(
            ", ",
          )}, which take the scheme uint8 and have no float operators; or ${PER_SUBGRAPH}: each subgraph by itself, for its own device; default: what the configuration says, else ${CPU}`,
      },
      {
        name: "subgraph_runtime",
        value: "NAME=DEVICE",
        repeat: true,
        doc: "device of a subgraph, stronger than the configuration; each subgraph is quantized by itself then",
      },
      {
        name: "keep_float",
        value: "NAME",
        repeat: true,
        doc: "node, or output of a node, that stays float; * stands for any characters",
      },
      {
        name: "range",
        value: "TENSOR=MIN,MAX",
        repeat: true,
        doc: "range of a tensor, stronger than what was trained or measured; * stands for any characters",
      },
      {
        name: "min_sqnr",
        value: "N",
        doc: "accuracy budget: dB that every output must reach; operators that cost most stay float until it is met",
      },
      {
        name: "max_drop",
        value: "N",
        doc: "accuracy budget: points of top-1 that may be lost; without labels, per cent of the samples that may change their class",
      },
      {
        name: "max_float",
        value: "PERCENT",
        default: "50",
        doc: "with a budget: share of the operators that may stay float for it. Exit code 3 when the budget is missed all the same; the best model is written",
      },
      {
        name: "accept_missed_budget",
        doc: "with a budget: a missed one is a warning and recorded in the model, which `mace explain` and `mace evaluate` tell; the build rule does so",
      },
      { ...RUNNER("mace_run"), required: false },
      ...SAMPLES,
      { name: "labels", value: "FILE", doc: "with a budget: lines `sample class`" },
      {
        name: "budget_samples",
        value: "N",
        default: "64",
        doc: "with a budget: number of samples to measure on, evenly spread over those given",
      },
      {
        name: "rounding",
        value: "NAME",
        default: "nearest",
        choices: ["nearest", "adaptive"],
        doc: "how weights become codes. nearest: each for itself. adaptive: up or down so that the outputs of the layer change least on samples, which takes minutes; needs --runner and samples",
      },
      {
        name: "rounding_samples",
        value: "N",
        default: "64",
        doc: "with --rounding adaptive or --bias_correction empirical: number of samples, evenly spread over those given",
      },
      {
        name: "rounding_list",
        value: "FILE",
        doc: "with --rounding adaptive or --bias_correction empirical: list of the samples for it, where others are for an accuracy budget",
      },
      {
        name: "search_cache",
        value: "DIR",
        doc: "with a budget: keep what was measured there, so that a search that was stopped goes on where it was",
      },
      THREADS,
      { name: "output_prefix", value: "PREFIX", doc: "path of the outputs without ending" },
      ...DEPLOY,
      {
        name: "reference_prefix",
        value: "PREFIX",
        doc: "write the float graph as it was quantized (equalized, split) there, for `mace evaluate`",
      },
    ],
  },
  {
    name: "lower",
    summary: "translate a quantized model for an accelerator",
    description:
      "Writes <prefix>.pb and <prefix>.data: the graphs that the device and, with a fallback, the CPU run one after the other. The model must be quantized with the same --runtime.",
    options: [
      ...MODEL,
      {
        name: "runtime",
        value: "NAME",
        required: true,
        choices: [...Object.keys(BACK_ENDS), PER_SUBGRAPH],
        doc: [
          ...Object.entries(BACK_ENDS).map(([name, { title }]) => `${name}: ${title}`),
          `${PER_SUBGRAPH}: each subgraph for the device that it was quantized for`,
        ].join("; "),
      },
      {
        name: "fallback",
        value: "NAME",
        default: "none",
        choices: ["none", "cpu"],
        doc: "what runs nodes that the device cannot: cpu, or none: they are errors",
      },
      {
        name: "apu_version",
        value: "N",
        choices: APU_VERSIONS.map(String),
        doc: `with --runtime apu, version of the APU in MACE's count: 1 Android 10 and before on mt67xx, 2 on others, 3 Android 11 but on mt689x and mt6877, 4 the rest; default: what the configuration says, else ${NEWEST_APU}`,
      },
      { name: "output_prefix", value: "PREFIX", required: true, doc: "where to write" },
      ...DEPLOY,
    ],
  },
  {
    name: "restore-names",
    summary: "put the network's names into what a device says of an obfuscated model",
    description:
      "Prints a text, such as a profile, with the names that obfuscated ones stand for; the text is a file, or comes on standard input.",
    arguments: "[file]",
    options: [{ name: "names", value: "FILE", required: true, doc: "the .names file written with the model" }],
  },
  {
    name: "check-library",
    summary: "check that a vendor's library is one for a processor",
    description:
      "Reads the ELF header: no library, one for another processor or another version of the DSP, and one that is cut short are errors.",
    options: [
      { name: "library", value: "FILE", required: true, doc: "the library" },
      {
        name: "processor",
        value: "NAME",
        required: true,
        doc: "ABI (arm64-v8a, arm64, armeabi-v7a, armhf, host) or version of the DSP (v60, v62, v65, v66, v68)",
      },
      { name: "output", value: "FILE", doc: "copy it there" },
    ],
  },
  {
    name: "explain",
    summary: "say why the tensors of a quantized model have their ranges",
    description: "Prints each tensor's range, where it came from and why; with --tensor everything known about one.",
    arguments: "<file>",
    options: [
      { name: "model_data", value: "FILE", doc: "its constants; default: the model file with the ending .data" },
      { name: "tensor", value: "NAME", doc: "tensor, or node, to tell all about" },
      { name: "statistics", value: "FILE", doc: "statistics of the float model: observed ranges, samples, clipping" },
    ],
  },
  {
    name: "evaluate",
    summary: "compare a quantized model with the float one on samples",
    description:
      "Prints signal-to-noise ratio and cosine of every layer and output, agreement, and with --labels top-1 and top-5. Exit code 3 when a limit is missed.",
    options: [
      ...MODEL,
      { name: "quantized", value: "FILE", required: true, doc: "the quantized model (.pb)" },
      { name: "quantized_data", value: "FILE", doc: "its constants; default: with the ending .data" },
      {
        name: "reference",
        value: "FILE",
        doc: "the float graph as it was quantized (`mace quantize --reference_prefix`), for comparing layers",
      },
      RUNNER("mace_run"),
      ...LOWERED,
      {
        name: "device_runner",
        value: "FILE",
        doc: "with --lowered: mace_run built with accelerators; default: the runner",
      },
      ...SAMPLES,
      { name: "labels", value: "FILE", doc: "lines `sample class`" },
      { name: "layer_samples", value: "N", default: "8", doc: "samples whose layers are compared" },
      { name: "min_sqnr", value: "N", doc: "dB that every output must reach" },
      {
        name: "max_drop",
        value: "N",
        doc: "points of top-1 that may be lost; without labels, per cent of the samples that may change their class",
      },
      { name: "output", value: "FILE", doc: "write everything as JSON" },
      { name: "quiet", doc: "print nothing" },
      THREADS,
    ],
  },
  {
    name: "validate",
    summary: "compare a model with the one in its training framework, layer by layer",
    description:
      "Compares the float model with the source (an ONNX file, which is run, or tensors recorded in the framework), and with --quantized the quantized model with the float one; prints cosine similarity and signal-to-noise ratio, and names the first layer that departs. Exit code 3 when an output is below its threshold.",
    options: [
      ...MODEL,
      {
        name: "source",
        value: "FILE",
        doc: "the ONNX model that was converted; needs onnxruntime-node, which `//tools:validate` brings along",
      },
      {
        name: "recorded",
        value: "PATH",
        doc: "tensors of the training framework: .npz, or a folder with a .npy or raw float32 file of each, or a folder of such, one a sample; used as samples too when they hold the inputs",
      },
      { name: "quantized", value: "FILE", doc: "the quantized model (.pb)" },
      { name: "quantized_data", value: "FILE", doc: "its constants; default: with the ending .data" },
      {
        name: "reference",
        value: "FILE",
        doc: "the float graph as it was quantized (`mace quantize --reference_prefix`), for comparing layers",
      },
      RUNNER("mace_run"),
      ...SAMPLES,
      {
        name: "threshold",
        value: "N",
        default: "0.999",
        doc: "cosine that each output of the float model must reach against the source",
      },
      {
        name: "quantized_threshold",
        value: "N",
        default: "0.98",
        doc: "cosine that each output of the quantized model must reach against the float one",
      },
      {
        name: "layers",
        value: "SLICE",
        default: ":",
        doc: "layers to print, as Python's slices: 0:10, ::2, 5, -2; -1 for none, : for all",
      },
      { name: "onnxruntime", value: "DIR", doc: "folder in which node_modules/onnxruntime-node is installed" },
      { name: "output", value: "FILE", doc: "write everything as JSON" },
      THREADS,
    ],
  },
  {
    name: "report",
    summary: "write a page about a quantized model",
    description:
      "Layers with their error, ranges with their reasons, histograms, weights, samples, the graph, and what to change. The page needs no network.",
    options: [
      ...MODEL,
      { name: "quantized", value: "FILE", required: true, doc: "the quantized model (.pb)" },
      { name: "quantized_data", value: "FILE", doc: "its constants; default: with the ending .data" },
      { name: "reference", value: "FILE", doc: "the float graph as it was quantized" },
      { name: "statistics", value: "FILE", doc: "statistics of the float model" },
      { name: "evaluation", value: "FILE", doc: "what `mace evaluate --output` wrote" },
      {
        name: "time",
        doc: "measure the time of both models on this machine and put it on the page, which differs from run to run then",
      },
      {
        name: "runner",
        value: "FILE",
        doc: "with --time: the mace_run program for this machine (//mace/bin:mace_run)",
      },
      { name: "output", value: "FILE", required: true, doc: "page to write" },
    ],
  },
  {
    name: "run",
    summary: "run a model on an image or tensor and print the top classes",
    description: "Images are preprocessed as the model's configuration says.",
    options: [
      ...MODEL,
      RUNNER("mace_run"),
      {
        name: "input",
        value: "FILE",
        repeat: true,
        required: true,
        doc: "image, .npy, .npz, .json or raw float32 file; one per input of the model",
      },
      ...LOWERED,
      { name: "labels", value: "FILE", doc: "class names, one a line" },
      { name: "top", value: "N", default: "5", doc: "number of classes to print" },
      { name: "round", value: "N", default: "1", doc: "timed runs" },
      { name: "benchmark", doc: "print the time of each operator" },
      { name: "output_dir", value: "DIR", doc: "write the outputs there as raw float32" },
      THREADS,
    ],
  },
];
