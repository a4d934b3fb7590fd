import { readModel } from "../../emit/model-reader";
import type { Evaluation } from "../../evaluate/evaluate";
import { malformedModel } from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import { readTextFile, writeFileAtomically } from "../../io/files";
import type { Graph } from "../../ir/graph";
import { quantizationReport } from "../../report/quantization-report";
import { readStatistics } from "../../statistics/statistics";
import { dataFileOf, type Options } from "../context";

export function report(options: Options): void {
  const float = options.model();
  const load = (pb: string, data = dataFileOf(pb)): Graph => readModel(pb, data).graph;
  const quantized = options.givenPath("quantized");
  const referenceFile = options.path("reference");
  const statisticsFile = options.path("statistics");
  const evaluationFile = options.path("evaluation");
  const floatGraph = load(float.pb, float.data);
  const html = quantizationReport({
    float: floatGraph,
    quantized: load(quantized, options.path("quantized_data")),
    reference: referenceFile === undefined ? floatGraph : load(referenceFile),
    ...(statisticsFile !== undefined && { statistics: readStatistics(statisticsFile) }),
    ...(evaluationFile !== undefined && { evaluation: readEvaluation(evaluationFile) }),
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
