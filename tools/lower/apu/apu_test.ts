import assert from "node:assert/strict";
import { test } from "node:test";
import {
  APU_VERSIONS,
  type ApuVersion,
  type AttributeValue,
  type Graph,
  type GraphNode,
  NEWEST_APU,
} from "../../ir/graph";
import { ELTWISE, OPERATORS, PAD, POOLING, REDUCE } from "../../ir/operators";
import { sketchGraph } from "../../quantize/fixture";
import { DEFAULT_SETTINGS, quantizeModel } from "../../quantize/quantize-model";
import type { LoweredNet } from "../net";
import { APU, apuOf } from "./apu";

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
  const all = new Map([...names, "y"].map((name) => [name, [...(ranges[name] ?? [-1, 1.5])] as [number, number]]));
  const settings = { ...DEFAULT_SETTINGS, scheme: "uint8", preciseOutputs: false };
  return quantizeModel(graph, settings, { ranges: all, rangesName: "test" }).graph;
}

const ops = (net: LoweredNet): string[] => net.ops.map(({ type, input }) => `${type}(${input.join(" ")})`);

function ints(net: LoweredNet, name: string): number[] {
  const data = net.constants.find((c) => c.name === name)?.data;
  assert.ok(data, name);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Array.from({ length: data.byteLength / 4 }, (_, i) => view.getInt32(4 * i, true));
}

const CONV: Attributes = { strides: [1, 2], pads: [1, 0, 1, 0] };

test("a convolution has its numbers as constants, a bias always, and ports for operands", () => {
  const net = APU.lower(one("Conv2D", CONV, [[1, 4, 4, 2]], [1, 4, 1, 3], { w: [3, 3, 3, 2] }));
  assert.deepEqual(ops(net), ["Conv2D(x w y/node/bias y/node/strides y/node/paddings y/node/dilations)"]);
  assert.deepEqual(ints(net, "y/node/bias"), [0, 0, 0]);
  assert.deepEqual(ints(net, "y/node/strides"), [1, 2]);
  assert.deepEqual(ints(net, "y/node/paddings"), [1, 1, 0, 0]);
  assert.deepEqual(ints(net, "y/node/dilations"), [1, 1]);
  assert.deepEqual(net.ops[0]?.output, ["y"]);
  const { scale = 0, zeroPoint } = net.ops[0]?.quantizeInfo[0] ?? {};
  assert.deepEqual([net.outputs[0]?.scale, net.outputs[0]?.zeroPoint], [scale, zeroPoint]);
  const bias = net.constants.find((c) => c.name === "y/node/bias");
  const filter = net.constants.find((c) => c.name === "w");
  assert.equal(bias?.scale, Math.fround((net.inputs[0]?.scale ?? 0) * (filter?.scale ?? 0)));
});

test("outputs of functions have the device's grid", () => {
  const grid = (attributes: Attributes): unknown => {
    const net = APU.lower(one("Activation", attributes, [[1, 2, 2, 3]], [1, 2, 2, 3]));
    return [net.outputs[0]?.scale, net.outputs[0]?.zeroPoint];
  };
  assert.deepEqual(grid({ activation: "SIGMOID" }), [1 / 256, 0]);
  assert.deepEqual(grid({ activation: "TANH" }), [1 / 128, 128]);
});

test("probabilities have the device's grid", () => {
  const net = APU.lower(one("Softmax", {}, [[1, 4]], [1, 4]));
  assert.deepEqual([net.outputs[0]?.scale, net.outputs[0]?.zeroPoint], [1 / 256, 0]);
  assert.deepEqual([net.ops[0]?.quantizeInfo[0]?.scale, net.ops[0]?.quantizeInfo[0]?.zeroPoint], [1 / 256, 0]);
});

test("slopes of PRELU are codes with a scale of their own", () => {
  const slope = { shape: [3], data: [0, 0.25, 0.5] };
  const sketch = {
    type: "Activation",
    inputs: ["x", "k"],
    outputs: { y: [1, 2, 2, 3] },
    attributes: { activation: "PRELU" },
  };
  const graph = sketchGraph({ x: [1, 2, 2, 3] }, { k: slope }, [sketch], ["y"]);
  const ranges = new Map(["x", "y"].map((name) => [name, [-1, 1] as [number, number]]));
  const settings = { ...DEFAULT_SETTINGS, scheme: "uint8" };
  const net = APU.lower(quantizeModel(graph, settings, { ranges, rangesName: "test" }).graph);
  const codes = net.constants.find((c) => c.name === "y/node/slope");
  assert.deepEqual(codes?.dims, [1, 1, 1, 3]);
  const real = Array.from(codes.data ?? [], (q) => q * (codes.scale ?? 0));
  // As far as the tables of 8-bit codes know them.
  for (const [i, k] of [0, 0.25, 0.5].entries()) assert.ok(Math.abs((real[i] ?? 9) - k) <= 0.005, String(real));
});

test("every operator that the APU lacks is refused by its name", () => {
  const graph = one("Reshape", {}, [[1, 4]], [4]);
  for (const type of Object.keys(OPERATORS)) {
    const known = type === "Quantize" || type === "Dequantize" || Object.hasOwn(APU.operators, type);
    if (known) continue;
    const refused = APU.refuse(graph, { type, name: "n", inputs: [], outputs: [], attributes: {} });
    assert.equal(refused?.code, "MQ630", type);
    assert.ok(refused.message.includes(type) && refused.place.node === "n", refused.message);
  }
});

/** The node that is neither Quantize nor Dequantize. */
const nodeOf = (graph: Graph): GraphNode =>
  graph.nodes.find(({ type }) => type !== "Quantize" && type !== "Dequantize") as GraphNode;

test("a version has what older ones have, and nets say for which they are", () => {
  for (const version of APU_VERSIONS) {
    const device = apuOf(version);
    for (const older of APU_VERSIONS.filter((v) => v < version)) {
      for (const type of Object.keys(apuOf(older).operators)) assert.ok(Object.hasOwn(device.operators, type), type);
    }
    const { args = [] } = device.lower(one("Reshape", {}, [[1, 4]], [4]));
    const expected = version === NEWEST_APU ? [] : [["apu_version", version]];
    assert.deepEqual(
      args.map(({ name, i }) => [name, i]),
      expected,
    );
  }
  assert.deepEqual(Object.keys(apuOf(1).operators).sort(), [
    "Concat",
    "Conv2D",
    "DepthwiseConv2d",
    "Eltwise",
    "FullyConnected",
    "Pooling",
    "Reduce",
    "Reshape",
    "ResizeBilinear",
    "Softmax",
  ]);
});

test("each limit of an older version is refused by name, with the newer version as a remedy", () => {
  const image: Shape = [1, 4, 4, 2];
  const sum = (type: number): Graph => one("Eltwise", { type }, [image, image], image);
  const pads = (paddings: readonly number[], output: Shape): Graph =>
    one("Pad", { paddings: [...paddings] }, [image], output);
  const act = (activation: string): Graph => one("Activation", { activation }, [image], image);
  const counted = {
    pooling_type: POOLING.AVG,
    kernels: [2, 2],
    strides: [1, 1],
    pads: [1, 1, 0, 0],
    count_include_pad: 1,
  };
  const slice = { begin: [0, 0, 0, 0], end: [1, 2, 4, 2], strides: [1, 1, 1, 1] };
  // The first version that takes the node.
  const cases: [ApuVersion, Graph, string, string][] = [
    [1, sum(ELTWISE.SUM), "", ""],
    [1, sum(ELTWISE.PROD), "", ""],
    [4, sum(ELTWISE.SUB), "MQ632", "type 1"],
    [4, sum(ELTWISE.MIN), "MQ632", "type 4"],
    [4, sum(ELTWISE.MAX), "MQ632", "type 5"],
    [2, act("RELU"), "MQ630", "Activation"],
    [2, act("TANH"), "MQ630", "Activation"],
    [4, act("HARDSWISH"), "", ""],
    [2, one("Deconv2D", { strides: [1, 1] }, [[1, 2, 2, 1]], [1, 3, 3, 1], { w: [1, 2, 2, 1] }), "MQ630", "Deconv2D"],
    [2, one("Pooling", counted, [image], image), "MQ632", "count_include_pad 1"],
    [1, one("Pooling", { ...counted, count_include_pad: 0 }, [image], image), "", ""],
    [2, pads([0, 0, 1, 1, 0, 2, 0, 0], [1, 6, 6, 2]), "MQ630", "Pad"],
    [4, pads([0, 0, 1, 1, 0, 0, 0, 1], [1, 6, 4, 3]), "", "Pad"],
    [4, one("Split", { axis: 3 }, [image], [1, 4, 4, 2]), "MQ630", "Split"],
    [4, one("StridedSlice", slice, [image], [1, 2, 4, 2]), "MQ630", "StridedSlice"],
    [4, one("Transpose", { dims: [0, 2, 1, 3] }, [image], image), "MQ630", "Transpose"],
    [1, one("ResizeBilinear", { coordinate_mode: "align_corners" }, [image], [1, 8, 8, 2]), "", ""],
    [4, one("ResizeBilinear", { coordinate_mode: "half_pixel" }, [image], [1, 8, 8, 2]), "MQ632", "half_pixel"],
    [
      4,
      one("ResizeNearestNeighbor", { coordinate_mode: "asymmetric", nearest_mode: "floor" }, [image], [1, 8, 8, 2]),
      "MQ630",
      "ResizeNearestNeighbor",
    ],
    [4, one("DepthToSpace", { block_size: 2 }, [[1, 2, 2, 4]], [1, 4, 4, 1]), "MQ630", "DepthToSpace"],
    [4, one("SpaceToDepth", { block_size: 2 }, [image], [1, 2, 2, 8]), "MQ630", "SpaceToDepth"],
    [1, one("FullyConnected", {}, [[1, 2]], [1, 2], { w: [2, 2] }), "", ""],
    [1, one("Softmax", {}, [[1, 4]], [1, 4]), "", ""],
    [1, one("Conv2D", { dilations: [2, 2] }, [image], [1, 2, 2, 1], { w: [1, 2, 2, 2] }), "", ""],
  ];
  for (const [since, graph, code, words] of cases) {
    const node = nodeOf(graph);
    for (const version of APU_VERSIONS) {
      const refused = apuOf(version).refuse(graph, node);
      const told = `${node.type} ${JSON.stringify(node.attributes)} on version ${version}`;
      assert.equal(refused === undefined, version >= since, told);
      if (!refused) continue;
      if (code !== "") assert.equal(refused.code, code, told);
      const text = JSON.stringify(refused);
      const named = [words, `MediaTek APU of version ${version}`, "--fallback cpu", "a higher --apu_version"];
      for (const part of named) assert.ok(text.includes(part), `${part}: ${text}`);
      assert.equal(refused.place.node, node.name);
    }
  }
  // What no version has is not to be had from a newer one.
  const grouped = one("Conv2D", { group: 2 }, [image], [1, 4, 4, 2], { w: [2, 1, 1, 1] });
  assert.ok(!JSON.stringify(apuOf(1).refuse(grouped, nodeOf(grouped))).includes("--apu_version"));
});

test("version 1 has a fully connected layer as a convolution of one cell", () => {
  const graph = one("FullyConnected", {}, [[2, 3]], [2, 4], { w: [4, 3] });
  const net = apuOf(1).lower(graph);
  assert.deepEqual(ops(net), [
    "Reshape(x y/node/cells/shape)",
    "Conv2D(x/cells w/ohwi y/node/bias y/node/strides y/node/paddings y/node/dilations)",
    "Reshape(y/cells y/node/reshape/shape)",
  ]);
  assert.deepEqual(ints(net, "y/node/cells/shape"), [2, 1, 1, 3]);
  assert.deepEqual(net.constants.find(({ name }) => name === "w/ohwi")?.dims, [4, 1, 1, 3]);
  for (const version of [2, 3, 4] as const) {
    assert.deepEqual(ops(apuOf(version).lower(graph)), ["FullyConnected(x w y/node/bias)"]);
  }
});

test("means of images are averages", () => {
  const mean = { reduce_type: REDUCE.MEAN, axis: [1, 2], keepdims: 0 };
  const net = APU.lower(one("Reduce", mean, [[1, 3, 5, 2]], [1, 2]));
  assert.deepEqual(
    net.ops.map(({ type }) => type),
    ["Pooling", "Reshape"],
  );
  assert.deepEqual(ints(net, "y/node/kernels"), [3, 5]);
});

test("refusals name node, rule and remedies", () => {
  const pool = { pooling_type: POOLING.AVG, kernels: [2, 2], strides: [1, 1] };
  const image: Shape = [1, 4, 4, 2];
  const cases: [string, Graph, string][] = [
    ["MQ630", one("SpaceToBatchND", { block_shape: [2, 2], paddings: [0, 0, 0, 0] }, [image], [4, 2, 2, 2]), "Space"],
    ["MQ631", one("Transpose", { dims: [4, 3, 2, 1, 0] }, [[1, 2, 1, 2, 3]], [3, 2, 1, 2, 1]), "rank 5"],
    ["MQ632", one("Conv2D", { group: 2 }, [image], [1, 4, 4, 2], { w: [2, 1, 1, 1] }), "group 2"],
    [
      "MQ632",
      one("Conv2D", { activation: "RELUX", max_limit: 1 }, [image], [1, 4, 4, 2], { w: [2, 1, 1, 2] }),
      "max_limit 1",
    ],
    ["MQ632", one("Pooling", { ...pool, dilations: [2, 2] }, [image], [1, 2, 2, 2]), "dilations 2,2"],
    ["MQ632", one("Reduce", { reduce_type: REDUCE.MAX, axis: [1, 2] }, [image], [1, 1, 1, 2]), "reduce_type 2"],
    ["MQ632", one("Eltwise", { type: ELTWISE.SQR_DIFF }, [image, image], image), "type 8"],
    ["MQ632", one("Activation", { activation: "RELUX", max_limit: 3 }, [image], image), "max_limit 3"],
    [
      "MQ632",
      one("Activation", { activation: "HARDSWISH", hardsigmoid_alpha: 0.2 }, [image], image),
      "hardsigmoid_alpha",
    ],
    ["MQ632", one("Activation", { activation: "LEAKYRELU" }, [image], image), "activation_coefficient 0"],
    [
      "MQ632",
      one("StridedSlice", { begin: [0, 3, 0, 0], end: [1, -1, 4, 2], strides: [1, -1, 1, 1] }, [image], image),
      "end 1,-1,4,2",
    ],
    [
      "MQ632",
      one("Pad", { paddings: [0, 0, 1, 1, 0, 0, 0, 0], pad_type: PAD.REFLECT }, [image], [1, 6, 4, 2]),
      "pad_type 1",
    ],
    [
      "MQ632",
      one("Pad", { paddings: [0, 0, 1, 1, 0, 0, 0, 0], constant_value: 1 }, [image], [1, 6, 4, 2]),
      "constant_value 1",
    ],
    [
      "MQ632",
      one("ResizeBilinear", { coordinate_mode: "pytorch_half_pixel" }, [image], [1, 8, 8, 2]),
      "coordinate_mode pytorch_half_pixel",
    ],
    [
      "MQ632",
      one("ResizeNearestNeighbor", { coordinate_mode: "asymmetric", nearest_mode: "ceil" }, [image], [1, 8, 8, 2]),
      "nearest_mode ceil",
    ],
    ["MQ632", one("DepthToSpace", { block_size: 2, mode: "CRD" }, [[1, 2, 2, 4]], [1, 4, 4, 1]), "mode CRD"],
    ["MQ632", one("SpaceToDepth", { block_size: 2, mode: "CRD" }, [image], [1, 2, 2, 8]), "mode CRD"],
    ["MQ632", one("Softmax", { log: 1 }, [[1, 4]], [1, 4]), "log 1"],
    ["MQ632", one("Deconv2D", { group: 2 }, [[1, 2, 2, 2]], [1, 4, 4, 2], { w: [2, 3, 3, 1] }), "group 2"],
    [
      "MQ632",
      one("Deconv2D", { dilations: [2, 2] }, [[1, 2, 2, 1]], [1, 4, 4, 1], { w: [1, 2, 2, 1] }),
      "dilations 2,2",
    ],
    ["MQ632", one("Deconv2D", { strides: [2, 2] }, [[1, 2, 2, 1]], [1, 6, 6, 1], { w: [1, 3, 3, 1] }), "pads 0,0,0,0"],
    [
      "MQ632",
      one(
        "Pooling",
        { ...pool, kernels: [3, 3], strides: [2, 2], pads: [1, 1, 0, 0], count_include_pad: 1, round_mode: 1 },
        [[1, 5, 5, 1]],
        [1, 3, 3, 1],
      ),
      "pads 1,1,0,0",
    ],
    ["MQ632", one("ResizeBilinear", { scales: [2, 2] }, [image], [1, 8, 8, 2]), "scales 2,2"],
    [
      "MQ632",
      one("DepthwiseConv2d", { activation: "RELUX", max_limit: 1 }, [image], image, { w: [1, 1, 2, 1] }),
      "max_limit 1",
    ],
    [
      "MQ632",
      one("FullyConnected", { activation: "RELUX", max_limit: 1 }, [[1, 2]], [1, 2], { w: [2, 2] }),
      "max_limit 1",
    ],
    [
      "MQ632",
      one("Eltwise", { type: ELTWISE.SUM, activation: "RELUX", max_limit: 1 }, [image, image], image),
      "max_limit 1",
    ],
    ["MQ632", one("Activation", { activation: "PRELU" }, [[1, 4]], [1, 4], { k: [4] }), "slopes from 0 to 1"],
    ["MQ634", one("FullyConnected", {}, [[1, 2]], [1, 2], { w: [2, 2] }, { y: [0, 1e-9] }), "ratio"],
    ["MQ634", one("Conv2D", {}, [image], [1, 4, 4, 2], { w: [2, 1, 1, 2] }, { x: [0, 1e6], y: [0, 1e-3] }), "ratio"],
    ["MQ633", one("Activation", { activation: "ELU", activation_coefficient: 1 }, [image], image), "ELU"],
    [
      "MQ634",
      one("Eltwise", { type: ELTWISE.PROD }, [image, image], image, {}, { x: [0, 1e5], x2: [0, 1e5], y: [0, 1e-3] }),
      "ratio",
    ],
  ];
  for (const [code, graph, words] of cases) {
    const node = graph.nodes.find(({ type }) => type !== "Quantize" && type !== "Dequantize") as GraphNode;
    const refused = APU.refuse(graph, node);
    assert.ok(refused, `${code}: ${node.type} ${JSON.stringify(node.attributes)}`);
    assert.equal(refused.code, code);
    const text = JSON.stringify(refused);
    assert.ok(text.includes(words), text);
    assert.ok(text.includes("--fallback cpu"), text);
    assert.equal(refused.place.node, node.name);
  }
});
