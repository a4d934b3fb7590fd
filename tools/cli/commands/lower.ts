import {
  noFloatForDevice,
  notPerSubgraph,
  optionOfOtherRun,
  overrideConflict,
  quantizedForOther,
  unknownWord,
  wrongSchemeForDevice,
} from "../../diagnostics/catalog";
import { type Diagnostic, UserError } from "../../diagnostics/diagnostic";
import { readModel, type StoredModel } from "../../emit/model-reader";
import { modelFiles } from "../../emit/model-writer";
import type { ApuVersion, Graph } from "../../ir/graph";
import { extractSubgraph } from "../../ir/subgraphs";
import { APU } from "../../lower/apu/apu";
import { BACK_ENDS, backEndOf, backEndsOf, CPU, PER_SUBGRAPH } from "../../lower/back-ends";
import type { BackEnd } from "../../lower/net";
import { lowerGraph, lowerSubgraphs, type Program } from "../../lower/program";
import { writeFilesTogether } from "../../io/files";
import type { Options } from "../context";
import { deployedFiles, obfuscates } from "../deploy";
import { withProgress } from "../progress";
import { note, warn } from "../report";

export const lower = (options: Options): Promise<void> =>
  withProgress("steps of lowering", 3, (progress) => translate(options, () => progress.advance()));

/** @param onStep called after the model is read, after it is translated and after it is written. */
function translate(options: Options, onStep: () => void): void {
  const { pb, data } = options.model();
  const runtime = options.choice("runtime", "runtime", [PER_SUBGRAPH, ...Object.keys(BACK_ENDS)]);
  const given = options.text("apu_version");
  if (given !== undefined && runtime !== APU.runtime && runtime !== PER_SUBGRAPH) {
    throw new UserError(optionOfOtherRun("--apu_version", `--runtime ${runtime}`, [`--runtime ${APU.runtime}`]));
  }
  const model = readModel(pb, data);
  const version = apuVersion(given, model.graph.apuVersion);
  onStep();
  if (!model.quantized) throw new UserError(noFloatForDevice(pb));
  const fallback = options.choice("fallback", "fallback", FALLBACKS) === "cpu";
  const program = lowered(model, pb, runtime, version, fallback);
  onStep();
  for (const reason of program.refused) warn(onCpu(reason));
  note(program.nets.map((net) => `${net.nodes} nodes on ${net.runtime}`).join(", then "));
  const prefix = options.givenPath("output_prefix");
  const deployed = deployedFiles(options, prefix, program, obfuscates(options, model.graph));
  writeFilesTogether([...modelFiles(program, prefix), ...deployed]);
  onStep();
}

/** The version that the command line says, or the configuration. */
function apuVersion(given: string | undefined, configured: ApuVersion | undefined): ApuVersion | undefined {
  if (given === undefined) return configured;
  const version = Number(given) as ApuVersion;
  if (configured !== undefined && configured !== version) {
    warn(overrideConflict("`apu_version`", given, String(configured)));
  }
  return version;
}

/** @param version of an APU. */
function lowered(
  { graph, digest }: StoredModel,
  pb: string,
  runtime: string,
  version: ApuVersion | undefined,
  fallback: boolean,
): Program {
  const runtimes = graph.subgraphs?.map((subgraph) => subgraph.runtime);
  if (!runtimes?.some((own) => own !== undefined)) {
    if (runtime === PER_SUBGRAPH) throw new UserError(notPerSubgraph(pb));
    const backEnd = backEndOf(runtime, version) as BackEnd;
    refuseOtherSchemes(graph, backEnd);
    return lowerGraph(graph, digest, backEnd, fallback);
  }
  const other = runtimes.find((own) => runtime !== PER_SUBGRAPH && own !== runtime);
  if (other !== undefined) throw new UserError(quantizedForOther(pb, other, runtime));
  for (const subgraph of graph.subgraphs ?? []) {
    const { runtime: own = CPU } = subgraph;
    if (!KNOWN.includes(own)) throw new UserError(unknownWord("runtime", own, KNOWN));
    const backEnd = BACK_ENDS[own];
    if (backEnd) refuseOtherSchemes(extractSubgraph(graph, subgraph), backEnd);
  }
  return lowerSubgraphs(graph, digest, backEndsOf(version), fallback);
}

const KNOWN = [CPU, ...Object.keys(BACK_ENDS)];

export const FALLBACKS = ["none", "cpu"] as const;

/** What would be an error without a fallback is worth knowing with one. */
const onCpu = (reason: Diagnostic): Diagnostic => ({
  ...reason,
  message: `${reason.message}; the CPU runs it`,
  fixes: [],
});

function refuseOtherSchemes(graph: Graph, { title }: BackEnd): void {
  for (const { dtype, quant } of graph.tensors.values()) {
    if (dtype === "int8" && quant) throw new UserError(wrongSchemeForDevice("int8_per_channel", title));
  }
}
