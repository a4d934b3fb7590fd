/** `mace check-library`: a vendor's library is one for the processor, or the message says whose it is. */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { PROCESSORS } from "../../tools/cli/commands/check-library";
import { main } from "../../tools/cli/main";
import type { ElfHeader } from "../../tools/io/elf";
import { elf } from "../../tools/io/elf-fixture";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-vendor-"));
after(() => fs.rmSync(folder, { recursive: true }));

const library = path.join(folder, "lib.so");
const copy = path.join(folder, "copy.so");

interface Result {
  readonly code: number;
  readonly text: string;
}

async function check(bytes: Uint8Array, processor: string): Promise<Result> {
  fs.writeFileSync(library, bytes);
  fs.rmSync(copy, { force: true });
  let text = "";
  const write = process.stderr.write.bind(process.stderr);
  process.stderr.write = (chunk: string | Uint8Array): boolean => {
    text += chunk.toString();
    return true;
  };
  try {
    const code = await main(["check-library", "--library", library, "--processor", processor, "--output", copy]);
    return { code, text };
  } finally {
    process.stderr.write = write;
  }
}

const headerFor = (processor: string): ElfHeader => {
  const { bits = 64, machine = 0, version = 0 } = PROCESSORS[processor] ?? {};
  return { bits, machine, type: 3, flags: version };
};

test("a library of the processor is copied", async () => {
  for (const processor of Object.keys(PROCESSORS)) {
    const bytes = elf(headerFor(processor));
    assert.equal((await check(bytes, processor)).code, 0, processor);
    assert.deepEqual(new Uint8Array(fs.readFileSync(copy)), bytes);
  }
});

const FAULTS: readonly (readonly [string, string, Uint8Array, RegExp])[] = [
  [
    "a library of another ABI",
    "arm64-v8a",
    elf(headerFor("armeabi-v7a")),
    /not one for 64-bit ARM: it is for 32-bit ARM/,
  ],
  ["a library of the host", "armeabi-v7a", elf(headerFor("host")), /it is for x86-64/],
  ["a library of the DSP for the CPU", "arm64-v8a", elf(headerFor("v66")), /it is for Hexagon/],
  [
    "a library of the CPU for the DSP",
    "v66",
    elf(headerFor("arm64-v8a")),
    /not one for Hexagon v66: it is for 64-bit ARM/,
  ],
  ["another version of the DSP", "v60", elf(headerFor("v66")), /not one for Hexagon v60: it is for Hexagon v66/],
  ["an unknown processor", "v60", elf({ bits: 64, machine: 243, type: 3, flags: 0 }), /machine number 243/],
  ["an executable", "arm64-v8a", elf({ ...headerFor("arm64-v8a"), type: 2 }), /no shared object/],
  ["a text", "arm64-v8a", new TextEncoder().encode("INPUT(libc.so)"), /not an ELF file/],
  ["a library that is cut short", "arm64-v8a", elf(headerFor("arm64-v8a")).subarray(0, 100), /cut short/],
];

for (const [name, processor, bytes, message] of FAULTS) {
  test(name, async () => {
    const { code, text } = await check(bytes, processor);
    assert.equal(code, 1);
    assert.match(text, /MQ664/);
    assert.match(text, message);
    assert.ok(!fs.existsSync(copy), "nothing is written");
  });
}
