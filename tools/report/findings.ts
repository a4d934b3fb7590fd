/** What a person should look at in a quantized model, and the attribute of the BUILD target that acts on it. */

import type { Statistics } from "../../mace/proto/statistics";
import type { Evaluation } from "../evaluate/evaluate";
import type { Graph } from "../ir/graph";
import { GREATEST_BIAS } from "../quant/affine";
import type { Explanation } from "../quantize/explain";
import { disagree } from "../quantize/quantize-model";
import { few, flatTensors, NARROWEST } from "../statistics/flat-tensors";
import { saturation } from "../statistics/sample-views";
import { suspiciousInputs } from "../statistics/suspicious-inputs";

export interface Finding {
  readonly what: string;
  /** Starlark for the target, and the rule that it is of. */
  readonly attribute?: { readonly rule: string; readonly text: string };
}

/** Below this a layer's error shows, dB. */
const POOR_SQNR = 15;
/** Above this share of clipped values the range is worth a look. */
const MUCH_CLIPPED = 0.001;
/** The last tenth of the samples must not widen the ranges by more than this share on average. */
const STILL_GROWING = 0.02;
/** Fewer samples than this are few. */
const FEW = 10;
/** Rows of one kind that are told one by one. */
const TOLD = 5;

export interface FindingsInput {
  readonly float: Graph;
  readonly quantized: Graph;
  readonly explanations: readonly Explanation[];
  readonly evaluation?: Evaluation;
  readonly statistics?: Statistics;
}

const short = (v: number): number => Number(v.toPrecision(4));
const forModel = (text: string): NonNullable<Finding["attribute"]> => ({ rule: "mace_quantized_model", text });
const forStatistics = (text: string): NonNullable<Finding["attribute"]> => ({ rule: "mace_quantize_stat", text });
const forImport = (text: string): NonNullable<Finding["attribute"]> => ({ rule: "mace_model", text });

const MORE_SAMPLES = forStatistics("inputs = [...]  # more samples");
const PREPROCESS = forImport('config = "..."  # its key preprocess, see docs/config.md');
const list = (names: readonly string[]): string => `[${names.map((name) => JSON.stringify(name)).join(", ")}]`;
const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;
const override = (tensor: string, [min, max]: readonly [number, number]): NonNullable<Finding["attribute"]> =>
  forModel(
    `range_overrides = {${JSON.stringify(tensor)}: "${Number(min.toPrecision(6))},${Number(max.toPrecision(6))}"}`,
  );

export function findingsOf(input: FindingsInput): Finding[] {
  const { float, quantized, statistics } = input;
  return [
    ...budgetFindings(quantized),
    ...layerFindings(input),
    ...rangeFindings(input),
    ...biasFindings(quantized),
    ...(statistics ? [...valueFindings(statistics), ...sampleFindings(float, statistics)] : []),
  ];
}

function budgetFindings({ missedBudget }: Graph): Finding[] {
  if (missedBudget === undefined) return [];
  const attribute = forModel("max_float = 100  # or a lower min_sqnr, a higher max_drop");
  return [{ what: `The accuracy budget was missed: ${missedBudget}.`, attribute }];
}

/** All poor layers, in execution order: the first is where it begins. */
function layerFindings({ explanations, evaluation }: FindingsInput): Finding[] {
  const poor = (evaluation?.layers ?? []).filter((l) => l.sqnr !== null && l.sqnr < POOR_SQNR && l.type !== "Softmax");
  const [first] = poor;
  if (!first) return [];
  const origins = new Map(explanations.map(({ tensor, origin }) => [tensor, origin]));
  const told = poor.map(({ type, node, tensor, sqnr }) => `${type} '${node}' (${tensor}) ${sqnr?.toFixed(1)} dB`);
  const names = [...new Set(poor.map(({ tensor }) => origins.get(tensor) ?? tensor))];
  return [
    {
      what: `${count(poor.length, "layer")} below ${POOR_SQNR} dB, in execution order: ${told.join("; ")}.`,
      attribute: forModel(`keep_float = ${list(names)}`),
    },
  ];
}

function rangeFindings({ explanations }: FindingsInput): Finding[] {
  // Attributes name tensors of the float graph, and give ranges in its units.
  const own = explanations.filter((e) => e.tensor === e.origin && e.observed);
  const clipped = own.filter((e) => (e.observed?.clipped ?? 0) > MUCH_CLIPPED);
  clipped.sort((a, b) => (b.observed?.clipped ?? 0) - (a.observed?.clipped ?? 0));
  const findings: Finding[] = [];
  for (const { tensor, observed } of clipped.slice(0, TOLD)) {
    if (!observed) continue;
    findings.push({
      what: `'${tensor}' clips ${(100 * observed.clipped).toFixed(2)} % of the observed values.`,
      attribute: override(tensor, observed.measured),
    });
  }
  for (const { tensor, range, source, observed } of own) {
    if (!range || !observed || source !== "trained" || !(observed.measured[0] < observed.measured[1])) continue;
    if (!disagree(range, observed.measured)) continue;
    findings.push({
      what: `'${tensor}' was trained with ${range.map(short).join(" … ")}, and the samples have ${observed.measured.map(short).join(" … ")}.`,
      attribute: override(tensor, observed.measured),
    });
  }
  return findings;
}

function biasFindings(quantized: Graph): Finding[] {
  const clamped = quantized.nodes.filter(({ inputs }) =>
    inputs.some((name) => {
      const { data, dtype } = quantized.tensors.get(name) ?? {};
      return dtype === "int32" && data?.some((code) => Math.abs(code) >= GREATEST_BIAS) === true;
    }),
  );
  return clamped.map(({ name, type }) => ({
    what: `A bias of ${type} '${name}' is greater than its codes reach, and was clamped.`,
    attribute: forModel(`keep_float = ${list([name])}`),
  }));
}

function valueFindings(statistics: Statistics): Finding[] {
  const findings: Finding[] = [];
  const bad = statistics.tensor.filter((t) => (t.nanCount ?? 0) + (t.infCount ?? 0) > 0).map(({ name = "" }) => name);
  if (bad.length > 0) {
    findings.push({
      what: `NaN or infinite values in ${few(bad)}.`,
      attribute: forModel(`keep_float = ${list(bad.slice(0, TOLD))}`),
    });
  }
  const { dead, constant, narrow } = flatTensors(statistics);
  for (const [what, names] of [
    ["zero in every sample", dead],
    ["one value in every sample", constant],
    [`ends less than ${NARROWEST} apart`, narrow],
  ] as const) {
    if (names.length > 0)
      findings.push({ what: `${count(names.length, "tensor")} with ${what}: ${few(names)}.`, attribute: MORE_SAMPLES });
  }
  return findings;
}

function sampleFindings(float: Graph, statistics: Statistics): Finding[] {
  const findings: Finding[] = [];
  const curve = saturation(statistics);
  const before = curve[Math.floor(curve.length * 0.9) - 1] ?? 1;
  if (curve.length < FEW) {
    findings.push({
      what: `Only ${curve.length} sample${curve.length === 1 ? " was" : "s were"} measured; some hundred are usual.`,
      attribute: MORE_SAMPLES,
    });
  } else if (1 - before > STILL_GROWING) {
    findings.push({
      what: `The last tenth of the samples still widened the ranges by ${(100 * (1 - before)).toFixed(1)} % on average: the samples are too few.`,
      attribute: MORE_SAMPLES,
    });
  }
  for (const { tensor, what } of suspiciousInputs(float, statistics)) {
    findings.push({ what: `The input '${tensor}': ${what}.`, attribute: PREPROCESS });
  }
  return findings;
}
