/**
 * What observing costs: time of `mace_stat` over that of `mace_run` on the same samples, in turns, and the peak memory of `mace_stat`
 * for 10 and for 10,000 samples. Exits with 1 when a bar is missed.
 */

import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { writeModel } from "../tools/emit/model-writer";
import { readModel } from "../tools/emit/model-reader";
import { importTensorflow } from "../tools/importers/tensorflow/import";
import type { Graph } from "../tools/ir/graph";
import { elementCount } from "../tools/ir/shape";
import { optimize } from "../tools/passes/pipeline";
import { encodeRecord } from "../tools/statistics/sample-stream";
import { GraphDefBuilder, intsAttribute, stringAttribute } from "../tools/synth/graph-def-builder";

const MODEL = "models/inception_v3";
const SAMPLES = 8;
const TURNS = 7;
/** Time of statistics over that of inference alone. */
const TIME_RATIO = 1.15;
/** Memory for many samples over that for few. */
const MEMORY_RATIO = 1.05;
const FEW = 10;
const MANY = 10_000;

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** `count` records of pseudo-random values between -1 and 1, the first `different` of them over and over. */
function writeStream(file: string, graph: Graph, count: number, different: number): void {
  const elements = elementCount(graph.tensors.get(graph.inputs[0]?.tensor ?? "")?.shape ?? []);
  let state = 1;
  const inputs = Array.from({ length: different }, () =>
    Float32Array.from({ length: elements }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 31 - 1;
    }),
  );
  const out = fs.openSync(file, "w");
  for (let i = 0; i < count; i++) {
    fs.writeSync(out, encodeRecord({ name: `sample${i}`, tensors: [inputs[i % different] ?? new Float32Array()] }));
  }
  fs.closeSync(out);
}

function seconds(program: string, args: readonly string[]): number {
  const start = performance.now();
  const result = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 26 });
  if (result.status !== 0) throw new Error(`${program} failed: ${result.error?.message ?? result.stderr}`);
  return (performance.now() - start) / 1000;
}

/** Peak resident bytes of a program, as of a few milliseconds before it ends. */
function peakBytes(program: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
    let peak = 0;
    const look = (): void => {
      try {
        const status = fs.readFileSync(`/proc/${child.pid}/status`, "utf8");
        peak = Math.max(peak, Number(/VmHWM:\s*(\d+) kB/.exec(status)?.[1] ?? 0) * 1024);
      } catch {
        // It has ended; the last reading stands.
      }
    };
    child.stdout.on("data", look);
    const timer = setInterval(look, 2);
    child.on("close", (code) => {
      clearInterval(timer);
      if (code === 0) resolve(peak);
      else reject(new Error(`${program} ended with ${code}`));
    });
  });
}

/** Twenty convolutions on small images, so that 10,000 samples take seconds. */
function smallGraph(): Graph {
  const builder = new GraphDefBuilder();
  const attributes = { strides: intsAttribute([1, 1, 1, 1]), padding: stringAttribute("SAME") };
  let x = builder.placeholder("x", [1, 16, 16, 8]);
  for (let i = 0; i < 20; i++) {
    const weights = builder.constant(`w${i}`, [1, 1, 8, 8], new Float32Array(64).fill(0.125));
    x = builder.node("Relu", `relu${i}`, [builder.node("Conv2D", `conv${i}`, [x, weights], attributes)]);
  }
  const graph = importTensorflow(builder.encode(), { file: "bench", name: "bench" });
  optimize(graph);
  return graph;
}

async function main(): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-bench-"));
  const stream = path.join(folder, "stream");
  const model = (prefix: string): string[] => [`--model_file=${prefix}.pb`, `--model_data_file=${prefix}.data`];
  const stat = (prefix: string): string[] => [
    ...model(prefix),
    `--input_stream=${stream}`,
    `--output=${path.join(folder, "out.stat")}`,
  ];
  try {
    writeStream(stream, readModel(`${MODEL}.pb`, `${MODEL}.data`).graph, SAMPLES, SAMPLES);
    const ratios: number[] = [];
    const times: number[] = [];
    for (let turn = 0; turn < TURNS; turn++) {
      const outputs = `--output_stream=${path.join(folder, "outputs")}`;
      const alone = seconds("mace/bin/mace_run", [...model(MODEL), `--input_stream=${stream}`, outputs]);
      times.push(seconds("mace/bin/mace_stat", stat(MODEL)));
      ratios.push((times[turn] ?? Number.NaN) / alone);
    }
    const ratio = median(ratios);
    console.log(
      `Inception-v3, ${SAMPLES} samples: ${median(times).toFixed(2)} s, ${ratio.toFixed(3)} of inference alone (bar ${TIME_RATIO})`,
    );

    const small = path.join(folder, "small");
    const graph = smallGraph();
    writeModel(graph, small);
    const peaks: number[] = [];
    for (const count of [FEW, MANY]) {
      writeStream(stream, graph, count, FEW);
      peaks.push(await peakBytes("mace/bin/mace_stat", stat(small)));
    }
    const [few = Number.NaN, many = Number.NaN] = peaks;
    console.log(
      `${FEW} samples: ${(few / 1e6).toFixed(1)} MB, ${MANY}: ${(many / 1e6).toFixed(1)} MB, ratio ${(many / few).toFixed(3)} (bar ${MEMORY_RATIO})`,
    );
    if (!(ratio <= TIME_RATIO && many <= MEMORY_RATIO * few)) process.exitCode = 1;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

void main();
