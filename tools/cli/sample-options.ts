/** The samples that --input_dir or --samples_list name. */

import { budgetWithoutSamples, nothingToDo } from "../diagnostics/catalog";
import { type Diagnostic, UserError } from "../diagnostics/diagnostic";
import { readTextFile } from "../io/files";
import type { Graph } from "../ir/graph";
import { groupSamples, listFolder, loadSample, type Sample } from "../statistics/samples";
import { type Options, userPath } from "./context";

/** @param listOption the option with a list that stands for the others, where a command has one. */
export function samplesOf(options: Options, graph: Graph, listOption = "samples_list"): Sample[] {
  const own = options.path(listOption);
  const folder = own === undefined || listOption === "samples_list" ? options.path("input_dir") : undefined;
  const list = own ?? options.path("samples_list");
  if ((folder === undefined) === (list === undefined)) {
    throw new UserError(nothingToDo("--input_dir or --samples_list", "where the samples are (one of the two)"));
  }
  const files = folder !== undefined ? listFolder(folder) : sampleList(list ?? "");
  return groupSamples(files, graph.inputs, folder ?? list ?? "");
}

/**
 * Does work that stops at the first sample that cannot be read. It fails with what is wrong with every one of the samples then, so that
 * they are repaired in one go: a comparison over fewer samples than were given would be another one.
 */
export async function namingAllUnreadable<T>(
  samples: readonly Sample[],
  graph: Graph,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const faults: Diagnostic[] = [];
    for (const sample of samples) {
      await loadSample(sample, graph).catch((fault) => {
        if (!(fault instanceof UserError)) throw fault;
        faults.push(...fault.diagnostics);
      });
    }
    throw faults.length > 0 ? new UserError(faults) : error;
  }
}

/** At most `count` of the samples, evenly spread. */
export function spread(samples: readonly Sample[], count: number): Sample[] {
  if (samples.length <= count) return [...samples];
  return Array.from({ length: count }, (_, i) => samples[Math.floor((i * samples.length) / count)] as Sample);
}

/** What measuring steps of `mace quantize` run: the runner, on samples of their own (`rounding_list`) or those given. */
export function measuringOf(options: Options, graph: Graph, wish: string): { runner: string; samples: Sample[] } {
  const runner = options.path("runner");
  if (runner === undefined) throw new UserError(budgetWithoutSamples(wish, "--runner"));
  if (["rounding_list", "input_dir", "samples_list"].every((name) => options.path(name) === undefined)) {
    throw new UserError(budgetWithoutSamples(wish, "samples"));
  }
  const samples = samplesOf(options, graph, "rounding_list");
  return { runner, samples: spread(samples, options.number("rounding_samples", 1, 1e6)) };
}

function sampleList(file: string): string[] {
  const lines = readTextFile(file, "list of samples").split(/\r?\n/);
  return lines.filter((line) => line.trim() !== "").map(userPath);
}
