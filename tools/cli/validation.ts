/** What `mace validate` and `converter run --validate` share: which stages run, what is printed, and when they fail. */

import { departs } from "../diagnostics/catalog";
import { evaluate } from "../evaluate/evaluate";
import type { ModelFiles } from "../evaluate/layer-runner";
import type { TensorSource } from "../evaluate/tensor-source";
import { compareWithSource, failedOutputs, firstDeparture, quantizedStage, type Stage } from "../evaluate/validate";
import type { TensorReport } from "../evaluate/evaluate";
import { badOption } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import type { Graph } from "../ir/graph";
import type { SampleRecord } from "../statistics/sample-stream";
import { loadSample, type Sample } from "../statistics/samples";
import { CheckFailed } from "./check-failed";
import { Progress } from "./progress";

/** MACE's thresholds: cosine of the float model on a CPU, and of a quantized one. */
export const FLOAT_THRESHOLD = 0.999;
export const QUANTIZED_THRESHOLD = 0.98;

export interface ValidationInput {
  readonly runner: string;
  readonly float: ModelFiles;
  readonly quantized?: ModelFiles;
  /** The float graph as it was quantized. */
  readonly reference?: ModelFiles;
  readonly source?: TensorSource;
  readonly graph: Graph;
  /** Files; or recorded inputs, with which only the source can be compared. */
  readonly samples: readonly Sample[] | undefined;
  readonly recorded: readonly SampleRecord[] | undefined;
  readonly threshold: number;
  readonly quantizedThreshold: number;
  readonly threads: number;
}

export async function validate(input: ValidationInput): Promise<Stage[]> {
  const { samples = [], recorded = [], graph, source, quantized } = input;
  const loads = [
    ...samples.map((sample) => async () => ({ name: sample.name, tensors: await loadSample(sample, graph) })),
    ...recorded.map((sample) => async () => sample),
  ];
  const progress = new Progress("samples", loads.length * ((source ? 1 : 0) + (quantized ? 2 : 0)));
  const common = { runner: input.runner, float: input.float, threads: input.threads };
  const onProgress = (): void => progress.advance();
  const stages: Stage[] = [];
  try {
    if (source) {
      stages.push(
        await compareWithSource({ ...common, source, samples: loads, threshold: input.threshold, onProgress }),
      );
    }
    if (quantized) {
      const evaluation = await evaluate({
        ...common,
        quantized,
        ...(input.reference && { reference: input.reference }),
        samples: loads,
        layerSamples: loads.length,
        labels: new Map(),
        onProgress,
      });
      stages.push(quantizedStage(evaluation, input.quantizedThreshold));
    }
  } finally {
    progress.finish();
  }
  return stages;
}

/** Python's index or slice of a list: "2", "-2", "1:5", "::2", "::-1", ":"; but "-1" is MACE's word for none. */
export function sliceOf<T>(list: readonly T[], text: string): readonly T[] {
  if (text === "-1") return [];
  const [, single, ...parts] = /^(?:(-?\d+)|(-?\d+)?:(-?\d+)?(?::(-?\d+)?)?)$/.exec(text) ?? [];
  const [from, to, by = 1] = parts.map((part) => (part === undefined ? undefined : Number(part)));
  if ((single === undefined && parts.length === 0) || by === 0) {
    throw new UserError(badOption("--layers", text, "a slice such as 0:10 or ::2, a number, or : for all"));
  }
  const n = list.length;
  const fromEnd = (index: number): number => (index < 0 ? index + n : index);
  if (single !== undefined) return list.filter((_, i) => i === fromEnd(Number(single)));
  // Ends beyond the list are its ends; a negative step goes from the last to the first.
  const [least, most] = by > 0 ? [0, n] : [-1, n - 1];
  const end = (index: number | undefined, absent: number): number =>
    index === undefined ? absent : Math.min(Math.max(fromEnd(index), least), most);
  const [start, stop] = [end(from, by > 0 ? 0 : n - 1), end(to, by > 0 ? n : -1)];
  const count = Math.max(Math.ceil((stop - start) / by), 0);
  return Array.from({ length: count }, (_, i) => list[start + i * by] as T);
}

const decibels = (sqnr: number | null): string => (sqnr === null ? "infinite" : `${sqnr.toFixed(2)} dB`);
const figures = ({ cosine, sqnr }: TensorReport): string => `similarity ${cosine.toFixed(6)}, sqnr ${decibels(sqnr)}`;
const layerName = ({ type, node, tensor }: TensorReport): string =>
  node === tensor ? `${type} '${node}'` : `${type} '${node}' (${tensor})`;

/** The stages as text. @param layers which of the layers to print, a slice. */
export function validationText(stages: readonly Stage[], layers: string): string {
  const lines = stages.flatMap((stage) => {
    const first = firstDeparture(stage);
    return [
      `${stage.title}, ${stage.samples} sample${stage.samples === 1 ? "" : "s"}, ${stage.layers.length} layers`,
      ...sliceOf(stage.layers, layers).map((layer) => `layer ${layer.tensor}: ${figures(layer)}`),
      ...stage.otherSize.map((tensor) => `layer ${tensor}: another size, not compared`),
      ...stage.outputs.map(
        (output) =>
          `output ${output.tensor}: ${figures(output)}, pixel accuracy ${(100 * output.pixelAccuracy).toFixed(2)} %`,
      ),
      first
        ? `first layer that departs: ${layerName(first)}, ${figures(first)}`
        : `no layer departs: every similarity is at least ${stage.threshold}`,
    ];
  });
  return `${lines.join("\n")}\n`;
}

/** Fails when an output is below its stage's threshold. */
export function checkStages(stages: readonly Stage[]): void {
  const failures = stages.flatMap((stage) => {
    const first = firstDeparture(stage);
    return failedOutputs(stage).map(({ tensor, cosine }) =>
      departs(stage.title, tensor, cosine, stage.threshold, first && layerName(first)),
    );
  });
  if (failures.length > 0) throw new CheckFailed(failures);
}
