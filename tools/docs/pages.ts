/** The reference pages of docs/, made from the tables that the tools themselves use. */

import { type CommandSpec, COMMANDS, type OptionSpec } from "../cli/options";
import { MACE } from "../cli/main";
import { commandsOf, helpTexts } from "../cli/program";
import { MACE_FLAGS, type MaceFlag, PROGRAMS, SCRIPTS, type Script } from "../dropin/tables";
import * as catalog from "../diagnostics/catalog";
import { codesOfCatalog, codesOfHeader } from "./error-codes";
import { KEYS, type KeySpec } from "../config/keys";
import { OPTIMIZER_RULES } from "../config/optimizer-rules";
import { PRESETS } from "../config/preprocess";
import { CAFFE_LAYERS, LEFT_OUT, PASS_THROUGH } from "../importers/caffe/layer-table";
import { ONNX_OPERATORS } from "../importers/onnx/op-table";
import { MICROSOFT_OPERATORS } from "../importers/onnx/quantized-table";
import { TENSORFLOW_OPERATORS } from "../importers/tensorflow/op-table";
import { APU_VERSIONS, type ApuVersion, type Fit, FITS, type Resize, RESIZES } from "../ir/graph";
import { RESIZE_TOLERANCE } from "../image/resize";
import { type AttributeSpec, OPERATORS, type OperatorSpec } from "../ir/operators";
import { BACK_ENDS, backEndOf } from "../lower/back-ends";
import type { BackEnd } from "../lower/net";
import { SCHEMES } from "../quantize/scheme";

const row = (...cells: readonly string[]): string => `| ${cells.map((c) => c.replace(/\|/g, "\\|")).join(" | ")} |`;

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(...header), row(...header.map(() => "---")), ...rows.map((r) => row(...r)), ""].join("\n");
}

const GENERATED = "<!-- Made by `./bazelw run //docs:update`; edit the tables in tools/ instead. -->\n";

/** Values of a key that its row lists. */
const MOST_VALUES = 16;

/** Rows of the rules of MACE's converter that select passes. */
const RULE_PASSES = Object.entries(OPTIMIZER_RULES).flatMap(([rule, fate]) =>
  typeof fate === "string" ? [] : [[`\`${rule}\``, fate.map((pass) => `\`${pass}\``).join(", ")]],
);

const KINDS: Readonly<Record<KeySpec["kind"], string>> = {
  string: "string",
  flag: "0 or 1",
  int: "integer",
  strings: "string or list",
  shapes: "shape or list, as `1,224,224,3`",
  ranges: "range or list, as `-1.0,1.0`",
  enum: "one of the values",
  enums: "one of the values, or list",
  rangeMap: "map of names to ranges",
  enumMap: "map of names to one of the values",
  numbers: "map of names to numbers",
  nested: "map",
};

const RESIZE_DOCS: Readonly<Record<Resize, string>> = {
  bilinear:
    "centres of pixels on centres, no antialiasing: TensorFlow's half_pixel_centers, OpenCV's and torch's bilinear",
  "bilinear-antialias": "Pillow's BILINEAR, rounded to 8 bits after each axis: torchvision",
  "bilinear-align-corners": "corner pixels on corner pixels: TensorFlow 1 with align_corners",
  "bilinear-asymmetric": "TensorFlow 1 without options, and MACE's image_to_tensor",
  bicubic: "Pillow's BICUBIC, antialiased",
  area: "mean over the area of the pixel: TensorFlow's resize_area, OpenCV's INTER_AREA when shrinking",
};

const FIT_DOCS: Readonly<Record<Fit, string>> = {
  stretch: "the whole image, whatever its proportions",
  crop: "the centre, after the shorter side is scaled to `short_side` pixels (absent: just covering the input): torchvision",
  letterbox: "the whole image in its proportions, `pad` (0 to 255, default 0) around it",
};

function configPage(): string {
  const keys = (scope: KeySpec["scope"]): string =>
    table(
      ["key", "value", "meaning"],
      Object.entries(KEYS)
        .filter(([, spec]) => spec.scope === scope)
        .map(([key, spec]) => [
          `\`${key}\``,
          // Longer lists have a section of their own.
          spec.values && spec.values.length <= MOST_VALUES
            ? `${KINDS[spec.kind]}: ${spec.values.map((v) => (v === "" ? '`""`' : `\`${v}\``)).join(", ")}`
            : KINDS[spec.kind],
          spec.doc +
            (spec.effect === "kept"
              ? " *Accepted; no effect here.*"
              : spec.effect === "dead"
                ? " *Has no effect.*"
                : ""),
        ]),
    );
  const presets = table(
    ["preset", "color", "value = (pixel - mean) * scale", "resize"],
    Object.entries(PRESETS).map(([name, p]) => [
      `\`${name}\``,
      p.color,
      `mean ${p.mean.join(", ")}; scale ${p.scale.map((s) => (s === 1 ? "1" : `1/${Number((1 / s).toPrecision(6))}`)).join(", ")}`,
      p.resize,
    ]),
  );
  const resizes = table(
    ["resize", "meaning", "of 0 to 255, at most"],
    RESIZES.map((name) => {
      const { program, tolerance } = RESIZE_TOLERANCE[name];
      return [`\`${name}\``, RESIZE_DOCS[name], `${tolerance} from ${program}'s`];
    }),
  );
  const fits = table(
    ["fit", "meaning"],
    FITS.map((name) => [`\`${name}\``, FIT_DOCS[name]]),
  );
  const OWN_KEYS = Object.entries(KEYS)
    .filter(([, spec]) => spec.own)
    .map(([key]) => `\`${key}\``)
    .join(", ");
  const rules = (fate: "always" | "none"): string =>
    Object.keys(OPTIMIZER_RULES)
      .filter((rule) => OPTIMIZER_RULES[rule] === fate)
      .map((rule) => `\`${rule}\``)
      .join(", ");
  return `# Model deployment file

${GENERATED}
The YAML of MACE, read strictly: an unknown key, a wrong type or a wrong count is an error with its line and column. \`\${NAME}\` in a value
is replaced by the environment variable. Keys of a model are defaults for its subgraph, whose own keys win.

## At the top

${keys("top")}
## In a model, or its subgraph

${keys("model")}
## Several subgraphs

Subgraphs of a map are imported, each from its own file, and joined to one model, in the order of \`order\`: an input that has the name of an earlier
subgraph's output is that tensor, in shape and layout, and the other inputs are the model's; one that several subgraphs read is one input, and what
one of them says of it (range, alias, preprocessing) holds for all. Outputs of the model are those that no later subgraph reads, or
those of \`output_tensors\` beside \`subgraphs\`; \`check_tensors\` of a subgraph take the place of its outputs. Where two have an inner tensor or a node of
the same name, the later one's is \`<subgraph>/<name>\`. The outputs of a subgraph that anything reads are tensors of the model, under their names: no pass
removes them.

Subgraphs may differ in ${OWN_KEYS}; the other keys that are no subgraph's own must be the same in all (MQ116). Where they do not differ, they are
quantized and run as one graph. Where they do, each is quantized by itself: with its own scheme (for \`dsp\` and \`apu\` always
\`uint8\`, on the CPU what \`scheme\` says), its own exceptions, or not at all: a subgraph without \`quantize: 1\`, beside others with it, stays float,
on the CPU. What passes from one to the next is real numbers, on the grid of the same range on both sides. Equalization moves no channels of
such tensors, and what is measured on the quantized whole (accuracy budget, adaptive rounding, empirical bias correction) is refused.

\`\`\`yaml
subgraphs:
  body:
    order: 0
    runtime: dsp
    …
  head:
    order: 1
    runtime: cpu
    …
\`\`\`

\`mace quantize\` without \`--runtime\` follows the configuration; on a \`mace_quantized_model\` \`runtime = "per_subgraph"\` does, and \`subgraph_runtimes\` is
stronger ([accelerators.md](accelerators.md)).

## Obfuscation

With \`obfuscate: 1\` the file for devices (\`<name>.<abi>.pb\` of the rules, \`<prefix>.obfuscated.pb\` of the commands) is the model without the names of its inner
tensors, constants and operators: they are the first eight digits of the MD5 of a word for the kind and the name, as in MACE, all digits where two would
be the same. Inputs and outputs keep their names, and the constants are the same file. Reasons, origins and settings, which hold names, are left out too.
All other files keep the names, so statistics, ranges and reports are not concerned; tools that go by names refuse the file (MQ531, MR223).
\`<prefix>.obfuscated.names\` (output group \`names\`) says what stands for what: keep it, and read a profile or an error of a device with it:

\`\`\`sh
mace restore-names --names net.obfuscated.names profile.txt
\`\`\`

## Rules of MACE's converter

A list of \`graph_optimize_options\` leaves out the passes whose rules it does not name. The others run whatever it says: import and runtime rely on them,
or MACE has no rule for them. ${rules("always")} are done in any case; ${rules("none")} stand for
no pass here, which a note says.

${table(["rule", "pass"], RULE_PASSES)}
## Preprocessing

\`preprocess\` is a preset's name, or a map with \`preset\` and any of \`color\` (RGB, BGR, GRAY), \`mean\`, \`scale\` (one number or one per
channel, in the order of \`color\`; pixels are 0 to 255), \`std\` (1 / scale, in its place), \`resize\`, \`fit\`, \`short_side\` and \`pad\`. The steps, in this
order: decode, turn upright (EXIF), convert to 8 bits, resize and fit, order the channels, subtract the mean, multiply by the scale. Without the key,
images are taken as \`tf-inception\`. It is stored in the model, so statistics, evaluation, \`image_to_tensor --model\` and runs use the same, and so does the device: \`mace_run --input_type=uint8\` and
\`MaceEngine::FillFromPixels\` take RGB or gray pixels of the input's size and do the rest. Transparent pixels are laid on black.

${presets}
${resizes}
${fits}`;
}

function cliPage(): string {
  const option = (spec: OptionSpec): readonly string[] => [
    `\`--${spec.name}${spec.value ? ` ${spec.value}` : ""}\``,
    [spec.doc, spec.choices ? `One of ${spec.choices.join(", ")}.` : "", spec.repeat ? "May be repeated." : ""]
      .filter((s) => s !== "")
      .join(" "),
    spec.required ? "required" : (spec.default ?? ""),
  ];
  const section =
    (level: string) =>
    (command: CommandSpec): string =>
      `${level} ${command.name}${command.arguments ? ` ${command.arguments}` : ""}\n\n${command.summary[0]?.toUpperCase()}${command.summary.slice(1)}. ${command.description}\n\n` +
      table(["option", "meaning", "default"], command.options.map(option));
  const scripts = PROGRAMS.flatMap((program) => {
    const commands = commandsOf(program);
    return commands.length === 1
      ? commands.map(section("##"))
      : [`## ${program.name}\n\n${program.description}\n`, ...commands.map(section("###"))];
  });
  return `# Command line

${GENERATED}
\`./bazelw run //tools:mace -- COMMAND …\` does by hand what the rules do. Relative paths start where you stand. Standard output is for data that was
asked for; all else goes to standard error. Exit codes: 0 ok, 1 user error, 2 usage, 3 check failed, 70 internal,
130 and 143 interrupted (SIGINT, SIGTERM).

${COMMANDS.map(section("##")).join("\n")}
# In place of MACE's scripts

\`./bazelw run //tools:converter -- …\`, \`//tools/image:image_to_tensor\`, \`//tools/image:tensor_to_image\` and \`//tools/quantize:quantize_stat\`
have the flags and file formats of MACE's scripts of these names. See [tutorial.md](tutorial.md).

${scripts.join("\n")}`;
}

/** What became of every flag of MACE's scripts. */
function maceFlagsPage(): string {
  const fate = ({ fate: what, why = "", remedy = "" }: MaceFlag): string =>
    what === "works" ? "works" : what === "noted" ? `accepted, no effect: ${why}` : `refused: ${why}; ${remedy}`;
  const sections = (Object.entries(SCRIPTS) as [Script, string][]).map(([script, ours]) => {
    const flags = MACE_FLAGS.filter(({ of }) => of.includes(script));
    return `## ${script}\n\nHere \`${ours}\`.\n\n${table(
      ["flag", "here"],
      flags.map((flag) => [`\`--${flag.name}\``, fate(flag)]),
    )}`;
  });
  return `# Flags of MACE's scripts

${GENERATED}
Every flag works with MACE's meaning, or is accepted with a note that says why it changes nothing, or is an error that says why and what to do
instead. A flag that is in neither list is an error that names the nearest one. Options that MACE does not have are in [cli.md](cli.md).

${sections.join("\n")}`;
}

/** What --help prints, word for word: a change of it is seen in review. */
function helpPage(): string {
  const texts = [MACE, ...PROGRAMS].flatMap((program) => [...helpTexts(program)]);
  const sections = texts.map(([name, text]) => `## ${name}\n\n\`\`\`text\n${text.trimEnd()}\n\`\`\`\n`);
  return `# Help texts\n\n${GENERATED}\n${sections.join("\n")}`;
}

function attributeText(name: string, spec: AttributeSpec): string {
  const standard = spec.default === undefined ? "required" : `default ${JSON.stringify(spec.default)}`;
  return `\`${name}\` (${spec.kind}, ${standard}): ${spec.doc}`;
}

function operatorsPage(): string {
  const yes = (has: boolean): string => (has ? "yes" : "–");
  const support = table(
    ["operator", "float32", "uint8", "int8", "fuses ReLU"],
    Object.entries(OPERATORS).map(([type, spec]) => [
      `[${type}](#${type.toLowerCase()})`,
      yes(spec.kernels.float32),
      yes(spec.kernels.uint8),
      yes(spec.kernels.int8),
      yes(spec.fusesActivation === true),
    ]),
  );
  const section = ([type, spec]: [string, OperatorSpec]): string => {
    const inputs = spec.inputs.map(
      (i) => `${i.name} (${i.role}${i.optional ? ", optional" : ""}${i.variadic ? ", repeated" : ""})`,
    );
    const attributes = Object.entries(spec.attributes).map(([name, a]) => `- ${attributeText(name, a)}`);
    return [`## ${type}`, "", spec.summary, "", `Inputs: ${inputs.join(", ")}.`, "", ...attributes, ""].join("\n");
  };
  const schemes = table(
    ["scheme", "meaning"],
    Object.values(SCHEMES).map((s) => [`\`${s.name}\``, s.doc]),
  );
  const list = (names: Readonly<Record<string, unknown>>): string => `${Object.keys(names).sort().join(", ")}.`;
  return `# Operators

${GENERATED}
The canonical operators. Layout is NHWC. Where an element type has no kernel, the operator runs in float between conversions, and
\`mace quantize\` says so.

${support}
Eltwise has integer kernels for sum, difference, product, minimum and maximum; Reduce for mean, minimum, maximum and sum; Activation for all functions;
Softmax for all but its logarithm.

## What is imported

TensorFlow: ${list(TENSORFLOW_OPERATORS)}

ONNX (opsets 6 to 25): ${list(ONNX_OPERATORS)}

ONNX Runtime (domain com.microsoft): ${list(MICROSOFT_OPERATORS)}

Caffe (layers of both versions, as they run in the phase TEST): ${[...Object.keys(CAFFE_LAYERS), ...PASS_THROUGH, "Input"].sort().join(", ")}.
Data layers become inputs, whose shapes the configuration gives. A network ends before ${[...LEFT_OUT].join(", ")}.

Some of these are for shape arithmetic and work on constants only. Filters, biases and the parameters of normalizations must be constant; images
have two spatial dimensions.

## Schemes

${schemes}
${Object.entries(OPERATORS).map(section).join("\n")}`;
}

const OLD_APUS =
  "the folder third_party/apu of MACE's public repository, under MediaTek's licence, or /vendor/lib64 of the device";

/** As in bazel/private/vendor_libraries.bzl. */
const DEVICE_LIBRARIES: readonly (readonly string[])[] = [
  ["`dsp`", "`libhexagon_controller.so`", "ABI", "nnlib of Qualcomm's Hexagon SDK"],
  ["`dsp`", "`libhexagon_nn_skel.so`", "DSP version: v60, v62, v65, v66, v68", "nnlib of Qualcomm's Hexagon SDK"],
  [
    "`apu` of version 4",
    "`libneuron_adapter.so`",
    "ABI (arm64-v8a)",
    "MediaTek's NeuroPilot SDK, or /vendor/lib64 of the device",
  ],
  ["`apu` of versions 1 to 3", "`libapu-frontend.so`, `libapu-platform.so`", "SoC: mt67xx, mt68xx, mt6779 …", OLD_APUS],
  [
    "`apu` of version 3",
    "`libapu-apuwareutils.mtk.so`, `libapu-apuwarexrp.mtk.so` and, but for mt6785, `libapu-apuwareapusys.mtk.so`",
    "SoC",
    OLD_APUS,
  ],
];

/** Operator × back end × scheme: what runs where, from the tables that decide it. */
function acceleratorsPage(): string {
  const yes = (has: boolean | undefined): string => (has ? "yes" : "–");
  // Of a device with versions, a column for those that have the same operators.
  const ends = Object.values(BACK_ENDS).flatMap(({ runtime, title }): [string, BackEnd["operators"]][] => {
    const groups = new Map<string, ApuVersion[]>();
    for (const version of APU_VERSIONS) {
      const key = JSON.stringify(backEndOf(runtime, version)?.operators);
      groups.set(key, [...(groups.get(key) ?? []), version]);
    }
    const column = `${title} (\`${runtime}\`)`;
    return [...groups].map(([key, versions]) => {
      const all = versions.length === APU_VERSIONS.length;
      const of = `, version${versions.length > 1 ? "s" : ""} ${versions.join(" and ")}`;
      return [`${column}${all ? "" : of} \`uint8\``, JSON.parse(key)];
    });
  });
  const capabilities = table(
    ["operator", "CPU float32", "CPU `int8_per_channel`", "CPU `uint8`", ...ends.map(([column]) => column)],
    Object.entries(OPERATORS)
      .filter(([type]) => type !== "Quantize" && type !== "Dequantize")
      .map(([type, { kernels }]) => [
        type,
        yes(kernels.float32),
        yes(kernels.int8),
        yes(kernels.uint8),
        ...ends.map(([, operators]) => {
          const condition = operators[type];
          return condition === undefined ? "–" : condition === "" ? "yes" : condition;
        }),
      ]),
  );
  return `# Accelerators

${GENERATED}
\`runtime = "dsp"\` on a \`mace_quantized_model\` makes a model for Qualcomm's Hexagon DSP (nnlib), \`runtime = "apu"\` one for MediaTek's APU
(Neuron adapter, or ApuFrontend of older ones). The model is quantized with the scheme \`uint8\`, with equalization and bias correction, and then
translated: \`<name>.dsp.pb\` or \`<name>.apu.pb\` with its \`.data\` is what the device's runtime is given. What the device cannot run is an error that names the node, the rule
it breaks and the ways out; with \`fallback = "cpu"\` the CPU runs such nodes between graphs of the device.

A model of several subgraphs may have a device for each: \`runtime = "per_subgraph"\` takes them from the configuration or from
\`subgraph_runtimes = {"body": "dsp", "head": "cpu"}\`, and the model file has a graph for each subgraph, or several with a fallback
([config.md](config.md#several-subgraphs)). A model for two kinds of accelerators takes a library for each: \`--accelerator_library dsp=FILE\`.

\`\`\`python
mace_quantized_model(
    name = "net_dsp",
    fallback = "cpu",
    model = ":net",
    ranges = ":net_ranges",
    runtime = "dsp",
)
\`\`\`

\`bazel run\` of such a target, and \`mace_quantize_test\`, run the translated model on this machine: a simulator with the C interface of the vendor's
library stands for the device. On a device, \`mace_run\` and applications load the vendor's library at run time (\`--accelerator_library\`,
\`MaceEngineConfig::SetAcceleratorLibrary\`). That takes a dynamically linked program, for Android one built with an NDK; applications link
\`//mace/public:mace_with_accelerators\`.

**Never run on silicon.** Translation, the runtime's calls and the arithmetic are tested against the simulators only, which follow
the published interfaces and integer semantics. Expect surprises of drivers and firmware on the first device, and compare outputs there:
\`mace evaluate --lowered\`.

## Onto a device

The vendors' libraries may not be redistributed, and none is here. Say where yours are, in WORKSPACE before \`mace_repositories()\`, or with the
environment variables HEXAGON_NN_SDK and APU_SDK:

\`\`\`python
load("//bazel:repositories.bzl", "hexagon_nn_repository", "mace_repositories")

hexagon_nn_repository(
    name = "hexagon_nn",
    files = {"v66/libhexagon_nn_skel.so": "libs/hexagon_nn/v66/libhexagon_nn_skel.so"},
    path = "/opt/hexagon_sdk",
)
\`\`\`

or \`url\` and \`sha256\` of an archive on a server of your own. A library is looked for as \`<ABI, DSP version or SoC>/<file>\`, and where \`files\` says.
With \`device_libraries = "@hexagon_nn//:libraries"\` and \`device = "v66"\` on the model,

\`\`\`sh
bazel build --output_groups=device //models:net_dsp
\`\`\`

gives what goes on the device: for each ABI the program and the model, and the vendor's libraries, of which is checked that they are for that ABI and
that version of the DSP. What is missing is named, with where it comes from; everything else of the target builds without it. A repository has the libraries
of one version of the APU: those of several versions have the same names.

${table(["`runtime`", "library", "one for each", "comes with"], DEVICE_LIBRARIES)}
### Hexagon DSPs

The skeleton, \`libhexagon_nn_skel.so\`, goes to \`/system/vendor/lib/rfsa/adsp/\`, or to a folder that \`ADSP_LIBRARY_PATH\` names. A DSP runs signed code
only. From SM8150 on a process may ask for an unsigned protection domain instead: \`MaceEngineConfig::SetHexagonToUnsignedPD()\` before the engine is
made, \`--hexagon_unsigned_pd\` of \`mace_run\`; some firmware refuses it (MR516). Before SM8150 the device must be rooted and signed with the Hexagon SDK's
\`testsig\`, which takes one whose secure boot is off: \`adb shell getprop ro.boot.secureboot\` prints 0. A skeleton that is not found is MR519, one that
is not signed MR520, a library of another version MR515, too little memory MR513.

\`SetHexagonPower(corner, dcvs, latency)\` and \`--hexagon_power\` set clocks while a model is loaded; \`mace_run --benchmark\` prints what each node costs.

### MediaTek APUs

MACE counts versions of the APU, by the system and the SoC. \`apu_version\` on the target, \`--apu_version\` of \`mace lower\` or
\`apu_version_with_no_device\` in the configuration says which one a model is for; by default 4. All are arm64 only.

| version | devices | library |
| --- | --- | --- |
| 1 | Android 10 and before, mt67xx | \`libapu-frontend.so\` |
| 2 | Android 10 and before, others | \`libapu-frontend.so\` with another form of the class |
| 3 | Android 11, but mt689x and mt6877 | the same form |
| 4 | Android 11 on mt689x and mt6877, and from Android 12 on | Neuron adapter |

The runtime finds out from a library's symbols which interface it has. \`libapu-frontend.so\` exports a C++ class, ApuFrontend, which is described by what
MACE's public repository shows of it: its headers, how MACE calls it and which functions the libraries there export. Like the rest, this has run against
simulators only, never against a vendor's library; what MACE's code does not show, such as when a library may let go of constants, is done the cautious way.

Nets are of one form, and say the version that they are for. A library of an older one does not take them (MR549); that of a newer one does. Older versions have fewer operators (see below). Of version 2, SoCs differ: the library of mt6853, mt6873 and mt6885 has what is said below,
the one for all others in MACE's repository what version 1 has. There \`InitGraph\` fails (MR550), and a model for version 1 is the way out.
A depthwise filter with several channels for each is laid out as MACE lays it out.

With the Neuron adapter, inputs and outputs are in memory that the device shares where driver and kernel allow it. \`SetAcceleratorCache\` and
\`--accelerator_cache_policy\` keep compiled networks: 0 no, 1 store, 2 load, 3 load or else compile and store; with a fallback, each of a model's
networks has a file of its own (\`FILE\`, \`FILE.1\` …). A file of another model, another preference or another version of the library is not taken (MR548).
Libraries of versions 2 and 3 write and read these files themselves, so \`FILE.key\` beside a file says which model it is of and that it is whole: it goes
along with it. Version 1 cannot keep networks, and a policy other than 0 is an error (MR547). Boost hints and preferences are the Neuron adapter's; older
libraries have none, and they have no effect there.

## What runs where

"Between codes" is what the CPU has for float32 alone: it goes to the device where what it reads comes from codes and what it gives becomes codes again, and
to the CPU otherwise. Eight bits suit quotients and normalizations (43 dB or more on uniform random values) and reciprocals of values that are about the same size
(43 dB for 1 : 8); where some divisor is 200 times smaller than others, reciprocals of the others have a few steps only (26 dB). \`mace evaluate --lowered\` and
\`mace_quantize_test\` tell for a network.

${capabilities}`;
}

/** Where the runtime's diagnostics are. */
export const HEADER = "mace/base/diagnostics.h";

/** Hundreds of the codes to what they are about, of both halves. */
const DOMAINS: Readonly<Record<string, string>> = {
  MQ1: "The model deployment file",
  MQ2: "Import",
  MQ3: "Statistics and ranges",
  MQ4: "Quantization",
  MQ5: "Files, images and command lines",
  MQ6: "Lowering to devices",
  MR1: "Flags of the C++ programs",
  MR2: "Model files at run time",
  MR3: "Data and sample streams",
  MR4: "Running",
  MR5: "Accelerators",
};

/** @param header the text of mace/base/diagnostics.h. */
function errorsPage(header: string): string {
  const codes = [...codesOfCatalog(catalog), ...codesOfHeader(header)];
  const domains = [...new Set(codes.map(({ code }) => code.slice(0, 3)))];
  const sections = domains.map((domain) => {
    const rows = codes
      .filter(({ code }) => code.startsWith(domain))
      .map(({ code, message, cause, fixes }) => [code, message, cause === "" ? "–" : cause, fixes.join("; ")]);
    return `## ${DOMAINS[domain] ?? domain}\n\n${table(["code", "message", "cause", "what to do"], rows)}`;
  });
  return `# Error codes

${GENERATED}
Codes never change their meaning. MQ are the tools', MR the C++ programs' and library's (there \`Status\` has the number alone). Words in CAPITALS
stand for what a message tells of the case at hand. Where there is no cause, the message says it all.

${sections.join("\n")}`;
}

/**
 * File name below docs/ to its text.
 *
 * @param header the text of mace/base/diagnostics.h.
 */
export function pages(header: string): ReadonlyMap<string, string> {
  return new Map([
    ["accelerators.md", acceleratorsPage()],
    ["cli.md", cliPage()],
    ["config.md", configPage()],
    ["errors.md", errorsPage(header)],
    ["help.md", helpPage()],
    ["mace-flags.md", maceFlagsPage()],
    ["operators.md", operatorsPage()],
  ]);
}
