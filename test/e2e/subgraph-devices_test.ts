/**
 * A model whose subgraphs are for different devices, through the rules: one file with a net for each, which computes on the simulators what the
 * pieces alone do, one after the other, bit by bit. Configuration and attributes give the same file.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { MultiNetDef } from "../../mace/proto/mace";
import { readModel } from "../../tools/emit/model-reader";
import { RUNTIME_TYPES } from "../../tools/lower/net";
import { picture } from "../../tools/synth/shapes";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-subgraph-devices-"));
after(() => fs.rmSync(folder, { recursive: true }));

const SIMULATORS = {
  dsp: "third_party/nnlib/sim/libhexagon_nn_sim.so",
  apu: "third_party/apu/sim/libneuron_adapter_sim.so",
};
const PICTURES = 4;
const at = (name: string): string => `test/e2e/${name}`;

/** Runs a model on the files of its inputs; its outputs, in the order of their names. */
function run(model: string, inputs: Readonly<Record<string, string>>, libraries: readonly string[]): string[] {
  const to = fs.mkdtempSync(path.join(folder, "out-"));
  const files = [`--model_file=${model}.pb`, `--model_data_file=${model}.data`, `--output_dir=${to}`];
  const given = Object.entries(inputs).map(([name, file]) => `--input=${name}=${file}`);
  const flags = libraries.map((library) => `--accelerator_library=${library}`);
  const program = flags.length > 0 ? "mace/bin/mace_run_with_accelerators" : "mace/bin/mace_run";
  const { status, stderr } = spawnSync(program, [...files, ...given, ...flags], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return fs
    .readdirSync(to)
    .sort()
    .map((name) => path.join(to, name));
}

const CONFIGURED = at("subgraph_devices_configured");
const BOTH = Object.entries(SIMULATORS).map(([device, library]) => `${device}=${library}`);

test("the file has a net for each subgraph, on its device", () => {
  const file = `${CONFIGURED}.per_subgraph.pb`;
  const { netDef, inputTensor, outputTensor } = MultiNetDef.decode(fs.readFileSync(file));
  assert.deepEqual(
    netDef.map(({ name, arg }) => [name, Number(arg.find((a) => a.name === "runtime_type")?.i ?? 0)]),
    [
      ["pieces/edges", RUNTIME_TYPES.cpu],
      ["pieces/body", RUNTIME_TYPES.dsp],
      ["pieces/head", RUNTIME_TYPES.apu],
    ],
  );
  assert.deepEqual([inputTensor, outputTensor], [["input"], ["block0/project/bias_add", "probabilities"]]);
});

test("the subgraph of the CPU has the scheme of CPUs, the others that of devices", () => {
  const { graph } = readModel(`${CONFIGURED}.pb`, `${CONFIGURED}.data`);
  const types = (name: string): Set<string> => {
    const found = [...graph.tensors.values()].filter(({ quant, data }) => quant && !data);
    return new Set(found.filter((tensor) => tensor.name.startsWith(name)).map(({ dtype }) => dtype));
  };
  assert.deepEqual([...types("block1/")], ["uint8"]);
  assert.deepEqual([...types("input/quantized")], ["int8"]);
  assert.deepEqual([...types("body/input/quantized")], ["uint8"]);
});

for (const ending of [".pb", ".data", ".per_subgraph.pb", ".per_subgraph.data"]) {
  test(`configuration and attribute give the same ${ending}`, () => {
    const [one, other] = [CONFIGURED, at("subgraph_devices_by_attribute")].map((name) =>
      fs.readFileSync(`${name}${ending}`),
    );
    assert.ok(one && other && one.equals(other));
  });
}

test("the model computes what its pieces do alone, bit by bit", () => {
  const seen = new Set<string>();
  for (let i = 0; i < PICTURES; i++) {
    const input = path.join(folder, `${i}.dat`);
    fs.writeFileSync(
      input,
      Float32Array.from(picture("test", i).pixels, (pixel) => pixel / 127.5 - 1),
    );
    const whole = run(`${CONFIGURED}.per_subgraph`, { input }, BOTH);
    const edges = run(at("subgraph_edges_quant"), { input }, []);
    const [body = ""] = run(at("subgraph_body_quant.dsp"), { input }, [SIMULATORS.dsp]);
    const head = run(at("subgraph_head_quant.apu"), { "block2/project/add": body }, [SIMULATORS.apu]);
    const [ours, theirs] = [whole, [...edges, ...head]].map((files) => files.map((file) => fs.readFileSync(file)));
    assert.equal(ours?.length, 2);
    assert.deepEqual(ours, theirs, `picture ${i}`);
    seen.add((ours ?? []).map((bytes) => bytes.toString("hex")).join());
  }
  assert.equal(seen.size, PICTURES);
});

test("the CPU alone runs the quantized graph too, near what the devices give", () => {
  const input = path.join(folder, "0.dat");
  const [onCpu, onDevices] = [run(CONFIGURED, { input }, []), run(`${CONFIGURED}.per_subgraph`, { input }, BOTH)].map(
    (files) => files.map((file) => new Float32Array(new Uint8Array(fs.readFileSync(file)).buffer)),
  );
  // The same net on the same device.
  assert.deepEqual(onCpu?.[0], onDevices?.[0]);
  for (const [i, value] of (onCpu?.[1] ?? []).entries()) {
    assert.ok(Math.abs(value - (onDevices?.[1]?.[i] ?? Number.NaN)) < 0.05, `class ${i}`);
  }
});

test("without a library of its own, a device is named", () => {
  const files = [`--model_file=${CONFIGURED}.per_subgraph.pb`, `--model_data_file=${CONFIGURED}.per_subgraph.data`];
  const flags = [`--accelerator_library=dsp=${SIMULATORS.dsp}`, "--accelerator_library=apu=absent.so"];
  const program = "mace/bin/mace_run_with_accelerators";
  const { status, stderr } = spawnSync(program, [...files, ...flags, "--benchmark"], { encoding: "utf8" });
  assert.equal(status, 1);
  assert.match(stderr, /absent\.so/);
});
