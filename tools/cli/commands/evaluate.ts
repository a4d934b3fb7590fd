import { checkFailed, recordedMiss } from "../../diagnostics/catalog";
import type { Diagnostic } from "../../diagnostics/diagnostic";
import { readModel } from "../../emit/model-reader";
import { evaluate as compare, type Evaluation, type TensorReport } from "../../evaluate/evaluate";
import { parseLabels } from "../../evaluate/labels";
import { readTextFile, writeFileAtomically } from "../../io/files";
import { CheckFailed } from "../check-failed";
import { dataFileOf, type Options } from "../context";
import { Progress } from "../progress";
import { acceleratorArguments } from "../accelerator-options";
import { namingAllUnreadable, samplesOf } from "../sample-options";

export async function evaluate(options: Options): Promise<void> {
  const float = options.model();
  const quantizedPb = options.givenPath("quantized");
  const quantized = { pb: quantizedPb, data: options.path("quantized_data") ?? dataFileOf(quantizedPb) };
  const referencePb = options.path("reference");
  const loweredPb = options.path("lowered");
  const { graph } = readModel(float.pb, float.data);
  const samples = samplesOf(options, graph);
  const labelsFile = options.path("labels");
  const labels = labelsFile ? parseLabels(readTextFile(labelsFile, "labels"), labelsFile) : new Map<string, number>();
  const layerSamples = Math.min(options.number("layer_samples", 1, 1e6), samples.length);
  const limits = limitsOf(options);
  const progress = new Progress("samples", samples.length + layerSamples);
  let result: Evaluation;
  try {
    result = await namingAllUnreadable(samples, graph, () =>
      compare({
        runner: options.givenPath("runner"),
        float,
        quantized,
        ...(loweredPb !== undefined && {
          device: {
            lowered: { pb: loweredPb, data: dataFileOf(loweredPb) },
            runner: options.path("device_runner") ?? options.givenPath("runner"),
            arguments: acceleratorArguments(options),
          },
        }),
        ...(referencePb !== undefined && { reference: { pb: referencePb, data: dataFileOf(referencePb) } }),
        samples,
        layerSamples,
        labels,
        threads: options.number("num_threads", 0, 1024),
        onProgress: () => progress.advance(),
      }),
    );
  } finally {
    progress.finish();
  }
  const output = options.path("output");
  if (output) writeFileAtomically(output, [`${JSON.stringify(result, null, 1)}\n`]);
  if (!options.flag("quiet")) process.stdout.write(table(result, loweredPb !== undefined));
  const { missedBudget } = readModel(quantized.pb, quantized.data).graph;
  const checked = limits.minSqnr !== undefined || limits.maxDrop !== undefined;
  const failures = [
    ...check(result, limits),
    ...(checked && missedBudget !== undefined ? [recordedMiss(quantized.pb, missedBudget)] : []),
  ];
  if (failures.length > 0) throw new CheckFailed(failures);
}

export interface Limits {
  readonly minSqnr?: number;
  readonly maxDrop?: number;
}

export function limitsOf(options: Options): Limits {
  return {
    ...(options.text("min_sqnr") !== undefined && { minSqnr: options.number("min_sqnr", -100, 200, false) }),
    ...(options.text("max_drop") !== undefined && { maxDrop: options.number("max_drop", 0, 100, false) }),
  };
}

const decibels = ({ sqnr }: TensorReport): string => (sqnr === null ? "equal" : `${sqnr.toFixed(1)} dB`);

/** Decibels by which a layer must lose on those before it to be where the model breaks. */
const BREAK = 6;

const ratio = ({ sqnr }: TensorReport): number => sqnr ?? 999;

/**
 * The layers to name: in execution order the first below `bound`, where there is a bound on the outputs, else the first that is
 * BREAK below the least of those before it; and the one that departs most.
 */
export function culprits(layers: readonly TensorReport[], bound: number | undefined): string | undefined {
  const worst = layers.reduce<TensorReport | undefined>((w, l) => (!w || ratio(l) < ratio(w) ? l : w), undefined);
  if (!worst) return undefined;
  let least = Number.POSITIVE_INFINITY;
  const breaks = layers.find((layer) => {
    const before = least;
    least = Math.min(least, ratio(layer));
    return Number.isFinite(before) && ratio(layer) < before - BREAK;
  });
  const first = (bound === undefined ? undefined : layers.find((layer) => ratio(layer) < bound)) ?? breaks ?? worst;
  const name = (layer: TensorReport): string => `${layer.type} '${layer.node}' (${layer.tensor}), ${decibels(layer)}`;
  return `first layer that departs: ${name(first)}; worst layer: ${name(worst)}`;
}

function check(result: Evaluation, { minSqnr, maxDrop }: Limits): Diagnostic[] {
  const failures: Diagnostic[] = [];
  const culprit = culprits(result.layers, minSqnr);
  for (const output of result.outputs) {
    if (minSqnr !== undefined && (output.sqnr ?? 999) < minSqnr) {
      failures.push(
        checkFailed(`the output '${output.tensor}' has ${decibels(output)}, less than ${minSqnr} dB`, culprit),
      );
    }
  }
  if (maxDrop !== undefined) {
    const { labelled } = result;
    const drop = labelled ? labelled.float.top1 - labelled.quantized.top1 : 100 - result.agreement;
    const what = labelled ? "top-1 drops by" : "samples change their class:";
    if (drop > maxDrop + 1e-9) {
      failures.push(
        checkFailed(`${what} ${drop.toFixed(2)} ${labelled ? "points" : "%"}, more than ${maxDrop}`, culprit),
      );
    }
  }
  return failures;
}

function table({ samples, layerSamples, agreement, labelled, outputs, layers }: Evaluation, device: boolean): string {
  const rows = layers.map((l) => [l.type, l.tensor, decibels(l), l.cosine.toFixed(6), l.maxError.toPrecision(4)]);
  const widths = [0, 1, 2, 3, 4].map((c) => Math.max(...rows.map((row) => row[c]?.length ?? 0), 8));
  const line = (row: readonly string[]): string =>
    row.map((cell, c) => (c < 2 ? cell.padEnd(widths[c] ?? 0) : cell.padStart(widths[c] ?? 0))).join("  ");
  const percent = (value: number): string => `${value.toFixed(2)} %`;
  return `${[
    `layers, on ${layerSamples} sample${layerSamples === 1 ? "" : "s"}${device ? "; they are the CPU's, the outputs below are the device's" : ""}`,
    line(["operator", "tensor", "SQNR", "cosine", "max error"]),
    ...rows.map(line),
    "",
    ...outputs.map(
      (o) =>
        `output ${o.tensor}: ${decibels(o)}, cosine ${o.cosine.toFixed(6)}, greatest error ${o.maxError.toPrecision(4)}`,
    ),
    `agreement with float: ${percent(agreement)} of ${samples} sample${samples === 1 ? "" : "s"}`,
    ...(labelled
      ? [
          `top-1: float ${percent(labelled.float.top1)}, quantized ${percent(labelled.quantized.top1)}`,
          `top-5: float ${percent(labelled.float.top5)}, quantized ${percent(labelled.quantized.top5)}`,
        ]
      : []),
  ].join("\n")}\n`;
}
