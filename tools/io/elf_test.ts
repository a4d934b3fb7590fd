import assert from "node:assert/strict";
import { test } from "node:test";
import { type ElfHeader, readElf } from "./elf";
import { elf } from "./elf-fixture";

const HEADERS: readonly ElfHeader[] = [
  { bits: 64, machine: 183, type: 3, flags: 0 },
  { bits: 32, machine: 40, type: 3, flags: 0x5000400 },
  { bits: 32, machine: 164, type: 3, flags: 0x66 },
];

test("headers of both word sizes", () => {
  for (const header of HEADERS) assert.deepEqual(readElf(elf(header)), header);
});

test("what is no ELF file, or not all of one", () => {
  assert.match(String(readElf(new Uint8Array())), /not an ELF/);
  assert.match(String(readElf(new TextEncoder().encode("#!/bin/sh\nexec true\n"))), /not an ELF/);
  for (const header of HEADERS) {
    const whole = elf(header);
    for (let size = 0; size < whole.length; size++) {
      assert.match(String(readElf(whole.subarray(0, size))), size < 16 ? /not an ELF/ : /cut short/, `${size} bytes`);
    }
    const big = whole.slice();
    big[5] = 2;
    assert.match(String(readElf(big)), /little-endian/);
  }
});
