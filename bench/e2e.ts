/**
 * Whole networks against onnxruntime-node on this machine, in turns, so that both see the same machine. Prints medians, the
 * ratio pair by pair, and how near our runtime comes to the processor's peak loops of the same run.
 *
 * The peer is installed by npm into bench/node_modules of the source tree, from bench/package-lock.json, at the first run.
 */

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { readModel } from "../tools/emit/model-reader";
import { multiplyAdds } from "../tools/ir/node-cost";
import type { Graph } from "../tools/ir/graph";
import { exportOnnx } from "../tools/synth/onnx-export";

const MODELS = [
  { name: "Inception-v3 float32", prefix: "models/inception_v3", peak: ["float32_avx512_fma", "float32_avx2_fma"] },
  {
    name: "Inception-v3 int8_per_channel",
    prefix: "models/inception_v3_quant",
    peak: ["int8_avx512_vnni", "int16_avx2_madd"],
  },
] as const;
const TURNS = 7;
const ROUNDS = 10;

function capture(command: string, args: readonly string[]): string {
  const result = spawnSync(command, args, { encoding: "utf8", maxBuffer: 1 << 26 });
  if (result.status !== 0) throw new Error(`${command} failed: ${result.error?.message ?? result.stderr}`);
  return result.stdout;
}

/** The folder with the peer, installed if it is not. */
function peerFolder(): string {
  const folder = path.join(process.env.BUILD_WORKSPACE_DIRECTORY ?? ".", "bench");
  if (!fs.existsSync(path.join(folder, "node_modules/onnxruntime-node"))) {
    process.stderr.write("installing the peer with npm ci\n");
    const result = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
      cwd: folder,
      stdio: "inherit",
      // Those of this program are for its runfiles.
      env: { ...process.env, NODE_OPTIONS: "" },
    });
    if (result.status !== 0) throw new Error("npm ci failed");
  }
  return folder;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

function macs(graph: Graph): number {
  const shapes = (names: readonly string[]) => names.map((name) => graph.tensors.get(name)?.shape ?? []);
  return graph.nodes.reduce((sum, node) => sum + multiplyAdds(node, shapes(node.inputs), shapes(node.outputs)), 0);
}

function main(): void {
  const folder = peerFolder();
  const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "mace-bench-"));
  try {
    const peaks = new Map(
      capture("bench/peak", [])
        .trim()
        .split("\n")
        .map((line) => {
          const [name = "", rate] = line.split(" ");
          return [name, Number(rate)] as const;
        }),
    );
    console.log([...peaks].map(([name, rate]) => `peak ${name}: ${rate} GMAC/s, one thread`).join("\n"));
    for (const { name, prefix, peak } of MODELS) {
      const { graph } = readModel(`${prefix}.pb`, `${prefix}.data`);
      const onnx = path.join(temporary, "model.onnx");
      fs.writeFileSync(onnx, exportOnnx(graph).bytes);
      const [n = 1, h = 1, w = 1, c = 1] = graph.tensors.get(graph.inputs[0]?.tensor ?? "")?.shape ?? [];
      for (const threads of [1, 2]) {
        const ours: number[] = [];
        const theirs: number[] = [];
        for (let turn = 0; turn < TURNS; turn++) {
          const said = capture("mace/bin/mace_run", [
            `--model_file=${prefix}.pb`,
            `--model_data_file=${prefix}.data`,
            "--benchmark",
            `--num_threads=${threads}`,
            `--round=${ROUNDS}`,
          ]);
          ours.push(Number(/median ([\d.]+) ms/.exec(said)?.[1]));
          const args = ["bench/ort.js", onnx, String(threads), String(ROUNDS), folder, ...[n, c, h, w].map(String)];
          theirs.push(Number(capture(process.execPath, args)));
        }
        const ratio = median(ours.map((time, i) => time / (theirs[i] ?? Number.NaN)));
        const rate = macs(graph) / median(ours) / 1e6;
        const limit = peak.map((p) => peaks.get(p)).find((p) => p !== undefined);
        const share =
          limit === undefined
            ? ""
            : `, ${((100 * rate) / limit / threads).toFixed(0)} % of ${threads} peak loop${threads > 1 ? "s" : ""}`;
        console.log(
          `${name}, ${threads} thread${threads > 1 ? "s" : ""}: ${median(ours).toFixed(1)} ms, onnxruntime ${median(theirs).toFixed(1)} ms, ` +
            `ratio ${ratio.toFixed(2)}; ${rate.toFixed(1)} GMAC/s${share}`,
        );
      }
    }
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true });
  }
}

main();
