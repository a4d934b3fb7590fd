/** Which layers adaptive rounding helps, by measurement of the models that it makes: the estimate alone cannot know what layers before do. */

/** What was measured of a model, dB. */
export interface TrialResult {
  /** Tensor to its signal-to-noise ratio. */
  readonly layers: ReadonlyMap<string, number>;
  /** The least of the outputs. */
  readonly output: number;
}

export interface TrialLayer {
  /** Name of the node. */
  readonly name: string;
  readonly output: string;
}

/** Layers that got worse are taken out until none did, at most so often. */
const ROUNDS = 4;

/**
 * The layers to round adaptively: none of them has a worse output than with the nearest codes everywhere, nor has the model. Where that
 * cannot be had with all of them, with the first or the last half; else none.
 *
 * @param measure measures the model with these nodes rounded adaptively.
 */
export async function keepWhatHelps(
  layers: readonly TrialLayer[],
  measure: (nodes: ReadonlySet<string>) => Promise<TrialResult>,
): Promise<ReadonlySet<string>> {
  const nearest = await measure(new Set());
  const half = Math.ceil(layers.length / 2);
  for (const chosen of [layers, layers.slice(0, half), layers.slice(half)]) {
    let kept = chosen;
    for (let round = 0; round < ROUNDS && kept.length > 0; round++) {
      const result = await measure(new Set(kept.map(({ name }) => name)));
      const helped = kept.filter(({ output }) => (result.layers.get(output) ?? 0) >= (nearest.layers.get(output) ?? 0));
      if (helped.length === kept.length) {
        if (result.output >= nearest.output) return new Set(kept.map(({ name }) => name));
        break;
      }
      kept = helped;
    }
  }
  return new Set();
}
