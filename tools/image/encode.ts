/** Pixels to image files. */

import sharp from "sharp";
import type { Pixels } from "./decode";

export async function encodeImage(pixels: Pixels, format: "jpg" | "png"): Promise<Uint8Array> {
  const { width, height, channels } = pixels;
  const image = sharp(pixels.data, { raw: { width, height, channels } });
  return format === "png" ? image.png().toBuffer() : image.jpeg({ quality: 95, chromaSubsampling: "4:4:4" }).toBuffer();
}
