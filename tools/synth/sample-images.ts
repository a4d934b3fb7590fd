/** Generated sample images: soft gradients, stripes and discs of many colours, sizes and contrasts. */

import sharp from "sharp";
import { Random } from "./random";

type Paint = (x: number, y: number, rgb: Float64Array) => void;

/** Image number `index` as PNG; the same bytes on every host. */
export async function sampleImage(index: number, width: number, height: number): Promise<Uint8Array> {
  const size = Math.max(width, height);
  const random = new Random(`sample ${index}`);
  const paints = Array.from({ length: 3 + (random.next() % 5) }, () => randomPaint(random, size));
  const noise = 24 * random.uniform();
  const pixels = new Uint8Array(width * height * 3);
  const rgb = new Float64Array(3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      rgb.fill(0);
      for (const paint of paints) paint(x, y, rgb);
      for (let c = 0; c < 3; c++, at++) {
        pixels[at] = Math.min(Math.max(Math.round((rgb[c] ?? 0) + noise * (random.uniform() - 0.5)), 0), 255);
      }
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 9 })
    .toBuffer();
}

function randomPaint(random: Random, size: number): Paint {
  const color = [0, 1, 2].map(() => 255 * random.uniform());
  const [u, v] = [random.uniform() - 0.5, random.uniform() - 0.5];
  const mix = (rgb: Float64Array, amount: number): void => {
    for (let c = 0; c < 3; c++) rgb[c] = (rgb[c] ?? 0) * (1 - amount) + (color[c] ?? 0) * amount;
  };
  switch (random.next() % 3) {
    case 0:
      return (x, y, rgb) => mix(rgb, Math.min(Math.max(0.5 + (u * x + v * y) / size, 0), 1));
    case 1: {
      const period = 4 + (random.next() % 60);
      return (x, y, rgb) => {
        if (Math.floor((u * x + v * y) / period + 1000) % 2 === 0) mix(rgb, 0.6);
      };
    }
    default: {
      const [cx, cy, r] = [size * random.uniform(), size * random.uniform(), (size / 2) * random.uniform()];
      return (x, y, rgb) => {
        if ((x - cx) ** 2 + (y - cy) ** 2 < r * r) mix(rgb, 0.9);
      };
    }
  }
}
