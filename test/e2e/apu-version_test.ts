/** `apu_version_with_no_device` of a configuration, and `--apu_version`, from a TensorFlow file to a net for the device. */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { MultiNetDef } from "../../mace/proto/mace";
import { main } from "../../tools/cli/main";
import { call, succeed } from "./call";
import { network, yaml } from "./tiny-network";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-apu-version-"));
after(() => fs.rmSync(folder, { recursive: true }));
const at = (name: string): string => path.join(folder, name);

/** A quantized model for the APU, from a configuration with further keys. */
async function quantized(name: string, keys: string): Promise<void> {
  fs.writeFileSync(at(`${name}.yml`), yaml(keys).replace("runtime: cpu", "runtime: apu"));
  await succeed(main, "convert", "--config", at(`${name}.yml`), "--output_prefix", at(name));
  const ranges = ["--range", "*=-4,4", "--output_prefix", at(`${name}_quant`)];
  await succeed(main, "quantize", "--model", at(`${name}.pb`), ...ranges);
}

/** The version that the lowered net says, and what the command wrote. */
async function lowered(name: string, ...options: readonly string[]): Promise<[number | undefined, string]> {
  const to = ["--runtime", "apu", "--output_prefix", at(`${name}_apu`)];
  const { code, said } = await call(main, "lower", "--model", at(`${name}_quant.pb`), ...to, ...options);
  assert.equal(code, 0, said);
  const { netDef } = MultiNetDef.decode(fs.readFileSync(at(`${name}_apu.pb`)));
  return [netDef[0]?.arg.find((argument) => argument.name === "apu_version")?.i, said];
}

before(async () => {
  fs.writeFileSync(at("net.pb"), network());
  await quantized("plain", "");
  await quantized("old", "    apu_version_with_no_device: 1\n");
});

test("the configuration says the version, and the command line more strongly", async () => {
  assert.equal((await lowered("plain"))[0], undefined, "the newest is not said");
  assert.equal((await lowered("plain", "--apu_version", "2"))[0], 2);
  const [version, said] = await lowered("old");
  assert.equal(version, 1);
  assert.ok(!said.includes("MQ416"), said);
  const [stronger, warned] = await lowered("old", "--apu_version", "3");
  assert.equal(stronger, 3);
  assert.match(warned, /MQ416.*`apu_version` 1, the command or target 3/);
});

test("a version that there is not, and one for another device", async () => {
  fs.writeFileSync(at("wrong.yml"), yaml("    apu_version_with_no_device: 5\n"));
  const wrong = await call(main, "convert", "--config", at("wrong.yml"), "--output_prefix", at("wrong"));
  assert.equal(wrong.code, 1);
  assert.match(wrong.said, /apu_version_with_no_device[\s\S]*1, 2, 3, 4/);
  const model = ["--model", at("old_quant.pb"), "--output_prefix", at("out")];
  const dsp = await call(main, "lower", ...model, "--runtime", "dsp", "--apu_version", "3");
  assert.equal(dsp.code, 1);
  assert.match(dsp.said, /MQ529.*--apu_version would be ignored with --runtime dsp/);
  assert.ok(!fs.existsSync(at("out.pb")));
  assert.equal((await call(main, "lower", ...model, "--runtime", "apu", "--apu_version", "0")).code, 2);
});
