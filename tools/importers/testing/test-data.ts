/** Third-party models and results for tests, where the machine has them. See bazel/private/test_data.bzl. */

import * as fs from "node:fs";
import * as path from "node:path";

/** The path of a file or folder of the test data, or undefined when it is not there: the test then says what it skips. */
export function testData(name: string): string | undefined {
  const runfiles = process.env.TEST_SRCDIR ?? process.env.RUNFILES_DIR;
  const roots = [
    runfiles && path.join(runfiles, "test_data"),
    path.resolve("../test_data"),
    process.env.MACE_TEST_DATA,
  ];
  for (const root of roots) {
    if (root && fs.existsSync(path.join(root, name))) return path.join(root, name);
  }
  return undefined;
}

/** Bytes of a file as a plain array: a Buffer behaves differently when sliced. */
export function readBytes(file: string): Uint8Array {
  return new Uint8Array(fs.readFileSync(file));
}

/** An array of a .npy file: little-endian binary32 or bytes, in C order. */
export function readNpy(file: string): { readonly shape: number[]; readonly data: Float32Array | Uint8Array } {
  const bytes = readBytes(file);
  const length = new DataView(bytes.buffer).getUint16(8, true);
  const header = new TextDecoder("latin1").decode(bytes.subarray(10, 10 + length));
  const list = /'shape': \(([^)]*)\)/.exec(header)?.[1] ?? "";
  const shape = list.split(",").flatMap((size) => (size.trim() === "" ? [] : [Number(size)]));
  const data = bytes.slice(10 + length);
  return { shape, data: header.includes("<f4") ? new Float32Array(data.buffer) : data };
}
