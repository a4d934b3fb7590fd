/** abi_test MODEL_PREFIX IMAGE ABI EMULATOR...: the ABI's runner under the emulator gives the bytes of the host's. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { readModel } from "../../tools/emit/model-reader";
import { loadSample } from "../../tools/statistics/samples";

const [prefix = "", image = "", abi = "", ...emulator] = process.argv.slice(2);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-abi-"));
after(() => fs.rmSync(folder, { recursive: true }));

/** Runs the model on two threads; the bytes of its output and what it printed. */
function run(target: string, command: readonly string[], input: string): { bytes: Buffer; said: string } {
  const output = fs.mkdtempSync(path.join(folder, "out-"));
  const [program = "", ...args] = [
    ...command,
    `${prefix}.${target}.mace_run`,
    `--model_file=${prefix}.${target}.pb`,
    `--model_data_file=${prefix}.${target}.data`,
    `--input=${input}`,
    `--output_dir=${output}`,
    "--num_threads=2",
    "--top=5",
  ];
  const result = spawnSync(program, args, { encoding: "utf8" });
  assert.equal(result.status, 0, `${result.error?.message ?? ""}${result.stderr}`);
  const [file, ...others] = fs.readdirSync(output);
  assert.ok(file && others.length === 0);
  return { bytes: fs.readFileSync(path.join(output, file)), said: result.stdout };
}

/** The list of classes, without the lines about time and kernels. */
const classes = (said: string): string[] => said.split("\n").filter((line) => /^\s+\d+\.\s/.test(line));

test(`${abi} on ${emulator.join(" ")}`, async () => {
  const { graph } = readModel(`${prefix}.pb`, `${prefix}.data`);
  const [tensor] = await loadSample({ name: "image", files: [image] }, graph);
  const input = path.join(folder, "input.dat");
  fs.writeFileSync(input, Buffer.from((tensor as Float32Array).buffer));
  const argument = `${graph.inputs[0]?.tensor}=${input}`;
  const host = run("host", [], argument);
  const target = run(abi, emulator, argument);
  console.log(target.said);
  assert.equal(classes(host.said).length, 5);
  assert.deepEqual(classes(target.said), classes(host.said));
  assert.ok(host.bytes.equals(target.bytes), "the outputs differ");
});
