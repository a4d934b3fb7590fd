import { alreadyQuantized, staleStatistics, unknownRangeTensors } from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import { readModel, type StoredModel } from "../../emit/model-reader";
import { writeModel } from "../../emit/model-writer";
import { readTextFile, writeFileAtomically } from "../../io/files";
import { printGraph } from "../../ir/print";
import { assignRanges } from "../../quantize/assign-ranges";
import { equalize, scaleChannels, scaleRanges } from "../../quantize/equalize";
import { placeFloatNodes } from "../../quantize/placement";
import { type ChannelMeans, quantizeGraph } from "../../quantize/quantize-graph";
import { SCHEMES } from "../../quantize/scheme";
import { parseOverallRange, type Ranges } from "../../statistics/overall-range";
import { channelsOf } from "../../statistics/channels";
import { readStatistics } from "../../statistics/statistics";
import type { Options } from "../context";
import { note, warn } from "../report";

/** What statistics add to the range file: equalized weights with the ranges that go with them, and channel means. */
function prepare(
  { graph, digest }: StoredModel,
  file: Ranges,
  statisticsFile: string,
  equalized: boolean,
  options: Options,
): { ranges: Ranges; means: ChannelMeans } {
  const statistics = readStatistics(statisticsFile);
  if (Buffer.compare(digest, statistics.graphDigest ?? new Uint8Array()) !== 0) {
    throw new UserError(staleStatistics(statisticsFile, graph.name));
  }
  let channels = channelsOf(statistics);
  let ranges = file;
  if (equalized) {
    const equalization = equalize(graph, channels);
    const scaled = scaleChannels(channels, equalization);
    ranges = scaleRanges(file, channels, scaled, equalization);
    channels = scaled;
  }
  const means: ChannelMeans = new Map(
    options.flag("no_bias_correction") ? [] : [...channels].map(([name, c]) => [name, c.mean]),
  );
  return { ranges, means };
}

export function quantize(options: Options): void {
  const scheme = SCHEMES[options.choice("scheme", "scheme", Object.keys(SCHEMES))];
  const { pb, data } = options.model();
  const model = readModel(pb, data);
  if (model.quantized || !scheme) throw new UserError(alreadyQuantized(pb));
  const rangeFile = options.path("ranges");
  const file: Ranges = rangeFile ? parseOverallRange(readTextFile(rangeFile, "range file"), rangeFile) : new Map();
  const strangers = [...file.keys()].filter((name) => !model.graph.tensors.has(name));
  if (strangers.length > 0) warn(unknownRangeTensors(rangeFile ?? "", strangers));

  const statisticsFile = options.path("statistics");
  const prepared = statisticsFile
    ? prepare(model, file, statisticsFile, !scheme.perChannelWeights && !options.flag("no_equalization"), options)
    : { ranges: file, means: new Map<string, Float64Array>() };
  const float = placeFloatNodes(model.graph, scheme);
  // The reason of a range names the file without its folder: outputs carry no path.
  const fileName = rangeFile ? "range file" : "no range file was given";
  assignRanges(model.graph, float, { file: prepared.ranges, fileName });
  const { graph, warnings } = quantizeGraph(model.graph, scheme, float, prepared.means);
  for (const warning of warnings) warn(warning);
  for (const [node, reason] of float) note(`'${node}' stays float: ${reason}`);
  const prefix = options.givenPath("output_prefix");
  writeModel(graph, prefix, model.digest);
  writeFileAtomically(`${prefix}.txt`, [printGraph(graph)]);
}
