/**
 * Lowered nets compute the same in the simulator of the Neuron adapter (C++, through the executor) and in the reference (TypeScript), number for
 * number.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { writeModelFiles } from "../../tools/emit/model-writer";
import type { Graph } from "../../tools/ir/graph";
import { APU } from "../../tools/lower/apu/apu";
import { ACTIVATION_FUNCTIONS } from "../../tools/lower/apu/rules";
import { lowerGraph } from "../../tools/lower/program";
import { sketchGraph } from "../../tools/quantize/fixture";
import { DEFAULT_SETTINGS, quantizeModel } from "../../tools/quantize/quantize-model";
import { agreeOnNetworks } from "./device-net";
import { REFERENCE_OPERATORS, runReference } from "../reference/neuron";

const RUN = path.resolve(process.env.MACE_RUN_NET ?? "mace/delegates/run_net");
const LIBRARY = path.resolve(process.env.MACE_APU_LIBRARY ?? "third_party/apu/sim/libneuron_adapter_sim.so");
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-apu-"));
after(() => fs.rmSync(folder, { recursive: true }));

const GRAPHS = Number(process.env.MACE_APU_GRAPHS ?? 24);
const SETTINGS = { ...DEFAULT_SETTINGS, scheme: "uint8", floatProbabilities: false };

/** Runs a graph of the device on the simulator; real numbers of its outputs, one after the other. */
function simulate(graph: Graph, inputs: readonly Float32Array[]): Float32Array {
  const prefix = path.join(folder, "net");
  writeModelFiles(lowerGraph(graph, new Uint8Array(32), APU, false), prefix);
  fs.writeFileSync(`${prefix}.in`, Buffer.concat(inputs.map((x) => Buffer.from(x.buffer, x.byteOffset, x.byteLength))));
  const files = [`${prefix}.pb`, `${prefix}.data`, `${prefix}.in`, `${prefix}.out`];
  const result = spawnSync(RUN, [LIBRARY, ...files], { encoding: "utf8" });
  const text = graph.nodes.map((node) => `${node.type} ${JSON.stringify(node.attributes)}`).join("\n");
  assert.equal(result.status, 0, `${result.stderr}\n${text}`);
  const bytes = fs.readFileSync(`${prefix}.out`);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

test("the simulator and the reference agree on every operator", () => {
  const seen = agreeOnNetworks(APU, GRAPHS, { simulate, reference: runReference });
  const missing = REFERENCE_OPERATORS.filter((name) => !seen.has(name));
  assert.deepEqual(missing, [], "operators that no graph has");
});

test("functions of codes", () => {
  for (const activation of ACTIVATION_FUNCTIONS) {
    for (const range of [
      [-3, 5],
      [0, 2],
      [-6, 0],
      [-40, 300],
    ] as const) {
      const graph = sketchGraph(
        { x: [1, 16, 4, 4] },
        {},
        [
          {
            type: "Activation",
            inputs: ["x"],
            outputs: { y: [1, 16, 4, 4] },
            attributes: { activation, max_limit: 6, activation_coefficient: 0.3 },
          },
        ],
        ["y"],
      );
      const ranges = new Map([
        ["x", [...range] as [number, number]],
        ["y", [...range] as [number, number]],
      ]);
      const codes = quantizeModel(graph, SETTINGS, { ranges, rangesName: "test" }).graph;
      const all = Uint8Array.from({ length: 256 }, (_, q) => q);
      const { scales = [1], zeroPoint = 0 } = codes.tensors.get("x/quantized")?.quant ?? {};
      const real = Float32Array.from(all, (q) => (scales[0] ?? 1) * (q - zeroPoint));
      const [expected] = runReference(APU.lower(codes), [all]);
      assert.deepEqual(simulate(codes, [real]), expected, `${activation} over ${range}`);
    }
  }
});
