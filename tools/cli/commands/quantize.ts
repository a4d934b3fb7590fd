import {
  alreadyQuantized,
  nothingToDo,
  otherRuntimeConfigured,
  quantizationInterrupted,
  rangeCollapsed,
  staleStatistics,
  unknownRangeTensors,
  weightsAreCodes,
  wrongSchemeForDevice,
} from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import { readModel } from "../../emit/model-reader";
import { encodeModel, modelFiles, writeModel } from "../../emit/model-writer";
import { readTextFile, writeFilesTogether } from "../../io/files";
import type { Graph } from "../../ir/graph";
import { printGraph } from "../../ir/print";
import { BACK_ENDS, CPU } from "../../lower/back-ends";
import { prepareModel, type Quantized, quantizePrepared, type Settings } from "../../quantize/quantize-model";
import { withOverrides } from "../../quantize/overrides";
import { AUTO_SCHEME, type BiasCorrection, DEVICE_SCHEME, SCHEMES } from "../../quantize/scheme";
import { parseOverallRange, type Ranges } from "../../statistics/overall-range";
import { readStatistics } from "../../statistics/statistics";
import { roundsAdaptively, withAdaptiveRounding } from "../adaptive-rounding";
import { hasBudget, quantizeWithinBudget } from "../accuracy-budget";
import { CheckFailed } from "../check-failed";
import type { Options } from "../context";
import { withEmpiricalBias } from "../empirical-bias";
import { withProgress } from "../progress";
import { note, warn } from "../report";
import { withWorkFolder } from "../work-folder";

function settingsOf(options: Options): Settings {
  const biasCorrection = options.text("bias_correction");
  return {
    scheme: options.choice("scheme", "scheme", [AUTO_SCHEME, ...Object.keys(SCHEMES)]),
    keepFloat: options.texts("keep_float"),
    ranges: options.texts("range"),
    equalization: !options.flag("no_equalization"),
    absorption: !options.flag("no_bias_absorption"),
    splitting: !options.flag("no_splitting"),
    weights: options.texts("weights"),
    ...(biasCorrection !== undefined && { biasCorrection: biasCorrection as BiasCorrection }),
    shareConcat: options.flag("change_concat_ranges"),
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
  if (hasBudget(options)) note(`the accuracy budget is measured on the CPU, not on ${backEnd.title}`);
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
  const coded = [...model.graph.tensors.values()].find(({ codes }) => codes !== undefined);
  if (coded) throw new UserError(weightsAreCodes(pb, coded.name));
  const rangeFile = options.path("ranges");
  const ranges: Ranges = rangeFile ? parseOverallRange(readTextFile(rangeFile, "range file"), rangeFile) : new Map();
  const strangers = [...ranges.keys()].filter((name) => !model.graph.tensors.has(name));
  if (strangers.length > 0) warn(unknownRangeTensors(rangeFile ?? "", strangers));
  const collapsed = [...ranges].filter(([, [min, max]]) => min === 0 && max === 0).map(([name]) => name);
  if (collapsed.length > 0) warn(rangeCollapsed(rangeFile ?? "", collapsed));
  const statisticsFile = options.path("statistics");
  const statistics = statisticsFile ? readStatistics(statisticsFile) : undefined;
  if (statistics && Buffer.compare(model.digest, statistics.graphDigest ?? new Uint8Array()) !== 0) {
    throw new UserError(staleStatistics(statisticsFile ?? "", model.graph.name));
  }
  const rangesName = rangeFile ? "range file" : "no range file was given";
  const settings = settingsForDevice(options, model.graph);
  const prepared = prepareModel(model.graph, settings, { ranges, rangesName, statistics });
  if (reference !== undefined) writeModel(model.graph, reference, model.digest);
  if (prefix === undefined) {
    tell(quantizePrepared(prepared));
    return;
  }
  let saved: string | undefined;
  const version = model.graph.quantization?.apuVersion;
  const write = ({ graph }: Quantized, what: string): void => {
    if (version !== undefined) graph.apuVersion = version;
    const files = modelFiles(encodeModel(graph, model.digest), prefix);
    writeFilesTogether([...files, [`${prefix}.txt`, [printGraph(graph)]]]);
    saved = what;
  };
  const work = async (folder: string): Promise<void> => {
    const rounded = roundsAdaptively(options) ? await withAdaptiveRounding(options, prepared, folder) : prepared;
    const empirical = rounded.biasCorrection === "empirical";
    const chosen = empirical ? await withEmpiricalBias(options, rounded, folder) : rounded;
    if (!hasBudget(options)) {
      await withProgress("steps of quantization", 2, (progress) => {
        const quantized = quantizePrepared(chosen);
        progress.advance();
        tell(quantized);
        write(quantized, "");
        progress.advance();
      });
      return;
    }
    const { quantized, failures } = await quantizeWithinBudget(options, chosen, { pb, data }, write, folder);
    tell(quantized);
    if (failures.length === 0) return;
    if (!options.flag("accept_missed_budget")) throw new CheckFailed(failures);
    for (const failure of failures) warn(failure);
  };
  await withWorkFolder(work, () =>
    quantizationInterrupted(saved === undefined ? undefined : `${prefix}.pb`, saved ?? ""),
  );
}

function tell({ warnings, float }: Quantized): void {
  for (const warning of warnings) warn(warning);
  for (const [node, reason] of float) note(`'${node}' stays float: ${reason}`);
}
