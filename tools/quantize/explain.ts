/** Why each tensor of a quantized model has its range, in words. */

import type { Statistics } from "../../mace/proto/statistics";
import type { Graph, GraphNode, Tensor } from "../ir/graph";
import { bucketEnds } from "../statistics/buckets";

export interface Explanation {
  readonly tensor: string;
  readonly node: string;
  readonly type: string;
  /** `int8 scale 0.1 zero point 3`, or "float". */
  readonly codes: string;
  readonly range?: readonly [number, number];
  readonly source?: string;
  readonly reason?: string;
  /** Why the node is float, or runs on codes, where that was decided for it. */
  readonly placement?: string;
  /** Tensors that have their range from this one. */
  readonly heirs: readonly string[];
  readonly observed?: Observed;
}

export interface Observed {
  readonly range: readonly [number, number];
  /** Samples with the least and with the greatest element. */
  readonly samples: readonly [string, string];
  /** Share of the elements outside of the range, to the resolution of the histogram. */
  readonly clipped: number;
}

/** Computed tensors in execution order, with the names of the float graph. */
export function explain(graph: Graph, statistics?: Statistics): Explanation[] {
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  const inputs = graph.inputs.map((port) => port.tensor);
  const names = [...inputs, ...graph.nodes.flatMap((node) => node.outputs)];
  const rows = new Map<string, Explanation>();
  for (const name of names) {
    const tensor = graph.tensors.get(name);
    const own = name.replace(/\/(quantized|float)(_\d+)?$/, "");
    if (!tensor || (rows.has(own) && !tensor.quant)) continue;
    const node = producers.get(name);
    const from = rows.get(own);
    rows.set(own, {
      tensor: own,
      node: from?.node || (node?.type === "Quantize" ? "" : (node?.name ?? "")),
      type: from?.type ?? (node ? node.type : "input"),
      codes: codesOf(tensor),
      ...placementOf(node?.type === "Quantize" || node?.type === "Dequantize" ? undefined : node, from),
      ...(tensor.range && {
        range: [tensor.range.min, tensor.range.max] as const,
        source: tensor.range.source,
        reason: tensor.range.reason,
      }),
      heirs: [],
      ...withObserved(own, tensor, statistics),
    });
  }
  const all = [...rows.values()];
  return all.map((row) => ({
    ...row,
    heirs: all
      .filter((other) => other.source === "inherited" && other.reason?.includes(`'${row.tensor}'`))
      .map((o) => o.tensor),
  }));
}

function placementOf(node: GraphNode | undefined, earlier: Explanation | undefined): { readonly placement?: string } {
  const placement = node?.why ?? earlier?.placement;
  return placement === undefined ? {} : { placement };
}

function codesOf({ quant, dtype }: Tensor): string {
  if (!quant) return dtype === "float32" ? "float" : dtype;
  return `${dtype}, scale ${Number((quant.scales[0] ?? 1).toPrecision(6))}, zero point ${quant.zeroPoint}`;
}

function withObserved(name: string, { range }: Tensor, statistics?: Statistics): { readonly observed?: Observed } {
  const index = statistics?.tensor.findIndex((t) => t.name === name) ?? -1;
  const tensor = statistics?.tensor[index];
  if (!statistics || !tensor) return {};
  let least = { value: Number.POSITIVE_INFINITY, sample: "" };
  let greatest = { value: Number.NEGATIVE_INFINITY, sample: "" };
  for (const sample of statistics.sample) {
    const [low, high] = [sample.min[index] ?? 0, sample.max[index] ?? 0];
    if (low > high) continue;
    if (low < least.value) least = { value: low, sample: sample.name ?? "" };
    if (high > greatest.value) greatest = { value: high, sample: sample.name ?? "" };
  }
  let outside = 0;
  tensor.bucket.forEach((bucket, i) => {
    // The end nearest to zero: a bucket that the end of the range cuts through counts as inside.
    const [nearest] = bucketEnds(bucket);
    if (range && (nearest < range.min || nearest > range.max)) outside += tensor.bucketCount[i] ?? 0;
  });
  return {
    observed: {
      range: [least.value, greatest.value],
      samples: [least.sample, greatest.sample],
      clipped: outside / Math.max(tensor.count ?? 0, 1),
    },
  };
}
