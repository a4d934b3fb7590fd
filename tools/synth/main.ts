/**
 * Makes what the worked examples need and nobody may redistribute: networks with generated weights, and sample images.
 *
 *   synth NETWORK OUTPUT.pb                       a network of NETWORKS, below
 *   synth images WIDTHxHEIGHT OUTPUT.png...
 *   synth shapes SPLIT LABELS.txt OUTPUT.png...   pictures of models/shapes_net and a line `file class` for each
 *   synth shapes-array SPLIT COUNT OUTPUT.bin     the same as COUNT times 3073 bytes: class, then pixels
 */

import * as path from "node:path";
import sharp from "sharp";
import { writeFileAtomically } from "../io/files";
import { inceptionV3 } from "./inception-v3";
import { mixedNet } from "./mixed-net";
import { mobilenetV2 } from "./mobilenet-v2";
import { sampleImage } from "./sample-images";
import { picture, SIDE, type Split } from "./shapes";

const NETWORKS: Readonly<Record<string, () => Uint8Array>> = {
  "inception-v3": inceptionV3,
  "mixed-net": mixedNet,
  "mobilenet-v2": mobilenetV2,
};

async function main([what, ...rest]: readonly string[]): Promise<number> {
  const network = NETWORKS[what ?? ""];
  if (network && rest.length === 1) {
    writeFileAtomically(rest[0] ?? "", [network()]);
    return 0;
  }
  if (what === "images" && rest.length >= 2) {
    const [size = "", ...files] = rest;
    const [width = 0, height = 0] = size.split("x").map(Number);
    for (const [index, file] of files.entries()) writeFileAtomically(file, [await sampleImage(index, width, height)]);
    return 0;
  }
  if (what === "shapes" && rest.length >= 3) {
    const [split, labels, ...files] = rest;
    let lines = "";
    for (const [index, file] of files.entries()) {
      const { label, pixels } = picture(split as Split, index);
      lines += `${path.basename(file)} ${label}\n`;
      const image = sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 3 } });
      writeFileAtomically(file, [await image.png({ compressionLevel: 9 }).toBuffer()]);
    }
    writeFileAtomically(labels ?? "", [lines]);
    return 0;
  }
  if (what === "shapes-array" && rest.length === 3) {
    const [split, count, file] = rest;
    const rows = Array.from({ length: Number(count) }, (_, index) => picture(split as Split, index));
    writeFileAtomically(
      file ?? "",
      rows.flatMap(({ label, pixels }) => [Uint8Array.of(label), pixels]),
    );
    return 0;
  }
  process.stderr.write(
    `usage: synth ${Object.keys(NETWORKS).join("|")} OUTPUT.pb | synth images WIDTHxHEIGHT OUTPUT.png... | synth shapes SPLIT LABELS.txt OUTPUT.png... | synth shapes-array SPLIT COUNT OUTPUT.bin\n`,
  );
  return 2;
}

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
