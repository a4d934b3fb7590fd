/** `image_to_tensor`: images to raw input tensors. */

import * as fs from "node:fs";
import * as path from "node:path";
import type { Options } from "../cli/context";
import { runProgram } from "../cli/program";
import { Progress } from "../cli/progress";
import { note } from "../cli/report";
import { PRESETS } from "../config/preprocess";
import { badOption, filesFailed } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import { render } from "../diagnostics/render";
import { IMAGE_EXTENSIONS } from "../image/decode";
import { formatNpy } from "../image/npy";
import { imageToTensor } from "../image/preprocess";
import { readFile, writeFileAtomically } from "../io/files";
import { MAX_SIDE, type Preprocess } from "../ir/graph";
import { formatName } from "../statistics/samples";
import { channelNumbers, imageShape, inputFiles, outputNames } from "./files";
import { IMAGE_TO_TENSOR } from "./tables";

/** Images that are decoded at a time: decoding runs on threads of its own, the rest on this one. */
const AHEAD = 8;

/** MACE's script, in order: (x - mean) / 255 with --mean, -1 to 1 without; TensorFlow 1's bilinear filter. */
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
  const raw = options.given("type") === "uint8";
  const mean = channelNumbers(options, "mean", channels);
  const std = channelNumbers(options, "std", channels);
  if (std?.includes(0)) throw new UserError(badOption("--std", options.given("std"), "numbers other than 0"));
  if (raw && (mean || std))
    throw new UserError(
      badOption("--type", "uint8", "float32 with --mean and --std: uint8 is for the pixels themselves"),
    );
  const fit = options.text("fit") as Preprocess["fit"];
  const shortSide = options.text("short_side") === undefined ? undefined : options.number("short_side", 1, MAX_SIDE);
  if (shortSide !== undefined && fit !== "crop")
    throw new UserError(badOption("--short_side", String(shortSide), "--fit crop with it"));
  const scale = std?.map((v) => 1 / v) ?? (mean ? each(1 / 255) : (preset?.scale ?? each(1 / 127.5)));
  return {
    color,
    mean: raw ? each(0) : (mean ?? preset?.mean ?? each(std ? 0 : 127.5)),
    scale: raw ? each(1) : scale,
    resize: (options.text("resize") as Preprocess["resize"] | undefined) ?? preset?.resize ?? "bilinear-asymmetric",
    ...(fit && { fit }),
    ...(shortSide !== undefined && { shortSide }),
    pad: options.number("pad", 0, 255, false),
  };
}

async function convertFolder(options: Options): Promise<void> {
  const [height, width, channels] = imageShape(options);
  const preprocess = preprocessOf(options, channels);
  const files = inputFiles(options.givenPath("input"), IMAGE_EXTENSIONS);
  const names = outputNames(files);
  const folder = options.givenPath("output_dir");
  fs.mkdirSync(folder, { recursive: true });
  const planar = options.given("layout") === "NCHW";
  const shape = planar ? [1, channels, height, width] : [1, height, width, channels];
  const prefix = formatName(options.given("prefix"));
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
