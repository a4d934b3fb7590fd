/** Takes a graph apart into the subgraphs that it was joined of. */

import type { Graph, GraphNode, GraphPort, Subgraph } from "./graph";

/** The nodes that the outputs of a subgraph need, up to its inputs, in their order. */
function nodesOf(graph: Graph, { inputs, outputs }: Subgraph): GraphNode[] {
  const given = new Set(inputs);
  const wanted = new Set(outputs.filter((name) => !given.has(name)));
  const nodes: GraphNode[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((name) => wanted.has(name))) continue;
    nodes.push(node);
    for (const name of node.inputs) if (!given.has(name)) wanted.add(name);
  }
  return nodes.reverse();
}

/** Has work done on the graph while the ports of its subgraphs are outputs, so that nothing removes them. */
export function keepingBorders(graph: Graph, work: () => void): void {
  const { outputs, inputs, subgraphs = [] } = graph;
  const ports = new Set([...outputs, ...inputs].map(({ tensor }) => tensor));
  const borders = new Set(subgraphs.flatMap((subgraph) => subgraph.outputs).filter((tensor) => !ports.has(tensor)));
  graph.outputs = [...outputs, ...[...borders].map((tensor): GraphPort => ({ tensor, format: "NONE" }))];
  try {
    work();
  } finally {
    graph.outputs = outputs;
  }
}

/** Why the subgraphs are not those of the graph, in words; undefined when every node belongs to one and ports come from where they may. */
export function subgraphFault(graph: Graph): string | undefined {
  const { subgraphs = [] } = graph;
  if (subgraphs.length === 0) return undefined;
  const ports = new Set(graph.inputs.map(({ tensor }) => tensor));
  const owners = new Map<GraphNode, string>();
  for (const subgraph of subgraphs) {
    const { name, inputs, outputs } = subgraph;
    const foreign = inputs.find((tensor) => !ports.has(tensor));
    if (foreign !== undefined) return `the subgraph '${name}' reads '${foreign}', which nothing before it gives`;
    const made = new Set<string>();
    for (const node of nodesOf(graph, subgraph)) {
      const owner = owners.get(node);
      if (owner !== undefined) return `the node '${node.name}' is in the subgraphs '${owner}' and '${name}'`;
      owners.set(node, name);
      for (const output of node.outputs) made.add(output);
      const from = node.inputs.find((input) => ports.has(input) && !inputs.includes(input));
      if (from !== undefined) return `the subgraph '${name}' reads '${from}', which is none of its inputs`;
    }
    const missing = outputs.find((tensor) => !made.has(tensor) && !inputs.includes(tensor));
    if (missing !== undefined) return `the subgraph '${name}' does not compute '${missing}'`;
    for (const output of outputs) ports.add(output);
  }
  const stray = graph.nodes.find((node) => !owners.has(node));
  if (stray) return `the node '${stray.name}' is in no subgraph`;
  const lost = graph.outputs.find(({ tensor }) => !ports.has(tensor));
  return lost && `the output '${lost.tensor}' is of no subgraph`;
}

/**
 * A subgraph as a graph of its own, which shares tensors and nodes with the whole. Ports that are not the whole's have no layout: nobody
 * outside sees them.
 */
export function extractSubgraph(graph: Graph, subgraph: Subgraph): Graph {
  const ports = [...graph.inputs, ...graph.outputs];
  const port = (tensor: string): GraphPort =>
    ports.find((known) => known.tensor === tensor) ?? { tensor, format: "NONE" };
  const nodes = nodesOf(graph, subgraph);
  const names = new Set([...subgraph.inputs, ...nodes.flatMap((node) => [...node.inputs, ...node.outputs])]);
  return {
    name: `${graph.name}/${subgraph.name}`,
    inputs: subgraph.inputs.map(port),
    // What only passes through is the giver's.
    outputs: subgraph.outputs.filter((tensor) => !subgraph.inputs.includes(tensor)).map(port),
    tensors: new Map([...graph.tensors].filter(([name]) => names.has(name))),
    nodes,
  };
}
