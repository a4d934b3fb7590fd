/**
 * The error codes of both halves, taken from where the texts are: the functions of tools/diagnostics/catalog.ts are called with
 * placeholders for what only a run can know, and those of mace/base/diagnostics.h are read as text.
 */

import type { Diagnostic } from "../diagnostics/diagnostic";

export interface ErrorCode {
  readonly code: string;
  readonly message: string;
  /** Empty where the message is the cause. */
  readonly cause: string;
  readonly fixes: readonly string[];
}

/** `inputShape` becomes `INPUT_SHAPE`. */
const wordOf = (name: string): string => name.replace(/([a-z])([A-Z])/g, "$1_$2").toUpperCase();

/**
 * Something that is text, number, list and object at once: as text it is its name, as a list it has one element, and its fields are
 * placeholders of their own names.
 */
function placeholder(name: string): unknown {
  const word = wordOf(name);
  const single = (): unknown[] => [placeholder(name.replace(/s$/, ""))];
  const methods: Readonly<Record<string | symbol, unknown>> = {
    [Symbol.toPrimitive]: () => word,
    [Symbol.iterator]: () => single()[Symbol.iterator](),
    toString: () => word,
    map: (f: (element: unknown, index: number) => unknown) => single().map(f),
    join: () => word,
    trim: () => word,
    slice: () => placeholder(name),
    toLowerCase: () => word.toLowerCase(),
    toFixed: () => word,
    toPrecision: () => word,
    length: word,
  };
  return new Proxy(
    {},
    {
      get: (_, key) => {
        if (key in methods || typeof key === "symbol") return methods[key];
        return placeholder(/^\d+$/.test(key) ? `${name}[${key}]` : key);
      },
    },
  );
}

/** Names of a function's parameters, from its text. */
function parametersOf(made: (...args: never[]) => unknown): string[] {
  const [, list = ""] = /^(?:async\s+)?(?:function\s*\w*\s*)?\(([^)]*)\)/.exec(made.toString()) ?? [];
  return list
    .split(",")
    .map((parameter) => parameter.replace(/=.*/, "").trim())
    .filter((parameter) => parameter !== "");
}

const isDiagnostic = (value: unknown): value is Diagnostic =>
  typeof value === "object" && value !== null && "fixes" in value && "code" in value;

/** A cause may be a placeholder itself. */
const plain = (text: unknown): string =>
  String(text)
    .replace(/\s*\n\s*/g, " ")
    .trim();

/** What the catalogue's functions say; other exports of the module are passed over. */
export function codesOfCatalog(catalog: Readonly<Record<string, unknown>>): ErrorCode[] {
  return Object.values(catalog)
    .filter((value): value is (...args: unknown[]) => unknown => typeof value === "function")
    .map((made) => made(...parametersOf(made).map(placeholder)))
    .filter(isDiagnostic)
    .map(({ code, message, cause, fixes }) => ({
      code,
      message: plain(message),
      cause: plain(cause ?? ""),
      fixes: fixes.map(plain),
    }))
    .sort(byCode);
}

const byCode = (a: ErrorCode, b: ErrorCode): number => (a.code < b.code ? -1 : a.code > b.code ? 1 : 0);

/** Top-level parts of a list of C++ expressions. */
function splitArguments(text: string, separator: string): string[] {
  const parts: string[] = [];
  let [depth, start, quoted] = [0, 0, false];
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (quoted) {
      if (character === "\\") i++;
      else if (character === '"') quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === "(") depth++;
    else if (character === ")") depth--;
    else if (character === separator && depth === 0) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  return [...parts, text.slice(start).trim()];
}

/** The text that a C++ expression of strings makes, with words for its variables. */
function textOf(expression: string): string {
  const [condition = "", ...branches] = splitArguments(expression, "?");
  if (branches.length > 0) {
    const choices = splitArguments(branches.join("?"), ":").map(textOf);
    return choices.join(" / ");
  }
  return splitArguments(condition, "+")
    .map((term) => {
      const literals = [...term.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, literal = ""]) => literal);
      const [, quoted] = /^Quoted\((\w+)\)$/.exec(term) ?? [];
      if (quoted !== undefined) return `'${wordOf(quoted)}'`;
      if (term.startsWith('"')) return literals.join("").replace(/\\(.)/g, "$1");
      const [, converted] = /^to_string\((\w+)\)$/.exec(term) ?? [];
      return wordOf(converted ?? term);
    })
    .join("");
}

/** What the functions of mace/base/diagnostics.h say. */
export function codesOfHeader(header: string): ErrorCode[] {
  const calls = [...header.replaceAll("std::", "").matchAll(/return Status\(([\s\S]*?)\);\n\}/g)].map(([, list = ""]) =>
    splitArguments(list, ","),
  );
  return calls
    .map(([, code = "", message = '""', cause = '""', fix = '""']) => {
      const fixes = [textOf(fix)].filter((text) => text !== "");
      return { code: `MR${code}`, message: textOf(message), cause: textOf(cause), fixes };
    })
    .sort(byCode);
}
