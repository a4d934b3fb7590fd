/**
 * How fast a folder of photographs becomes tensors: `image_to_tensor` on 1,000 generated JPEGs, one of which is broken, as a process of its own,
 * with its start; once of the input's size (299×299) and once of 640×480, which are resized. Prints the images per second of each turn and the
 * medians; exits with 1 when the first is below the bar.
 */

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import sharp from "sharp";
import { sampleImage } from "../tools/synth/sample-images";

const IMAGES = 1000;
/** Pictures that differ; each is there under several names. */
const PICTURES = 100;
const SIDE = 299;
/** The broken one. */
const BROKEN = 500;
const TURNS = 5;
/** Images per second on two cores. */
const BAR = 100;

async function writeImages(folder: string, width: number, height: number): Promise<void> {
  fs.mkdirSync(folder);
  for (let picture = 0; picture < PICTURES; picture++) {
    const jpeg = await sharp(await sampleImage(picture, width, height))
      .jpeg({ quality: 90 })
      .toBuffer();
    for (let i = picture; i < IMAGES; i += PICTURES) fs.writeFileSync(path.join(folder, `${i}.jpg`), jpeg);
  }
  const broken = path.join(folder, `${BROKEN}.jpg`);
  fs.writeFileSync(broken, fs.readFileSync(broken).subarray(0, 1000));
}

function turn(images: string, tensors: string): number {
  fs.rmSync(tensors, { recursive: true, force: true });
  const script = require.resolve("../tools/dropin/image-to-tensor");
  const args = ["--input", images, "--output_dir", tensors, `--image_shape=${SIDE},${SIDE},3`, "--prefix", "input"];
  const start = performance.now();
  const result = spawnSync(process.execPath, [...process.execArgv, script, ...args], { encoding: "utf8" });
  const seconds = (performance.now() - start) / 1000;
  if (result.status !== 0) throw new Error(result.stderr);
  if (!result.stderr.includes(`${BROKEN}.jpg`)) throw new Error("the broken image was not reported");
  const written = fs.readdirSync(tensors).length;
  if (written !== IMAGES - 1) throw new Error(`${written} tensors were written`);
  return IMAGES / seconds;
}

async function measure(folder: string, width: number, height: number): Promise<number> {
  const images = path.join(folder, `${width}x${height}`);
  await writeImages(images, width, height);
  const rates = Array.from({ length: TURNS }, () => {
    const rate = turn(images, path.join(folder, "tensors"));
    console.log(`${width}x${height}: ${rate.toFixed(1)} images/s`);
    return rate;
  });
  return rates.sort((a, b) => a - b)[TURNS >> 1] ?? 0;
}

async function main(): Promise<number> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-images-"));
  try {
    const median = await measure(folder, SIDE, SIDE);
    const resized = await measure(folder, 640, 480);
    console.log(`medians of ${TURNS} on ${os.cpus().length} processors, with one broken image of ${IMAGES}:`);
    console.log(`${SIDE}x${SIDE}: ${median.toFixed(1)} images/s, bar ${BAR}`);
    console.log(`640x480 to ${SIDE}x${SIDE}: ${resized.toFixed(1)} images/s`);
    return median >= BAR ? 0 : 1;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

void main().then((code) => {
  process.exitCode = code;
});
