import { isDeepStrictEqual } from "node:util";
import {
  alreadyQuantized,
  badOption,
  floatSubgraphForDevice,
  notPerSubgraph,
  nothingToDo,
  otherRuntimeConfigured,
  quantizationInterrupted,
  rangeCollapsed,
  staleStatistics,
  subgraphsNotMeasured,
  unknownRangeTensors,
  unknownWord,
  weightsAreCodes,
  wrongSchemeForDevice,
} from "../../diagnostics/catalog";
import { type Diagnostic, UserError } from "../../diagnostics/diagnostic";
import { readModel, type StoredModel } from "../../emit/model-reader";
import { encodeModel, modelFiles, writeModel } from "../../emit/model-writer";
import { readTextFile, writeFilesTogether } from "../../io/files";
import type { ApuVersion, Graph, QuantizationOverrides, Subgraph } from "../../ir/graph";
import { printGraph } from "../../ir/print";
import { BACK_ENDS, CPU, PER_SUBGRAPH } from "../../lower/back-ends";
import { prepareModel, type Quantized, quantizePrepared, type Settings } from "../../quantize/quantize-model";
import { quantizeSubgraphs, type Treatment } from "../../quantize/quantize-subgraphs";
import { withOverrides } from "../../quantize/overrides";
import { AUTO_SCHEME, type BiasCorrection, DEVICE_SCHEME, SCHEMES } from "../../quantize/scheme";
import { parseOverallRange, type Ranges } from "../../statistics/overall-range";
import { readStatistics } from "../../statistics/statistics";
import { roundsAdaptively, withAdaptiveRounding } from "../adaptive-rounding";
import { hasBudget, quantizeWithinBudget } from "../accuracy-budget";
import { CheckFailed } from "../check-failed";
import type { Options } from "../context";
import { deployedFiles, obfuscates } from "../deploy";
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
    preciseOutputs: true,
  };
}

/** How each subgraph is quantized: as the command line says, or else the configuration; or how the whole is, if that is one. */
function treatmentsOf(options: Options, graph: Graph): readonly [Treatment, ...Treatment[]] {
  const { subgraphs = [] } = graph;
  const asked = options.text("runtime");
  const named = namedRuntimes(options, subgraphs);
  const apart = asked === PER_SUBGRAPH || named.size > 0;
  if (apart && subgraphs.length === 0) throw new UserError(notPerSubgraph(options.model().pb));
  const told = new Set<string>();
  const warnOnce = (diagnostic: Diagnostic): void => {
    if (!told.has(JSON.stringify(diagnostic))) warn(diagnostic);
    told.add(JSON.stringify(diagnostic));
  };
  const treat = (configured: QuantizationOverrides | undefined, name?: string): Treatment => {
    const { settings, conflicts } = withOverrides(settingsOf(options), configured);
    for (const conflict of conflicts) warnOnce(conflict);
    const given = named.get(name ?? "") ?? (asked === PER_SUBGRAPH ? undefined : asked);
    const { runtime: wanted, float = false } = configured ?? {};
    if (given !== undefined && wanted !== undefined && given !== wanted) {
      warnOnce(otherRuntimeConfigured(wanted, given, name === undefined ? wanted : PER_SUBGRAPH));
    }
    const runtime = given ?? wanted ?? CPU;
    const backEnd = BACK_ENDS[runtime];
    if (!backEnd) return { settings, runtime, float };
    if (float) throw new UserError(floatSubgraphForDevice(name ?? "", backEnd.title));
    // Beside subgraphs of the CPU, what the command line says of the scheme is for these.
    const scheme = name === undefined ? settings.scheme : (configured?.scheme ?? AUTO_SCHEME);
    if (scheme !== AUTO_SCHEME && scheme !== DEVICE_SCHEME) {
      throw new UserError(wrongSchemeForDevice(scheme, backEnd.title));
    }
    if (hasBudget(options)) note(`the accuracy budget is measured on the CPU, not on ${backEnd.title}`);
    return { settings: { ...settings, scheme: DEVICE_SCHEME, preciseOutputs: false }, runtime, float };
  };
  if (!apart && !subgraphs.some(({ quantization }) => quantization)) return [treat(graph.quantization)];
  const [first, ...others] = subgraphs.map(({ name, quantization }) => treat(quantization ?? graph.quantization, name));
  if (!first) return [treat(graph.quantization)];
  return apart || others.some((other) => !isDeepStrictEqual(other, first)) ? [first, ...others] : [first];
}

/** What `--subgraph_runtime` says: subgraph to device. */
function namedRuntimes(options: Options, subgraphs: readonly Subgraph[]): ReadonlyMap<string, string> {
  const known = [CPU, ...Object.keys(BACK_ENDS)];
  return new Map(
    options.texts("subgraph_runtime").map((text) => {
      const [, name = "", runtime = ""] = /^([^=]+)=([^=]+)$/.exec(text) ?? [];
      if (name === "") throw new UserError(badOption("--subgraph_runtime", text, "NAME=DEVICE"));
      const names = subgraphs.map((subgraph) => subgraph.name);
      if (!names.includes(name)) throw new UserError(unknownWord("subgraph", name, names));
      if (!known.includes(runtime)) throw new UserError(unknownWord("runtime", runtime, known));
      return [name, runtime] as const;
    }),
  );
}

/** What must be measured on a model that is quantized as a whole. */
function refuseMeasuring(options: Options, treatments: readonly Treatment[]): void {
  const empirical = treatments.some(({ settings }) => settings.biasCorrection === "empirical");
  const what = hasBudget(options)
    ? "an accuracy budget"
    : roundsAdaptively(options)
      ? "adaptive rounding"
      : empirical
        ? "empirical bias correction"
        : undefined;
  if (what !== undefined) throw new UserError(subgraphsNotMeasured(what));
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
  const rangeFiles = options.paths("ranges");
  const [rangeFile] = rangeFiles;
  const ranges: Ranges = new Map(rangeFiles.flatMap((file) => [...readRanges(file, model.graph)]));
  const statisticsFile = options.path("statistics");
  const statistics = statisticsFile ? readStatistics(statisticsFile) : undefined;
  if (statistics && Buffer.compare(model.digest, statistics.graphDigest ?? new Uint8Array()) !== 0) {
    throw new UserError(staleStatistics(statisticsFile ?? "", model.graph.name));
  }
  const rangesName = rangeFile ? "range file" : "no range file was given";
  const measured = { ranges, rangesName, statistics };
  const [treatment, ...others] = treatmentsOf(options, model.graph);
  if (others.length > 0) {
    const treatments = [treatment, ...others];
    refuseMeasuring(options, treatments);
    await withProgress("steps of quantization", 2, (progress) => {
      const quantized = quantizeSubgraphs(model.graph, treatments, measured);
      progress.advance();
      tell(quantized);
      if (reference !== undefined) writeModel(quantized.reference, reference, model.digest);
      if (prefix !== undefined) writeQuantized(options, quantized.graph, model, prefix);
      progress.advance();
    });
    return;
  }
  const prepared = prepareModel(model.graph, treatment.settings, measured);
  if (reference !== undefined) writeModel(model.graph, reference, model.digest);
  if (prefix === undefined) {
    tell(quantizePrepared(prepared));
    return;
  }
  let saved: string | undefined;
  const write = ({ graph }: Quantized, what: string): void => {
    writeQuantized(options, graph, model, prefix);
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

function readRanges(file: string, { tensors }: Graph): Ranges {
  const ranges = parseOverallRange(readTextFile(file, "range file"), file);
  const strangers = [...ranges.keys()].filter((name) => !tensors.has(name));
  if (strangers.length > 0) warn(unknownRangeTensors(file, strangers));
  const collapsed = [...ranges].filter(([, [min, max]]) => min === 0 && max === 0).map(([name]) => name);
  if (collapsed.length > 0) warn(rangeCollapsed(file, collapsed));
  return ranges;
}

/** One for all subgraphs, which have settings of their own where these differ. */
const configuredApu = ({ quantization, subgraphs = [] }: Graph): ApuVersion | undefined =>
  [quantization, ...subgraphs.map((subgraph) => subgraph.quantization)].find((own) => own?.apuVersion !== undefined)
    ?.apuVersion;

/** @param float the model that was quantized. */
function writeQuantized(options: Options, graph: Graph, float: StoredModel, prefix: string): void {
  graph.obfuscate = obfuscates(options, float.graph);
  const version = configuredApu(float.graph);
  if (version !== undefined) graph.apuVersion = version;
  const encoded = encodeModel(graph, float.digest);
  writeFilesTogether([
    ...modelFiles(encoded, prefix),
    [`${prefix}.txt`, [printGraph(graph)]],
    ...deployedFiles(options, prefix, encoded, graph.obfuscate),
  ]);
}

function tell({ warnings, float }: Pick<Quantized, "warnings" | "float">): void {
  for (const warning of warnings) warn(warning);
  for (const [node, reason] of float) note(`'${node}' stays float: ${reason}`);
}
