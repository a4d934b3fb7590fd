/**
 * How fast a folder of photographs becomes tensors: `image_to_tensor` on 1,000 generated JPEGs of 299×299, as a process of its own, with its
 * start. Prints the images per second of each turn and the median; exits with 1 when that is below the bar.
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
const TURNS = 5;
/** Images per second on two cores. */
const BAR = 100;

async function writeImages(folder: string): Promise<void> {
  fs.mkdirSync(folder);
  for (let picture = 0; picture < PICTURES; picture++) {
    const jpeg = await sharp(await sampleImage(picture, SIDE, SIDE))
      .jpeg({ quality: 90 })
      .toBuffer();
    for (let i = picture; i < IMAGES; i += PICTURES) fs.writeFileSync(path.join(folder, `${i}.jpg`), jpeg);
  }
}

function turn(images: string, tensors: string): number {
  fs.rmSync(tensors, { recursive: true, force: true });
  const script = require.resolve("../tools/dropin/image-to-tensor");
  const args = ["--input", images, "--output_dir", tensors, `--image_shape=${SIDE},${SIDE},3`, "--prefix", "input"];
  const start = performance.now();
  const result = spawnSync(process.execPath, [...process.execArgv, script, ...args], { encoding: "utf8" });
  const seconds = (performance.now() - start) / 1000;
  if (result.status !== 0) throw new Error(result.stderr);
  const written = fs.readdirSync(tensors).length;
  if (written !== IMAGES) throw new Error(`${written} tensors were written`);
  return IMAGES / seconds;
}

async function main(): Promise<number> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-images-"));
  try {
    await writeImages(path.join(folder, "images"));
    const rates = Array.from({ length: TURNS }, () => {
      const rate = turn(path.join(folder, "images"), path.join(folder, "tensors"));
      console.log(`${rate.toFixed(1)} images/s`);
      return rate;
    });
    const median = rates.sort((a, b) => a - b)[TURNS >> 1] ?? 0;
    console.log(`median of ${TURNS}: ${median.toFixed(1)} images/s on ${os.cpus().length} processors, bar ${BAR}`);
    return median >= BAR ? 0 : 1;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

void main().then((code) => {
  process.exitCode = code;
});
