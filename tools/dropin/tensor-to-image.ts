/** `tensor_to_image`: tensors of image shape to image files. */

import * as fs from "node:fs";
import * as path from "node:path";
import type { Options } from "../cli/context";
import { runProgram } from "../cli/program";
import { withProgress } from "../cli/progress";
import { note } from "../cli/report";
import { badOption, sampleSize } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import { encodeImage } from "../image/encode";
import { parseNpy } from "../image/npy";
import { readFile, writeFileAtomically } from "../io/files";
import { TENSOR_EXTENSIONS } from "../statistics/samples";
import { imageShape, inputFiles, outputNames } from "./files";
import { TENSOR_TO_IMAGE } from "./tables";

async function convertFolder(options: Options): Promise<void> {
  const shape = imageShape(options);
  const [height, width, channels] = shape;
  const softmax = options.flag("add_softmax");
  if (!softmax && channels !== 1 && channels !== 3) {
    throw new UserError(
      badOption("--image_shape", options.given("image_shape"), "1 or 3 channels without --add_softmax"),
    );
  }
  const files = inputFiles(options.givenPath("input"), TENSOR_EXTENSIONS);
  const names = outputNames(files);
  const folder = options.givenPath("output_dir");
  fs.mkdirSync(folder, { recursive: true });
  const format = options.given("format") === "png" ? "png" : "jpg";
  await withProgress("tensors", files.length, async (progress) => {
    for (const [i, file] of files.entries()) {
      const values = readTensor(file, shape);
      const data = softmax ? lastShare(values, channels) : Uint8Array.from(values, (v) => toPixel((v + 1) * 127.5));
      const image = await encodeImage({ width, height, channels: softmax || channels === 1 ? 1 : 3, data }, format);
      writeFileAtomically(path.join(folder, `${names[i]}.${format}`), [image]);
      progress.advance();
    }
  });
  note(`${files.length} image${files.length === 1 ? "" : "s"} written to ${folder}`);
}

const toPixel = (value: number): number =>
  Math.floor(Math.min(Math.max(Number.isNaN(value) ? 0 : value, 0), 255) + 0.5);

function readTensor(file: string, shape: readonly number[]): Float32Array {
  const length = shape.reduce((product, size) => product * size, 1);
  const bytes = readFile(file, "tensor");
  const fail = (size: number): never => {
    throw new UserError(sampleSize(file, size, length * 4, "image", shape));
  };
  if (path.extname(file) === ".npy") {
    const { values } = parseNpy(bytes, file);
    return values.length === length ? values : fail(values.length * 4);
  }
  return bytes.length === length * 4 ? new Float32Array(bytes.buffer) : fail(bytes.length);
}

/** The last channel of a softmax over the channels of each pixel. */
function lastShare(values: Float32Array, channels: number): Uint8Array {
  return Uint8Array.from({ length: values.length / channels }, (_, p) => {
    const pixel = values.subarray(p * channels, (p + 1) * channels);
    const most = pixel.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const sum = pixel.reduce((total, v) => total + Math.exp(v - most), 0);
    return toPixel((255 * Math.exp((pixel[channels - 1] ?? 0) - most)) / sum);
  });
}

export const main = (argv: readonly string[]): Promise<number> =>
  runProgram(TENSOR_TO_IMAGE, { tensor_to_image: convertFolder }, argv);

if (require.main === module) {
  void main(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  });
}
