/** Commands that write files say nothing on standard output: that is for data which was asked for. */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { main as mace } from "../../tools/cli/main";
import { main as converter } from "../../tools/dropin/converter";
import { main as imageToTensor } from "../../tools/dropin/image-to-tensor";
import { main as tensorToImage } from "../../tools/dropin/tensor-to-image";
import { encodeImage } from "../../tools/image/encode";
import { call } from "./call";
import { network, SIDE, yaml } from "./tiny-network";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-quiet-"));
const at = (name: string): string => path.join(folder, name);
after(() => fs.rmSync(folder, { recursive: true }));

const RUN = path.resolve("mace/bin/mace_run");
const STAT = path.resolve("mace/bin/mace_stat");
const IMAGES = ["--input_dir", at("images")];
const MODEL = ["--model", at("net.pb")];
const QUANTIZED = [...MODEL, "--quantized", at("quant.pb")];

before(async () => {
  fs.writeFileSync(at("frozen.pb"), network());
  fs.writeFileSync(at("net.yml"), yaml("").replace("net.pb", "frozen.pb"));
  fs.mkdirSync(at("images"));
  const data = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) => (i * 31) & 0xff);
  const image = await encodeImage({ width: SIDE, height: SIDE, channels: 3, data }, "png");
  for (const name of ["a", "b"]) fs.writeFileSync(at(`images/${name}.png`), image);
});

/** In an order in which each finds what it reads. */
for (const [program, ...args] of [
  [mace, "convert", "--config", at("net.yml"), "--output_prefix", at("net")],
  [mace, "stat", ...MODEL, "--runner", STAT, ...IMAGES, "--output", at("stat"), "--ranges", at("ranges")],
  [mace, "stat", ...MODEL, "--runner", STAT, ...IMAGES, "--output", at("part0"), "--shard", "0/2"],
  [mace, "stat", ...MODEL, "--runner", STAT, ...IMAGES, "--output", at("part1"), "--shard", "1/2"],
  [mace, "stat-merge", at("part0"), at("part1"), "--output", at("merged")],
  [mace, "ranges", "--statistics", at("merged"), "--output", at("again"), "--range_log", at("log")],
  [mace, "quantize", ...MODEL, "--ranges", at("ranges"), "--scheme", "uint8", "--output_prefix", at("quant")],
  [mace, "quantize", ...MODEL, "--ranges", at("ranges"), "--runtime", "dsp", "--output_prefix", at("dsp")],
  [mace, "lower", "--model", at("dsp.pb"), "--runtime", "dsp", "--fallback", "cpu", "--output_prefix", at("lowered")],
  [mace, "evaluate", ...QUANTIZED, "--runner", RUN, ...IMAGES, "--output", at("evaluation"), "--quiet"],
  [mace, "report", ...QUANTIZED, "--evaluation", at("evaluation"), "--output", at("report.html")],
  [mace, "inspect", at("net.pb"), "--html", at("net.html")],
  [converter, "convert", "--config", at("net.yml"), "--output", at("build")],
  [imageToTensor, "--input", at("images"), "--config", at("net.yml"), "--output_dir", at("tensors")],
  [tensorToImage, "--input", at("tensors"), "--output_dir", at("back"), `--image_shape=${SIDE},${SIDE},3`],
  [converter, "run", "--config", at("net.yml"), "--output", at("build"), "--input_dir", at("tensors")],
] as const) {
  const command = args.filter((word, i) => i === 0 || word.startsWith("--")).join(" ");
  test(`nothing on standard output: ${command}`, async () => {
    const { code, out, said } = await call(program, ...args);
    assert.equal(code, 0, said);
    assert.equal(out, "");
  });
}
