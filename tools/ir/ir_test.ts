import * as assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../diagnostics/diagnostic";
import { GraphBuilder } from "./builder";
import { GraphEditor } from "./edit";
import type { AttributeValue } from "./graph";
import { inferShapes, ShapeError, windowCount } from "./infer-shapes";
import { interpretNode } from "./interpret";
import { OPERATORS } from "./operators";
import { parseGraph } from "./parse";
import { printGraph } from "./print";
import { broadcastShapes, elementCount, type Shape } from "./shape";
import { keepsOrder, transposeData } from "./transpose";
import { graphProblems, verifyGraph } from "./verify";

type Attributes = Record<string, AttributeValue>;

test("broadcasting", () => {
  assert.deepEqual(broadcastShapes([2, 1, 3], [4, 1]), [2, 4, 3]);
  assert.deepEqual(broadcastShapes([], [2]), [2]);
  assert.equal(broadcastShapes([2], [3]), null);
});

test("transposing", () => {
  const data = Float32Array.of(1, 2, 3, 4, 5, 6);
  assert.deepEqual([...transposeData(data, [2, 3], [1, 0])], [1, 4, 2, 5, 3, 6]);
  assert.deepEqual([...transposeData(data, [1, 2, 3], [2, 0, 1])], [1, 4, 2, 5, 3, 6]);
  assert.ok(keepsOrder([1, 2, 1, 3], [1, 0, 3, 2]));
  assert.ok(!keepsOrder([1, 2, 1, 3], [3, 0, 1, 2]));
});

test("window positions", () => {
  assert.equal(windowCount(5, 0, 0, 2, 2, 1, false), 2);
  assert.equal(windowCount(5, 0, 0, 2, 2, 1, true), 3);
  // A window that would start in the padding behind the input does not count.
  assert.equal(windowCount(2, 0, 1, 1, 2, 1, true), 1);
  assert.equal(windowCount(3, 1, 1, 3, 1, 2, false), 1);
  assert.equal(windowCount(2, 0, 0, 3, 1, 1, false), 0);
});

const SHAPES: readonly (readonly [string, Attributes, readonly (Shape | null)[], readonly Shape[] | string])[] = [
  [
    "Conv2D",
    { strides: [2, 1], pads: [0, 1, 1, 1] },
    [
      [1, 4, 5, 4],
      [6, 3, 3, 4],
    ],
    [[1, 2, 5, 6]],
  ],
  ["Conv2D", { group: 2 }, [[1, 1, 1, 4], [6, 1, 1, 2], [6]], [[1, 1, 1, 6]]],
  [
    "Conv2D",
    { group: 2 },
    [
      [1, 1, 1, 4],
      [6, 1, 1, 4],
    ],
    "does not fit 4 input channels",
  ],
  ["Conv2D", {}, [[1, 1, 1, 4], [6, 1, 1, 4], [5]], "the bias has the shape [5]"],
  [
    "Conv2D",
    {},
    [
      [1, 1, 1, 4],
      [6, 2, 2, 4],
    ],
    "a window of 2 by 2 does not fit",
  ],
  [
    "DepthwiseConv2d",
    { dilations: [2, 2] },
    [
      [1, 5, 5, 2],
      [2, 2, 2, 3],
    ],
    [[1, 3, 3, 6]],
  ],
  ["FullyConnected", {}, [[2, 3, 4], [5, 4], null], [[2, 3, 5]]],
  [
    "MatMul",
    { transpose_a: 1 },
    [
      [7, 4, 3],
      [4, 5],
    ],
    [[7, 3, 5]],
  ],
  [
    "MatMul",
    {},
    [
      [2, 3],
      [4, 5],
    ],
    "is not defined",
  ],
  ["BatchNorm", {}, [[2, 3], [3], [3]], [[2, 3]]],
  ["Pooling", { pooling_type: 1, kernels: [2, 2], strides: [2, 2], round_mode: 1 }, [[1, 5, 5, 2]], [[1, 3, 3, 2]]],
  ["Reduce", { reduce_type: 0, axis: [1, 2] }, [[1, 5, 5, 2]], [[1, 1, 1, 2]]],
  ["Reduce", { reduce_type: 0, axis: [1, 2], keepdims: 0 }, [[1, 5, 5, 2]], [[1, 2]]],
  ["Eltwise", { type: 0 }, [[1, 5, 2], [2]], [[1, 5, 2]]],
  ["Activation", { activation: "PRELU" }, [[1, 2], [3]], "the slope has the shape [3]"],
  ["Softmax", {}, [[2, 3]], [[2, 3]]],
  [
    "Concat",
    { axis: 1 },
    [
      [2, 3],
      [2, 4],
    ],
    [[2, 7]],
  ],
  [
    "Concat",
    { axis: 0 },
    [
      [2, 3],
      [2, 4],
    ],
    "does not fit",
  ],
  ["StridedSlice", { begin: [3, 0], end: [-1, 2], strides: [-2, 1] }, [[4, 2]], [[2, 2]]],
  ["StridedSlice", { begin: [4], end: [4], strides: [1] }, [[4]], "is empty"],
  ["Transpose", { dims: [2, 0, 1] }, [[1, 2, 3]], [[3, 1, 2]]],
  ["Transpose", { dims: [0, 0] }, [[1, 2]], "is not a permutation"],
  ["Pad", { paddings: [0, 1, 2, 3] }, [[1, 2]], [[2, 7]]],
  ["Pad", { paddings: [0, 0, 2, 0], pad_type: 1 }, [[1, 2]], "too small to be mirrored"],
  ["LocalResponseNorm", { size: 5, alpha: 1, beta: 1 }, [[1, 2, 2, 8]], [[1, 2, 2, 8]]],
];

for (const [type, attributes, inputs, expected] of SHAPES) {
  test(`shape of ${type} ${JSON.stringify(attributes)} ${JSON.stringify(inputs)}`, () => {
    const infer = (): Shape[] => inferShapes({ type, attributes }, inputs, []);
    if (typeof expected !== "string") assert.deepEqual(infer(), expected);
    else assert.throws(infer, (error) => error instanceof ShapeError && error.message.includes(expected));
  });
}

/** Operator, attributes, inputs as [shape, values], and the values expected. */
const VALUES: readonly (readonly [
  string,
  Attributes,
  readonly (readonly [Shape, readonly number[]])[],
  readonly number[],
])[] = [
  [
    "Conv2D",
    { pads: [0, 0, 1, 1] },
    [
      [
        [1, 2, 2, 1],
        [1, 2, 3, 4],
      ],
      [
        [1, 2, 2, 1],
        [1, 10, 100, 1000],
      ],
    ],
    [4321, 402, 43, 4],
  ],
  [
    "Conv2D",
    { group: 2, activation: "RELU" },
    [
      [
        [1, 1, 1, 4],
        [1, 2, 3, 4],
      ],
      [
        [2, 1, 1, 2],
        [1, 1, -1, -1],
      ],
      [[2], [1, 1]],
    ],
    [4, 0],
  ],
  [
    "DepthwiseConv2d",
    {},
    [
      [
        [1, 1, 1, 2],
        [2, 3],
      ],
      [
        [1, 1, 2, 2],
        [1, 2, 3, 4],
      ],
    ],
    [2, 4, 9, 12],
  ],
  [
    "DepthwiseConv2d",
    { dilations: [1, 2] },
    [
      [
        [1, 1, 3, 1],
        [1, 2, 3],
      ],
      [
        [1, 2, 1, 1],
        [1, 10],
      ],
    ],
    [31],
  ],
  [
    "FullyConnected",
    {},
    [
      [
        [1, 2],
        [1, 2],
      ],
      [
        [2, 2],
        [1, 2, 3, 4],
      ],
      [[2], [10, 20]],
    ],
    [15, 31],
  ],
  [
    "MatMul",
    { transpose_b: 1 },
    [
      [
        [1, 2],
        [1, 2],
      ],
      [
        [2, 2],
        [1, 2, 3, 4],
      ],
    ],
    [5, 11],
  ],
  [
    "MatMul",
    {},
    [
      [
        [2, 1, 2],
        [1, 2, 3, 4],
      ],
      [
        [2, 1],
        [1, 10],
      ],
    ],
    [21, 43],
  ],
  [
    "BatchNorm",
    {},
    [
      [
        [2, 2],
        [1, 2, 3, 4],
      ],
      [[2], [2, 3]],
      [[2], [1, -1]],
    ],
    [3, 5, 7, 11],
  ],
  [
    "Pooling",
    { pooling_type: 2, kernels: [2, 2], pads: [1, 1, 0, 0] },
    [
      [
        [1, 2, 2, 1],
        [-1, -2, -3, -4],
      ],
    ],
    [-1, -1, -1, -1],
  ],
  [
    "Pooling",
    { pooling_type: 1, kernels: [2, 2], pads: [1, 1, 0, 0] },
    [
      [
        [1, 2, 2, 1],
        [1, 2, 3, 4],
      ],
    ],
    [1, 1.5, 2, 2.5],
  ],
  [
    "Pooling",
    { pooling_type: 1, kernels: [2, 2], pads: [1, 1, 0, 0], count_include_pad: 1 },
    [
      [
        [1, 2, 2, 1],
        [1, 2, 3, 4],
      ],
    ],
    [0.25, 0.75, 1, 2.5],
  ],
  [
    "Reduce",
    { reduce_type: 0, axis: [0] },
    [
      [
        [2, 2],
        [1, 2, 3, 4],
      ],
    ],
    [2, 3],
  ],
  [
    "Reduce",
    { reduce_type: 1, axis: [1] },
    [
      [
        [2, 2],
        [1, 2, 3, 4],
      ],
    ],
    [1, 3],
  ],
  [
    "Reduce",
    { reduce_type: 2, axis: [0, 1] },
    [
      [
        [2, 2],
        [1, 2, 3, 4],
      ],
    ],
    [4],
  ],
  [
    "Reduce",
    { reduce_type: 3, axis: [0] },
    [
      [
        [2, 2],
        [1, 2, 3, 4],
      ],
    ],
    [3, 8],
  ],
  [
    "Reduce",
    { reduce_type: 4, axis: [0] },
    [
      [
        [2, 2],
        [1, 2, 3, 4],
      ],
    ],
    [4, 6],
  ],
  [
    "Eltwise",
    { type: 1 },
    [
      [[1], [1]],
      [[2], [3, 5]],
    ],
    [-2, -4],
  ],
  [
    "Eltwise",
    { type: 3 },
    [
      [
        [2, 1],
        [6, 8],
      ],
      [[2], [1, 2]],
    ],
    [6, 3, 8, 4],
  ],
  [
    "Eltwise",
    { type: 8 },
    [
      [[2], [1, 5]],
      [[], [3]],
    ],
    [4, 4],
  ],
  [
    "Eltwise",
    { type: 9, activation: "RELUX", max_limit: 10 },
    [
      [[2], [2, 3]],
      [[], [3]],
    ],
    [8, 10],
  ],
  [
    "Activation",
    { activation: "PRELU" },
    [
      [
        [2, 2],
        [-1, -2, 3, -4],
      ],
      [[2], [0.5, 0.25]],
    ],
    [-0.5, -0.5, 3, -1],
  ],
  ["Activation", { activation: "LEAKYRELU", activation_coefficient: 0.5 }, [[[2], [-2, 2]]], [-1, 2]],
  ["Activation", { activation: "CLIP", min_limit: -1, max_limit: 1 }, [[[3], [-2, 0.5, 2]]], [-1, 0.5, 1]],
  ["Activation", { activation: "HARDSIGMOID", hardsigmoid_alpha: 0.25 }, [[[3], [-4, 1, 4]]], [0, 0.75, 1]],
  ["Activation", { activation: "HARDSWISH", hardsigmoid_alpha: 0.25 }, [[[3], [-4, 1, 4]]], [-0, 0.75, 4]],
  ["Activation", { activation: "RSQRT" }, [[[2], [4, 16]]], [0.5, 0.25]],
  [
    "Softmax",
    {},
    [
      [
        [2, 2],
        [0, 0, 1000, 0],
      ],
    ],
    [0.5, 0.5, 1, 0],
  ],
  [
    "Concat",
    { axis: 1 },
    [
      [
        [2, 1],
        [1, 2],
      ],
      [
        [2, 2],
        [3, 4, 5, 6],
      ],
    ],
    [1, 3, 4, 2, 5, 6],
  ],
  [
    "StridedSlice",
    { begin: [1, 1], end: [-1, 2], strides: [-1, 1] },
    [
      [
        [2, 2],
        [1, 2, 3, 4],
      ],
    ],
    [4, 2],
  ],
  [
    "Pad",
    { paddings: [1, 0, 0, 1], constant_value: 7 },
    [
      [
        [1, 2],
        [1, 2],
      ],
    ],
    [7, 7, 7, 1, 2, 7],
  ],
  ["Pad", { paddings: [2, 1], pad_type: 1 }, [[[3], [1, 2, 3]]], [3, 2, 1, 2, 3, 2]],
  ["Pad", { paddings: [2, 1], pad_type: 2 }, [[[3], [1, 2, 3]]], [2, 1, 1, 2, 3, 3]],
  ["Pad", { paddings: [2, 1], pad_type: 3 }, [[[3], [1, 2, 3]]], [1, 1, 1, 2, 3, 3]],
  [
    "LocalResponseNorm",
    { size: 3, alpha: 1, beta: 1, bias: 1 },
    [
      [
        [1, 1, 1, 3],
        [1, 2, 3],
      ],
    ],
    [1 / 6, 2 / 15, 3 / 14],
  ],
];

for (const [type, attributes, inputs, expected] of VALUES) {
  test(`value of ${type} ${JSON.stringify(attributes)}`, () => {
    const node = { type, attributes };
    const shapes = inferShapes(
      node,
      inputs.map(([shape]) => shape),
      [],
    );
    const values = inputs.map(([shape, data]) => ({ shape, data: Float32Array.from(data) }));
    const [result] = interpretNode(node, values, shapes);
    assert.deepEqual([...(result ?? [])], expected.map(Math.fround));
  });
}

test("Split takes the sizes of its outputs", () => {
  const parts = interpretNode(
    { type: "Split", attributes: { axis: 1 } },
    [{ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
    [
      [2, 1],
      [2, 2],
    ],
  );
  assert.deepEqual(
    parts.map((part) => [...part]),
    [
      [1, 4],
      [2, 3, 5, 6],
    ],
  );
});

const SAMPLE = `graph "sample \\"1\\""
input "x" float32[1,4,4,2] NCHW alias="image" range=[-1,1]
const "w" float32[2,1,1,2] {trained -0.10000000149011612 0.5 "fq"} = 0.1 -0 1e-7 inf
const "b" int32[2] = 1 -2
node "conv" Conv2D("x", "w", "b") strides=[2,2] activation="RELUX" max_limit=6 -> "y" float32[1,2,2,2] {file 0 6 "file"}
const "codes" int8[2] quant(0.5 0.25; 0; 0) = -128 127
node "split" Split("y") axis=3 -> "y:1" float32[1,2,2,1], "z" float32[1,2,2,1]
node "act" Activation("z", "codes") activation="PRELU" -> "p" float32[1,2,2,1]
output "p" NHWC alias="out"
output "y:1" NONE
`;

test("text of a graph", () => {
  const graph = parseGraph(SAMPLE);
  assert.equal(graph.inputs[0]?.alias, "image");
  assert.equal(graph.tensors.get("w")?.range?.min, Math.fround(-0.1));
  assert.deepEqual(
    [...(graph.tensors.get("w")?.data ?? [])],
    [Math.fround(0.1), -0, Math.fround(1e-7), Number.POSITIVE_INFINITY],
  );
  assert.equal(graph.tensors.get("codes")?.quant?.axis, 0);
  // Constants are printed before their first reader.
  const canonical = printGraph(graph);
  assert.equal(printGraph(parseGraph(canonical)), canonical);
  assert.deepEqual(canonical.split("\n").sort(), SAMPLE.split("\n").sort());
});

test("large constants are printed as digests", () => {
  const builder = new GraphBuilder("g");
  builder.input("x", [32]);
  builder.constant("c", [32], new Float32Array(32));
  builder.node({ name: "y", type: "Eltwise", inputs: ["x", "c"], attributes: { type: 0 }, outputs: ["y"] });
  builder.output("y");
  const text = printGraph(builder.graph);
  assert.match(text, /const "c" float32\[32\] = sha256:[0-9a-f]{16}\n/);
  assert.throws(
    () => parseGraph(text),
    (error) => error instanceof UserError && error.diagnostics[0]?.place.line === 3,
  );
  const back = parseGraph(text, { constant: (_, tensor) => new Float32Array(elementCount(tensor.shape)) });
  assert.equal(printGraph(back), text);
});

const BAD_TEXT: readonly (readonly [string, number])[] = [
  ['graph "g"\nnode "y" Nothing("x") -> "y" float32[1]\n', 2],
  ['graph "g"\nconst "c" float32[2] = 1\n', 2],
  ['graph "g"\nconst "c" float64[1] = 1\n', 2],
  ['graph "g"\nconst "c" float32[1] = 1\nconst "c" float32[1] = 1\n', 3],
  ["graph g\n", 1],
  ['graph "g" more\n', 1],
  ['graph "g\\q"\n', 1],
  ['input "x" float32[1\n', 1],
  ["something\n", 1],
];

for (const [text, line] of BAD_TEXT) {
  test(`text that is no graph: ${JSON.stringify(text)}`, () => {
    assert.throws(
      () => parseGraph(text),
      (error) => error instanceof UserError && error.diagnostics[0]?.place.line === line,
    );
  });
}

function sound(): ReturnType<typeof parseGraph> {
  return parseGraph(`
graph "g"
input "x" float32[1,4,4,2] NHWC
const "w" float32[2,1,1,2] = 1 2 3 4
node "conv" Conv2D("x", "w") -> "y" float32[1,4,4,2]
node "relu" Activation("y") activation="RELU" -> "z" float32[1,4,4,2]
output "z" NHWC
`);
}

const PROBLEMS: readonly (readonly [string, (graph: ReturnType<typeof sound>) => void])[] = [
  ["'z' is declared [1], not [1, 4, 4, 2]", (g) => Object.assign(g.tensors.get("z") ?? {}, { shape: [1] })],
  ["has 4 values for the shape [4, 4]", (g) => Object.assign(g.tensors.get("w") ?? {}, { shape: [4, 4] })],
  ["is int32 but holds float32", (g) => Object.assign(g.tensors.get("w") ?? {}, { dtype: "int32" })],
  ["attribute 'nonsense' is not known", (g) => Object.assign(g.nodes[0]?.attributes ?? {}, { nonsense: 1 })],
  ["attribute 'strides' must have 2 elements", (g) => Object.assign(g.nodes[0]?.attributes ?? {}, { strides: [1] })],
  ["attribute 'activation' must be one of", (g) => Object.assign(g.nodes[0]?.attributes ?? {}, { activation: "TANH" })],
  ["attribute 'activation' is missing", (g) => Object.assign(g.nodes[1] ?? {}, { attributes: {} })],
  ["input 'y' is not defined before it", (g) => void g.nodes.reverse()],
  ["input 1 ('w') must be constant", (g) => void delete g.tensors.get("w")?.data],
  ["there is no such operator", (g) => Object.assign(g.nodes[0] ?? {}, { type: "Nothing" })],
  ["the name is not unique", (g) => Object.assign(g.nodes[1] ?? {}, { name: "conv" })],
  ["has 1 inputs", (g) => void g.nodes[0]?.inputs.pop()],
  ["defines 'y' a second time", (g) => Object.assign(g.nodes[1] ?? {}, { outputs: ["y"] })],
  ["output 'z' is not defined", (g) => void g.nodes.pop()],
  ["the graph has no output", (g) => void g.outputs.pop()],
  ["has an empty range", (g) => Object.assign(g.tensors.get("z") ?? {}, { range: { min: 1, max: 0 } })],
  [
    "has 3 scales for 2 channels",
    (g) => Object.assign(g.tensors.get("w") ?? {}, { quant: { scales: [1, 1, 1], zeroPoint: 0, axis: 0 } }),
  ],
];

test("a sound graph has no problems", () => assert.deepEqual(graphProblems(sound()), []));

for (const [expected, spoil] of PROBLEMS) {
  test(`the verifier finds: ${expected}`, () => {
    const graph = sound();
    spoil(graph);
    assert.ok(
      graphProblems(graph).some((problem) => problem.includes(expected)),
      graphProblems(graph).join("; "),
    );
    assert.throws(() => verifyGraph(graph, "test"), /not sound after test/);
  });
}

test("the editor keeps its maps", () => {
  const graph = sound();
  const editor = new GraphEditor(graph);
  assert.equal(editor.onlyUser("y")?.name, "relu");
  assert.equal(editor.onlyUser("z"), undefined, "outputs of the graph have a reader outside");
  const name = editor.addTensor({ name: editor.uniqueTensorName("y"), shape: [1, 4, 4, 2], dtype: "float32" });
  assert.equal(name, "y_1");
  const relu = editor.producer("z");
  assert.ok(relu);
  editor.addNode(
    { name: "conv", type: "Activation", inputs: ["y"], outputs: [name], attributes: { activation: "TANH" } },
    relu,
  );
  editor.setInput(relu, 0, name);
  verifyGraph(graph, "test");
  assert.deepEqual(
    graph.nodes.map((node) => node.name),
    ["conv", "conv_1", "relu"],
  );
  editor.replaceUses("x", "z");
  graph.nodes.reverse();
  assert.throws(() => editor.sortTopologically(), /in a cycle/);
  editor.replaceUses("z", "x");
  editor.sortTopologically();
  verifyGraph(graph, "test");
});

test("every operator is known to shape inference", () => {
  for (const type of Object.keys(OPERATORS)) {
    try {
      inferShapes({ type, attributes: {} }, [], []);
    } catch (error) {
      assert.doesNotMatch(error instanceof Error ? error.message : "", /there is no operator/, type);
    }
  }
});
