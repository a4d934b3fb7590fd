/** Per-channel facts about tensors, from statistics. */

import type { Statistics } from "../../mace/proto/statistics";

/** Units of TensorStatistics.channel_mean. */
const MEAN_UNIT = 2 ** -24;

/** Arrays have an entry per channel: per index on the tensor's last axis. */
export interface ChannelStatistics {
  readonly min: Float64Array;
  readonly max: Float64Array;
  readonly mean: Float64Array;
}

export type Channels = ReadonlyMap<string, ChannelStatistics>;

/** Tensor to its channels; tensors with a channel that never had a finite element are left out. */
export function channelsOf(statistics: Statistics): Channels {
  const channels = new Map<string, ChannelStatistics>();
  const unit = MEAN_UNIT / Math.max(statistics.sample.length, 1);
  for (const tensor of statistics.tensor) {
    const min = Float64Array.from(tensor.channelMin);
    const max = Float64Array.from(tensor.channelMax);
    if (min.length === 0 || min.some((v, c) => v > (max[c] ?? 0))) continue;
    channels.set(tensor.name ?? "", { min, max, mean: Float64Array.from(tensor.channelMean, (m) => m * unit) });
  }
  return channels;
}
