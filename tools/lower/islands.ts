/**
 * Float nodes between codes that a device computes on codes, though the CPU has no 8-bit kernel for them. In a quantized graph such an island
 * is Dequantize, node, Quantize; here it becomes the node on the codes themselves. What the CPU runs stays as it is.
 */

import type { Diagnostic } from "../diagnostics/diagnostic";
import { uniqueName } from "../ir/builder";
import type { Graph, GraphNode, Tensor } from "../ir/graph";
import { type Affine, activationParameters, extremes, quantizeArray } from "../quant/affine";
import { missingKernel } from "../quantize/placement";
import { DEVICE_SCHEME, type Scheme, SCHEMES } from "../quantize/scheme";
import type { BackEnd } from "./net";

export interface Islands {
  readonly graph: Graph;
  /** Names of the nodes that could have been on codes, with why the device cannot take them. */
  readonly refused: ReadonlyMap<string, Diagnostic>;
}

/** @param graph a quantized graph of the scheme `uint8`, which is not changed. */
export function islandsOnCodes(graph: Graph, backEnd: BackEnd): Islands {
  const refused = new Map<string, Diagnostic>();
  let current = graph;
  for (const node of graph.nodes) {
    if (!backEnd.computesOnCodes?.(node)) continue;
    // Nodes that a user or a search keeps float stay so.
    if (node.why !== missingKernel(graph, node, SCHEMES[DEVICE_SCHEME] as Scheme)) continue;
    const candidate = new Island(current, node).onCodes();
    if (!candidate) continue;
    const refusal = backEnd.refuse(candidate.graph, candidate.node);
    if (refusal) refused.set(node.name, refusal);
    else current = candidate.graph;
  }
  return { graph: current, refused };
}

const tensorwise = ({ scale, zeroPoint }: Affine): Tensor["quant"] => ({ scales: [scale], zeroPoint, axis: null });

class Island {
  private readonly tensors: Map<string, Tensor>;
  /** Conversions that the island needs and the graph lacks. */
  private readonly before: GraphNode[] = [];

  constructor(
    private readonly graph: Graph,
    private readonly node: GraphNode,
  ) {
    this.tensors = new Map(graph.tensors);
  }

  /** The graph with the node on codes; undefined where what it reads or gives has none. */
  onCodes(): { readonly graph: Graph; readonly node: GraphNode } | undefined {
    const [float = ""] = this.node.outputs;
    const quantize = this.graph.nodes.find(({ type, inputs }) => type === "Quantize" && inputs[0] === float);
    const output = quantize?.outputs[0];
    if (output === undefined || this.node.outputs.length !== 1) return undefined;
    const inputs: string[] = [];
    for (const name of this.node.inputs) {
      const codes = name === "" ? "" : this.codesOf(name);
      if (codes === undefined) return undefined;
      inputs.push(codes);
    }
    const { why: _, ...rest } = this.node;
    const made: GraphNode = { ...rest, inputs, outputs: [output] };
    const after = this.isRead(float, quantize) ? [this.conversion("Dequantize", output, float)] : [];
    const nodes = this.graph.nodes.flatMap((own) => {
      if (own === this.node) return [...this.before, made, ...after];
      return own === quantize ? [] : [own];
    });
    return { graph: { ...this.graph, tensors: this.tensors, nodes }, node: made };
  }

  private isRead(float: string, quantize: GraphNode | undefined): boolean {
    return (
      this.graph.outputs.some(({ tensor }) => tensor === float) ||
      this.graph.nodes.some((node) => node !== quantize && node.inputs.includes(float))
    );
  }

  private conversion(type: string, from: string, to: string): GraphNode {
    const taken = new Set([...this.graph.nodes, ...this.before].map(({ name }) => name));
    const name = uniqueName(`${to}/${type.toLowerCase()}`, (wanted) => taken.has(wanted));
    return { name, type, inputs: [from], outputs: [to], attributes: {} };
  }

  /** The codes that a float tensor comes from; new ones of constants and of inputs, in the grid that others have them in. */
  private codesOf(name: string): string | undefined {
    const tensor = this.tensors.get(name);
    if (tensor?.dtype !== "float32") return undefined;
    const { nodes } = this.graph;
    const from = nodes.find(({ type, outputs }) => type === "Dequantize" && outputs[0] === name)?.inputs[0];
    if (from !== undefined) return from;
    const known = nodes.find(({ type, inputs }) => type === "Quantize" && inputs[0] === name)?.outputs[0];
    // What a float node computes has no codes, or has them behind the island.
    const given = this.graph.inputs.some((port) => port.tensor === name);
    if (!tensor.data && !given) return undefined;
    const codes = uniqueName(`${name}/quantized`, (wanted) => this.tensors.has(wanted));
    if (tensor.data instanceof Float32Array) {
      const affine = activationParameters(...extremes(tensor.data), "uint8");
      const data = quantizeArray(tensor.data, affine, "uint8");
      this.tensors.set(codes, { name: codes, shape: tensor.shape, dtype: "uint8", data, quant: tensorwise(affine) });
      return codes;
    }
    if (!tensor.range) return undefined;
    const quant =
      this.tensors.get(known ?? "")?.quant ??
      tensorwise(activationParameters(tensor.range.min, tensor.range.max, "uint8"));
    if (!quant) return undefined;
    this.tensors.set(codes, { name: codes, shape: tensor.shape, dtype: "uint8", quant });
    this.before.push(this.conversion("Quantize", name, codes));
    return codes;
  }
}
