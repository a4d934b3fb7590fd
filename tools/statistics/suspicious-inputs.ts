/** Likely mistakes of preprocessing, from what was observed of a model's inputs. */

import type { Statistics } from "../../mace/proto/statistics";
import type { Graph, Preprocess } from "../ir/graph";
import { channelsOf } from "./channels";

export interface SuspiciousInput {
  readonly tensor: string;
  readonly what: string;
}

/** Of what pixels span, the share below which values look scaled twice. */
const LITTLE = 0.05;
/** Of what pixels span, the share by which values may lie outside of it: resizing overshoots. */
const OUTSIDE = 0.1;
/** Levels by which the difference of a photograph's red and blue means varies from one to the next. */
const COLOUR_SPREAD = 30;
/** How sure one must be of swapped channels to say so. */
const SURE = 0.95;

const short = (v: number): number => Number(v.toPrecision(4));

/** Inputs whose observed values do not look like what a preprocessed image is, each with what is likely wrong. */
export function suspiciousInputs(graph: Graph, statistics: Statistics): SuspiciousInput[] {
  const found: SuspiciousInput[] = [];
  const channels = channelsOf(statistics);
  for (const { tensor, declaredRange, preprocess } of graph.inputs) {
    const t = statistics.tensor.findIndex(({ name }) => name === tensor);
    const seen = statistics.sample.filter((s) => (s.min[t] ?? 0) <= (s.max[t] ?? -1));
    if (t < 0 || seen.length === 0) continue;
    const say = (what: string): number => found.push({ tensor, what });
    const min = seen.reduce((least, s) => Math.min(least, s.min[t] ?? 0), Number.POSITIVE_INFINITY);
    const max = seen.reduce((most, s) => Math.max(most, s.max[t] ?? 0), Number.NEGATIVE_INFINITY);
    const span = `${short(min)} … ${short(max)}`;
    const pixels = preprocess && pixelRange(preprocess);
    if (min === max) {
      say(min === 0 ? "it is all zero in all samples" : `it has one value only, ${short(min)}, in all samples`);
    } else if (declaredRange && (min < declaredRange[0] - 1e-3 || max > declaredRange[1] + 1e-3)) {
      say(`it has values ${span}, outside of the declared ${declaredRange.join(" … ")}`);
    } else if (pixels && max - min < LITTLE * (pixels[1] - pixels[0])) {
      say(
        `it has values ${span} only, and pixels become ${pixels.map(short).join(" … ")}: were the samples scaled twice?`,
      );
    } else if (pixels && Math.max(max - pixels[1], pixels[0] - min) > OUTSIDE * (pixels[1] - pixels[0])) {
      say(`it has values ${span}, and pixels become ${pixels.map(short).join(" … ")}: were the samples not scaled?`);
    } else if (preprocess) {
      const mean = channels.get(tensor)?.mean;
      const sure = mean ? swappedChannels(mean, preprocess, seen.length) : 0;
      if (sure > SURE) {
        const means = [...(mean ?? [])].map((m, c) =>
          Math.round(m / (preprocess.scale[c] ?? 1) + (preprocess.mean[c] ?? 0)),
        );
        say(
          `its channels have the means ${means.join(", ")}, which fit the declared ${preprocess.mean.join(", ")} better the other way round: are red and blue swapped? (${Math.min(99, Math.floor(100 * sure))} % sure, for photographs)`,
        );
      }
    }
  }
  return found;
}

/** What preprocessing makes of the pixels 0 … 255. */
function pixelRange({ mean, scale }: Preprocess): readonly [number, number] {
  const ends = scale.flatMap((s, c) => [0, 255].map((pixel) => (pixel - (mean[c] ?? 0)) * s));
  return [Math.min(...ends), Math.max(...ends)];
}

/**
 * Probability that the samples' first and last channel are swapped, where the declared means tell the two apart: the difference of their
 * observed means is that of the declared ones, or its opposite, and varies by COLOUR_SPREAD from picture to picture.
 */
function swappedChannels(observed: Float64Array, { mean, scale }: Preprocess, samples: number): number {
  if (observed.length !== 3 || mean.length !== 3) return 0;
  const raw = [...observed].map((m, c) => m / (scale[c] ?? 1) + (mean[c] ?? 0));
  const declared = (mean[0] ?? 0) - (mean[2] ?? 0);
  const found = (raw[0] ?? 0) - (raw[2] ?? 0);
  const variance = COLOUR_SPREAD ** 2 / samples;
  return declared === 0 ? 0 : 1 / (1 + Math.exp((2 * declared * found) / variance));
}
