/** Builds ONNX models for tests. */

import {
  AttributeProto,
  AttributeType,
  GraphProto,
  ModelProto,
  NodeProto,
  TensorProto,
  TensorProto_DataType,
  ValueInfoProto,
} from "../../schema/onnx";

type Attribute = number | string | readonly number[] | Float32Array | TensorProto | GraphProto;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const more = rest > 0x7fn;
    bytes.push(Number(rest & 0x7fn) | (more ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return bytes;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Integers are attributes of the kind int, other numbers of the kind float. */
export function attribute(name: string, value: Attribute): Uint8Array {
  const base = (type: AttributeType, rest: Partial<AttributeProto> = {}): Uint8Array =>
    AttributeProto.encode(AttributeProto.fromPartial({ name, type, ...rest })).finish();
  if (typeof value === "string") return base(AttributeType.STRING, { s: new TextEncoder().encode(value) });
  if (value instanceof Float32Array) {
    const parts = Array.from(value, (v) => Uint8Array.of(0x3d, ...new Uint8Array(Float32Array.of(v).buffer)));
    return joined(base(AttributeType.FLOATS), ...parts);
  }
  if (typeof value === "number") {
    if (!Number.isInteger(value)) return base(AttributeType.FLOAT, { f: value });
    return joined(base(AttributeType.INT), Uint8Array.of(0x18, ...varint(value)));
  }
  if ("node" in value) return base(AttributeType.GRAPH, { g: GraphProto.encode(value).finish() });
  if ("dims" in value) return base(AttributeType.TENSOR, { t: TensorProto.encode(value).finish() });
  return joined(base(AttributeType.INTS), ...value.map((v) => Uint8Array.of(0x40, ...varint(v))));
}

export function tensor(name: string, dims: readonly number[], values: readonly number[] | Float32Array): TensorProto {
  const rawData = new Uint8Array(Float32Array.from(values).buffer);
  return TensorProto.fromPartial({ name, dims: [...dims], dataType: TensorProto_DataType.FLOAT, rawData });
}

export function int64s(name: string, values: readonly number[]): TensorProto {
  const rawData = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  return TensorProto.fromPartial({ name, dims: [values.length], dataType: TensorProto_DataType.INT64, rawData });
}

/** A branch: nodes that may read the graph around it, and the names of its results. */
export function branch(
  nodes: readonly NodeProto[],
  outputs: readonly string[],
  initializers: readonly TensorProto[] = [],
): GraphProto {
  return GraphProto.fromPartial({
    node: [...nodes],
    output: outputs.map((name) => ValueInfoProto.fromPartial({ name })),
    initializer: initializers.map((constant) => TensorProto.encode(constant).finish()),
  });
}

export interface ModelSpec {
  readonly opset?: number;
  /** Name to shape; null for a dimension that is not known. */
  readonly inputs: Readonly<Record<string, readonly (number | null)[]>>;
  readonly outputs: readonly string[];
  readonly initializers?: readonly TensorProto[];
  readonly nodes: readonly NodeProto[];
}

export function node(
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
): NodeProto {
  const encoded = Object.entries(attributes).map(([name, value]) => attribute(name, value));
  return NodeProto.fromPartial({ opType, input: [...input], output: [...output], attribute: encoded });
}

export function model(spec: ModelSpec): Uint8Array {
  const input = Object.entries(spec.inputs).map(([name, shape]) =>
    ValueInfoProto.fromPartial({
      name,
      type: {
        tensorType: {
          elemType: TensorProto_DataType.FLOAT,
          shape: { dim: shape.map((size) => (size === null ? { dimParam: "unknown" } : { dimValue: size })) },
        },
      },
    }),
  );
  return ModelProto.encode(
    ModelProto.fromPartial({
      irVersion: 8,
      opsetImport: [{ domain: "", version: spec.opset ?? 17 }],
      graph: {
        name: "test",
        node: [...spec.nodes],
        initializer: (spec.initializers ?? []).map((t) => TensorProto.encode(t).finish()),
        input,
        output: spec.outputs.map((name) => ({ name })),
      },
    }),
  ).finish();
}
