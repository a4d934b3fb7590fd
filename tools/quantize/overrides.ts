/** What the configuration says of quantization, under what the rule or the command line says: that is stronger. */

import { overrideConflict, unknownScheme, unknownWord } from "../diagnostics/catalog";
import { type Diagnostic, UserError } from "../diagnostics/diagnostic";
import type { QuantizationOverrides } from "../ir/graph";
import type { Settings } from "./quantize-model";
import { AUTO_SCHEME, BIAS_CORRECTIONS, type BiasCorrection, SCHEMES } from "./scheme";

export interface Merged {
  readonly settings: Settings;
  /** Warnings about what both say, differently. */
  readonly conflicts: readonly Diagnostic[];
}

export function withOverrides(settings: Settings, configured: QuantizationOverrides | undefined): Merged {
  if (!configured) return { settings, conflicts: [] };
  const known = [AUTO_SCHEME, ...Object.keys(SCHEMES)];
  const { scheme = AUTO_SCHEME } = configured;
  if (!known.includes(scheme)) throw new UserError(unknownScheme(scheme, known));
  const conflicts: Diagnostic[] = [];
  if (settings.scheme !== AUTO_SCHEME && scheme !== AUTO_SCHEME && settings.scheme !== scheme) {
    conflicts.push(overrideConflict("`scheme`", settings.scheme, scheme));
  }
  const { biasCorrection } = configured;
  const corrections = Object.keys(BIAS_CORRECTIONS);
  if (biasCorrection !== undefined && !corrections.includes(biasCorrection)) {
    throw new UserError(unknownWord("bias correction", biasCorrection, corrections));
  }
  if (settings.biasCorrection && biasCorrection !== undefined && settings.biasCorrection !== biasCorrection) {
    conflicts.push(overrideConflict("`bias_correction`", settings.biasCorrection, biasCorrection));
  }
  const { weights = [] } = configured;
  for (const [what, stronger, weaker] of [
    ["the range of", settings.ranges, configured.ranges],
    ["the weights of", settings.weights, weights],
  ] as const) {
    const own = new Map(stronger.map(split));
    for (const [name, value] of weaker.map(split)) {
      const wins = own.get(name);
      if (wins !== undefined && wins !== value) conflicts.push(overrideConflict(`${what} '${name}' is`, wins, value));
    }
  }
  const chosen = settings.biasCorrection ?? (biasCorrection as BiasCorrection | undefined);
  return {
    settings: {
      ...settings,
      scheme: settings.scheme === AUTO_SCHEME ? scheme : settings.scheme,
      keepFloat: [...new Set([...configured.keepFloat, ...settings.keepFloat])],
      // The last one that names a tensor wins.
      ranges: [...configured.ranges, ...settings.ranges],
      weights: [...weights, ...settings.weights],
      shareConcat: settings.shareConcat || configured.shareConcat === true,
      ...(chosen && { biasCorrection: chosen }),
    },
    conflicts,
  };
}

function split(text: string): readonly [string, string] {
  const at = text.lastIndexOf("=");
  return [text.slice(0, at), text.slice(at + 1)];
}
