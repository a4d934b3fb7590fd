/** A temporary folder for work that may take minutes. It is gone whatever ends the work: its end, a fault, Ctrl-C. */

import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { runnerFailed } from "../diagnostics/catalog";
import { type Diagnostic, UserError } from "../diagnostics/diagnostic";
import { LayerRunner } from "../evaluate/layer-runner";
import { SIGNALS, type StopSignal } from "../statistics/runner";
import { Interrupted } from "./interrupted";

/** A terminal sends Ctrl-C to the runners as well, whose end may be noticed before the signal is. */
const GRACE_MS = 200;
const RUNNER_FAILED = runnerFailed("", "", "").code;

/**
 * Calls `work` with the folder. SIGINT and SIGTERM end it: runners are stopped, so that it fails wherever it waits, and the error
 * becomes Interrupted.
 *
 * @param said what the user is told of a signal, made when it comes.
 */
export async function withWorkFolder<T>(work: (folder: string) => Promise<T>, said: () => Diagnostic): Promise<T> {
  let early: StopSignal | undefined;
  const stop = (signal: NodeJS.Signals): void => {
    early = signal as StopSignal;
    LayerRunner.closeAll();
  };
  // Once: a second signal ends this process in the usual way.
  for (const signal of SIGNALS) process.once(signal, stop);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-quantize-"));
  try {
    return await work(folder);
  } catch (error) {
    const ended = error instanceof UserError && error.diagnostics.some(({ code }) => code === RUNNER_FAILED);
    if (ended && early === undefined) await delay(GRACE_MS);
    if (early !== undefined) throw new Interrupted(early, said());
    throw error;
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
    LayerRunner.closeAll();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
