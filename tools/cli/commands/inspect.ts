import * as path from "node:path";
import { suggestConfig } from "../../config/suggest-config";
import { malformedModel, type UnsupportedNode } from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import { readModel } from "../../emit/model-reader";
import { type FileContents, type FilePort, readContents } from "../../importers/contents";
import { detectFormat, FORMAT_NAMES, type ModelFormat } from "../../importers/detect-format";
import { UnsupportedModel } from "../../importers/failures";
import { writeFileAtomically } from "../../io/files";
import type { Graph, GraphNode } from "../../ir/graph";
import { multiplyAdds } from "../../ir/node-cost";
import { ELTWISE, POOLING, REDUCE } from "../../ir/operators";
import { printGraph } from "../../ir/print";
import { graphView } from "../../report/graph-view";
import { escapeHtml, htmlTable, page } from "../../report/page";
import { placeFloatNodes } from "../../quantize/placement";
import { SCHEMES } from "../../quantize/scheme";
import { dataFileOf, type Options, userPath } from "../context";
import { formatOf, importAlone } from "../import-alone";
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
    return { format, graph: readModel(file, dataFile ?? dataFileOf(file), "any").graph };
  }
  try {
    return importAlone(file, bytes, dataFile, options.texts("input_shape"));
  } catch (error) {
    const known = formatOf(bytes, file);
    const contents = error instanceof UserError && known !== undefined ? readContents(known, bytes, file) : undefined;
    if (contents && known) {
      const nodes = error instanceof UnsupportedModel ? error.nodes : [];
      process.stdout.write(foreignSummary(path.basename(file), known, contents, nodes));
    }
    throw error;
  }
}

/** Of a file that cannot be imported: what it holds by its own account, and which of it is in the way. */
function foreignSummary(
  name: string,
  format: ModelFormat,
  { inputs, outputs, nodes }: FileContents,
  unsupported: readonly UnsupportedNode[],
): string {
  const text = (port: FilePort): string =>
    port.shape ? `${port.name}  [${port.shape.map((size) => (size < 0 ? "?" : size)).join(", ")}]` : port.name;
  const counts = new Map<string, number>();
  for (const type of nodes) counts.set(type, (counts.get(type) ?? 0) + 1);
  const lines = [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, count]) => {
      const bad = unsupported.filter((node) => node.type === type);
      const reasons = [...new Set(bad.map(({ why }) => why).filter((why) => why !== undefined))];
      const why = reasons.length > 0 ? reasons.join("; ") : "no such operator";
      const mark = bad.length === 0 ? "" : `  unsupported${bad.length < count ? ` (${bad.length})` : ""}: ${why}`;
      return `  ${type.padEnd(24)} ${String(count).padStart(5)}${mark}`;
    });
  return [
    `model ${name}, ${FORMAT_NAMES[format]}; it cannot be imported`,
    ...inputs.map((port) => `input   ${text(port)}`),
    ...outputs.map((port) => `output  ${text(port)}`),
    `${nodes.length} operators`,
    ...lines,
    "",
  ].join("\n");
}

interface Totals {
  readonly kinds: readonly Kind[];
  readonly parameters: number;
  readonly bytes: number;
  readonly macs: number;
}

/** Nodes of an operator that compute alike. */
interface Kind {
  readonly name: string;
  readonly macs: number;
  readonly nodes: readonly GraphNode[];
  readonly runs: string;
}

/** The attribute that says which of its functions an operator computes, with names where it is a number. */
const FUNCTIONS: Readonly<
  Record<string, { readonly attribute: string; readonly names?: Readonly<Record<string, number>> }>
> = {
  Activation: { attribute: "activation" },
  Eltwise: { attribute: "type", names: ELTWISE },
  Pooling: { attribute: "pooling_type", names: POOLING },
  Reduce: { attribute: "reduce_type", names: REDUCE },
};

function kindOf({ type, attributes }: GraphNode): string {
  const { attribute, names } = FUNCTIONS[type] ?? {};
  const value = attribute === undefined ? undefined : attributes[attribute];
  if (value === undefined) return type;
  const [name = String(value)] = Object.entries(names ?? {}).find(([, code]) => code === value) ?? [];
  return `${type} ${name}`;
}

/** Which schemes can run the nodes on codes, all or some of them; of a quantized model, on what they do run. */
function schemesOf(graph: Graph): (nodes: readonly GraphNode[]) => string {
  if ([...graph.tensors.values()].some(({ quant }) => quant)) {
    const types = (node: GraphNode) => node.outputs.map((name) => graph.tensors.get(name)?.dtype ?? "");
    return (nodes) => [...new Set(nodes.flatMap(types))].sort().join(", ");
  }
  // Kernels are the question here, not what a network's end is given.
  const placed = Object.values(SCHEMES).map((scheme) => ({
    scheme,
    float: placeFloatNodes(graph, scheme, new Map(), false),
  }));
  return (nodes) => {
    const names = placed.flatMap(({ scheme, float }) => {
      const on = nodes.filter(({ name }) => !float.has(name)).length;
      if (on === 0) return [];
      return [on === nodes.length ? scheme.name : `${scheme.name} (${on} of ${nodes.length})`];
    });
    return names.length > 0 ? names.join(", ") : "float only";
  };
}

function totalsOf(graph: Graph): Totals {
  const groups = new Map<string, { nodes: GraphNode[]; macs: number }>();
  let macs = 0;
  for (const node of graph.nodes) {
    const shapes = (names: readonly string[]) => names.map((name) => graph.tensors.get(name)?.shape ?? []);
    const name = kindOf(node);
    const group = groups.get(name) ?? { nodes: [], macs: 0 };
    const own = multiplyAdds(node, shapes(node.inputs), shapes(node.outputs));
    group.nodes.push(node);
    group.macs += own;
    macs += own;
    groups.set(name, group);
  }
  const runs = schemesOf(graph);
  const kinds = [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, group]) => ({ name, ...group, runs: runs(group.nodes) }));
  let parameters = 0;
  let bytes = 0;
  for (const { data } of graph.tensors.values()) {
    parameters += data?.length ?? 0;
    bytes += data?.byteLength ?? 0;
  }
  return { kinds, parameters, bytes, macs };
}

const millions = (value: number, digits: number): string => (value / 1e6).toFixed(digits);

function trainedTensors(graph: Graph): number {
  return [...graph.tensors.values()].filter((tensor) => tensor.range?.source === "trained").length;
}

function summary(graph: Graph, format: ModelFormat): string {
  const describe = (name: string): string => {
    const tensor = graph.tensors.get(name);
    return `${name}  ${tensor?.dtype} [${tensor?.shape.join(", ")}]`;
  };
  const { kinds, parameters, bytes, macs } = totalsOf(graph);
  const trained = trainedTensors(graph);
  return [
    `model ${graph.name}, ${FORMAT_NAMES[format]}`,
    ...graph.inputs.map((port) => `input   ${describe(port.tensor)} ${port.format}`),
    ...graph.outputs.map((port) => `output  ${describe(port.tensor)} ${port.format}`),
    `${graph.nodes.length} operators, ${millions(parameters, 2)} M constants (${millions(bytes, 2)} MB), ${millions(macs, 1)} M multiply-adds`,
    ...(trained > 0 ? [`${trained} tensors with a trained range`] : []),
    ...kinds.map(
      ({ name, nodes, macs: own, runs }) =>
        `  ${name.padEnd(24)} ${String(nodes.length).padStart(5)}  ${millions(own, 1).padStart(10)} M  ${runs}`,
    ),
    "",
  ].join("\n");
}

function graphPage(graph: Graph, format: ModelFormat): string {
  const { kinds, parameters, bytes, macs } = totalsOf(graph);
  const port = (name: string): string => escapeHtml(`${name} [${graph.tensors.get(name)?.shape.join(", ")}]`);
  const body = [
    `<p>${escapeHtml(FORMAT_NAMES[format])}: ${graph.nodes.length} operators, ${millions(parameters, 2)} M constants (${millions(bytes, 2)} MB), ${millions(macs, 1)} M multiply-adds.</p>`,
    `<p>Inputs: ${graph.inputs.map((p) => port(p.tensor)).join("; ")}. Outputs: ${graph.outputs.map((p) => port(p.tensor)).join("; ")}.</p>`,
    htmlTable(
      ["operator", "#count", "#multiply-adds, M", "in 8 bits"],
      kinds.map(({ name, nodes, macs: own, runs }) => [escapeHtml(name), String(nodes.length), millions(own, 1), runs]),
    ),
  ].join("\n");
  return page({ title: path.basename(graph.name), body, graph: graphView(graph) });
}
