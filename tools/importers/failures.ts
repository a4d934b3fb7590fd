/** How the lowering of one node fails. The importers turn these into diagnostics that name the file and the node. */

import { type UnsupportedNode, unsupportedOperators } from "../diagnostics/catalog";
import { type Diagnostic, UserError } from "../diagnostics/diagnostic";

/** The node is of a kind, or in a configuration, that has no canonical form. All of them are reported together. */
export class UnsupportedError extends Error {}

/** The node contradicts itself: an attribute is missing, of the wrong type or out of range. */
export class AttributeError extends Error {}

/** The import of a model of which some nodes have no canonical form; `nodes` are these, for who wants more than the message. */
export class UnsupportedModel extends UserError {
  constructor(
    file: string,
    faults: readonly Diagnostic[],
    readonly nodes: readonly UnsupportedNode[],
  ) {
    super([...faults, unsupportedOperators(file, nodes)]);
  }
}

/** Ends an import that could not be done. */
export function stopOnFaults(file: string, faults: readonly Diagnostic[], nodes: readonly UnsupportedNode[]): void {
  if (nodes.length > 0) throw new UnsupportedModel(file, faults, nodes);
  if (faults.length > 0) throw new UserError(faults);
}

export function unsupported(why: string): never {
  throw new UnsupportedError(why);
}

export function badValue(why: string): never {
  throw new AttributeError(why);
}
