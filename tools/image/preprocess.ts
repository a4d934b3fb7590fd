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
  const channels = pixels.channels;
  const order = preprocess.color === "BGR" ? [2, 1, 0] : [0, 1, 2].slice(0, channels);
  const out = new Float32Array(values.length);
  for (let i = 0; i < values.length; i += channels) {
    for (let c = 0; c < channels; c++) {
      out[i + c] = ((values[i + (order[c] ?? 0)] ?? 0) - (preprocess.mean[c] ?? 0)) * (preprocess.scale[c] ?? 1);
    }
  }
  return out;
}

function fitted(pixels: Pixels, file: string, width: number, height: number, how: Preprocess): Float32Array {
  try {
    return fitImage(pixels, width, height, how);
  } catch (error) {
    if (error instanceof RangeError) throw new UserError(unreadableImage(file, error.message));
    throw error;
  }
}
