/** The MediaTek APU: quantized graphs as nets of MACE's operators, which the delegate gives to the device's library. */

import { DataType, type InputOutputInfo } from "../../../mace/proto/mace";
import { invariant } from "../../diagnostics/diagnostic";
import { APU_VERSION_ARGUMENT } from "../../emit/model-file";
import { encodePort } from "../../emit/model-writer";
import { type ApuVersion, type Graph, type GraphPort, NEWEST_APU } from "../../ir/graph";
import type { Affine } from "../../quant/affine";
import { scaleOf, tensorOf } from "../windows";
import type { BackEnd, LoweredNet } from "../net";
import { NodeLowering } from "./lower-node";
import { NetBuilder } from "./net-builder";
import { operatorConditions, refusal, titleOf } from "./rules";

/** Nets are of one form; a version decides which operators they have. */
export const apuOf = (version: ApuVersion): BackEnd => ({
  runtime: "apu",
  title: titleOf(version),
  operators: operatorConditions(version),
  refuse: (graph, node) => refusal(graph, node, version),
  lower: (graph) => lowerForApu(graph, version),
});

export const APU: BackEnd = apuOf(NEWEST_APU);

/** An input that nothing reads has a grid nevertheless. */
const ANY_GRID: Affine = { scale: 1, zeroPoint: 0 };

function lowerForApu(graph: Graph, version: ApuVersion): LoweredNet {
  const net = new NetBuilder((name) => graph.tensors.has(name));
  const codesOfOutput = new Map<string, string>();
  const inputs = new Set(graph.inputs.map((port) => port.tensor));
  for (const node of graph.nodes) {
    if (node.type === "Dequantize") codesOfOutput.set(node.outputs[0] ?? "", node.inputs[0] ?? "");
  }
  // Codes have the name of the tensor that they are outside of the net. Of several outputs with the same codes, the first.
  const names = new Map<string, string>();
  for (const { tensor } of graph.outputs) {
    const codes = codesOfOutput.get(tensor);
    invariant(codes !== undefined, `output '${tensor}' does not come from codes`);
    if (!names.has(codes)) names.set(codes, tensor);
  }
  const nodes = new NodeLowering(graph, net, names, version);
  const gridOfInput = new Map<string, Affine>();
  for (const node of graph.nodes) {
    const [from = "", to = ""] = [node.inputs[0], node.outputs[0]];
    if (node.type !== "Quantize" || !inputs.has(from)) continue;
    const tensor = tensorOf(graph, to);
    const grid = { scale: scaleOf(tensor), zeroPoint: tensor.quant?.zeroPoint ?? 0 };
    const known = gridOfInput.get(from) ?? grid;
    invariant(
      known.scale === grid.scale && known.zeroPoint === grid.zeroPoint,
      `input '${from}' is quantized in two ways`,
    );
    gridOfInput.set(from, grid);
    nodes.define(to, { name: from, shape: shapeOf(graph, from), grid });
  }
  for (const node of graph.nodes) {
    if (node.type !== "Quantize" && node.type !== "Dequantize") nodes.lower(node);
  }
  const outputs = graph.outputs.map((port) => {
    const codes = nodes.of(codesOfOutput.get(port.tensor) ?? "");
    // An input given back, a constant, or codes that have another output's name.
    if (codes.name !== port.tensor) nodes.reshape(`${port.tensor}/copy`, codes, { ...codes, name: port.tensor });
    return encode(graph, port, codes.grid);
  });
  return {
    runtime: "apu",
    ops: net.ops,
    constants: net.constants,
    inputs: graph.inputs.map((port) => encode(graph, port, gridOfInput.get(port.tensor) ?? ANY_GRID)),
    outputs,
    // Libraries of older versions refuse nets of newer ones.
    args: version === NEWEST_APU ? [] : [{ name: APU_VERSION_ARGUMENT, i: version, floats: [], ints: [] }],
  };
}

/** On the device a scalar has one dimension. */
function shapeOf(graph: Graph, name: string): readonly number[] {
  const { shape } = tensorOf(graph, name);
  return shape.length === 0 ? [1] : shape;
}

function encode(graph: Graph, port: GraphPort, grid: Affine): InputOutputInfo {
  const { dtype, shape } = tensorOf(graph, port.tensor);
  invariant(dtype === "float32", `port '${port.tensor}' is ${dtype}`);
  return {
    ...encodePort(graph, port),
    dataType: DataType.DT_FLOAT,
    maxByteSize: 4 * shape.reduce((product, d) => product * d, 1),
    ...grid,
  };
}
