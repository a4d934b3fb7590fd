/** The header of an ELF file: whose processor it is for. Only what is asked of libraries of vendors. */

export interface ElfHeader {
  readonly bits: 32 | 64;
  /** e_machine. */
  readonly machine: number;
  /** e_type; 3 is a shared object. */
  readonly type: number;
  /** e_flags; the version of the instruction set on Hexagon. */
  readonly flags: number;
}

export const SHARED_OBJECT = 3;

/** Reads the header and checks that the program headers and what they load are in the file; a text says what is wrong. */
export function readElf(bytes: Uint8Array): ElfHeader | string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 16 || view.getUint32(0) !== 0x7f454c46) return "it is not an ELF file";
  const [wordSize, order] = [bytes[4], bytes[5]];
  if ((wordSize !== 1 && wordSize !== 2) || order !== 1) return "it is no little-endian ELF file";
  const wide = wordSize === 2;
  if (bytes.length < (wide ? 64 : 52)) return "it is cut short";
  const word = (at: number): number => (wide ? Number(view.getBigUint64(at, true)) : view.getUint32(at, true));
  const programHeaders = word(wide ? 32 : 28);
  const size = view.getUint16(wide ? 54 : 42, true);
  const count = view.getUint16(wide ? 56 : 44, true);
  if (size !== (wide ? 56 : 32) || count === 0 || programHeaders + size * count > bytes.length)
    return "it is cut short";
  for (let i = 0; i < count; i++) {
    const at = programHeaders + i * size;
    const loaded = view.getUint32(at, true) === 1;
    const end = word(at + (wide ? 8 : 4)) + word(at + (wide ? 32 : 16));
    if (loaded && end > bytes.length) return "it is cut short";
  }
  return {
    bits: wide ? 64 : 32,
    type: view.getUint16(16, true),
    machine: view.getUint16(18, true),
    flags: view.getUint32(wide ? 48 : 36, true),
  };
}
