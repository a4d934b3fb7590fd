/**
 * The four steps of MACE's quantization document on whole networks, against the rules on the same samples: Inception-v3 with generated
 * weights, and MobileNetV1 of the test data with its own.
 *
 * MACE's range files keep six decimals and the rules' keep all digits, so ranges are compared to half a unit of the sixth decimal, and
 * models byte by byte after step 4 took the rules' ranges.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { parseOverallRange } from "../../tools/statistics/overall-range";
import { dataFile } from "../data/data";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-inception-"));
const at = (name: string): string => path.join(folder, name);
after(() => fs.rmSync(folder, { recursive: true }));

/** Runs a program in a process of its own, as a user does; its standard output goes to a file when one is named. */
function step(module: string, args: readonly string[], output?: string): void {
  const script = require.resolve(`../../tools/${module}`);
  const descriptor = output === undefined ? "ignore" : fs.openSync(output, "w");
  const flags = process.execArgv.filter((flag) => flag !== "--test");
  const result = spawnSync(process.execPath, [...flags, script, ...args], {
    stdio: ["ignore", descriptor, "pipe"],
    encoding: "utf8",
    env: { ...process.env, NODE_TEST_CONTEXT: "" },
  });
  if (typeof descriptor === "number") fs.closeSync(descriptor);
  assert.equal(result.status, 0, result.stderr);
}

interface Network {
  /** Of the model in the deployment file, and its library. */
  readonly name: string;
  readonly library: string;
  readonly config: string;
  readonly modelFile: string;
  readonly images: readonly string[];
  /** Height and width of the input. */
  readonly side: number;
  /** What the rules made, without endings. */
  readonly rules: { readonly float: string; readonly stat: string; readonly quantized: string };
}

/** The four steps as the document has them, each result against the rules'. */
function fourSteps({ name, library, config, modelFile, images, side, rules }: Network): void {
  const yaml = fs.readFileSync(config, "utf8");
  fs.copyFileSync(modelFile, at(path.basename(modelFile)));
  fs.mkdirSync(at(`${name}_images`));
  for (const image of images) fs.copyFileSync(image, path.join(at(`${name}_images`), path.basename(image)));
  const configure = (keys: string): void =>
    fs.writeFileSync(at("net.yml"), yaml.replace("    runtime: cpu\n", `    runtime: cpu\n${keys}`));
  configure("");
  const given = ["--config", at("net.yml"), "--output", at("build")];
  const built = (file: string): Buffer => fs.readFileSync(at(`build/${library}/${file}`));

  step("dropin/converter", ["convert", ...given, "--quantize_stat"]);
  for (const ending of [".pb", ".data"]) {
    assert.ok(built(`model/${name}${ending}`).equals(fs.readFileSync(`${rules.float}${ending}`)), `float ${ending}`);
  }

  const tensors = at(`${name}_tensors`);
  const shape = `--image_shape=${side},${side},3`;
  step("dropin/image-to-tensor", [
    "--input",
    at(`${name}_images`),
    "--output_dir",
    tensors,
    shape,
    "--prefix",
    "input",
  ]);
  assert.equal(fs.readdirSync(tensors).length, images.length);
  step("dropin/converter", ["run", ...given, "--quantize_stat", "--input_dir", tensors], at("range_log"));

  step("dropin/quantize-stat", ["--log_file", at("range_log")], at("overall_range"));
  const measured = `${rules.stat}.overall_range`;
  const expected = parseOverallRange(fs.readFileSync(measured, "utf8"), measured);
  const written = parseOverallRange(fs.readFileSync(at("overall_range"), "utf8"), "overall_range");
  assert.deepEqual([...written.keys()], [...expected.keys()]);
  for (const [tensor, [low, high]] of expected) {
    const [l, h] = written.get(tensor) ?? [Number.NaN, Number.NaN];
    assert.ok(Math.abs(l - low) <= 0.6e-6 && Math.abs(h - high) <= 0.6e-6, `${tensor}: ${l},${h} for ${low},${high}`);
  }

  // Step 4 as it is, and with all digits of the same ranges.
  configure("    quantize: 1\n    quantize_range_file: overall_range\n");
  step("dropin/converter", ["convert", ...given]);
  assert.equal(built(`model/${name}.data`).length, fs.statSync(`${rules.quantized}.data`).size);
  fs.copyFileSync(measured, at("overall_range"));
  step("dropin/converter", ["convert", ...given]);
  for (const ending of [".pb", ".data"]) {
    const own = built(`model/${name}${ending}`);
    assert.ok(own.equals(fs.readFileSync(`${rules.quantized}${ending}`)), `quantized ${ending}`);
  }
}

const IMAGES = 8;

/** The first images of a folder, by name. */
const firstImages = (location: string): string[] =>
  fs
    .readdirSync(location)
    .sort()
    .slice(0, IMAGES)
    .map((image) => path.join(location, image));

test("Inception-v3 with generated weights, eight images", () => {
  fourSteps({
    name: "inception_v3",
    library: "inception-v3",
    config: "models/inception_v3/inception_v3.yml",
    modelFile: "models/inception_v3/inception_v3.pb",
    images: firstImages("models/inception_v3_samples"),
    side: 299,
    rules: {
      float: "models/inception_v3",
      stat: "models/inception_v3_stat",
      quantized: "test/e2e/inception_v3_document",
    },
  });
});

const mobilenet = dataFile("models/tf/mobilenet_v1_0.25_224_frozen.pb");
const calibration = dataFile("images/imagenet_like/calib");

test("MobileNetV1 with its trained weights, eight photographs", {
  skip: mobilenet && calibration ? false : "not in the test data",
}, () => {
  fourSteps({
    name: "mobilenet_v1",
    library: "mobilenet",
    config: "test/e2e/mobilenet_v1.yml",
    modelFile: mobilenet ?? "",
    images: firstImages(calibration ?? ""),
    side: 224,
    rules: {
      float: "test/e2e/mobilenet_v1",
      stat: "test/e2e/mobilenet_v1_stat",
      quantized: "test/e2e/mobilenet_v1_document",
    },
  });
});
