import { noFloatForDevice, optionOfOtherRun, overrideConflict, wrongSchemeForDevice } from "../../diagnostics/catalog";
import { type Diagnostic, UserError } from "../../diagnostics/diagnostic";
import { readModel } from "../../emit/model-reader";
import { writeModelFiles } from "../../emit/model-writer";
import type { ApuVersion, Graph } from "../../ir/graph";
import { APU } from "../../lower/apu/apu";
import { BACK_ENDS, backEndOf } from "../../lower/back-ends";
import type { BackEnd } from "../../lower/net";
import { lowerGraph } from "../../lower/program";
import type { Options } from "../context";
import { withProgress } from "../progress";
import { note, warn } from "../report";

export const lower = (options: Options): Promise<void> =>
  withProgress("steps of lowering", 3, (progress) => translate(options, () => progress.advance()));

/** @param onStep called after the model is read, after it is translated and after it is written. */
function translate(options: Options, onStep: () => void): void {
  const { pb, data } = options.model();
  const runtime = options.choice("runtime", "runtime", Object.keys(BACK_ENDS));
  const given = options.text("apu_version");
  if (given !== undefined && runtime !== APU.runtime) {
    throw new UserError(optionOfOtherRun("--apu_version", `--runtime ${runtime}`, [`--runtime ${APU.runtime}`]));
  }
  const model = readModel(pb, data);
  const backEnd = backEndOf(runtime, apuVersion(given, model.graph.apuVersion)) as BackEnd;
  onStep();
  if (!model.quantized) throw new UserError(noFloatForDevice(pb));
  refuseOtherSchemes(model.graph, backEnd);
  const fallback = options.choice("fallback", "fallback", FALLBACKS) === "cpu";
  const program = lowerGraph(model.graph, model.digest, backEnd, fallback);
  onStep();
  for (const reason of program.refused) warn(onCpu(reason));
  note(program.nets.map(({ runtime, nodes }) => `${nodes} nodes on ${runtime}`).join(", then "));
  writeModelFiles(program, options.givenPath("output_prefix"));
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
