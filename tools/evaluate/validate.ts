/**
 * Validation of a model, stage by stage: the float model against the network in its training framework, and the quantized model
 * against the float one. Each stage names the first layer that departs, in execution order.
 */

import { nothingToCompare } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import { readModel } from "../emit/model-reader";
import type { Graph } from "../ir/graph";
import { sameShape } from "../ir/shape";
import { permuteShape, TO_NCHW, TO_NHWC, transposeData } from "../ir/transpose";
import type { SampleRecord } from "../statistics/sample-stream";
import { channelsOf, type Evaluation, type OutputReport, type TensorReport, tensorReport } from "./evaluate";
import { LayerRunner, type ModelFiles } from "./layer-runner";
import { ArgmaxAgreement, Distance } from "./metrics";
import type { SourceTensor, TensorSource } from "./tensor-source";

export interface Stage {
  /** As `float against net.onnx`. */
  readonly title: string;
  readonly samples: number;
  /** Cosine that every output must reach. */
  readonly threshold: number;
  /** In execution order. */
  readonly layers: readonly TensorReport[];
  readonly outputs: readonly OutputReport[];
  /** Tensors of both whose sizes differ, so that there is nothing to compare. */
  readonly otherSize: readonly string[];
}

/** The first layer whose cosine is below the threshold. */
export const firstDeparture = ({ layers, threshold }: Stage): TensorReport | undefined =>
  layers.find(({ cosine }) => !(cosine >= threshold));

/** The outputs that fail the stage. */
export const failedOutputs = ({ outputs, threshold }: Stage): readonly OutputReport[] =>
  outputs.filter(({ cosine }) => !(cosine >= threshold));

export interface SourceComparison {
  readonly runner: string;
  readonly float: ModelFiles;
  readonly source: TensorSource;
  /** The inputs of each sample. */
  readonly samples: readonly (() => Promise<SampleRecord>)[];
  readonly threshold: number;
  readonly threads: number;
  readonly onProgress: () => void;
}

/** Compares what the float model computes with the tensors that have the same names in the source. */
export async function compareWithSource(input: SourceComparison): Promise<Stage> {
  const { graph } = readModel(input.float.pb, input.float.data);
  const names = graph.nodes.flatMap((node) => node.outputs);
  const distances = new Map<string, Distance>();
  const pixels = new Map(graph.outputs.map(({ tensor }) => [tensor, new ArgmaxAgreement()]));
  const otherSize = new Set<string>();
  const runner = new LayerRunner(input.runner, input.float, names.length, "layers", input.threads);
  try {
    for (const load of input.samples) {
      const sample = await load();
      const [records, expected] = await Promise.all([runner.run(sample), input.source.tensors(sample)]);
      for (const { name, tensors } of records) {
        const tensor = graph.tensors.get(name);
        const theirs = expected.get(name);
        const [ours] = tensors;
        if (!theirs || !ours || tensor?.dtype !== "float32") continue;
        const values = inOurOrder(theirs, ours, tensor.shape);
        if (!values) {
          otherSize.add(name);
          continue;
        }
        const distance = distances.get(name) ?? new Distance();
        distance.add(values, ours);
        distances.set(name, distance);
        pixels.get(name)?.add(values, ours, channelsOf(graph, name));
      }
      input.onProgress();
    }
  } finally {
    runner.close();
    input.source.close();
  }
  const layers = reportsOf(graph, distances);
  const outputs = layers
    .filter(({ tensor }) => pixels.has(tensor))
    .map((layer) => ({ ...layer, pixelAccuracy: pixels.get(layer.tensor)?.share ?? 1 }));
  if (outputs.length === 0) {
    const wanted = graph.outputs.map(({ tensor }) => tensor);
    throw new UserError(nothingToCompare(input.source.name, wanted, [...otherSize]));
  }
  const title = `float against ${input.source.name}`;
  const { threshold, samples } = input;
  return { title, samples: samples.length, threshold, layers, outputs, otherSize: [...otherSize] };
}

function reportsOf(graph: Graph, distances: ReadonlyMap<string, Distance>): TensorReport[] {
  return graph.nodes.flatMap((node) =>
    node.outputs.flatMap((name) => {
      const distance = distances.get(name);
      return distance ? [tensorReport(name, node.name, node.type, distance)] : [];
    }),
  );
}

/**
 * The source's values in the order of our tensor; undefined where the sizes differ. Four-dimensional tensors of frameworks that work
 * in NCHW are stored NHWC here, or as they were: the shape tells, and where both fit it, the nearer reading is taken.
 */
function inOurOrder(
  { shape, values }: SourceTensor,
  ours: Float32Array,
  stored: readonly number[],
): Float32Array | undefined {
  if (values.length !== ours.length) return undefined;
  if (stored.length !== 4) return values;
  const turned = permuteShape(stored, TO_NCHW);
  const canBeTurned = shape === undefined || sameShape(shape, turned);
  if (!canBeTurned) return values;
  const canBeStored = shape === undefined || sameShape(shape, stored);
  return canBeStored ? nearest(ours, values, turned) : (transposeData(values, turned, TO_NHWC) as Float32Array);
}

function nearest(ours: Float32Array, values: Float32Array, turned: readonly number[]): Float32Array {
  const readings = [values, transposeData(values, turned, TO_NHWC) as Float32Array];
  const cosines = readings.map((reading) => {
    const distance = new Distance();
    distance.add(reading, ours);
    return distance.cosine;
  });
  return (cosines[1] ?? 0) > (cosines[0] ?? 0) ? (readings[1] ?? values) : values;
}

/** The stage of quantized against float, from what `evaluate` found. */
export function quantizedStage(evaluation: Evaluation, threshold: number): Stage {
  const { layers, outputs, layerSamples } = evaluation;
  return { title: "quantized against float", samples: layerSamples, threshold, layers, outputs, otherSize: [] };
}
