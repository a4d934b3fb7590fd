/** The layers of the two halves of the repository, lowest first. A folder may use folders of lower layers. */

export type Layers = readonly (readonly string[])[];

/** Folders of mace/: `base ← quant, arch ← kernels ← runtime ← delegates ← public, bin`; `hexagon` runs on the DSP and uses none of them. */
export const MACE: Layers = [
  ["base", "proto"],
  ["arch", "hexagon", "quant"],
  ["kernels"],
  ["runtime"],
  ["delegates"],
  ["public"],
  ["bin"],
];

/** Folders of tools/. */
export const TOOLS: Layers = [
  ["bzldoc", "diagnostics", "quant", "schema"],
  ["io", "ir"],
  ["config", "emit", "image", "passes", "synth"],
  ["importers", "statistics"],
  ["evaluate", "quantize"],
  ["lower", "report"],
  ["cli"],
  ["dropin"],
  ["docs"],
];

/** Why `from` must not use `to`, or undefined when it may. Both are names of folders of one half. */
export function violation(layers: Layers, from: string, to: string): string | undefined {
  if (from === to) return undefined;
  const level = (folder: string) => layers.findIndex((layer) => layer.includes(folder));
  for (const folder of [from, to]) {
    if (level(folder) < 0) return `folder '${folder}' is in no layer; give it a place in test/layering/layers.ts`;
  }
  if (level(to) < level(from)) return undefined;
  return `'${to}' is ${level(to) === level(from) ? "beside" : "above"} '${from}'`;
}
