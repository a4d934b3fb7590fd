/**
 * Makes what the worked examples need and nobody may redistribute: networks with generated weights, and sample images.
 *
 *   synth inception-v3 OUTPUT.pb
 *   synth images SIZE OUTPUT.png...
 */

import { writeFileAtomically } from "../io/files";
import { inceptionV3 } from "./inception-v3";
import { sampleImage } from "./sample-images";

async function main([what, ...rest]: readonly string[]): Promise<number> {
  if (what === "inception-v3" && rest.length === 1) {
    writeFileAtomically(rest[0] ?? "", [inceptionV3()]);
    return 0;
  }
  if (what === "images" && rest.length >= 2) {
    const [size, ...files] = rest;
    for (const [index, file] of files.entries()) writeFileAtomically(file, [await sampleImage(index, Number(size))]);
    return 0;
  }
  process.stderr.write("usage: synth inception-v3 OUTPUT.pb | synth images SIZE OUTPUT.png...\n");
  return 2;
}

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
