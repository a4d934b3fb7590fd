import { notComparable, nothingToDo, weightsMoved } from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import { readModel } from "../../emit/model-reader";
import { movedWeights } from "../../evaluate/moved-weights";
import { OnnxSource } from "../../evaluate/onnx-source";
import { RecordedSource } from "../../evaluate/recorded-source";
import { firstDeparture } from "../../evaluate/validate";
import { writeFileAtomically } from "../../io/files";
import type { Sample } from "../../statistics/samples";
import { dataFileOf, type Options } from "../context";
import { withProgress } from "../progress";
import { warn } from "../report";
import { namingAllUnreadable, samplesOf } from "../sample-options";
import { checkStages, sliceOf, validate as run, validationText } from "../validation";

export async function validate(options: Options): Promise<void> {
  const float = options.model();
  const { graph } = readModel(float.pb, float.data);
  const [sourceFile, recorded, quantizedPb, referencePb] = ["source", "recorded", "quantized", "reference"].map(
    (name) => options.path(name),
  );
  if (sourceFile !== undefined && recorded !== undefined) {
    throw new UserError(nothingToDo("--source or --recorded", "which of the two is compared with, not both"));
  }
  if (sourceFile === undefined && recorded === undefined && quantizedPb === undefined) {
    throw new UserError(notComparable(graph.name));
  }
  sliceOf([], options.given("layers"));
  if (quantizedPb !== undefined && referencePb === undefined) {
    const quantized = readModel(quantizedPb, options.path("quantized_data") ?? dataFileOf(quantizedPb));
    const moved = movedWeights(graph, quantized.graph);
    if (moved !== undefined) warn(weightsMoved(quantizedPb, moved));
  }
  const threads = options.number("num_threads", 0, 1024);
  const limits = {
    threshold: options.number("threshold", -1, 1, false),
    quantizedThreshold: options.number("quantized_threshold", -1, 1, false),
  };
  const recording = recorded === undefined ? undefined : RecordedSource.at(recorded, graph);
  const inputs = givenSamples(options) ? undefined : recording?.samples();
  const samples: Sample[] | undefined = inputs ? undefined : samplesOf(options, graph);
  const modules = options.path("onnxruntime");
  const source =
    sourceFile === undefined
      ? recording
      : await withProgress("opening the source model", 0, () =>
          OnnxSource.open({ file: sourceFile, graph, threads, ...(modules !== undefined && { modules }) }),
        );
  const files = (pb: string, data = dataFileOf(pb)) => ({ pb, data });
  const stages = await namingAllUnreadable(samples ?? [], graph, () =>
    run({
      runner: options.givenPath("runner"),
      float,
      ...(quantizedPb !== undefined && { quantized: files(quantizedPb, options.path("quantized_data")) }),
      ...(referencePb !== undefined && { reference: files(referencePb) }),
      ...(source && { source }),
      graph,
      samples,
      recorded: inputs,
      ...limits,
      threads,
    }),
  ).finally(() => source?.close());
  const output = options.path("output");
  if (output !== undefined) {
    const value = stages.map((stage) => ({ ...stage, firstDeparture: firstDeparture(stage) ?? null }));
    writeFileAtomically(output, [`${JSON.stringify({ model: graph.name, stages: value }, null, 1)}\n`]);
  }
  process.stdout.write(validationText(stages, options.given("layers")));
  checkStages(stages);
}

const givenSamples = (options: Options): boolean =>
  options.text("input_dir") !== undefined || options.text("samples_list") !== undefined;
