/** How the lowering of one node fails. The importers turn these into diagnostics that name the file and the node. */

/** The node is of a kind, or in a configuration, that has no canonical form. All of them are reported together. */
export class UnsupportedError extends Error {}

/** The node contradicts itself: an attribute is missing, of the wrong type or out of range. */
export class AttributeError extends Error {}

export function unsupported(why: string): never {
  throw new UnsupportedError(why);
}

export function badValue(why: string): never {
  throw new AttributeError(why);
}
