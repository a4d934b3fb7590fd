/**
 * The four steps of MACE's quantization document on whole networks, against the rules on the same samples: Inception-v3 with generated weights.
 *
 * MACE's range files keep six decimals and the rules' keep all digits, so ranges are compared to half a unit of the sixth decimal, and
 * models byte by byte after step 4 took the rules' ranges.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { parseOverallRange } from "../../tools/statistics/overall-range";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-inception-"));
const at = (name: string): string => path.join(folder, name);
after(() => fs.rmSync(folder, { recursive: true }));

/** Runs a program in a process of its own, as a user does; its standard output goes to a file when one is named. */
function step(module: string, args: readonly string[], output?: string): void {
  const script = require.resolve(`../../tools/${module}`);
  const descriptor = output === undefined ? "ignore" : fs.openSync(output, "w");
  const flags = process.execArgv.filter((flag) => flag !== "--test");
  const result = spawnSync(process.execPath, [...flags, script, ...args], {
    stdio: ["ignore", descriptor, "pipe"],
    encoding: "utf8",
    env: { ...process.env, NODE_TEST_CONTEXT: "" },
  });
  if (typeof descriptor === "number") fs.closeSync(descriptor);
  assert.equal(result.status, 0, result.stderr);
}

test("Inception-v3, eight images", () => {
  const yaml = fs.readFileSync("models/inception_v3/inception_v3.yml", "utf8");
  fs.copyFileSync("models/inception_v3/inception_v3.pb", at("inception_v3.pb"));
  const configure = (keys: string): void =>
    fs.writeFileSync(at("net.yml"), yaml.replace("    runtime: cpu\n", `    runtime: cpu\n${keys}`));
  configure("");
  const config = ["--config", at("net.yml"), "--output", at("build")];
  const built = (file: string): Buffer => fs.readFileSync(at(`build/inception-v3/${file}`));
  const ofRules = (file: string): Buffer => fs.readFileSync(file);

  step("dropin/converter", ["convert", ...config, "--quantize_stat"]);
  for (const ending of [".pb", ".data"]) {
    assert.ok(built(`model/inception_v3${ending}`).equals(ofRules(`models/inception_v3${ending}`)), `float ${ending}`);
  }

  const images = ["--input", "models/inception_v3_samples", "--output_dir", at("tensors")];
  step("dropin/image-to-tensor", [...images, "--image_shape=299,299,3", "--prefix", "input"]);
  assert.equal(fs.readdirSync(at("tensors")).length, 8);
  step("dropin/converter", ["run", ...config, "--quantize_stat", "--input_dir", at("tensors")], at("range_log"));

  step("dropin/quantize-stat", ["--log_file", at("range_log")], at("overall_range"));
  const rules = "models/inception_v3_stat.overall_range";
  const expected = parseOverallRange(fs.readFileSync(rules, "utf8"), rules);
  const written = parseOverallRange(fs.readFileSync(at("overall_range"), "utf8"), "overall_range");
  assert.deepEqual([...written.keys()], [...expected.keys()]);
  for (const [name, [low, high]] of expected) {
    const [l, h] = written.get(name) ?? [Number.NaN, Number.NaN];
    assert.ok(Math.abs(l - low) <= 0.6e-6 && Math.abs(h - high) <= 0.6e-6, `${name}: ${l},${h} for ${low},${high}`);
  }

  // Step 4 as it is, and with all digits of the same ranges.
  configure("    quantize: 1\n    quantize_range_file: overall_range\n");
  step("dropin/converter", ["convert", ...config]);
  const size = built("model/inception_v3.data").length;
  assert.equal(size, ofRules("test/e2e/inception_v3_document.data").length);
  fs.copyFileSync(rules, at("overall_range"));
  step("dropin/converter", ["convert", ...config]);
  for (const ending of [".pb", ".data"]) {
    const own = built(`model/inception_v3${ending}`);
    assert.ok(own.equals(ofRules(`test/e2e/inception_v3_document${ending}`)), `quantized ${ending}`);
  }
});
