/** Places the nodes of a graph in layers, from top to bottom: every node below what it reads. */

import type { Graph } from "../ir/graph";

export interface Placed {
  /** Centre, in units of one node's width and height with its gap. */
  readonly x: number;
  readonly y: number;
}

export interface Edge {
  /** Index of a node, or of an input after all nodes. */
  readonly from: number;
  readonly to: number;
  readonly tensor: string;
}

export interface Layout {
  /** The graph's nodes, then its inputs. */
  readonly places: readonly Placed[];
  readonly edges: readonly Edge[];
}

/** Sweeps that bring each node near the middle of its neighbours. */
const SWEEPS = 4;

export function layoutGraph(graph: Graph): Layout {
  const writer = new Map<string, number>();
  graph.nodes.forEach((node, i) => {
    for (const output of node.outputs) writer.set(output, i);
  });
  graph.inputs.forEach((port, i) => {
    writer.set(port.tensor, graph.nodes.length + i);
  });
  const edges: Edge[] = [];
  graph.nodes.forEach((node, to) => {
    for (const tensor of new Set(node.inputs)) {
      const from = writer.get(tensor);
      if (from !== undefined) edges.push({ from, to, tensor });
    }
  });
  const count = graph.nodes.length + graph.inputs.length;
  const level = new Array<number>(count).fill(0);
  // Nodes are in execution order, so one pass finds the longest way to each.
  for (const { from, to } of edges) level[to] = Math.max(level[to] ?? 0, (level[from] ?? 0) + 1);
  const layers: number[][] = [];
  for (let i = 0; i < count; i++) {
    const at = level[i] ?? 0;
    layers[at] = [...(layers[at] ?? []), i];
  }
  const above = neighbours(count, edges, (edge) => [edge.to, edge.from]);
  const below = neighbours(count, edges, (edge) => [edge.from, edge.to]);
  const x = new Float64Array(count);
  for (const layer of layers) spread(layer, x);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    const order = down ? layers : [...layers].reverse();
    for (const layer of order) {
      const wanted = new Map(layer.map((i) => [i, mean((down ? above : below)[i] ?? [], x) ?? (x[i] as number)]));
      layer.sort((a, b) => (wanted.get(a) ?? 0) - (wanted.get(b) ?? 0) || a - b);
      for (const i of layer) x[i] = wanted.get(i) ?? 0;
      separate(layer, x);
    }
  }
  return { places: level.map((y, i) => ({ x: x[i] as number, y })), edges };
}

function neighbours(
  count: number,
  edges: readonly Edge[],
  pick: (edge: Edge) => readonly [number, number],
): number[][] {
  const lists: number[][] = Array.from({ length: count }, () => []);
  for (const edge of edges) {
    const [of, to] = pick(edge);
    lists[of]?.push(to);
  }
  return lists;
}

function mean(nodes: readonly number[], x: Float64Array): number | undefined {
  if (nodes.length === 0) return undefined;
  return nodes.reduce((sum, i) => sum + (x[i] as number), 0) / nodes.length;
}

function spread(layer: readonly number[], x: Float64Array): void {
  layer.forEach((i, k) => {
    x[i] = k - (layer.length - 1) / 2;
  });
}

/** Moves the nodes of a layer apart, in their order, so that none overlap and their middle stays. */
function separate(layer: readonly number[], x: Float64Array): void {
  const before = mean(layer, x) ?? 0;
  for (let k = 1; k < layer.length; k++) {
    const [left, right] = [layer[k - 1] as number, layer[k] as number];
    x[right] = Math.max(x[right] as number, (x[left] as number) + 1);
  }
  const shift = before - (mean(layer, x) ?? 0);
  for (const i of layer) x[i] = (x[i] as number) + shift;
}
