/** Reads a model file pair back into a graph. Files may be hostile: everything is checked before it is used. */

import { createHash } from "node:crypto";
import {
  type Argument,
  type ConstTensor,
  type InputOutputInfo,
  MultiNetDef,
  type NetDef,
  type OperatorDef,
  type QuantizeActivationInfo,
  RangeSource as ProtoSource,
  type TensorOrigin as ProtoOrigin,
} from "../../mace/proto/mace";
import { malformedModel, obfuscatedModel } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import {
  APU_VERSIONS,
  type ApuVersion,
  type AttributeValue,
  BUFFER_TYPES,
  type BufferFormat,
  type DataType,
  type Graph,
  type GraphNode,
  type GraphPort,
  type Preprocess,
  type QuantizationOverrides,
  FITS,
  MAX_SIDE,
  overridesOf,
  RESIZES,
  type RangeSource,
  type Subgraph,
  type Tensor,
  type TensorOrigin,
  type TensorRange,
  type TrainedQuantization,
} from "../ir/graph";
import { type AttributeSpec, OPERATORS } from "../ir/operators";
import { subgraphFault } from "../ir/subgraphs";
import { readFile } from "../io/files";
import { fromCodes } from "../quant/grid";
import {
  APU_VERSION_ARGUMENT,
  BUFFER_PROTOS,
  FORMAT_VERSION,
  MISSED_BUDGET_ARGUMENT,
  OBFUSCATE_ARGUMENT,
  OBFUSCATED_ARGUMENT,
  preprocessArgument,
  QUANTIZATION_ARGUMENT,
  SUBGRAPHS_ARGUMENT,
  TYPES,
  typeFromProto,
} from "./model-file";

export interface StoredModel {
  readonly graph: Graph;
  /** Identifies the canonical float graph (NetDef.graph_digest). */
  readonly digest: Uint8Array;
  readonly quantized: boolean;
}

const SOURCES: Readonly<Record<number, RangeSource>> = {
  [ProtoSource.RANGE_USER]: "user",
  [ProtoSource.RANGE_TRAINED]: "trained",
  [ProtoSource.RANGE_FILE]: "file",
  [ProtoSource.RANGE_OPERATOR]: "operator",
  [ProtoSource.RANGE_INHERITED]: "inherited",
  [ProtoSource.RANGE_INTERVAL]: "interval",
};

const FORMATS: readonly BufferFormat[] = ["NONE", "NHWC", "NCHW"];

/**
 * Reads and checks <pbFile> and <dataFile>.
 *
 * @param names `any` where it does not matter that names may be obfuscated; otherwise such a file is an error.
 */
export function readModel(pbFile: string, dataFile: string, names: "real" | "any" = "real"): StoredModel {
  const pb = readFile(pbFile, "model file");
  const data = readFile(dataFile, "model data file");
  const bad = (cause: string): never => {
    throw new UserError(malformedModel({ file: pbFile }, cause));
  };
  let net: NetDef | undefined;
  try {
    net = MultiNetDef.decode(pb).netDef[0];
  } catch (error) {
    return bad(`not a model of this project: ${(error as Error).message}`);
  }
  if (!net) return bad("it holds no net");
  if ((net.formatVersion ?? 0) > FORMAT_VERSION) {
    return bad(`its format version ${net.formatVersion} is newer than this program's ${FORMAT_VERSION}`);
  }
  const says = (argument: string): boolean => net?.arg.some(({ name, i }) => name === argument && i === 1) ?? false;
  if (names === "real" && says(OBFUSCATED_ARGUMENT)) throw new UserError(obfuscatedModel(pbFile));
  const expected = net.dataSha256 ?? new Uint8Array();
  const actual = createHash("sha256").update(data).digest();
  if (expected.length > 0 && !actual.equals(expected)) return bad(`it does not belong to the data file ${dataFile}`);

  const tensors = new Map<string, Tensor>();
  const add = (tensor: Tensor): void => {
    if (tensors.has(tensor.name)) bad(`the tensor '${tensor.name}' is defined twice`);
    tensors.set(tensor.name, tensor);
  };
  for (const port of net.inputInfo) {
    add({
      name: port.name ?? "",
      shape: checkShape(port.dims, bad),
      dtype: checkType(port.tensorType || port.dataType, bad),
      ...decodeRange(port.trained, bad),
    });
  }
  for (const constant of net.tensors) add(decodeConstant(constant, data, bad));
  const nodes = net.op.map((op) => decodeNode(op, add, bad));
  for (const node of nodes) {
    const missing = node.inputs.find((input) => input !== "" && !tensors.has(input));
    if (missing !== undefined) bad(`node '${node.name}' reads the tensor '${missing}', which nothing defines`);
  }
  const graph: Graph = {
    name: net.name ?? "",
    inputs: net.inputInfo.map((port) => decodePort(port, net, bad)),
    outputs: net.outputInfo.map((port) => decodePort(port, net, bad)),
    tensors,
    nodes,
    ...decodeQuantization(readJson(net, QUANTIZATION_ARGUMENT, "quantization", bad), bad),
    ...decodeSubgraphs(readJson(net, SUBGRAPHS_ARGUMENT, "subgraphs", bad), bad),
    ...decodeMissedBudget(net),
    ...decodeApuVersion(net, bad),
    ...(says(OBFUSCATE_ARGUMENT) && { obfuscate: true }),
  };
  for (const port of graph.outputs) {
    if (!tensors.has(port.tensor)) bad(`the output '${port.tensor}' is defined by no node`);
  }
  const fault = subgraphFault(graph);
  if (fault !== undefined) bad(fault);
  return { graph, digest: net.graphDigest ?? new Uint8Array(), quantized: nodes.some((n) => n.type === "Quantize") };
}

type Fail = (cause: string) => never;

/** More than any configuration has; each is looked for in the whole graph. */
const MAX_SUBGRAPHS = 256;

function decodeMissedBudget({ arg }: NetDef): Pick<Graph, "missedBudget"> {
  const bytes = arg.find(({ name }) => name === MISSED_BUDGET_ARGUMENT)?.s;
  return bytes ? { missedBudget: new TextDecoder().decode(bytes) } : {};
}

function decodeApuVersion({ arg }: NetDef, bad: Fail): Pick<Graph, "apuVersion"> {
  const version = arg.find(({ name }) => name === APU_VERSION_ARGUMENT)?.i;
  if (version === undefined) return {};
  return isApuVersion(version) ? { apuVersion: version } : bad(`it is for version ${version} of the APU`);
}

const isApuVersion = (value: unknown): value is ApuVersion => APU_VERSIONS.includes(value as ApuVersion);

/** The value of a net argument that is JSON; undefined when it is absent. */
function readJson({ arg }: NetDef, name: string, what: string, bad: Fail): unknown {
  const bytes = arg.find((a) => a.name === name)?.s;
  if (!bytes) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return bad(`what it says of ${what} is not JSON`);
  }
}

const strings = (list: unknown): list is string[] => Array.isArray(list) && list.every((v) => typeof v === "string");

function decodeSubgraphs(list: unknown, bad: Fail): Pick<Graph, "subgraphs"> {
  if (list === undefined) return {};
  const known = (value: unknown): Subgraph => {
    const { name, inputs, outputs, runtime, quantization } = (value ?? {}) as Partial<Record<keyof Subgraph, unknown>>;
    const textOrNone = runtime === undefined || typeof runtime === "string";
    if (typeof name !== "string" || !strings(inputs) || !strings(outputs) || !textOrNone) {
      return bad("what it says of subgraphs is incomplete");
    }
    const overrides = decodeQuantization(quantization, bad);
    return { name, inputs, outputs, ...overrides, ...(runtime !== undefined && { runtime }) };
  };
  if (!Array.isArray(list) || list.length > MAX_SUBGRAPHS) return bad("what it says of subgraphs is incomplete");
  return { subgraphs: list.map(known) };
}

function decodeQuantization(given: unknown, bad: Fail): Pick<Graph, "quantization"> {
  if (given === undefined) return {};
  const value = given as Partial<Record<keyof QuantizationOverrides, unknown>> | null;
  const { scheme, runtime, apuVersion, keepFloat, ranges } = value ?? {};
  const { weights = [], biasCorrection, shareConcat = false, float = false } = value ?? {};
  const textOrNone = (v: unknown): v is string | undefined => v === undefined || typeof v === "string";
  const lists = strings(keepFloat) && strings(ranges) && strings(weights);
  const words = textOrNone(scheme) && textOrNone(runtime) && textOrNone(biasCorrection);
  const version = apuVersion === undefined || isApuVersion(apuVersion);
  if (!lists || !words || !version || typeof shareConcat !== "boolean" || typeof float !== "boolean") {
    return bad("what it says of quantization is incomplete");
  }
  const overrides = { scheme, runtime, apuVersion, keepFloat, ranges, weights };
  return { quantization: overridesOf({ ...overrides, biasCorrection, shareConcat, float }) };
}

function checkShape(dims: readonly number[], bad: Fail): number[] {
  if (dims.length > 6 || dims.some((d) => !Number.isInteger(d) || d < 1))
    bad(`a tensor has the shape [${dims.join(", ")}]`);
  return [...dims];
}

function checkType(proto: number | undefined, bad: Fail): DataType {
  return typeFromProto(proto) ?? bad(`a tensor has the data type ${proto}, which is not supported`);
}

function decodeConstant(constant: ConstTensor, data: Uint8Array, bad: Fail): Tensor {
  const name = constant.name ?? "";
  const dtype = checkType(constant.dataType, bad);
  const shape = checkShape(constant.dims, bad);
  const length = shape.reduce((product, d) => product * d, 1);
  const offset = constant.offset ?? 0;
  const { bytes, view } = TYPES[dtype];
  if (length !== constant.dataSize || offset < 0 || offset % bytes !== 0 || offset + length * bytes > data.length) {
    bad(`the constant '${name}' lies outside the data file`);
  }
  const stored = view(data.buffer as ArrayBuffer, data.byteOffset + offset, length);
  const tensor: Tensor = {
    name,
    dtype,
    shape,
    data: stored,
    ...decodeRange(constant.trained, bad),
    ...decodeOrigin(constant.origin, shape, bad),
  };
  if (!constant.quantized && !constant.dequantize) return tensor;
  const perChannel = constant.channelScale.length > 0;
  const grid = {
    scales: perChannel ? constant.channelScale : [constant.scale ?? 0],
    zeroPoint: constant.zeroPoint ?? 0,
    axis: perChannel ? (constant.channelAxis ?? 0) : null,
  };
  if (!constant.dequantize) return { ...tensor, quant: grid };
  if (dtype !== "uint8" && dtype !== "int8")
    return bad(`the constant '${name}' is to be dequantized and holds ${dtype}`);
  const fits = grid.axis === null || shape[grid.axis] === grid.scales.length;
  if (!fits || !grid.scales.every((s) => s > 0 && Number.isFinite(s))) {
    return bad(`the grid of the constant '${name}' does not fit it`);
  }
  const codes = { type: dtype, ...grid };
  return { ...tensor, dtype: "float32", data: fromCodes(stored as Uint8Array | Int8Array, shape, codes), codes };
}

function decodeNode(op: OperatorDef, add: (tensor: Tensor) => void, bad: Fail): GraphNode {
  const name = op.name ?? "";
  const type = op.type ?? "";
  const spec = OPERATORS[type];
  if (!spec) return bad(`node '${name}' has the unknown type '${type}'`);
  op.output.forEach((output, i) => {
    const info = op.quantizeInfo[i];
    const tensor: Tensor = {
      name: output,
      shape: checkShape(op.outputShape[i]?.dims ?? [], bad),
      dtype: checkType(op.outputType[i], bad),
    };
    if (info?.scale) tensor.quant = { scales: [info.scale], zeroPoint: info.zeroPoint ?? 0, axis: null };
    add({ ...tensor, ...decodeRange(info, bad), ...decodeOrigin(info?.origin, tensor.shape, bad) });
  });
  const attributes: Record<string, AttributeValue> = {};
  for (const [attribute, attributeSpec] of Object.entries(spec.attributes)) {
    const found = op.arg.find((a) => a.name === attribute);
    const value = found ? decodeArgument(found, attributeSpec) : attributeSpec.default;
    if (value === undefined) return bad(`node '${name}' (${type}) lacks the attribute '${attribute}'`);
    attributes[attribute] = value;
  }
  const why = op.placementReason ? { why: op.placementReason } : {};
  const layer = op.layer ? { layer: op.layer } : {};
  return { name, type, inputs: [...op.input], outputs: [...op.output], attributes, ...why, ...layer };
}

function decodeOrigin(
  origin: ProtoOrigin | undefined,
  shape: readonly number[],
  bad: Fail,
): { readonly origin?: TensorOrigin } {
  if (!origin) return {};
  const { tensor = "", channel: channels, factor: factors, shift: shifts } = origin;
  // One entry for each channel, of a constant for what its first axis writes; or none.
  const fits = (list: readonly number[]): boolean => list.length === 0 || shape.includes(list.length);
  const positive = factors.every((f) => f > 0 && Number.isFinite(f));
  if (![channels, factors, shifts].every(fits) || !positive || !shifts.every(Number.isFinite)) {
    return bad(`what it says of the origin of '${tensor}' does not fit the tensor`);
  }
  return {
    origin: {
      tensor,
      ...(channels.length > 0 && { channels }),
      ...(factors.length > 0 && { factors }),
      ...(shifts.length > 0 && { shifts }),
    },
  };
}

function decodeRange(info: QuantizeActivationInfo | undefined, bad: Fail): Pick<Tensor, "range" | "trained"> {
  const source = SOURCES[info?.source ?? 0];
  if (!info || !source) return {};
  const range: TensorRange = {
    min: info.minval ?? 0,
    max: info.maxval ?? 0,
    source,
    reason: info.reason ?? "",
    ...(info.from && { from: info.from }),
  };
  if (!info.trained) return { range };
  const { scale, zeroPoint, axis, dataType, qmin, qmax, fixedPoint } = info.trained;
  const type = typeFromProto(dataType);
  if (type !== "uint8" && type !== "int8") return bad(`trained codes have the data type ${dataType}`);
  const trained: TrainedQuantization = {
    type,
    scales: scale,
    zeroPoint: zeroPoint ?? 0,
    axis: axis === undefined || axis < 0 ? null : axis,
    qmin: qmin ?? 0,
    qmax: qmax ?? 0,
    ...(fixedPoint && { requantize: "fixed_point" }),
  };
  const [least, greatest] = type === "uint8" ? [0, 255] : [-128, 127];
  const inside = (code: number): boolean => Number.isInteger(code) && code >= least && code <= greatest;
  if (!scale.every((s) => s > 0 && Number.isFinite(s)) || scale.length === 0)
    return bad("a trained scale is not positive");
  if (![trained.zeroPoint, trained.qmin, trained.qmax].every(inside)) return bad(`a trained code lies outside ${type}`);
  return { range, trained };
}

function decodeArgument(argument: Argument, { kind }: AttributeSpec): AttributeValue {
  switch (kind) {
    case "int":
      return argument.i ?? 0;
    case "float":
      return argument.f ?? 0;
    case "string":
      return new TextDecoder().decode(argument.s ?? new Uint8Array());
    case "ints":
      return argument.ints;
    case "floats":
      return argument.floats;
  }
}

function decodeBuffer(tensor: string, type: number | undefined, bad: Fail): Pick<GraphPort, "buffer"> {
  const buffer = BUFFER_TYPES.find((name) => BUFFER_PROTOS[name] === type);
  return { buffer: buffer ?? bad(`the buffer of '${tensor}' has the data type ${type}`) };
}

function decodePort(info: InputOutputInfo, net: NetDef, bad: Fail): GraphPort {
  const tensor = info.name ?? "";
  const preprocess = net.arg.find((a) => a.name === preprocessArgument(tensor))?.s;
  const [min, max] = [info.rangeMin ?? 0, info.rangeMax ?? 0];
  return {
    tensor,
    format: FORMATS[info.dataFormat ?? 1] ?? bad(`the port '${tensor}' has the data format ${info.dataFormat}`),
    ...(info.tensorType ? decodeBuffer(tensor, info.dataType, bad) : {}),
    ...(info.alias ? { alias: info.alias } : {}),
    ...(min < max ? { declaredRange: [min, max] as const } : {}),
    ...(preprocess ? { preprocess: decodePreprocess(preprocess, bad) } : {}),
  };
}

function decodePreprocess(json: Uint8Array, bad: Fail): Preprocess {
  let value: Partial<Preprocess>;
  try {
    value = JSON.parse(new TextDecoder().decode(json)) as Partial<Preprocess>;
  } catch {
    return bad("its preprocessing is not JSON");
  }
  const { color, mean, scale } = value ?? {};
  const resize = RESIZES.find((name) => name === value?.resize);
  const numbers = (list: unknown): list is number[] => Array.isArray(list) && list.every((v) => typeof v === "number");
  if ((color !== "RGB" && color !== "BGR" && color !== "GRAY") || !numbers(mean) || !numbers(scale) || !resize) {
    return bad("its preprocessing is incomplete");
  }
  const { fit, shortSide, pad } = value;
  const fits = fit === undefined || FITS.includes(fit);
  const whole = shortSide === undefined || (Number.isInteger(shortSide) && shortSide > 0 && shortSide <= MAX_SIDE);
  if (!fits || !whole || (pad !== undefined && !(pad >= 0 && pad <= 255)))
    return bad("its preprocessing does not fit images");
  return {
    color,
    mean,
    scale,
    resize,
    ...(fit !== undefined && { fit }),
    ...(shortSide !== undefined && { shortSide }),
    ...(pad !== undefined && { pad }),
  };
}
