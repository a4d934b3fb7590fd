/**
 * Writes a canonical model as ONNX, so that a peer runs the very same network: float as it is, quantized in the QDQ form
 * (uint8 activations, weights as stored). Only operators of classification networks without branches over shapes.
 */

import { Writer } from "protobufjs/minimal";
import type { ConstantData, Graph, GraphNode, Tensor } from "../tools/ir/graph";

const ONNX_TYPES = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7 } as const;
type OnnxType = keyof typeof ONNX_TYPES;
type Attribute = number | string | readonly number[];

function tensorProto(
  name: string,
  dims: readonly number[],
  type: OnnxType,
  data: ConstantData | BigInt64Array,
): Uint8Array {
  const w = Writer.create();
  for (const d of dims) w.uint32(8).int64(d);
  w.uint32(16).int32(ONNX_TYPES[type]);
  w.uint32(66).string(name);
  w.uint32(74).bytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return w.finish();
}

function attributeProto(name: string, value: Attribute): Uint8Array {
  const w = Writer.create();
  w.uint32(10).string(name);
  if (typeof value === "number") w.uint32(24).int64(value).uint32(160).int32(2);
  else if (typeof value === "string") w.uint32(34).bytes(new TextEncoder().encode(value)).uint32(160).int32(3);
  else {
    for (const v of value) w.uint32(64).int64(v);
    w.uint32(160).int32(7);
  }
  return w.finish();
}

function valueInfo(name: string, dims: readonly number[]): Uint8Array {
  const shape = Writer.create();
  for (const d of dims) shape.uint32(10).bytes(Writer.create().uint32(8).int64(d).finish());
  const type = Writer.create().uint32(8).int32(1).uint32(18).bytes(shape.finish()).finish();
  return Writer.create()
    .uint32(10)
    .string(name)
    .uint32(18)
    .bytes(Writer.create().uint32(10).bytes(type).finish())
    .finish();
}

/** [O, H, W, I] to [O, I, H, W]. */
function toOihw<T extends ConstantData>(data: T, [o = 1, h = 1, w = 1, i = 1]: readonly number[]): T {
  const out = data.slice() as T;
  for (let a = 0, at = 0; a < o; a++) {
    for (let d = 0; d < i; d++) {
      for (let b = 0; b < h; b++) {
        for (let c = 0; c < w; c++) out[at++] = data[((a * h + b) * w + c) * i + d] ?? 0;
      }
    }
  }
  return out;
}

const toNchw = (shape: readonly number[]): number[] =>
  shape.length === 4 ? [shape[0] ?? 1, shape[3] ?? 1, shape[1] ?? 1, shape[2] ?? 1] : [...shape];

class Exporter {
  private readonly nodes: Uint8Array[] = [];
  private readonly initializers: Uint8Array[] = [];
  private readonly scales = new Set<string>();

  constructor(private readonly graph: Graph) {}

  export(): Uint8Array {
    for (const node of this.graph.nodes) this.node(node);
    const g = Writer.create();
    for (const node of this.nodes) g.uint32(10).bytes(node);
    g.uint32(18).string(this.graph.name);
    for (const initializer of this.initializers) g.uint32(42).bytes(initializer);
    for (const port of this.graph.inputs)
      g.uint32(90).bytes(valueInfo(port.tensor, toNchw(this.tensor(port.tensor).shape)));
    for (const port of this.graph.outputs)
      g.uint32(98).bytes(valueInfo(port.tensor, toNchw(this.tensor(port.tensor).shape)));
    const opset = Writer.create().uint32(10).string("").uint32(16).int64(13).finish();
    return Writer.create().uint32(8).int64(8).uint32(58).bytes(g.finish()).uint32(66).bytes(opset).finish();
  }

  private tensor(name: string): Tensor {
    const tensor = this.graph.tensors.get(name);
    if (!tensor) throw new Error(`no tensor '${name}'`);
    return tensor;
  }

  private add(
    op: string,
    inputs: readonly string[],
    output: string,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    const w = Writer.create();
    for (const input of inputs) w.uint32(10).string(input);
    w.uint32(18).string(output);
    w.uint32(26).string(`${op}:${output}`);
    w.uint32(34).string(op);
    for (const [name, value] of Object.entries(attributes)) w.uint32(42).bytes(attributeProto(name, value));
    this.nodes.push(w.finish());
    return output;
  }

  /** Scale and zero point of an activation as initializers; int8 codes are shifted to uint8. */
  private parameters(tensor: Tensor): [string, string] {
    const [scale, zero] = [`${tensor.name}:scale`, `${tensor.name}:zero`];
    if (!this.scales.has(tensor.name) && tensor.quant) {
      this.scales.add(tensor.name);
      const shift = tensor.dtype === "int8" ? 128 : 0;
      this.initializers.push(tensorProto(scale, [], "float32", Float32Array.from(tensor.quant.scales)));
      this.initializers.push(tensorProto(zero, [], "uint8", Uint8Array.of(tensor.quant.zeroPoint + shift)));
    }
    return [scale, zero];
  }

  /** The real value of an input: itself, or its codes dequantized. */
  private read(name: string): string {
    const tensor = this.tensor(name);
    return tensor.quant
      ? this.add("DequantizeLinear", [name, ...this.parameters(tensor)], `${name}:real${this.nodes.length}`)
      : name;
  }

  /** Ends a node: quantizes its real result where the output holds codes. */
  private write(name: string, produce: (output: string) => void): void {
    const tensor = this.tensor(name);
    if (tensor.quant) {
      produce(`${name}:value`);
      this.add("QuantizeLinear", [`${name}:value`, ...this.parameters(tensor)], name);
    } else {
      produce(name);
    }
  }

  private filter(tensor: Tensor): string {
    if (!tensor.data) throw new Error(`'${tensor.name}' is not constant`);
    const name = `${tensor.name}:oihw`;
    const shape = tensor.shape.length === 4 ? toNchw(tensor.shape) : tensor.shape;
    const data = tensor.shape.length === 4 ? toOihw(tensor.data, tensor.shape) : tensor.data;
    this.initializers.push(tensorProto(name, shape, tensor.dtype as OnnxType, data));
    if (!tensor.quant) return name;
    const perChannel = tensor.quant.axis !== null;
    const count = tensor.quant.scales.length;
    const zeros =
      tensor.dtype === "int8"
        ? new Int8Array(count).fill(tensor.quant.zeroPoint)
        : new Uint8Array(count).fill(tensor.quant.zeroPoint);
    this.initializers.push(
      tensorProto(`${name}:scale`, perChannel ? [count] : [], "float32", Float32Array.from(tensor.quant.scales)),
    );
    this.initializers.push(tensorProto(`${name}:zero`, perChannel ? [count] : [], tensor.dtype as OnnxType, zeros));
    return this.add(
      "DequantizeLinear",
      [name, `${name}:scale`, `${name}:zero`],
      `${name}:real`,
      perChannel ? { axis: 0 } : {},
    );
  }

  private bias(tensor: Tensor, input: Tensor, filter: Tensor): string {
    if (!tensor.data) throw new Error(`'${tensor.name}' is not constant`);
    this.initializers.push(tensorProto(tensor.name, tensor.shape, tensor.dtype as OnnxType, tensor.data));
    if (!filter.quant || !input.quant) return tensor.name;
    const sx = input.quant.scales[0] ?? 1;
    const scales = Float32Array.from(filter.quant.scales, (sw) => sx * sw);
    const count = scales.length;
    const shape = filter.quant.axis !== null ? [count] : [];
    this.initializers.push(tensorProto(`${tensor.name}:scale`, shape, "float32", scales));
    this.initializers.push(tensorProto(`${tensor.name}:zero`, shape, "int32", new Int32Array(count)));
    return this.add(
      "DequantizeLinear",
      [tensor.name, `${tensor.name}:scale`, `${tensor.name}:zero`],
      `${tensor.name}:real`,
      shape.length > 0 ? { axis: 0 } : {},
    );
  }

  private activated(node: GraphNode, output: string, produce: (output: string) => void): void {
    const saturates = this.tensor(node.outputs[0] ?? "").quant?.zeroPoint === -128;
    if (node.attributes.activation === "RELU" && !saturates) {
      produce(`${output}:linear`);
      this.add("Relu", [`${output}:linear`], output);
    } else if (node.attributes.activation === "RELUX" && !saturates) {
      produce(`${output}:linear`);
      const limits = [0, Number(node.attributes.max_limit)].map((limit, i) => {
        const name = `${output}:limit${i}`;
        this.initializers.push(tensorProto(name, [], "float32", Float32Array.of(limit)));
        return name;
      });
      this.add("Clip", [`${output}:linear`, ...limits], output);
    } else produce(output);
  }

  private node(node: GraphNode): void {
    const [x = "", w = "", b = ""] = node.inputs;
    const y = node.outputs[0] ?? "";
    const a = node.attributes as Readonly<Record<string, Attribute>>;
    switch (node.type) {
      case "Quantize":
        this.add("QuantizeLinear", [x, ...this.parameters(this.tensor(y))], y);
        return;
      case "Dequantize":
        this.add("DequantizeLinear", [x, ...this.parameters(this.tensor(x))], y);
        return;
      case "Conv2D": {
        const inputs = [this.read(x), this.filter(this.tensor(w))];
        if (b) inputs.push(this.bias(this.tensor(b), this.tensor(x), this.tensor(w)));
        this.write(y, (value) =>
          this.activated(node, value, (out) => {
            this.add("Conv", inputs, out, {
              strides: a.strides ?? [],
              pads: a.pads ?? [],
              dilations: a.dilations ?? [],
              group: a.group ?? 1,
            });
          }),
        );
        return;
      }
      case "DepthwiseConv2d": {
        // [H, W, C, 1] becomes [C, 1, H, W].
        const { data, shape, quant } = this.tensor(w);
        const [h = 1, width = 1, channels = 1, multiplier = 1] = shape;
        if (!(data instanceof Float32Array) || quant || multiplier !== 1) {
          throw new Error("only float depthwise convolutions with one filter per channel are exported");
        }
        const moved = data.map((_, i) => data[(i % (h * width)) * channels + Math.floor(i / (h * width))] ?? 0);
        this.initializers.push(tensorProto(`${w}:oihw`, [channels, 1, h, width], "float32", moved));
        const inputs = [x, `${w}:oihw`];
        if (b) inputs.push(this.bias(this.tensor(b), this.tensor(x), this.tensor(w)));
        const { strides = [], pads = [], dilations = [] } = a;
        this.activated(node, y, (out) => {
          this.add("Conv", inputs, out, { strides, pads, dilations, group: channels });
        });
        return;
      }
      case "Pooling": {
        const input = this.read(x);
        const attributes = { kernel_shape: a.kernels ?? [], strides: a.strides ?? [], pads: a.pads ?? [] };
        this.write(y, (value) =>
          this.add(a.pooling_type === 2 ? "MaxPool" : "AveragePool", [input], value, attributes),
        );
        return;
      }
      case "Concat": {
        const inputs = node.inputs.map((name) => this.read(name));
        const axis = this.tensor(y).shape.length === 4 ? [0, 2, 3, 1][Number(a.axis)] : Number(a.axis);
        this.write(y, (value) => this.add("Concat", inputs, value, { axis: axis ?? 0 }));
        return;
      }
      case "Reshape": {
        const input = this.read(x);
        const shape = this.tensor(y).shape;
        this.initializers.push(
          tensorProto(`${y}:shape`, [shape.length], "int64", BigInt64Array.from(toNchw(shape), BigInt)),
        );
        this.write(y, (value) => this.add("Reshape", [input, `${y}:shape`], value));
        return;
      }
      case "Softmax": {
        const input = this.read(x);
        this.write(y, (value) =>
          this.add("Softmax", [input], value, { axis: this.tensor(x).shape.length === 4 ? 1 : -1 }),
        );
        return;
      }
      case "Reduce": {
        const input = this.read(x);
        if (a.reduce_type !== 0 || String(a.axis) !== "1,2" || a.keepdims !== 1)
          throw new Error("only the global mean is exported");
        this.write(y, (value) => this.add("GlobalAveragePool", [input], value));
        return;
      }
      default:
        throw new Error(`${node.type} is not exported`);
    }
  }
}

export function exportOnnx(graph: Graph): Uint8Array {
  return new Exporter(graph).export();
}
