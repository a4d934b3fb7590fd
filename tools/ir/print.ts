/**
 * The text form of a graph: one line per input, constant, node and output, in execution order. Equal graphs give equal
 * text; parse.ts reads it back. Large constants are written as the start of their SHA-256.
 *
 *     graph "tiny"
 *     input "x" float32[1,4,4,2] NHWC range=[-1,1]
 *     const "w" float32[2,1,1,2] = 1 2 3 4
 *     node "conv" Conv2D("x", "w") activation="RELU" -> "y" float32[1,4,4,2] {trained 0 6 "act_quant"}
 *     output "y" NHWC
 */

import { createHash } from "node:crypto";
import { type ConstantHolder, describeData, holdsData, partsOf } from "./deferred";
import type { AffineParameters, AttributeValue, ConstantData, Graph, GraphNode, GraphPort, Tensor } from "./graph";
import { OPERATORS } from "./operators";

export interface PrintOptions {
  /** Constants of at most this many elements are written in full. */
  readonly fullConstants?: number;
  /** `constantDigest` of constants by name, where they are known already. */
  readonly digests?: ReadonlyMap<string, string>;
}

const quoted = (text: string): string => JSON.stringify(text);

/** The shortest decimal that reads back as the same binary32 number. */
function float32Text(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0";
  for (let digits = 1; digits <= 9; digits++) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === value) return String(text);
  }
  return String(value);
}

/** Ranges are binary64 numbers. */
function numberText(value: number): string {
  return Number.isFinite(value) && !Object.is(value, -0) ? String(value) : float32Text(value);
}

/** Attributes are binary32 numbers or integers, as in the model file. */
function attributeText(value: AttributeValue): string {
  if (typeof value === "string") return quoted(value);
  const text = (number: number): string =>
    Number.isInteger(number) ? String(number) : float32Text(Math.fround(number));
  return typeof value === "number" ? text(value) : `[${value.map(text).join(",")}]`;
}

function sameAttribute(a: AttributeValue, b: AttributeValue | undefined): boolean {
  return b !== undefined && attributeText(a) === attributeText(b);
}

/** `0.5 0.25; 0; 3` */
function gridText({ scales, zeroPoint, axis }: AffineParameters): string {
  return `${scales.map(float32Text).join(" ")}; ${zeroPoint}${axis === null ? "" : `; ${axis}`}`;
}

/** `"name" float32[1,2] {trained 0 6 "why"} quant(0.5; 128)` */
function tensorText(tensor: Tensor): string {
  let text = `${quoted(tensor.name)} ${tensor.dtype}[${tensor.shape.join(",")}]`;
  if (tensor.range) {
    const { source, min, max, reason } = tensor.range;
    text += ` {${source} ${numberText(min)} ${numberText(max)} ${quoted(reason)}}`;
  }
  if (tensor.trained) {
    const { type, qmin, qmax, requantize } = tensor.trained;
    text += ` trained(${type} ${qmin} ${qmax} ${gridText(tensor.trained)})${requantize ? ` ${requantize}` : ""}`;
  }
  if (tensor.quant) text += ` quant(${gridText(tensor.quant)})`;
  if (tensor.codes) text += ` codes(${tensor.codes.type} ${gridText(tensor.codes)})`;
  return text;
}

/** SHA-256 of a constant's bytes, shortened. */
export class ConstantDigest {
  private readonly hash = createHash("sha256");

  /** Adds the values, or a part of them. */
  update(data: ConstantData): void {
    this.hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }

  text(): string {
    return this.hash.digest("hex").slice(0, 16);
  }
}

export function constantDigest(constant: ConstantHolder): string {
  const digest = new ConstantDigest();
  for (const data of partsOf(constant)) digest.update(data);
  return digest.text();
}

/** Constants of more elements are written as digests. */
const FULL_CONSTANTS = 16;

function constantText(tensor: Tensor & ConstantHolder, { fullConstants, digests }: PrintOptions): string {
  const full = describeData(tensor).length <= (fullConstants ?? FULL_CONSTANTS);
  const values = (data: ConstantData): string =>
    Array.from(data, data instanceof Float32Array ? float32Text : String).join(" ");
  const text = full ? values(tensor.data) : `sha256:${digests?.get(tensor.name) ?? constantDigest(tensor)}`;
  return `const ${tensorText(tensor)} = ${text}`;
}

function nodeText(node: GraphNode, graph: Graph): string {
  const known = Object.keys(OPERATORS[node.type]?.attributes ?? {});
  const names = [...known.filter((name) => name in node.attributes), ...unknownNames(node, known)];
  const attributes = names.flatMap((name) => {
    const value = node.attributes[name];
    const isDefault = value === undefined || sameAttribute(value, OPERATORS[node.type]?.attributes[name]?.default);
    return isDefault ? [] : [` ${name}=${attributeText(value)}`];
  });
  const outputs = node.outputs.map((name) => {
    const tensor = graph.tensors.get(name);
    return tensor ? tensorText(tensor) : quoted(name);
  });
  const inputs = node.inputs.map(quoted).join(", ");
  return `node ${quoted(node.name)} ${node.type}(${inputs})${attributes.join("")} -> ${outputs.join(", ")}`;
}

function unknownNames(node: GraphNode, known: readonly string[]): string[] {
  return Object.keys(node.attributes)
    .filter((name) => !known.includes(name))
    .sort();
}

function portText(port: GraphPort, tensor: string): string {
  let text = `${tensor} ${port.format}`;
  if (port.buffer !== undefined) text += ` buffer=${quoted(port.buffer)}`;
  if (port.alias !== undefined) text += ` alias=${quoted(port.alias)}`;
  if (port.declaredRange) text += ` range=[${port.declaredRange.map(numberText).join(",")}]`;
  return text;
}

export function printGraph(graph: Graph, options: PrintOptions = {}): string {
  const lines = [`graph ${quoted(graph.name)}`];
  for (const port of graph.inputs) {
    const tensor = graph.tensors.get(port.tensor);
    lines.push(`input ${portText(port, tensor ? tensorText(tensor) : quoted(port.tensor))}`);
  }
  // A constant stands before its first reader, so that the order of the map does not matter.
  const written = new Set<string>();
  const constants = (names: readonly string[]): void => {
    for (const name of names) {
      const tensor = graph.tensors.get(name);
      if (!holdsData(tensor) || written.has(name)) continue;
      written.add(name);
      lines.push(constantText(tensor, options));
    }
  };
  for (const node of graph.nodes) {
    constants(node.inputs);
    lines.push(nodeText(node, graph));
  }
  constants(graph.outputs.map((port) => port.tensor));
  for (const port of graph.outputs) lines.push(`output ${portText(port, quoted(port.tensor))}`);
  return `${lines.join("\n")}\n`;
}
