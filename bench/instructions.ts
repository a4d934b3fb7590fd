/**
 * Instructions that one inference executes on ARM processors, and packets of one layer on the Hexagon DSP, counted under emulators: exact, the
 * same every time, and no measure of time. Peers' figures for the same networks stand in bench/README.md. With `--hvx` only the DSP's part.
 */

import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { readModel } from "../tools/emit/model-reader";
import { multiplyAdds } from "../tools/ir/node-cost";
import { layers } from "./hvx-layers";
import { count } from "./instruction-counter";

const NETWORKS = ["inception_v3_quant", "mobilenet_v2_quant"];
const PROCESSORS = [
  { name: "Cortex-A53 (NEON)", emulator: ["qemu-aarch64", "-cpu", "cortex-a53"] },
  { name: "Cortex-A76 (dot product)", emulator: ["qemu-aarch64", "-cpu", "cortex-a76"] },
];

/** One inference is the second of two less the only one of one. */
function networks(folder: string): void {
  for (const network of NETWORKS) {
    const prefix = `models/${network}`;
    const { graph } = readModel(`${prefix}.pb`, `${prefix}.data`);
    const shapes = (names: readonly string[]) => names.map((name) => graph.tensors.get(name)?.shape ?? []);
    const macs = graph.nodes.reduce((sum, n) => sum + multiplyAdds(n, shapes(n.inputs), shapes(n.outputs)), 0);
    for (const { name, emulator } of PROCESSORS) {
      const run = (rounds: number): number => {
        const files = [`--model_file=${prefix}.pb`, `--model_data_file=${prefix}.data`];
        return count(emulator, [`${prefix}.arm64-v8a.mace_run`, ...files, "--benchmark", `--round=${rounds}`], folder)
          .total;
      };
      const instructions = run(2) - run(1);
      console.log(
        `${network}, ${name}: ${(instructions / 1e6).toFixed(1)} M instructions, ${(macs / instructions).toFixed(2)} multiply-adds each`,
      );
    }
  }
}

const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "mace-instructions-"));
try {
  layers(temporary);
  if (!process.argv.includes("--hvx")) networks(temporary);
} finally {
  fs.rmSync(temporary, { recursive: true, force: true });
}
