/** The model's preprocessing is one: in statistics, in image_to_tensor, and in the C++ programs, to the last bit. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { main as mace } from "../../tools/cli/main";
import { PRESETS } from "../../tools/config/preprocess";
import { main as imageToTensor } from "../../tools/dropin/image-to-tensor";
import { encodeImage } from "../../tools/image/encode";
import { Random } from "../../tools/synth/random";
import { succeed } from "./call";
import { network, SIDE, yaml } from "./tiny-network";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-preprocess-"));
const at = (name: string): string => path.join(folder, name);
after(() => fs.rmSync(folder, { recursive: true }));

/** Every value of a pixel in every channel, and of the input's size: pixels are whole numbers then. */
const PIXELS = ((): Uint8Array => {
  const random = new Random("pixels");
  const offsets = [0, 1, 2].map(() => random.next() & 0xff);
  return Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) => (Math.floor(i / 3) * 7 + (offsets[i % 3] ?? 0)) & 0xff);
})();

const RUN = path.resolve("mace/bin/mace_run");

function run(model: string, ...args: readonly string[]): { code: number | null; said: string } {
  const files = [`--model_file=${at(`${model}.pb`)}`, `--model_data_file=${at(`${model}.data`)}`];
  const { status, stderr } = spawnSync(RUN, [...files, ...args], { encoding: "utf8" });
  return { code: status, said: stderr };
}

before(async () => {
  fs.writeFileSync(at("net.pb"), network());
  const image = { width: SIDE, height: SIDE, channels: 3 as const, data: PIXELS };
  fs.writeFileSync(at("image.png"), await encodeImage(image, "png"));
});

for (const preset of [...Object.keys(PRESETS), undefined]) {
  test(`mace_run makes of pixels what image_to_tensor makes: ${preset ?? "nothing said"}`, async () => {
    fs.writeFileSync(at("net.yml"), yaml(preset === undefined ? "" : `    preprocess: ${preset}\n`));
    await succeed(mace, "convert", "--config", at("net.yml"), "--output_prefix", at("model"));
    const image = ["--input", at("image.png"), "--model", at("model.pb"), "--output_dir"];
    await succeed(imageToTensor, ...image, at("values"));
    await succeed(imageToTensor, ...image, at("pixels"), "--type", "uint8");
    // RGB, whatever the model's order.
    assert.deepEqual(new Uint8Array(fs.readFileSync(at("pixels/inputimage.dat"))), PIXELS);
    const outputs = (["float32", "uint8"] as const).map((type) => {
      const input = `--input=input=${at(type === "uint8" ? "pixels" : "values")}/inputimage.dat`;
      const { code, said } = run("model", input, `--input_type=${type}`, `--output_dir=${at(type)}`);
      assert.equal(code, 0, said);
      return fs.readFileSync(path.join(at(type), "output"));
    });
    assert.ok(outputs[0]?.some((byte) => byte !== 0));
    assert.ok(outputs[0]?.equals(outputs[1] as Buffer), "the outputs differ");
  });
}

test("what is wrong with pixels is told", () => {
  const input = `--input=input=${at("values/inputimage.dat")}`;
  const size = run("model", input, "--input_type=uint8");
  assert.equal(size.code, 1);
  assert.match(size.said, /error\[MR313\]: the pixels for input 'input' are \d+ bytes, not 867/);
  const word = run("model", input, "--input_type=uint16");
  assert.equal(word.code, 2);
  const stream = run("model", "--input_stream=-", "--input_type=uint8");
  assert.equal(stream.code, 2);
});
