/** Instructions of a program under an emulator, by a plugin of QEMU: exact, the same every time, and no measure of time. */

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

const COUNTER = path.resolve("bench/libinstruction_counter.so");

export interface Counts {
  readonly total: number;
  readonly byFunction: ReadonlyMap<string, number>;
}

/** Runs a program under an emulator. */
export function count(
  emulator: readonly string[],
  program: readonly string[],
  folder: string,
  input?: Uint8Array,
): Counts {
  const [command = "", ...options] = emulator;
  const log = path.join(folder, "count.log");
  const args = [...options, "-plugin", COUNTER, "-d", "plugin", "-D", log, ...program];
  const result = spawnSync(command, args, { input, maxBuffer: 1 << 28 });
  if (result.status !== 0) throw new Error(`${command} failed: ${result.error?.message ?? result.stderr.toString()}`);
  const lines = fs.readFileSync(log, "utf8").trim().split("\n");
  const byFunction = new Map(
    lines.flatMap((line) => {
      const [, value, name] = /^symbol (\d+) (.*)$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, Number(value)] as const];
    }),
  );
  return { total: Number(lines.find((line) => line.startsWith("total "))?.slice(6)), byFunction };
}
