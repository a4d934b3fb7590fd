/** Packets of instructions that one layer of each kernel for the Hexagon DSP executes. */

import * as fs from "node:fs";
import * as path from "node:path";
import { count } from "./instruction-counter";

const HVX_PROGRAM = path.resolve("mace/hexagon/hvx_program");

/** The number of an operator in hvx_program's records, from the header that has them. */
function kind(name: string): number {
  const header = fs.readFileSync("mace/hexagon/hvx_kernels.h", "utf8");
  const [, number] = new RegExp(`^  k${name} = (\\d+),$`, "m").exec(header) ?? [];
  if (number === undefined) throw new Error(`mace/hexagon/hvx_kernels.h has no kind ${name}`);
  return Number(number);
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
    record: product("Conv", 14, 128, 128, 3),
    work: 14 * 14 * 128 * 128 * 9,
    unit: "multiply-adds",
  },
  {
    name: "convolution 1x1, 14x14x256 to 256",
    functions: /Conv/,
    record: product("Conv", 14, 256, 256, 1),
    work: 14 * 14 * 256 * 256,
    unit: "multiply-adds",
  },
  {
    name: "depthwise 3x3, 28x28x256",
    functions: /Depthwise/,
    record: product("Depthwise", 28, 256, 256, 3),
    work: 28 * 28 * 256 * 9,
    unit: "multiply-adds",
  },
  {
    name: "average 3x3, 28x28x256",
    functions: /AveragePool/,
    record: [Int32Array.of(kind("AveragePool")), window(28, 256, 256, 3), new Uint8Array(28 * 28 * 256)],
    work: 28 * 28 * 256,
    unit: "codes",
  },
  {
    name: "maximum 3x3, 28x28x256",
    functions: /MaxPool/,
    record: [Int32Array.of(kind("MaxPool")), window(28, 256, 256, 3), new Uint8Array(28 * 28 * 256)],
    work: 28 * 28 * 256,
    unit: "codes",
  },
  {
    name: "maximum 3x3, 28x28x35",
    functions: /MaxPool/,
    record: [Int32Array.of(kind("MaxPool")), window(28, 35, 35, 3), new Uint8Array(28 * 28 * 35)],
    work: 28 * 28 * 35,
    unit: "codes",
  },
  {
    name: "sum, 28x28x256",
    functions: /Sum/,
    record: [Int32Array.of(kind("Sum"), 8192, 8192, 0, 8, 6, 28 * 28 * 256), new Uint8Array(2 * 28 * 28 * 256)],
    work: 28 * 28 * 256,
    unit: "codes",
  },
  {
    name: "greater, 28x28x256",
    functions: /Extreme/,
    record: [
      Int32Array.of(kind("Maximum"), 4096, 0, 0, 0, 2048, 3, 4, 0, 28 * 28 * 256),
      new Uint8Array(2 * 28 * 28 * 256),
    ],
    work: 28 * 28 * 256,
    unit: "codes",
  },
  {
    name: "clamp, 28x28x256",
    functions: /Clamp/,
    record: [Int32Array.of(kind("Clamp"), 10, 200, 28 * 28 * 256), new Uint8Array(28 * 28 * 256)],
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
  operator: "Conv" | "Depthwise",
  side: number,
  depth: number,
  channels: number,
  kernel: number,
): (Int32Array | Uint8Array)[] {
  const filter = kernel * kernel * depth * (operator === "Conv" ? channels : 1);
  return [
    Int32Array.of(kind(operator)),
    window(side, depth, channels, kernel),
    Int32Array.of(128, 128, 2 ** 30, 0),
    new Uint8Array(side * side * depth),
    new Uint8Array(filter),
    new Int32Array(channels),
  ];
}

export function layers(folder: string): void {
  for (const { name, functions, record, work, unit } of LAYERS) {
    const input = Buffer.concat(record.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength)));
    const { byFunction } = count(["qemu-hexagon"], [HVX_PROGRAM], folder, input);
    // What packs operands, once a model, does not count.
    const kernels = [...byFunction].filter(([symbol]) => functions.test(symbol) && !symbol.includes("Pack"));
    const instructions = kernels.reduce((sum, [, value]) => sum + value, 0);
    if (instructions === 0) throw new Error(`${name}: none of ${[...byFunction.keys()].join(", ")} is its kernel`);
    console.log(
      `Hexagon V66, ${name}: ${(instructions / 1e3).toFixed(1)} k packets, ${(work / instructions).toFixed(2)} ${unit} each`,
    );
  }
}
