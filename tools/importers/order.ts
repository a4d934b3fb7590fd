/** Depth-first execution order of what some outputs need. */

/** A dependency cycle; `member` is a node in it. */
export class CycleError extends Error {
  constructor(readonly member: string) {
    super(`'${member}' depends on itself`);
  }
}

/** Every node that `roots` need, dependencies first. `dependencies` may throw for unknown nodes. */
export function executionOrder(roots: readonly string[], dependencies: (node: string) => readonly string[]): string[] {
  const order: string[] = [];
  const state = new Map<string, "open" | "done">();
  const stack: { readonly node: string; readonly needs: readonly string[]; next: number }[] = [];
  const enter = (node: string): void => {
    const known = state.get(node);
    if (known === "open") throw new CycleError(node);
    if (known === "done") return;
    state.set(node, "open");
    stack.push({ node, needs: dependencies(node), next: 0 });
  };
  for (const root of roots) {
    enter(root);
    for (let top = stack[stack.length - 1]; top; top = stack[stack.length - 1]) {
      const need = top.needs[top.next++];
      if (need !== undefined) {
        enter(need);
        continue;
      }
      state.set(top.node, "done");
      order.push(top.node);
      stack.pop();
    }
  }
  return order;
}
