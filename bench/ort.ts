/** ort MODEL.onnx THREADS ROUNDS MODULE_FOLDER: the median time of onnxruntime-node on a zero input, in milliseconds. */

import { createRequire } from "node:module";
import * as path from "node:path";

/** The part of onnxruntime-node's interface that is used; the package is installed for benchmarks only. */
interface Runtime {
  readonly InferenceSession: {
    create(file: string, options: Readonly<Record<string, unknown>>): Promise<Session>;
  };
  readonly Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => unknown;
}
interface Session {
  readonly inputNames: readonly string[];
  run(feeds: Readonly<Record<string, unknown>>): Promise<unknown>;
}

async function main(): Promise<void> {
  const [model = "", threads = "1", rounds = "10", folder = ".", ...dims] = process.argv.slice(2);
  const runtime = createRequire(path.join(folder, "package.json"))("onnxruntime-node") as Runtime;
  const session = await runtime.InferenceSession.create(model, {
    intraOpNumThreads: Number(threads),
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
    executionMode: "sequential",
  });
  const shape = dims.map(Number);
  const data = Float32Array.from({ length: shape.reduce((p, d) => p * d, 1) }, (_, i) => Math.sin(i));
  const feeds = { [session.inputNames[0] ?? ""]: new runtime.Tensor("float32", data, shape) };
  for (let i = 0; i < 3; i++) await session.run(feeds);
  const times: number[] = [];
  for (let i = 0; i < Number(rounds); i++) {
    const start = process.hrtime.bigint();
    await session.run(feeds);
    times.push(Number(process.hrtime.bigint() - start) / 1e6);
  }
  times.sort((a, b) => a - b);
  console.log(times[times.length >> 1]);
}

void main();
