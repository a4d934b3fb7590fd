/** What a person should look at in a quantized model, and the attribute of the BUILD target that acts on it. */

import type { Statistics } from "../../mace/proto/statistics";
import type { Evaluation } from "../evaluate/evaluate";
import type { Graph } from "../ir/graph";
import type { Explanation } from "../quantize/explain";

export interface Finding {
  readonly what: string;
  /** Starlark for the target. */
  readonly attribute?: string;
}

/** Below this a layer's error shows. */
const POOR_SQNR = 15;
/** Above this share of clipped values the range is worth a look. */
const MUCH_CLIPPED = 0.001;
/** The last tenth of the samples must not widen the ranges by more than this share on average. */
const STILL_GROWING = 0.02;

export function findingsOf(
  graph: Graph,
  explanations: readonly Explanation[],
  evaluation: Evaluation | undefined,
  statistics: Statistics | undefined,
  missedBudget?: string,
): Finding[] {
  const findings: Finding[] = [];
  if (missedBudget !== undefined) {
    findings.push({
      what: `The accuracy budget was missed: ${missedBudget}.`,
      attribute: "max_float, or less of min_sqnr and max_drop",
    });
  }
  const poor = (evaluation?.layers ?? []).filter((l) => l.sqnr !== null && l.sqnr < POOR_SQNR && l.type !== "Softmax");
  const first = poor[0];
  const origins = new Map(explanations.map(({ tensor, origin }) => [tensor, origin]));
  if (first) {
    findings.push({
      what: `${poor.length} layer${poor.length === 1 ? "" : "s"} below ${POOR_SQNR} dB, the first is ${first.type} '${first.node}' (${first.tensor}) with ${first.sqnr?.toFixed(1)} dB.`,
      attribute: `keep_float = [${JSON.stringify(origins.get(first.tensor) ?? first.tensor)}]`,
    });
  }
  // Attributes name tensors of the float graph, and give ranges in its units.
  const clipped = explanations.filter((e) => e.tensor === e.origin && (e.observed?.clipped ?? 0) > MUCH_CLIPPED);
  clipped.sort((a, b) => (b.observed?.clipped ?? 0) - (a.observed?.clipped ?? 0));
  for (const { tensor, observed } of clipped.slice(0, 5)) {
    if (!observed) continue;
    findings.push({
      what: `'${tensor}' clips ${(100 * observed.clipped).toFixed(2)} % of the observed values.`,
      attribute: `range_overrides = {${JSON.stringify(tensor)}: "${observed.measured.map((v) => Number(v.toPrecision(6))).join(",")}"}`,
    });
  }
  if (statistics) {
    const curve = saturation(statistics);
    const before = curve[Math.floor(curve.length * 0.9) - 1] ?? 1;
    if (curve.length >= 10 && 1 - before > STILL_GROWING) {
      findings.push({
        what: `The last tenth of the samples still widened the ranges by ${(100 * (1 - before)).toFixed(1)} % on average: the samples are too few.`,
        attribute: "inputs = [more samples of the mace_quantize_stat target]",
      });
    }
    if (curve.length < 10) {
      findings.push({
        what: `Only ${curve.length} sample${curve.length === 1 ? " was" : "s were"} measured; some hundred are usual.`,
        attribute: "inputs = [more samples of the mace_quantize_stat target]",
      });
    }
    for (const name of suspiciousInputs(graph, statistics)) {
      findings.push({ what: name, attribute: "preprocess of the model's configuration (docs/config.md)" });
    }
  }
  return findings;
}

/** Share of the final ranges, mean over the tensors, that the first 1, 2, … samples cover. */
export function saturation(statistics: Statistics): number[] {
  const count = statistics.sample.length;
  const tensors = statistics.tensor.length;
  const low = new Array<number>(tensors).fill(0);
  const high = new Array<number>(tensors).fill(0);
  const spans: number[][] = [];
  for (const sample of statistics.sample) {
    const span: number[] = [];
    for (let t = 0; t < tensors; t++) {
      const [min, max] = [sample.min[t] ?? 0, sample.max[t] ?? 0];
      if (min <= max) {
        low[t] = Math.min(low[t] ?? 0, min);
        high[t] = Math.max(high[t] ?? 0, max);
      }
      span.push((high[t] ?? 0) - (low[t] ?? 0));
    }
    spans.push(span);
  }
  const last = spans[count - 1] ?? [];
  const live = last.map((span, t) => [span, t] as const).filter(([span]) => span > 0);
  return spans.map(
    (span) => live.reduce((sum, [whole, t]) => sum + (span[t] ?? 0) / whole, 0) / Math.max(live.length, 1),
  );
}

/** Samples by the number of tensors whose extremes they set, most first. */
export function extremeSamples(statistics: Statistics): { readonly sample: string; readonly extremes: number }[] {
  const counts = statistics.sample.map(() => 0);
  statistics.tensor.forEach((_, t) => {
    let [least, greatest] = [-1, -1];
    statistics.sample.forEach((sample, s) => {
      if ((sample.min[t] ?? 0) > (sample.max[t] ?? 0)) return;
      if (least < 0 || (sample.min[t] ?? 0) < (statistics.sample[least]?.min[t] ?? 0)) least = s;
      if (greatest < 0 || (sample.max[t] ?? 0) > (statistics.sample[greatest]?.max[t] ?? 0)) greatest = s;
    });
    for (const s of [least, greatest]) if (s >= 0) counts[s] = (counts[s] ?? 0) + 1;
  });
  return statistics.sample
    .map((sample, s) => ({ sample: sample.name ?? "", extremes: counts[s] ?? 0 }))
    .sort((a, b) => b.extremes - a.extremes || (a.sample < b.sample ? -1 : 1));
}

/** Inputs whose observed values do not look like what a preprocessed image is. */
function suspiciousInputs(graph: Graph, statistics: Statistics): string[] {
  const texts: string[] = [];
  for (const port of graph.inputs) {
    const t = statistics.tensor.findIndex((tensor) => tensor.name === port.tensor);
    if (t < 0) continue;
    const min = Math.min(...statistics.sample.map((s) => s.min[t] ?? 0));
    const max = Math.max(...statistics.sample.map((s) => s.max[t] ?? 0));
    const span = `${Number(min.toPrecision(4))} … ${Number(max.toPrecision(4))}`;
    if (min === max) texts.push(`The input '${port.tensor}' has one value only, ${min}, in all samples.`);
    else if (port.declaredRange && (min < port.declaredRange[0] - 1e-3 || max > port.declaredRange[1] + 1e-3)) {
      texts.push(
        `The input '${port.tensor}' has values ${span}, outside of the declared ${port.declaredRange.join(" … ")}.`,
      );
    } else if (port.preprocess && max - min < 0.05 && Math.max(...port.preprocess.scale) <= 1 / 50) {
      texts.push(`The input '${port.tensor}' has values ${span} only: were the samples scaled twice?`);
    }
  }
  return texts;
}
