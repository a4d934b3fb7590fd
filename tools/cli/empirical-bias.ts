/** `mace quantize --bias_correction empirical`: biases that make up for what the quantized model was measured to add. */

import * as path from "node:path";
import { writeModel } from "../emit/model-writer";
import { LayerRunner } from "../evaluate/layer-runner";
import { Distance } from "../evaluate/metrics";
import type { Graph, GraphNode } from "../ir/graph";
import { floatMeans, PatchMeans, quantizedMeans } from "../quantize/empirical-bias";
import { type ProductView, productOf } from "../quantize/product-view";
import { type Prepared, quantizePrepared, roundedNodes } from "../quantize/quantize-model";
import { layerValues, modelAt } from "./adaptive-rounding";
import type { Options } from "./context";
import { Progress } from "./progress";
import { note } from "./report";
import { measuringOf } from "./sample-options";
import type { Sample } from "../statistics/samples";

/** Patches of each sample that count towards a mean. */
const PATCHES = 1024;
/** Each round corrects with the inputs that the last one's biases gave. */
const ROUNDS = 4;

interface Layer {
  readonly node: GraphNode;
  readonly product: ProductView;
}

type Values = ReadonlyMap<string, ArrayLike<number>>;

/**
 * Measures the mean of each layer's output in the float model and in the quantized one, takes the difference from the biases, and again with
 * what the layers before give then. The biases of the round with the best outputs on the samples are kept; the analytic ones are the first.
 */
export async function withEmpiricalBias(options: Options, prepared: Prepared, folder: string): Promise<Prepared> {
  const { graph } = prepared;
  const { runner, samples } = measuringOf(options, graph, "empirical bias correction");
  const layers = roundedNodes(prepared).flatMap((node): Layer[] => {
    const product = productOf(graph, node);
    return product && graph.tensors.get(node.inputs[2] ?? "")?.data ? [{ node, product }] : [];
  });
  const progress = new Progress("samples", (ROUNDS + 2) * samples.length);
  const run = (graph: Graph, name: string, use: (values: Values, sample: number) => void): Promise<void> =>
    overSamples(options, runner, graph, path.join(folder, name), samples, (values, i) => {
      use(values, i);
      progress.advance();
    });
  try {
    const means = new Map(layers.map(({ node, product }) => [node.name, new PatchMeans(product, PATCHES)]));
    const outputs: Float32Array[][] = [];
    await run(graph, "float", (values) => {
      for (const { node } of layers) means.get(node.name)?.add(values.get(node.inputs[0] ?? "") ?? []);
      outputs.push(graph.outputs.map((port) => Float32Array.from(values.get(port.tensor) ?? [])));
    });
    const wanted = new Map(
      layers.map(({ node }) => [node.name, floatMeans(means.get(node.name) as PatchMeans, graph, node)]),
    );
    let best = { prepared, sqnr: Number.NEGATIVE_INFINITY, round: 0 };
    let current = prepared;
    for (let round = 0; round <= ROUNDS; round++) {
      const { graph: quantized } = quantizePrepared(current);
      const nodes = new Map(quantized.nodes.map((node) => [node.name, node]));
      const found = new Map(layers.map(({ node, product }) => [node.name, new PatchMeans(product, PATCHES)]));
      const distances = graph.outputs.map(() => new Distance());
      await run(quantized, "corrected", (values, sample) => {
        for (const [name, patches] of found) patches.add(values.get(nodes.get(name)?.inputs[0] ?? "") ?? []);
        graph.outputs.forEach((port, i) => {
          const actual = Float32Array.from(values.get(port.tensor) ?? []);
          distances[i]?.add(outputs[sample]?.[i] ?? new Float32Array(), actual);
        });
      });
      const sqnr = Math.min(...distances.map((distance) => distance.sqnr));
      if (sqnr > best.sqnr) best = { prepared: current, sqnr, round };
      const shifts = new Map<string, Float64Array>();
      for (const [name, patches] of found) {
        const actual = quantizedMeans(patches, quantized, nodes.get(name) as GraphNode);
        const float = wanted.get(name);
        if (actual && float)
          shifts.set(
            name,
            actual.map((mean, c) => mean - (float[c] ?? 0)),
          );
      }
      current = { ...prepared, shifts };
    }
    note(
      best.round === 0
        ? "empirical bias correction: no round was better on the samples than the analytic correction, which stays"
        : `empirical bias correction: the biases of round ${best.round} of ${ROUNDS}, ${best.sqnr.toFixed(1)} dB at the outputs`,
    );
    return best.prepared;
  } finally {
    progress.finish();
  }
}

async function overSamples(
  options: Options,
  runner: string,
  graph: Graph,
  prefix: string,
  samples: readonly Sample[],
  use: (values: Values, sample: number) => void,
): Promise<void> {
  writeModel(graph, prefix);
  const computed = graph.nodes.reduce((count, node) => count + node.outputs.length, 0);
  const threads = options.number("num_threads", 0, 1024);
  const layerRunner = new LayerRunner(runner, modelAt(prefix), computed, "layers", threads);
  try {
    for (const [i, sample] of samples.entries()) use(await layerValues(layerRunner, sample, graph), i);
  } finally {
    layerRunner.close();
  }
}
