/** `mace quantize --rounding adaptive`: what the layers of the float model are given, measured on samples. */

import * as path from "node:path";
import { writeModel } from "../emit/model-writer";
import { evaluate } from "../evaluate/evaluate";
import { LayerRunner, type ModelFiles } from "../evaluate/layer-runner";
import { readFile, writeFileAtomically } from "../io/files";
import type { Graph, GraphNode } from "../ir/graph";
import { AdaptiveRounding, type Moments, MomentsCollector } from "../quantize/adaptive-rounding";
import { type ProductView, productOf } from "../quantize/product-view";
import { type Prepared, quantizePrepared, roundedNodes } from "../quantize/quantize-model";
import { keepWhatHelps, type TrialResult } from "../quantize/rounding-trial";
import { loadSample, type Sample } from "../statistics/samples";
import type { Options } from "./context";
import { Progress } from "./progress";
import { note } from "./report";
import { measuringOf } from "./sample-options";

/** Bytes of moments that are collected in one run over the samples; layers beyond wait for the next. */
const MEMORY = 512 * 2 ** 20;
/** Patches of each sample that count. */
const PATCHES = 64;

interface Layer {
  readonly node: GraphNode;
  readonly product: ProductView;
}

export const roundsAdaptively = (options: Options): boolean =>
  options.choice("rounding", "rounding", ROUNDINGS) === "adaptive";

export const ROUNDINGS = ["nearest", "adaptive"] as const;

/**
 * Measures the inputs of all layers that round weights, on the graph as it is quantized (equalized and split), and hands back what rounds
 * with them. Moments of large layers wait in files. A layer whose output then departs more from the float model's on the samples than
 * with the nearest codes keeps these, so that no layer gets worse by it, nor the outputs.
 */
export async function withAdaptiveRounding(options: Options, prepared: Prepared, folder: string): Promise<Prepared> {
  const { graph } = prepared;
  const { runner, samples } = measuringOf(options, graph, "adaptive rounding");
  const layers = roundedNodes(prepared).flatMap((node): Layer[] => {
    const product = productOf(graph, node);
    return product ? [{ node, product }] : [];
  });
  const store = new MomentsStore(folder);
  await measure(options, runner, prepared, layers, samples, folder, store);
  const progress = new Progress("rounded layers", layers.length);
  let rounded = 0;
  const rounding = new AdaptiveRounding(
    (node) => store.read(node),
    () => {
      progress.advance();
      // The trials have progress of their own.
      if (++rounded >= layers.length) progress.finish();
    },
  );
  const trial = new RoundingTrial(options, runner, prepared, rounding, samples, folder);
  const named = layers.map(({ node }) => ({ name: node.name, output: node.outputs[0] ?? "" }));
  const kept = await keepWhatHelps(named, (nodes) => trial.measure(nodes)).finally(() => {
    trial.finish();
    progress.finish();
  });
  note(`adaptive rounding: ${kept.size} of ${layers.length} layers get closer to the float model by it`);
  return { ...prepared, rounding: rounding.only(kept) };
}

/** Runs the model with some of its layers rounded adaptively beside the float one. */
class RoundingTrial {
  private progress: Progress | undefined;
  private expected = 0;

  constructor(
    private readonly options: Options,
    private readonly runner: string,
    private readonly prepared: Prepared,
    private readonly rounding: AdaptiveRounding,
    private readonly samples: readonly Sample[],
    private readonly folder: string,
  ) {}

  finish(): void {
    this.progress?.finish();
  }

  async measure(nodes: ReadonlySet<string>): Promise<TrialResult> {
    const { options, runner, prepared, samples, folder } = this;
    const { graph } = quantizePrepared({ ...prepared, rounding: this.rounding.only(nodes) });
    this.expected += 2 * samples.length;
    this.progress ??= new Progress("samples", this.expected);
    this.progress.expect(this.expected);
    const [float, rounded] = [path.join(folder, "float"), path.join(folder, "rounded")];
    writeModel(graph, rounded);
    const { layers, outputs } = await evaluate({
      runner,
      float: modelAt(float),
      quantized: modelAt(rounded),
      samples,
      layerSamples: samples.length,
      labels: new Map(),
      threads: options.number("num_threads", 0, 1024),
      onProgress: () => this.progress?.advance(),
    });
    const decibels = (sqnr: number | null): number => sqnr ?? Number.POSITIVE_INFINITY;
    return {
      layers: new Map(layers.map(({ tensor, sqnr }) => [tensor, decibels(sqnr)])),
      output: Math.min(...outputs.map(({ sqnr }) => decibels(sqnr))),
    };
  }
}

/** The files of a model. */
export const modelAt = (prefix: string): ModelFiles => ({ pb: `${prefix}.pb`, data: `${prefix}.data` });

/** Moments in files. */
class MomentsStore {
  private readonly layers = new Map<
    string,
    { readonly file: string; readonly product: ProductView; readonly count: number }
  >();

  constructor(private readonly folder: string) {}

  write(node: string, product: ProductView, { count, sums, products }: Moments): void {
    const file = path.join(this.folder, `${this.layers.size}.moments`);
    const pieces = [...sums, ...products].map((data) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    writeFileAtomically(file, pieces);
    this.layers.set(node, { file, product, count });
  }

  read(node: string): Moments | undefined {
    const layer = this.layers.get(node);
    if (!layer) return undefined;
    const { groups, terms } = layer.product;
    const bytes = readFile(layer.file, "moments");
    const list = (start: number, length: number): Float64Array[] =>
      Array.from({ length: groups }, (_, i) => {
        const from = start + 8 * length * i;
        return new Float64Array(bytes.slice(from, from + 8 * length).buffer);
      });
    return { count: layer.count, sums: list(0, terms), products: list(8 * groups * terms, terms * terms) };
  }
}

async function measure(
  options: Options,
  runner: string,
  prepared: Prepared,
  layers: readonly Layer[],
  samples: readonly Sample[],
  folder: string,
  store: MomentsStore,
): Promise<void> {
  const { graph } = prepared;
  const runs = inRuns(layers);
  const prefix = path.join(folder, "float");
  writeModel(graph, prefix);
  const computed = graph.nodes.reduce((count, node) => count + node.outputs.length, 0);
  const layerRunner = new LayerRunner(
    runner,
    modelAt(prefix),
    computed,
    "layers",
    options.number("num_threads", 0, 1024),
  );
  const progress = new Progress("samples", runs.length * samples.length);
  try {
    for (const run of runs) {
      const collectors = run.map(({ node, product }) => ({
        node,
        product,
        moments: new MomentsCollector(product, PATCHES),
      }));
      for (const sample of samples) {
        const values = await layerValues(layerRunner, sample, graph);
        for (const { node, moments } of collectors) moments.add(values.get(node.inputs[0] ?? "") ?? []);
        progress.advance();
      }
      for (const { node, product, moments } of collectors) store.write(node.name, product, moments.moments());
    }
  } finally {
    progress.finish();
    layerRunner.close();
  }
}

/** The inputs of the graph and every tensor that it computes, for one sample. */
export async function layerValues(
  runner: LayerRunner,
  sample: Sample,
  graph: Graph,
): Promise<ReadonlyMap<string, ArrayLike<number>>> {
  const record = { name: sample.name, tensors: await loadSample(sample, graph) };
  const values = new Map<string, ArrayLike<number>>();
  graph.inputs.forEach((port, i) => {
    values.set(port.tensor, record.tensors[i] ?? []);
  });
  for (const { name, tensors } of await runner.run(record)) values.set(name, tensors[0] ?? []);
  return values;
}

/** The layers in groups whose moments fit in memory together. */
function inRuns(layers: readonly Layer[]): Layer[][] {
  const runs: Layer[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const layer of layers) {
    const own = MomentsCollector.bytes(layer.product);
    if (bytes + own > MEMORY) {
      runs.push([]);
      bytes = 0;
    }
    runs[runs.length - 1]?.push(layer);
    bytes += own;
  }
  return runs;
}
