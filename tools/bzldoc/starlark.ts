/**
 * Reads the top-level assignments of a .bzl file, as far as documentation needs: literals, names, calls and `+`. Functions, loads
 * and everything else that is not an assignment is skipped; values are not computed but kept as expressions.
 */

export type Expression =
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "list"; readonly items: readonly Expression[] }
  | { readonly kind: "dict"; readonly entries: readonly (readonly [Expression, Expression])[] }
  | { readonly kind: "sum"; readonly left: Expression; readonly right: Expression }
  | {
      readonly kind: "call";
      readonly callee: string;
      readonly positional: readonly Expression[];
      readonly keyword: ReadonlyMap<string, Expression>;
      /** What `**` is written before. */
      readonly expanded: readonly Expression[];
    };

/** A place that the reader does not understand. */
export class StarlarkError extends Error {
  constructor(file: string, line: number, message: string) {
    super(`${file}:${line}: ${message}`);
    this.name = "StarlarkError";
  }
}

interface Token {
  readonly kind: "string" | "number" | "name" | "operator" | "end";
  /** The text; of strings, their value. */
  readonly text: string;
  readonly line: number;
  /** Whether it stands in the first column, where statements begin. */
  readonly first: boolean;
}

const TOKEN = new RegExp(
  [
    /(?<space>\s+|#[^\n]*|\\\n)/,
    /r?(?:"""(?<triple>(?:[^\\]|\\[\s\S])*?)"""|"(?<double>(?:[^"\\\n]|\\[\s\S])*)"|'(?<single>(?:[^'\\\n]|\\[\s\S])*)')/,
    /(?<number>\d+)/,
    /(?<name>[A-Za-z_]\w*)/,
    /(?<operator>\*\*|\/\/|[-+*/%=!<>]=|->|[-+*/%=<>()[\]{},.:;|&])/,
  ]
    .map((part) => part.source)
    .join("|"),
  "y",
);

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "\n": "" };

function interpretEscapes(text: string): string {
  return text.replace(/\\([\s\S])/g, (_, c: string) => ESCAPES[c] ?? c);
}

function tokenize(file: string, text: string): Token[] {
  const tokens: Token[] = [];
  let line = 1;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match?.groups) throw new StarlarkError(file, line, `unexpected character '${text[at]}'`);
    const { space, triple, double, single, number, name, operator } = match.groups;
    const string = triple ?? double ?? single;
    const first = at === 0 || text[at - 1] === "\n";
    if (string !== undefined) tokens.push({ kind: "string", text: interpretEscapes(string), line, first });
    else if (number !== undefined) tokens.push({ kind: "number", text: number, line, first });
    else if (name !== undefined) tokens.push({ kind: "name", text: name, line, first });
    else if (space === undefined) tokens.push({ kind: "operator", text: operator ?? "", line, first });
    line += match[0].split("\n").length - 1;
  }
  tokens.push({ kind: "end", text: "", line, first: true });
  return tokens;
}

class Parser {
  private readonly tokens: readonly Token[];
  private at = 0;

  constructor(
    private readonly file: string,
    text: string,
  ) {
    this.tokens = tokenize(file, text);
  }

  assignments(): Map<string, Expression> {
    const found = new Map<string, Expression>();
    while (this.token().kind !== "end") {
      const { kind, text, first } = this.token();
      this.at += 1;
      if (kind === "name" && first && this.accept("=")) found.set(text, this.expression());
    }
    return found;
  }

  private token(): Token {
    const token = this.tokens[Math.min(this.at, this.tokens.length - 1)];
    if (!token) throw new StarlarkError(this.file, 1, "empty file");
    return token;
  }

  private accept(operator: string): boolean {
    const { kind, text } = this.token();
    if (kind !== "operator" || text !== operator) return false;
    this.at += 1;
    return true;
  }

  private expect(operator: string): void {
    if (this.accept(operator)) return;
    const { text, line } = this.token();
    throw new StarlarkError(this.file, line, `expected '${operator}', found '${text}'`);
  }

  private expression(): Expression {
    let left = this.operand();
    while (this.accept("+")) left = { kind: "sum", left, right: this.operand() };
    return left;
  }

  private operand(): Expression {
    const { kind, text, line } = this.token();
    this.at += 1;
    switch (kind) {
      case "string":
        return { kind: "string", value: text };
      case "number":
        return { kind: "number", value: Number(text) };
      case "name":
        return this.nameOrCall(text);
      case "operator":
        if (text === "[") return { kind: "list", items: this.sequence("]") };
        if (text === "{") return this.dictionary();
        if (text === "-") return this.negative();
    }
    throw new StarlarkError(this.file, line, `cannot read an expression at '${text}'`);
  }

  private negative(): Expression {
    const operand = this.operand();
    return operand.kind === "number" ? { kind: "number", value: -operand.value } : operand;
  }

  private nameOrCall(first: string): Expression {
    let name = first;
    for (;;) {
      if (this.accept(".")) {
        name += `.${this.token().text}`;
        this.at += 1;
      } else if (this.accept("(")) {
        const call = this.call(name);
        if (!this.accept(".")) return call;
        // A method of a result, such as ABIS.keys(): only its name matters.
        name += `().${this.token().text}`;
        this.at += 1;
      } else {
        return { kind: "name", name };
      }
    }
  }

  private call(callee: string): Expression {
    const positional: Expression[] = [];
    const keyword = new Map<string, Expression>();
    const expanded: Expression[] = [];
    while (!this.accept(")")) {
      const { kind, text } = this.token();
      const next = this.tokens[this.at + 1];
      if (this.accept("**")) {
        expanded.push(this.expression());
      } else if (kind === "name" && next?.kind === "operator" && next.text === "=") {
        this.at += 2;
        keyword.set(text, this.expression());
      } else {
        positional.push(this.expression());
      }
      if (!this.accept(",")) {
        this.expect(")");
        break;
      }
    }
    return { kind: "call", callee, positional, keyword, expanded };
  }

  private sequence(end: string): Expression[] {
    const items: Expression[] = [];
    while (!this.accept(end)) {
      items.push(this.expression());
      if (!this.accept(",")) {
        this.expect(end);
        break;
      }
    }
    return items;
  }

  private dictionary(): Expression {
    const entries: [Expression, Expression][] = [];
    while (!this.accept("}")) {
      const key = this.expression();
      this.expect(":");
      entries.push([key, this.expression()]);
      if (!this.accept(",")) {
        this.expect("}");
        break;
      }
    }
    return { kind: "dict", entries };
  }
}

/** The top-level assignments of a .bzl file whose right sides are within the language above. */
export function readAssignments(file: string, text: string): Map<string, Expression> {
  return new Parser(file, text).assignments();
}
