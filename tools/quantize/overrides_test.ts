import assert from "node:assert/strict";
import { test } from "node:test";
import { BIAS_CORRECTION_NAMES, QUANTIZATION_SCHEMES } from "../config/keys";
import { UserError } from "../diagnostics/diagnostic";
import { withOverrides } from "./overrides";
import { DEFAULT_SETTINGS } from "./quantize-model";
import { AUTO_SCHEME, BIAS_CORRECTIONS, SCHEMES } from "./scheme";

const CONFIGURED = { scheme: "uint8", keepFloat: ["head*"], ranges: ["x=-1,1"] };

test("the configuration decides where nothing else does", () => {
  const { settings, conflicts } = withOverrides(DEFAULT_SETTINGS, CONFIGURED);
  assert.equal(settings.scheme, "uint8");
  assert.deepEqual(settings.keepFloat, ["head*"]);
  assert.deepEqual(settings.ranges, ["x=-1,1"]);
  assert.equal(conflicts.length, 0);
});

test("the rule is stronger, and what both say differently is told", () => {
  const given = { ...DEFAULT_SETTINGS, scheme: "int8_per_channel", keepFloat: ["stem"], ranges: ["x=-2,2", "y=0,1"] };
  const { settings, conflicts } = withOverrides(given, CONFIGURED);
  assert.equal(settings.scheme, "int8_per_channel");
  assert.deepEqual(settings.keepFloat, ["head*", "stem"]);
  assert.deepEqual(settings.ranges, ["x=-1,1", "x=-2,2", "y=0,1"], "the last one wins");
  assert.deepEqual(
    conflicts.map((c) => c.message),
    [
      "the configuration says `scheme` uint8, the command or target int8_per_channel",
      "the configuration says the range of 'x' is -1,1, the command or target -2,2",
    ],
  );
});

test("saying the same twice is no conflict", () => {
  const given = { ...DEFAULT_SETTINGS, scheme: "uint8", keepFloat: ["head*"], ranges: ["x=-1,1"] };
  const { settings, conflicts } = withOverrides(given, CONFIGURED);
  assert.equal(conflicts.length, 0);
  assert.deepEqual(settings.keepFloat, ["head*"]);
});

test("weights and bias correction follow the same rule", () => {
  const configured = { keepFloat: [], ranges: [], weights: ["a=per_tensor", "b=per_tensor"], biasCorrection: "none" };
  const alone = withOverrides(DEFAULT_SETTINGS, configured);
  assert.deepEqual(alone.settings.weights, ["a=per_tensor", "b=per_tensor"]);
  assert.equal(alone.settings.biasCorrection, "none");
  assert.deepEqual(alone.conflicts, []);
  const given = { ...DEFAULT_SETTINGS, weights: ["b=per_channel"], biasCorrection: "empirical" as const };
  const both = withOverrides(given, configured);
  assert.deepEqual(both.settings.weights, ["a=per_tensor", "b=per_tensor", "b=per_channel"]);
  assert.equal(both.settings.biasCorrection, "empirical");
  assert.deepEqual(
    both.conflicts.map((c) => c.message),
    [
      "the configuration says `bias_correction` none, the command or target empirical",
      "the configuration says the weights of 'b' is per_tensor, the command or target per_channel",
    ],
  );
  assert.throws(() => withOverrides(DEFAULT_SETTINGS, { ...configured, biasCorrection: "some" }), UserError);
});

test("a model file with an unknown scheme is refused", () => {
  assert.throws(() => withOverrides(DEFAULT_SETTINGS, { ...CONFIGURED, scheme: "int4" }), UserError);
});

test("the configuration knows the schemes that there are", () => {
  assert.deepEqual([...QUANTIZATION_SCHEMES].sort(), [AUTO_SCHEME, ...Object.keys(SCHEMES)].sort());
  assert.deepEqual([...BIAS_CORRECTION_NAMES], Object.keys(BIAS_CORRECTIONS));
});
