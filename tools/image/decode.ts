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
    const open = () =>
      sharp(bytes, { failOn: "error", limitInputPixels: MAX_PIXELS, pages: 1, sequentialRead: true }).rotate();
    const { space } = await open().metadata();
    const ink = space === "cmyk";
    const image = ink
      ? open().pipelineColourspace("cmyk").toColourspace("cmyk")
      : open().flatten({ background: "#000000" }).toColourspace("srgb");
    const { data, info } = await image.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
    const { width, height } = info;
    const pixels: Pixels = ink
      ? { width, height, channels: 3, data: inkToRgb(data) }
      : { width, height, channels: info.channels === 1 ? 1 : 3, data };
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

/** a * b / 255, rounded. */
const product = (a: number, b: number): number => {
  const t = a * b + 128;
  return ((t >> 8) + t) >> 8;
};

/** CMYK to RGB by plain subtraction, as Pillow and TensorFlow; profiles of presses are not looked at. */
function inkToRgb(ink: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((ink.length / 4) * 3);
  for (let p = 0, at = 0; p < ink.length; p += 4) {
    const light = 255 - (ink[p + 3] ?? 0);
    for (let c = 0; c < 3; c++) rgb[at++] = light - product(ink[p + c] ?? 0, light);
  }
  return rgb;
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

/** Bytes of the headers that BMP files have: from Windows 3 on, and with the masks in the header itself (2 to 5). */
const BMP_HEADERS: readonly number[] = [40, 52, 56, 108, 124];
const FILE_HEADER = 14;
const UNCOMPRESSED = 0;
const BIT_FIELDS = 3;

/** Red, green, blue: a byte each. */
const BYTES: readonly number[] = [0xff0000, 0xff00, 0xff];
/** Five bits each, as pixels of 16 bits are when nothing is said. */
const FIVES: readonly number[] = [0x7c00, 0x3e0, 0x1f];

const BMP_KINDS: Readonly<Record<number, string>> = {
  1: "it is run-length encoded",
  2: "it is run-length encoded",
  4: "it holds a JPEG file",
  5: "it holds a PNG file",
};

/** A channel of a pixel as 8 bits, rounded down as Pillow does. */
function fieldReader(mask: number): ((pixel: number) => number) | undefined {
  if (mask === 0) return undefined;
  const shift = 31 - Math.clz32(mask & -mask);
  const most = mask >>> shift;
  // Bits of a field stand together.
  if ((most & (most + 1)) !== 0) return undefined;
  return (pixel) => Math.floor((((pixel & mask) >>> shift) * 255) / most);
}

/** BMP of 16, 24 or 32 bits, which sharp does not read. */
function decodeBmp(bytes: Uint8Array, file: string, gray: boolean): Pixels {
  const fail = (reason: string): never => {
    throw new UserError(unreadableImage(file, reason));
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < FILE_HEADER + 4) return fail("the BMP header is cut off");
  const header = view.getUint32(FILE_HEADER, true);
  if (!BMP_HEADERS.includes(header)) {
    return fail(`the BMP header has ${header} bytes${header === 12 ? " (OS/2)" : ""}, not ${BMP_HEADERS.join(", ")}`);
  }
  if (bytes.length < FILE_HEADER + header) return fail("the BMP header is cut off");
  const start = view.getUint32(10, true);
  const width = view.getInt32(18, true);
  const signedHeight = view.getInt32(22, true);
  const height = Math.abs(signedHeight);
  const bits = view.getUint16(28, true);
  const compression = view.getUint32(30, true);
  if (compression !== UNCOMPRESSED && compression !== BIT_FIELDS) {
    return fail(BMP_KINDS[compression] ?? `its compression ${compression} is not known`);
  }
  if (bits <= 8) return fail(`its pixels are ${bits} bits, numbers of a palette: convert it to 24 bits`);
  if (bits !== 16 && bits !== 24 && bits !== 32) return fail(`its pixels are ${bits} bits, not 16, 24 or 32`);
  if (compression === BIT_FIELDS && bits === 24) return fail("masks are for pixels of 16 and 32 bits");
  // After the header's first part, whether they belong to it or follow it.
  const masksEnd = FILE_HEADER + 40 + 12;
  if (compression === BIT_FIELDS && bytes.length < masksEnd) return fail("the BMP header is cut off");
  const least = compression === BIT_FIELDS ? Math.max(masksEnd, FILE_HEADER + header) : FILE_HEADER + header;
  const stride = Math.ceil((width * bits) / 32) * 4;
  if (width <= 0 || height === 0 || width * height > MAX_PIXELS || start < least) {
    return fail("the size or the start of its pixels is not sensible");
  }
  if (start + stride * height > bytes.length) return fail("the BMP is cut off");
  const standard = bits === 16 ? FIVES : BYTES;
  const masks =
    compression === BIT_FIELDS ? [0, 1, 2].map((c) => view.getUint32(FILE_HEADER + 40 + 4 * c, true)) : standard;
  const [red, green, blue] = masks.map(fieldReader);
  if (!red || !green || !blue) return fail("its masks are not runs of bits");
  const channels = gray ? 1 : 3;
  const data = new Uint8Array(width * height * channels);
  const pixelAt =
    bits === 16
      ? (at: number) => view.getUint16(at, true)
      : bits === 32
        ? (at: number) => view.getUint32(at, true)
        : (at: number) => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);
  for (let y = 0; y < height; y++) {
    let at = start + stride * (signedHeight > 0 ? height - 1 - y : y);
    for (let x = 0; x < width; x++, at += bits / 8) {
      const pixel = pixelAt(at);
      const [r, g, b] = [red(pixel), green(pixel), blue(pixel)];
      if (gray) data[y * width + x] = luma(r, g, b);
      else data.set([r, g, b], (y * width + x) * 3);
    }
  }
  return { width, height, channels, data };
}
