/**
 * Accuracy of quantized models side by side: our schemes, onnxruntime's static quantization and TensorFlow Lite's converter, calibrated and
 * evaluated on the same input tensors. The peers are Python packages that the build and the tests never use.
 *
 *   accuracy DATA_DIR PYTHON [MODEL ...]
 */

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { main as mace } from "../tools/cli/main";
import { userPath } from "../tools/cli/context";
import { readModelConfig } from "../tools/config/model-config";
import { readModel } from "../tools/emit/model-reader";
import { LayerRunner } from "../tools/evaluate/layer-runner";
import type { Graph } from "../tools/ir/graph";
import { elementCount } from "../tools/ir/shape";
import { groupSamples, listFolder, loadSample, type Sample } from "../tools/statistics/samples";
import { exportOnnx } from "../tools/synth/onnx-export";

/** Name, options of `mace ranges`, options of `mace quantize`. */
const OURS = [
  ["mace int8_per_channel, min-max", [], ["--scheme=int8_per_channel"]],
  ["mace int8_per_channel, percentile", ["--method=percentile"], ["--scheme=int8_per_channel"]],
  ["mace int8_per_channel, entropy", ["--method=entropy"], ["--scheme=int8_per_channel"]],
  ["mace uint8, min-max", [], ["--scheme=uint8"]],
  ["mace uint8, percentile", ["--method=percentile"], ["--scheme=uint8"]],
] as const;

interface Row {
  readonly name: string;
  readonly top1: number;
  readonly agreement: number;
  /** dB, of the first output. */
  readonly sqnr: number;
}

async function run(...argv: readonly string[]): Promise<void> {
  const code = await mace(argv);
  if (code !== 0) throw new Error(`mace ${argv[0]} ended with ${code}`);
}

interface Bench {
  readonly config: string;
  readonly calibration: string;
  readonly validation: string;
  readonly labels: ReadonlyMap<string, number>;
  readonly python: string;
  readonly folder: string;
}

async function benchModel(bench: Bench, name: string, tensorflow: string | undefined): Promise<Row[]> {
  const prefix = path.join(bench.folder, name);
  const [pb, data, statistics, ranges] = ["pb", "data", "stat", "ranges"].map((ending) => `${prefix}.${ending}`);
  const runners = ["mace_run", "mace_stat"].map((program) => path.resolve("mace/bin", program));
  await run("convert", "--config", bench.config, "--model_name", name, "--output_prefix", prefix);
  await run(
    "stat",
    `--model=${pb}`,
    `--runner=${runners[1]}`,
    `--input_dir=${bench.calibration}`,
    `--output=${statistics}`,
  );
  const { graph } = readModel(pb ?? "", data ?? "");
  const output = graph.outputs[0]?.tensor ?? "";
  // Classes are counted with the background where the network has one.
  const background = (graph.tensors.get(output)?.shape.at(-1) ?? 0) % 1000 === 1 ? 1 : 0;
  const labels = `${prefix}.labels`;
  fs.writeFileSync(labels, [...bench.labels].map(([sample, label]) => `${sample} ${label + background}\n`).join(""));

  const rows: Row[] = [];
  for (const [what, rangeOptions, options] of OURS) {
    const result = `${prefix}.json`;
    await run("ranges", `--statistics=${statistics}`, `--output=${ranges}`, ...rangeOptions);
    await run(
      "quantize",
      `--model=${pb}`,
      `--ranges=${ranges}`,
      `--statistics=${statistics}`,
      ...options,
      `--output_prefix=${prefix}_quant`,
    );
    const models = [`--model=${pb}`, `--quantized=${prefix}_quant.pb`, `--runner=${runners[0]}`];
    const samples = [`--input_dir=${bench.validation}`, `--labels=${labels}`, "--layer_samples=1"];
    await run("evaluate", ...models, ...samples, `--output=${result}`, "--quiet");
    const { agreement, labelled, outputs } = JSON.parse(fs.readFileSync(result, "utf8"));
    if (rows.length === 0) rows.push({ name: "float", top1: labelled.float.top1, agreement: 100, sqnr: Number.NaN });
    rows.push({ name: what, top1: labelled.quantized.top1, agreement, sqnr: outputs[0].sqnr });
  }
  return [...rows, ...(await peers(bench, prefix, graph, background, tensorflow))];
}

/** The first output of the float model for each validation sample, which are there already, to `<prefix>.expected`. */
async function writeOutputs(prefix: string): Promise<void> {
  const { graph } = readModel(`${prefix}.pb`, `${prefix}.data`);
  const length = elementCount(graph.tensors.get(graph.inputs[0]?.tensor ?? "")?.shape ?? []);
  const bytes = fs.readFileSync(`${prefix}.validation`);
  const runner = new LayerRunner(
    path.resolve("mace/bin/mace_run"),
    { pb: `${prefix}.pb`, data: `${prefix}.data` },
    1,
    "outputs",
    2,
  );
  const out = fs.openSync(`${prefix}.expected`, "w");
  try {
    for (let at = 0; at < bytes.length; at += 4 * length) {
      const tensor = new Float32Array(bytes.buffer.slice(bytes.byteOffset + at, bytes.byteOffset + at + 4 * length));
      const [record] = await runner.run({ name: String(at), tensors: [tensor] });
      fs.writeSync(out, record?.tensors[0] ?? new Float32Array());
    }
  } finally {
    runner.close();
    fs.closeSync(out);
  }
}

/** The peers get tensors, not images, so that preprocessing is no part of the comparison. */
async function peers(
  { calibration, validation, labels, python }: Bench,
  prefix: string,
  graph: Graph,
  background: number,
  tensorflow: string | undefined,
): Promise<Row[]> {
  const port = graph.inputs[0];
  if (!port || graph.inputs.length !== 1) throw new Error("only models with one input are compared");
  const samplesOf = (folder: string): Sample[] => groupSamples(listFolder(folder), graph.inputs, folder);
  const write = async (file: string, samples: readonly Sample[]): Promise<void> => {
    const out = fs.openSync(file, "w");
    for (const sample of samples) fs.writeSync(out, (await loadSample(sample, graph))[0] ?? new Float32Array());
    fs.closeSync(out);
  };
  const tested = samplesOf(validation);
  await write(`${prefix}.calibration`, samplesOf(calibration));
  await write(`${prefix}.validation`, tested);
  await writeOutputs(prefix);
  const classes = tested.map(
    ({ name }) => (labels.get(name) ?? labels.get(name.replace(/\.[^.]*$/, "")) ?? -2) + background,
  );
  fs.writeFileSync(`${prefix}.onnx`, exportOnnx(graph).bytes);
  const task = {
    prefix,
    shape: graph.tensors.get(port.tensor)?.shape,
    classes,
    tensorflow,
    input: port.tensor,
    output: graph.outputs[0]?.tensor,
  };
  fs.writeFileSync(`${prefix}.task.json`, JSON.stringify(task));
  const script = path.resolve("bench/accuracy_peers.py");
  const result = spawnSync(python, [script, `${prefix}.task.json`], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (result.status !== 0) throw new Error(`${python} ${script} ended with ${result.status}`);
  const lines = result.stdout.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line) as Row);
}

/** Our rows and those of the peers with the same number of scales for weights. */
const MATCHES = [
  ["per channel", /^mace int8_per_channel, min-max/, /^onnxruntime (entropy|percentile), per channel|^tflite/],
  ["per tensor", /^mace uint8, min-max/, /^onnxruntime (entropy|percentile), per tensor/],
] as const;

/** What we give by default against the best of each peer, in top-1 and in dB. */
function verdicts(rows: readonly Row[]): string[] {
  return MATCHES.flatMap(([what, own, others]) => {
    const ours = rows.find(({ name }) => own.test(name));
    const peers = rows.filter(({ name }) => others.test(name));
    if (!ours || peers.length === 0) return [];
    return peers.map(({ name, top1, sqnr }) => {
      const word = (difference: number): string => (difference > 0 ? "above" : difference < 0 ? "BELOW" : "equal to");
      const dB = Number((ours.sqnr - sqnr).toFixed(1));
      return `${what}: ${word(ours.top1 - top1)} ${name} in top-1 (${(ours.top1 - top1).toFixed(2)}), ${word(dB)} in dB (${dB.toFixed(1)})`;
    });
  });
}

async function main([data, python, ...only]: readonly string[]): Promise<number> {
  if (!data || !python) {
    process.stderr.write("usage: accuracy DATA_DIR PYTHON [MODEL ...]\n");
    return 2;
  }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-accuracy-"));
  const images = path.join(userPath(data), "images/imagenet_like");
  const lines = fs.readFileSync(path.join(images, "val_labels.csv"), "utf8").trim().split("\n").slice(1);
  // Paths of the configuration are relative to it, and the data may be anywhere.
  fs.symlinkSync(userPath(data), path.join(folder, "data"));
  const config = path.join(folder, "accuracy.yml");
  fs.copyFileSync(path.resolve("bench/accuracy.yml"), config);
  const bench: Bench = {
    config,
    calibration: path.join(images, "calib"),
    validation: path.join(images, "val"),
    labels: new Map(lines.map((line) => [line.split(",")[0] ?? "", Number(line.split(",")[2])])),
    python: userPath(python),
    folder,
  };
  const deployment = readModelConfig(fs.readFileSync(bench.config, "utf8"), bench.config);
  try {
    for (const model of deployment.models) {
      if (only.length > 0 && !only.includes(model.name)) continue;
      const [part] = model.parts;
      const file = path.resolve(path.dirname(bench.config), part?.modelFile ?? "");
      const rows = await benchModel(bench, model.name, part?.platform === "tensorflow" ? file : undefined);
      console.log(`\n${model.name.padEnd(44)}   top-1  agreement      dB`);
      for (const { name, top1, agreement, sqnr } of rows) {
        const cells = [top1.toFixed(2).padStart(6), agreement.toFixed(2).padStart(9), sqnr.toFixed(1).padStart(6)];
        console.log(`  ${name.padEnd(42)}  ${cells.join("  ")}`);
      }
      for (const verdict of verdicts(rows)) console.log(`  ${verdict}`);
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
  return 0;
}

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
