/** Runs a graph by the runtime, for tests that compare. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { writeModel } from "../../tools/emit/model-writer";
import type { ConstantData, Graph } from "../../tools/ir/graph";
import { printGraph } from "../../tools/ir/print";
import { encodeRecord, RecordDecoder, type SampleRecord } from "../../tools/statistics/sample-stream";

const RUN = path.resolve("mace/bin/mace_run");

function records(file: string): SampleRecord[] {
  const decoder = new RecordDecoder();
  const read = decoder.push(fs.readFileSync(file));
  assert.ok(decoder.complete);
  return read;
}

export interface NativeResult {
  /** The outputs in the graph's order. */
  readonly outputs: readonly Float32Array[];
  /** Every computed tensor by name; codes as the real values that they mean. */
  readonly layers: ReadonlyMap<string, Float32Array>;
}

/** Runs the model files `<prefix>.pb` and `<prefix>.data` on one sample. `tier` forces kernels of an instruction set. */
export function runFiles(
  prefix: string,
  graph: Graph,
  feeds: ReadonlyMap<string, ConstantData>,
  tier?: string,
): NativeResult {
  const tensors = graph.inputs.map((port) => Float32Array.from(feeds.get(port.tensor) ?? []));
  fs.writeFileSync(`${prefix}.in`, encodeRecord({ name: "0", tensors }));
  const files = ["model_file=.pb", "model_data_file=.data", "input_stream=.in", "output_stream=.out"];
  // Models of several parts have no layers to write.
  const flags = [...files, ...(tier === undefined ? [] : ["layers_output=.layers"])];
  const result = spawnSync(RUN, [...flags.map((flag) => `--${flag.replace("=", `=${prefix}`)}`), "--num_threads=1"], {
    encoding: "utf8",
    env: { ...process.env, ...(tier !== undefined && tier !== "" && { MACE_CPU_TIER: tier }) },
  });
  if (result.status !== 0) assert.fail(`${result.stderr}\n${printGraph(graph)}`);
  const [record] = records(`${prefix}.out`);
  assert.ok(record);
  const layers = tier === undefined ? [] : records(`${prefix}.layers`);
  return {
    outputs: record.tensors,
    layers: new Map(layers.map(({ name, tensors: [values] }) => [name, values ?? new Float32Array()])),
  };
}

/** Writes the graph as `<prefix>.pb` and `<prefix>.data` and runs it; with its layers where `tier` is given ("" for the best). */
export function runNative(
  prefix: string,
  graph: Graph,
  feeds: ReadonlyMap<string, ConstantData>,
  tier?: string,
): NativeResult {
  writeModel(graph, prefix);
  return runFiles(prefix, graph, feeds, tier);
}
