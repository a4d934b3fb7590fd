/** Measures many quantized models of one float model on the same samples. The float model runs once; nothing is measured twice. */

import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { readModel } from "../emit/model-reader";
import { readFile, writeFileAtomically } from "../io/files";
import type { Graph } from "../ir/graph";
import type { SampleRecord } from "../statistics/sample-stream";
import { loadSample, type Sample } from "../statistics/samples";
import { labelOf } from "./labels";
import { LayerRunner, type ModelFiles } from "./layer-runner";
import { Distance, topIndices } from "./metrics";

export interface Measurement {
  /** Least signal-to-noise ratio of an output, dB. */
  readonly sqnr: number;
  /** Points of top-1 accuracy lost; without labels, per cent of the samples that have another class. */
  readonly drop: number;
}

export interface MeterInput {
  readonly runner: string;
  readonly float: ModelFiles;
  readonly samples: readonly Sample[];
  readonly labels: ReadonlyMap<string, number>;
  readonly threads: number;
  /** Folder in which measurements outlive the program; named by the digest of everything that they depend on. */
  readonly cache?: string;
}

interface Expected {
  readonly record: SampleRecord;
  readonly outputs: readonly Float32Array[];
  readonly label: number | undefined;
}

export class AccuracyMeter {
  private readonly known = new Map<string, Measurement>();

  private constructor(
    private readonly input: MeterInput,
    private readonly expected: readonly Expected[],
    private readonly digest: Uint8Array,
  ) {}

  /** Loads the samples and runs the float model on them. */
  static async start(input: MeterInput): Promise<AccuracyMeter> {
    const { graph } = readModel(input.float.pb, input.float.data);
    const hash = createHash("sha256");
    const expected: Expected[] = [];
    const run = new LayerRunner(input.runner, input.float, 1, "outputs", input.threads);
    try {
      for (const sample of input.samples) expected.push(await expect(run, sample, graph, input.labels));
    } finally {
      run.close();
    }
    for (const { record, outputs, label } of expected) {
      hash.update(`${record.tensors.length} ${label ?? ""};`);
      for (const tensor of [...record.tensors, ...outputs]) {
        hash.update(`${tensor.length};`);
        hash.update(new Uint8Array(tensor.buffer, tensor.byteOffset, tensor.byteLength));
      }
    }
    return new AccuracyMeter(input, expected, hash.digest());
  }

  /** @param count how many of the samples to run, from the first. */
  async measure(model: ModelFiles, count = this.expected.length): Promise<Measurement> {
    const hash = createHash("sha256").update(this.digest).update(String(count));
    for (const file of [model.pb, model.data]) hash.update(readFile(file, "model"));
    const key = hash.digest("hex");
    const found = this.known.get(key) ?? this.remembered(key);
    if (found) return found;
    const measurement = await this.run(model, this.expected.slice(0, count));
    this.known.set(key, measurement);
    if (this.input.cache !== undefined) {
      const { sqnr, drop } = measurement;
      const text = JSON.stringify({ sqnr: Number.isFinite(sqnr) ? sqnr : String(sqnr), drop });
      writeFileAtomically(path.join(this.input.cache, `${key}.json`), [`${text}\n`]);
    }
    return measurement;
  }

  /** A measurement of an earlier run; a file that is not whole counts as none. */
  private remembered(key: string): Measurement | undefined {
    if (this.input.cache === undefined) return undefined;
    try {
      const value = JSON.parse(fs.readFileSync(path.join(this.input.cache, `${key}.json`), "utf8")) as Measurement;
      const [sqnr, drop] = [Number(value.sqnr), Number(value.drop)];
      if (Number.isNaN(sqnr) || !Number.isFinite(drop)) return undefined;
      return { sqnr, drop };
    } catch {
      return undefined;
    }
  }

  private async run(model: ModelFiles, expected: readonly Expected[]): Promise<Measurement> {
    const { runner, threads } = this.input;
    const distances = (expected[0]?.outputs ?? []).map(() => new Distance());
    const right = { labelled: 0, float: 0, quantized: 0, agree: 0 };
    const run = new LayerRunner(runner, model, 1, "outputs", threads);
    try {
      for (const { record, outputs, label } of expected) {
        const actual = (await run.run(record))[0]?.tensors ?? [];
        distances.forEach((distance, i) => {
          distance.add(outputs[i] ?? new Float32Array(), actual[i] ?? new Float32Array());
        });
        const [e, a] = [outputs, actual].map((tensors) => topIndices(tensors[0] ?? new Float32Array(), 1)[0]);
        if (e === a) right.agree++;
        if (label === undefined) continue;
        right.labelled++;
        if (e === label) right.float++;
        if (a === label) right.quantized++;
      }
    } finally {
      run.close();
    }
    const drop =
      right.labelled > 0
        ? (100 * (right.float - right.quantized)) / right.labelled
        : 100 - (100 * right.agree) / Math.max(expected.length, 1);
    // NaN, of an output that is none, must not pass for a good one.
    const ratios = distances.map(({ sqnr }) => (Number.isNaN(sqnr) ? Number.NEGATIVE_INFINITY : sqnr));
    return { sqnr: Math.min(...ratios), drop };
  }
}

async function expect(
  run: LayerRunner,
  sample: Sample,
  graph: Graph,
  labels: ReadonlyMap<string, number>,
): Promise<Expected> {
  const record = { name: sample.name, tensors: await loadSample(sample, graph) };
  const outputs = (await run.run(record))[0]?.tensors ?? [];
  return { record, outputs, label: labelOf(labels, sample.name) };
}
