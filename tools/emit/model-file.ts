/** What writer and reader of model files share: type codes, alignment, names. */

import { DataType as ProtoType } from "../../mace/proto/mace";
import type { BufferType, ConstantData, DataType, Graph } from "../ir/graph";

/** Version of the extensions (field numbers of 1000 and more) that this program writes and understands. */
export const FORMAT_VERSION = 1;

/** Every constant starts at a multiple of this in the data file, so that the runtime can map and load it aligned. */
export const DATA_ALIGNMENT = 64;

/** Name of the net argument that holds the version of the APU that a net is for, or that its configuration names. */
export const APU_VERSION_ARGUMENT = "apu_version";

/** Name of the net argument that holds what the configuration says of quantization, as JSON. */
export const QUANTIZATION_ARGUMENT = "quantization";

/** Name of the net argument that holds the subgraphs of a graph that several networks were joined to, as JSON. */
export const SUBGRAPHS_ARGUMENT = "subgraphs";

/** Name of the net argument that says that names are to be obfuscated on devices; and of the one that says that they are. */
export const OBFUSCATE_ARGUMENT = "obfuscate";
export const OBFUSCATED_ARGUMENT = "obfuscated";

/** Name of the net argument of a quantized model that says which accuracy budget was missed. */
export const MISSED_BUDGET_ARGUMENT = "missed_budget";

/** Name of the net argument that holds the preprocessing of an input, as JSON. */
export const preprocessArgument = (input: string): string => `preprocess:${input}`;

/** The net arguments that say how pixels become the inputs of a graph. */
export const preprocessArguments = ({ inputs }: Graph): readonly { readonly name: string; readonly s: Uint8Array }[] =>
  inputs.flatMap(({ tensor, preprocess }) =>
    preprocess ? [{ name: preprocessArgument(tensor), s: new TextEncoder().encode(JSON.stringify(preprocess)) }] : [],
  );

interface TypeEntry {
  readonly proto: ProtoType;
  readonly bytes: number;
  view(buffer: ArrayBuffer, offset: number, length: number): ConstantData;
}

export const TYPES: Readonly<Record<DataType, TypeEntry>> = {
  float32: { proto: ProtoType.DT_FLOAT, bytes: 4, view: (b, o, n) => new Float32Array(b, o, n) },
  int32: { proto: ProtoType.DT_INT32, bytes: 4, view: (b, o, n) => new Int32Array(b, o, n) },
  uint8: { proto: ProtoType.DT_UINT8, bytes: 1, view: (b, o, n) => new Uint8Array(b, o, n) },
  int8: { proto: ProtoType.DT_INT8, bytes: 1, view: (b, o, n) => new Int8Array(b, o, n) },
  bool: { proto: ProtoType.DT_BOOL, bytes: 1, view: (b, o, n) => new Uint8Array(b, o, n) },
};

/** Types of callers' buffers that are not the tensor's. */
export const BUFFER_PROTOS: Readonly<Record<BufferType, ProtoType>> = {
  int32: ProtoType.DT_INT32,
  float16: ProtoType.DT_FLOAT16,
  int16: ProtoType.DT_INT16,
  uint8: ProtoType.DT_UINT8,
};

export function typeFromProto(proto: ProtoType | undefined): DataType | undefined {
  return (Object.keys(TYPES) as DataType[]).find((type) => TYPES[type].proto === proto);
}
