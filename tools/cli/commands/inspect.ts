import * as path from "node:path";
import { suggestConfig } from "../../config/suggest-config";
import { malformedModel } from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import { readModel } from "../../emit/model-reader";
import { detectFormat, FORMAT_NAMES, type ModelFormat } from "../../importers/detect-format";
import { writeFileAtomically } from "../../io/files";
import type { Graph } from "../../ir/graph";
import { multiplyAdds } from "../../ir/node-cost";
import { OPERATORS } from "../../ir/operators";
import { printGraph } from "../../ir/print";
import { graphView } from "../../report/graph-view";
import { escapeHtml, htmlTable, page } from "../../report/page";
import { SCHEMES } from "../../quantize/scheme";
import { dataFileOf, type Options, userPath } from "../context";
import { importAlone } from "../import-alone";
import { readModelSource } from "../model-source";
import { withProgress } from "../progress";
import { note } from "../report";

export async function inspect(options: Options): Promise<void> {
  const file = userPath(options.positional[0] ?? "");
  const dataFile = options.path("model_data");
  const html = options.path("html");
  const { format, graph } = await withProgress("steps", html === undefined ? 1 : 2, (progress) => {
    const loaded = load(file, dataFile, options);
    progress.advance();
    if (html !== undefined) {
      writeFileAtomically(html, [graphPage(loaded.graph, loaded.format)]);
      progress.advance();
    }
    return loaded;
  });
  if (html !== undefined) note(`the graph is drawn in ${html}; open it in a browser`);
  if (options.flag("emit_config")) {
    if (format === "mace") throw new UserError(malformedModel({ file }, "a canonical model needs no configuration"));
    const weightFile = dataFile;
    process.stdout.write(
      suggestConfig({ graph, platform: format, modelFile: file, ...(weightFile !== undefined && { weightFile }) }),
    );
  } else if (options.flag("graph")) process.stdout.write(printGraph(graph));
  else if (html === undefined) process.stdout.write(summary(graph, format));
}

function load(file: string, dataFile: string | undefined, options: Options): { format: ModelFormat; graph: Graph } {
  const bytes = readModelSource(file, "model file");
  const format = detectFormat(bytes, file);
  if (format === "mace") {
    return { format, graph: readModel(file, dataFile ?? dataFileOf(file)).graph };
  }
  return importAlone(file, bytes, dataFile, options.texts("input_shape"));
}

interface Totals {
  readonly counts: ReadonlyMap<string, { readonly nodes: number; readonly macs: number }>;
  readonly parameters: number;
  readonly bytes: number;
  readonly macs: number;
}

function totalsOf(graph: Graph): Totals {
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
  const sorted = new Map([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  return { counts: sorted, parameters, bytes, macs: [...counts.values()].reduce((sum, c) => sum + c.macs, 0) };
}

const millions = (value: number, digits: number): string => (value / 1e6).toFixed(digits);

function trainedTensors(graph: Graph): number {
  return [...graph.tensors.values()].filter((tensor) => tensor.range?.source === "trained").length;
}

/** Which schemes run an operator on codes. */
function schemesOf(type: string): string {
  const names = Object.values(SCHEMES).filter((scheme) => OPERATORS[type]?.kernels[scheme.type]);
  return names.length > 0 ? names.map((scheme) => scheme.name).join(", ") : "float only";
}

function summary(graph: Graph, format: ModelFormat): string {
  const describe = (name: string): string => {
    const tensor = graph.tensors.get(name);
    return `${name}  ${tensor?.dtype} [${tensor?.shape.join(", ")}]`;
  };
  const { counts, parameters, bytes, macs } = totalsOf(graph);
  const trained = trainedTensors(graph);
  return [
    `model ${graph.name}, ${FORMAT_NAMES[format]}`,
    ...graph.inputs.map((port) => `input   ${describe(port.tensor)} ${port.format}`),
    ...graph.outputs.map((port) => `output  ${describe(port.tensor)} ${port.format}`),
    `${graph.nodes.length} operators, ${millions(parameters, 2)} M constants (${millions(bytes, 2)} MB), ${millions(macs, 1)} M multiply-adds`,
    ...(trained > 0 ? [`${trained} tensors with a trained range`] : []),
    ...[...counts].map(
      ([type, { nodes, macs: own }]) =>
        `  ${type.padEnd(24)} ${String(nodes).padStart(5)}  ${millions(own, 1).padStart(10)} M  ${schemesOf(type)}`,
    ),
    "",
  ].join("\n");
}

function graphPage(graph: Graph, format: ModelFormat): string {
  const { counts, parameters, bytes, macs } = totalsOf(graph);
  const port = (name: string): string => escapeHtml(`${name} [${graph.tensors.get(name)?.shape.join(", ")}]`);
  const body = [
    `<p>${escapeHtml(FORMAT_NAMES[format])}: ${graph.nodes.length} operators, ${millions(parameters, 2)} M constants (${millions(bytes, 2)} MB), ${millions(macs, 1)} M multiply-adds.</p>`,
    `<p>Inputs: ${graph.inputs.map((p) => port(p.tensor)).join("; ")}. Outputs: ${graph.outputs.map((p) => port(p.tensor)).join("; ")}.</p>`,
    htmlTable(
      ["operator", "#count", "#multiply-adds, M", "in 8 bits"],
      [...counts].map(([type, c]) => [escapeHtml(type), String(c.nodes), millions(c.macs, 1), schemesOf(type)]),
    ),
  ].join("\n");
  return page({ title: path.basename(graph.name), body, graph: graphView(graph) });
}
