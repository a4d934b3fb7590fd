// A test's runfiles have its packages, its data and the pinned node; its arguments arrive.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import * as protobuf from "protobufjs/minimal";
import { parse } from "yaml";

test("node is the pinned one", () => {
  assert.equal(process.version, "v20.20.2");
});

test("declared packages are found", () => {
  assert.deepEqual(parse("a: [1, 2]"), { a: [1, 2] });
  assert.equal(typeof protobuf.Reader.create, "function");
});

test("packages that are not declared are not found", () => {
  assert.throws(() => require("commander"), /Cannot find module 'commander'/);
});

test("data is readable by its path in the workspace", () => {
  assert.equal(readFileSync("test/rules/nodejs/greeting.txt", "utf8"), "hello\n");
  assert.ok(!existsSync("test/rules/nodejs/BUILD.bazel"));
});

test("arguments arrive unsplit", () => {
  assert.deepEqual(process.argv.slice(2), ["first argument"]);
});
