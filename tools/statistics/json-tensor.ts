/** Tensors in JSON: a list of numbers, nested as deep as one likes, or an object from the names of inputs to such lists. */

import { unreadableTensor } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import type { NumberKind } from "../image/npy";

/** The values of one input. A list stands for the only input; `names` are those that an input may have in an object. */
export function parseJsonTensor<T>(
  bytes: Uint8Array,
  file: string,
  names: readonly string[],
  only: boolean,
  kind: NumberKind<T>,
): T {
  const fail = (reason: string): never => {
    throw new UserError(unreadableTensor(file, reason));
  };
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    return fail(`not JSON: ${(error as Error).message}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    const entries = Object.entries(value);
    const found = entries.find(([name]) => names.includes(name));
    if (!found) return fail(`it has no list '${names[0]}', only ${entries.map(([name]) => `'${name}'`).join(", ")}`);
    value = found[1];
  } else if (!only) return fail("a model with several inputs needs an object from their names to lists");
  const numbers: number[] = [];
  // Not by recursion: a hostile file may nest deeper than the stack.
  const waiting: unknown[] = [value];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (Array.isArray(next)) for (let i = next.length - 1; i >= 0; i--) waiting.push(next[i]);
    else if (typeof next === "number") numbers.push(next);
    else return fail("it holds something else than lists of numbers");
  }
  return kind.from(numbers);
}
