/**
 * A model of which the CPU runs what the device lacks, as the rules build it: nets for both in one file, and mace_run with the simulator gives the
 * outputs of the reference and of the CPU, part by part, number for number.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { MultiNetDef } from "../../mace/proto/mace";
import { readModel } from "../../tools/emit/model-reader";
import { writeModel } from "../../tools/emit/model-writer";
import type { ApuVersion, Graph } from "../../tools/ir/graph";
import { elementCount } from "../../tools/ir/shape";
import { backEndOf, CPU } from "../../tools/lower/back-ends";
import { RUNTIME_TYPES, type Runtime } from "../../tools/lower/net";
import { encodeRecord, RecordDecoder } from "../../tools/statistics/sample-stream";
import { Random } from "../../tools/synth/random";
import { type Reference, runParts } from "../conformance/device-net";
import * as neuron from "../reference/neuron";
import * as nnlib from "../reference/nnlib";

interface Device {
  readonly runtime: Exclude<Runtime, "cpu">;
  readonly apuVersion?: ApuVersion;
  readonly library: string;
  readonly reference: Reference;
  /** How many times the CPU has its turn, and what it runs. */
  readonly turns: number;
  readonly onCpu: readonly string[];
}

/** By the name of the model. */
const DEVICES: Readonly<Record<string, Device>> = {
  apu: {
    runtime: "apu",
    library: "third_party/apu/sim/libneuron_adapter_sim.so",
    reference: neuron.runReference,
    turns: 4,
    onCpu: ["Reverse", "LocalResponseNorm", "Eltwise", "Eltwise"],
  },
  apu1: {
    runtime: "apu",
    apuVersion: 1,
    library: "third_party/apu/sim/libapu_frontend_v1_sim.so",
    reference: neuron.runReference,
    turns: 4,
    onCpu: ["Reverse", "LocalResponseNorm", "Eltwise", "Eltwise"],
  },
  apu3: {
    runtime: "apu",
    apuVersion: 3,
    library: "third_party/apu/sim/libapu_frontend_v2_sim.so",
    reference: neuron.runReference,
    turns: 4,
    onCpu: ["Reverse", "LocalResponseNorm", "Eltwise", "Eltwise"],
  },
  dsp: {
    runtime: "dsp",
    library: "third_party/nnlib/sim/libhexagon_nn_sim.so",
    reference: nnlib.runReference,
    turns: 2,
    onCpu: ["Reverse", "LocalResponseNorm"],
  },
};
const SAMPLES = 3;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-fallback-"));
after(() => fs.rmSync(folder, { recursive: true }));

/** The outputs of each sample, of a model file pair. */
function run(
  runner: string,
  prefix: string,
  samples: readonly (readonly Float32Array[])[],
): (readonly Float32Array[])[] {
  const [input, output] = [path.join(folder, "in"), path.join(folder, "out")];
  fs.writeFileSync(input, Buffer.concat(samples.map((tensors, i) => encodeRecord({ name: `${i}`, tensors }))));
  const files = [`--model_file=${prefix}.pb`, `--model_data_file=${prefix}.data`];
  const [program = "", ...options] = runner.split(" ");
  const result = spawnSync(program, [...options, ...files, `--input_stream=${input}`, `--output_stream=${output}`], {
    encoding: "utf8",
  });
  assert.equal(result.status, 0, result.stderr);
  return new RecordDecoder().push(fs.readFileSync(output)).map(({ tensors }) => tensors);
}

/** What the CPU makes of a part: real numbers of its outputs, one after the other. */
function onCpu(part: Graph, inputs: readonly Float32Array[]): Float32Array {
  const prefix = path.join(folder, "part");
  writeModel(part, prefix);
  const [outputs] = run("mace/bin/mace_run", prefix, [inputs]);
  assert.ok(outputs);
  return Float32Array.from(outputs.flatMap((output) => Array.from(output)));
}

for (const [name, { runtime, apuVersion, library, reference, turns, onCpu: left }] of Object.entries(DEVICES)) {
  test(`mixed_net on ${name}`, () => {
    const device = backEndOf(runtime, apuVersion);
    assert.ok(device);
    const quantized = `models/mixed_net_${name}`;
    const lowered = `${quantized}.${runtime}`;

    const { netDef } = MultiNetDef.decode(fs.readFileSync(`${lowered}.pb`));
    for (const { arg } of netDef) {
      const said = (key: string): number | undefined => arg.find((argument) => argument.name === key)?.i;
      assert.equal(said("apu_version"), said("runtime_type") === RUNTIME_TYPES.apu ? apuVersion : undefined);
    }
    const runtimes = netDef.map(({ arg }) => arg.find(({ name }) => name === "runtime_type")?.i ?? 0);
    const expected = Array.from({ length: 2 * turns + 1 }, (_, i) => (i % 2 === 0 ? runtime : CPU) as Runtime);
    assert.deepEqual(
      runtimes.map(Number),
      expected.map((name) => RUNTIME_TYPES[name]),
    );
    const onlyCpu = netDef.filter((_, i) => expected[i] === CPU).flatMap(({ op }) => op.map(({ type }) => type));
    assert.deepEqual(
      onlyCpu.filter((type) => type !== "Quantize" && type !== "Dequantize"),
      left,
    );

    const { graph } = readModel(`${quantized}.pb`, `${quantized}.data`);
    const random = new Random(name);
    const samples = Array.from({ length: SAMPLES }, () =>
      graph.inputs.map(({ tensor }) =>
        Float32Array.from({ length: elementCount(graph.tensors.get(tensor)?.shape ?? []) }, () => random.normal() / 2),
      ),
    );
    const actual = run(`mace/bin/mace_run_with_accelerators --accelerator_library=${library}`, lowered, samples);
    assert.equal(actual.length, SAMPLES);
    for (const [i, inputs] of samples.entries()) {
      assert.deepEqual(actual[i], [runParts(graph, device, inputs, { cpu: onCpu, reference })], `sample ${i}`);
      assert.ok(new Set(actual[i]?.[0]).size > 2, "classes have probabilities of their own");
    }
  });
}
