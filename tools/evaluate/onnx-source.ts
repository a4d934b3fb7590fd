/** An ONNX model, run by onnxruntime-node, as the source of tensors: its outputs and everything in between that our graph has too. */

import { type ChildProcess, fork } from "node:child_process";
import * as path from "node:path";
import { onnxruntimeMissing, sourceFailed, sourceInput } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import { onnxInterface, type OnnxInterface, outputsSuffix } from "../importers/onnx/interface";
import { readOutline } from "../importers/outline";
import { StoredFile } from "../io/stored-file";
import type { Graph } from "../ir/graph";
import { permuteShape, TO_NCHW, transposeData } from "../ir/transpose";
import type { SampleRecord } from "../statistics/sample-stream";
import type { SessionAnswer, SessionFeed, SessionInput, SessionStart, SessionTensor } from "./onnx-session";
import type { SourceTensor, TensorSource } from "./tensor-source";

const MODULE = "onnxruntime-node";

export interface OnnxSourceOptions {
  /** The .onnx file. */
  readonly file: string;
  /** What was imported from it. */
  readonly graph: Graph;
  readonly threads: number;
  /** Folder with `node_modules/onnxruntime-node`; where this program finds it by itself when absent. */
  readonly modules?: string;
}

export class OnnxSource implements TensorSource {
  private inputs: readonly SessionInput[] = [];
  private waiting: ((answer: SessionAnswer | undefined) => void) | undefined;
  private ended: string | undefined;
  private said = "";

  private constructor(
    readonly name: string,
    private readonly graph: Graph,
    private readonly model: OnnxInterface,
    private readonly child: ChildProcess,
  ) {
    child.stderr?.on("data", (chunk: Buffer) => {
      this.said = (this.said + chunk.toString()).slice(-4000);
    });
    child.on("message", (answer) => this.answer(answer as SessionAnswer));
    child.on("error", (error) => this.end(error.message));
    child.on("close", (code, signal) => this.end(signal ? `signal ${signal}` : `exit code ${code}`));
  }

  static async open({ file, graph, threads, modules }: OnnxSourceOptions): Promise<OnnxSource> {
    const model = onnxInterface(readOutline(new StoredFile(file, "source model"), "onnx"), file);
    const absent = graph.inputs.find(({ tensor }) => !model.inputs.has(tensor));
    if (absent) throw new UserError(sourceInput(file, absent.tensor, [...model.inputs.keys()]));
    const wanted = [...graph.tensors.values()].filter(
      ({ name, data }) => !data && model.computed.has(name) && !model.outputs.has(name),
    );
    const child = fork(path.join(__dirname, "onnx-session.js"), [], {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      // The parent may be a test or run under an inspector.
      execArgv: process.execArgv.filter((flag) => !/^--(test|inspect)/.test(flag)),
      env: { ...process.env, NODE_TEST_CONTEXT: "" },
    });
    const source = new OnnxSource(path.basename(file), graph, model, child);
    try {
      const answer = await source.ask({
        kind: "start",
        module: modules === undefined ? MODULE : path.resolve(modules, "node_modules", MODULE),
        model: file,
        suffix: outputsSuffix(wanted.map(({ name }) => name)),
        folder: path.dirname(file),
        threads,
      });
      if (answer.kind === "inputs") source.inputs = answer.inputs;
    } catch (error) {
      source.close();
      throw error;
    }
    return source;
  }

  private answer(answer: SessionAnswer | undefined): void {
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.(answer);
  }

  private end(how: string): void {
    this.ended ??= how;
    this.answer(undefined);
  }

  private async ask(question: SessionStart | SessionFeed): Promise<SessionAnswer> {
    const answer = await new Promise<SessionAnswer | undefined>((resolve) => {
      if (this.ended !== undefined) return resolve(undefined);
      this.waiting = resolve;
      this.child.send(question);
    });
    if (!answer) throw new UserError(sourceFailed(this.name, `it ended with ${this.ended}\n${this.said}`.trim()));
    if (answer.kind !== "fault") return answer;
    if (answer.what === "missing") throw new UserError(onnxruntimeMissing(answer.message.split("\n")[0] ?? ""));
    throw new UserError(sourceFailed(this.name, answer.message));
  }

  async tensors(sample: SampleRecord): Promise<ReadonlyMap<string, SourceTensor>> {
    const tensors = this.graph.inputs.map(({ tensor }, i) =>
      this.feed(tensor, sample.tensors[i] ?? new Float32Array()),
    );
    const answer = await this.ask({ kind: "feed", tensors });
    return new Map(answer.kind === "result" ? answer.tensors.map((tensor) => [tensor.name, tensor]) : []);
  }

  /** An input in the model's own order of axes. */
  private feed(name: string, values: Float32Array): SessionTensor {
    const stored = this.graph.tensors.get(name)?.shape ?? [];
    if (stored.length !== 4) return { name, shape: stored, values };
    const declared = this.inputs.find((input) => input.name === name)?.shape ?? [];
    const fits = (shape: readonly number[]): boolean =>
      declared.length === shape.length && shape.every((size, axis) => (declared[axis] ?? size) === size);
    const turned = permuteShape(stored, TO_NCHW);
    const both = fits(stored) && fits(turned);
    const planar = both ? this.model.inputs.get(name) === "NCHW" : fits(turned);
    if (!planar) return { name, shape: stored, values };
    return { name, shape: turned, values: transposeData(values, stored, TO_NCHW) as Float32Array };
  }

  close(): void {
    this.child.kill();
  }
}
