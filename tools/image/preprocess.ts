/** Pixels to an input tensor, as the model's `preprocess` says. */

import { unreadableImage } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import type { Preprocess } from "../ir/graph";
import { decodeImage, type Pixels } from "./decode";
import { fitImage } from "./fit";

/** An image file as the values of an NHWC tensor of shape [1, height, width, channels]. */
export async function imageToTensor(
  bytes: Uint8Array,
  file: string,
  shape: readonly number[],
  preprocess: Preprocess,
): Promise<Float32Array> {
  const [, height = 0, width = 0] = shape;
  const pixels = await decodeImage(bytes, file, preprocess.color === "GRAY");
  const values = fitted(pixels, file, width, height, preprocess);
  return normalizeInPlace(values, pixels.channels, preprocess);
}

/** (x - mean) * scale by channel, into the memory of the pixels: fresh pages for each image would cost as much as the arithmetic. */
function normalizeInPlace(values: Float32Array, channels: number, { color, mean, scale }: Preprocess): Float32Array {
  // Where the pixels come as RGB, as a decoder gives them, the ends change places.
  if (color === "BGR" && channels === 3) {
    for (let i = 0; i < values.length; i += 3) {
      const red = values[i] as number;
      values[i] = values[i + 2] as number;
      values[i + 2] = red;
    }
  }
  // A channel at a time: what is the same for all its pixels is looked up once.
  for (let c = 0; c < channels; c++) {
    const [m, s] = [mean[c] ?? 0, scale[c] ?? 1];
    for (let i = c; i < values.length; i += channels) values[i] = ((values[i] as number) - m) * s;
  }
  return values;
}

function fitted(pixels: Pixels, file: string, width: number, height: number, how: Preprocess): Float32Array {
  try {
    return fitImage(pixels, width, height, how);
  } catch (error) {
    if (error instanceof RangeError) throw new UserError(unreadableImage(file, error.message));
    throw error;
  }
}
