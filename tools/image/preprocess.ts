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
  const out = new Float32Array(values.length);
  // A channel at a time: what is the same for all its pixels is looked up once.
  for (let c = 0; c < channels; c++) {
    const from = preprocess.color === "BGR" ? 2 - c : c;
    const mean = preprocess.mean[c] ?? 0;
    const scale = preprocess.scale[c] ?? 1;
    for (let i = 0; i < values.length; i += channels) out[i + c] = ((values[i + from] as number) - mean) * scale;
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
