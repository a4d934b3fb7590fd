/** Labels of samples: lines `sample class`, separated by white space or a comma. */

import { badLabels } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";

/** Sample, a file name with or without its ending, to the index of its class. */
export function parseLabels(text: string, file: string): Map<string, number> {
  const labels = new Map<string, number>();
  text.split(/\r?\n/).forEach((line, index) => {
    if (line.trim() === "" || line.startsWith("#")) return;
    const [, sample = "", label = ""] = /^(.+?)[\s,]+(\d+)\s*$/.exec(line.trim()) ?? [];
    if (sample === "") throw new UserError(badLabels(file, index + 1, line));
    labels.set(sample, Number(label));
  });
  return labels;
}

export const labelOf = (labels: ReadonlyMap<string, number>, sample: string): number | undefined =>
  labels.get(sample) ?? labels.get(sample.replace(/\.[^.]*$/, ""));
