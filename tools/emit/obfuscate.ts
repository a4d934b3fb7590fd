/**
 * Takes the names out of a model file: those of constants, of tensors between operators, and of operators become digits of a hash of the name, as
 * in MACE; inputs and outputs of the model keep theirs. What else tells of them (reasons, origins, settings) is left out. The data file holds no
 * names and stays as it is.
 */

import { createHash } from "node:crypto";
import { type Argument, MultiNetDef, type NetDef, type QuantizeActivationInfo } from "../../mace/proto/mace";
import {
  MISSED_BUDGET_ARGUMENT,
  OBFUSCATE_ARGUMENT,
  OBFUSCATED_ARGUMENT,
  QUANTIZATION_ARGUMENT,
  SUBGRAPHS_ARGUMENT,
} from "./model-file";

/** What a name is of, as the hash and the table of names call it: MACE's words. */
type NameKind = "tensor" | "out" | "op";

export interface HiddenName {
  readonly hidden: string;
  readonly kind: NameKind;
  readonly name: string;
}

export interface Obfuscated {
  readonly pb: Uint8Array;
  /** In the order of the file. */
  readonly names: readonly HiddenName[];
}

/** Digits of the usual name; where two names share them, the later one has all. */
const DIGITS = 8;

/** Net arguments for people and tools, which hold names. */
const TELLING: ReadonlySet<string> = new Set([
  QUANTIZATION_ARGUMENT,
  SUBGRAPHS_ARGUMENT,
  MISSED_BUDGET_ARGUMENT,
  OBFUSCATE_ARGUMENT,
]);

/** The same file gives the same names on every host. */
export function obfuscateModel(pb: Uint8Array): Obfuscated {
  const model = MultiNetDef.decode(pb);
  const hider = new Hider(publicNames(model));
  // Constants first, as MACE does, and then what operators compute: a tensor that passes between nets has one name in both.
  for (const net of model.netDef) for (const constant of net.tensors) hider.add("tensor", constant.name);
  for (const net of model.netDef) {
    for (const op of net.op) {
      for (const name of [...op.input, ...op.output]) hider.add("out", name);
      hider.add("op", op.name);
    }
    for (const port of [...net.inputInfo, ...net.outputInfo]) hider.add("out", port.name);
  }
  const nets = model.netDef.map((net, i) => hideNet(net, hider, i, model));
  return { pb: MultiNetDef.encode({ ...model, netDef: nets }).finish(), names: hider.names };
}

/** Tensors that callers name. */
function publicNames({ inputTensor, outputTensor, netDef }: MultiNetDef): readonly string[] {
  const [only, ...others] = netDef;
  const ports = only && others.length === 0 ? [...only.inputInfo, ...only.outputInfo] : [];
  return [...inputTensor, ...outputTensor, ...ports.map((port) => port.name ?? "")];
}

class Hider {
  readonly names: HiddenName[] = [];
  private readonly taken: Set<string>;
  private readonly tensors: Map<string, string>;
  private readonly nodes = new Map<string, string>();

  constructor(kept: readonly string[]) {
    this.taken = new Set(kept);
    // An absent optional input has the empty name.
    this.tensors = new Map([["", ""], ...kept.map((name) => [name, name] as const)]);
  }

  add(kind: NameKind, name = ""): void {
    const known = kind === "op" ? this.nodes : this.tensors;
    if (known.has(name)) return;
    const digest = createHash("md5").update(kind).update(name).digest("hex");
    let hidden = digest.slice(0, DIGITS);
    for (let i = 1; this.taken.has(hidden); i++) hidden = i === 1 ? digest : `${digest}_${i}`;
    this.taken.add(hidden);
    known.set(name, hidden);
    this.names.push({ hidden, kind, name });
  }

  readonly tensor = (name = ""): string => this.tensors.get(name) ?? name;
  readonly node = (name = ""): string => this.nodes.get(name) ?? name;
}

function hideNet(net: NetDef, hider: Hider, index: number, { name = "", netDef }: MultiNetDef): NetDef {
  const mark: Argument = { name: OBFUSCATED_ARGUMENT, i: 1, floats: [], ints: [] };
  const port = <T extends { name?: string; trained?: QuantizeActivationInfo }>(info: T): T => ({
    ...info,
    name: hider.tensor(info.name),
    trained: info.trained && mute(info.trained),
  });
  return {
    ...net,
    // Names of graphs hold those of subgraphs.
    name: netDef.length > 1 ? `${name}/${index}` : name || net.name,
    arg: [...net.arg.filter((argument) => !TELLING.has(argument.name ?? "")), mark],
    tensors: net.tensors.map((constant) => ({ ...port(constant), origin: undefined })),
    op: net.op.map((op) => ({
      ...op,
      name: hider.node(op.name),
      input: op.input.map(hider.tensor),
      output: op.output.map(hider.tensor),
      quantizeInfo: op.quantizeInfo.map(mute),
      placementReason: undefined,
      layer: undefined,
    })),
    inputInfo: net.inputInfo.map(port),
    outputInfo: net.outputInfo.map(port),
  };
}

/** Numbers without the story of where they are from. */
const mute = (info: QuantizeActivationInfo): QuantizeActivationInfo => ({
  ...info,
  source: undefined,
  reason: undefined,
  from: undefined,
  origin: undefined,
});

const HEADER = "# name in the model\tkind\tname in the network\n";
const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };

/** The table of names, a line each, fields between tabs. */
export const formatNames = (names: readonly HiddenName[]): string =>
  HEADER +
  names
    .map(({ hidden, kind, name }) => `${hidden}\t${kind}\t${name.replace(/[\\\t\n\r]/g, (c) => ESCAPES[c] ?? c)}\n`)
    .join("");

/** Name in the model to name in the network. Lines that are none of a table are left out. */
export function parseNames(text: string): Map<string, string> {
  const originals = new Map(Object.entries(ESCAPES).map(([character, written]) => [written, character]));
  const lines = text.split("\n").filter((line) => !line.startsWith("#"));
  return new Map(
    lines.flatMap((line): [string, string][] => {
      const [hidden = "", , name] = line.split("\t");
      return name === undefined ? [] : [[hidden, name.replace(/\\./g, (written) => originals.get(written) ?? written)]];
    }),
  );
}

/** A text, such as a profile of a device, with the names of the network. */
export const restoreNames = (text: string, names: ReadonlyMap<string, string>): string =>
  text.replace(/\b[0-9a-f]{8}(?:[0-9a-f]{24}(?:_\d+)?)?\b/g, (word) => names.get(word) ?? word);
