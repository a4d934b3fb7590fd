/** The table of MACE's flags against the flags that its scripts have, and against our options. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CommandSpec } from "../cli/options";
import { commandsOf } from "../cli/program";
import { MACE_FLAGS, PROGRAMS, RUN_KINDS, SCRIPTS, type Script } from "./tables";

const words = (text: string): string[] => text.trim().split(/\s+/);

const COMMON =
  "config model_graph_format model_data_format target_abis target_socs devices_to_run debug_mode address_sanitizer quantize_stat";

/** What each script's --help lists. */
const FLAGS: Readonly<Record<Script, readonly string[]>> = {
  "converter.py convert": words(`${COMMON} enable_micro`),
  "converter.py run": words(`${COMMON}
    mace_lib_type num_threads cpu_affinity_policy gpu_perf_hint gpu_priority_hint device_yml
    disable_tuning round restart_round opencl_cache_reuse_policy cl_binary_to_code
    validate layers caffe_env vlog_level gpu_out_of_range_check
    benchmark report report_dir runtime_failure_ratio fake_warmup
    input_dir output_dir
    accelerator_cache_policy accelerator_binary_file accelerator_storage_file apu_boost_hint apu_preference_hint
    use_system_libhexagon_nn`),
  "convert.py": words("config output enable_micro"),
  "run_model.py":
    words(`config devices_to_run model_name target_abi target_socs device_conf runtime envs validate validate_threshold
    backend tune build_dir build output vlog_level gencode_model gencode_param quantize_stat input_dir output_dir benchmark`),
  "image_to_tensor.py": words("input output_dir image_shape mean"),
  "tensor_to_image.py": words("input output_dir image_shape add_softmax"),
  "quantize_stat.py": words("log_file percentile enhance enhance_ratio"),
};

/** Names of commands, as `converter run`, to them. */
const COMMANDS: ReadonlyMap<string, CommandSpec> = new Map(
  PROGRAMS.flatMap((program) =>
    commandsOf(program).map((command) => [
      "options" in program.commands ? program.name : `${program.name} ${command.name}`,
      command,
    ]),
  ),
);

for (const [script, flags] of Object.entries(FLAGS) as [Script, readonly string[]][]) {
  test(`every flag of ${script} is in the table once, and is an option of ${SCRIPTS[script]}`, () => {
    const known = MACE_FLAGS.filter(({ of }) => of.includes(script));
    assert.deepEqual(known.map(({ name }) => name).sort(), [...flags].sort());
    const options = COMMANDS.get(SCRIPTS[script])?.options ?? [];
    for (const { name, bare = false } of known) {
      const option = options.find((spec) => spec.name === name);
      assert.ok(option, `${SCRIPTS[script]} has no --${name}`);
      assert.equal(option.value === undefined, bare, `--${name} of ${script} is ${bare ? "" : "not "}a switch`);
    }
  });
}

test("what does not work says why, and what is refused says what to do", () => {
  for (const { name, fate, why, remedy } of MACE_FLAGS) {
    assert.equal(why !== undefined, fate !== "works", name);
    assert.equal(remedy !== undefined, fate === "refused", name);
  }
});

test("no command has two options of one name, and every kind of run takes options that exist", () => {
  for (const [command, { options }] of COMMANDS) {
    const names = options.map(({ name }) => name);
    assert.deepEqual([...new Set(names)], names, command);
  }
  const run = COMMANDS.get("converter run")?.options.map(({ name }) => name) ?? [];
  for (const name of Object.values(RUN_KINDS).flat()) assert.ok(run.includes(name), name);
});
