import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { runnerFailed, wrongInputCount } from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import { readModel } from "../../emit/model-reader";
import { writeFileAtomically } from "../../io/files";
import { loadSample } from "../../statistics/samples";
import { acceleratorArguments } from "../accelerator-options";
import { dataFileOf, type Options } from "../context";
import { withProgress } from "../progress";

/** Preprocesses the inputs into raw tensors and hands them to the runner, whose output goes straight to the user. */
export async function run(options: Options): Promise<void> {
  const { pb, data } = options.model();
  const { graph } = readModel(pb, data, "any");
  const files = options.paths("input");
  if (files.length !== graph.inputs.length) {
    throw new UserError(
      wrongInputCount(
        files.length,
        graph.inputs.map((port) => port.tensor),
      ),
    );
  }
  const tensors = await loadSample({ name: "input", files }, graph);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-run-"));
  try {
    const inputs = tensors.map((tensor, i) => {
      const file = path.join(folder, `${i}.dat`);
      writeFileAtomically(file, [new Uint8Array(tensor.buffer, tensor.byteOffset, tensor.byteLength)]);
      return `--input=${graph.inputs[i]?.tensor}=${file}`;
    });
    const optional = (flag: string, value: string | undefined): string[] =>
      value === undefined ? [] : [`--${flag}=${value}`];
    const runner = options.givenPath("runner");
    const lowered = options.path("lowered");
    // Its output is the user's; how long it takes is told beside it.
    const status = await withProgress("running the model", 0, () =>
      exitOf(runner, [
        `--model_file=${lowered ?? pb}`,
        `--model_data_file=${lowered === undefined ? data : dataFileOf(lowered)}`,
        ...acceleratorArguments(options),
        ...inputs,
        "--input_type=float32",
        `--top=${options.number("top", 0, 1e6)}`,
        `--round=${options.number("round", 1, 1e6)}`,
        `--num_threads=${options.number("num_threads", 0, 1024)}`,
        ...optional("labels", options.path("labels")),
        ...optional("output_dir", options.path("output_dir")),
        ...(options.flag("benchmark") ? ["--benchmark"] : []),
      ]),
    );
    if (status !== undefined) throw new UserError(runnerFailed(runner, status, ""));
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs a program on our own streams; how it failed, or undefined. */
const exitOf = (program: string, args: readonly string[]): Promise<string | undefined> =>
  new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ["ignore", "inherit", "inherit"] });
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) =>
      resolve(code === 0 ? undefined : signal ? `signal ${signal}` : `exit code ${code}`),
    );
  });
