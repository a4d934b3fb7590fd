/** A runner that gives every computed tensor of each sample. */

import { type ChildProcess, spawn } from "node:child_process";
import { runnerFailed } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import { encodeRecord, RecordDecoder, type SampleRecord } from "../statistics/sample-stream";

export interface ModelFiles {
  readonly pb: string;
  readonly data: string;
}

/** Runs a model sample by sample; what it computes comes back on the program's standard output. */
export class LayerRunner {
  private static readonly running = new Set<LayerRunner>();

  /** Ends every runner; who waits for one gets an error. */
  static closeAll(): void {
    for (const runner of LayerRunner.running) runner.close();
  }

  private readonly child: ChildProcess;
  private readonly decoder = new RecordDecoder();
  private readonly records: SampleRecord[] = [];
  private diagnostics = "";
  private wake: () => void = () => undefined;
  private ended: string | undefined;

  /**
   * @param records how many records the program writes per sample.
   * @param what `layers` for every computed tensor, a record each; `outputs` for one record with the graph's outputs.
   */
  constructor(
    private readonly program: string,
    model: ModelFiles,
    private readonly perSample: number,
    what: "layers" | "outputs",
    threads: number,
    more: readonly string[] = [],
  ) {
    const stream = what === "layers" ? "--layers_output=-" : "--output_stream=-";
    const files = [`--model_file=${model.pb}`, `--model_data_file=${model.data}`];
    this.child = spawn(program, [...files, "--input_stream=-", stream, `--num_threads=${threads}`, ...more]);
    LayerRunner.running.add(this);
    this.child.stderr?.on("data", (chunk: Buffer) => {
      this.diagnostics += chunk.toString();
    });
    this.child.stdout?.on("data", (chunk: Buffer) => {
      this.records.push(...this.decoder.push(chunk));
      this.wake();
    });
    this.child.stdin?.on("error", () => undefined);
    this.child.on("error", (error) => this.end(error.message));
    this.child.on("close", (code, signal) => this.end(signal ? `signal ${signal}` : `exit code ${code}`));
  }

  private end(how: string): void {
    this.ended ??= how;
    LayerRunner.running.delete(this);
    this.wake();
  }

  /** The records of one sample. */
  async run(sample: SampleRecord): Promise<SampleRecord[]> {
    this.child.stdin?.write(encodeRecord(sample));
    while (this.records.length < this.perSample) {
      if (this.ended !== undefined) throw new UserError(runnerFailed(this.program, this.ended, this.diagnostics));
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return this.records.splice(0, this.perSample);
  }

  close(): void {
    this.child.stdin?.end();
    this.child.kill();
  }
}
