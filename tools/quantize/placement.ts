/** Which nodes run on codes and which stay float, and why. The operator table decides; nothing is found out at run time. */

import type { Graph, GraphNode } from "../ir/graph";
import { OPERATORS, POOLING, QUANTIZED_ELTWISE, QUANTIZED_REDUCE, REDUCE } from "../ir/operators";
import { DEVICE_SCHEME, type Scheme } from "./scheme";

/** Node name to the reason for staying float. */
export type FloatNodes = ReadonlyMap<string, string>;

/** True if the node's output codes are input codes: it cannot have parameters of its own. */
export function copiesCodes(node: GraphNode): boolean {
  switch (node.type) {
    case "Pooling":
      return node.attributes.pooling_type === POOLING.MAX;
    case "Reduce":
      return node.attributes.reduce_type === REDUCE.MIN || node.attributes.reduce_type === REDUCE.MAX;
    default:
      return OPERATORS[node.type]?.range === "same-as-input";
  }
}

/**
 * @param wanted nodes that the user or a search keeps float, and why.
 * @param preciseOutputs whether a Softmax or a mean that ends the graph stays float.
 */
export function placeFloatNodes(
  graph: Graph,
  scheme: Scheme,
  wanted: FloatNodes = new Map(),
  preciseOutputs = true,
): FloatNodes {
  const float = new Map<string, string>();
  for (const node of graph.nodes) {
    const reason = wanted.get(node.name) ?? missingKernel(graph, node, scheme);
    if (reason) float.set(node.name, reason);
  }
  if (preciseOutputs) keepFinalValuesFloat(graph, scheme, float);
  // A node that only moves data follows its input: around it, conversions would be all that quantization adds.
  const producers = producersOf(graph);
  for (const node of graph.nodes) {
    if (float.has(node.name) || !copiesCodes(node)) continue;
    const producer = producers.get(node.inputs[0] ?? "");
    if (producer && float.has(producer.name))
      float.set(node.name, `it moves the data of the float node '${producer.name}'`);
  }
  return float;
}

export function producersOf(graph: Graph): Map<string, GraphNode> {
  const producers = new Map<string, GraphNode>();
  for (const node of graph.nodes) for (const output of node.outputs) producers.set(output, node);
  return producers;
}

/** Most products of two codes whose sum always fits an int32 (mace/quant/README.md, section 3). */
const MATMUL_TERMS = Math.floor((2 ** 31 - 1) / (255 * 255));

/** Why the CPU cannot run a node on codes. */
export function missingKernel(graph: Graph, node: GraphNode, scheme: Scheme): string | undefined {
  const spec = OPERATORS[node.type];
  const none = `the runtime has no ${scheme.type} kernel for`;
  if (!spec?.kernels[scheme.type]) return `${none} ${node.type}`;
  if (node.type === "Eltwise" && !QUANTIZED_ELTWISE.includes(Number(node.attributes.type))) {
    return `${none} Eltwise of type ${node.attributes.type}`;
  }
  if (node.type === "Reduce" && !QUANTIZED_REDUCE.includes(Number(node.attributes.reduce_type))) {
    return `${none} Reduce of type ${node.attributes.reduce_type}`;
  }
  if (node.type === "MatMul") {
    const shape = graph.tensors.get(node.inputs[0] ?? "")?.shape ?? [];
    const terms = shape[shape.length - (node.attributes.transpose_a === 1 ? 2 : 1)] ?? 1;
    if (terms > MATMUL_TERMS) return `its sums of ${terms} products of codes may exceed 32 bits`;
  }
  if (node.type === "Softmax" && node.attributes.log === 1) return `${none} the logarithm of Softmax`;
  const computed = spec.inputs.findIndex(
    (input, i) =>
      (input.role === "weights" || input.role === "bias") && node.inputs[i] && !graph.tensors.get(node.inputs[i])?.data,
  );
  if (computed >= 0) return `its ${spec.inputs[computed]?.name} is computed at run time`;
  // Indices stay int32 beside codes: those that a node reads, and those that ArgMax finds.
  const values = node.inputs.filter((_, i) => spec.inputs[Math.min(i, spec.inputs.length - 1)]?.role !== "index");
  if (node.type !== "ArgMax") values.push(...node.outputs);
  if (values.some((name) => name !== "" && graph.tensors.get(name)?.dtype !== "float32")) return "it works on integers";
  return undefined;
}

/**
 * Codes of probabilities have steps of 1/256; where the caller gets them as float anyway, float keeps their order. The same holds for
 * a mean that ends the graph: it is finer than the codes that it is taken of, and classes whose rounded means are equal tie. Networks
 * trained with the mean's grid keep it, and so does the scheme of the devices, whose codes are the same wherever they are computed.
 */
function keepFinalValuesFloat(graph: Graph, scheme: Scheme, float: Map<string, string>): void {
  const producers = producersOf(graph);
  const producerOf = (node: GraphNode): GraphNode | undefined => producers.get(node.inputs[0] ?? "");
  const keep = (nodes: readonly GraphNode[], why: string): void => {
    for (const node of nodes) if (!float.has(node.name)) float.set(node.name, why);
  };
  for (const port of graph.outputs) {
    const tail: GraphNode[] = [];
    let node = producers.get(port.tensor);
    const passMoves = (): void => {
      for (; node && movesOnly(node); node = producerOf(node)) tail.push(node);
    };
    passMoves();
    if (node?.type === "Softmax") {
      tail.push(node);
      keep(tail, "it computes the output's probabilities, which keep their precision");
      node = producerOf(node);
      passMoves();
    }
    if (!node || scheme.name === DEVICE_SCHEME || !averages(node) || isTrained(graph, node)) continue;
    keep([node, ...tail], "it averages codes for the output, and the mean is finer than they are");
  }
}

const movesOnly = (node: GraphNode): boolean =>
  OPERATORS[node.type]?.range === "same-as-input" && node.type !== "Pooling";

const averages = (node: GraphNode): boolean =>
  (node.type === "Reduce" && node.attributes.reduce_type === REDUCE.MEAN) ||
  (node.type === "Pooling" && node.attributes.pooling_type === POOLING.AVG);

/** Whether training chose a range of what the node reads or writes. */
const isTrained = (graph: Graph, { inputs, outputs }: GraphNode): boolean =>
  [...inputs, ...outputs].some((name) => graph.tensors.get(name)?.range?.source === "trained");
