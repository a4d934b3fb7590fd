import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as path from "node:path";
import { test } from "node:test";
import { LIMITS } from "../../tools/ir/limits";
import { OPERATORS } from "../../tools/ir/operators";

/** What a listing of the runtime says, a JSON object a line. */
function listed<Row>(flag: string): Row[] {
  const result = spawnSync(path.resolve("mace/bin/mace_run"), [flag], { encoding: "utf8" });
  assert.equal(result.status, 0, result.stderr);
  return result.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);
}

interface Row {
  readonly type: string;
  readonly float32: boolean;
  readonly uint8: boolean;
  readonly int8: boolean;
}

test("the runtime has exactly the kernels that the operator table promises", () => {
  const rows = listed<Row>("--list_kernels");
  const runtime = new Map(rows.map(({ type, float32, uint8, int8 }) => [type, { float32, uint8, int8 }]));
  const table = new Map(Object.entries(OPERATORS).map(([type, spec]) => [type, { ...spec.kernels }]));
  assert.deepEqual(new Map([...runtime].sort()), new Map([...table].sort()));
});

test("the runtime has exactly the limits that conversion checks", () => {
  const rows = listed<{ readonly name: string; readonly value: number }>("--list_limits");
  assert.deepEqual(Object.fromEntries(rows.map(({ name, value }) => [name, value])), { ...LIMITS });
});
