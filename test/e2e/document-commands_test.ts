/**
 * The commands of the documentation, as they are printed: every fenced `sh` block of a page is run line by line in a folder where the
 * files exist that the page supposes, with a small network in the place of those that the pages name.
 */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { encodeImage } from "../../tools/image/encode";
import { model, node, tensor } from "../../tools/importers/testing/onnx-builder";
import { AttrValue, DataType } from "../../tools/schema/tensorflow";
import { GraphDefBuilder, typeAttribute } from "../../tools/synth/graph-def-builder";
import { Random } from "../../tools/synth/random";
import { commandsOf, PROGRAMS, runCommand } from "./documentation";

const root = fs.mkdtempSync(path.join(os.tmpdir(), "mace-commands-"));
after(() => fs.rmSync(root, { recursive: true }));

const SIDE = 299;
const FLOAT = typeAttribute(DataType.DT_FLOAT);

/** Two convolutions, a mean and a softmax; `trained` tells which activations carry a range from training. */
function network(trained: readonly string[]): Uint8Array {
  const random = new Random("commands");
  const values = (count: number, size: number) => Float32Array.from({ length: count }, () => random.normal() * size);
  const builder = new GraphDefBuilder();
  const strides = AttrValue.fromPartial({ list: { i: [1, 16, 16, 1] } });
  const padding = { s: new TextEncoder().encode("SAME") };
  const trainedRange = (name: string, low: number, high: number): string => {
    if (!trained.includes(name)) return name;
    builder.constant(`${name}/min`, [], Float32Array.of(low));
    builder.constant(`${name}/max`, [], Float32Array.of(high));
    return builder.node("FakeQuantWithMinMaxVars", `${name}/trained`, [name, `${name}/min`, `${name}/max`]);
  };
  builder.placeholder("input", [1, SIDE, SIDE, 3]);
  builder.constant("w1", [3, 3, 3, 8], values(216, 0.3));
  builder.constant("w2", [3, 3, 8, 6], values(432, 0.1));
  builder.constant("b2", [6], Float32Array.of(4, 0, 0, 0.5, 0, 1));
  builder.constant("axes", [2], Int32Array.of(1, 2));
  builder.node("Conv2D", "conv1", [trainedRange("input", -1, 1), "w1"], { T: FLOAT, strides, padding });
  builder.node("Relu6", "relu1", ["conv1"], { T: FLOAT });
  builder.node("Conv2D", "conv2", [trainedRange("relu1", 0, 6), "w2"], { T: FLOAT, strides, padding });
  builder.node("BiasAdd", "bias2", ["conv2", "b2"], { T: FLOAT });
  builder.node("Relu", "relu2", ["bias2"], { T: FLOAT });
  builder.node("Mean", "mean", [trainedRange("relu2", 0, 8), "axes"], { T: FLOAT });
  builder.node("Softmax", "output", [trainedRange("mean", 0, 8)], { T: FLOAT });
  return builder.encode();
}

const yaml = (
  more: string,
  { config, file } = NET,
): string => `library_name: ${path.basename(config, ".yml").replace("_", "-")}
models:
  ${path.basename(config, ".yml")}:
    platform: tensorflow
    model_file_path: ${file}
    runtime: cpu
${more}    subgraphs:
      - input_tensors: input
        input_shapes: 1,${SIDE},${SIDE},3
        input_ranges: -1.0,1.0
        output_tensors: output
        output_shapes: 1,6
`;

const IMAGES = 3;

/** A deployment file of the pages, and the network's file that it names. */
interface Names {
  readonly config: string;
  readonly file: string;
}
const NET: Names = { config: "net.yml", file: "frozen.pb" };
const INCEPTION: Names = { config: "inception_v3.yml", file: "inception_v3.pb" };

/** A folder as the pages suppose it: a network, its deployment file, sample images with labels, and the built programs. */
async function folderWith(name: string, trained: readonly string[], names = NET): Promise<string> {
  const folder = path.join(root, name);
  const at = (file: string): string => path.join(folder, file);
  fs.mkdirSync(at("samples"), { recursive: true });
  fs.mkdirSync(at("bazel-bin"));
  fs.symlinkSync(path.resolve("mace"), at("bazel-bin/mace"));
  fs.writeFileSync(at(names.config), yaml("", names));
  fs.writeFileSync(at(names.file), network(trained));
  const random = new Random("images of commands");
  const labels: string[] = [];
  for (let i = 0; i < IMAGES; i++) {
    const data = Uint8Array.from(
      { length: SIDE * SIDE * 3 },
      (_, at) => (random.next() & 0x3f) + ((at * (i + 1)) >> 11),
    );
    fs.writeFileSync(
      at(`samples/${i}.jpg`),
      await encodeImage({ width: SIDE, height: SIDE, channels: 3, data }, "jpg"),
    );
    labels.push(`${i}.jpg 0\n`);
  }
  fs.writeFileSync(at("labels.txt"), labels.join(""));
  return folder;
}

/** Runs a page's commands in turn; the steps in words are done in between. */
function runPage(page: string, folder: string, expected: number, names = NET): void {
  const commands = commandsOf(page);
  assert.equal(commands.length, expected, `docs/${page} has other commands than this test expects`);
  for (const command of commands) {
    const last = command.endsWith(`//tools:converter -- convert --config ${names.config}`);
    // "Add `quantize: 1` and `quantize_range_file: overall_range` to the model", which mace's own commands leave alone.
    const keys = last ? "    quantize: 1\n    quantize_range_file: overall_range\n" : "";
    if (last || command.includes("//tools:mace -- convert"))
      fs.writeFileSync(path.join(folder, names.config), yaml(keys, names));
    const fault = runCommand(command, folder);
    assert.equal(fault, undefined, `docs/${page}: ${command}\n${fault}`);
  }
}

test("the commands of docs/tutorial.md", async () => {
  runPage("tutorial.md", await folderWith("tutorial", [], INCEPTION), 14, INCEPTION);
});

test("the targets of docs/tutorial.md are those of models/BUILD.bazel", () => {
  const [, snippet = ""] = /```python\n([\s\S]*?)```/.exec(fs.readFileSync("docs/tutorial.md", "utf8")) ?? [];
  const build = fs.readFileSync("models/BUILD.bazel", "utf8");
  const [load = "", ...targets] = snippet.trim().split(/\n\n/);
  assert.equal(targets.length, 3);
  for (const target of targets) assert.ok(build.includes(`\n${target}\n`), `not in models/BUILD.bazel:\n${target}`);
  const [, symbols = ""] = /^load\("\/\/bazel:defs.bzl", (.*)\)$/.exec(load) ?? [];
  for (const target of targets) assert.ok(symbols.includes(`"${target.split("(")[0]}"`), load);
});

test("the labels of the pages are targets, of the programs that are run here", () => {
  for (const [label, [module]] of Object.entries(PROGRAMS)) {
    const name = label.replace(/^.*:/, "");
    const actual = fs.readFileSync(`test/e2e/label_${name}`, "utf8").trim();
    // //tools/dropin:quantize_stat runs dropin/quantize-stat; those of tools/cli all run its main.
    const [, folder, target = ""] = /^\/\/tools\/(\w+):(\w+)$/.exec(actual) ?? [];
    assert.equal(`${folder}/${folder === "cli" ? "main" : target.replaceAll("_", "-")}`, module, label);
  }
});

test("the commands of docs/mixing.md", async () => {
  const folder = await folderWith("mixing", ["relu1"]);
  fs.mkdirSync(path.join(folder, "tensors"));
  const images =
    "./bazelw run //tools/image:image_to_tensor -- --input samples --output_dir tensors --image_shape=299,299,3 --prefix input";
  assert.equal(runCommand(images, folder), undefined);
  runPage("mixing.md", folder, 3);
  const [first = ""] = fs.readFileSync(path.join(folder, "overall_range"), "utf8").split("\n");
  assert.match(first, /^input@@/);
});

test("the commands of docs/qat.md", async () => {
  const folder = await folderWith("qat", ["input", "relu1", "relu2", "mean"]);
  runPage("qat.md", folder, 2);
  assert.ok(fs.existsSync(path.join(folder, "net_quant.data")));
});

test("the commands of docs/validate.md", async () => {
  const folder = await folderWith("validate", []);
  const random = new Random("onnx of commands");
  const weights = Float32Array.from({ length: 5 * 3 * 9 }, () => random.normal());
  const pads = { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [32, 32] };
  const onnx = model({
    inputs: { input: [1, 3, SIDE, SIDE] },
    outputs: ["output"],
    initializers: [tensor("w", [5, 3, 3, 3], weights)],
    nodes: [node("Conv", ["input", "w"], ["c"], pads), node("Relu", ["c"], ["output"])],
  });
  fs.writeFileSync(path.join(folder, "net.onnx"), onnx);
  const prepare = [
    "convert net.onnx --output_prefix net",
    "stat --model net.pb --runner bazel-bin/mace/bin/mace_stat --input_dir samples --ranges net.ranges",
    "quantize --model net.pb --ranges net.ranges --output_prefix net_quant",
  ];
  for (const command of prepare) assert.equal(runCommand(`./bazelw run //tools:mace -- ${command}`, folder), undefined);
  // A recording of zeros: no convolution has a bias.
  fs.mkdirSync(path.join(folder, "recorded"));
  fs.writeFileSync(path.join(folder, "recorded/input.dat"), new Uint8Array(4 * 3 * SIDE * SIDE));
  fs.writeFileSync(path.join(folder, "recorded/output.dat"), new Uint8Array(4 * 5 * 10 * 10));
  runPage("validate.md", folder, 3);
});

test("a command that does not work is found", async () => {
  const folder = await folderWith("faults", []);
  assert.match(
    runCommand("./bazelw run //tools:mace -- convert --confg net.yml", folder) ?? "",
    /exit code 2[\s\S]*--config/,
  );
  assert.match(runCommand("./bazelw run //tools:nothing -- x", folder) ?? "", /no program/);
  assert.match(runCommand("pip install x", folder) ?? "", /no program of this repository/);
});
