/**
 * Empirical bias correction (Nagel et al., section 4.2): what the mean of each channel before the activation function is with the
 * codes of the quantized model and with its own inputs, against the float model. Means of sums of products are products of means, so
 * that the mean patch of a layer's input says all. Beyond the analytic correction this sees what clipping, activation functions and the
 * layers before do to the input, and that the padding of a window has another mean than the rest.
 */

import type { Graph, GraphNode } from "../ir/graph";
import type { ProductView } from "./product-view";

/** The mean patch of a layer's input. */
export class PatchMeans {
  private readonly sums: Float64Array[];
  private readonly patch: Float64Array;
  private count = 0;

  constructor(
    private readonly product: ProductView,
    /** Patches of one inference that are looked at, evenly spread. */
    private readonly patches: number,
  ) {
    this.sums = Array.from({ length: product.groups }, () => new Float64Array(product.terms));
    this.patch = new Float64Array(product.terms);
  }

  add(x: ArrayLike<number>): void {
    const { groups, positions, terms } = this.product;
    const count = Math.min(this.patches, positions);
    for (let i = 0; i < count; i++) {
      const position = Math.floor(((2 * i + 1) * positions) / (2 * count));
      for (let group = 0; group < groups; group++) {
        const sums = this.sums[group] as Float64Array;
        this.product.patch(x, group, position, this.patch);
        for (let k = 0; k < terms; k++) {
          const v = this.patch[k] as number;
          if (Number.isFinite(v)) sums[k] = (sums[k] as number) + v;
        }
      }
    }
    this.count += count;
  }

  /** Mean of each output channel, without bias. @param weightOf the value of element i of the weights. */
  outputs(weightOf: (i: number, channel: number) => number): Float64Array {
    const { groups, rows, terms } = this.product;
    const means = new Float64Array(groups * rows);
    for (let group = 0; group < groups; group++) {
      for (let row = 0; row < rows; row++) {
        const channel = this.product.channelOf(group, row);
        let sum = 0;
        for (let k = 0; k < terms; k++) {
          sum +=
            weightOf(this.product.weightAt(group, row, k), channel) * ((this.sums[group] as Float64Array)[k] as number);
        }
        means[channel] = sum / Math.max(this.count, 1);
      }
    }
    return means;
  }
}

/** The mean outputs of a float layer. */
export function floatMeans(means: PatchMeans, graph: Graph, node: GraphNode): Float64Array {
  const weights = graph.tensors.get(node.inputs[1] ?? "")?.data ?? [];
  return means.outputs((i) => weights[i] ?? 0);
}

/** The mean outputs of a layer whose weights are codes. */
export function quantizedMeans(means: PatchMeans, graph: Graph, node: GraphNode): Float64Array | undefined {
  const { data, quant } = graph.tensors.get(node.inputs[1] ?? "") ?? {};
  if (!data || !quant) return undefined;
  return means.outputs(
    (i, channel) => (quant.scales[quant.axis === null ? 0 : channel] ?? 1) * ((data[i] ?? 0) - quant.zeroPoint),
  );
}
