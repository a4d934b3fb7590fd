/** The product's own commands, driven by tests: import, statistics, quantization, and classes of labelled samples. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { main } from "../../tools/cli/main";
import { readModel } from "../../tools/emit/model-reader";
import { encodeRecord, RecordDecoder } from "../../tools/statistics/sample-stream";
import { loadSample } from "../../tools/statistics/samples";

const RUN = path.resolve("mace/bin/mace_run");
const STAT = path.resolve("mace/bin/mace_stat");

/** What runs a translated model. */
export interface Device {
  readonly runner: string;
  readonly library: string;
}

async function mace(...args: readonly string[]): Promise<void> {
  assert.equal(await main(args), 0, `mace ${args.join(" ")}`);
}

export class Pipeline {
  constructor(
    private readonly folder: string,
    readonly name: string,
  ) {}

  private prefix(kind: string): string {
    return path.join(this.folder, `${this.name}.${kind}`);
  }

  /** Imports with a configuration given as the text of the model's keys. `others` are further files that the keys name. */
  async convert(source: string, keys: string, others: readonly string[] = []): Promise<void> {
    const config = `${this.prefix("yml")}`;
    fs.writeFileSync(config, `models:\n  ${this.name}:\n    model_file_path: ${path.basename(source)}\n${keys}`);
    await mace("convert", "--config", config, ...[source, ...others].flatMap((file) => ["--src", file]), "--output_prefix", this.prefix("float"));
  }

  /** Imports a file that says everything itself. */
  async convertAlone(source: string, ...options: readonly string[]): Promise<void> {
    await mace("convert", source, ...options, "--output_prefix", this.prefix("float"));
  }

  /** A file of this model, by its ending. */
  file(kind: string): string {
    return this.prefix(kind);
  }

  /** Quantizes a model that carries all its ranges. */
  async quantizeTrained(scheme: string): Promise<void> {
    await mace("quantize", "--model", `${this.prefix("float")}.pb`, "--scheme", scheme, "--output_prefix", this.prefix(scheme));
  }

  async calibrate(files: readonly string[]): Promise<void> {
    const list = this.prefix("samples");
    fs.writeFileSync(list, files.join("\n"));
    await mace(
      ...["stat", "--model", `${this.prefix("float")}.pb`, "--runner", STAT, "--samples_list", list],
      ...["--output", this.prefix("stat"), "--ranges", this.prefix("ranges")],
    );
  }

  async quantize(scheme: string): Promise<void> {
    await mace(
      ...["quantize", "--model", `${this.prefix("float")}.pb`, "--ranges", this.prefix("ranges")],
      ...["--statistics", this.prefix("stat")],
      ...["--scheme", scheme, "--output_prefix", this.prefix(scheme)],
    );
  }

  /** Quantizes for an accelerator and translates; the kind is the accelerator's name, and `<name>.quantized` for the CPU. */
  async quantizeFor(runtime: string, ranges: boolean): Promise<void> {
    await mace(
      ...["quantize", "--model", `${this.prefix("float")}.pb`],
      ...(ranges ? ["--ranges", this.prefix("ranges"), "--statistics", this.prefix("stat")] : []),
      ...["--runtime", runtime, "--output_prefix", this.prefix(`${runtime}.quantized`)],
    );
    await mace(
      ...["lower", "--model", `${this.prefix(`${runtime}.quantized`)}.pb`],
      ...["--runtime", runtime, "--output_prefix", this.prefix(runtime)],
    );
  }

  /** Preprocesses the samples once, for all runs. */
  async prepare(files: readonly string[]): Promise<void> {
    const { graph } = readModel(`${this.prefix("float")}.pb`, `${this.prefix("float")}.data`);
    const out = fs.openSync(this.prefix("stream"), "w");
    for (const [i, file] of files.entries()) {
      fs.writeSync(out, encodeRecord({ name: String(i), tensors: await loadSample({ name: "", files: [file] }, graph) }));
    }
    fs.closeSync(out);
  }

  /** The first output of each prepared sample. */
  outputs(kind: string, device?: Device): Float32Array[] {
    return this.allOutputs(kind, device).map(([first]) => first ?? new Float32Array());
  }

  /** The outputs of each prepared sample. */
  allOutputs(kind: string, device?: Device): (readonly Float32Array[])[] {
    const result = spawnSync(
      device?.runner ?? RUN,
      [
        ...(device ? [`--accelerator_library=${device.library}`] : []),
        `--model_file=${this.prefix(kind)}.pb`,
        `--model_data_file=${this.prefix(kind)}.data`,
        `--input_stream=${this.prefix("stream")}`,
        `--output_stream=${this.prefix("outputs")}`,
        "--num_threads=2",
      ],
      { encoding: "utf8" },
    );
    assert.equal(result.status, 0, result.stderr);
    const decoder = new RecordDecoder();
    const records = decoder.push(fs.readFileSync(this.prefix("outputs")));
    assert.ok(decoder.complete);
    return records.map((record) => record.tensors);
  }
}

/**
 * The same as topOne where the classes with the greatest score share the output among them. Codes of scores are often equal, for 3 % of the
 * images in some networks, and topOne then takes the first class.
 */
export function topOneOfTies(outputs: readonly Float32Array[], labels: readonly number[]): number {
  assert.equal(outputs.length, labels.length);
  const shares = outputs.map((output, i) => {
    const greatest = Math.max(...output);
    return output[labels[i] ?? 0] === greatest ? 1 / output.filter((score) => score === greatest).length : 0;
  });
  return (100 * shares.reduce((sum, share) => sum + share, 0)) / labels.length;
}

/** Share of outputs, in per cent, whose greatest element is the label. */
export function topOne(outputs: readonly Float32Array[], labels: readonly number[]): number {
  assert.equal(outputs.length, labels.length);
  const right = outputs.filter((output, i) => output.indexOf(Math.max(...output)) === labels[i]).length;
  return (100 * right) / labels.length;
}
