/** Statistics that a signal interrupts: what is finished is kept, and going on from it gives the bytes of a run in one go. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { readStatistics } from "../../tools/statistics/statistics";
import { writeStack } from "./layer-stack";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-interrupted-"));
const at = (name: string): string => path.join(folder, name);
after(() => fs.rmSync(folder, { recursive: true }));

const mace = require.resolve("../../tools/cli/main");
const converter = require.resolve("../../tools/dropin/converter");
const RUNNER = path.resolve("mace/bin/mace_stat");
const FLAGS = process.execArgv.filter((flag) => flag !== "--test");
const ENVIRONMENT = { ...process.env, NODE_TEST_CONTEXT: "" };
const SAMPLES = 12;
const SIDE = 16;

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly said: string;
}

function call(script: string, ...args: readonly string[]): Ended {
  const result = spawnSync(process.execPath, [...FLAGS, script, ...args], { encoding: "utf8", env: ENVIRONMENT });
  return { code: result.status ?? -1, out: result.stdout, said: result.stderr };
}

/**
 * A stand-in for the runner that lets it see the first `count` samples only and keeps its input open, so that it waits there, until
 * the file NAME.told exists or the runner is gone. NAME.started says that the signal will find the runner: a shell that is about to
 * become it may forget one.
 */
function slowRunner(count: number): string {
  const file = at(`runner_${count}`);
  // Records of this network: name "input_NN.dat", one tensor.
  const bytes = count * (4 + 12 + 4 + 8 + 4 * SIDE * SIDE * 3);
  fs.writeFileSync(
    file,
    `#!/bin/bash
wait_until() { until "$@"; do sleep 0.02; done; }
runs() { [ "$(</proc/$$/comm)" = mace_stat ]; }
told_or_gone() { [ -e "$0.told" ] || ! kill -0 $$; }
feed() {
  wait_until runs
  : > "$0.started"
  head -c ${bytes} <&5
  wait_until told_or_gone
}
exec 5<&0
exec "${RUNNER}" "$@" < <(feed 2>/dev/null) 5<&-
`,
    { mode: 0o755 },
  );
  return file;
}

/** Starts a run, and sends the signal when the runner has finished `count` samples. */
async function interrupt(
  count: number,
  signal: NodeJS.Signals,
  args: readonly string[],
  script = mace,
): Promise<Ended> {
  const log = at("finished");
  const programs = at(`programs_${count}`);
  const tee = path.join(programs, "mace_stat");
  fs.mkdirSync(programs, { recursive: true });
  const runner = slowRunner(count);
  const [started, told] = [`${runner}.started`, `${runner}.told`];
  for (const mark of [started, told]) fs.rmSync(mark, { force: true });
  fs.writeFileSync(log, "");
  fs.writeFileSync(tee, `#!/bin/bash\nexec "${runner}" "$@" > >(tee "${log}")\n`, { mode: 0o755 });
  const through = script === mace ? ["--runner", tee] : ["--programs", programs];
  const child: ChildProcess = spawn(process.execPath, [...FLAGS, script, ...args, ...through], { env: ENVIRONMENT });
  let [out, said] = ["", ""];
  child.stdout?.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    said += chunk;
  });
  const ended = new Promise<number>((resolve) => child.on("close", (code) => resolve(code ?? -1)));
  for (;;) {
    if (fs.existsSync(started) && fs.readFileSync(log, "utf8").split("\n").length > count) break;
    assert.equal(child.exitCode, null, said);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill(signal);
  // The runner that gets the signal just before it reads is woken by the end of its input; the run itself has to pass the signal on first.
  const later = setTimeout(() => fs.writeFileSync(told, ""), 10_000);
  const code = await ended;
  clearTimeout(later);
  fs.writeFileSync(told, "");
  return { code, out, said };
}

const stat = (...more: readonly string[]): string[] => [
  "stat",
  "--model",
  at("net.pb"),
  "--input_dir",
  at("samples"),
  "--num_threads",
  "1",
  ...more,
];
const bytes = (file: string): Buffer => fs.readFileSync(at(file));

before(() => {
  writeStack(folder, { layers: 1, side: SIDE, samples: SAMPLES, mixed: 3 });
  const converted = call(mace, "convert", "--config", at("net.yml"), "--output_prefix", at("net"));
  assert.equal(converted.code, 0, converted.said);
  const whole = call(mace, ...stat("--runner", RUNNER, "--output", at("whole"), "--ranges", at("whole.ranges")));
  assert.equal(whole.code, 0, whole.said);
});

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  test(`${signal}: the finished samples are kept and the rest continues`, async () => {
    const output = at(signal);
    const first = await interrupt(3, signal, stat("--output", output, "--ranges", `${output}.ranges`));
    assert.equal(first.code, code, first.said);
    assert.match(first.said, /error\[MQ312\]: interrupted after 3 of 12 samples[\s\S]*fix: .*--resume/);
    assert.ok(!fs.existsSync(output) && !fs.existsSync(`${output}.ranges`));
    assert.deepEqual(
      readStatistics(`${output}.partial`).sample.map(({ name }) => name),
      ["input_00.dat", "input_01.dat", "input_02.dat"],
    );
    const partial = call(mace, "ranges", "--statistics", `${output}.partial`, "--output", at("partial.ranges"));
    assert.equal(partial.code, 0, partial.said);
    assert.match(fs.readFileSync(at("partial.ranges"), "utf8"), /^output@@/m);

    // Interrupted once more.
    const more = stat("--output", output, "--ranges", `${output}.ranges`, "--resume");
    const second = await interrupt(4, signal, more);
    assert.equal(second.code, code, second.said);
    assert.match(second.said, /interrupted after 7 of 12 samples/);

    const last = call(mace, ...more, "--runner", RUNNER);
    assert.equal(last.code, 0, last.said);
    assert.ok(fs.readFileSync(output).equals(bytes("whole")));
    assert.ok(fs.readFileSync(`${output}.ranges`).equals(bytes("whole.ranges")));
    assert.deepEqual(
      fs
        .readdirSync(folder)
        .filter((name) => name.startsWith(signal))
        .sort(),
      [signal, `${signal}.ranges`],
    );
  });
}

test("before the first sample is finished nothing is kept", async () => {
  const { code, said } = await interrupt(0, "SIGINT", stat("--output", at("none")));
  assert.equal(code, 130, said);
  assert.match(said, /interrupted after 0 of 12/);
  assert.ok(!fs.existsSync(at("none")) && !fs.existsSync(at("none.partial")));
});

test("resuming needs an interrupted run, of the same model and samples", async () => {
  const resume = (output: string, ...more: string[]): Ended =>
    call(mace, ...stat("--runner", RUNNER, "--output", at(output), "--resume", ...more));
  const absent = resume("absent");
  assert.equal(absent.code, 1);
  assert.match(absent.said, /MQ313/);
  fs.copyFileSync(at("whole"), at("shard.partial"));
  const other = resume("shard", "--shard", "0/2");
  assert.equal(other.code, 1);
  assert.match(other.said, /MQ314[\s\S]*input_01\.dat/);
  fs.writeFileSync(at("damaged.partial"), bytes("whole").subarray(0, 100));
  assert.match(resume("damaged").said, /MQ301/);
  // Of a run that was interrupted after its last sample.
  fs.copyFileSync(at("whole"), at("all.partial"));
  assert.equal(resume("all").code, 0);
  assert.ok(bytes("all").equals(bytes("whole")));
});

test("the converter goes on with the range log", async () => {
  const config = ["--config", at("net.yml"), "--output", at("build")];
  assert.equal(call(converter, "convert", ...config, "--quantize_stat").code, 0);
  const args = ["run", ...config, "--quantize_stat", "--input_dir", at("samples")];
  const whole = call(converter, ...args);
  assert.equal(whole.code, 0, whole.said);
  assert.equal(whole.out.split("\n").length - 1, SAMPLES * 2);
  const partial = await interrupt(5, "SIGINT", [...args, "--num_threads", "1"], converter);
  assert.equal(partial.code, 130, partial.said);
  assert.equal(partial.out, "", "half a log is none");
  assert.match(partial.said, /error\[MQ312\]: interrupted after 5 of 12 samples[\s\S]*fix: .*--resume/);
  assert.ok(fs.existsSync(at("build/lib/model/net.stat.partial")));
  const resumed = call(converter, ...args, "--resume");
  assert.equal(resumed.code, 0, resumed.said);
  assert.match(resumed.said, /5 of 12 samples were finished before/);
  assert.equal(resumed.out, whole.out);
  assert.deepEqual(fs.readdirSync(at("build/lib/model")).sort(), ["net.data", "net.pb", "net.txt"]);
});
