/** ELF files for tests. */

import type { ElfHeader } from "./elf";

/** A shared object with one loaded segment, all of it in the file. */
export function elf({ bits, machine, type, flags }: ElfHeader): Uint8Array {
  const wide = bits === 64;
  const [header, segment] = wide ? [64, 56] : [52, 32];
  const bytes = new Uint8Array(header + segment + 16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x7f454c46);
  bytes.set([wide ? 2 : 1, 1, 1], 4);
  view.setUint16(16, type, true);
  view.setUint16(18, machine, true);
  const word = (at: number, value: number): void =>
    wide ? view.setBigUint64(at, BigInt(value), true) : view.setUint32(at, value, true);
  word(wide ? 32 : 28, header);
  view.setUint32(wide ? 48 : 36, flags, true);
  view.setUint16(wide ? 54 : 42, segment, true);
  view.setUint16(wide ? 56 : 44, 1, true);
  view.setUint32(header, 1, true);
  word(header + (wide ? 32 : 16), bytes.length);
  return bytes;
}
