/**
 * Joins the graphs of several subgraphs into one. An input of a subgraph that an earlier one computes or reads, by its name, is that tensor;
 * what is left is the interface of the whole. Names of ports never change, because configurations and ranges refer to them.
 */

import { isDeepStrictEqual } from "node:util";
import { subgraphInputsDiffer, subgraphPortClash, subgraphPortsDiffer, tensorNotInModel } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import { uniqueName } from "./builder";
import { holdsData, like } from "./deferred";
import type { Graph, GraphNode, GraphPort, Subgraph, Tensor } from "./graph";

export interface GraphPart {
  /** Of the subgraph. */
  readonly name: string;
  readonly graph: Graph;
}

/** Whose port a tensor of the whole is. */
interface Owner {
  readonly part: string;
  readonly port: GraphPort;
  readonly side: "input" | "output";
}

/**
 * @param parts in the order in which they run; they are taken over.
 * @param file shown in diagnostics.
 * @param outputs which outputs of the parts are those of the whole; absent: those that no later part reads.
 */
export function joinGraphs(
  name: string,
  file: string,
  parts: readonly GraphPart[],
  outputs: readonly string[] | undefined,
): Graph {
  return new Composer(name, file, parts).run(outputs);
}

/**
 * Images are NHWC in the graph; what is no image has the axes as they are.
 *
 * @param buffer whether the order of the caller's buffer matters.
 */
function describePort({ dtype, shape }: Tensor, { format }: GraphPort, buffer: boolean): string {
  const image = buffer ? format : "NHWC";
  const order = format === "NONE" ? ", no image (NONE)" : `, an image (${image})`;
  return `${dtype} [${shape.join(", ")}]${shape.length === 4 ? order : ""}`;
}

class Composer {
  private readonly whole: Graph;
  private readonly owners = new Map<string, Owner>();
  private readonly read = new Set<string>();
  private readonly nodeNames = new Set<string>();
  private readonly numbers = { tensors: new Map<string, number>(), nodes: new Map<string, number>() };
  /** Names that belong to ports, of whichever part. */
  private readonly ports: ReadonlySet<string>;

  constructor(
    name: string,
    private readonly file: string,
    private readonly parts: readonly GraphPart[],
  ) {
    this.whole = { name, inputs: [], outputs: [], tensors: new Map(), nodes: [] };
    this.ports = new Set(parts.flatMap(({ graph }) => [...graph.inputs, ...graph.outputs]).map((port) => port.tensor));
  }

  run(outputs: readonly string[] | undefined): Graph {
    for (const part of this.parts) this.add(part);
    const made = [...this.owners.values()].filter(({ side }) => side === "output").map(({ port }) => port);
    this.whole.outputs = outputs
      ? outputs.map((name) => made.find((port) => port.tensor === name) ?? this.missing(name, made))
      : made.filter((port) => !this.read.has(port.tensor));
    this.whole.subgraphs = this.subgraphs();
    return this.whole;
  }

  /** The parts that an output of the whole needs, with those of their outputs that something needs. */
  private subgraphs(): readonly Subgraph[] {
    const needed = new Set(this.whole.outputs.map(({ tensor }) => tensor));
    const variable = ({ tensor }: GraphPort): boolean => !holdsData(this.whole.tensors.get(tensor));
    const found: Subgraph[] = [];
    for (const { name, graph } of [...this.parts].reverse()) {
      const [inputs, outputs] = [graph.inputs, graph.outputs].map((ports) =>
        ports.filter(variable).map(({ tensor }) => tensor),
      ) as [string[], string[]];
      const own = outputs.filter((tensor) => needed.has(tensor));
      if (own.length === 0) continue;
      for (const tensor of inputs) needed.add(tensor);
      found.push({ name, inputs, outputs: own });
    }
    return found.reverse();
  }

  private missing(name: string, made: readonly GraphPort[]): never {
    const known = made.map((port) => port.tensor);
    throw new UserError(tensorNotInModel(this.file, name, "output", known));
  }

  private add(part: GraphPart): void {
    const { graph } = part;
    const own = new Set([...graph.inputs, ...graph.outputs].map((port) => port.tensor));
    const names = new Map<string, string>();
    for (const tensor of graph.tensors.values()) {
      const free = own.has(tensor.name) ? tensor.name : this.free(part, tensor.name);
      names.set(tensor.name, free);
      if (!own.has(tensor.name)) this.whole.tensors.set(free, like(tensor, { name: free }));
    }
    for (const port of graph.inputs) names.set(port.tensor, this.enter(part, port));
    for (const port of graph.outputs) {
      if (graph.inputs.some(({ tensor }) => tensor === port.tensor)) continue;
      this.claim(part, port, "output");
      this.define(graph, port.tensor);
    }
    const renamed = (tensor: string): string => names.get(tensor) ?? tensor;
    for (const node of graph.nodes) {
      this.addNode(part, { ...node, inputs: node.inputs.map(renamed), outputs: node.outputs.map(renamed) });
    }
  }

  private addNode(part: GraphPart, node: GraphNode): void {
    const wanted = this.nodeNames.has(node.name) ? `${part.name}/${node.name}` : node.name;
    const name = uniqueName(wanted, (taken) => this.nodeNames.has(taken), this.numbers.nodes);
    this.nodeNames.add(name);
    this.whole.nodes.push({ ...node, name });
  }

  /** The name of an inner tensor or constant: its own, unless another part or a port has it. */
  private free(part: GraphPart, name: string): string {
    const taken = (candidate: string): boolean =>
      this.ports.has(candidate) || this.whole.tensors.has(candidate) || part.graph.tensors.has(candidate);
    if (!this.ports.has(name) && !this.whole.tensors.has(name)) return name;
    return uniqueName(`${part.name}/${name}`, taken, this.numbers.tensors);
  }

  private define(graph: Graph, name: string): void {
    const tensor = graph.tensors.get(name);
    if (tensor) this.whole.tensors.set(name, tensor);
  }

  private claim(part: GraphPart, port: GraphPort, side: Owner["side"]): void {
    const other = this.owners.get(port.tensor);
    if (other) {
      throw new UserError(
        subgraphPortClash(
          this.file,
          port.tensor,
          `an ${other.side} of '${other.part}'`,
          `an ${side} of '${part.name}'`,
        ),
      );
    }
    this.owners.set(port.tensor, { part: part.name, port, side });
  }

  /** The tensor of the whole that an input of a part is. */
  private enter(part: GraphPart, port: GraphPort): string {
    const source = this.owners.get(port.tensor);
    if (!source) {
      this.claim(part, port, "input");
      this.define(part.graph, port.tensor);
      this.whole.inputs.push(port);
      return port.tensor;
    }
    const shared = source.side === "input";
    const given = this.whole.tensors.get(port.tensor) as Tensor;
    const wanted = part.graph.tensors.get(port.tensor) as Tensor;
    const [from, to] = [describePort(given, source.port, shared), describePort(wanted, port, shared)];
    if (from !== to) {
      const differ = shared ? subgraphInputsDiffer : subgraphPortsDiffer;
      throw new UserError(differ(this.file, port.tensor, source.part, from, part.name, to));
    }
    if (shared) this.share(port);
    else this.read.add(port.tensor);
    return this.joinGrids(part, given, wanted);
  }

  /** An input that another part has too: what either says of it holds. */
  private share(port: GraphPort): void {
    const { inputs } = this.whole;
    const at = inputs.findIndex(({ tensor }) => tensor === port.tensor);
    inputs[at] = { ...port, ...inputs[at] } as GraphPort;
  }

  /** What training found on either side of a border holds on it; two grids are rounded to one after the other. */
  private joinGrids(part: GraphPart, given: Tensor, wanted: Tensor): string {
    const { range, trained } = wanted;
    if (!range) return given.name;
    if (!given.range) {
      given.range = range;
      if (trained) given.trained = trained;
      return given.name;
    }
    if (isDeepStrictEqual([given.range.min, given.range.max, given.trained], [range.min, range.max, trained])) {
      return given.name;
    }
    const name = this.free(part, wanted.name);
    this.whole.tensors.set(name, { ...wanted, name });
    const attributes = { activation: "CLIP", min_limit: range.min, max_limit: range.max };
    this.addNode(part, { name, type: "Activation", inputs: [given.name], outputs: [name], attributes });
    return name;
  }
}
