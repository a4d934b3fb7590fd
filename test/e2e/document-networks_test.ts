/**
 * The four steps of MACE's quantization document, as docs/tutorial.md has them, on whole networks, against the rules on the same samples: Inception-v3 with generated
 * weights, and MobileNetV1 of the test data with its own. Images are not of the input's size.
 *
 * What the steps hand to each other gives the bytes of the rules mace_model, mace_quantize_stat and mace_quantized_model, the last one with
 * the range file alone: statistics, by which it would correct biases and equalize weights too, are not in a range file.
 */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { parseOverallRange } from "../../tools/statistics/overall-range";
import { dataFile } from "../data/data";
import { commandsOf, runCommand } from "./documentation";

const root = fs.mkdtempSync(path.join(os.tmpdir(), "mace-inception-"));
after(() => fs.rmSync(root, { recursive: true }));

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

/** The four steps of docs/tutorial.md, from the first convert to the second. */
function fourStepCommands(): string[] {
  const commands = commandsOf("tutorial.md");
  const isConvert = (command: string): boolean => command.includes("//tools:converter -- convert ");
  const last = commands.findIndex((command) => isConvert(command) && !command.includes("--quantize_stat"));
  return commands.slice(commands.findIndex(isConvert), last + 1);
}

/** The tutorial's commands, word for word but for the network, each result against the rules'. */
function fourSteps({ name, library, config, modelFile, images, side, rules }: Network): void {
  const folder = path.join(root, name);
  const at = (file: string): string => path.join(folder, file);
  fs.mkdirSync(at("samples"), { recursive: true });
  fs.copyFileSync(modelFile, at(path.basename(modelFile)));
  for (const image of images) fs.copyFileSync(image, at(`samples/${path.basename(image)}`));
  const yaml = fs.readFileSync(config, "utf8");
  const configure = (keys: string): void =>
    fs.writeFileSync(at(`${name}.yml`), yaml.replace("    runtime: cpu\n", `    runtime: cpu\n${keys}`));
  const built = (file: string): Buffer => fs.readFileSync(at(`build/${library}/model/${name}${file}`));
  const run = (command: string): void => assert.equal(runCommand(command, folder), undefined, command);

  const commands = fourStepCommands().map((command) =>
    command.replaceAll("inception_v3", name).replaceAll("299", String(side)),
  );
  assert.equal(commands.length, 5);
  const [toFloat = "", toTensors = "", toLog = "", toRanges = "", toQuantized = ""] = commands;
  configure("");
  run(toFloat);
  for (const ending of [".pb", ".data"])
    assert.ok(built(ending).equals(fs.readFileSync(`${rules.float}${ending}`)), `float ${ending}`);
  run(toTensors);
  assert.equal(fs.readdirSync(at("tensors")).length, images.length);
  run(toLog);
  run(toRanges);
  const measured = `${rules.stat}.overall_range`;
  const expected = parseOverallRange(fs.readFileSync(measured, "utf8"), measured);
  const text = fs.readFileSync(at("overall_range"), "utf8");
  assert.deepEqual([...parseOverallRange(text, "overall_range")], [...expected]);
  // What MACE itself reads is its own six decimals.
  run(toRanges.replace("> overall_range", "--six_decimals > six"));
  const six = fs.readFileSync(at("six"), "utf8");
  assert.match(six, /^([^@]+@@-?\d+\.\d{6},-?\d+\.\d{6}\n)+$/);
  assert.equal(text.replace(/^(.*?@@.*?)@@.*$/gm, "$1"), six);

  configure("    quantize: 1\n    quantize_range_file: overall_range\n");
  run(toQuantized);
  for (const ending of [".pb", ".data"])
    assert.ok(built(ending).equals(fs.readFileSync(`${rules.quantized}${ending}`)), `quantized ${ending}`);
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
    images: firstImages("test/e2e/inception_v3_photos"),
    side: 299,
    rules: {
      float: "models/inception_v3",
      stat: "test/e2e/inception_v3_photos_stat",
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
