/** Runs a C++ program over samples: feeds it the sample stream, follows its progress, collects its diagnostics. */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import * as os from "node:os";
import { runnerFailed } from "../diagnostics/catalog";
import { type Diagnostic, UserError } from "../diagnostics/diagnostic";
import type { Graph } from "../ir/graph";
import { encodeRecord } from "./sample-stream";
import { loadSample, type Sample } from "./samples";

/** How many samples are decoded ahead of the runner. */
const AHEAD = 4;

export interface RunnerCallbacks {
  /** Called with what the runner writes to standard output. */
  onOutput(chunk: Uint8Array): void;
}

/** The signals that end a run early, with what it has. */
export const SIGNALS = ["SIGINT", "SIGTERM"] as const;

export type StopSignal = (typeof SIGNALS)[number];

/** Exit code of a program that a signal ended, as shells tell it; the runner's too when it finished early on one. */
export const exitCodeOf = (signal: StopSignal): number => 128 + os.constants.signals[signal];

export interface RunOutcome {
  /** The signal that ended the run early, if any. */
  readonly signal: StopSignal | undefined;
  /** Of samples that could not be loaded, and were left out: what is wrong with each. */
  readonly unreadable: readonly Diagnostic[][];
}

/**
 * Starts `runner` with `args`, writes the samples to its standard input and waits for its end.
 * Samples that cannot be loaded are left out; when that is all of them, the runner is ended and writes nothing.
 * SIGINT and SIGTERM are passed on: the runner finishes the sample in work and writes what it has.
 */
export async function runOverSamples(
  runner: string,
  args: readonly string[],
  samples: readonly Sample[],
  graph: Graph,
  callbacks: RunnerCallbacks,
): Promise<RunOutcome> {
  const unreadable: Diagnostic[][] = [];
  let early: StopSignal | undefined;
  let whole = false;
  const stop = (signal: NodeJS.Signals): void => {
    early = signal as StopSignal;
    whole = child.stdin.writableFinished;
    child.kill(early);
    child.stdin.destroy();
  };
  // Before the runner starts: a signal in between would end this process and leave the runner alone. It is heard when there is one, since that
  // is not before this function waits. Once: a second signal ends this process in the usual way.
  for (const signal of SIGNALS) process.once(signal, stop);
  const child = spawn(runner, args, { stdio: ["pipe", "pipe", "pipe"] });
  let diagnostics = "";
  child.stderr.on("data", (chunk: Buffer) => {
    diagnostics += chunk.toString();
  });
  child.stdout.on("data", (chunk: Buffer) => callbacks.onOutput(chunk));
  // A terminal sends SIGINT to the runner as well, which may be gone before this process hears of its own.
  const ended = new Promise<string | undefined>((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => {
      early ??= SIGNALS.find((name) => code === exitCodeOf(name));
      resolve(code === 0 ? undefined : signal ? `signal ${signal}` : `exit code ${code}`);
    });
  });
  let gone = false;
  void ended.then(() => {
    gone = true;
  });
  // The child may end early, by its own diagnostic; what is written after that does not matter.
  child.stdin.on("error", () => undefined);
  try {
    const queue: Promise<Float32Array[]>[] = [];
    for (let i = 0; i < samples.length && !gone && !early; i++) {
      while (queue.length < AHEAD && i + queue.length < samples.length) {
        const next = loadSample(samples[i + queue.length] as Sample, graph);
        next.catch(() => undefined);
        queue.push(next);
      }
      const tensors = await (queue.shift() as Promise<Float32Array[]>).catch((error) => {
        if (!(error instanceof UserError)) throw error;
        unreadable.push([...error.diagnostics]);
        return undefined;
      });
      if (!tensors) continue;
      const record = encodeRecord({ name: samples[i]?.name ?? "", tensors });
      if (!child.stdin.write(record)) await Promise.race([once(child.stdin, "drain").catch(() => undefined), ended]);
    }
    if (samples.length > 0 && unreadable.length === samples.length) {
      await abandon(child, ended);
      return { signal: undefined, unreadable };
    }
    child.stdin.end();
  } catch (error) {
    await abandon(child, ended);
    throw error;
  } finally {
    void ended.then(() => {
      for (const signal of SIGNALS) process.off(signal, stop);
    });
  }
  const status = await ended;
  // A runner that sees the end of its input before the signal ends well, without the samples that were not written.
  if (early !== undefined && (status !== undefined || !whole)) return { signal: early, unreadable };
  if (status !== undefined) throw new UserError(runnerFailed(runner, status, diagnostics));
  if (diagnostics !== "") process.stderr.write(diagnostics);
  return { signal: undefined, unreadable };
}

/** Ends a runner whose result is not wanted. */
async function abandon(child: ChildProcessWithoutNullStreams, ended: Promise<unknown>): Promise<void> {
  child.kill();
  // The signal alone does not wake a runner that gets it just before it waits for input; the end of the input does.
  child.stdin.destroy();
  await ended;
}
