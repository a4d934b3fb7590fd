/** What the configuration says of quantization, under what the rule or the command line says: that is stronger. */

import { overrideConflict, unknownScheme } from "../diagnostics/catalog";
import { type Diagnostic, UserError } from "../diagnostics/diagnostic";
import type { QuantizationOverrides } from "../ir/graph";
import type { Settings } from "./quantize-model";
import { AUTO_SCHEME, SCHEMES } from "./scheme";

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
  const own = new Map(settings.ranges.map(split));
  for (const [tensor, range] of configured.ranges.map(split)) {
    const stronger = own.get(tensor);
    if (stronger !== undefined && stronger !== range) {
      conflicts.push(overrideConflict(`the range of '${tensor}' is`, stronger, range));
    }
  }
  return {
    settings: {
      ...settings,
      scheme: settings.scheme === AUTO_SCHEME ? scheme : settings.scheme,
      keepFloat: [...new Set([...configured.keepFloat, ...settings.keepFloat])],
      // The last one that names a tensor wins.
      ranges: [...configured.ranges, ...settings.ranges],
    },
    conflicts,
  };
}

function split(text: string): readonly [string, string] {
  const at = text.lastIndexOf("=");
  return [text.slice(0, at), text.slice(at + 1)];
}
