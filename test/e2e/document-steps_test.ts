/** The steps of MACE's quantization document, command by command, against the commands of `mace` on the same samples. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { main as mace } from "../../tools/cli/main";
import { main as converter } from "../../tools/dropin/converter";
import { main as imageToTensor } from "../../tools/dropin/image-to-tensor";
import { main as quantizeStat } from "../../tools/dropin/quantize-stat";
import { main as tensorToImage } from "../../tools/dropin/tensor-to-image";
import { encodeImage } from "../../tools/image/encode";
import { GraphDef } from "../../tools/schema/tensorflow";
import { parseOverallRange } from "../../tools/statistics/overall-range";
import { Random } from "../../tools/synth/random";
import { dataFile } from "../data/data";
import { call, succeed } from "./call";
import { network, SIDE, yaml } from "./tiny-network";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-document-"));
const at = (name: string): string => path.join(folder, name);
after(() => fs.rmSync(folder, { recursive: true }));

const IMAGES = 8;

const program = (module: string): string => require.resolve(`../../tools/${module}`);

/** The standard output of a program that must succeed, in a process of its own. */
function start(module: string, ...args: readonly string[]): string {
  const flags = process.execArgv.filter((flag) => flag !== "--test");
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, program(module), ...args], {
    encoding: "utf8",
    env: { ...process.env, NODE_TEST_CONTEXT: "" },
  });
  assert.equal(status, 0, stderr);
  return stdout;
}

before(async () => {
  fs.writeFileSync(at("net.pb"), network());
  fs.writeFileSync(at("tiny.yml"), yaml(""));
  fs.mkdirSync(at("images"));
  const random = new Random("document images");
  for (let i = 0; i < IMAGES; i++) {
    const [width, height] = [20 + i, 31 - i];
    const data = Uint8Array.from({ length: width * height * 3 }, () => random.next() & 0xff);
    fs.writeFileSync(at(`images/${i}.png`), await encodeImage({ width, height, channels: 3, data }, "png"));
  }
});

const OUTPUT = ["--output", at("build")];
const MODEL = at("build/tiny/model/tiny_net");

test("the four steps give the bytes of convert, stat and quantize", async () => {
  // Step 1
  start("dropin/converter", "convert", "--config", at("tiny.yml"), "--quantize_stat", ...OUTPUT);
  // Step 2
  const shape = `--image_shape=${SIDE},${SIDE},3`;
  start("dropin/image-to-tensor", "--input", at("images"), "--output_dir", at("tensors"), shape, "--prefix", "input");
  const tensors = fs.readdirSync(at("tensors")).sort();
  assert.deepEqual(
    tensors,
    Array.from({ length: IMAGES }, (_, i) => `input${i}.dat`),
  );
  fs.writeFileSync(at("tensors/other.dat"), "a file that is not an input");
  const log = start(
    "dropin/converter",
    "run",
    "--config",
    at("tiny.yml"),
    "--quantize_stat",
    "--input_dir",
    at("tensors"),
    ...OUTPUT,
  );
  const lines = log.trimEnd().split("\n");
  assert.equal(lines.length % IMAGES, 0);
  for (const line of lines) assert.match(line, /^I [\w/.]+:\d+\] Tensor range @@[^@]+@@[-+\de.]+,[-+\de.]+$/);
  fs.writeFileSync(at("range_log"), log);
  // Step 3
  fs.writeFileSync(at("overall_range"), start("dropin/quantize-stat", "--log_file", at("range_log")));
  // Step 4
  const final = yaml("    quantize: 1\n    quantize_range_file: overall_range\n");
  fs.writeFileSync(at("final.yml"), final);
  start("dropin/converter", "convert", "--config", at("final.yml"), ...OUTPUT);

  // The same by the commands of mace.
  fs.rmSync(at("tensors/other.dat"));
  start("cli/main", "convert", "--config", at("tiny.yml"), "--output_prefix", at("own"));
  const runner = path.resolve("mace/bin/mace_stat");
  const own = ["--model", at("own.pb")];
  start(
    "cli/main",
    "stat",
    ...own,
    "--runner",
    runner,
    "--input_dir",
    at("tensors"),
    "--output",
    at("own.stat"),
    "--ranges",
    at("own.ranges"),
  );
  const measured = parseOverallRange(fs.readFileSync(at("own.ranges"), "utf8"), "own");
  const written = parseOverallRange(fs.readFileSync(at("overall_range"), "utf8"), "steps");
  assert.deepEqual([...written], [...measured]);
  start(
    "cli/main",
    "quantize",
    ...own,
    "--ranges",
    at("own.ranges"),
    "--scheme",
    "uint8",
    "--output_prefix",
    at("quant"),
  );
  for (const ending of [".pb", ".data"]) {
    const name = (file: string): Buffer => fs.readFileSync(file + ending);
    // The name of the model is the configuration's in both.
    assert.ok(name(MODEL).equals(name(at("quant"))), ending);
  }
  // mace writes the same log.
  start("cli/main", "ranges", "--statistics", at("own.stat"), "--output", at("again"), "--range_log", at("own.log"));
  assert.equal(fs.readFileSync(at("own.log"), "utf8"), log);
});

test("the quantized model is validated, timed and run on the folder", async () => {
  const config = ["--config", at("final.yml"), ...OUTPUT, "--num_threads", "1"];
  const told = await succeed(
    converter,
    "run",
    ...config,
    "--validate",
    "--layers",
    ":",
    "--input_dir",
    at("tensors"),
    "--validate_threshold",
    "0.9",
  );
  assert.match(told, /^output output: similarity 0\.9\d+, sqnr [\d.]+ dB, pixel accuracy/m);
  assert.match(told, /^layer net\/relu1/m);
  const strict = await call(
    converter,
    "run",
    ...config,
    "--validate",
    "--input_dir",
    at("tensors"),
    "--validate_threshold",
    "1",
  );
  assert.equal(strict.code, 3, strict.said);
  await succeed(converter, "run", ...config, "--input_dir", at("tensors"), "--output_dir", at("outputs"));
  assert.deepEqual(
    fs.readdirSync(at("outputs")).sort(),
    Array.from({ length: IMAGES }, (_, i) => `output${i}.dat`),
  );
  assert.equal(fs.statSync(at("outputs/output0.dat")).size, 4 * 5 * 5 * 6);
  // After step 4 the statistics still run on the float model.
  const log = await succeed(converter, "run", ...config, "--quantize_stat", "--input_dir", at("tensors"));
  assert.equal(log, fs.readFileSync(at("range_log"), "utf8"));
});

test("a corrupt image is named and left out; --strict fails", async () => {
  fs.cpSync(at("images"), at("mixed"), { recursive: true });
  fs.writeFileSync(at("mixed/3.png"), fs.readFileSync(at("mixed/3.png")).subarray(0, 200));
  const args = ["--input", at("mixed"), "--output_dir", at("some"), "--image_shape=4,4,3"];
  const lax = await call(imageToTensor, ...args);
  assert.equal(lax.code, 0);
  assert.match(lax.said, /^warning\[MQ510\][\s\S]*3\.png/);
  assert.equal(fs.readdirSync(at("some")).length, IMAGES - 1);
  const strict = await call(imageToTensor, ...args, "--strict");
  assert.equal(strict.code, 1);
  assert.match(strict.said, /error\[MQ519\]: 1 of 8/);
});

test("samples that cannot be read: statistics go on without them, comparisons name them all", async () => {
  const folder = at("broken");
  fs.mkdirSync(folder);
  for (let i = 0; i < 6; i++) {
    const bytes = fs.readFileSync(at(`images/${i}.png`));
    fs.writeFileSync(path.join(folder, `${i}.png`), i % 3 === 1 ? bytes.subarray(0, 200) : bytes);
  }
  const model = ["--model", at("own.pb"), "--input_dir", folder];
  const stat = ["stat", ...model, "--runner", path.resolve("mace/bin/mace_stat")];
  const names = (said: string, level: string): string[] =>
    [...said.matchAll(new RegExp(`^${level}\\[MQ510\\][\\s\\S]*?(\\d\\.png)`, "gm"))].map(([, name = ""]) => name);
  const lax = await call(mace, ...stat, "--output", at("lax.stat"));
  assert.equal(lax.code, 0, lax.said);
  assert.deepEqual(names(lax.said, "warning"), ["1.png", "4.png"]);
  assert.match(lax.said, /^warning\[MQ316\]: 2 of 6 samples/m);

  const strict = await call(mace, ...stat, "--output", at("strict.stat"), "--strict");
  assert.equal(strict.code, 1);
  assert.deepEqual(names(strict.said, "error"), ["1.png", "4.png"]);
  assert.match(strict.said, /^error\[MQ317\]: 2 of 6 samples[\s\S]*--resume/m);
  assert.ok(!fs.existsSync(at("strict.stat")));
  assert.ok(
    fs.readFileSync(at("strict.stat.partial")).equals(fs.readFileSync(at("lax.stat"))),
    "what was done is kept",
  );
  // The same without --strict, when all that is left cannot be read.
  fs.copyFileSync(at("strict.stat.partial"), at("left.stat.partial"));
  const left = await call(mace, ...stat, "--output", at("left.stat"), "--resume");
  assert.equal(left.code, 0, left.said);
  assert.ok(fs.readFileSync(at("left.stat")).equals(fs.readFileSync(at("lax.stat"))));
  for (const i of [1, 4]) fs.copyFileSync(at(`images/${i}.png`), path.join(folder, `${i}.png`));
  await succeed(mace, ...stat, "--output", at("strict.stat"), "--strict", "--resume");
  await succeed(mace, ...stat, "--output", at("whole.stat"));
  assert.ok(fs.readFileSync(at("strict.stat")).equals(fs.readFileSync(at("whole.stat"))));

  for (const i of [0, 5]) fs.writeFileSync(path.join(folder, `${i}.png`), "no image");
  const quantized = ["--quantized", at("quant.pb"), "--runner", path.resolve("mace/bin/mace_run")];
  for (const command of ["evaluate", "validate"]) {
    const { code, out, said } = await call(mace, command, ...model, ...quantized);
    assert.equal(code, 1, said);
    assert.deepEqual(names(said, "error"), ["0.png", "5.png"]);
    assert.equal(out, "");
  }
  for (let i = 0; i < 6; i++) fs.renameSync(path.join(folder, `${i}.png`), path.join(folder, `input${i}.png`));
  const run = ["run", "--config", at("final.yml"), ...OUTPUT, "--input_dir", folder];
  const outputs = await call(converter, ...run, "--output_dir", at("broken_outputs"));
  assert.equal(outputs.code, 1);
  assert.match(outputs.said, /outputs of 4 samples written[\s\S]*input0\.png[\s\S]*input5\.png/);
  assert.equal(fs.readdirSync(at("broken_outputs")).length, 4);

  for (let i = 1; i < 5; i++) fs.writeFileSync(path.join(folder, `input${i}.png`), "");
  const none = await call(mace, ...stat, "--output", at("none.stat"));
  assert.equal(none.code, 1);
  assert.equal(names(none.said, "error").length, 6);
});

test("with --config and with --model, tensors are what the model's own preprocessing makes", async () => {
  const tensors = async (name: string, ...args: string[]): Promise<Buffer[]> => {
    await succeed(imageToTensor, "--input", at("images"), "--output_dir", at(name), ...args);
    const files = fs.readdirSync(at(name)).sort();
    assert.equal(files.length, IMAGES);
    for (const file of files) assert.match(file, /^input\d\.dat$/);
    return files.map((file) => fs.readFileSync(path.join(at(name), file)));
  };
  const described = yaml("    preprocess: {preset: caffe-bgr, resize: bicubic, fit: crop}\n");
  fs.writeFileSync(at("described.yml"), described);
  await succeed(mace, "convert", "--config", at("described.yml"), "--output_prefix", at("described"));
  const shape = `--image_shape=${SIDE},${SIDE},3`;
  const byHand = await tensors("hand", shape, "--prefix=input", "--preset=caffe-bgr", "--resize=bicubic", "--fit=crop");
  assert.deepEqual(await tensors("by_config", "--config", at("described.yml")), byHand);
  assert.deepEqual(await tensors("by_model", "--model", at("described.pb"), shape), byHand);
  // Without the key the configuration means tf-inception; the script's own default is another filter.
  const standard = await tensors("standard", "--config", at("tiny.yml"));
  assert.deepEqual(await tensors("flags", shape, "--prefix=input", "--resize=bilinear"), standard);
  assert.notDeepEqual(await tensors("mace", shape, "--prefix=input"), standard);
  // The statistics of images and of these tensors are the same.
  const statistics = async (what: string): Promise<string> => {
    const args = ["--model", at("described.pb"), "--runner", path.resolve("mace/bin/mace_stat")];
    await succeed(mace, "stat", ...args, "--input_dir", at(what), "--ranges", at("described.ranges"));
    return fs.readFileSync(at("described.ranges"), "utf8");
  };
  assert.equal(await statistics("by_model"), await statistics("images"));

  for (const [args, words] of [
    [["--config", at("tiny.yml"), "--image_shape=8,8,3"], `${SIDE},${SIDE},3, which the model takes`],
    [["--config", at("tiny.yml"), "--mean=1"], "--mean"],
    [["--config", at("tiny.yml"), "--model", at("described.pb")], "not both"],
    [["--config", at("tiny.yml"), "--input_tensor=other"], "inputs that take an image, of input"],
    [["--config", at("tiny.yml"), "--model_name=other"], "MQ113"],
    [["--input_tensor=input", shape], "--config with it"],
  ] as const) {
    const { code, said } = await call(imageToTensor, "--input", at("images"), "--output_dir", at("refused"), ...args);
    assert.equal(code, 1, said);
    assert.ok(said.includes(words), said);
  }
});

test("pixels become values as MACE's script says, and back", async () => {
  fs.mkdirSync(at("one"));
  const data = Uint8Array.of(0, 51, 255, 102, 153, 204);
  fs.writeFileSync(at("one/a.png"), await encodeImage({ width: 2, height: 1, channels: 3, data }, "png"));
  const values = async (...args: string[]): Promise<number[]> => {
    await succeed(imageToTensor, "--input", at("one/a.png"), "--output_dir", at("one"), "--image_shape=1,2,3", ...args);
    return [...new Float32Array(new Uint8Array(fs.readFileSync(at("one/a.dat"))).buffer)].map((v) =>
      Number(v.toFixed(5)),
    );
  };
  assert.deepEqual(await values(), [-1, -0.6, 1, -0.2, 0.2, 0.6]);
  await succeed(
    tensorToImage,
    "--input",
    at("one/a.dat"),
    "--output_dir",
    at("back"),
    "--image_shape=1,2,3",
    "--format",
    "png",
  );
  assert.ok(fs.readFileSync(at("back/a.png")).equals(fs.readFileSync(at("one/a.png"))));
  assert.deepEqual(await values("--mean", "51"), [-0.2, 0, 0.8, 0.2, 0.4, 0.6]);
  assert.deepEqual(await values("--mean", "0,51,102", "--std", "51"), [0, 0, 3, 2, 2, 2]);
  assert.deepEqual(await values("--scale", "2"), [0, 102, 510, 204, 306, 408]);
  assert.deepEqual(await values("--mean", "51", "--scale", "1,2,3"), [-51, 0, 612, 51, 204, 459]);
  // What a preset says holds for all that is not given.
  assert.deepEqual(
    await values("--preset", "tf-quantized", "--mean", "0"),
    [0, 0.39844, 1.99219, 0.79688, 1.19531, 1.59375],
  );
  assert.deepEqual(await values("--preset", "raw", "--scale", "0.5"), [0, 25.5, 127.5, 51, 76.5, 102]);
  assert.deepEqual(await values("--preset", "caffe-bgr", "--std", "2"), [75.5, -33, -61.5, 50, 18, -10.5]);
  assert.deepEqual(await values("--mean", "0", "--std", "1", "--layout", "NCHW"), [0, 102, 51, 153, 255, 204]);
  assert.deepEqual(await values("--mean", "0", "--std", "1", "--color", "BGR"), [255, 51, 0, 204, 153, 102]);
  await succeed(
    imageToTensor,
    "--input",
    at("one/a.png"),
    "--output_dir",
    at("one"),
    "--image_shape=1,2,3",
    "--type",
    "uint8",
    "--npy",
  );
  const npy = fs.readFileSync(at("one/a.npy"));
  assert.equal(npy.length, 128 + 6);
  assert.deepEqual([...npy.subarray(128)], [...data]);
});

test("a reader that stops early is no fault", () => {
  const line = "I net.cc:1] Tensor range @@t%d@@0,1\n";
  fs.writeFileSync(at("long_log"), Array.from({ length: 50000 }, (_, i) => line.replace("%d", String(i))).join(""));
  const node = [
    process.execPath,
    ...process.execArgv.filter((a) => a !== "--test"),
    program("dropin/quantize-stat"),
    "--log_file",
    at("long_log"),
  ];
  const quoted = node.map((word) => `'${word}'`).join(" ");
  const result = spawnSync("bash", ["--norc", "-c", `set -o pipefail; ${quoted} | head -1`], {
    encoding: "utf8",
    env: { ...process.env, NODE_TEST_CONTEXT: "" },
  });
  assert.equal(result.status, 0, result.stderr);
  assert.equal(result.stdout, "t0@@0.000000,1.000000\n");
  assert.equal(result.stderr, "");
});

for (const [what, script, args, code, words] of [
  ["a flag", converter, ["convert", "--config", "x", "--quantise_stat"], 2, "--quantize_stat"],
  ["a sub-command", converter, ["convrt"], 2, "convert"],
  ["a flag of the image tool", imageToTensor, ["--input", "x", "--image_shap=1,1,3"], 2, "--image_shape"],
  ["a flag of quantize_stat", quantizeStat, ["--logfile", "x"], 2, "--log_file"],
  ["a device", converter, ["run", "--config", "x", "--devices_to_run", "abc"], 1, "needs an attached device"],
  ["an ABI", converter, ["run", "--config", "x", "--target_abis=arm64-v8a"], 1, "needs an attached device"],
  ["a runtime", converter, ["run", "--config", "x", "--runtime=dsp"], 1, "needs an attached device"],
  ["an accelerator's hint", converter, ["run", "--config", "x", "--apu_boost_hint=1"], 1, "mace_run_with_accelerators"],
  ["micro-controllers", converter, ["convert", "--config", "x", "--enable_micro"], 1, "MQ515"],
  ["a shape that is missing", imageToTensor, ["--input", "x"], 1, "MQ505"],
  ["a shape", imageToTensor, ["--input", "x", "--image_shape=299,299"], 1, "height,width,channels"],
  ["a log that is absent", quantizeStat, ["--log_file", at("absent")], 1, "MQ501"],
] as const) {
  test(`usage: ${what} that is wrong`, async () => {
    const result = await call(script, ...args);
    assert.equal(result.code, code, result.said);
    assert.ok(result.said.includes(words), result.said);
    assert.equal(result.out, "");
  });
}

test("inputs that are not named after the input tensor", async () => {
  const result = await call(
    converter,
    "run",
    "--config",
    at("tiny.yml"),
    ...OUTPUT,
    "--quantize_stat",
    "--input_dir",
    at("images"),
  );
  assert.equal(result.code, 1);
  assert.match(result.said, /MQ516[\s\S]*--prefix=input/);
});

const MIXED = dataFile("models/tf/mobilenet_v1_0.25_224_qat_mixed.pb");

test("a network with some trained ranges takes the others from the file", { skip: MIXED === undefined }, async () => {
  const ranges = dataFile("models/tf/mobilenet_v1_0.25_224.overall_range") ?? "";
  const mixed = (file: string): string => `library_name: mixed
models:
  mixed:
    platform: tensorflow
    model_file_path: ${MIXED}
    quantize: 1
${file}    subgraphs:
      - input_tensors: input
        input_shapes: 1,224,224,3
        input_ranges: -1.0,1.0
        output_tensors: output
`;
  fs.writeFileSync(at("mixed.yml"), mixed(`    quantize_range_file: ${ranges}\n`));
  await succeed(converter, "convert", "--config", at("mixed.yml"), ...OUTPUT);
  const explained = await succeed(mace, "explain", at("build/mixed/model/mixed.pb"));
  const sources = new Map(
    explained
      .trimEnd()
      .split("\n")
      .map((line) => [
        line.split("  ")[0] ?? "",
        / {2}(trained|file|inherited|user|operator|interval): /.exec(line)?.[1] ?? / {2}(float) {2}\(/.exec(line)?.[1],
      ]),
  );
  // What is trained is what goes into a FakeQuant node that is no weight's; all else that is measured is a line of the file.
  const { node: nodes } = GraphDef.decode(fs.readFileSync(MIXED ?? ""));
  // Codes pass through these as they are.
  const moves = new Set(nodes.filter(({ op }) => ["Squeeze", "Reshape"].includes(op)).map(({ name }) => name));
  const constants = new Set(nodes.filter(({ op }) => op === "Const").map(({ name }) => name));
  const trained = nodes.filter(({ op }) => op === "FakeQuantWithMinMaxVars").map(({ input }) => input[0] ?? "");
  const activations = trained.filter((name) => !constants.has(name));
  assert.ok(activations.length > 10);
  const lines = fs.readFileSync(ranges, "utf8").trimEnd().split("\n");
  const measured = new Set(lines.map((line) => line.replace(/(:0)?@@.*$/, "")));
  for (const name of activations) assert.equal(sources.get(name), "trained", name);
  for (const [name, source] of sources) {
    const expected = activations.includes(name)
      ? "trained"
      : measured.has(name) && !moves.has(name)
        ? "file"
        : undefined;
    if (expected !== undefined && source !== "float") assert.equal(source, expected, name);
    else assert.ok(["user", "inherited", "float"].includes(source ?? ""), `${name}: ${source}`);
  }
  for (const source of ["trained", "file", "inherited"])
    assert.ok([...sources.values()].includes(source), `${source}\n${explained}`);
  const fromFile = [...sources].filter(([, source]) => source === "file").map(([name]) => name);

  fs.writeFileSync(at("lacking.yml"), mixed(""));
  const lacking = await call(converter, "convert", "--config", at("lacking.yml"), ...OUTPUT);
  assert.equal(lacking.code, 1);
  const named = [...lacking.said.matchAll(/^\s+'([^']+)', written by/gm)].map(([, name]) => name ?? "");
  assert.match(lacking.said, /error\[MQ401\]/);
  assert.deepEqual([...named].sort(), [...fromFile].sort());
});
