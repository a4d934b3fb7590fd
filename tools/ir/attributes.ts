/** Typed reading of a node's attributes, with the defaults of the operator table. */

import { invariant } from "../diagnostics/diagnostic";
import type { AttributeValue, GraphNode } from "./graph";
import { OPERATORS } from "./operators";

/** What a reader of attributes needs of a node. */
export type Attributed = Pick<GraphNode, "type" | "attributes">;

function read(node: Attributed, name: string): AttributeValue | undefined {
  return node.attributes[name] ?? OPERATORS[node.type]?.attributes[name]?.default;
}

export function numberAttribute(node: Attributed, name: string): number {
  const value = read(node, name);
  invariant(typeof value === "number", `${node.type} has no number '${name}'`);
  return value;
}

export function listAttribute(node: Attributed, name: string): readonly number[] {
  const value = read(node, name);
  invariant(Array.isArray(value), `${node.type} has no list '${name}'`);
  return value;
}

export function stringAttribute(node: Attributed, name: string): string {
  const value = read(node, name);
  invariant(typeof value === "string", `${node.type} has no string '${name}'`);
  return value;
}

/** A list of two numbers (rows, columns). */
export function pairAttribute(node: Attributed, name: string): readonly [number, number] {
  const [rows, columns] = listAttribute(node, name);
  invariant(rows !== undefined && columns !== undefined, `${node.type}.${name} needs two numbers`);
  return [rows, columns];
}

export interface Pads {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

export function padsAttribute(node: Attributed): Pads {
  const [top, left, bottom, right] = listAttribute(node, "pads");
  invariant(
    top !== undefined && left !== undefined && bottom !== undefined && right !== undefined,
    `${node.type}.pads needs four numbers`,
  );
  return { top, left, bottom, right };
}

/** True when the node has no fused activation. */
export function hasNoActivation(node: Attributed): boolean {
  return stringAttribute(node, "activation") === "NOOP";
}
