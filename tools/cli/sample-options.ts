/** The samples that --input_dir or --samples_list name. */

import { nothingToDo } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import { readTextFile } from "../io/files";
import type { Graph } from "../ir/graph";
import { groupSamples, listFolder, type Sample } from "../statistics/samples";
import { type Options, userPath } from "./context";

export function samplesOf(options: Options, graph: Graph): Sample[] {
  const folder = options.path("input_dir");
  const list = options.path("samples_list");
  if ((folder === undefined) === (list === undefined)) {
    throw new UserError(nothingToDo("--input_dir or --samples_list", "where the samples are (one of the two)"));
  }
  const files = folder !== undefined ? listFolder(folder) : sampleList(list ?? "");
  return groupSamples(files, graph.inputs, folder ?? list ?? "");
}

function sampleList(file: string): string[] {
  const lines = readTextFile(file, "list of samples").split(/\r?\n/);
  return lines.filter((line) => line.trim() !== "").map(userPath);
}
