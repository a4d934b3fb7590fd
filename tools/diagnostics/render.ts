/** Diagnostics as text for a terminal. */

import type { Diagnostic, DiagnosticPlace } from "./diagnostic";

const WIDTH = 100;

/** One diagnostic: the headline, then place, cause and remedies, each on indented lines. */
export function render(diagnostic: Diagnostic, severity: "error" | "warning" | "note" = "error"): string {
  const lines = [`${severity}[${diagnostic.code}]: ${diagnostic.message}`];
  const place = renderPlace(diagnostic.place);
  if (place) lines.push(`  at: ${place}`);
  lines.push(...renderSource(diagnostic.place));
  if (diagnostic.cause) lines.push(`  cause: ${diagnostic.cause.replace(/\n/g, "\n    ")}`);
  for (const fix of diagnostic.fixes) lines.push(`  fix: ${fix}`);
  return `${lines.join("\n")}\n`;
}

function renderPlace({ file, line, column, offset, node, tensor }: DiagnosticPlace): string {
  const parts: string[] = [];
  if (file !== undefined) parts.push([file, line, column].filter((p) => p !== undefined).join(":"));
  if (offset !== undefined) parts.push(`byte ${offset}`);
  if (node !== undefined) parts.push(`node '${node}'`);
  if (tensor !== undefined) parts.push(`tensor '${tensor}'`);
  return parts.join(", ");
}

/** The offending line with a caret, cut to the width of a terminal. */
function renderSource({ sourceLine, column }: DiagnosticPlace): string[] {
  if (sourceLine === undefined || column === undefined) return [];
  const start = Math.max(0, column - 1 - WIDTH / 2);
  const shown = sourceLine.slice(start, start + WIDTH);
  return [`    | ${shown}`, `    | ${" ".repeat(column - 1 - start)}^`];
}
