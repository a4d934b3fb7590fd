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

interface Layer {
  readonly name: string;
  /** The functions that do the work. */
  readonly functions: RegExp;
  /** As hvx_program reads it: mace/hexagon/hvx_kernels.h has the records. */
  readonly record: readonly (Int32Array | Uint8Array)[];
  readonly work: number;
  readonly unit: string;
}

const LAYERS: readonly Layer[] = [
  product("convolution", "Conv", 14, 128, 128, 3),
  product("convolution", "Conv", 14, 256, 256, 1),
  product("depthwise", "Depthwise", 28, 256, 256, 3),
  pooling("average", "AveragePool", 28, 256, 3),
  pooling("maximum", "MaxPool", 28, 256, 3),
  pooling("maximum", "MaxPool", 28, 35, 3),
  elementwise("sum", "Sum", /Sum/, 2, 8192, 8192, 0, 8, 6),
  elementwise("greater", "Maximum", /Extreme/, 2, 4096, 0, 0, 0, 2048, 3, 4, 0),
  elementwise("clamp", "Clamp", /Clamp/, 1, 10, 200),
];

/** ConvShape of a square window with stride 1 that keeps the size. */
function window(side: number, depth: number, channels: number, kernel: number): Int32Array {
  const before = kernel >> 1;
  return Int32Array.of(side, side, depth, kernel, kernel, 1, 1, before, before, side, side, channels);
}

function product(
  title: string,
  operator: "Conv" | "Depthwise",
  side: number,
  depth: number,
  channels: number,
  kernel: number,
): Layer {
  const filter = kernel * kernel * depth * (operator === "Conv" ? channels : 1);
  const to = operator === "Conv" ? ` to ${channels}` : "";
  return {
    name: `${title} ${kernel}x${kernel}, ${side}x${side}x${depth}${to}`,
    functions: new RegExp(operator),
    record: [
      Int32Array.of(kind(operator)),
      window(side, depth, channels, kernel),
      Int32Array.of(128, 128, 2 ** 30, 0),
      new Uint8Array(side * side * depth),
      new Uint8Array(filter),
      new Int32Array(channels),
    ],
    work: side * side * filter,
    unit: "multiply-adds",
  };
}

function pooling(title: string, operator: string, side: number, channels: number, kernel: number): Layer {
  const work = side * side * channels;
  return {
    name: `${title} ${kernel}x${kernel}, ${side}x${side}x${channels}`,
    functions: new RegExp(operator),
    record: [Int32Array.of(kind(operator)), window(side, channels, channels, kernel), new Uint8Array(work)],
    work,
    unit: "codes",
  };
}

/** @param parameters what the record has between the operator's number and the count of codes. */
function elementwise(
  title: string,
  operator: string,
  functions: RegExp,
  operands: number,
  ...parameters: readonly number[]
): Layer {
  const work = 28 * 28 * 256;
  return {
    name: `${title}, 28x28x256`,
    functions,
    record: [Int32Array.of(kind(operator), ...parameters, work), new Uint8Array(operands * work)],
    work,
    unit: "codes",
  };
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
