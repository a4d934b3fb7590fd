/** From a quantized graph to the model file of a program: lowered nets and nets of the CPU, in the order they run. */

import { type Argument, ConstTensor, type InputOutputInfo, NetDef } from "../../mace/proto/mace";
import { type Diagnostic, UserError } from "../diagnostics/diagnostic";
import { FORMAT_VERSION, preprocessArguments } from "../emit/model-file";
import { DataFile, type EncodedModel, encodeFile, encodeNet, encodePort } from "../emit/model-writer";
import type { Graph } from "../ir/graph";
import { extractSubgraph } from "../ir/subgraphs";
import { type BackEnd, type LoweredNet, type NetConstant, RUNTIME_TYPES, type Runtime } from "./net";
import { type Part, partition } from "./partition";

export interface Program extends EncodedModel {
  /** Device of each net, and how many nodes of the quantized graph it runs, in their order. */
  readonly nets: readonly { readonly runtime: Runtime; readonly nodes: number }[];
  /** Why nodes run on the CPU. */
  readonly refused: readonly Diagnostic[];
}

/**
 * Lowers a quantized graph of the scheme `uint8`. The same graph gives the same bytes on every host.
 *
 * @param graphDigest of the canonical float graph.
 * @param fallback whether nodes that the device refuses run on the CPU; otherwise they are errors.
 */
export function lowerGraph(graph: Graph, graphDigest: Uint8Array, backEnd: BackEnd, fallback: boolean): Program {
  const { parts, refused } = partition(graph, backEnd, fallback);
  return encodeParts(graph, graphDigest, parts, refused, { [backEnd.runtime]: backEnd });
}

/**
 * Lowers a quantized graph whose subgraphs have devices of their own: those of accelerators have the scheme `uint8`, those of the CPU any.
 *
 * @param backEnds by the names of devices.
 */
export function lowerSubgraphs(
  graph: Graph,
  graphDigest: Uint8Array,
  backEnds: Readonly<Record<string, BackEnd>>,
  fallback: boolean,
): Program {
  const refused: Diagnostic[] = [];
  const parts = (graph.subgraphs ?? []).flatMap((subgraph): readonly Part[] => {
    const piece = extractSubgraph(graph, subgraph);
    const backEnd = backEnds[subgraph.runtime ?? ""];
    if (piece.outputs.length === 0) return [];
    if (!backEnd) return [{ runtime: "cpu", graph: piece }];
    const found = partition(piece, backEnd, true, (name) => graph.tensors.has(name));
    for (const reason of found.refused) refused.push(reason);
    return found.parts;
  });
  if (!fallback && refused.length > 0) throw new UserError(refused);
  return encodeParts(graph, graphDigest, parts, refused, backEnds);
}

function encodeParts(
  graph: Graph,
  graphDigest: Uint8Array,
  parts: readonly Part[],
  refused: readonly Diagnostic[],
  backEnds: Readonly<Record<string, BackEnd>>,
): Program {
  const encode = ({ runtime, graph: part }: Part, file: DataFile): NetDef => {
    const backEnd = backEnds[runtime];
    return backEnd ? encodeLowered(backEnd.lower(part), part, file) : encodeNet(part, file);
  };
  const nets = parts.map(({ runtime, graph: { nodes } }) => ({ runtime, nodes: nodes.length }));
  return { ...encodeProgram(graph, parts, graphDigest, encode), nets, refused };
}

/** The file of a program: a net for each part, in their order, and one data file for all. */
export function encodeProgram(
  graph: Graph,
  parts: readonly Part[],
  graphDigest: Uint8Array,
  encode: (part: Part, file: DataFile) => NetDef,
): EncodedModel {
  const file = new DataFile();
  const nets = parts.map((part, i) => {
    const net = encode(part, file);
    net.name = part.graph.name;
    net.inferOrder = i;
    return net;
  });
  const pb = (): Uint8Array[] => {
    const dataSha256 = file.digest();
    const complete = nets.map((net) => ({ ...net, dataSize: file.size, dataSha256, graphDigest }));
    return [encodeFile(graph, complete)];
  };
  return { pb, data: file.pieces };
}

/** @param graph the part, whose inputs may come from images. */
function encodeLowered(lowered: LoweredNet, graph: Graph, file: DataFile): NetDef {
  const runtimeType: Argument = { name: "runtime_type", i: RUNTIME_TYPES[lowered.runtime], floats: [], ints: [] };
  return NetDef.fromPartial({
    op: [...lowered.ops],
    arg: [{ ...runtimeType }, { name: "quantize_flag", i: 1 }, ...(lowered.args ?? []), ...preprocessArguments(graph)],
    tensors: lowered.constants.map((constant) => encodeConstant(constant, file)),
    inputInfo: lowered.inputs.map((info) => withBuffer(info, graph)),
    outputInfo: lowered.outputs.map((info) => withBuffer(info, graph)),
    formatVersion: FORMAT_VERSION,
  });
}

/** Devices have their own types; callers' buffers have what the graph says. */
function withBuffer(info: InputOutputInfo, graph: Graph): InputOutputInfo {
  const port = [...graph.inputs, ...graph.outputs].find(({ tensor, buffer }) => buffer && tensor === info.name);
  return port ? { ...info, dataType: encodePort(graph, port).dataType } : info;
}

function encodeConstant({ data, dims, ...rest }: NetConstant, file: DataFile): ConstTensor {
  return ConstTensor.fromPartial({
    ...rest,
    dims: [...dims],
    offset: data ? file.append(data.length, () => [data]) : 0,
    // Elements; none where only the shape counts.
    dataSize: data ? dims.reduce((product, d) => product * d, 1) : 0,
    quantized: rest.scale !== undefined,
  });
}
