/** `mace quantize --rounding adaptive`: what the layers of the float model are given, measured on samples. */

import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { budgetWithoutSamples } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import { writeModel } from "../emit/model-writer";
import { LayerRunner } from "../evaluate/layer-runner";
import { readFile, writeFileAtomically } from "../io/files";
import type { GraphNode } from "../ir/graph";
import { AdaptiveRounding, type Moments, MomentsCollector } from "../quantize/adaptive-rounding";
import { type ProductView, productOf } from "../quantize/product-view";
import { type Prepared, roundedNodes } from "../quantize/quantize-model";
import { loadSample, type Sample } from "../statistics/samples";
import type { Options } from "./context";
import { Progress } from "./progress";
import { samplesOf, spread } from "./sample-options";

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
 * Measures the inputs of all layers that round weights, on the graph as it is quantized: equalized and split; then hands `use` what rounds
 * with them. Moments of large layers wait in files.
 */
export async function withAdaptiveRounding(
  options: Options,
  prepared: Prepared,
  use: (rounded: Prepared) => Promise<void>,
): Promise<void> {
  const runner = options.path("runner");
  if (runner === undefined) throw new UserError(budgetWithoutSamples("adaptive rounding", "--runner"));
  if (["rounding_list", "input_dir", "samples_list"].every((name) => options.path(name) === undefined)) {
    throw new UserError(budgetWithoutSamples("adaptive rounding", "samples"));
  }
  const { graph } = prepared;
  const samples = spread(samplesOf(options, graph, "rounding_list"), options.number("rounding_samples", 1, 1e6));
  const layers = roundedNodes(prepared).flatMap((node): Layer[] => {
    const product = productOf(graph, node);
    return product ? [{ node, product }] : [];
  });
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-rounding-"));
  try {
    const store = new MomentsStore(folder);
    await measure(options, runner, prepared, layers, samples, folder, store);
    const progress = new Progress("rounded layers", layers.length);
    let rounded = 0;
    const onRounded = (): void => {
      progress.advance();
      // A search over placements rounds again what changed, and has figures of its own.
      if (++rounded >= layers.length) progress.finish();
    };
    try {
      await use({ ...prepared, rounding: new AdaptiveRounding((node) => store.read(node), onRounded) });
    } finally {
      progress.finish();
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

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
  const files = { pb: `${prefix}.pb`, data: `${prefix}.data` };
  const layerRunner = new LayerRunner(runner, files, computed, "layers", options.number("num_threads", 0, 1024));
  const progress = new Progress("samples", runs.length * samples.length);
  try {
    for (const run of runs) {
      const collectors = run.map(({ node, product }) => ({
        node,
        product,
        moments: new MomentsCollector(product, PATCHES),
      }));
      for (const sample of samples) {
        const values = await layerValues(layerRunner, sample, prepared);
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

async function layerValues(
  runner: LayerRunner,
  sample: Sample,
  { graph }: Prepared,
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
