/**
 * Quantization of a graph whose subgraphs are not treated alike: each by itself, as if it were alone, with real numbers between them. A tensor
 * that passes from one to the next has the same range, and so the same grid, on both sides.
 */

import { missingRanges } from "../diagnostics/catalog";
import { type Diagnostic, UserError } from "../diagnostics/diagnostic";
import type { Graph, GraphNode, Subgraph, TensorRange } from "../ir/graph";
import { joinGraphs } from "../ir/join-graphs";
import { extractSubgraph } from "../ir/subgraphs";
import { isFixed } from "./equalize";
import type { FloatNodes } from "./placement";
import { type Measured, prepareModel, quantizePrepared, type Settings } from "./quantize-model";
import { selectNodes, selectTensors } from "./selection";

/** How a subgraph, or a whole model, is quantized. */
export interface Treatment {
  readonly settings: Settings;
  /** The device, `cpu` among them. */
  readonly runtime: string;
  /** Nothing of it is quantized. */
  readonly float: boolean;
}

export interface QuantizedSubgraphs {
  /** Its subgraphs say which device each is for. */
  readonly graph: Graph;
  /** The float graph as it was quantized. */
  readonly reference: Graph;
  /** Nodes of quantized subgraphs that stay float, and why. */
  readonly float: FloatNodes;
  readonly warnings: readonly Diagnostic[];
}

/** @param treatments of the graph's subgraphs, in their order. */
export function quantizeSubgraphs(
  graph: Graph,
  treatments: readonly Treatment[],
  measured: Measured,
): QuantizedSubgraphs {
  const { subgraphs = [] } = graph;
  const warnings: Diagnostic[] = [];
  const float = new Map<string, string>();
  const borders = new Borders(graph, measured);
  const parts = subgraphs.map((subgraph, i) => {
    const { settings, float: staysFloat } = treatments[i] as Treatment;
    const piece = borders.enter(extractSubgraph(graph, subgraph), staysFloat);
    if (staysFloat) {
      const why = `the configuration keeps the subgraph '${subgraph.name}' float`;
      const nodes = piece.nodes.map((node): GraphNode => ({ ...node, why }));
      borders.leave(piece, subgraph);
      return { subgraph, reference: piece, quantized: { ...piece, nodes } };
    }
    const prepared = prepareModel(piece, settingsInside(graph, piece, settings), measured);
    const quantized = quantizePrepared(prepared);
    for (const warning of quantized.warnings) warnings.push(warning);
    for (const [node, reason] of quantized.float) float.set(node, reason);
    borders.leave(quantized.graph, subgraph);
    return { subgraph, reference: prepared.graph, quantized: quantized.graph };
  });
  const join = (graphs: readonly Graph[]): Graph =>
    joinGraphs(
      graph.name,
      graph.name,
      graphs.map((part, i) => ({ name: subgraphs[i]?.name ?? "", graph: borders.strip(part) })),
      graph.outputs.map(({ tensor }) => tensor),
    );
  const whole = join(parts.map(({ quantized }) => quantized));
  const runtimes = new Map(subgraphs.map(({ name }, i) => [name, treatments[i]?.runtime]));
  whole.subgraphs = whole.subgraphs?.map((subgraph) => {
    const runtime = runtimes.get(subgraph.name);
    return runtime === undefined ? subgraph : { ...subgraph, runtime };
  });
  return { graph: whole, reference: join(parts.map(({ reference }) => reference)), float, warnings };
}

/** The tensors that pass between subgraphs. */
class Borders {
  private readonly known = new Map<string, TensorRange>();
  private readonly inputs: ReadonlySet<string>;

  constructor(
    graph: Graph,
    private readonly measured: Measured,
  ) {
    this.inputs = new Set(graph.inputs.map(({ tensor }) => tensor));
  }

  /** The piece with the ranges that earlier subgraphs gave to what it reads of them. */
  enter(piece: Graph, float: boolean): Graph {
    for (const { tensor: name } of piece.inputs) {
      const tensor = piece.tensors.get(name);
      if (this.inputs.has(name) || !tensor) continue;
      const range = this.known.get(name);
      const own = isFixed(tensor) || !range ? { ...tensor } : { ...tensor, range };
      piece.tensors.set(name, own);
      if (own.range || float || tensor.dtype !== "float32" || this.measured.ranges.has(name)) continue;
      const reader = piece.nodes.find(({ inputs }) => inputs.includes(name));
      // Nobody declared a range of it, so there is no default as for inputs of the model.
      if (reader) {
        const missing = { tensor: name, node: reader.name, type: reader.type };
        throw new UserError(missingRanges([missing], this.measured.rangesName));
      }
    }
    return piece;
  }

  /** Notes the ranges that the outputs of a quantized subgraph have. */
  leave(quantized: Graph, { name }: Subgraph): void {
    for (const { tensor } of quantized.outputs) {
      const range = quantized.tensors.get(tensor)?.range;
      if (!range) continue;
      const { min, max } = range;
      this.known.set(tensor, {
        min,
        max,
        source: "inherited",
        reason: `the subgraph '${name}' gives it`,
        from: tensor,
      });
    }
  }

  /** The piece without what it says of tensors that another one computes: that one says it. */
  strip(piece: Graph): Graph {
    const tensors = new Map(piece.tensors);
    for (const { tensor: name } of piece.inputs) {
      const tensor = tensors.get(name);
      if (this.inputs.has(name) || !tensor) continue;
      const { range: _, trained: __, ...plain } = tensor;
      tensors.set(name, plain);
    }
    return { ...piece, tensors };
  }
}

/** The settings with names of the piece for the patterns, each of which must select something somewhere in the whole. */
function settingsInside(whole: Graph, piece: Graph, settings: Settings): Settings {
  const nodes = new Set(piece.nodes.map(({ name }) => name));
  const values =
    (select: (pattern: string) => readonly string[]) =>
    (text: string): readonly string[] => {
      const at = text.lastIndexOf("=");
      // What is malformed is left to those who read it.
      return at < 1 ? [text] : select(text.slice(0, at)).map((name) => `${name}${text.slice(at)}`);
    };
  const own = (option: string) => (pattern: string) =>
    selectNodes(whole, option, pattern).filter((name) => nodes.has(name));
  const tensors = (pattern: string): readonly string[] =>
    selectTensors(whole, "ranges", pattern).filter((name) => piece.tensors.has(name));
  return {
    ...settings,
    keepFloat: settings.keepFloat.flatMap(own("keep_float")),
    weights: settings.weights.flatMap(values(own("weights"))),
    ranges: settings.ranges.flatMap(values(tensors)),
  };
}
