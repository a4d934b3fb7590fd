/**
 * Divides a quantized graph between an accelerator and the CPU. Each part is a graph of its own with real numbers at its borders; codes
 * that cross a border come back as they were: rounding the real value of a code to the same grid gives the code.
 */

import { floatOnDevice } from "../diagnostics/catalog";
import { type Diagnostic, invariant, UserError } from "../diagnostics/diagnostic";
import { uniqueName } from "../ir/builder";
import type { Graph, GraphNode, GraphPort, Tensor } from "../ir/graph";
import { islandsOnCodes } from "./islands";
import type { BackEnd, Runtime } from "./net";

export interface Part {
  readonly runtime: Runtime;
  readonly graph: Graph;
}

export interface Partition {
  /** In the order they run. */
  readonly parts: readonly Part[];
  /** Why nodes run on the CPU. */
  readonly refused: readonly Diagnostic[];
}

/**
 * @param graph a quantized graph of the scheme `uint8`.
 * @param fallback whether nodes that the device refuses run on the CPU; otherwise they are errors, all in one UserError.
 * @param taken whether a name between parts is one of a tensor outside the graph.
 */
export function partition(
  graph: Graph,
  backEnd: BackEnd,
  fallback: boolean,
  taken: (name: string) => boolean = () => false,
): Partition {
  const islands = islandsOnCodes(graph, backEnd);
  return new Partitioner(islands.graph, backEnd, islands.refused, taken).run(fallback);
}

const convertsBetweenForms = (node: GraphNode): boolean => node.type === "Quantize" || node.type === "Dequantize";

/** Parts alternate: those with even numbers are the device's. */
const DEVICE = 0;
const CPU = 1;

class Partitioner {
  private readonly producers = new Map<string, GraphNode>();
  /** Nodes that compute to the number of their part. */
  private readonly partOf = new Map<GraphNode, number>();
  /** Tensors of codes that nodes compute, to the name of the float tensor that stands for them between parts. */
  private readonly floatNames = new Map<string, string>();
  private readonly refused: Diagnostic[] = [];

  constructor(
    private readonly graph: Graph,
    private readonly backEnd: BackEnd,
    /** Float nodes whose codes the device cannot take, and why. */
    private readonly refusedIslands: ReadonlyMap<string, Diagnostic>,
    private readonly takenOutside: (name: string) => boolean,
  ) {
    for (const node of graph.nodes) for (const output of node.outputs) this.producers.set(output, node);
  }

  run(fallback: boolean): Partition {
    const live = this.liveNodes();
    for (const node of this.graph.nodes) if (live.has(node) && this.computes(node)) this.place(node);
    if (!fallback && this.refused.length > 0) throw new UserError(this.refused);
    this.nameFloats();
    const numbers = [...new Set(this.partOf.values())].sort((a, b) => a - b);
    const parts = numbers.map((number, i) => ({
      runtime: number % 2 === DEVICE ? this.backEnd.runtime : ("cpu" as const),
      graph: this.part(number, numbers.length === 1 ? this.graph.name : `${this.graph.name}/${i}`),
    }));
    this.giveUnusedInputs(parts);
    return { parts, refused: this.refused };
  }

  /** Callers give every input of the graph, so some part has to take those that nothing reads. */
  private giveUnusedInputs(parts: readonly Part[]): void {
    const used = new Set(parts.flatMap(({ graph }) => graph.inputs.map((port) => port.tensor)));
    const taker = (parts.find(({ runtime }) => runtime === "cpu") ?? parts[0])?.graph;
    for (const port of this.graph.inputs) {
      if (used.has(port.tensor) || !taker) continue;
      taker.inputs.push(port);
      taker.tensors.set(port.tensor, this.tensor(port.tensor));
    }
  }

  /** Nodes that an output of the graph depends on: a part with others only would have nothing to hand on. */
  private liveNodes(): ReadonlySet<GraphNode> {
    const wanted = new Set(this.graph.outputs.map((port) => port.tensor));
    const live = new Set<GraphNode>();
    for (const node of [...this.graph.nodes].reverse()) {
      if (!node.outputs.some((output) => wanted.has(output))) continue;
      live.add(node);
      for (const input of node.inputs) wanted.add(input);
    }
    return live;
  }

  /** Quantize and Dequantize go where they are needed; all others compute. So does a Dequantize of what was only quantized. */
  private computes(node: GraphNode): boolean {
    return !convertsBetweenForms(node) || this.rounds(node);
  }

  private rounds(node: GraphNode): boolean {
    return node.type === "Dequantize" && this.producers.get(node.inputs[0] ?? "")?.type === "Quantize";
  }

  private tensor(name: string): Tensor {
    const tensor = this.graph.tensors.get(name);
    invariant(tensor, `tensor '${name}' is not in the graph`);
    return tensor;
  }

  /** The node that computes a tensor, seen through conversions; undefined for inputs of the graph and constants. */
  private source(name: string): GraphNode | undefined {
    const node = this.producers.get(name);
    return node && !this.computes(node) ? this.source(node.inputs[0] ?? "") : node;
  }

  private place(node: GraphNode): void {
    const onCodes = node.outputs.some((name) => this.tensor(name).quant) || node.inputs.some((i) => this.isCodes(i));
    const refusal =
      onCodes && !this.rounds(node)
        ? this.backEnd.refuse(this.graph, node)
        : (this.refusedIslands.get(node.name) ?? floatOnDevice(node.name, node.type, this.backEnd.title, node.why));
    if (refusal) this.refused.push(refusal);
    const parity = refusal ? CPU : DEVICE;
    let number = parity;
    for (const name of node.inputs) {
      const source = name === "" ? undefined : this.source(name);
      const before = source ? (this.partOf.get(source) ?? 0) : 0;
      while (number < before) number += 2;
    }
    this.partOf.set(node, number);
  }

  private isCodes(name: string): boolean {
    return name !== "" && this.tensor(name).quant !== undefined && !this.tensor(name).data;
  }

  private nameFloats(): void {
    for (const node of this.graph.nodes) {
      const [codes = "", float = ""] = [node.inputs[0], node.outputs[0]];
      if (node.type === "Dequantize" && !this.floatNames.has(codes)) this.floatNames.set(codes, float);
    }
    const taken = (name: string): boolean => this.graph.tensors.has(name) || this.takenOutside(name);
    for (const node of this.partOf.keys()) {
      for (const name of node.outputs) {
        if (this.isCodes(name) && !this.floatNames.has(name)) {
          this.floatNames.set(name, uniqueName(`${name}/float`, taken));
        }
      }
    }
  }

  /** Tensors that a part hands on: name between the parts to the tensor computed. */
  private exports(number: number): Map<string, string> {
    const exports = new Map<string, string>();
    for (const { tensor } of this.graph.outputs) {
      const producer = this.producers.get(tensor);
      const computed = producer && !this.computes(producer) ? (producer.inputs[0] ?? "") : tensor;
      if (this.partOf.get(this.producers.get(computed) as GraphNode) === number) exports.set(tensor, computed);
    }
    for (const [reader, part] of this.partOf) {
      if (part === number) continue;
      for (const input of reader.inputs) {
        for (let name = input; name !== ""; ) {
          const producer = this.producers.get(name);
          if (producer && !this.computes(producer)) {
            name = producer.inputs[0] ?? "";
            continue;
          }
          if (producer && this.partOf.get(producer) === number) exports.set(this.floatName(name), name);
          break;
        }
      }
    }
    return exports;
  }

  /** What stands for a computed tensor between parts. */
  private floatName(name: string): string {
    return this.isCodes(name) ? (this.floatNames.get(name) ?? name) : name;
  }

  private part(number: number, name: string): Graph {
    const exports = this.exports(number);
    const part: Graph = { name, inputs: [], outputs: [], tensors: new Map(), nodes: [] };
    const nodeNames = new Set(this.graph.nodes.map((node) => node.name));
    const inputs = new Set<string>();
    const add = (tensor: Tensor): string => {
      part.tensors.set(tensor.name, tensor);
      return tensor.name;
    };
    const float = (of: string, as: string): Tensor => {
      const { shape, range, dtype } = this.tensor(of);
      return { name: as, shape, dtype: dtype === "int32" ? "int32" : "float32", ...(range && { range }) };
    };
    const convert = (type: string, from: string, to: string): void => {
      const wanted = `${to}/${type.toLowerCase()}`;
      const free = uniqueName(wanted, (n) => nodeNames.has(n));
      nodeNames.add(free);
      part.nodes.push({ name: free, type, inputs: [from], outputs: [to], attributes: {} });
    };
    /** Makes a tensor of the whole graph known in the part; returns its name there. */
    const local = (wanted: string): string => {
      if (wanted === "" || part.tensors.has(wanted)) return wanted;
      const tensor = this.tensor(wanted);
      if (tensor.data) return add(tensor);
      const producer = this.producers.get(wanted);
      if (!producer) {
        inputs.add(wanted);
        return add(tensor);
      }
      if (!this.computes(producer)) {
        const from = producer.inputs[0] ?? "";
        const here = this.source(wanted) && this.partOf.get(this.source(wanted) as GraphNode) === number;
        // What another part computed comes as real numbers already.
        if (producer.type === "Dequantize" && !here) return crossing(from);
        const source = local(from);
        add(tensor);
        convert(producer.type, source, wanted);
        return wanted;
      }
      const arrived = crossing(wanted);
      if (!this.isCodes(wanted)) return arrived;
      add(tensor);
      convert("Quantize", arrived, wanted);
      return wanted;
    };
    const crossing = (computed: string): string => {
      const as = this.floatName(computed);
      if (!part.tensors.has(as)) {
        inputs.add(as);
        add(float(computed, as));
      }
      return as;
    };
    for (const [node, at] of this.partOf) {
      if (at !== number) continue;
      const read = node.inputs.map(local);
      for (const output of node.outputs) add(this.tensor(output));
      part.nodes.push({ ...node, inputs: read });
    }
    for (const [as, computed] of exports) {
      if (part.tensors.has(as)) continue;
      add(float(computed, as));
      convert("Dequantize", computed, as);
    }
    const port = (tensor: string, known: readonly GraphPort[]): GraphPort =>
      known.find((p) => p.tensor === tensor) ?? { tensor, format: "NONE" };
    const order = (names: Iterable<string>, known: readonly GraphPort[]): GraphPort[] => {
      const all = new Set(names);
      const first = known.filter((p) => all.has(p.tensor));
      const rest = [...all].filter((n) => !known.some((p) => p.tensor === n));
      return [...first, ...rest.map((n) => port(n, known))];
    };
    // Nodes of constants alone, where an output is constant: a net has an input all the same.
    const [first] = this.graph.inputs;
    if (inputs.size === 0 && first) inputs.add(local(first.tensor));
    part.inputs = order(inputs, this.graph.inputs);
    part.outputs = order(exports.keys(), this.graph.outputs);
    return part;
  }
}
