import * as path from "node:path";
import { malformedModel } from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import { readModel } from "../../emit/model-reader";
import { detectFormat } from "../../importers/detect-format";
import { IMPORTERS } from "../../importers/importer";
import { readFile } from "../../io/files";
import type { Graph } from "../../ir/graph";
import { multiplyAdds } from "../../ir/node-cost";
import { printGraph } from "../../ir/print";
import { type Options, userPath } from "../context";

export function inspect(options: Options): void {
  const file = userPath(options.positional[0] ?? "");
  const graph = load(file, options.path("model_data"));
  process.stdout.write(options.flag("graph") ? printGraph(graph) : summary(graph));
}

function load(file: string, dataFile: string | undefined): Graph {
  const bytes = readFile(file, "model file");
  const format = detectFormat(bytes, file);
  if (format === "mace") return readModel(file, dataFile ?? `${file.replace(/\.pb$/, "")}.data`).graph;
  const importer = format === undefined ? undefined : IMPORTERS[format];
  if (!importer) throw new UserError(malformedModel({ file }, "it is of no format that this program reads"));
  return importer(bytes, {
    file,
    name: path.basename(file).replace(/\.[^.]*$/, ""),
    ...(dataFile !== undefined && { weights: readFile(dataFile, "weights file"), weightsFile: dataFile }),
  });
}

function summary(graph: Graph): string {
  const describe = (name: string): string => {
    const tensor = graph.tensors.get(name);
    return `${name}  ${tensor?.dtype} [${tensor?.shape.join(", ")}]`;
  };
  const counts = new Map<string, { nodes: number; macs: number }>();
  for (const node of graph.nodes) {
    const shapes = (names: readonly string[]) => names.map((name) => graph.tensors.get(name)?.shape ?? []);
    const entry = counts.get(node.type) ?? { nodes: 0, macs: 0 };
    entry.nodes++;
    entry.macs += multiplyAdds(node, shapes(node.inputs), shapes(node.outputs));
    counts.set(node.type, entry);
  }
  let parameters = 0;
  let bytes = 0;
  for (const { data } of graph.tensors.values()) {
    parameters += data?.length ?? 0;
    bytes += data?.byteLength ?? 0;
  }
  const total = [...counts.values()].reduce((sum, c) => sum + c.macs, 0);
  return [
    `model ${graph.name}`,
    ...graph.inputs.map((port) => `input   ${describe(port.tensor)} ${port.format}`),
    ...graph.outputs.map((port) => `output  ${describe(port.tensor)} ${port.format}`),
    `${graph.nodes.length} operators, ${(parameters / 1e6).toFixed(2)} M constants (${(bytes / 1e6).toFixed(2)} MB), ${(total / 1e6).toFixed(1)} M multiply-adds`,
    ...[...counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(
        ([type, { nodes, macs }]) =>
          `  ${type.padEnd(20)} ${String(nodes).padStart(5)}  ${(macs / 1e6).toFixed(1).padStart(10)} M`,
      ),
    "",
  ].join("\n");
}
