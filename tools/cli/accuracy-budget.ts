/** `mace quantize` with an accuracy budget: the search over placements, measured on samples. */

import * as fs from "node:fs";
import * as path from "node:path";
import { budgetMissed, budgetWithoutSamples } from "../diagnostics/catalog";
import { type Diagnostic, UserError } from "../diagnostics/diagnostic";
import { readModel } from "../emit/model-reader";
import { writeModel } from "../emit/model-writer";
import { AccuracyMeter } from "../evaluate/accuracy-meter";
import { parseLabels } from "../evaluate/labels";
import type { ModelFiles } from "../evaluate/layer-runner";
import { readTextFile } from "../io/files";
import { type Budget, decibels, type Placement, searchPlacement } from "../quantize/budget-search";
import { type Prepared, type Quantized, quantizePrepared, searchableNodes } from "../quantize/quantize-model";
import { limitsOf } from "./commands/evaluate";
import type { Options } from "./context";
import { Progress, withProgress } from "./progress";
import { note } from "./report";
import { samplesOf, spread } from "./sample-options";

/** Samples that the order of the operators is measured on: enough to tell a costly one from a harmless one. */
const RANKING_SAMPLES = 8;

export const hasBudget = (options: Options): boolean =>
  options.text("min_sqnr") !== undefined || options.text("max_drop") !== undefined;

export interface WithinBudget {
  readonly quantized: Quantized;
  /** Empty when the budget is met. */
  readonly failures: readonly Diagnostic[];
}

/**
 * @param write writes a model that is better than all before, so that the best one is there whenever the search ends.
 * @param folder a temporary folder.
 */
export async function quantizeWithinBudget(
  options: Options,
  prepared: Prepared,
  float: ModelFiles,
  write: (quantized: Quantized, what: string) => void,
  folder: string,
): Promise<WithinBudget> {
  const budget = limitsOf(options);
  const meter = await startMeter(options, float);
  const nodes = searchableNodes(prepared);
  const most = Math.floor((nodes.length * options.number("max_float", 0, 100, false)) / 100);
  const progress = new Progress("measurements", 1);
  const candidate = path.join(folder, "candidate");
  const files = { pb: `${candidate}.pb`, data: `${candidate}.data` };
  try {
    const found = await searchPlacement({
      nodes,
      most,
      budget,
      measure: async (kept, ranking) => {
        // Without reasons, which are not what the model computes: the cache is to know it again.
        const { graph } = quantizePrepared(prepared, { float: kept, reasons: new Map() });
        writeModel(graph, candidate);
        const score = await meter.measure(files, ranking ? RANKING_SAMPLES : undefined);
        progress.advance();
        return score;
      },
      onBest: (placement) => write(quantizeAs(placement), `${told(placement)}, not all was tried`),
      onPlan: (measurements) => progress.expect(measurements),
    });
    note(`accuracy budget: ${told(found)}`);
    return { quantized: quantizeAs(found), failures: found.met ? [] : [missed(budget, found, most)] };
  } finally {
    progress.finish();
  }

  function told({ score, float: kept }: Placement): string {
    return `${describe(score, budget)} with ${kept.size} of ${nodes.length} operators float`;
  }

  /** The model of a placement, which says when it is not good enough. */
  function quantizeAs(placement: Placement): Quantized {
    const quantized = quantizePrepared(prepared, placement);
    if (!placement.met) quantized.graph.missedBudget = `${asked(budget)}: ${told(placement)}`;
    return quantized;
  }
}

async function startMeter(options: Options, float: ModelFiles): Promise<AccuracyMeter> {
  const runner = options.path("runner");
  if (runner === undefined) throw new UserError(budgetWithoutSamples("an accuracy budget", "--runner"));
  if (options.path("input_dir") === undefined && options.path("samples_list") === undefined) {
    throw new UserError(budgetWithoutSamples("an accuracy budget", "samples"));
  }
  const all = samplesOf(options, readModel(float.pb, float.data).graph);
  const samples = spread(all, options.number("budget_samples", 1, 1e6));
  const labels = options.path("labels");
  const cache = options.path("search_cache");
  if (cache !== undefined) fs.mkdirSync(cache, { recursive: true });
  return withProgress("measuring the float model", 0, () =>
    AccuracyMeter.start({
      runner,
      float,
      samples,
      labels: labels === undefined ? new Map() : parseLabels(readTextFile(labels, "labels"), labels),
      threads: options.number("num_threads", 0, 1024),
      ...(cache !== undefined && { cache }),
    }),
  );
}

const describe = (score: Placement["score"], { minSqnr, maxDrop }: Budget): string =>
  [
    ...(minSqnr === undefined ? [] : [`${decibels(score.sqnr)} at the outputs`]),
    ...(maxDrop === undefined ? [] : [`a drop of ${score.drop.toFixed(2)}`]),
  ].join(" and ");

const asked = ({ minSqnr, maxDrop }: Budget): string =>
  [
    ...(minSqnr === undefined ? [] : [`min_sqnr ${minSqnr} dB`]),
    ...(maxDrop === undefined ? [] : [`max_drop ${maxDrop}`]),
  ].join(", ");

const missed = (budget: Budget, { score, float }: Placement, most: number): Diagnostic =>
  budgetMissed(asked(budget), describe(score, budget), float.size, most);
