import assert from "node:assert/strict";
import { test } from "node:test";
import { DataType } from "../../../mace/proto/mace";
import type { AttributeValue, Graph, GraphNode } from "../../ir/graph";
import { ELTWISE, OPERATORS, POOLING, REDUCE } from "../../ir/operators";
import { windowCount } from "../../ir/infer-shapes";
import { sketchGraph } from "../../quantize/fixture";
import { DEFAULT_SETTINGS, quantizeModel } from "../../quantize/quantize-model";
import { UserError } from "../../diagnostics/diagnostic";
import type { LoweredNet, NetConstant } from "../net";
import { partition } from "../partition";
import { HEXAGON } from "./hexagon";
import { activationParameters } from "../../quant/affine";
import { activationTable } from "../../quant/tables";
import { slopesOf } from "../slopes";
import { explicitPads, type Sliding } from "../windows";
import { kindOf, PADDING, positionsOf } from "./padding";

type Attributes = Readonly<Record<string, AttributeValue>>;
type Shape = readonly number[];

/** A quantized graph of one node `y` that reads `x` (and `x2`); every range is [-1, 1.5] unless given. */
function one(
  type: string,
  attributes: Attributes,
  shapes: readonly Shape[],
  output: Shape,
  constants: Readonly<Record<string, Shape>> = {},
  ranges: Readonly<Record<string, readonly [number, number]>> = {},
): Graph {
  const names = shapes.map((_, i) => (i === 0 ? "x" : `x${i + 1}`));
  const values = Object.entries(constants).map(([name, shape]) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return [name, { shape, data: Array.from({ length: size }, (_, i) => ((i % 7) - 3) / 4) }] as const;
  });
  const graph = sketchGraph(
    Object.fromEntries(names.map((name, i) => [name, shapes[i] as Shape])),
    Object.fromEntries(values),
    [{ type, inputs: [...names, ...Object.keys(constants)], outputs: { y: output }, attributes }],
    ["y"],
  );
  return quantized(graph, ranges);
}

function quantized(graph: Graph, given: Readonly<Record<string, readonly [number, number]>> = {}): Graph {
  const all = [...graph.inputs.map((port) => port.tensor), ...graph.nodes.flatMap((node) => node.outputs)];
  const ranges = new Map(all.map((name) => [name, given[name] ?? [-1, 1.5]] as const));
  const settings = { ...DEFAULT_SETTINGS, scheme: "uint8", preciseOutputs: false };
  return quantizeModel(graph, settings, {
    ranges: new Map(ranges) as Map<string, [number, number]>,
    rangesName: "test",
  }).graph;
}

const computing = (graph: Graph): GraphNode[] =>
  graph.nodes.filter((node) => node.type !== "Quantize" && node.type !== "Dequantize");

/** The nodes between input and output: type, kind of padding, names of what they read. */
function nodesOf(net: LoweredNet): string[] {
  return net.ops
    .slice(1, -1)
    .map(({ type, padding, input }) => `${type}${padding ? `/${padding}` : ""}(${input.join(" ")})`);
}

function constant(net: LoweredNet, name: string): NetConstant {
  const found = net.constants.find((c) => c.name === name);
  assert.ok(found, `constant '${name}' among ${net.constants.map((c) => c.name).join(" ")}`);
  return found;
}

function numbers({ data, dataType }: NetConstant): number[] {
  assert.ok(data);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const float = dataType === DataType.DT_FLOAT;
  return Array.from({ length: data.byteLength / 4 }, (_, i) =>
    float ? view.getFloat32(4 * i, true) : view.getInt32(4 * i, true),
  );
}

const X = "x/quantized x/quantized:1 x/quantized:2".replace(/x\/quantized:/g, "mace_input_node:");
const CONV: Attributes = { strides: [1, 1], pads: [0, 0, 0, 0] };

test("a convolution: operands in nnlib's order, ranges of its grids, numbers of nodes", () => {
  const graph = one("Conv2D", CONV, [[1, 4, 4, 2]], [1, 2, 2, 3], { w: [3, 3, 3, 2], b: [3] });
  const net = HEXAGON.lower(graph);
  assert.deepEqual(nodesOf(net), [
    "Supernode_8x8p32to8/2(x/quantized w/hwio mace_input_node:1 mace_input_node:2 w/min w/max y/node/strides b " +
      "y/node/bias_min y/node/bias_max y/quantized/min y/quantized/max)",
  ]);
  assert.deepEqual(
    net.ops.map((op) => [op.type, op.nodeId, op.outputType, op.outMaxByteSize]),
    [
      ["QuantizeINPUT_f_to_8", 9, [2, 1, 1], [32, 4, 4]],
      ["Supernode_8x8p32to8", 10, [2, 1, 1], [12, 4, 4]],
      ["DequantizeOUTPUT_8tof", 11, [], []],
    ],
  );
  assert.deepEqual(
    net.constants.map((c) => c.nodeId),
    Array.from({ length: 9 }, (_, i) => i),
  );
  const [conv, output] = net.ops.slice(1);
  assert.deepEqual(
    conv?.nodeInput.map((i) => `${i.nodeId}:${i.outputPort}`),
    // Constants are numbered as they are made: the filter and its range come first.
    ["9:0", "0:0", "9:1", "9:2", "1:0", "2:0", "3:0", "4:0", "5:0", "6:0", "7:0", "8:0"],
  );
  assert.deepEqual(
    output?.nodeInput.map((i) => [i.nodeId, i.outputPort]),
    [
      [10, 0],
      [10, 1],
      [10, 2],
    ],
  );
  // Output channels are the last axis, and the filter keeps its codes.
  const filter = constant(net, "w/hwio");
  assert.deepEqual(filter.dims, [3, 3, 2, 3]);
  const source = graph.tensors.get("w")?.data as Uint8Array;
  assert.equal(filter.data?.[(2 * 3 + 1) * 2 * 3 + 1 * 3 + 2], source[2 * 18 + (2 * 3 + 1) * 2 + 1]);
  const { scale = 0, zeroPoint = 0, minval, maxval } = filter;
  assert.deepEqual([minval, maxval], [Math.fround(-zeroPoint * scale), Math.fround((255 - zeroPoint) * scale)]);
  assert.deepEqual(numbers(constant(net, "w/min")), [minval]);
  // A step of the bias is a step of the product.
  const xs = net.inputs[0]?.scale ?? 0;
  const step = Math.fround(xs * scale);
  assert.deepEqual(numbers(constant(net, "y/node/bias_min")), [-step * 2 ** 31]);
  assert.deepEqual(numbers(constant(net, "y/node/bias_max")), [step * 2 ** 31]);
  assert.equal(constant(net, "y/node/strides").data, undefined);
  assert.deepEqual(constant(net, "y/node/strides").dims, [1, 1, 1, 1]);
  assert.deepEqual([net.inputs[0]?.name, net.inputs[0]?.dims, net.outputs[0]?.name], ["x", [1, 4, 4, 2], "y"]);
  assert.deepEqual([net.inputs[0]?.zeroPoint, net.inputs[0]?.nodeId, net.outputs[0]?.nodeId], [102, 9, 11]);
});

test("an absent bias is zeros", () => {
  const net = HEXAGON.lower(one("Conv2D", CONV, [[1, 4, 4, 2]], [1, 4, 4, 3], { w: [3, 1, 1, 2] }));
  assert.deepEqual(numbers(constant(net, "y/node/bias")), [0, 0, 0]);
});

test("kinds of padding put windows where the pads do", () => {
  const kinds = new Map<number | undefined, number>();
  for (let size = 1; size <= 9; size++) {
    for (const kernel of [1, 2, 3, 5]) {
      for (const stride of [1, 2, 3]) {
        for (const [before, after] of [
          [0, 0],
          [0, 1],
          [1, 0],
          [1, 1],
          [1, 2],
          [2, 1],
          [2, 2],
        ] as const) {
          if (kernel > size + before + after || before >= kernel || after >= kernel) continue;
          const rows = windowCount(size, before, after, kernel, stride, 1, false);
          const sliding: Sliding = {
            height: size,
            width: size,
            kernel: [kernel, kernel],
            strides: [stride, stride],
            pads: { top: before, left: before, bottom: after, right: after },
            rows,
            columns: rows,
          };
          const kind = kindOf(sliding);
          kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
          if (kind !== undefined) {
            assert.deepEqual(positionsOf(size, kernel, stride, kind), { count: rows, before });
          }
          const [top = 0, bottom = 0] = explicitPads(sliding);
          assert.equal(positionsOf(size + top + bottom, kernel, stride, PADDING.VALID).count >= rows, true);
          // Every window lies inside, and the last one ends at the end unless the image goes on.
          const end = (rows - 1) * stride + kernel;
          assert.ok(end <= size + top + bottom);
          if (bottom > 0) assert.equal(end, size + top + bottom);
        }
      }
    }
  }
  for (const kind of [PADDING.VALID, PADDING.SAME, PADDING.SAME_CAFFE, undefined]) {
    assert.ok((kinds.get(kind) ?? 0) > 5, `kind ${kind}`);
  }
});

test("operators", () => {
  const pool = (pads: Shape, more: Attributes = {}): Attributes => ({
    pooling_type: POOLING.MAX,
    kernels: [3, 3],
    strides: [2, 2],
    pads: [...pads],
    ...more,
  });
  const D = "y/quantized/min y/quantized/max";
  const cases: [string, Graph, string[]][] = [
    [
      "depthwise, SAME",
      one("DepthwiseConv2d", { strides: [2, 2], pads: [0, 0, 1, 1] }, [[1, 4, 4, 2]], [1, 2, 2, 2], {
        w: [3, 3, 2, 1],
      }),
      [
        `DepthwiseSupernode_8x8p32to8/1(x/quantized w mace_input_node:1 mace_input_node:2 w/min w/max y/node/strides y/node/bias y/node/bias_min y/node/bias_max ${D})`,
      ],
    ],
    [
      "convolution, SAME_CAFFE",
      one("Conv2D", { strides: [2, 2], pads: [1, 1, 0, 0] }, [[1, 4, 4, 1]], [1, 2, 2, 1], { w: [1, 3, 3, 1] }),
      [
        `Supernode_8x8p32to8/5(x/quantized w/hwio mace_input_node:1 mace_input_node:2 w/min w/max y/node/strides y/node/bias y/node/bias_min y/node/bias_max ${D})`,
      ],
    ],
    [
      "convolution, pads of its own",
      one("Conv2D", { strides: [1, 1], pads: [2, 2, 0, 0] }, [[1, 4, 4, 1]], [1, 4, 4, 1], { w: [1, 3, 3, 1] }),
      [
        `QuantizedPad_8(${X} y/node/pads y/node/pad_value)`,
        `Supernode_8x8p32to8/2(y/node/padded w/hwio y/node/pad:1 y/node/pad:2 w/min w/max y/node/strides y/node/bias y/node/bias_min y/node/bias_max ${D})`,
      ],
    ],
    [
      "fully connected",
      one("FullyConnected", {}, [[2, 6]], [2, 3], { w: [3, 6] }),
      [
        `SuperFC_8x8p32to8(x/quantized w/hwio mace_input_node:1 mace_input_node:2 w/min w/max y/node/bias y/node/bias_min y/node/bias_max ${D})`,
      ],
    ],
    [
      "fully connected of four dimensions",
      one("FullyConnected", {}, [[2, 1, 1, 6]], [2, 1, 1, 3], { w: [3, 6] }),
      [
        `SuperFC_8x8p32to8(x/quantized w/hwio mace_input_node:1 mace_input_node:2 w/min w/max y/node/bias y/node/bias_min y/node/bias_max ${D})`,
        "QuantizedReshape(y/quantized/unclamped y/node/reshape/shape y/node:1 y/node:2)",
      ],
    ],
    [
      "transposed convolution",
      one("Deconv2D", { strides: [2, 2], pads: [0, 0, 1, 1] }, [[1, 2, 2, 1]], [1, 4, 4, 2], { w: [2, 3, 3, 1] }),
      [
        `QuantizedTransposeConv2d_8x8p32to8(x/quantized w mace_input_node:1 mace_input_node:2 w/min w/max y/node/paddings y/node/strides y/node/bias y/node/bias_min y/node/bias_max ${D})`,
      ],
    ],
    [
      "maximum",
      one("Pooling", pool([0, 0, 0, 0]), [[1, 5, 5, 1]], [1, 2, 2, 1]),
      [`QuantizedMaxPool_8/2(${X} y/node/window y/node/strides)`],
    ],
    [
      "maximum, pads of its own",
      one("Pooling", pool([2, 2, 0, 0]), [[1, 5, 5, 1]], [1, 3, 3, 1]),
      [
        `QuantizedPad_8(${X} y/node/pads y/node/pad_value)`,
        "QuantizedMaxPool_8/2(y/node/padded y/node/pad:1 y/node/pad:2 y/node/window y/node/strides)",
      ],
    ],
    [
      "average",
      one("Pooling", pool([1, 1, 1, 1], { pooling_type: POOLING.AVG }), [[1, 5, 5, 1]], [1, 3, 3, 1]),
      [`QuantizedAvgPool_8/1(${X} y/node/window y/node/strides)`],
    ],
    [
      "average that counts its padding",
      one(
        "Pooling",
        pool([1, 1, 1, 1], { pooling_type: POOLING.AVG, count_include_pad: 1 }),
        [[1, 5, 5, 1]],
        [1, 3, 3, 1],
      ),
      [
        `QuantizedPad_8(${X} y/node/pads y/node/pad_value)`,
        "QuantizedAvgPool_8/2(y/node/padded y/node/pad:1 y/node/pad:2 y/node/window y/node/strides)",
      ],
    ],
    [
      "average of the image",
      one("Pooling", pool([0, 0, 0, 0], { pooling_type: POOLING.AVG }), [[1, 3, 3, 1]], [1, 1, 1, 1]),
      [`QuantizedMean_8(${X} y/node/axes ${D})`],
    ],
    [
      "mean",
      one("Reduce", { reduce_type: REDUCE.MEAN, axis: [1, 2], keepdims: 1 }, [[1, 3, 3, 2]], [1, 1, 1, 2]),
      [`QuantizedMean_8(${X} y/node/axes ${D})`],
    ],
    [
      "mean without its axes",
      one("Reduce", { reduce_type: REDUCE.MEAN, axis: [1, 2], keepdims: 0 }, [[2, 3, 3, 2]], [2, 2]),
      [
        `QuantizedMean_8(${X} y/node/axes ${D})`,
        "QuantizedReshape(y/quantized/kept y/node/reshape/shape y/node:1 y/node:2)",
      ],
    ],
    [
      "mean that no factor below 1 gives",
      one("Reduce", { reduce_type: REDUCE.MEAN, axis: [0], keepdims: 1 }, [[1, 4]], [1, 4], {}, { y: [0, 0.1] }),
      [`QuantizedMean_8(${X} y/node/axes ${D})`],
    ],
    [
      "sum with a constant",
      one("Eltwise", { type: ELTWISE.SUM }, [[1, 2, 2, 2]], [1, 2, 2, 2], { c: [2] }),
      [`QuantizedAdd_8p8to8(x/quantized c mace_input_node:1 mace_input_node:2 c/min c/max ${D})`],
    ],
    [
      "product, clamped",
      one("Eltwise", { type: ELTWISE.PROD, activation: "RELUX", max_limit: 0.5 }, [[2], [2]], [2]),
      [
        "QuantizedMul_8x8to8(x/quantized x2/quantized mace_input_node:1 mace_input_node:2 mace_input_node:4 mace_input_node:5)",
        "QuantizedReluX_8(y/quantized/unclamped y/node:1 y/node:2 y/node/limit)",
      ],
    ],
    [
      "difference, maximum",
      one("Eltwise", { type: ELTWISE.MAX }, [[2], [2]], [2]),
      [
        `QuantizedMaximum_8(x/quantized x2/quantized mace_input_node:1 mace_input_node:2 mace_input_node:4 mace_input_node:5 ${D})`,
      ],
    ],
    [
      "slope behind the range",
      one("Activation", { activation: "LEAKYRELU", activation_coefficient: 0.1 }, [[1, 4]], [1, 4]),
      [`QuantizedPRelu_8(${X} y/node/activation_coefficient)`],
    ],
    [
      "clip",
      one("Activation", { activation: "CLIP", min_limit: -0.5, max_limit: 0.5 }, [[1, 4]], [1, 4]),
      [`QuantizedClamp_8(${X} y/node/min_limit y/node/max_limit)`],
    ],
    ["sigmoid", one("Activation", { activation: "SIGMOID" }, [[1, 4]], [1, 4]), [`QuantizedSigmoid_8(${X})`]],
    ["softmax", one("Softmax", {}, [[1, 4]], [1, 4]), [`QuantizedSoftmax_8(${X})`]],
    [
      "transpose",
      one("Transpose", { dims: [1, 0] }, [[2, 3]], [3, 2]),
      ["Transpose_8(x/quantized y/node/dims mace_input_node:1 mace_input_node:2)"],
    ],
    [
      "concat",
      one(
        "Concat",
        { axis: 1 },
        [
          [1, 2],
          [1, 3],
        ],
        [1, 5],
      ),
      [
        "QuantizedConcat_8(y/node/axis x/quantized x2/quantized mace_input_node:1 mace_input_node:4 mace_input_node:2 mace_input_node:5)",
      ],
    ],
    [
      "pad",
      one("Pad", { paddings: [0, 0, 1, 2] }, [[1, 2]], [1, 5]),
      [`QuantizedPad_8(${X} y/node/paddings y/node/constant_value)`],
    ],
    [
      "depth to space",
      one("DepthToSpace", { block_size: 2 }, [[1, 2, 2, 4]], [1, 4, 4, 1]),
      ["DepthToSpace_8(x/quantized y/node/block_size mace_input_node:1 mace_input_node:2)"],
    ],
    [
      "space to batch",
      one("SpaceToBatchND", { block_shape: [2, 2] }, [[1, 2, 2, 4]], [4, 1, 1, 4]),
      ["SpaceToBatchND_8(x/quantized y/node/block_shape y/node/pads mace_input_node:1 mace_input_node:2)"],
    ],
    [
      "resize",
      one("ResizeBilinear", {}, [[1, 2, 2, 4]], [1, 4, 4, 4]),
      ["QuantizedResizeBilinear_8(x/quantized y/node/size mace_input_node:1 mace_input_node:2 y/node/align_corners)"],
    ],
  ];
  for (const [name, graph, expected] of cases) {
    for (const node of computing(graph)) assert.equal(HEXAGON.refuse(graph, node), undefined, name);
    assert.deepEqual(nodesOf(HEXAGON.lower(graph)), expected, name);
  }
});

test("a mean has steps that a factor below 1 gives", () => {
  const top = (y: readonly [number, number]): number => {
    const attributes = { reduce_type: REDUCE.MEAN, axis: [1], keepdims: 1 };
    return (
      numbers(constant(HEXAGON.lower(one("Reduce", attributes, [[1, 4]], [1, 1], {}, { y })), "y/quantized/max"))[0] ??
      0
    );
  };
  // The input's range is 2.5 wide, of four numbers.
  assert.equal(top([0, 1]), 1);
  assert.ok(Math.abs(top([0, 0.1]) - (1.0001 * 2.5) / 4) < 1e-6, String(top([0, 0.1])));
});

test("activations that the ends of the codes do not do become nodes", () => {
  const conv = (activation: Attributes, range: readonly [number, number]): string[] => {
    const graph = one(
      "Conv2D",
      { ...CONV, ...activation },
      [[1, 2, 2, 1]],
      [1, 2, 2, 1],
      { w: [1, 1, 1, 1] },
      { y: range },
    );
    const net = HEXAGON.lower(graph);
    const limit = net.constants.find((c) => c.name === "y/node/limit");
    return [...nodesOf(net).map((text) => text.replace(/[/(].*/, "")), ...(limit ? [String(numbers(limit)[0])] : [])];
  };
  assert.deepEqual(conv({ activation: "RELU" }, [0, 3]), ["Supernode_8x8p32to8"]);
  assert.deepEqual(conv({ activation: "RELU" }, [-1, 3]), ["Supernode_8x8p32to8", "QuantizedRelu_8"]);
  assert.deepEqual(conv({ activation: "RELUX", max_limit: 6 }, [0, 6]), ["Supernode_8x8p32to8"]);
  assert.deepEqual(conv({ activation: "RELUX", max_limit: 6 }, [0, 3]), ["Supernode_8x8p32to8"]);
  assert.deepEqual(conv({ activation: "RELUX", max_limit: 1 }, [0, 255]), [
    "Supernode_8x8p32to8",
    "QuantizedReluX_8",
    "1",
  ]);
  // The limit is the real value of a code, not 1.2.
  assert.deepEqual(conv({ activation: "RELUX", max_limit: 1.2 }, [0, 255]).at(-1), "1");
});

test("parts: equal ones are one node, whose range is behind the last; others are slices", () => {
  const split = (sizes: readonly number[]): LoweredNet => {
    const total = sizes.reduce((a, b) => a + b, 0);
    const outputs = Object.fromEntries(sizes.map((size, i) => [`p${i}`, [1, size]]));
    const names = Object.keys(outputs);
    const graph = sketchGraph(
      { x: [1, total] },
      {},
      [{ type: "Split", inputs: ["x"], outputs, attributes: { axis: 1 } }],
      names,
    );
    return HEXAGON.lower(quantized(graph));
  };
  const equal = split([2, 2, 2]);
  assert.deepEqual(nodesOf(equal), ["QuantizedSplit_8(p0/node/axis x/quantized mace_input_node:1 mace_input_node:2)"]);
  assert.deepEqual(equal.ops[1]?.outputType, [2, 2, 2, 1, 1]);
  assert.deepEqual(
    equal.ops.at(-1)?.nodeInput.map((i) => i.outputPort),
    [0, 3, 4, 1, 3, 4, 2, 3, 4],
  );
  const uneven = split([1, 3]);
  assert.deepEqual(
    uneven.ops.slice(1, -1).map((op) => op.type),
    ["QuantizedStridedSlice_8", "QuantizedStridedSlice_8"],
  );
  assert.deepEqual(numbers(constant(uneven, "p0/node/1/begin")), [0, 1]);
});

test("a tensor that is read twice is converted once, one that nothing reads keeps its place", () => {
  const graph = sketchGraph(
    { a: [2], unread: [3], b: [2] },
    {},
    [
      { type: "Eltwise", inputs: ["a", "a"], outputs: { y: [2] }, attributes: { type: ELTWISE.SUM } },
      { type: "Eltwise", inputs: ["y", "b"], outputs: { z: [2] }, attributes: { type: ELTWISE.SUM } },
    ],
    ["z", "y"],
  );
  const net = HEXAGON.lower(quantized(graph));
  assert.deepEqual(
    net.inputs.map((i) => i.name),
    ["a", "unread", "b"],
  );
  assert.deepEqual(
    net.outputs.map((o) => o.name),
    ["z", "y"],
  );
  assert.equal(net.ops[0]?.outputShape.length, 9);
  const second = net.ops[2];
  assert.deepEqual(
    second?.nodeInput.slice(0, 2).map((i) => i.outputPort),
    [0, 6],
  );
});

test("what nnlib cannot take is refused, with the reason and what to do", () => {
  const conv = (more: Attributes, x: Shape = [1, 8, 8, 2], y: Shape = [1, 4, 4, 2], w: Shape = [2, 3, 3, 2]): Graph =>
    one("Conv2D", { ...CONV, ...more }, [x], y, { w });
  const resize = (type: string, more: Attributes): Graph => one(type, more, [[1, 2, 2, 1]], [1, 4, 4, 1]);
  const average = (more: Attributes, x: Shape, y: Shape): Graph =>
    one("Pooling", { pooling_type: POOLING.AVG, strides: [1, 1], pads: [0, 0, 0, 0], ...more }, [x], y);
  const TINY = { x: [0, 1e-17], x2: [0, 1e-17], y: [0, 1] } as const;
  const cases: [string, Graph, RegExp][] = [
    ["MQ601", one("Tile", { multiples: [1, 2] }, [[1, 4]], [1, 8]), /has no Tile/],
    [
      "MQ601",
      one(
        "MatMul",
        {},
        [
          [2, 2],
          [2, 2],
        ],
        [2, 2],
      ),
      /has no MatMul/,
    ],
    ["MQ602", one("Transpose", { dims: [0, 1, 2, 4, 3] }, [[1, 1, 2, 2, 3]], [1, 1, 2, 3, 2]), /rank 5/],
    ["MQ603", conv({ dilations: [2, 2] }), /Conv2D with dilations 2,2/],
    ["MQ603", conv({ group: 2 }, [1, 6, 6, 4]), /group 2/],
    [
      "MQ603",
      one("DepthwiseConv2d", { strides: [3, 3] }, [[1, 9, 9, 1]], [1, 3, 3, 1], { w: [3, 3, 1, 1] }),
      /strides 3,3/,
    ],
    [
      "MQ603",
      one("DepthwiseConv2d", { dilations: [2, 2] }, [[1, 5, 5, 1]], [1, 1, 1, 1], { w: [3, 3, 1, 1] }),
      /dilations 2,2/,
    ],
    ["MQ603", one("Deconv2D", { strides: [2, 2] }, [[1, 2, 2, 1]], [1, 6, 6, 1], { w: [1, 3, 3, 1] }), /pads 0,0,0,0/],
    ["MQ603", one("Deconv2D", { group: 2 }, [[1, 2, 2, 2]], [1, 4, 4, 2], { w: [2, 3, 3, 1] }), /group 2/],
    ["MQ603", one("Reduce", { reduce_type: REDUCE.MAX, axis: [1] }, [[1, 4]], [1, 1]), /reduce_type 2/],
    ["MQ603", one("StridedSlice", { begin: [0, 3], end: [1, -1], strides: [1, -1] }, [[1, 4]], [1, 4]), /end 1,-1/],
    ["MQ603", one("Pad", { paddings: [0, 0, 1, 1], pad_type: 1 }, [[1, 4]], [1, 6]), /pad_type 1/],
    ["MQ603", resize("ResizeBilinear", { coordinate_mode: "half_pixel" }), /coordinate_mode half_pixel/],
    ["MQ603", resize("ResizeBilinear", { scales: [2, 2] }), /scales 2,2/],
    ["MQ603", resize("ResizeNearestNeighbor", { nearest_mode: "ceil" }), /nearest_mode ceil/],
    [
      "MQ603",
      one("ResizeBilinear", { coordinate_mode: "align_corners" }, [[1, 2, 2, 1]], [1, 1, 1, 1]),
      /align_corners/,
    ],
    ["MQ603", one("DepthToSpace", { block_size: 2, mode: "CRD" }, [[1, 1, 1, 4]], [1, 2, 2, 1]), /mode CRD/],
    ["MQ603", one("SpaceToDepth", { block_size: 2, mode: "CRD" }, [[1, 2, 2, 1]], [1, 1, 1, 4]), /mode CRD/],
    [
      "MQ603",
      one("Activation", { activation: "LEAKYRELU", activation_coefficient: 2 }, [[4]], [4]),
      /activation_coefficient 2/,
    ],
    [
      "MQ603",
      one("Pooling", { pooling_type: POOLING.MAX, kernels: [2, 2], dilations: [2, 2] }, [[1, 3, 3, 1]], [1, 1, 1, 1]),
      /dilations/,
    ],
    ["MQ604", average({ kernels: [17, 16] }, [1, 20, 20, 1], [1, 4, 5, 1]), /272 cells/],
    ["MQ604", average({ kernels: [3, 3], pads: [2, 2, 0, 0] }, [1, 4, 4, 1], [1, 4, 4, 1]), /pads 2,2,0,0/],
    [
      "MQ604",
      average(
        { kernels: [3, 3], strides: [2, 2], pads: [1, 1, 0, 0], count_include_pad: 1, round_mode: 1 },
        [1, 5, 5, 1],
        [1, 3, 3, 1],
      ),
      /leaves the counted padding/,
    ],
    ["MQ603", one("Activation", { activation: "PRELU" }, [[1, 4]], [1, 4], { k: [4] }), /PRELU/],
    ["MQ603", one("Activation", { activation: "SQRT" }, [[1, 4]], [1, 4]), /SQRT/],
    ["MQ605", one("Activation", { activation: "GELU" }, [[4]], [4]), /GELU/],
    ["MQ606", one("Eltwise", { type: ELTWISE.SUM }, [[2], [2]], [2], {}, { y: [0, 1e-5] }), /too far apart/],
    ["MQ606", one("Eltwise", { type: ELTWISE.MIN }, [[2], [2]], [2], {}, { y: [0, 0.01] }), /too far apart/],
    ["MQ603", one("Softmax", { log: 1 }, [[1, 4]], [1, 4]), /log 1/],
    [
      "MQ603",
      one("Deconv2D", { dilations: [2, 2] }, [[1, 2, 2, 1]], [1, 4, 4, 1], { w: [1, 2, 2, 1] }),
      /dilations 2,2/,
    ],
    ["MQ603", one("Eltwise", { type: ELTWISE.POW }, [[2], [2]], [2]), /type 9/],
    ["MQ660", one("Eltwise", { type: ELTWISE.DIV }, [[2], [2]], [2]), /is float/],
    [
      "MQ607",
      one("Activation", { activation: "RECIPROCAL" }, [[1, 4]], [1, 4]),
      /by 'x\/quantized', whose codes are -1.00 … 1.50/,
    ],
    ["MQ606", one("Eltwise", { type: ELTWISE.PROD }, [[2], [2]], [2], {}, TINY), /too far apart/],
    ["MQ606", one("FullyConnected", {}, [[1, 2]], [1, 2], { w: [2, 2] }, { y: [0, 1e-9] }), /too far apart/],
  ];
  for (const [code, graph, message] of cases) {
    const [node] = computing(graph);
    assert.ok(node);
    const refusal = HEXAGON.refuse(graph, node);
    assert.equal(refusal?.code, code, `${message}`);
    assert.match(refusal.message, message);
    assert.equal(refusal.place.node, node.name);
    assert.ok(refusal.cause && refusal.fixes.length >= 1);
  }
});

test("a node that stays float is refused with why it does", () => {
  const graph = one("Eltwise", { type: ELTWISE.DIV }, [[2], [2]], [2]);
  assert.throws(
    () => partition(graph, HEXAGON, false),
    (error) => {
      assert.ok(error instanceof UserError);
      const [refused] = error.diagnostics;
      assert.equal(refused?.code, "MQ660");
      assert.ok(refused.cause, "why");
      return JSON.stringify(refused.fixes).includes("--fallback cpu");
    },
  );
  assert.deepEqual(
    partition(graph, HEXAGON, true).parts.map(({ runtime }) => runtime),
    ["cpu"],
  );
});

test("every operator that nnlib lacks is refused by its name", () => {
  const graph = one("Reshape", {}, [[1, 4]], [4]);
  for (const type of Object.keys(OPERATORS)) {
    const known = type === "Quantize" || type === "Dequantize" || Object.hasOwn(HEXAGON.operators, type);
    if (known) continue;
    const refusal = HEXAGON.refuse(graph, { type, name: "n", inputs: [], outputs: [], attributes: {} });
    assert.equal(refusal?.code, "MQ601", type);
    assert.ok(refusal.message.includes(type) && refusal.place.node === "n", refusal.message);
    assert.ok(JSON.stringify(refusal.fixes).includes("--fallback cpu"), JSON.stringify(refusal.fixes));
  }
});

test("slopes come back from tables as far as the tables know them", () => {
  const grids: [number, number][] = [
    [-3, 5],
    [-100, 1],
    [-0.5, 200],
    [0, 1],
    [-7, 0],
  ];
  for (const [min, max] of grids) {
    for (const factor of [1, 0.3, 0.01]) {
      const input = activationParameters(min, max, "uint8");
      const output = activationParameters(min * factor, max, "uint8");
      const slopes = [0, 0.01, 0.1, 0.25, 0.5, 0.9, 1];
      const tables = slopes.flatMap((k) => [...activationTable((x) => (x < 0 ? k * x : x), input, output, "uint8")]);
      const found = slopesOf(Uint8Array.from(tables), input, output);
      assert.ok(found, `${min} ${max} ${factor}`);
      found.forEach((slope, i) => {
        const again = activationTable((x) => (x < 0 ? slope * x : x), input, output, "uint8");
        const worst = Array.from(again).reduce(
          (most, q, k) => Math.max(most, Math.abs(q - (tables[256 * i + k] ?? -999))),
          0,
        );
        assert.ok(worst <= 1, `${slopes[i]} came back as ${slope}: ${worst} codes`);
        assert.ok(slope >= 0 && slope <= 1);
      });
    }
  }
  const grid = activationParameters(-1, 1, "uint8");
  for (const k of [-0.5, 1.5]) {
    const wide = activationParameters(-2, 2, "uint8");
    assert.equal(
      slopesOf(Uint8Array.from(activationTable((x) => (x < 0 ? k * x : x), grid, wide, "uint8")), grid, wide),
      undefined,
    );
  }
});

test("a constant to pad with needs a range that is known", () => {
  const behind = (type: number): Graph =>
    quantized(
      sketchGraph(
        { a: [1, 2], b: [1, 2] },
        {},
        [
          { type: "Eltwise", inputs: ["a", "b"], outputs: { c: [1, 2] }, attributes: { type } },
          { type: "Reshape", inputs: ["c"], outputs: { d: [2, 1] } },
          {
            type: "Pad",
            inputs: ["d"],
            outputs: { y: [2, 3] },
            attributes: { paddings: [0, 0, 1, 1], constant_value: 1 },
          },
        ],
        ["y"],
      ),
    );
  const refusalOfPad = (graph: Graph) => HEXAGON.refuse(graph, computing(graph)[2] as GraphNode);
  assert.equal(refusalOfPad(behind(ELTWISE.SUM)), undefined);
  assert.equal(refusalOfPad(behind(ELTWISE.PROD))?.code, "MQ603");
});

test("the operators of the back end are canonical ones that have 8-bit kernels, or have them on the device alone", () => {
  for (const type of Object.keys(HEXAGON.operators)) {
    const alone = HEXAGON.computesOnCodes?.({ type, name: "n", inputs: [], outputs: [], attributes: { type: 0 } });
    assert.equal(OPERATORS[type]?.kernels.uint8, !alone, type);
  }
});

/** Sketches of a node `y` that the CPU has for float32 alone, and of one behind it that makes it codes. */
function island(
  type: string,
  attributes: Attributes,
  given: Readonly<Record<string, readonly [shape: Shape, range: readonly [number, number]]>>,
  shape: Shape,
  inputs: readonly string[] = Object.keys(given),
  constants: Parameters<typeof sketchGraph>[1] = {},
): Graph {
  const shapes = Object.fromEntries(Object.entries(given).map(([name, [own]]) => [name, own]));
  const graph = sketchGraph(
    shapes,
    constants,
    [
      { type, inputs, outputs: { y: shape }, attributes },
      { type: "Activation", inputs: ["y"], outputs: { z: shape }, attributes: { activation: "RELU" } },
    ],
    ["z"],
  );
  return quantized(graph, Object.fromEntries(Object.entries(given).map(([name, [, range]]) => [name, range])));
}

const DIV: Attributes = { type: ELTWISE.DIV };
const IMAGE: Shape = [1, 3, 3, 4];

test("quotients: the divisor stays a step away from 0", () => {
  const graph = island("Eltwise", DIV, { a: [IMAGE, [-1, 1]], b: [[4], [0.5, 2.55]] }, IMAGE);
  const [part, ...others] = partition(graph, HEXAGON, false).parts;
  assert.ok(part && others.length === 0);
  const net = HEXAGON.lower(part.graph);
  const b = "b/quantized mace_input_node:4 mace_input_node:5";
  assert.deepEqual(nodesOf(net), [
    `QuantizedClamp_8(${b} y/node/least y/node/greatest)`,
    "QuantizedDiv_8(a/quantized y/node/divisor mace_input_node:1 mace_input_node:2 y/node/clamp:1 y/node/clamp:2 " +
      "y/quantized/min y/quantized/max)",
    "QuantizedRelu_8(y/quantized y/node:1 y/node:2)",
  ]);
  const scale = Math.fround(0.01);
  assert.deepEqual(numbers(constant(net, "y/node/least")), [scale]);
  assert.deepEqual(numbers(constant(net, "y/node/greatest")), [Math.fround(255 * scale)]);
});

test("reciprocals: the divisor ends where the output's codes do", () => {
  const given = { b: [IMAGE, [-2.55, -0.1]] } as const;
  const inverse = (numerator: number, range: readonly [number, number]): LoweredNet => {
    const constants = { one: { shape: [1], data: [numerator] } };
    const graph = island("Eltwise", DIV, { ...given }, IMAGE, ["one", "b"], constants);
    // Of the output: the codes of the graph say how far the device has to go.
    const quant = activationParameters(...range, "uint8");
    const tensor = graph.tensors.get("y/quantized");
    assert.ok(tensor);
    tensor.quant = { scales: [quant.scale], zeroPoint: quant.zeroPoint, axis: null };
    const [part] = partition(graph, HEXAGON, false).parts;
    assert.ok(part);
    return HEXAGON.lower(part.graph);
  };
  const net = inverse(1, [-10, 0]);
  assert.deepEqual(
    net.ops.map(({ type }) => type),
    [
      ...["QuantizeINPUT_f_to_8", "QuantizedClamp_8", "QuantizedRecip_8"],
      ...["QuantizedRelu_8", "DequantizeOUTPUT_8tof"],
    ],
  );
  // 1 / 10 in steps of 0.01, of the negative side.
  const scale = Math.fround(0.01);
  assert.deepEqual(numbers(constant(net, "y/node/least")), [Math.fround(-255 * scale)]);
  assert.deepEqual(numbers(constant(net, "y/node/greatest")), [Math.fround(-10 * scale)]);
  // By another number: codes stay, the range is scaled.
  const product = inverse(-3, [0, 6]);
  assert.deepEqual(nodesOf(product).slice(1, 3), [
    "QuantizedRecip_8(y/node/divisor y/node/clamp:1 y/node/clamp:2)",
    "QuantizedMul_8x8to8(y/quantized/reciprocal one/quantized y/node/reciprocal:1 y/node/reciprocal:2 " +
      "one/quantized/min one/quantized/max)",
  ]);
  assert.deepEqual(numbers(constant(product, "y/node/greatest")), [Math.fround(-50 * scale)]);
});

test("what a user keeps float stays so", () => {
  const graph = island("MVN", { axis: [1, 2] }, { x: [IMAGE, [-20, 20]] }, IMAGE);
  const [norm] = graph.nodes.filter(({ type }) => type === "MVN");
  assert.ok(norm?.why, "why it is float");
  const kept = { ...graph, nodes: graph.nodes.map((n) => (n === norm ? { ...n, why: "the user keeps it float" } : n)) };
  const { parts, refused } = partition(kept, HEXAGON, true);
  assert.deepEqual(
    refused.map(({ code, cause }) => [code, cause]),
    [["MQ660", "the user keeps it float"]],
  );
  assert.ok(parts.some(({ runtime }) => runtime === "cpu"));
});

test("an island keeps its float form for whoever reads it", () => {
  const graph = island("MVN", { axis: [1, 2] }, { x: [IMAGE, [-20, 20]] }, IMAGE);
  graph.outputs = [...graph.outputs, { tensor: "y", format: "NHWC" }];
  const before = JSON.stringify(graph.nodes);
  const { parts, refused } = partition(graph, HEXAGON, false);
  assert.equal(JSON.stringify(graph.nodes), before, "the graph is not changed");
  assert.deepEqual(refused, []);
  const [part, ...others] = parts;
  assert.ok(part && others.length === 0);
  const net = HEXAGON.lower(part.graph);
  assert.deepEqual(
    net.outputs.map(({ name }) => name),
    ["z", "y"],
  );
  assert.deepEqual(nodesOf(net), [
    "QuantizedInstanceNorm_8(x/quantized mace_input_node:1 mace_input_node:2)",
    "QuantizedRelu_8(y/quantized y/node:1 y/node:2)",
  ]);
});

test("islands that nnlib cannot take stay float, with the reason", () => {
  const wide = [IMAGE, [-1, 1]] as const;
  const norm = (attributes: Attributes, range: readonly [number, number] = [-20, 20]): Graph =>
    island("MVN", { axis: [1, 2], ...attributes }, { x: [IMAGE, range] }, IMAGE);
  const factors = (data: readonly number[]) => ({
    s: { shape: [4], data: [1, 1, 1, 1] },
    b: { shape: [4], data },
  });
  const cases: [string, Graph, RegExp][] = [
    [
      "MQ607",
      island("Eltwise", DIV, { a: wide, b: [[4], [-1, 1]] }, IMAGE),
      /'b\/quantized', whose codes are -0.996 … 1.00/,
    ],
    ["MQ603", island("Eltwise", DIV, { a: wide, b: [IMAGE, [1, 2]] }, IMAGE), /divisor of shape 1,3,3,4/],
    ["MQ603", island("Eltwise", DIV, { a: [[1], [1, 2]], b: [[4], [1, 2]] }, [4]), /divisor of shape 1,1,1,4/],
    [
      "MQ607",
      island("Eltwise", DIV, { a: wide }, IMAGE, ["a", "b"], { b: { shape: [4], data: [1, 0, 1, 1] } }),
      /Eltwise by 'b\/quantized'/,
    ],
    ["MQ603", norm({ axis: [1, 2, 3] }), /axis 1,2,3/],
    ["MQ603", norm({ normalize_variance: 0 }), /normalize_variance 0/],
    ["MQ603", norm({ epsilon: 1 }), /epsilon 1/],
    ["MQ603", norm({ epsilon: 0.01, epsilon_outside: 1 }, [-1, 1]), /epsilon 0.01/],
    [
      "MQ606",
      island(
        "BatchNorm",
        {},
        {
          x: [
            [9, 4],
            [0, 1e-4],
          ],
        },
        [9, 4],
        ["x", "s", "b"],
        factors([1e4, 0, 0, 0]),
      ),
      /too far apart/,
    ],
    [
      "MQ606",
      island(
        "BatchNorm",
        {},
        {
          x: [
            [9, 4],
            [0, 1e6],
          ],
        },
        [9, 4],
        ["x", "s", "b"],
        factors([0, 0, 0, 0]),
      ),
      /too far apart/,
    ],
    // Nothing makes it codes behind.
    ["MQ660", one("Eltwise", DIV, [[4], [4]], [4], {}, { x2: [1, 2] }), /is float/],
  ];
  for (const [code, graph, message] of cases) {
    assert.throws(
      () => partition(graph, HEXAGON, false),
      (error) => {
        assert.ok(error instanceof UserError);
        const [refused] = error.diagnostics;
        assert.equal(refused?.code, code, `${message}: ${refused?.message}`);
        assert.match(refused.message, message);
        return refused.place.node === "y/node" && JSON.stringify(refused.fixes).includes("--fallback cpu");
      },
    );
    const { parts, refused } = partition(graph, HEXAGON, true);
    assert.ok(parts.some(({ runtime }) => runtime === "cpu"));
    assert.equal(refused[0]?.code, code);
  }
});

test("a divisor's range is known through what keeps it, and through means", () => {
  type Sketch = Parameters<typeof sketchGraph>[2][number];
  const behind = (node: Sketch, b: Shape = [1, 4, 4, 4], range: readonly [number, number] = [0, 2]): string[] => {
    const graph = sketchGraph(
      { a: IMAGE, b },
      {},
      [
        node,
        { type: "Eltwise", inputs: ["a", "d"], outputs: { y: IMAGE }, attributes: DIV },
        { type: "Activation", inputs: ["y"], outputs: { z: IMAGE }, attributes: { activation: "RELU" } },
      ],
      ["z"],
    );
    const { parts, refused } = partition(quantized(graph, { b: range, d: [0, 1e-4] }), HEXAGON, true);
    if (refused.length > 0) return refused.map(({ code }) => code);
    return (parts[0] ? HEXAGON.lower(parts[0].graph).ops : []).map(({ type = "" }) => type).slice(1, -1);
  };
  const reduce = { type: "Reduce", inputs: ["b"], outputs: { d: [1, 1, 1, 4] } };
  const division = ["QuantizedClamp_8", "QuantizedDiv_8", "QuantizedRelu_8"];
  assert.deepEqual(behind({ ...reduce, attributes: { reduce_type: REDUCE.MEAN, axis: [1, 2] } }), [
    "QuantizedMean_8",
    ...division,
  ]);
  const pool = { type: "Pooling", inputs: ["b"], outputs: { d: [1, 1, 1, 4] } };
  const kernels = { kernels: [4, 4], strides: [1, 1] };
  assert.deepEqual(behind({ ...pool, attributes: { pooling_type: POOLING.MAX, ...kernels } }), [
    "QuantizedMaxPool_8",
    ...division,
  ]);
  assert.deepEqual(behind({ ...pool, attributes: { pooling_type: POOLING.AVG, ...kernels } }), [
    "QuantizedMean_8",
    ...division,
  ]);
  assert.deepEqual(behind({ ...reduce, attributes: { reduce_type: REDUCE.SUM, axis: [1, 2] } }), ["MQ603", "MQ607"]);
  // Codes of a function are those of its input: on both sides of 0, with values on one.
  const relu = { type: "Activation", inputs: ["b"], outputs: { d: [4] }, attributes: { activation: "RELU" } };
  assert.deepEqual(behind(relu, [4], [-1, 2]), ["QuantizedRelu_8", ...division]);
  assert.deepEqual(behind(relu, [4], [-1, 0]), ["MQ607"]);
  const square = { type: "Eltwise", inputs: ["b", "b"], outputs: { d: [4] }, attributes: { type: ELTWISE.PROD } };
  assert.deepEqual(behind(square, [4]), ["MQ607"]);
});
