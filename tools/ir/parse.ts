/** Reads the text form of a graph that print.ts writes. */

import { malformedModel } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import type {
  AffineParameters,
  AttributeValue,
  BufferFormat,
  ConstantData,
  DataType,
  Graph,
  GraphNode,
  GraphPort,
  RangeSource,
  Tensor,
  TensorRange,
  TrainedQuantization,
} from "./graph";
import { BUFFER_TYPES } from "./graph";
import { OPERATORS } from "./operators";
import { elementCount, type Shape } from "./shape";

export interface ParseOptions {
  readonly file?: string;
  /** Supplies a constant that the text has by its digest only. */
  readonly constant?: (digest: string, tensor: Tensor) => ConstantData | undefined;
}

const DATA_TYPES: readonly DataType[] = ["float32", "int32", "uint8", "int8", "bool"];
const FORMATS: readonly BufferFormat[] = ["NHWC", "NCHW", "NONE"];
const SOURCES: readonly RangeSource[] = ["user", "trained", "file", "operator", "inherited", "interval"];

const TOKEN =
  /\s*(?:("(?:[^"\\]|\\.)*")|(->)|([A-Za-z_][A-Za-z0-9_:]*)|(-?(?:inf|nan|[0-9][0-9.]*(?:e[-+]?[0-9]+)?))|(.))/gy;

type Token =
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "word"; readonly text: string }
  | { readonly kind: "number"; readonly text: string }
  | { readonly kind: "mark"; readonly text: string };

class Line {
  private readonly tokens: Token[] = [];
  private position = 0;

  constructor(
    text: string,
    private readonly number: number,
    private readonly file: string | undefined,
  ) {
    for (const match of text.trimEnd().matchAll(TOKEN)) {
      const [, string, arrow, word, number_, mark] = match;
      if (string !== undefined) this.tokens.push({ kind: "string", text: this.unquote(string) });
      else if (word === "inf" || word === "nan") this.tokens.push({ kind: "number", text: word });
      else if (word !== undefined) this.tokens.push({ kind: "word", text: word });
      else if (number_ !== undefined) this.tokens.push({ kind: "number", text: number_ });
      else this.tokens.push({ kind: "mark", text: arrow ?? mark ?? "" });
    }
  }

  private unquote(text: string): string {
    try {
      return String(JSON.parse(text));
    } catch {
      return this.fail(`the text ${text} is not quoted as in JSON`);
    }
  }

  fail(cause: string): never {
    const place = { line: this.number, ...(this.file !== undefined && { file: this.file }) };
    throw new UserError(malformedModel(place, cause));
  }

  get done(): boolean {
    return this.position >= this.tokens.length;
  }

  peek(text: string): boolean {
    const token = this.tokens[this.position];
    return token?.text === text && token.kind !== "string";
  }

  /** Takes the next token if it is this mark or word. */
  skip(text: string): boolean {
    if (!this.peek(text)) return false;
    this.position++;
    return true;
  }

  expect(text: string): void {
    if (!this.skip(text)) this.fail(`'${text}' is expected before '${this.tokens[this.position]?.text ?? "the end"}'`);
  }

  private take(kind: Token["kind"]): string {
    const token = this.tokens[this.position++];
    if (token?.kind !== kind) return this.fail(`a ${kind} is expected before '${token?.text ?? "the end"}'`);
    return token.text;
  }

  string(): string {
    return this.take("string");
  }

  word(): string {
    return this.take("word");
  }

  oneOf<T extends string>(words: readonly T[]): T {
    const word = this.word();
    return words.find((known) => known === word) ?? this.fail(`'${word}' is none of ${words.join(", ")}`);
  }

  value(): number {
    const text = this.take("number");
    if (text.endsWith("inf")) return text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    return text === "nan" ? Number.NaN : Number(text);
  }

  isNumber(): boolean {
    return this.tokens[this.position]?.kind === "number";
  }

  isString(): boolean {
    return this.tokens[this.position]?.kind === "string";
  }

  /** `[1,2]` */
  list(): number[] {
    const values: number[] = [];
    this.expect("[");
    while (!this.skip("]")) {
      values.push(this.value());
      if (!this.peek("]")) this.expect(",");
    }
    return values;
  }
}

function makeData(dtype: DataType, values: readonly number[]): ConstantData {
  switch (dtype) {
    case "float32":
      return Float32Array.from(values);
    case "int32":
      return Int32Array.from(values);
    case "int8":
      return Int8Array.from(values);
    case "uint8":
    case "bool":
      return Uint8Array.from(values);
  }
}

function parseRange(line: Line): TensorRange {
  const source = line.oneOf(SOURCES);
  const range = { source, min: line.value(), max: line.value(), reason: line.string() };
  line.expect("}");
  return range;
}

function parseTrained(line: Line): TrainedQuantization {
  line.expect("(");
  const type = line.oneOf(["uint8", "int8"] as const);
  return { type, qmin: line.value(), qmax: line.value(), ...parseGrid(line) };
}

function parseQuant(line: Line): AffineParameters {
  line.expect("(");
  return parseGrid(line);
}

/** `0.5 0.25; 0; 3)` */
function parseGrid(line: Line): AffineParameters {
  const scales: number[] = [];
  while (!line.skip(";")) scales.push(Math.fround(line.value()));
  const zeroPoint = line.value();
  const axis = line.skip(";") ? line.value() : null;
  line.expect(")");
  return { scales, zeroPoint, axis };
}

function parseTensor(line: Line): Tensor {
  const name = line.string();
  const dtype = line.oneOf(DATA_TYPES);
  const shape: Shape = line.list();
  const tensor: Tensor = { name, shape, dtype };
  if (line.skip("{")) tensor.range = parseRange(line);
  if (line.skip("trained")) {
    tensor.trained = parseTrained(line);
    if (line.skip("fixed_point")) tensor.trained = { ...tensor.trained, requantize: "fixed_point" };
  }
  if (line.skip("quant")) tensor.quant = parseQuant(line);
  if (line.skip("codes")) {
    line.expect("(");
    tensor.codes = { type: line.oneOf(["uint8", "int8"] as const), ...parseGrid(line) };
  }
  return tensor;
}

function parseConstant(line: Line, options: ParseOptions): Tensor {
  const tensor = parseTensor(line);
  line.expect("=");
  if (line.isNumber() || line.done) {
    const values: number[] = [];
    while (!line.done) values.push(line.value());
    if (values.length !== elementCount(tensor.shape)) line.fail(`'${tensor.name}' has ${values.length} values`);
    tensor.data = makeData(tensor.dtype, values);
    return tensor;
  }
  const word = line.word();
  if (!word.startsWith("sha256:")) line.fail("values or a digest are expected");
  const digest = word.slice("sha256:".length);
  const data = options.constant?.(digest, tensor);
  if (!data) line.fail(`the text has no values of '${tensor.name}'`);
  tensor.data = data;
  return tensor;
}

function parsePort(line: Line, tensor: string): GraphPort {
  let port: GraphPort = { tensor, format: line.oneOf(FORMATS) };
  while (!line.done) {
    const key = line.oneOf(["alias", "buffer", "range"]);
    line.expect("=");
    if (key === "alias") port = { ...port, alias: line.string() };
    else if (key === "buffer") {
      const text = line.string();
      const buffer = BUFFER_TYPES.find((name) => name === text) ?? line.fail(`no buffer has the type '${text}'`);
      port = { ...port, buffer };
    } else {
      const [min, max] = line.list();
      port = { ...port, declaredRange: [min ?? 0, max ?? 0] };
    }
  }
  return port;
}

function parseAttribute(line: Line, kind: string | undefined): AttributeValue {
  if (line.isString()) return line.string();
  const round = (value: number): number => (kind === "float" || kind === "floats" ? Math.fround(value) : value);
  if (line.peek("[")) return line.list().map(round);
  return kind === "string" ? line.fail("a text is expected") : round(line.value());
}

function parseNode(line: Line, graph: Graph): GraphNode {
  const name = line.string();
  const type = line.word();
  const spec = OPERATORS[type] ?? line.fail(`there is no operator '${type}'`);
  const inputs: string[] = [];
  line.expect("(");
  while (!line.skip(")")) {
    inputs.push(line.string());
    if (!line.peek(")")) line.expect(",");
  }
  const attributes: Record<string, AttributeValue> = {};
  while (!line.skip("->")) {
    const key = line.word();
    line.expect("=");
    attributes[key] = parseAttribute(line, spec.attributes[key]?.kind);
  }
  const outputs: string[] = [];
  do {
    const tensor = parseTensor(line);
    if (graph.tensors.has(tensor.name)) line.fail(`the tensor '${tensor.name}' is defined twice`);
    graph.tensors.set(tensor.name, tensor);
    outputs.push(tensor.name);
  } while (line.skip(","));
  return { name, type, inputs, outputs, attributes };
}

export function parseGraph(text: string, options: ParseOptions = {}): Graph {
  const graph: Graph = { name: "", inputs: [], outputs: [], tensors: new Map(), nodes: [] };
  text.split("\n").forEach((content, index) => {
    if (content.trim() === "" || content.startsWith("#")) return;
    const line = new Line(content, index + 1, options.file);
    const define = (tensor: Tensor): Tensor => {
      if (graph.tensors.has(tensor.name)) line.fail(`the tensor '${tensor.name}' is defined twice`);
      graph.tensors.set(tensor.name, tensor);
      return tensor;
    };
    const what = line.oneOf(["graph", "input", "const", "node", "output"]);
    switch (what) {
      case "graph":
        graph.name = line.string();
        break;
      case "input":
        graph.inputs.push(parsePort(line, define(parseTensor(line)).name));
        break;
      case "const":
        define(parseConstant(line, options));
        break;
      case "node":
        graph.nodes.push(parseNode(line, graph));
        break;
      case "output":
        graph.outputs.push(parsePort(line, line.string()));
        break;
    }
    if (!line.done) line.fail("there is text behind the end of the line's content");
  });
  return graph;
}
