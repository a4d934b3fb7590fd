import {
  alreadyQuantized,
  nothingToDo,
  otherRuntimeConfigured,
  staleStatistics,
  unknownRangeTensors,
  wrongSchemeForDevice,
} from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import { readModel } from "../../emit/model-reader";
import { writeModel } from "../../emit/model-writer";
import { readTextFile, writeFileAtomically } from "../../io/files";
import type { Graph } from "../../ir/graph";
import { printGraph } from "../../ir/print";
import { BACK_ENDS, CPU } from "../../lower/back-ends";
import {
  type Prepared,
  prepareModel,
  type Quantized,
  quantizePrepared,
  type Settings,
} from "../../quantize/quantize-model";
import { withOverrides } from "../../quantize/overrides";
import { AUTO_SCHEME, DEVICE_SCHEME, SCHEMES } from "../../quantize/scheme";
import { parseOverallRange, type Ranges } from "../../statistics/overall-range";
import { readStatistics } from "../../statistics/statistics";
import { roundsAdaptively, withAdaptiveRounding } from "../adaptive-rounding";
import { hasBudget, quantizeWithinBudget } from "../accuracy-budget";
import { CheckFailed } from "../check-failed";
import type { Options } from "../context";
import { note, warn } from "../report";

function settingsOf(options: Options): Settings {
  return {
    scheme: options.choice("scheme", "scheme", [AUTO_SCHEME, ...Object.keys(SCHEMES)]),
    keepFloat: options.texts("keep_float"),
    ranges: options.texts("range"),
    equalization: !options.flag("no_equalization"),
    absorption: !options.flag("no_bias_absorption"),
    splitting: !options.flag("no_splitting"),
    biasCorrection: !options.flag("no_bias_correction"),
    floatProbabilities: true,
  };
}

/** The settings, as the device needs them: the one of the command line, or of the configuration. */
function settingsForDevice(options: Options, { quantization }: Graph): Settings {
  const { settings, conflicts } = withOverrides(settingsOf(options), quantization);
  for (const conflict of conflicts) warn(conflict);
  const configured = quantization?.runtime;
  const given = options.text("runtime");
  if (given !== undefined && configured !== undefined && given !== configured) {
    warn(otherRuntimeConfigured(configured, given));
  }
  const backEnd = BACK_ENDS[given ?? configured ?? CPU];
  if (!backEnd) return settings;
  if (settings.scheme !== AUTO_SCHEME && settings.scheme !== DEVICE_SCHEME) {
    throw new UserError(wrongSchemeForDevice(settings.scheme, backEnd.title));
  }
  return { ...settings, scheme: DEVICE_SCHEME, floatProbabilities: false };
}

export async function quantize(options: Options): Promise<void> {
  const prefix = options.path("output_prefix");
  const reference = options.path("reference_prefix");
  if (prefix === undefined && reference === undefined) {
    throw new UserError(nothingToDo("--output_prefix", "where the model is to be written"));
  }
  const { pb, data } = options.model();
  const model = readModel(pb, data);
  if (model.quantized) throw new UserError(alreadyQuantized(pb));
  const rangeFile = options.path("ranges");
  const ranges: Ranges = rangeFile ? parseOverallRange(readTextFile(rangeFile, "range file"), rangeFile) : new Map();
  const strangers = [...ranges.keys()].filter((name) => !model.graph.tensors.has(name));
  if (strangers.length > 0) warn(unknownRangeTensors(rangeFile ?? "", strangers));
  const statisticsFile = options.path("statistics");
  const statistics = statisticsFile ? readStatistics(statisticsFile) : undefined;
  if (statistics && Buffer.compare(model.digest, statistics.graphDigest ?? new Uint8Array()) !== 0) {
    throw new UserError(staleStatistics(statisticsFile ?? "", model.graph.name));
  }
  const rangesName = rangeFile ? "range file" : "no range file was given";
  const settings = settingsForDevice(options, model.graph);
  const prepared = prepareModel(model.graph, settings, { ranges, rangesName, statistics });
  const measured = async (use: (chosen: Prepared) => Promise<void>): Promise<void> =>
    roundsAdaptively(options) ? withAdaptiveRounding(options, prepared, use) : use(prepared);
  const write = ({ graph }: Quantized, to: string): void => {
    writeModel(graph, to, model.digest);
    writeFileAtomically(`${to}.txt`, [printGraph(graph)]);
  };
  if (reference !== undefined) writeModel(model.graph, reference, model.digest);
  if (prefix === undefined) {
    tell(quantizePrepared(prepared));
    return;
  }
  await measured(async (chosen) => {
    if (hasBudget(options)) {
      const { quantized, failures } = await quantizeWithinBudget(options, chosen, { pb, data }, (q) =>
        write(q, prefix),
      );
      tell(quantized);
      if (failures.length > 0) throw new CheckFailed(failures);
      return;
    }
    const quantized = quantizePrepared(chosen);
    tell(quantized);
    write(quantized, prefix);
  });
}

function tell({ warnings, float }: Quantized): void {
  for (const warning of warnings) warn(warning);
  for (const [node, reason] of float) note(`'${node}' stays float: ${reason}`);
}
