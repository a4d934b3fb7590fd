/**
 * The data set of models/shapes_net: 32 x 32 pictures of eight shapes, of any colour, size and place, on gradients, with noise
 * and distracting lines. Only additions, multiplications, divisions and comparisons of binary64 numbers, so the same pixels on every host.
 */

import { Random } from "./random";

export const SHAPES = ["disc", "ring", "square", "frame", "triangle", "cross", "bars", "checkers"] as const;

export const SIDE = 32;

/** `train`, `calibration` and `test` have no picture in common. */
export type Split = "train" | "calibration" | "test";

export interface Picture {
  /** Index into SHAPES. */
  readonly label: number;
  /** RGB, row by row. */
  readonly pixels: Uint8Array;
}

/** Whether the point (x, y), in units of the shape's half side from its centre, belongs to the shape. */
const INSIDE: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => x * x + y * y < 1,
  (x, y) => x * x + y * y < 1 && x * x + y * y > 0.36,
  (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 0.9,
  (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 0.9 && Math.max(Math.abs(x), Math.abs(y)) > 0.55,
  (x, y) => y < 0.8 && y > -1 && Math.abs(x) < (y + 1) * 0.55,
  (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 1 && Math.min(Math.abs(x), Math.abs(y)) < 0.3,
  (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 1 && Math.floor((y + 1) * 2.5) % 2 === 0,
  (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 1 && (Math.floor((x + 1) * 2) + Math.floor((y + 1) * 2)) % 2 === 0,
];

export function picture(split: Split, index: number): Picture {
  const random = new Random(`shapes ${split} ${index}`);
  const between = (low: number, high: number): number => low + (high - low) * random.uniform();
  for (let i = 0; i < 4; i++) random.next();
  const label = random.next() % SHAPES.length;
  const inside = INSIDE[label] as (x: number, y: number) => boolean;
  const color = (): number[] => [0, 1, 2].map(() => between(0, 255));
  const [near, far, paint, line] = [color(), color(), color(), color()];
  // A shape of the ground's colour could not be seen.
  if (distance(paint, near) + distance(paint, far) < 200) for (let c = 0; c < 3; c++) paint[c] = 255 - (paint[c] ?? 0);
  const radius = between(6, 13);
  const [cx, cy] = [between(radius, SIDE - radius), between(radius, SIDE - radius)];
  // A rotation by up to about 17 degrees; (u, v) is scaled by less than 5 %, so it needs no square root.
  const turn = between(-0.3, 0.3);
  const [gu, gv] = [between(-1, 1), between(-1, 1)];
  const [lu, lv, offset, width] = [between(-1, 1), between(-1, 1), between(-10, 10), between(0.2, 0.9)];
  const noise = between(5, 60);
  const pixels = new Uint8Array(SIDE * SIDE * 3);
  for (let y = 0, at = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const [dx, dy] = [(x - cx) / radius, (y - cy) / radius];
      const mix = Math.min(Math.max(0.5 + (gu * (x - 16) + gv * (y - 16)) / SIDE, 0), 1);
      const painted = inside(dx + turn * dy, dy - turn * dx);
      const lined = Math.abs(lu * (x - 16) + lv * (y - 16) - offset) < width;
      for (let c = 0; c < 3; c++, at++) {
        const ground = (near[c] ?? 0) * mix + (far[c] ?? 0) * (1 - mix);
        const value = lined ? (line[c] ?? 0) : painted ? (paint[c] ?? 0) : ground;
        pixels[at] = Math.min(Math.max(Math.floor(value + noise * (random.uniform() - 0.5)), 0), 255);
      }
    }
  }
  return { label, pixels };
}

const distance = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, c) => sum + Math.abs(value - (b[c] ?? 0)), 0);
