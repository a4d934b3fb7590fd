import { wrongLibrary } from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import { type ElfHeader, readElf, SHARED_OBJECT } from "../../io/elf";
import { readFile, writeFileAtomically } from "../../io/files";
import type { Options } from "../context";

interface Processor {
  readonly title: string;
  readonly bits: 32 | 64;
  readonly machine: number;
  /** Of e_flags, where they tell versions apart. */
  readonly version?: number;
}

const AARCH64: Processor = { title: "64-bit ARM", bits: 64, machine: 183 };
const ARM: Processor = { title: "32-bit ARM", bits: 32, machine: 40 };
const HEXAGON = (version: number): Processor => ({
  title: `Hexagon v${version.toString(16)}`,
  bits: 32,
  machine: 164,
  version,
});
/** The instruction set's version in e_flags of Hexagon. */
const VERSION_BITS = 0x3ff;

/** Processors by the names that the rules have for them: ABIs and versions of the DSP. */
export const PROCESSORS: Readonly<Record<string, Processor>> = {
  "arm64-v8a": AARCH64,
  arm64: AARCH64,
  "armeabi-v7a": ARM,
  armhf: ARM,
  host: { title: "x86-64", bits: 64, machine: 62 },
  v60: HEXAGON(0x60),
  v62: HEXAGON(0x62),
  v65: HEXAGON(0x65),
  v66: HEXAGON(0x66),
  v68: HEXAGON(0x68),
};

/** Checks that a vendor's library is one for the processor, and copies it. */
export function checkLibrary(options: Options): void {
  const file = options.givenPath("library");
  const processor = PROCESSORS[options.choice("processor", "processor", Object.keys(PROCESSORS))] as Processor;
  const bytes = readFile(file, "library");
  const header = readElf(bytes);
  const fault = typeof header === "string" ? header : faultOf(header, processor);
  if (fault !== undefined) throw new UserError(wrongLibrary(file, processor.title, fault));
  const output = options.path("output");
  if (output !== undefined) writeFileAtomically(output, [bytes]);
}

function faultOf({ bits, machine, type, flags }: ElfHeader, wanted: Processor): string | undefined {
  if (type !== SHARED_OBJECT) return "it is no shared object";
  if (machine !== wanted.machine || bits !== wanted.bits) {
    const known = Object.values(PROCESSORS).find((p) => p.machine === machine && p.bits === bits);
    const title = machine === HEXAGON(0).machine ? "Hexagon" : known?.title;
    return `it is for ${title ?? `${bits}-bit processors of ELF machine number ${machine}`}`;
  }
  const version = flags & VERSION_BITS;
  if (wanted.version !== undefined && version !== wanted.version) return `it is for Hexagon v${version.toString(16)}`;
  return undefined;
}
