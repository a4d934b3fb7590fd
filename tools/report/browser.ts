/** Pages in a real browser, for tests: Debian's Chromium without a window. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

/**
 * Opens a page with a script behind everything else and returns what the browser prints.
 *
 * @param folder where the page and the browser's profile may lie.
 * @param flags of the browser: --dump-dom, --screenshot=….
 */
export function browse(folder: string, html: string, script: string, ...flags: readonly string[]): string {
  const file = path.join(folder, "page.html");
  // The script that uses the page comes last; it leaves what it saw in the document.
  fs.writeFileSync(file, html.replace(/<\/body>\n<\/html>\n$/, `<script>${script}</script></body></html>`));
  const result = spawnSync(
    "chromium",
    [
      ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
      ...[`--user-data-dir=${folder}/profile`, "--window-size=1200,900", "--virtual-time-budget=3000"],
      ...[...flags, `file://${file}`],
    ],
    { encoding: "utf8", env: { ...process.env, HOME: folder }, maxBuffer: 1 << 28 },
  );
  assert.equal(result.status, 0, result.stderr);
  return result.stdout;
}

/** As a person would: a script that looks for a node of the graph, goes there and turns the wheel. It leaves `canvas` to what follows. */
export const findNode = (text: string): string => `
const search = document.getElementById("search");
search.value = ${JSON.stringify(text)};
search.dispatchEvent(new Event("input"));
document.querySelector("#hits button").click();
const canvas = document.getElementById("graph");
for (let i = 0; i < 30; i++) canvas.dispatchEvent(new WheelEvent("wheel", { deltaY: 40, clientX: 300, clientY: 400 }));
document.body.dataset.title = document.querySelector("#facts h3").textContent;
`;
