/** What the graph viewer of a page shows: nodes with their places and facts. */

import { holdsData } from "../ir/deferred";
import { multiplyAdds } from "../ir/node-cost";
import type { Graph, Tensor } from "../ir/graph";
import { OPERATORS } from "../ir/operators";
import { layoutGraph } from "./layout";

export interface ViewNode {
  readonly name: string;
  readonly type: string;
  readonly x: number;
  readonly y: number;
  /** Lines for the panel that a click opens. */
  readonly facts: readonly (readonly [string, string])[];
  /** 0 good to 1 bad; absent where there is nothing to say. */
  readonly heat?: number;
}

export interface GraphView {
  readonly nodes: readonly ViewNode[];
  /** Pairs of indices of nodes. */
  readonly edges: readonly (readonly [number, number])[];
}

/** Facts and heat that a report adds, by node name. */
export interface Notes {
  readonly heat?: ReadonlyMap<string, number>;
  readonly facts?: ReadonlyMap<string, readonly (readonly [string, string])[]>;
}

export function graphView(graph: Graph, notes: Notes = {}): GraphView {
  const { places, edges } = layoutGraph(graph);
  const at = (i: number): { x: number; y: number } => places[i] ?? { x: 0, y: 0 };
  const nodes: ViewNode[] = graph.nodes.map((node, i) => {
    const heat = notes.heat?.get(node.name);
    const shapes = (names: readonly string[]) => names.map((name) => graph.tensors.get(name)?.shape ?? []);
    const macs = multiplyAdds(node, shapes(node.inputs), shapes(node.outputs));
    const spec = OPERATORS[node.type];
    return {
      name: node.name,
      type: node.type,
      ...at(i),
      facts: [
        ...node.inputs.flatMap((name, k): [string, string][] =>
          name === ""
            ? []
            : [
                [
                  spec?.inputs[Math.min(k, spec.inputs.length - 1)]?.name ?? "input",
                  tensorText(graph.tensors.get(name)),
                ],
              ],
        ),
        ...node.outputs.map((name): [string, string] => ["output", tensorText(graph.tensors.get(name))]),
        ...Object.entries(node.attributes).map(([name, value]): [string, string] => [name, String(value)]),
        ...(macs > 0 ? [["multiply-adds", macs.toLocaleString("en-US")] as const] : []),
        ...(notes.facts?.get(node.name) ?? []),
      ],
      ...(heat !== undefined && { heat }),
    };
  });
  graph.inputs.forEach((port, i) => {
    nodes.push({
      name: port.tensor,
      type: "input",
      ...at(graph.nodes.length + i),
      facts: [
        ["tensor", tensorText(graph.tensors.get(port.tensor))],
        ["buffer", port.format],
      ],
    });
  });
  return { nodes, edges: edges.map(({ from, to }) => [from, to]) };
}

function tensorText(tensor: Tensor | undefined): string {
  if (!tensor) return "";
  const { name, dtype, shape, quant, range } = tensor;
  const codes = quant
    ? `, scale ${quant.scales.length > 1 ? `per channel (${quant.scales.length})` : Number((quant.scales[0] ?? 0).toPrecision(6))}, zero point ${quant.zeroPoint}`
    : "";
  const span = range
    ? `, ${Number(range.min.toPrecision(6))} … ${Number(range.max.toPrecision(6))} (${range.source}: ${range.reason})`
    : "";
  return `${name}: ${holdsData(tensor) ? "constant " : ""}${dtype}[${shape.join(", ")}]${codes}${span}`;
}
