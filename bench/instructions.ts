/**
 * Instructions that one inference executes on ARM processors, and one layer on the Hexagon DSP, counted under emulators: exact, the same every
 * time, and no measure of time. Peers' figures for the same networks stand in bench/README.md.
 */

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { readModel } from "../tools/emit/model-reader";
import { multiplyAdds } from "../tools/ir/node-cost";

const COUNTER = path.resolve("bench/libinstruction_counter.so");
const HVX_PROGRAM = path.resolve("mace/hexagon/hvx_program");

interface Counts {
  readonly total: number;
  readonly byFunction: ReadonlyMap<string, number>;
}

/** Runs a program under an emulator. */
function count(emulator: readonly string[], program: readonly string[], folder: string, input?: Uint8Array): Counts {
  const [command = "", ...options] = emulator;
  const log = path.join(folder, "count.log");
  const args = [...options, "-plugin", COUNTER, "-d", "plugin", "-D", log, ...program];
  const result = spawnSync(command, args, { input, maxBuffer: 1 << 28 });
  if (result.status !== 0) throw new Error(`${command} failed: ${result.error?.message ?? result.stderr.toString()}`);
  const lines = fs.readFileSync(log, "utf8").trim().split("\n");
  const byFunction = new Map(
    lines.flatMap((line) => {
      const [, value, name] = /^symbol (\d+) (.*)$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, Number(value)] as const];
    }),
  );
  return { total: Number(lines.find((line) => line.startsWith("total "))?.slice(6)), byFunction };
}

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

/** Layers as hvx_program reads them: mace/hexagon/hvx_kernels.h has the records. */
const LAYERS: readonly {
  readonly name: string;
  readonly functions: RegExp;
  readonly record: readonly (Int32Array | Uint8Array)[];
  readonly work: number;
  readonly unit: string;
}[] = [
  {
    name: "convolution 3x3, 14x14x128 to 128",
    functions: /Conv/,
    record: product(0, 14, 128, 128, 3),
    work: 14 * 14 * 128 * 128 * 9,
    unit: "multiply-adds",
  },
  {
    name: "convolution 1x1, 14x14x256 to 256",
    functions: /Conv/,
    record: product(0, 14, 256, 256, 1),
    work: 14 * 14 * 256 * 256,
    unit: "multiply-adds",
  },
  {
    name: "depthwise 3x3, 28x28x256",
    functions: /Depthwise/,
    record: product(1, 28, 256, 256, 3),
    work: 28 * 28 * 256 * 9,
    unit: "multiply-adds",
  },
  {
    name: "average 3x3, 28x28x256",
    functions: /AveragePool/,
    record: [Int32Array.of(3), window(28, 256, 256, 3), new Uint8Array(28 * 28 * 256)],
    work: 28 * 28 * 256,
    unit: "codes",
  },
  {
    name: "maximum 3x3, 28x28x256",
    functions: /MaxPool/,
    record: [Int32Array.of(2), window(28, 256, 256, 3), new Uint8Array(28 * 28 * 256)],
    work: 28 * 28 * 256,
    unit: "codes",
  },
  {
    name: "sum, 28x28x256",
    functions: /Sum/,
    record: [Int32Array.of(4, 8192, 8192, 0, 8, 6, 28 * 28 * 256), new Uint8Array(2 * 28 * 28 * 256)],
    work: 28 * 28 * 256,
    unit: "codes",
  },
  {
    name: "clamp, 28x28x256",
    functions: /Clamp/,
    record: [Int32Array.of(7, 10, 200, 28 * 28 * 256), new Uint8Array(28 * 28 * 256)],
    work: 28 * 28 * 256,
    unit: "codes",
  },
];

/** ConvShape of a square window with stride 1 that keeps the size. */
function window(side: number, depth: number, channels: number, kernel: number): Int32Array {
  const before = kernel >> 1;
  return Int32Array.of(side, side, depth, kernel, kernel, 1, 1, before, before, side, side, channels);
}

function product(
  kind: number,
  side: number,
  depth: number,
  channels: number,
  kernel: number,
): (Int32Array | Uint8Array)[] {
  const filter = kernel * kernel * depth * (kind === 0 ? channels : 1);
  return [
    Int32Array.of(kind),
    window(side, depth, channels, kernel),
    Int32Array.of(128, 128, 2 ** 30, 0),
    new Uint8Array(side * side * depth),
    new Uint8Array(filter),
    new Int32Array(channels),
  ];
}

function layers(folder: string): void {
  for (const { name, functions, record, work, unit } of LAYERS) {
    const input = Buffer.concat(record.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength)));
    const { byFunction } = count(["qemu-hexagon"], [HVX_PROGRAM], folder, input);
    // What packs operands, once a model, does not count.
    const kernels = [...byFunction].filter(([symbol]) => functions.test(symbol) && !symbol.includes("Pack"));
    const instructions = kernels.reduce((sum, [, value]) => sum + value, 0);
    if (instructions === 0) throw new Error(`${name}: none of ${[...byFunction.keys()].join(", ")} is its kernel`);
    console.log(
      `Hexagon V66, ${name}: ${(instructions / 1e3).toFixed(1)} k instructions, ${(work / instructions).toFixed(2)} ${unit} each`,
    );
  }
}

const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "mace-instructions-"));
try {
  layers(temporary);
  networks(temporary);
} finally {
  fs.rmSync(temporary, { recursive: true, force: true });
}
