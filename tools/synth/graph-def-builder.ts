/** Builds TensorFlow GraphDefs in the form that TF-slim's frozen inference graphs have. */

import { AttrEntry, AttrValue, DataType, GraphDef, NodeDef, TensorProto } from "../schema/tensorflow";

/** The fields of an attribute value that are set. */
type Value = Partial<AttrValue>;
type Attributes = Readonly<Record<string, Value>>;

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

export const stringAttribute = (value: string): Value => ({ s: text(value) });
export const intsAttribute = (values: readonly number[]): Value => ({ list: { s: [], i: [...values], f: [] } });
export const typeAttribute = (type: DataType): Value => ({ type });

export class GraphDefBuilder {
  private readonly nodes: NodeDef[] = [];

  /** Adds a node and returns its name. */
  node(op: string, name: string, input: readonly string[], attributes: Attributes = {}): string {
    const attr = Object.keys(attributes)
      .sort()
      .map((key) => AttrEntry.fromPartial({ key, value: AttrValue.fromPartial(attributes[key] ?? {}) }));
    this.nodes.push(NodeDef.fromPartial({ op, name, input: [...input], attr }));
    return name;
  }

  placeholder(name: string, shape: readonly number[]): string {
    return this.node("Placeholder", name, [], {
      dtype: typeAttribute(DataType.DT_FLOAT),
      shape: { shape: { unknownRank: false, dim: shape.map((size) => ({ size })) } },
    });
  }

  constant(name: string, shape: readonly number[], data: Float32Array | Int32Array): string {
    const dtype = data instanceof Float32Array ? DataType.DT_FLOAT : DataType.DT_INT32;
    const tensor = TensorProto.encode(
      TensorProto.fromPartial({
        dtype,
        tensorShape: { unknownRank: false, dim: shape.map((size) => ({ size })) },
        tensorContent: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      }),
    ).finish();
    return this.node("Const", name, [], { dtype: typeAttribute(dtype), value: { tensor } });
  }

  /** A variable of a frozen graph: a constant and the Identity that reads it. */
  variable(name: string, shape: readonly number[], data: Float32Array): string {
    this.constant(name, shape, data);
    return this.node("Identity", `${name}/read`, [name], { T: typeAttribute(DataType.DT_FLOAT) });
  }

  encode(): Uint8Array {
    return GraphDef.encode(GraphDef.fromPartial({ node: this.nodes })).finish();
  }
}
