/** Pixels to an input tensor, as the model's `preprocess` says. */

import type { Preprocess } from "../ir/graph";
import { decodeImage } from "./decode";
import { resizeAntialiased, resizeBilinear } from "./resize";

/** An image file as the values of an NHWC tensor of shape [1, height, width, channels]. */
export async function imageToTensor(
  bytes: Uint8Array,
  file: string,
  shape: readonly number[],
  preprocess: Preprocess,
): Promise<Float32Array> {
  const [, height = 0, width = 0] = shape;
  const pixels = await decodeImage(bytes, file, preprocess.color === "GRAY");
  const resize = preprocess.resize === "bilinear" ? resizeBilinear : resizeAntialiased;
  const values = resize(pixels, width, height);
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
