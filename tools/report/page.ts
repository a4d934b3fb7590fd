/** Pages that need nothing but themselves: no network, no other file. */

import type { GraphView } from "./graph-view";
import { viewGraph } from "./viewer-client";

/** Text for HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** JSON inside a script: nothing in it can end the script. */
function embed(value: unknown): string {
  return JSON.stringify(value).replace(/</g, "\\u003c");
}

const STYLE = `
:root { color-scheme: light dark; }
body { --ink: #1b1f24; --card: #f2f4f7; --line: #8a94a3; --paper: #fff; --accent: #1a62d6; --soft: #5b6572;
  margin: 0; background: var(--paper); color: var(--ink); font: 14px/1.45 system-ui, sans-serif; }
@media (prefers-color-scheme: dark) {
  body { --ink: #e6e9ee; --card: #262c35; --line: #5d6877; --paper: #14181d; --accent: #6ea8ff; --soft: #9aa5b3; }
}
header, main, section { padding: 0 20px; }
h1 { font-size: 22px; } h2 { font-size: 17px; margin-top: 28px; } h3 { font-size: 14px; overflow-wrap: anywhere; }
table { border-collapse: collapse; } td, th { padding: 3px 10px; text-align: left; border-bottom: 1px solid var(--card); }
table { display: block; overflow-x: auto; } td.number, th.number { white-space: nowrap; text-align: right; font-variant-numeric: tabular-nums; }
code { background: var(--card); padding: 1px 4px; border-radius: 3px; }
.viewer { display: grid; grid-template-columns: 1fr 340px; height: 78vh; gap: 12px; }
.viewer canvas { width: 100%; height: 100%; border: 1px solid var(--line); border-radius: 6px; touch-action: none; cursor: grab; }
.viewer aside { overflow: auto; } #search { width: 100%; box-sizing: border-box; padding: 6px; font: inherit; }
#hits button { display: block; width: 100%; text-align: left; background: none; border: 0; color: var(--accent); font: inherit; padding: 2px 0;
  cursor: pointer; overflow-wrap: anywhere; }
dl { margin: 0; } dt { color: var(--soft); } dd { margin: 0 0 6px 0; overflow-wrap: anywhere; }
@media (max-width: 800px) { .viewer { grid-template-columns: 1fr; height: auto; } .viewer canvas { height: 60vh; } }
`;

export interface PageInput {
  readonly title: string;
  /** HTML before the graph. */
  readonly body: string;
  readonly graph: GraphView;
}

/** The whole page. The same input gives the same bytes. */
export function page({ title, body, graph }: PageInput): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${escapeHtml(title)}</h1></header>
<main>
${body}
<h2 id="graph-of-the-model">Graph</h2>
<p>Drag to move, turn the wheel to zoom, click a node for its facts.</p>
<div class="viewer">
<canvas id="graph" tabindex="0" aria-label="graph of the model"></canvas>
<aside><input id="search" type="search" placeholder="search nodes" aria-label="search nodes"><div id="hits"></div><div id="facts"></div></aside>
</div>
</main>
<script>
const view = ${embed(graph)};
(${viewGraph.toString()})(view);
</script>
</body>
</html>
`;
}

/** A table; the cells are HTML. Columns whose header begins with # hold numbers. */
export function htmlTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const cls = (c: number): string => (header[c]?.startsWith("#") ? ' class="number"' : "");
  const head = header.map((cell, c) => `<th${cls(c)}>${escapeHtml(cell.replace(/^#/, ""))}</th>`).join("");
  const body = rows.map((row) => `<tr>${row.map((cell, c) => `<td${cls(c)}>${cell}</td>`).join("")}</tr>`).join("\n");
  return `<table><thead><tr>${head}</tr></thead><tbody>\n${body}\n</tbody></table>`;
}
