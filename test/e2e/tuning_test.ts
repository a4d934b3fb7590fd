/** What samples do for rounding and biases: never harm on them, a gain where there is one, and the same bytes each time. */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { main } from "../../tools/cli/main";
import { writeStack } from "./layer-stack";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-tuning-"));
const at = (name: string): string => path.join(folder, name);
after(() => fs.rmSync(folder, { recursive: true }));
const [RUN, STAT] = ["mace/bin/mace_run", "mace/bin/mace_stat"].map((program) => path.resolve(program)) as [
  string,
  string,
];
const SAMPLES = ["--input_dir", at("samples"), "--num_threads", "1"];

async function mace(...args: readonly string[]): Promise<void> {
  assert.equal(await main(args), 0, args.join(" "));
}

before(async () => {
  writeStack(folder, { layers: 1, side: 8, samples: 16, mixed: 3, outlier: 60 });
  await mace("convert", "--config", at("net.yml"), "--output_prefix", at("net"));
  await mace("stat", "--model", at("net.pb"), "--runner", STAT, ...SAMPLES, "--ranges", at("net.ranges"));
});

/** Quantizes and gives the signal-to-noise ratio of the output on the samples, dB. */
async function quantized(name: string, scheme: string, ...more: readonly string[]): Promise<number> {
  const files = ["--model", at("net.pb"), "--ranges", at("net.ranges")];
  const how = ["--scheme", scheme, "--runner", RUN, ...SAMPLES, "--output_prefix", at(name)];
  await mace("quantize", ...files, ...how, ...more);
  const models = ["--model", at("net.pb"), "--quantized", at(`${name}.pb`), "--runner", RUN];
  await mace("evaluate", ...models, ...SAMPLES, "--quiet", "--output", at("result.json"));
  return JSON.parse(fs.readFileSync(at("result.json"), "utf8")).outputs[0].sqnr;
}

const bytesOf = (name: string): string[] =>
  ["pb", "data", "txt"].map((ending) => fs.readFileSync(at(`${name}.${ending}`)).toString("base64"));

/** One scale for all weights of a layer. Without statistics nothing else helps, and no means are known. */
const COARSE = { uint8: [], int8_per_channel: ["--weights", "*=per_tensor"] } as const;

for (const scheme of ["uint8", "int8_per_channel"] as const) {
  for (const [what, options, gain] of [
    ["adaptive rounding", ["--rounding", "adaptive"], 1],
    ["empirical bias correction", ["--bias_correction", "empirical"], 1],
    ["both", ["--rounding", "adaptive", "--bias_correction", "empirical"], 1],
  ] as const) {
    test(`${scheme}: ${what} gains, with the same bytes each time`, async () => {
      const before = await quantized("without", scheme, ...COARSE[scheme]);
      const after = await quantized("tuned", scheme, ...COARSE[scheme], ...options);
      console.log(`${scheme}, ${what}: ${before.toFixed(1)} dB, then ${after.toFixed(1)} dB`);
      assert.ok(after >= before + gain, `${before} dB, then ${after} dB`);
      assert.equal(await quantized("again", scheme, ...COARSE[scheme], ...options), after);
      assert.deepEqual(bytesOf("again"), bytesOf("tuned"));
    });
  }
}
