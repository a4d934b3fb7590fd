/** Image files to pixels. Decoding is libvips' (sharp); everything after it is our own code, the same on every host. */

import sharp from "sharp";
import { unreadableImage } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";

/** 8-bit interleaved pixels, rows from the top. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** Larger images are refused rather than decoded: a few bytes can claim any size. */
export const MAX_PIXELS = 1 << 28;

/** File name endings that are taken for images. */
export const IMAGE_EXTENSIONS: readonly string[] = [".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff"];

/** Decodes, turns upright (EXIF), flattens transparency on black and converts to 8-bit sRGB or gray. */
export async function decodeImage(bytes: Uint8Array, file: string, gray = false): Promise<Pixels> {
  if (bytes[0] === 0x42 && bytes[1] === 0x4d) return decodeBmp(bytes, file, gray);
  try {
    const image = sharp(bytes, { failOn: "error", limitInputPixels: MAX_PIXELS, pages: 1, sequentialRead: true })
      .rotate()
      .flatten({ background: "#000000" })
      .toColourspace("srgb");
    const { data, info } = await image.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
    const pixels: Pixels = { width: info.width, height: info.height, channels: info.channels === 1 ? 1 : 3, data };
    return gray ? toGray(pixels) : toThreeChannels(pixels);
  } catch (error) {
    throw new UserError(unreadableImage(file, (error as Error).message.split("\n")[0] ?? ""));
  }
}

function toThreeChannels(pixels: Pixels): Pixels {
  if (pixels.channels === 3) return pixels;
  const data = new Uint8Array(pixels.width * pixels.height * 3);
  for (let i = 0; i < pixels.data.length; i++) data.fill(pixels.data[i] ?? 0, 3 * i, 3 * i + 3);
  return { ...pixels, channels: 3, data };
}

/** Luma of BT.601 in 16-bit fixed point, as Pillow and OpenCV compute it; equal channels keep their value. */
const luma = (r: number, g: number, b: number): number => (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;

function toGray(pixels: Pixels): Pixels {
  if (pixels.channels === 1) return pixels;
  const { data: rgb } = pixels;
  const data = new Uint8Array(pixels.width * pixels.height);
  for (let i = 0; i < data.length; i++) data[i] = luma(rgb[3 * i] ?? 0, rgb[3 * i + 1] ?? 0, rgb[3 * i + 2] ?? 0);
  return { ...pixels, channels: 1, data };
}

/** Uncompressed BMP of 24 or 32 bits, which sharp does not read. */
function decodeBmp(bytes: Uint8Array, file: string, gray: boolean): Pixels {
  const fail = (reason: string): never => {
    throw new UserError(unreadableImage(file, reason));
  };
  if (bytes.length < 54) return fail("the BMP header is cut off");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = view.getUint32(10, true);
  const width = view.getInt32(18, true);
  const signedHeight = view.getInt32(22, true);
  const height = Math.abs(signedHeight);
  const bits = view.getUint16(28, true);
  const compression = view.getUint32(30, true);
  if ((bits !== 24 && bits !== 32) || (compression !== 0 && compression !== 3)) {
    return fail(`BMP of ${bits} bits, compression ${compression}: only uncompressed 24 and 32 bits are read`);
  }
  const stride = Math.ceil((width * bits) / 32) * 4;
  if (width <= 0 || height === 0 || width * height > MAX_PIXELS || start + stride * height > bytes.length) {
    return fail("the BMP is cut off or its size is not sensible");
  }
  const channels = gray ? 1 : 3;
  const data = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    let at = start + stride * (signedHeight > 0 ? height - 1 - y : y);
    for (let x = 0; x < width; x++, at += bits / 8) {
      const [b, g, r] = [bytes[at] ?? 0, bytes[at + 1] ?? 0, bytes[at + 2] ?? 0];
      if (gray) data[y * width + x] = luma(r, g, b);
      else data.set([r, g, b], (y * width + x) * 3);
    }
  }
  return { width, height, channels, data };
}
