/** The Hexagon DSP: quantized graphs as nets of nnlib. */

import { DataType, type InputOutputInfo } from "../../../mace/proto/mace";
import { invariant } from "../../diagnostics/diagnostic";
import { encodePort } from "../../emit/model-writer";
import type { Graph, GraphPort, Tensor } from "../../ir/graph";
import type { BackEnd, LoweredNet } from "../net";
import { NodeLowering } from "./lower-node";
import { fourDimensions, NetBuilder } from "./net-builder";
import { tensorOf } from "../windows";
import { computesOnCodes, HEXAGON_TITLE, OPERATOR_CONDITIONS, refusal } from "./rules";

export const HEXAGON: BackEnd = {
  runtime: "dsp",
  title: HEXAGON_TITLE,
  operators: OPERATOR_CONDITIONS,
  computesOnCodes,
  refuse: refusal,
  lower: lowerForHexagon,
};

export function lowerForHexagon(graph: Graph): LoweredNet {
  const net = new NetBuilder();
  const nodes = new NodeLowering(graph, net);
  const codesOfInput = new Map<string, string[]>();
  const codesOfOutput = new Map<string, string>();
  for (const node of graph.nodes) {
    const [from = "", to = ""] = [node.inputs[0], node.outputs[0]];
    if (node.type === "Quantize") codesOfInput.set(from, [...(codesOfInput.get(from) ?? []), to]);
    if (node.type === "Dequantize") codesOfOutput.set(to, from);
  }
  const inputs = graph.inputs.map((port) => {
    // An input that nothing reads has a place among the inputs still.
    const tensor = tensorOf(graph, port.tensor);
    const names = codesOfInput.get(port.tensor) ?? [];
    const codes = names.map((name) => tensorOf(graph, name));
    const first = codes[0];
    const same = codes.every(
      ({ quant }) => quant?.scales[0] === first?.quant?.scales[0] && quant?.zeroPoint === first?.quant?.zeroPoint,
    );
    invariant(same, `input '${port.tensor}' is quantized in two ways`);
    return { port, tensor, names, codes: first };
  });
  const made = net.input(
    inputs.map(({ tensor, names }) => ({ name: names[0] ?? tensor.name, shape: fourDimensions(tensor.shape) })),
  );
  inputs.forEach(({ names }, i) => {
    for (const name of names) nodes.define(name, made[i] as (typeof made)[number]);
  });
  for (const node of graph.nodes) {
    if (node.type !== "Quantize" && node.type !== "Dequantize") nodes.lower(node);
  }
  const results = graph.outputs.map((port) => {
    const codes = codesOfOutput.get(port.tensor);
    invariant(codes !== undefined, `output '${port.tensor}' does not come from codes`);
    return { port, codes: tensorOf(graph, codes) };
  });
  net.output(results.map(({ codes }) => nodes.of(codes.name)));
  const { ops, constants } = net.finish();
  const numbered = (nodeId: number | undefined) => (port: GraphPort, codes: Tensor | undefined) =>
    encode(graph, port, codes, nodeId ?? 0);
  return {
    runtime: "dsp",
    ops,
    constants,
    inputs: inputs.map(({ port, codes }) => numbered(ops[0]?.nodeId)(port, codes)),
    outputs: results.map(({ port, codes }) => numbered(ops.at(-1)?.nodeId)(port, codes)),
  };
}

/** A port with the grid of its codes: whoever runs the net rounds inputs to it. */
function encode(graph: Graph, port: GraphPort, codes: Tensor | undefined, nodeId: number): InputOutputInfo {
  const tensor = tensorOf(graph, port.tensor);
  invariant(tensor.dtype === "float32", `port '${port.tensor}' is ${tensor.dtype}`);
  return {
    ...encodePort(graph, port),
    dataType: DataType.DT_FLOAT,
    nodeId,
    maxByteSize: 4 * tensor.shape.reduce((product, d) => product * d, 1),
    scale: codes?.quant?.scales[0] ?? 1,
    zeroPoint: codes?.quant?.zeroPoint ?? 0,
  };
}
