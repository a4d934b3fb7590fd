/** Writes a graph as a model file pair: <prefix>.pb (MultiNetDef) and <prefix>.data (the constants). */

import { createHash } from "node:crypto";
import {
  type Argument,
  ConstTensor,
  InputOutputInfo,
  MultiNetDef,
  NetDef,
  OperatorDef,
  type QuantizeActivationInfo,
  RangeSource as ProtoSource,
  TensorOrigin as ProtoOrigin,
  TrainedQuantization as ProtoTrained,
} from "../../mace/proto/mace";
import { invariant } from "../diagnostics/diagnostic";
import { type ConstantHolder, describeData, holdsData, partsOf, share } from "../ir/deferred";
import type {
  AttributeValue,
  Graph,
  GraphNode,
  GraphPort,
  RangeSource,
  Tensor,
  TensorOrigin,
  TrainedQuantization,
} from "../ir/graph";
import { type AttributeSpec, OPERATORS } from "../ir/operators";
import { ConstantDigest } from "../ir/print";
import { type FilesToWrite, type Piece, writeFilesTogether } from "../io/files";
import { toCodes } from "../quant/grid";
import {
  APU_VERSION_ARGUMENT,
  BUFFER_PROTOS,
  DATA_ALIGNMENT,
  FORMAT_VERSION,
  MISSED_BUDGET_ARGUMENT,
  OBFUSCATE_ARGUMENT,
  preprocessArguments,
  QUANTIZATION_ARGUMENT,
  SUBGRAPHS_ARGUMENT,
  TYPES,
} from "./model-file";

const SOURCES: Readonly<Record<RangeSource, ProtoSource>> = {
  user: ProtoSource.RANGE_USER,
  trained: ProtoSource.RANGE_TRAINED,
  file: ProtoSource.RANGE_FILE,
  operator: ProtoSource.RANGE_OPERATOR,
  inherited: ProtoSource.RANGE_INHERITED,
  interval: ProtoSource.RANGE_INTERVAL,
};

const FORMATS: Readonly<Record<GraphPort["format"], number>> = { NONE: 0, NHWC: 1, NCHW: 2 };

export interface EncodedModel {
  /** Holds the hash of the data: made after them, it needs no second look at them. */
  readonly pb: Piece<Uint8Array>;
  /** Pieces of the data file in order, padding included; views, not copies, of the constants. Deferred ones are made by functions. */
  readonly data: readonly Piece<Uint8Array>[];
}

/** The data file while it grows. */
export class DataFile {
  private readonly made: (() => Generator<Uint8Array>)[] = [];
  private readonly hash = createHash("sha256");
  /** Pieces that the hash has seen. */
  private hashed = 0;
  /** The hash has seen a part of a piece. */
  private torn = false;
  private length = 0;

  /** The file's pieces in order; the first who makes them in that order computes the hash. */
  get pieces(): readonly Piece<Uint8Array>[] {
    return this.made;
  }

  get size(): number {
    return this.length;
  }

  /** Adds the bytes of a constant, of which there are `size`, aligned for every kernel; returns their offset. */
  append(size: number, make: () => Iterable<Uint8Array>): number {
    const padding = (DATA_ALIGNMENT - (this.length % DATA_ALIGNMENT)) % DATA_ALIGNMENT;
    if (padding > 0) this.add(padding, () => [new Uint8Array(padding)]);
    const offset = this.length;
    this.add(size, make);
    return offset;
  }

  /** Hash of all pieces. */
  digest(): Uint8Array {
    while (this.hashed < this.made.length) {
      const parts = this.made[this.hashed]?.();
      while (parts?.next().done === false);
    }
    return this.hash.copy().digest();
  }

  private add(size: number, make: () => Iterable<Uint8Array>): void {
    const index = this.made.length;
    this.made.push(() => this.make(index, size, make));
    this.length += size;
  }

  private *make(index: number, size: number, make: () => Iterable<Uint8Array>): Generator<Uint8Array> {
    const first = index === this.hashed;
    invariant(!first || !this.torn, "a piece was made in part only, and the hash with it");
    this.torn ||= first;
    let length = 0;
    for (const bytes of make()) {
      if (first) this.hash.update(bytes);
      length += bytes.length;
      yield bytes;
    }
    invariant(length === size, `a piece of ${size} bytes became ${length}`);
    if (!first) return;
    this.hashed++;
    this.torn = false;
  }
}

/**
 * The net of a graph, its constants in `file`. What holds for the whole data file is left to the caller.
 *
 * @param digests gets the `constantDigest` of every constant, by name, once its bytes are made.
 */
export function encodeNet(graph: Graph, file: DataFile, digests?: Map<string, string>): NetDef {
  const tensors: ConstTensor[] = [];
  for (const tensor of graph.tensors.values()) {
    if (!holdsData(tensor)) continue;
    const { length, type } = describeData(tensor);
    const constant = share({}, tensor);
    const { codes } = tensor;
    const offset = file.append(length * TYPES[codes?.type ?? type].bytes, function* () {
      const digest = digests && new ConstantDigest();
      // Codes are made of all values at once: the shape says which scale is whose.
      for (const data of codes ? [constant.data] : partsOf(constant)) {
        digest?.update(data);
        const stored = codes && data instanceof Float32Array ? toCodes(data, tensor.shape, codes) : data;
        yield new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
      }
      if (digest) digests.set(tensor.name, digest.text());
    });
    tensors.push(encodeConstant(tensor, offset));
  }
  return NetDef.fromPartial({
    op: graph.nodes.map((node) => encodeNode(graph, node)),
    arg: [
      ...(graph.nodes.some((n) => n.type === "Quantize") ? [{ name: "quantize_flag", i: 1 }] : []),
      ...preprocessArguments(graph),
    ],
    tensors,
    name: graph.name,
    inputInfo: graph.inputs.map((port) => encodePort(graph, port)),
    outputInfo: graph.outputs.map((port) => encodePort(graph, port)),
    formatVersion: FORMAT_VERSION,
  });
}

/**
 * Encodes a graph; the same graph gives the same bytes on every host.
 *
 * @param graphDigest carried over from the float graph when a quantized model is written; computed otherwise.
 * @param digests as in `encodeNet`.
 */
export function encodeModel(graph: Graph, graphDigest?: Uint8Array, digests?: Map<string, string>): EncodedModel {
  const file = new DataFile();
  const net = encodeNet(graph, file, digests);
  net.dataSize = file.size;
  const pb = (): Uint8Array[] => [
    encodeModelFile(graph, { ...net, arg: [...net.arg], dataSha256: file.digest() }, graphDigest),
  ];
  return { pb, data: file.pieces };
}

function encodeModelFile(graph: Graph, net: NetDef, graphDigest: Uint8Array | undefined): Uint8Array {
  net.graphDigest = graphDigest ?? createHash("sha256").update(NetDef.encode(net).finish()).digest();
  // After the digest: statistics hold whatever is to stay float, and on whatever device.
  const describe = (name: string, text: string | undefined): void => {
    if (text !== undefined) net.arg.push(argument(name, { s: new TextEncoder().encode(text) }));
  };
  describe(QUANTIZATION_ARGUMENT, graph.quantization && JSON.stringify(graph.quantization));
  describe(SUBGRAPHS_ARGUMENT, graph.subgraphs && JSON.stringify(graph.subgraphs));
  describe(MISSED_BUDGET_ARGUMENT, graph.missedBudget);
  if (graph.apuVersion !== undefined) net.arg.push(argument(APU_VERSION_ARGUMENT, { i: graph.apuVersion }));
  if (graph.obfuscate) net.arg.push(argument(OBFUSCATE_ARGUMENT, { i: 1 }));
  return encodeFile(graph, [net]);
}

/** The bytes of a model file whose inputs and outputs are those of `graph`. */
export function encodeFile(graph: Pick<Graph, "name" | "inputs" | "outputs">, nets: readonly NetDef[]): Uint8Array {
  return MultiNetDef.encode(
    MultiNetDef.fromPartial({
      versionCode: 1,
      name: graph.name,
      netDef: [...nets],
      inputTensor: graph.inputs.map((p) => p.tensor),
      outputTensor: graph.outputs.map((p) => p.tensor),
    }),
  ).finish();
}

/** Writes <prefix>.pb and <prefix>.data; on failure neither is left half-written. */
export function writeModel(graph: Graph, prefix: string, graphDigest?: Uint8Array): void {
  writeModelFiles(encodeModel(graph, graphDigest), prefix);
}

export function writeModelFiles({ pb, data }: EncodedModel, prefix: string): void {
  writeFilesTogether(modelFiles({ pb, data }, prefix));
}

/** The files of a model, the data first, for those who write more along with them. */
export const modelFiles = ({ pb, data }: EncodedModel, prefix: string): FilesToWrite => [
  [`${prefix}.data`, data],
  [`${prefix}.pb`, [pb]],
];

function encodeConstant(tensor: Tensor & ConstantHolder, offset: number): ConstTensor {
  const grid = tensor.quant ?? tensor.codes;
  const encoded = ConstTensor.fromPartial({
    dims: [...tensor.shape],
    dataType: TYPES[tensor.codes?.type ?? tensor.dtype].proto,
    name: tensor.name,
    offset,
    dataSize: describeData(tensor).length,
    quantized: grid !== undefined,
    dequantize: tensor.codes ? true : undefined,
    trained: tensor.range ? encodeQuantizeInfo(tensor) : undefined,
    origin: tensor.origin ? encodeOrigin(tensor.origin) : undefined,
  });
  if (grid) {
    encoded.zeroPoint = grid.zeroPoint;
    if (grid.axis === null) {
      encoded.scale = grid.scales[0];
    } else {
      encoded.channelScale = [...grid.scales];
      encoded.channelAxis = grid.axis;
    }
  }
  return encoded;
}

function encodeNode(graph: Graph, node: GraphNode): OperatorDef {
  const spec = OPERATORS[node.type];
  invariant(spec, `node '${node.name}' has the unknown type ${node.type}`);
  const outputs = node.outputs.map((name) => {
    const tensor = graph.tensors.get(name);
    invariant(tensor, `output '${name}' of node '${node.name}' is not in the graph`);
    return tensor;
  });
  const args: Argument[] = [];
  for (const [name, attribute] of Object.entries(spec.attributes)) {
    const value = node.attributes[name];
    if (value !== undefined && !equalsDefault(value, attribute)) args.push(encodeArgument(name, value, attribute));
  }
  const first = outputs[0];
  if (first) args.push(argument("T", { i: TYPES[first.dtype].proto }));
  return OperatorDef.fromPartial({
    input: node.inputs,
    output: node.outputs,
    name: node.name,
    type: node.type,
    arg: args,
    outputShape: outputs.map((tensor) => ({ dims: [...tensor.shape] })),
    outputType: outputs.map((tensor) => TYPES[tensor.dtype].proto),
    quantizeInfo: outputs.some((tensor) => tensor.quant || tensor.range || tensor.origin)
      ? outputs.map(encodeQuantizeInfo)
      : [],
    placementReason: node.why,
    layer: node.layer,
  });
}

function encodeQuantizeInfo(tensor: Tensor): QuantizeActivationInfo {
  return {
    scale: tensor.quant?.scales[0],
    zeroPoint: tensor.quant?.zeroPoint,
    minval: tensor.range?.min,
    maxval: tensor.range?.max,
    source: tensor.range ? SOURCES[tensor.range.source] : undefined,
    reason: tensor.range?.reason,
    trained: tensor.trained ? encodeTrained(tensor.trained) : undefined,
    from: tensor.range?.from,
    origin: tensor.origin && !holdsData(tensor) ? encodeOrigin(tensor.origin) : undefined,
  };
}

function encodeOrigin({ tensor, channels = [], factors = [], shifts = [] }: TensorOrigin): ProtoOrigin {
  return ProtoOrigin.fromPartial({ tensor, channel: [...channels], factor: [...factors], shift: [...shifts] });
}

function encodeTrained({ scales, zeroPoint, axis, type, qmin, qmax, requantize }: TrainedQuantization): ProtoTrained {
  return ProtoTrained.fromPartial({
    scale: [...scales],
    zeroPoint,
    axis: axis ?? -1,
    dataType: TYPES[type].proto,
    qmin,
    qmax,
    fixedPoint: requantize === "fixed_point" ? true : undefined,
  });
}

/** What callers know of an input or output. */
export function encodePort(graph: Graph, port: GraphPort): InputOutputInfo {
  const tensor = graph.tensors.get(port.tensor);
  invariant(tensor, `port '${port.tensor}' is not in the graph`);
  return InputOutputInfo.fromPartial({
    name: port.tensor,
    dims: [...tensor.shape],
    dataType: port.buffer ? BUFFER_PROTOS[port.buffer] : TYPES[tensor.dtype].proto,
    tensorType: port.buffer && TYPES[tensor.dtype].proto,
    dataFormat: FORMATS[port.format],
    alias: port.alias,
    rangeMin: port.declaredRange?.[0],
    rangeMax: port.declaredRange?.[1],
    // A port of the graph's outputs has its range on the node.
    trained: !tensor.quant && tensor.range?.source === "trained" ? encodeQuantizeInfo(tensor) : undefined,
  });
}

function argument(name: string, value: Partial<Argument>): Argument {
  return { name, floats: [], ints: [], ...value };
}

function encodeArgument(name: string, value: AttributeValue, { kind }: AttributeSpec): Argument {
  switch (kind) {
    case "int":
      return argument(name, { i: Number(value) });
    case "float":
      return argument(name, { f: Number(value) });
    case "string":
      return argument(name, { s: new TextEncoder().encode(String(value)) });
    case "ints":
      return argument(name, { ints: [...(value as readonly number[])] });
    case "floats":
      return argument(name, { floats: [...(value as readonly number[])] });
  }
}

function equalsDefault(value: AttributeValue, { default: standard }: AttributeSpec): boolean {
  if (standard === undefined) return false;
  if (typeof value === "object" && typeof standard === "object") {
    return value.length === standard.length && value.every((v, i) => v === standard[i]);
  }
  return value === standard;
}
