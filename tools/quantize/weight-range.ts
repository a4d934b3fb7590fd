/**
 * The range of weights that share one scale. The extremes are not always best: where a few channels have much greater weights
 * than the others, clipping them costs less than the coarse steps that all channels would get.
 */

import { activationParameters, type CodeType, dequantizeValue, extremes, quantizeValue } from "../quant/affine";
import type { ChannelStatistics } from "../statistics/channels";
import type { WeightsView } from "./weights-view";

/** Shares of the full range that are tried. */
const SHARES: readonly number[] = [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1];
/** Elements that are looked at, spread over the tensor: the choice is about magnitudes, not about single weights. */
const SAMPLE = 1 << 16;

/**
 * The range, a share of the extremes, with the least sum over output channels of the noise-to-signal ratio, where a channel
 * cannot be worse than lost. Channels that no sample ever used do not count: their weights are often tiny, and saving them would
 * clip the others.
 *
 * @param outputs statistics of the tensor that the weights write.
 */
export function sharedWeightRange(
  view: WeightsView,
  type: CodeType,
  outputs?: ChannelStatistics,
): readonly [number, number] {
  const [min, max] = extremes(view.data);
  // An odd stride visits all channels, whatever their layout.
  const stride = Math.max(1, Math.floor(view.data.length / SAMPLE) | 1);
  const signal = new Float64Array(view.outputs);
  for (let i = 0; i < view.data.length; i += stride) {
    const output = view.outputOf(i);
    signal[output] = (signal[output] ?? 0) + (view.data[i] ?? 0) ** 2;
  }
  let best: readonly [number, number] = [min, max];
  let least = Number.POSITIVE_INFINITY;
  for (const share of SHARES) {
    const affine = activationParameters(min * share, max * share, type);
    const noise = new Float64Array(view.outputs);
    for (let i = 0; i < view.data.length; i += stride) {
      const output = view.outputOf(i);
      const weight = view.data[i] ?? 0;
      const error = dequantizeValue(quantizeValue(weight, affine, type), affine) - weight;
      noise[output] = (noise[output] ?? 0) + error * error;
    }
    let cost = 0;
    for (let c = 0; c < view.outputs; c++) {
      const used = outputs === undefined || outputs.min[c] !== 0 || outputs.max[c] !== 0;
      if (used && (signal[c] ?? 0) > 0) cost += Math.min(1, (noise[c] ?? 0) / (signal[c] ?? 1));
    }
    if (cost < least) {
      least = cost;
      best = [min * share, max * share];
    }
  }
  return best;
}
