import { alreadyQuantized, unknownRangeTensors } from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import { readModel } from "../../emit/model-reader";
import { writeModel } from "../../emit/model-writer";
import { readTextFile, writeFileAtomically } from "../../io/files";
import { printGraph } from "../../ir/print";
import { assignRanges } from "../../quantize/assign-ranges";
import { placeFloatNodes } from "../../quantize/placement";
import { quantizeGraph } from "../../quantize/quantize-graph";
import { SCHEMES } from "../../quantize/scheme";
import { parseOverallRange, type Ranges } from "../../statistics/overall-range";
import type { Options } from "../context";
import { note, warn } from "../report";

export function quantize(options: Options): void {
  const scheme = SCHEMES[options.choice("scheme", "scheme", Object.keys(SCHEMES))];
  const { pb, data } = options.model();
  const model = readModel(pb, data);
  if (model.quantized || !scheme) throw new UserError(alreadyQuantized(pb));
  const rangeFile = options.path("ranges");
  const file: Ranges = rangeFile ? parseOverallRange(readTextFile(rangeFile, "range file"), rangeFile) : new Map();
  const strangers = [...file.keys()].filter((name) => !model.graph.tensors.has(name));
  if (strangers.length > 0) warn(unknownRangeTensors(rangeFile ?? "", strangers));

  const float = placeFloatNodes(model.graph, scheme);
  // The reason of a range names the file without its folder: outputs carry no path.
  const fileName = rangeFile ? "range file" : "no range file was given";
  assignRanges(model.graph, float, { file, fileName });
  const { graph, warnings } = quantizeGraph(model.graph, scheme, float);
  for (const warning of warnings) warn(warning);
  for (const [node, reason] of float) note(`'${node}' stays float: ${reason}`);
  const prefix = options.givenPath("output_prefix");
  writeModel(graph, prefix, model.digest);
  writeFileAtomically(`${prefix}.txt`, [printGraph(graph)]);
}
