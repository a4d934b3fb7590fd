/** What documentation says about rules and providers, taken from their definitions in .bzl files. */

import type { Expression } from "./starlark";

export interface Attribute {
  readonly name: string;
  /** Of Starlark's attr module: `label_list` and so on. */
  readonly type: string;
  readonly doc: string;
  readonly mandatory: boolean;
  /** As written in BUILD files; absent when there is none or it is empty. */
  readonly default?: string;
}

export interface Rule {
  readonly doc: string;
  /** By name. */
  readonly attributes: readonly Attribute[];
}

export interface Provider {
  readonly doc: string;
  readonly fields: readonly { readonly name: string; readonly doc: string }[];
}

type Call = Expression & { kind: "call" };
type Assignments = ReadonlyMap<string, Expression>;

/** The rules and providers of some .bzl files. */
export class Definitions {
  /** @param files the assignments of each file */
  constructor(private readonly files: readonly Assignments[]) {}

  rule(name: string): Rule {
    const { call, scope } = this.find(name, "rule", "repository_rule");
    return {
      doc: scope.text(argument(call, "doc")),
      attributes: scope
        .entries(argument(call, "attrs"))
        .filter(([attribute]) => !attribute.startsWith("_"))
        .map(([attribute, value]) => scope.attribute(attribute, value))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
    };
  }

  provider(name: string): Provider {
    const { call, scope } = this.find(name, "provider");
    return {
      doc: scope.text(argument(call, "doc")),
      fields: scope.entries(argument(call, "fields")).map(([field, doc]) => ({ name: field, doc: scope.text(doc) })),
    };
  }

  private find(name: string, ...callees: readonly string[]): { call: Call; scope: Scope } {
    for (const file of this.files) {
      const call = file.get(name);
      if (call?.kind === "call" && callees.includes(call.callee)) {
        return { call, scope: new Scope([file, ...this.files.filter((other) => other !== file)]) };
      }
    }
    throw new Error(`no file defines '${name} = ${callees.join("/")}(...)'`);
  }
}

/** Names as one file sees them: its own first, then those of the others, which stand for what it loads. */
class Scope {
  constructor(private readonly files: readonly Assignments[]) {}

  attribute(name: string, value: Expression): Attribute {
    const [, type] = value.kind === "call" ? (/^attr\.(\w+)$/.exec(value.callee) ?? []) : [];
    if (value.kind !== "call" || !type) throw new Error(`attribute '${name}' is not an attr.something(...)`);
    const doc = value.keyword.get("doc");
    if (!doc) throw new Error(`attribute '${name}' has no doc`);
    const mandatory = value.keyword.get("mandatory");
    const given = value.keyword.get("default");
    const written = given && this.literal(given);
    return {
      name,
      type,
      doc: this.text(doc),
      mandatory: mandatory?.kind === "name" && mandatory.name === "True",
      ...(written && written !== '""' && written !== "[]" ? { default: written } : {}),
    };
  }

  /** The value of a string expression. */
  text(expression: Expression): string {
    switch (expression.kind) {
      case "string":
        return expression.value;
      case "sum":
        return this.text(expression.left) + this.text(expression.right);
      case "name":
        return this.text(this.lookUp(expression.name));
      default:
        throw new Error(`expected a string, found a ${expression.kind}`);
    }
  }

  /** A value as it is written in a BUILD file. */
  private literal(expression: Expression): string {
    switch (expression.kind) {
      case "string":
        return JSON.stringify(expression.value);
      case "number":
        return String(expression.value);
      case "list":
        return `[${expression.items.map((item) => this.literal(item)).join(", ")}]`;
      case "name":
        return this.files.some((file) => file.has(expression.name))
          ? this.literal(this.lookUp(expression.name))
          : expression.name;
      case "call":
        if (expression.callee === "Label" && expression.positional[0]) return this.literal(expression.positional[0]);
        return expression.callee;
      default:
        throw new Error(`cannot write a ${expression.kind} as a default`);
    }
  }

  /** The entries of a dictionary, `dict(first, **second)` included. */
  entries(expression: Expression): [string, Expression][] {
    switch (expression.kind) {
      case "dict":
        return expression.entries.map(([key, value]) => [this.text(key), value]);
      case "name":
        return this.entries(this.lookUp(expression.name));
      case "call":
        if (expression.callee === "dict") {
          return [...expression.positional, ...expression.expanded].flatMap((part) => this.entries(part));
        }
    }
    throw new Error(`expected a dictionary, found a ${expression.kind}`);
  }

  private lookUp(name: string): Expression {
    for (const file of this.files) {
      const value = file.get(name);
      if (value) return value;
    }
    throw new Error(`no file defines '${name}'`);
  }
}

function argument(call: Call, name: string): Expression {
  const value = call.keyword.get(name);
  if (!value) throw new Error(`${call.callee}(...) has no '${name}'`);
  return value;
}
