/** Compares a quantized model with the float model that it came from, on samples. */

import { readModel } from "../emit/model-reader";
import type { Graph } from "../ir/graph";
import type { SampleRecord } from "../statistics/sample-stream";
import { loadSample, type Sample } from "../statistics/samples";
import { labelOf } from "./labels";
import { LayerRunner, type ModelFiles } from "./layer-runner";
import { ArgmaxAgreement, Distance, topIndices } from "./metrics";

export interface TensorReport {
  readonly tensor: string;
  readonly node: string;
  readonly type: string;
  /** dB; null for tensors that are equal. */
  readonly sqnr: number | null;
  readonly cosine: number;
  readonly maxError: number;
}

export interface OutputReport extends TensorReport {
  /** Share, 0 to 1, of the positions whose greatest channel is the same. */
  readonly pixelAccuracy: number;
}

export interface Accuracy {
  /** Per cent of the samples whose label is the class of the greatest output, or among the five greatest. */
  readonly top1: number;
  readonly top5: number;
}

export interface Evaluation {
  readonly model: string;
  readonly samples: number;
  readonly layerSamples: number;
  /** Per cent of the samples for which both models have the same greatest output. */
  readonly agreement: number;
  readonly outputs: readonly OutputReport[];
  /** In execution order of the quantized model. */
  readonly layers: readonly TensorReport[];
  readonly labelled?: { readonly samples: number; readonly float: Accuracy; readonly quantized: Accuracy };
}

export interface EvaluationInput {
  readonly runner: string;
  readonly float: ModelFiles;
  readonly quantized: ModelFiles;
  /** The float graph as it was quantized, where weights moved between layers; the float model by default. */
  readonly reference?: ModelFiles;
  /** The quantized model as an accelerator runs it: its outputs are those of the evaluation then. Layers are always the CPU's. */
  readonly device?: DeviceModel;
  /** Files, or what gives the inputs. */
  readonly samples: readonly (Sample | (() => Promise<SampleRecord>))[];
  /** How many of the samples are compared layer by layer. */
  readonly layerSamples: number;
  /** Sample to the index of its class. */
  readonly labels: ReadonlyMap<string, number>;
  readonly threads: number;
  readonly onProgress: () => void;
}

/** A lowered model and what runs it. */
export interface DeviceModel {
  readonly lowered: ModelFiles;
  readonly runner: string;
  /** Further arguments of the runner. */
  readonly arguments: readonly string[];
}

/** Runs both models over the samples. */
export async function evaluate(input: EvaluationInput): Promise<Evaluation> {
  const { graph } = readModel(input.float.pb, input.float.data);
  const outputs = await compareOutputs(input, graph);
  const layers = await compareLayers(input, graph);
  return { model: graph.name, samples: input.samples.length, ...outputs, ...layers };
}

async function compareOutputs(
  { runner, float, quantized, device, samples, labels, threads, onProgress }: EvaluationInput,
  graph: Graph,
): Promise<Pick<Evaluation, "agreement" | "outputs" | "labelled">> {
  const run8bit = device
    ? new LayerRunner(device.runner, device.lowered, 1, "outputs", threads, device.arguments)
    : new LayerRunner(runner, quantized, 1, "outputs", threads);
  const runs = [new LayerRunner(runner, float, 1, "outputs", threads), run8bit];
  const distances = graph.outputs.map(() => new Distance());
  const pixels = graph.outputs.map(() => new ArgmaxAgreement());
  const channels = graph.outputs.map((port) => channelsOf(graph, port.tensor));
  const right = { labelled: 0, float1: 0, float5: 0, quantized1: 0, quantized5: 0 };
  let agree = 0;
  try {
    for (const sample of samples) {
      const record = await recordOf(sample, graph);
      const [expected, actual] = (await Promise.all(runs.map((run) => run.run(record)))).map(
        (r) => r[0]?.tensors ?? [],
      );
      distances.forEach((distance, i) => {
        const pair = [expected?.[i] ?? new Float32Array(), actual?.[i] ?? new Float32Array()] as const;
        distance.add(...pair);
        pixels[i]?.add(...pair, channels[i] ?? 1);
      });
      const [e, a] = [expected, actual].map((tensors) => topIndices(tensors?.[0] ?? new Float32Array(), 5));
      if (e?.[0] === a?.[0]) agree++;
      const label = labelOf(labels, record.name);
      if (label !== undefined) {
        right.labelled++;
        if (e?.[0] === label) right.float1++;
        if (e?.includes(label)) right.float5++;
        if (a?.[0] === label) right.quantized1++;
        if (a?.includes(label)) right.quantized5++;
      }
      onProgress();
    }
  } finally {
    for (const run of runs) run.close();
  }
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  const share = (count: number): number => (100 * count) / Math.max(right.labelled, 1);
  return {
    agreement: (100 * agree) / Math.max(samples.length, 1),
    outputs: graph.outputs.map((port, i) => {
      const node = producers.get(port.tensor);
      const figures = tensorReport(port.tensor, node?.name ?? "", node?.type ?? "", distances[i] as Distance);
      return { ...figures, pixelAccuracy: pixels[i]?.share ?? 1 };
    }),
    ...(right.labelled > 0 && {
      labelled: {
        samples: right.labelled,
        float: { top1: share(right.float1), top5: share(right.float5) },
        quantized: { top1: share(right.quantized1), top5: share(right.quantized5) },
      },
    }),
  };
}

async function compareLayers(
  { runner, float, quantized, reference = float, samples, layerSamples, threads, onProgress }: EvaluationInput,
  floatGraph: Graph,
): Promise<Pick<Evaluation, "layers" | "layerSamples">> {
  const models = [reference, quantized];
  const graphs = models.map((model) => readModel(model.pb, model.data).graph);
  const [expectedGraph, actualGraph] = graphs as [Graph, Graph];
  const computed = (graph: Graph): string[] => graph.nodes.flatMap((node) => node.outputs);
  const real = (graph: Graph, name: string): boolean =>
    ["float32", "uint8", "int8"].includes(graph.tensors.get(name)?.dtype ?? "");
  const inReference = new Set(computed(expectedGraph).filter((name) => real(expectedGraph, name)));
  const distances = new Map<string, Distance>();
  const runs = models.map(
    (model, i) => new LayerRunner(runner, model, computed(graphs[i] as Graph).length, "layers", threads),
  );
  const chosen = samples.slice(0, layerSamples);
  try {
    for (const sample of chosen) {
      const record = await recordOf(sample, floatGraph);
      const [expected, actual] = await Promise.all(runs.map((run) => run.run(record)));
      const byName = new Map(expected?.map(({ name, tensors }) => [name, tensors[0]]));
      for (const { name, tensors } of actual ?? []) {
        // Where a tensor exists in both forms, its codes carry the suffix.
        const origin = inReference.has(name) ? name : name.replace(/\/quantized(_\d+)?$/, "");
        const values = byName.get(origin);
        if (!values || !inReference.has(origin) || values.length !== tensors[0]?.length) continue;
        const distance = distances.get(origin) ?? new Distance();
        distance.add(values, tensors[0]);
        distances.set(origin, distance);
      }
      onProgress();
    }
  } finally {
    for (const run of runs) run.close();
  }
  const layers: TensorReport[] = [];
  const seen = new Set<string>();
  for (const node of actualGraph.nodes) {
    for (const output of node.outputs) {
      const origin = distances.has(output) ? output : output.replace(/\/quantized(_\d+)?$/, "");
      const distance = distances.get(origin);
      if (!distance || seen.has(origin) || node.type === "Quantize") continue;
      seen.add(origin);
      layers.push(tensorReport(origin, node.name, node.type, distance));
    }
  }
  return { layers, layerSamples: chosen.length };
}

const recordOf = async (sample: Sample | (() => Promise<SampleRecord>), graph: Graph): Promise<SampleRecord> =>
  typeof sample === "function" ? sample() : { name: sample.name, tensors: await loadSample(sample, graph) };

/** Length of a tensor's last axis. */
export const channelsOf = (graph: Graph, tensor: string): number => graph.tensors.get(tensor)?.shape.at(-1) ?? 1;

/** The figures of a tensor, as numbers that JSON can hold. */
export function tensorReport(
  tensor: string,
  node: string,
  type: string,
  { sqnr, cosine, maxError }: Distance,
): TensorReport {
  return { tensor, node, type, sqnr: Number.isFinite(sqnr) ? sqnr : sqnr > 0 ? null : -999, cosine, maxError };
}
