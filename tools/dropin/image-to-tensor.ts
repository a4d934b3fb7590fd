/** `image_to_tensor`: images to raw input tensors. */

import * as fs from "node:fs";
import * as path from "node:path";
import { dataFileOf, type Options } from "../cli/context";
import { runProgram } from "../cli/program";
import { Progress } from "../cli/progress";
import { note } from "../cli/report";
import { readModelConfig } from "../config/model-config";
import { DEFAULT_PRESET, PRESETS } from "../config/preprocess";
import { badOption, filesFailed, modelNotInConfig, nothingToDo } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import { render } from "../diagnostics/render";
import { readModel } from "../emit/model-reader";
import { IMAGE_EXTENSIONS } from "../image/decode";
import { formatNpy } from "../image/npy";
import { imageToTensor } from "../image/preprocess";
import { readFile, readTextFile, writeFileAtomically } from "../io/files";
import { MAX_SIDE, type Preprocess } from "../ir/graph";
import { permuteShape, TO_NHWC } from "../ir/transpose";
import { formatName } from "../statistics/samples";
import { channelNumbers, imageShape, inputFiles, outputNames } from "./files";
import { IMAGE_TO_TENSOR, PREPROCESSING } from "./tables";

/** Images that are decoded at a time: decoding runs on threads of its own, the rest on this one. */
const AHEAD = 8;

/** What is made of each image. */
interface Target {
  /** Height, width, channels. */
  readonly shape: readonly [number, number, number];
  readonly preprocess: Preprocess;
  /** The tensor's name, where a model says it. */
  readonly name: string;
}

/** The input that --config or --model describes, with the preprocessing that statistics and runs of that model use. */
function targetOfModel(options: Options): Target | undefined {
  const [config, model] = [options.path("config"), options.path("model")];
  if (config !== undefined && model !== undefined) {
    throw new UserError(badOption("--model", model, "--config or --model, not both"));
  }
  if (config === undefined && model === undefined) {
    for (const name of ["model_name", "input_tensor"]) {
      const value = options.text(name);
      if (value !== undefined) throw new UserError(badOption(`--${name}`, value, "--config with it"));
    }
    return undefined;
  }
  for (const name of PREPROCESSING) {
    const value = options.text(name);
    if (value !== undefined) {
      throw new UserError(badOption(`--${name}`, value, "it into the model's configuration: with it the model says"));
    }
  }
  const inputs = config !== undefined ? configuredInputs(options, config) : modelInputs(model ?? "");
  const wanted = options.text("input_tensor");
  const named = inputs.filter(({ name }) => wanted === undefined || name === wanted.replace(/:0$/, ""));
  const images = named.filter(({ shape }) => shape.length === 4 && shape[0] === 1);
  const [only, ...more] = images;
  if (only === undefined || more.length > 0) {
    const names = inputs.map(({ name }) => name);
    const expected = `one of the inputs that take an image, of ${names.join(", ")}`;
    throw new UserError(badOption("--input_tensor", wanted ?? "", expected));
  }
  const [, height = 0, width = 0, channels = 0] = only.shape;
  return { name: only.name, shape: [height, width, channels], preprocess: only.preprocess };
}

interface ModelInput {
  readonly name: string;
  /** NHWC. */
  readonly shape: readonly number[];
  readonly preprocess: Preprocess;
}

const DEFAULT = PRESETS[DEFAULT_PRESET] as Preprocess;

function modelInputs(file: string): ModelInput[] {
  const { graph } = readModel(file, dataFileOf(file));
  return graph.inputs.map(({ tensor, preprocess = DEFAULT }) => ({
    name: tensor,
    shape: graph.tensors.get(tensor)?.shape ?? [],
    preprocess,
  }));
}

function configuredInputs(options: Options, file: string): ModelInput[] {
  const { models } = readModelConfig(readTextFile(file, "model deployment file"), file, process.env);
  const name = options.text("model_name");
  const found = name === undefined && models.length === 1 ? models[0] : models.find((model) => model.name === name);
  if (!found) {
    const known = models.map((model) => model.name);
    throw new UserError(modelNotInConfig(file, name, known));
  }
  return found.inputs.map(({ tensor, shape = [], format, preprocess = DEFAULT }) => ({
    name: tensor,
    shape: format === "NCHW" && shape.length === 4 ? permuteShape(shape, TO_NHWC) : shape,
    preprocess,
  }));
}

/** By the options alone. MACE's script, in order: (x - mean) / 255 with --mean, -1 to 1 without; TensorFlow 1's bilinear filter. */
function targetOfOptions(options: Options): Target {
  if (options.text("image_shape") === undefined) {
    throw new UserError(
      nothingToDo("--image_shape", "what the tensor is: --image_shape H,W,C, or --config or --model"),
    );
  }
  const shape = imageShape(options);
  return { shape, preprocess: preprocessOf(options, shape[2]), name: "" };
}

function preprocessOf(options: Options, channels: number): Preprocess {
  const preset = PRESETS[options.text("preset") ?? ""];
  const color =
    (options.text("color") as Preprocess["color"] | undefined) ?? preset?.color ?? (channels === 1 ? "GRAY" : "RGB");
  if (channels !== (color === "GRAY" ? 1 : 3)) {
    throw new UserError(
      badOption("--image_shape", options.given("image_shape"), `${color === "GRAY" ? 1 : 3} channels for ${color}`),
    );
  }
  const each = (value: number): readonly number[] => Array.from({ length: channels }, () => value);
  const [mean, std, factor] = (["mean", "std", "scale"] as const).map((name) =>
    channelNumbers(options, name, channels),
  );
  if (std?.includes(0)) throw new UserError(badOption("--std", options.given("std"), "numbers other than 0"));
  if (std && factor) throw new UserError(badOption("--scale", options.given("scale"), "--std or --scale, not both"));
  const fit = options.text("fit") as Preprocess["fit"];
  const shortSide = options.text("short_side") === undefined ? undefined : options.number("short_side", 1, MAX_SIDE);
  if (shortSide !== undefined && fit !== "crop")
    throw new UserError(badOption("--short_side", String(shortSide), "--fit crop with it"));
  const pad = options.text("pad") === undefined ? undefined : options.number("pad", 0, 255, false);
  const scale = factor ?? std?.map((v) => 1 / v);
  return {
    color,
    // A preset of three channels says nothing of one.
    mean: mean ?? ofChannels(preset?.mean, channels) ?? each(scale ? 0 : 127.5),
    scale: scale ?? ofChannels(preset?.scale, channels) ?? each(mean ? 1 / 255 : 1 / 127.5),
    resize: (options.text("resize") as Preprocess["resize"] | undefined) ?? preset?.resize ?? "bilinear-asymmetric",
    ...(fit && { fit }),
    ...(shortSide !== undefined && { shortSide }),
    ...(pad !== undefined && { pad }),
  };
}

const ofChannels = (list: readonly number[] | undefined, channels: number): readonly number[] | undefined =>
  list?.length === channels ? list : list?.every((v) => v === list[0]) ? list.slice(0, channels) : undefined;

/**
 * The fitted pixels themselves: mean and scale left out. Where a model says the rest they are RGB (or gray), as mace_run takes them: it brings
 * them into the model's order.
 */
function rawPixels(options: Options, { preprocess, name }: Target): Preprocess {
  for (const name of ["mean", "std", "scale"]) {
    if (options.text(name) !== undefined) {
      throw new UserError(badOption("--type", "uint8", `float32 with --${name}: uint8 is for the pixels themselves`));
    }
  }
  const color = name !== "" && preprocess.color === "BGR" ? "RGB" : preprocess.color;
  return { ...preprocess, color, mean: preprocess.mean.map(() => 0), scale: preprocess.scale.map(() => 1) };
}

async function convertFolder(options: Options): Promise<void> {
  const target = targetOfModel(options) ?? targetOfOptions(options);
  const [height, width, channels] = target.shape;
  if (options.text("image_shape") !== undefined && imageShape(options).join() !== target.shape.join()) {
    throw new UserError(
      badOption("--image_shape", options.given("image_shape"), `${target.shape.join()}, which the model takes`),
    );
  }
  const preprocess = options.given("type") === "uint8" ? rawPixels(options, target) : target.preprocess;
  const files = inputFiles(options.givenPath("input"), IMAGE_EXTENSIONS);
  const names = outputNames(files);
  const folder = options.givenPath("output_dir");
  fs.mkdirSync(folder, { recursive: true });
  const planar = options.given("layout") === "NCHW";
  const shape = planar ? [1, channels, height, width] : [1, height, width, channels];
  const prefix = formatName(options.text("prefix") ?? target.name);
  const ending = options.flag("npy") ? ".npy" : ".dat";

  const convertOne = async (i: number): Promise<void> => {
    const file = files[i] ?? "";
    const values = await imageToTensor(readFile(file, "image"), file, [1, height, width, channels], preprocess);
    const arranged = planar ? toPlanes(values, channels) : values;
    const typed = options.given("type") === "uint8" ? Uint8Array.from(arranged, (v) => Math.floor(v + 0.5)) : arranged;
    const bytes = options.flag("npy")
      ? formatNpy(shape, typed)
      : new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength);
    writeFileAtomically(path.join(folder, `${prefix}${names[i]}${ending}`), [bytes]);
  };

  const progress = new Progress("images", files.length);
  const failures = new Map<number, UserError>();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < files.length) {
      const i = next++;
      try {
        await convertOne(i);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        failures.set(i, error);
      }
      progress.advance();
    }
  };
  try {
    await Promise.all(Array.from({ length: AHEAD }, worker));
  } finally {
    progress.finish();
  }
  const strict = options.flag("strict");
  for (const [, error] of [...failures].sort(([a], [b]) => a - b)) {
    for (const diagnostic of error.diagnostics) process.stderr.write(render(diagnostic, strict ? "error" : "warning"));
  }
  note(`${files.length - failures.size} of ${files.length} images written to ${folder}`);
  if (failures.size > 0 && (strict || failures.size === files.length))
    throw new UserError(filesFailed(failures.size, files.length));
}

/** [H, W, C] to [C, H, W]. */
function toPlanes(values: Float32Array, channels: number): Float32Array {
  const area = values.length / channels;
  const out = new Float32Array(values.length);
  for (let p = 0; p < area; p++) for (let c = 0; c < channels; c++) out[c * area + p] = values[p * channels + c] ?? 0;
  return out;
}

export const main = (argv: readonly string[]): Promise<number> =>
  runProgram(IMAGE_TO_TENSOR, { image_to_tensor: convertFolder }, argv);

if (require.main === module) {
  void main(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  });
}
