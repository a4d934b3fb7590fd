import { readModel } from "../../emit/model-reader";
import type { Evaluation } from "../../evaluate/evaluate";
import { malformedModel } from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import { readTextFile, writeFileAtomically } from "../../io/files";
import type { Graph } from "../../ir/graph";
import { quantizationReport } from "../../report/quantization-report";
import { readStatistics } from "../../statistics/statistics";
import { dataFileOf, type Options } from "../context";
import { withProgress } from "../progress";

export const report = (options: Options): Promise<void> =>
  withProgress("parts of the report", 5, (progress) => make(options, () => progress.advance()));

/** @param onPart called after each of the files, and after the page. */
function make(options: Options, onPart: () => void): void {
  const float = options.model();
  const part = <T>(value: T): T => {
    onPart();
    return value;
  };
  const load = (pb: string, data = dataFileOf(pb)): Graph => part(readModel(pb, data).graph);
  const quantized = options.givenPath("quantized");
  const referenceFile = options.path("reference");
  const statisticsFile = options.path("statistics");
  const evaluationFile = options.path("evaluation");
  const floatGraph = load(float.pb, float.data);
  const html = quantizationReport({
    float: floatGraph,
    quantized: load(quantized, options.path("quantized_data")),
    reference: referenceFile === undefined ? floatGraph : load(referenceFile),
    ...(statisticsFile !== undefined && { statistics: part(readStatistics(statisticsFile)) }),
    ...(evaluationFile !== undefined && { evaluation: part(readEvaluation(evaluationFile)) }),
  });
  writeFileAtomically(options.givenPath("output"), [html]);
}

function readEvaluation(file: string): Evaluation {
  const text = readTextFile(file, "evaluation");
  try {
    const value = JSON.parse(text) as Partial<Evaluation>;
    if (!Array.isArray(value.layers) || !Array.isArray(value.outputs)) throw new Error("it has no layers and outputs");
    return value as Evaluation;
  } catch (error) {
    throw new UserError(
      malformedModel({ file }, `not what \`mace evaluate --output\` writes: ${(error as Error).message}`),
    );
  }
}
