/** Shapes, types and values of the operators beside convolution, pooling and arithmetic on float32. */

import * as assert from "node:assert/strict";
import { test } from "node:test";
import { erf } from "./activation-function";
import type { AttributeValue, ConstantData } from "./graph";
import { inferShapes, ShapeError } from "./infer-shapes";
import { ElementTypeError, inferTypes } from "./infer-types";
import { interpretNode } from "./interpret";
import { ELTWISE, OPERATORS } from "./operators";
import type { Shape } from "./shape";

type Attributes = Record<string, AttributeValue>;

interface Input {
  readonly shape: Shape;
  readonly data: ConstantData;
}

const f = (shape: Shape, ...values: number[]): Input => ({ shape, data: Float32Array.from(values) });
const i = (shape: Shape, ...values: number[]): Input => ({ shape, data: Int32Array.from(values) });
const count = (shape: Shape): Input => {
  const size = shape.reduce((product, d) => product * d, 1);
  return { shape, data: Float32Array.from({ length: size }, (_, at) => at) };
};

/** Operator, attributes, inputs, the output's shape and values; a shape is `declared` where the inputs leave it open. */
const VALUES: readonly (readonly [string, Attributes, readonly Input[], Shape, readonly number[]])[] = [
  // Two pixels, stride 2, a filter of 3: the windows overlap in the middle.
  [
    "Deconv2D",
    { strides: [1, 2] },
    [f([1, 1, 2, 1], 1, 10), f([1, 1, 3, 1], 1, 2, 3)],
    [1, 1, 5, 1],
    [1, 2, 13, 20, 30],
  ],
  // Cut by the pads, and a last column that no window reaches: the bias alone.
  [
    "Deconv2D",
    { strides: [1, 2], pads: [0, 1, 0, 0] },
    [f([1, 1, 2, 1], 1, 10), f([1, 1, 3, 1], 1, 2, 3), f([1], 0.5)],
    [1, 1, 5, 1],
    [2.5, 13.5, 20.5, 30.5, 0.5],
  ],
  [
    "Deconv2D",
    { group: 2, dilations: [1, 2], activation: "RELU" },
    [f([1, 1, 1, 2], 2, -3), f([2, 1, 2, 1], 1, 2, 3, 4)],
    [1, 1, 3, 2],
    [2, 0, 0, 0, 4, 0],
  ],
  ["ResizeBilinear", {}, [f([1, 1, 2, 1], 0, 4)], [1, 1, 4, 1], [0, 2, 4, 4]],
  ["ResizeBilinear", { coordinate_mode: "half_pixel" }, [f([1, 1, 2, 1], 0, 4)], [1, 1, 4, 1], [0, 1, 3, 4]],
  ["ResizeBilinear", { coordinate_mode: "align_corners" }, [f([1, 1, 2, 1], 0, 3)], [1, 1, 4, 1], [0, 1, 2, 3]],
  ["ResizeBilinear", { coordinate_mode: "pytorch_half_pixel" }, [f([1, 1, 3, 1], 5, 6, 7)], [1, 1, 1, 1], [5]],
  ["ResizeBilinear", { scales: [1, 1.6] }, [f([1, 1, 2, 1], 0, 8)], [1, 1, 3, 1], [0, 5, 8]],
  ["ResizeNearestNeighbor", {}, [f([1, 2, 1, 1], 1, 2)], [1, 4, 1, 1], [1, 1, 2, 2]],
  ["ResizeNearestNeighbor", { nearest_mode: "ceil" }, [f([1, 2, 1, 1], 1, 2)], [1, 4, 1, 1], [1, 2, 2, 2]],
  [
    "ResizeNearestNeighbor",
    { coordinate_mode: "align_corners", nearest_mode: "round_prefer_ceil" },
    [f([1, 3, 1, 1], 1, 2, 3)],
    [1, 5, 1, 1],
    [1, 2, 2, 3, 3],
  ],
  [
    "ResizeNearestNeighbor",
    { coordinate_mode: "align_corners", nearest_mode: "round_prefer_floor" },
    [f([1, 3, 1, 1], 1, 2, 3)],
    [1, 5, 1, 1],
    [1, 1, 2, 2, 3],
  ],
  ["ResizeNearestNeighbor", { coordinate_mode: "half_pixel_uncentred" }, [f([1, 3, 1, 1], 1, 2, 3)], [1, 1, 1, 1], [2]],
  // At 0.75: Keys' kernel with a = -0.5 is -9 / 128 at a distance of 1.25.
  [
    "ResizeBicubic",
    { coordinate_mode: "half_pixel", cubic_coeff: -0.5, scales: [1, 0.4] },
    [f([1, 1, 4, 1], 0, 0, 128, 0)],
    [1, 1, 1, 1],
    [-9],
  ],
  [
    "ResizeBicubic",
    { cubic_coeff: -0.5, exclude_outside: 1, scales: [1, 2] },
    [f([1, 1, 2, 1], 9, 0)],
    [1, 1, 2, 1],
    [9, 4.5],
  ],
  ["DepthToSpace", { block_size: 2 }, [count([1, 1, 1, 8])], [1, 2, 2, 2], [0, 1, 2, 3, 4, 5, 6, 7]],
  ["DepthToSpace", { block_size: 2, mode: "CRD" }, [count([1, 1, 1, 8])], [1, 2, 2, 2], [0, 4, 1, 5, 2, 6, 3, 7]],
  ["SpaceToDepth", { block_size: 2 }, [count([1, 2, 2, 2])], [1, 1, 1, 8], [0, 1, 2, 3, 4, 5, 6, 7]],
  ["SpaceToDepth", { block_size: 2, mode: "CRD" }, [count([1, 2, 2, 2])], [1, 1, 1, 8], [0, 2, 4, 6, 1, 3, 5, 7]],
  [
    "SpaceToBatchND",
    { block_shape: [1, 2], paddings: [0, 0, 1, 0] },
    [f([1, 1, 3, 1], 1, 2, 3)],
    [2, 1, 2, 1],
    [0, 2, 1, 3],
  ],
  [
    "BatchToSpaceND",
    { block_shape: [1, 2], crops: [0, 0, 1, 0] },
    [f([2, 1, 2, 1], 0, 2, 1, 3)],
    [1, 1, 3, 1],
    [1, 2, 3],
  ],
  ["ArgMax", { axis: 1 }, [f([2, 3], 1, 3, 3, -1, -2, -3)], [2], [1, 0]],
  ["ArgMax", { axis: 1, select_last: 1, keepdims: 1 }, [f([2, 3], 1, 3, 3, -1, -2, -3)], [2, 1], [2, 0]],
  ["ArgMax", { axis: 0, argmin: 1 }, [f([2, 3], 1, 3, 3, -1, -2, 4)], [3], [1, 1, 0]],
  ["Cast", {}, [f([5], -1.5, 1.9, 3e9, -3e9, Number.NaN)], [5], [-1, 1, 2147483647, -2147483648, 0]],
  ["Cast", {}, [i([2], -1, 16777217)], [2], [-1, 16777216]],
  ["Gather", { axis: 1 }, [count([2, 3]), i([2], 2, -3)], [2, 2], [2, 0, 5, 3]],
  ["Gather", { axis: 0 }, [i([3], 7, 8, 9), i([], 5)], [], [9]],
  ["Tile", { multiples: [2, 2] }, [f([1, 2], 1, 2)], [2, 4], [1, 2, 1, 2, 1, 2, 1, 2]],
  ["Reverse", { axis: [0, 1] }, [count([2, 2])], [2, 2], [3, 2, 1, 0]],
  ["Select", {}, [i([2, 1], 2, 0), f([2], 1, 2), f([], 9)], [2, 2], [1, 2, 9, 9]],
  ["Cumsum", { axis: 1 }, [f([1, 3], 1, 2, 3)], [1, 3], [1, 3, 6]],
  ["Cumsum", { axis: 0, exclusive: 1, reverse: 1 }, [f([3], 1, 2, 3)], [3], [5, 3, 0]],
  ["OneHot", { depth: 3, axis: 1, on_value: 5, off_value: 1 }, [i([2], 2, 7)], [2, 3], [1, 1, 5, 1, 1, 1]],
  ["OneHot", { depth: 2, axis: 0 }, [i([2], 1, 0)], [2, 2], [0, 1, 1, 0]],
  [
    "ExtractImagePatches",
    { kernels: [1, 2], pads: [0, 1, 0, 0] },
    [f([1, 1, 2, 2], 1, 2, 3, 4)],
    [1, 1, 2, 4],
    [0, 0, 1, 2, 1, 2, 3, 4],
  ],
  ["MVN", { axis: [1], epsilon: 0 }, [f([2, 2], 1, 3, 5, 5.5)], [2, 2], [-1, 1, -1, 1]],
  ["MVN", { axis: [0, 1], normalize_variance: 0 }, [f([2, 2], 1, 2, 3, 6)], [2, 2], [-2, -1, 0, 3]],
  ["MVN", { axis: [0], epsilon: 1, epsilon_outside: 1 }, [f([2], 0, 6)], [2], [-0.75, 0.75]],
  ["MVN", { axis: [0], epsilon: 7 }, [f([2], 0, 6)], [2], [-0.75, 0.75]],
  ["LpNorm", { axis: [1] }, [f([2, 2], 3, 4, 0, 0)], [2, 2], [3 / 5, 4 / 5, 0, 0]],
  ["LpNorm", { axis: [0], p: 1 }, [f([2], -1, 3)], [2], [-0.25, 0.75]],
  ["Eltwise", { type: ELTWISE.LESS }, [f([3], 1, 2, Number.NaN), f([], 2)], [3], [1, 0, 0]],
  ["Eltwise", { type: ELTWISE.NOT_EQUAL }, [f([3], 1, 2, Number.NaN), f([], 2)], [3], [1, 0, 1]],
  ["Eltwise", { type: ELTWISE.GREATER_OR_EQUAL }, [i([2], 1, 2), i([], 2)], [2], [0, 1]],
  ["Eltwise", { type: ELTWISE.FLOOR_DIV }, [f([2], -7, 7), f([], 2)], [2], [-4, 3]],
  ["Eltwise", { type: ELTWISE.FLOOR_DIV }, [i([3], -7, 7, 1), i([3], 2, 2, 0)], [3], [-4, 3, 0]],
  ["Eltwise", { type: ELTWISE.DIV }, [i([2], -7, 7), i([], 2)], [2], [-3, 3]],
  ["Eltwise", { type: ELTWISE.SUM }, [i([1], 2147483647), i([], 1)], [1], [-2147483648]],
  ["Eltwise", { type: ELTWISE.PROD }, [i([1], 65537), i([], 65537)], [1], [131073]],
  ["Eltwise", { type: ELTWISE.POW }, [i([4], 3, -2, 5, -1), i([4], 4, 3, -1, -3)], [4], [81, -8, 0, -1]],
];

/** The values of Activation's functions at -2, -0.5, 0.5 and 2.5, from tables of them. */
const FUNCTIONS: readonly (readonly [string, readonly number[]])[] = [
  ["LOG", [Number.NaN, Number.NaN, -Math.LN2, 0.9162907]],
  ["RECIPROCAL", [-0.5, -2, 2, 0.4]],
  ["SQUARE", [4, 0.25, 0.25, 6.25]],
  ["FLOOR", [-2, -1, 0, 2]],
  ["CEIL", [-2, -0, 1, 3]],
  ["ROUND", [-2, 0, 0, 2]],
  ["SIGN", [-1, -1, 1, 1]],
  ["ERF", [-0.9953223, -0.5204999, 0.5204999, 0.999593]],
  ["GELU", [-0.0455003, -0.1542688, 0.3457312, 2.4844758]],
  ["GELU_TANH", [-0.0454023, -0.154286, 0.345714, 2.4849157]],
  ["SILU", [-0.2384058, -0.1887703, 0.3112297, 2.3103539]],
  ["SOFTPLUS", [0.126928, 0.474077, 0.974077, 2.5788898]],
  ["MISH", [-0.2525015, -0.2207, 0.3752, 2.4714]],
];

for (const [type, attributes, inputs, shape, expected] of VALUES) {
  test(`${type} ${JSON.stringify(attributes)} of ${inputs.map((x) => `[${x.data.join(" ")}]`).join(", ")}`, () => {
    const node = { type, attributes };
    const [inferred] = inferShapes(
      node,
      inputs.map((x) => x.shape),
      [shape],
    );
    assert.deepEqual(inferred, shape);
    const [result] = interpretNode(node, inputs, [shape]);
    assert.deepEqual(
      [...(result ?? [])].map((v) => v + 0),
      expected.map((v) => (result instanceof Float32Array ? Math.fround(v) : v) + 0),
    );
    const types = inferTypes(
      node,
      inputs.map((x) => (x.data instanceof Float32Array ? "float32" : "int32")),
      1,
    );
    assert.equal(types[0], result instanceof Float32Array ? "float32" : "int32");
  });
}

for (const [activation, expected] of FUNCTIONS) {
  test(`the function ${activation}`, () => {
    const node = { type: "Activation", attributes: { activation } };
    const [result = []] = interpretNode(node, [f([4], -2, -0.5, 0.5, 2.5)], [[4]]);
    expected.forEach((wanted, at) => {
      const got = (result as Float32Array)[at] ?? Number.NaN;
      assert.ok(Object.is(got, wanted) || Math.abs(got - wanted) < 6e-5, `${at}: ${got}, not ${wanted}`);
    });
  });
}

test("the error function is exact to binary32 on both sides of its seam", () => {
  assert.ok(Math.abs(erf(1) - 0.8427007929497149) < 1e-15);
  assert.ok(Math.abs(erf(2.9999999) - 0.9999779095030014) < 1e-10);
  assert.ok(Math.abs(erf(3) - 0.9999779095030014) < 1e-14);
  assert.equal(erf(-7), -1);
  assert.ok(Number.isNaN(erf(Number.NaN)));
});

const BAD_SHAPES: readonly (readonly [string, Attributes, readonly Shape[], Shape])[] = [
  [
    "Deconv2D",
    {},
    [
      [1, 1, 1, 2],
      [1, 1, 1, 1],
    ],
    [1, 1, 1, 1],
  ],
  [
    "Deconv2D",
    { strides: [2, 2] },
    [
      [1, 2, 2, 1],
      [1, 1, 1, 1],
    ],
    [1, 5, 4, 1],
  ],
  ["ResizeBilinear", {}, [[1, 1, 1, 2]], [1, 2, 2, 1]],
  ["DepthToSpace", { block_size: 2 }, [[1, 1, 1, 6]], []],
  ["SpaceToDepth", { block_size: 2 }, [[1, 3, 2, 6]], []],
  ["SpaceToBatchND", { block_shape: [2, 2] }, [[1, 3, 2, 1]], []],
  ["BatchToSpaceND", { block_shape: [2, 2] }, [[6, 3, 2, 1]], []],
  ["ArgMax", { axis: 2 }, [[2, 2]], []],
  ["Tile", { multiples: [2] }, [[2, 2]], []],
  ["Select", {}, [[2], [3], [1]], []],
  ["OneHot", { depth: 0, axis: 0 }, [[2]], []],
  ["MVN", { axis: [2] }, [[2, 2]], []],
  ["Cumsum", { axis: 2 }, [[2, 2]], []],
];

for (const [type, attributes, inputs, declared] of BAD_SHAPES) {
  test(`${type} ${JSON.stringify(attributes)} refuses ${JSON.stringify(inputs)}`, () => {
    assert.throws(() => inferShapes({ type, attributes }, inputs, [declared]), ShapeError);
  });
}

test("element types that have no meaning are refused", () => {
  const refuse = (type: string, attributes: Attributes, inputs: readonly ("float32" | "int32")[]): void =>
    assert.throws(() => inferTypes({ type, attributes }, inputs, 1), ElementTypeError);
  refuse("Activation", { activation: "RELU" }, ["int32"]);
  refuse("Eltwise", { type: 0 }, ["int32", "float32"]);
  refuse("Gather", { axis: 0 }, ["float32", "float32"]);
  refuse("Reduce", { reduce_type: 0, axis: [0] }, ["int32"]);
});

const DETECTION: Attributes = {
  max_detections: 3,
  num_classes: 2,
  nms_score_threshold: 0.25,
  nms_iou_threshold: 0.5,
  scale: [1, 1, 1, 1],
};

// Three anchors of a unit side: the second lies almost on the first, the third elsewhere. Scores: background, two classes.
const BOXES = [
  f([1, 3, 4], 0, 0, 0, 0, 0.125, 0, 0, 0, 0, 0, Math.LN2, 0),
  f([1, 3, 3], 0, 0.5, 0.25, 0, 0.75, 0.125, 0, 0.125, 0.5),
  f([3, 4], 0, 0, 1, 1, 0, 0, 1, 1, 5, 5, 1, 1),
];

test("DetectionPostProcess over all classes at once", () => {
  const node = { type: "DetectionPostProcess", attributes: DETECTION };
  const shapes = inferShapes(
    node,
    BOXES.map((x) => x.shape),
    [],
  );
  assert.deepEqual(shapes, [[1, 3, 4], [1, 3], [1, 3], [1]]);
  const [boxes, classes, scores, found] = interpretNode(node, BOXES, shapes).map((data) => [...data]);
  assert.deepEqual(boxes?.slice(0, 4), [-0.375, -0.5, 0.625, 0.5]);
  assert.deepEqual(boxes?.slice(4, 8), [4, 4.5, 6, 5.5]);
  assert.deepEqual([classes, scores, found], [[0, 1, 0], [0.75, 0.5, 0], [2]]);
});

test("DetectionPostProcess class by class", () => {
  const node = { type: "DetectionPostProcess", attributes: { ...DETECTION, use_regular_nms: 1 } };
  const [, classes, scores, found] = interpretNode(node, BOXES, [[1, 3, 4], [1, 3], [1, 3], [1]]).map((d) => [...d]);
  assert.deepEqual([classes, scores, found], [[0, 1, 1], [0.75, 0.5, 0.25], [3]]);
});

test("DetectionOutput", () => {
  const attributes = { num_classes: 3, keep_top_k: 3, nms_threshold: 0.5, confidence_threshold: 0.2 };
  const node = { type: "DetectionOutput", attributes };
  const inputs = [
    f([1, 12], 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 10 * Math.LN2, 0),
    f([1, 9], 0, 0.5, 0.25, 0, 0.75, 0.125, 0, 0.125, 0.5),
    f([1, 2, 12], 0, 0, 1, 1, 0, 0, 1, 1, 5, 5, 6, 6, ...new Array<number>(12).fill(0.1)),
  ];
  const shapes = inferShapes(
    node,
    inputs.map((x) => x.shape),
    [],
  );
  assert.deepEqual(shapes, [[1, 1, 3, 7]]);
  const [rows] = interpretNode(node, inputs, shapes);
  const expected = [0, 1, 0.75, 0, 0, 1, 1, 0, 2, 0.5, 4.5, 5, 6.5, 6, 0, 2, 0.25, 0, 0.1, 1, 1.1];
  assert.deepEqual([...(rows ?? [])], expected.map(Math.fround));
});

test("the reference interpreter runs every operator of float graphs", () => {
  for (const [type, spec] of Object.entries(OPERATORS)) {
    if (type === "Quantize" || type === "Dequantize") continue;
    const input = f([1], 1);
    try {
      interpretNode(
        { type, attributes: {} },
        spec.inputs.map(() => input),
        [[1]],
      );
    } catch (error) {
      assert.doesNotMatch(error instanceof Error ? error.message : "", /does not run/, type);
    }
  }
});
