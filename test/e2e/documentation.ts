/** The commands of the documentation, and how a test runs them: `./bazelw run //tools:…` becomes a start of the built program. */

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

/** Labels of programs to their entry points below tools/, and what their arguments begin with. */
export const PROGRAMS: Readonly<Record<string, readonly [string, ...string[]]>> = {
  "//tools:mace": ["cli/main"],
  "//tools:validate": ["cli/main", "validate"],
  "//tools:converter": ["dropin/converter"],
  "//tools/image:image_to_tensor": ["dropin/image-to-tensor"],
  "//tools/image:tensor_to_image": ["dropin/tensor-to-image"],
  "//tools/quantize:quantize_stat": ["dropin/quantize-stat"],
};

/** What the pages build before they use it; here it is there already. */
const BUILT = ["//mace/bin:mace_run", "//mace/bin:mace_stat"];

/** The commands of a page's `sh` blocks, with continued lines joined. */
export function commandsOf(page: string): string[] {
  const text = fs.readFileSync(`docs/${page}`, "utf8");
  const blocks = [...text.matchAll(/^( *)```sh\n([\s\S]*?)^ *```$/gm)].map(([, , block = ""]) => block);
  return blocks.flatMap((block) =>
    block
      .replace(/\\\n\s*/g, "")
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== ""),
  );
}

/** Runs a command in a folder; the text of what went wrong, or undefined. */
export function runCommand(command: string, folder: string): string | undefined {
  const [start = "", verb = "", target = "", ...rest] = command.split(/\s+/);
  if (start !== "./bazelw") return `'${start}' is no program of this repository`;
  if (verb === "build") return BUILT.includes(target) ? undefined : `${target} is not built here`;
  const program = PROGRAMS[target];
  if (verb !== "run" || !program) return `there is no program ${target}`;
  const arrow = rest.indexOf(">");
  const args = rest.slice(rest[0] === "--" ? 1 : 0, arrow < 0 ? undefined : arrow);
  const [module, ...first] = program;
  const flags = process.execArgv.filter((flag) => flag !== "--test");
  const script = require.resolve(`../../tools/${module}`);
  const result = spawnSync(process.execPath, [...flags, script, ...first, ...args], {
    encoding: "utf8",
    env: { ...process.env, NODE_TEST_CONTEXT: "", BUILD_WORKING_DIRECTORY: folder },
  });
  if (arrow >= 0) fs.writeFileSync(path.join(folder, rest[arrow + 1] ?? ""), result.stdout);
  return result.status === 0 ? undefined : `exit code ${result.status}\n${result.stderr}`;
}
