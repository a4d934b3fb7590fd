/**
 * Every quantized kernel computes what its operator means, in both schemes: of random networks in 8 bits, each node is computed again
 * from the codes that it read, in real numbers by the reference interpreter, and must lie within half a step of the runtime's code.
 * All tiers give the same codes.
 */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import type { ConstantData, Graph, GraphNode, Tensor } from "../../tools/ir/graph";
import { interpretNode, type TensorValue } from "../../tools/ir/interpret";
import { ACTIVATIONS, OPERATORS } from "../../tools/ir/operators";
import { printGraph } from "../../tools/ir/print";
import { type CodeType, CODE_RANGE, dequantizeValue, quantizeValue } from "../../tools/quant/affine";
import { SCHEMES } from "../../tools/quantize/scheme";
import { FLOAT_OPERATORS, nodesApart, type RandomModel, randomGraph } from "../../tools/synth/random-graph";
import { type NativeResult, runNative } from "./native";
import { quantizedNetwork } from "./quantized-network";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-quantized-"));
after(() => fs.rmSync(folder, { recursive: true }));

/** Codes are copied, chosen, or looked up in tables that tools/quant is tested for: no difference at all. */
const EXACT: ReadonlySet<string> = new Set([
  ...["ArgMax", "BatchToSpaceND", "DepthToSpace", "Dequantize", "Gather", "Quantize", "Reshape", "Reverse"],
  ...["ResizeNearestNeighbor", "SpaceToBatchND", "SpaceToDepth", "Split", "StridedSlice", "Tile", "Transpose"],
]);
/** Steps between a code and the real number that it stands for: rounding, and what binary32 multipliers add. */
const HALF_A_STEP = 0.5 + 1e-3;
/** Softmax has a table of exponentials; the shares of bilinear pixels are rounded to 2^-11, in both directions. */
const STEPS: Readonly<Record<string, number>> = { Softmax: 1, ResizeBilinear: HALF_A_STEP + 255 * 2 ** -11 };

const isCodes = (tensor: Tensor): tensor is Tensor & { readonly dtype: CodeType } =>
  tensor.dtype === "uint8" || tensor.dtype === "int8";

function affineOf(tensor: Tensor): { scale: number; zeroPoint: number } {
  const { quant } = tensor;
  assert.ok(quant && quant.axis === null, `'${tensor.name}' has no grid`);
  return { scale: quant.scales[0] ?? 1, zeroPoint: quant.zeroPoint };
}

/** Real values of the weights of a node; the channels of depthwise filters are its last two axes. */
function weights(node: GraphNode, { data, quant, shape }: Tensor): Float32Array {
  const channels = quant?.scales.length ?? 1;
  const last = node.type === "DepthwiseConv2d";
  const inner = last ? 1 : (data?.length ?? 0) / (shape[0] ?? 1);
  return Float32Array.from(data ?? [], (code, i) => {
    const channel = channels === 1 ? 0 : Math.floor(i / inner) % channels;
    return (quant?.scales[channel] ?? 1) * (code - (quant?.zeroPoint ?? 0));
  });
}

class Checker {
  /** Nodes on codes that were computed again, by operator. */
  readonly checked = new Map<string, number>();

  constructor(
    private readonly graph: Graph,
    private readonly feeds: ReadonlyMap<string, ConstantData>,
    private readonly run: NativeResult,
  ) {}

  private tensor(name: string): Tensor {
    const tensor = this.graph.tensors.get(name);
    assert.ok(tensor, name);
    return tensor;
  }

  /** What an input of a node holds, as real numbers; null for absent inputs and tables. */
  private operand(node: GraphNode, index: number): TensorValue | null {
    const name = node.inputs[index] ?? "";
    const role = OPERATORS[node.type]?.inputs[index]?.role;
    if (name === "" || role === "table") return null;
    const tensor = this.tensor(name);
    const { shape } = tensor;
    if (role === "bias" && tensor.dtype === "int32") {
      const [x, filter] = [this.tensor(node.inputs[0] ?? ""), this.tensor(node.inputs[1] ?? "")];
      const scales = filter.quant?.scales ?? [1];
      const scaleOf = (c: number): number => affineOf(x).scale * (scales[scales.length === 1 ? 0 : c] ?? 1);
      return { shape, data: Float32Array.from(tensor.data ?? [], (code, c) => code * scaleOf(c)) };
    }
    if (tensor.data && isCodes(tensor)) return { shape, data: weights(node, tensor) };
    const values = tensor.data ?? this.run.layers.get(name) ?? this.feeds.get(name);
    assert.ok(values, `'${name}' has no values`);
    return { shape, data: tensor.dtype === "int32" ? Int32Array.from(values) : values };
  }

  private expected(node: GraphNode): readonly ConstantData[] {
    const operands = node.inputs.map((_, index) => this.operand(node, index));
    const [x] = operands;
    const input = this.tensor(node.inputs[0] ?? "");
    const output = this.tensor(node.outputs[0] ?? "");
    assert.ok(x);
    if (node.type === "Quantize" && isCodes(output)) {
      const [affine, type] = [affineOf(output), output.dtype];
      return [Float32Array.from(x.data, (value) => dequantizeValue(quantizeValue(value, affine, type), affine))];
    }
    if (node.type === "Dequantize") return [x.data];
    if (node.type === "Activation" && isCodes(input)) {
      const { data: table } = this.tensor(node.inputs[2] ?? "");
      const channels = (table?.length ?? 0) / 256;
      const [from, to, [least]] = [affineOf(input), affineOf(output), CODE_RANGE[input.dtype]];
      return [
        Float32Array.from(x.data, (value, i) => {
          const code = quantizeValue(value, from, input.dtype as CodeType);
          return dequantizeValue(table?.[256 * (i % channels) + code - least] ?? 0, to);
        }),
      ];
    }
    return interpretNode(
      node,
      operands,
      node.outputs.map((name) => this.tensor(name).shape),
    );
  }

  check(node: GraphNode): void {
    const operands = [...node.inputs, ...node.outputs].filter((name) => name !== "").map((name) => this.tensor(name));
    if (!operands.some(isCodes)) return;
    this.checked.set(node.type, (this.checked.get(node.type) ?? 0) + 1);
    const expected = this.expected(node);
    node.outputs.forEach((name, at) => {
      const tensor = this.tensor(name);
      const actual = this.run.layers.get(name);
      const wanted = expected[at];
      assert.ok(actual && wanted && actual.length === wanted.length, `'${name}' has other elements`);
      const affine = isCodes(tensor) ? affineOf(tensor) : { scale: 0, zeroPoint: 0 };
      const [low, high] = (isCodes(tensor) ? CODE_RANGE[tensor.dtype] : [0, 0]).map((q) => dequantizeValue(q, affine));
      const steps = EXACT.has(node.type) || node.type === "Activation" ? 0 : (STEPS[node.type] ?? HALF_A_STEP);
      for (let i = 0; i < wanted.length; i++) {
        const real = wanted[i] as number;
        const value = isCodes(tensor) ? Math.min(high ?? real, Math.max(low ?? real, real)) : real;
        const difference = Math.abs((actual[i] as number) - value);
        if (difference <= steps * affine.scale) continue;
        assert.fail(
          `${node.type} '${node.name}' ${JSON.stringify(node.attributes)}: element ${i} of '${name}' is ${actual[i]}, ` +
            `not ${value}: ${difference / affine.scale} steps\n${printGraph(this.graph)}`,
        );
      }
    });
  }
}

const bytesOf = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/** Of the best tier first; others that this machine has. */
const TIERS = ["", "scalar", "avx2"] as const;

function agree(model: RandomModel, scheme: string): ReadonlyMap<string, number> {
  const graph = quantizedNetwork(model, scheme);
  const prefix = path.join(folder, "model");
  const [best, ...others] = TIERS.filter((tier) => tier !== "avx2" || process.arch === "x64").map((tier) =>
    runNative(prefix, graph, model.feeds, tier),
  );
  assert.ok(best);
  for (const other of others) {
    for (const [name, values] of best.layers) {
      const own = other.layers.get(name);
      assert.ok(own && Buffer.compare(bytesOf(own), bytesOf(values)) === 0, `tiers differ in '${name}'`);
    }
  }
  const checker = new Checker(graph, model.feeds, best);
  for (const node of graph.nodes) checker.check(node);
  return checker.checked;
}

for (const scheme of Object.keys(SCHEMES)) {
  const seen = new Set<string>();
  const note = (checked: ReadonlyMap<string, number>): void => {
    for (const type of checked.keys()) seen.add(type);
  };
  const quantized = FLOAT_OPERATORS.filter((type) => OPERATORS[type]?.kernels.uint8);

  for (const type of quantized) {
    test(`${scheme}: ${type}`, () =>
      note(agree(nodesApart(type, type === "Activation" ? ACTIVATIONS.length : 16, false), scheme)));
  }

  test(`${scheme}: random networks`, () => {
    for (let i = 0; i < 40; i++) {
      note(agree(randomGraph(`quantized ${i}`, quantized[i % quantized.length] ?? "", 10), scheme));
    }
  });

  test(`${scheme}: every operator with a quantized kernel ran on codes`, () => {
    const wanted = Object.keys(OPERATORS).filter((type) => OPERATORS[type]?.kernels.uint8);
    assert.deepEqual(
      wanted.filter((type) => !seen.has(type)),
      [],
    );
  });
}
