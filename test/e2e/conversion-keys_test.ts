/** Keys of the configuration that change what is converted or how it is called: types of buffers, and rules of MACE's converter. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { MultiNetDef } from "../../mace/proto/mace";
import { main } from "../../tools/cli/main";
import { OPTIMIZER_RULES } from "../../tools/config/optimizer-rules";
import { readModel } from "../../tools/emit/model-reader";
import { PASSES } from "../../tools/passes/pipeline";
import { call, succeed } from "./call";
import { network, SIDE, yaml } from "./tiny-network";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-conversion-keys-"));
after(() => fs.rmSync(folder, { recursive: true }));
const at = (name: string): string => path.join(folder, name);
fs.writeFileSync(at("net.pb"), network());

async function convert(name: string, more: string): Promise<string> {
  fs.writeFileSync(at(`${name}.yml`), yaml(more));
  await succeed(main, "convert", "--config", at(`${name}.yml`), "--output_prefix", at(name));
  return at(name);
}

/** The output of a model for a file of its input. */
function run(model: string, input: string, ...flags: readonly string[]): Buffer {
  const to = fs.mkdtempSync(at("out-"));
  const files = [`--model_file=${model}.pb`, `--model_data_file=${model}.data`, `--output_dir=${to}`];
  const program = flags.length > 0 ? "mace/bin/mace_run_with_accelerators" : "mace/bin/mace_run";
  const { status, stderr } = spawnSync(program, [...files, `--input=input=${input}`, ...flags], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  const [file = "", ...others] = fs.readdirSync(to);
  assert.equal(others.length, 0);
  return fs.readFileSync(path.join(to, file));
}

/** The values of binary16 numbers, by the definition. */
const halves = (bytes: Buffer): number[] =>
  Array.from({ length: bytes.length / 2 }, (_, i) => {
    const bits = bytes.readUInt16LE(2 * i);
    const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
    const magnitude = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
    return bits & 0x8000 ? -magnitude : magnitude;
  });

test("buffers of the declared types give what float32 buffers give, float and on a device", async () => {
  const plain = await convert("plain", "");
  const typed = await convert("typed", "    input_data_types: int16\n    output_data_types: float16\n");
  const values = Int16Array.from({ length: SIDE * SIDE * 3 }, (_, i) => (i % 7) - 3);
  fs.writeFileSync(at("x.int16"), values);
  fs.writeFileSync(at("x.float32"), Float32Array.from(values));
  fs.mkdirSync(at("samples"));
  fs.copyFileSync(at("x.float32"), at("samples/x.dat"));
  const stat = ["--runner", path.resolve("mace/bin/mace_stat"), "--input_dir", at("samples"), "--output", at("s.stat")];
  await succeed(main, "stat", "--model", `${plain}.pb`, ...stat, "--ranges", at("s.ranges"));
  for (const model of [plain, typed]) {
    const quantize = ["quantize", "--model", `${model}.pb`, "--ranges", at("s.ranges"), "--runtime", "dsp"];
    await succeed(main, ...quantize, "--output_prefix", `${model}.quant`);
    const lower = ["lower", "--model", `${model}.quant.pb`, "--runtime", "dsp", "--output_prefix", `${model}.dsp`];
    await succeed(main, ...lower);
  }
  for (const kind of ["", ".quant", ".dsp"]) {
    const [net] = MultiNetDef.decode(fs.readFileSync(`${typed}${kind}.pb`)).netDef;
    const ports = [...(net?.inputInfo ?? []), ...(net?.outputInfo ?? [])].map((info) => [
      info.dataType,
      info.tensorType,
    ]);
    // INT16 and FLOAT16, of tensors of FLOAT.
    assert.deepEqual(ports, [
      [7, 1],
      [5, 1],
    ]);
    const flags = kind === ".dsp" ? ["--accelerator_library=third_party/nnlib/sim/libhexagon_nn_sim.so"] : [];
    const wanted = new Float32Array(new Uint8Array(run(`${plain}${kind}`, at("x.float32"), ...flags)).buffer);
    const actual = halves(run(`${typed}${kind}`, at("x.int16"), ...flags));
    assert.equal(actual.length, wanted.length);
    for (const [i, value] of wanted.entries()) {
      // The nearest of 11 bits.
      assert.ok(
        Math.abs((actual[i] ?? Number.NaN) - value) <= Math.max(Math.abs(value) * 2 ** -11, 2 ** -25),
        `${kind} ${i}`,
      );
    }
    assert.ok(new Set(actual).size > 5);
  }
  // The tools' own files stay float32.
  const runner = ["--runner", path.resolve("mace/bin/mace_run"), "--input", at("x.float32"), "--top", "1"];
  assert.equal(
    await succeed(main, "run", "--model", `${typed}.pb`, ...runner),
    await succeed(main, "run", "--model", `${plain}.pb`, ...runner),
  );
});

test("every pass that a rule stands for is one", () => {
  const known = new Set(PASSES.map(({ name }) => name));
  for (const [rule, fate] of Object.entries(OPTIMIZER_RULES)) {
    for (const pass of typeof fate === "string" ? [] : fate) assert.ok(known.has(pass), `${rule}: ${pass}`);
  }
});

test("a list of rules leaves out the passes of others, and the model computes the same", async () => {
  const types = (model: string) => readModel(`${model}.pb`, `${model}.data`).graph.nodes.map(({ type }) => type);
  const all = await convert("all", "");
  const none = await convert("none", "    graph_optimize_options: []\n");
  const biases = await convert("biases", "    graph_optimize_options: [FOLD_BIASADD]\n");
  assert.ok(types(none).length > types(biases).length && types(biases).length > types(all).length);
  assert.ok(types(biases).includes("Activation") && !types(all).includes("Activation"));
  const every = await convert("every", `    graph_optimize_options: [${Object.keys(OPTIMIZER_RULES).join(", ")}]\n`);
  assert.deepEqual(fs.readFileSync(`${every}.pb`), fs.readFileSync(`${all}.pb`));
  fs.writeFileSync(
    at("y.float32"),
    Float32Array.from({ length: SIDE * SIDE * 3 }, (_, i) => Math.sin(i)),
  );
  const [one, ...others] = [all, biases, none].map(
    (model) => new Float32Array(new Uint8Array(run(model, at("y.float32"))).buffer),
  );
  for (const other of others) {
    for (const [i, value] of (one ?? []).entries())
      assert.ok(Math.abs(value - (other[i] ?? Number.NaN)) < 1e-5, `${i}`);
  }
});

test("rules that stand for nothing are noted, unknown ones refused", async () => {
  fs.writeFileSync(at("idle.yml"), yaml("    graph_optimize_options: [FOLD_MOMENTS]\n"));
  const idle = await call(main, "convert", "--config", at("idle.yml"), "--output_prefix", at("idle"));
  assert.deepEqual([idle.code, /note: .*FOLD_MOMENTS/.test(idle.said)], [0, true], idle.said);
  fs.writeFileSync(at("bad.yml"), yaml("    graph_optimize_options: [FOLD_BIAS_ADD]\n"));
  const bad = await call(main, "convert", "--config", at("bad.yml"), "--output_prefix", at("bad"));
  assert.equal(bad.code, 1);
  assert.match(bad.said, /MQ104[\s\S]*did you mean 'FOLD_BIASADD'/);
});
