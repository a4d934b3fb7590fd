/**
 * A model for devices without its names, from the key of the configuration and from the flag to what the programs say: it computes the same, a profile
 * is read back with the table, and what goes by names refuses it. Through the rules: files for devices have no names, all others have them.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { main } from "../../tools/cli/main";
import { parseNames } from "../../tools/emit/obfuscate";
import { readModel } from "../../tools/emit/model-reader";
import { Random } from "../../tools/synth/random";
import { call, succeed } from "./call";
import { network, SIDE, yaml } from "./tiny-network";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-obfuscate-"));
after(() => fs.rmSync(folder, { recursive: true }));
const at = (name: string): string => path.join(folder, name);
const read = (name: string): Buffer => fs.readFileSync(at(name));
const text = (name: string): string => read(name).toString("latin1");

/** Names of the network's inner tensors and operators. */
const NAMES = ["conv1", "conv2", "w1"];
const program = (name: string, ...args: readonly string[]) => spawnSync(`mace/bin/${name}`, args, { encoding: "utf8" });
const files = (pb: string, data: string): string[] => [`--model_file=${at(pb)}`, `--model_data_file=${at(data)}`];

before(async () => {
  fs.writeFileSync(at("net.pb"), network());
  fs.writeFileSync(at("hidden.yml"), yaml("").replace("obfuscate: 0", "obfuscate: 1"));
  fs.writeFileSync(at("plain.yml"), yaml(""));
  const random = new Random("obfuscate");
  const picture = Float32Array.from({ length: SIDE * SIDE * 3 }, () => random.normal() / 3);
  fs.writeFileSync(at("x.dat"), new Uint8Array(picture.buffer));
  fs.mkdirSync(at("samples"));
  fs.copyFileSync(at("x.dat"), at("samples/x.dat"));
  await succeed(main, "convert", "--config", at("hidden.yml"), "--output_prefix", at("float"));
  await succeed(main, "convert", "--config", at("plain.yml"), "--output_prefix", at("flag"), "--obfuscate");
  const stat = ["--runner", path.resolve("mace/bin/mace_stat"), "--input_dir", at("samples"), "--output", at("s.stat")];
  await succeed(main, "stat", "--model", at("float.pb"), ...stat, "--ranges", at("s.ranges"));
  const quantize = ["quantize", "--model", at("float.pb"), "--ranges", at("s.ranges"), "--runtime", "dsp"];
  await succeed(main, ...quantize, "--output_prefix", at("quant"));
  await succeed(main, "lower", "--model", at("quant.pb"), "--runtime", "dsp", "--output_prefix", at("lowered"));
});

test("the key and the flag give the same file", () => {
  assert.deepEqual(read("float.obfuscated.pb"), read("flag.obfuscated.pb"));
  assert.deepEqual(read("float.obfuscated.names"), read("flag.obfuscated.names"));
});

for (const model of ["float", "quant", "lowered"]) {
  test(`${model}: names are in the model and its table, not in the file for devices`, () => {
    const table = [...parseNames(text(`${model}.obfuscated.names`)).values()].join("\n");
    for (const name of NAMES) {
      assert.ok(text(`${model}.pb`).includes(name), name);
      assert.ok(table.includes(name), name);
      assert.ok(!text(`${model}.obfuscated.pb`).includes(name), name);
    }
    for (const name of ["input", "output"]) assert.ok(text(`${model}.obfuscated.pb`).includes(name), name);
  });
}

test("without the key there are no such files", async () => {
  await succeed(main, "convert", "--config", at("plain.yml"), "--output_prefix", at("plain"));
  assert.ok(!fs.existsSync(at("plain.obfuscated.pb")));
  // The other files do not depend on it, but for the word that asks for it.
  assert.deepEqual(read("plain.txt"), read("float.txt"));
  assert.deepEqual(read("plain.data"), read("float.data"));
});

for (const [model, runner] of [
  ["float", "mace_run"],
  ["quant", "mace_run"],
  ["lowered", "mace_run_with_accelerators"],
] as const) {
  test(`${model}: it computes the same`, () => {
    const outputs = [`${model}.pb`, `${model}.obfuscated.pb`].map((pb) => {
      const to = fs.mkdtempSync(at("out-"));
      const library = model === "lowered" ? ["--accelerator_library=third_party/nnlib/sim/libhexagon_nn_sim.so"] : [];
      const args = [...files(pb, `${model}.data`), `--input=input=${at("x.dat")}`, `--output_dir=${to}`, ...library];
      const { status, stderr } = program(runner, ...args);
      assert.equal(status, 0, stderr);
      return fs.readdirSync(to).map((name) => [name, fs.readFileSync(path.join(to, name))]);
    });
    assert.equal(outputs[0]?.length, 1);
    assert.deepEqual(outputs[0], outputs[1]);
  });
}

test("a profile is read back with the table", async () => {
  const profile = (pb: string): string => program("mace_run", ...files(pb, "float.data"), "--benchmark").stdout;
  const ours = profile("float.obfuscated.pb");
  for (const name of NAMES) assert.ok(!ours.includes(name), name);
  fs.writeFileSync(at("profile"), ours);
  const read = await succeed(main, "restore-names", "--names", at("float.obfuscated.names"), at("profile"));
  // The last word of a line about an operator is its name.
  const operators = (said: string) =>
    said.split("\n").flatMap((line) => /^ +[\d.]+ .*Conv2D.* (\S+)$/.exec(line)?.[1] ?? []);
  assert.deepEqual(operators(read), operators(profile("float.pb")));
  assert.ok(
    operators(read).some((name) => name.includes("conv1")),
    read,
  );
});

test("what goes by names refuses the file and says which one to take", async () => {
  const hidden = ["--model", at("float.obfuscated.pb"), "--model_data", at("float.data")];
  const stat = program(
    "mace_stat",
    ...files("float.obfuscated.pb", "float.data"),
    "--input_stream=-",
    `--output=${at("no")}`,
  );
  assert.equal(stat.status, 1);
  assert.match(stat.stderr, /MR223[\s\S]*fix: give the model itself/);
  for (const command of [
    ["quantize", ...hidden, "--ranges", at("s.ranges"), "--output_prefix", at("no")],
    ["explain", at("quant.obfuscated.pb"), "--model_data", at("quant.data")],
    [
      "lower",
      "--model",
      at("quant.obfuscated.pb"),
      "--model_data",
      at("quant.data"),
      "--runtime",
      "dsp",
      "--output_prefix",
      at("no"),
    ],
  ]) {
    const { code, said } = await call(main, ...command);
    assert.equal(code, 1, said);
    assert.match(said, /MQ531[\s\S]*fix: give the model itself/);
  }
  assert.ok(!fs.existsSync(at("no.pb")) && !fs.existsSync(at("no")));
  // To look at it is no matter of names.
  assert.match(await succeed(main, "inspect", at("float.obfuscated.pb"), "--model_data", at("float.data")), /Conv2D/);
});

test("through the rules, only files for devices are without names", () => {
  const model = "test/e2e/shapes_net_obfuscated";
  const inner = "block1/project";
  const has = (file: string): boolean => fs.readFileSync(file).toString("latin1").includes(inner);
  assert.deepEqual(
    [".pb", ".host.pb", "_quant.pb", "_quant.host.pb", "_quant.dsp.pb", "_quant.txt"]
      .filter((ending) => fs.existsSync(`${model}${ending}`))
      .map((ending) => [ending, has(`${model}${ending}`)]),
    [
      [".pb", true],
      ["_quant.pb", true],
      ["_quant.host.pb", false],
      ["_quant.dsp.pb", true],
      ["_quant.txt", true],
    ],
  );
  const { graph } = readModel(`${model}_quant.pb`, `${model}_quant.data`);
  assert.ok(graph.obfuscate);
});
