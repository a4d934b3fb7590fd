/**
 * Runs ONNX's own node tests through import, passes and the reference interpreter.
 *
 * Every test either passes or is refused with a diagnostic; a wrong result or a crash fails. Inputs that the canonical graph
 * wants constant (shapes, axes, weights, limits) become initializers: first integers and booleans, then all but the
 * first input, then all of them, which leaves pure constant folding.
 */

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { UserError } from "../../diagnostics/diagnostic";
import type { ConstantData, Graph } from "../../ir/graph";
import { optimize } from "../../passes/pipeline";
import { ModelProto, TensorProto, TensorProto_DataType, type ValueInfoProto } from "../../schema/onnx";
import { type ConstantValue, Lowering } from "../lowering";
import { concatenated } from "../testing/mutate";
import { greatestDifference, runModel } from "../testing/run-model";
import { readBytes, testData } from "../testing/test-data";
import { importOnnx } from "./import";
import { ONNX_OPERATORS } from "./op-table";
import { decodeTensor, elementType } from "./tensors";

const OPTIONS = { file: "model.onnx", name: "test" };

/** Node tests that must pass; the list guards against a silent loss of coverage. */
const LEAST_PASSED = 332;
const LEAST_PASSED_DEBIAN = 709;
/** Of the tests that are not out of scope. */
const LEAST_SHARE = 0.95;

/** What the canonical graph is not made for, by the test's name or what was said of it. */
const OUT_OF_SCOPE: readonly (readonly [RegExp, string])[] = [
  // Windows over three axes; a concatenation or product of three axes is no such thing.
  [/^(?!test_(concat|matmul)_3d).*_3d(_|\b)/, "three spatial dimensions"],
  [/with_argmax/, "positions of maxima, which only unpooling reads"],
  [/_u?int16\b/, "codes of 16 bits"],
  [/blocked/, "a scale per block"],
  [/identity_opt|_sequence/, "optional values and sequences"],
  [/zero_size|allowzero_reordered|start_out_of_bounds|shape_zero/, "tensors without elements as outputs"],
  [/training/, "training"],
  [/STRING/, "texts"],
  [/MQ214/, "operator sets before 6"],
];

function readTensors(folder: string, kind: "input" | "output"): Uint8Array[] {
  const files = fs.readdirSync(folder).filter((name) => name.startsWith(`${kind}_`) && name.endsWith(".pb"));
  files.sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  return files.map((name) => readBytes(path.join(folder, name)));
}

function decode(message: Uint8Array): ConstantValue {
  return decodeTensor(new Lowering("test", 2 ** 24, new Set()), "tensor", message, OPTIONS);
}

const BFLOAT16 = 16;
/** What an element type keeps of a number, where that is less than the tolerance: the expected values are rounded to it. */
const PRECISION: Readonly<Record<number, number>> = {
  [TensorProto_DataType.FLOAT16]: 2 ** -10,
  [BFLOAT16]: 2 ** -7,
};

/** A tensor of the data as the model declares it: the package writes bfloat16 as uint16, which NumPy has. */
function declaredAs(message: Uint8Array, info: ValueInfoProto | undefined): Uint8Array {
  const { elemType = 0, shape } = info?.type?.tensorType ?? {};
  const { dims, dataType } = TensorProto.decode(message);
  const sizes = shape?.dim.map((dim) => dim.dimValue ?? -1);
  if (sizes && (sizes.length !== dims.length || sizes.some((size, axis) => size > 0 && size !== dims[axis]))) {
    throw new DataError(`data of shape [${dims}] contradict [${sizes}]`);
  }
  if (elemType !== BFLOAT16 || dataType === elemType) return message;
  // Protobuf lets a later field replace an earlier one.
  return concatenated([message, TensorProto.encode(TensorProto.fromPartial({ dataType: elemType })).finish()]);
}

/** The data of a test are at fault. */
class DataError extends Error {}

/** The model with the inputs that `freeze` picks turned into initializers. */
function frozen(bytes: Uint8Array, tensors: readonly Uint8Array[], freeze: readonly boolean[]): Uint8Array {
  const model = ModelProto.decode(bytes);
  model.graph?.input.forEach((info, index) => {
    const message = tensors[index];
    if (!message || !freeze[index]) return;
    const name = TensorProto.encode(TensorProto.fromPartial({ name: info.name })).finish();
    model.graph?.initializer.push(concatenated([message, name]));
  });
  return ModelProto.encode(model).finish();
}

const isFloat = (info: ValueInfoProto): boolean => elementType(info.type?.tensorType?.elemType ?? 0) === "float32";

function attempt(bytes: Uint8Array): { readonly graph: Graph } | { readonly reason: string } {
  try {
    return { graph: importOnnx(bytes, OPTIONS) };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const [first] = error.diagnostics;
    return { reason: `${first?.code} ${(first?.cause ?? first?.message ?? "").trim().replaceAll(/\s+/g, " ")}` };
  }
}

interface Outcome {
  readonly passed: boolean;
  readonly text: string;
}

function runCase(folder: string): Outcome {
  const bytes = readBytes(path.join(folder, "model.onnx"));
  const sets = fs.readdirSync(folder).filter((name) => name.startsWith("test_data_set_"));
  const data = path.join(folder, sets[0] ?? "");
  const { graph: declared } = ModelProto.decode(bytes);
  const constants = new Set(declared?.initializer.map((message) => TensorProto.decode(message).name));
  const infos = (declared?.input ?? []).filter(({ name }) => !constants.has(name));
  const inputs = readTensors(data, "input").map((message, i) => declaredAs(message, infos[i]));

  const choices: readonly (readonly [string, (info: ValueInfoProto, index: number) => boolean])[] = [
    ["", () => false],
    ["integers constant", (info) => !isFloat(info)],
    ["all but the first constant", (_, index) => index > 0],
    ["all constant", () => true],
  ];
  let reason = "";
  for (const [how, freeze] of choices) {
    const result = attempt(frozen(bytes, inputs, infos.map(freeze)));
    if ("reason" in result) {
      reason = result.reason;
      continue;
    }
    const { graph } = result;
    const expected = readTensors(data, "output").map((message, i) => declaredAs(message, declared?.output[i]));
    const feeds = new Map<string, ConstantData>(
      infos.flatMap((info, index) => {
        const message = inputs[index];
        // Buffers are float32, whatever the model's type.
        return message && !freeze(info, index) ? [[info.name, Float32Array.from(decode(message).data)]] : [];
      }),
    );
    check(graph, feeds, expected);
    if (graph.nodes.length > 0) {
      optimize(graph);
      check(graph, feeds, expected);
    }
    return { passed: true, text: how };
  }
  return { passed: false, text: reason };
}

function check(graph: Graph, feeds: ReadonlyMap<string, ConstantData>, expected: readonly Uint8Array[]): void {
  const results = [...runModel(graph, feeds).values()];
  assert.equal(results.length, expected.length, "number of outputs");
  results.forEach((data, index) => {
    const message = expected[index] ?? new Uint8Array();
    const wanted = decode(message).data;
    let greatest = 1;
    for (const value of wanted) if (Number.isFinite(value)) greatest = Math.max(greatest, Math.abs(value));
    const difference = greatestDifference(data, wanted);
    // Some of the expected values were written with four decimals.
    const tolerance = PRECISION[TensorProto.decode(message).dataType] ?? 1e-4;
    assert.ok(difference <= tolerance * greatest, `output ${index} differs by ${difference}`);
  });
}

/** The operator that a test is about: that of its last node. */
function operatorOf(folder: string): string {
  const nodes = ModelProto.decode(readBytes(path.join(folder, "model.onnx"))).graph?.node ?? [];
  return nodes[nodes.length - 1]?.opType ?? "none";
}

/** Why the test is not about operators of the table, if it is not. */
function unknownOperator(folder: string): string | undefined {
  const model = ModelProto.decode(readBytes(path.join(folder, "model.onnx")));
  const unknown = model.graph?.node.find(({ opType }) => !Object.hasOwn(ONNX_OPERATORS, opType));
  return unknown && `the operator ${unknown.opType}`;
}

/** Runs the tests in some folders and prints what became of each; the share of those in scope that passed. */
function runAll(roots: readonly string[], least: number): number {
  const report = new Map<string, { passed: string[]; skipped: string[]; excluded: string[] }>();
  const failed: string[] = [];
  const folders = roots.flatMap((root) => fs.readdirSync(root).map((name) => path.join(root, name)));
  for (const folder of folders.sort()) {
    const name = path.basename(folder);
    if (!fs.existsSync(path.join(folder, "model.onnx"))) continue;
    const operator = operatorOf(folder);
    const unknown = unknownOperator(folder);
    const own = report.get(operator) ?? { passed: [], skipped: [], excluded: [] };
    report.set(operator, own);
    try {
      const outcome = runCase(folder);
      const line = outcome.text === "" ? name : `${name}: ${outcome.text}`;
      const excluded = unknown ?? OUT_OF_SCOPE.find(([pattern]) => pattern.test(line))?.[1];
      if (outcome.passed) own.passed.push(line);
      else if (excluded !== undefined) own.excluded.push(`${line} [${excluded}]`);
      else own.skipped.push(line);
    } catch (error) {
      if (error instanceof DataError) {
        own.excluded.push(`${name}: ${error.message} [data that are not what the model declares]`);
        continue;
      }
      // Only what was refused may be out of scope: a wrong result never is.
      failed.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const count = { passed: 0, skipped: 0, excluded: 0 };
  for (const [operator, { passed, skipped, excluded }] of [...report].sort(([a], [b]) => (a < b ? -1 : 1))) {
    console.log(`${operator}: ${passed.length} passed, ${skipped.length} skipped, ${excluded.length} out of scope`);
    for (const line of passed) console.log(`  passed        ${line}`);
    for (const line of skipped) console.log(`  skipped       ${line}`);
    for (const line of excluded) console.log(`  out of scope  ${line}`);
    count.passed += passed.length;
    count.skipped += skipped.length;
    count.excluded += excluded.length;
  }
  for (const line of failed) console.log(`FAILED  ${line}`);
  const share = count.passed / (count.passed + count.skipped + failed.length);
  console.log(
    `${count.passed} passed, ${count.skipped} skipped, ${count.excluded} out of scope, ${failed.length} failed: ` +
      `${(100 * share).toFixed(1)} % of those in scope`,
  );
  assert.deepEqual(failed, []);
  assert.ok(count.passed >= least, `${count.passed} passed; at least ${least} did before`);
  return share;
}

/** Folders of Debian's package with tests of this form: operators, and small networks that PyTorch wrote. */
const DEBIAN = ["node", "pytorch-converted", "pytorch-operator", "simple"];
/** Folders without any: each of their tests is an address from which a model could be fetched. */
const ADDRESSES = ["real"];

test("ONNX tests of Debian's package", (t) => {
  const roots = DEBIAN.flatMap((name) => testData(`packages/onnx_testdata/${name}`) ?? []);
  if (roots.length === 0) {
    t.skip("libonnx-testdata is not installed");
    return;
  }
  assert.equal(roots.length, DEBIAN.length);
  const data = path.dirname(roots[0] ?? "");
  assert.deepEqual(fs.readdirSync(data).sort(), [...DEBIAN, ...ADDRESSES].sort(), "folders of the package");
  for (const folder of ADDRESSES) {
    for (const name of fs.readdirSync(path.join(data, folder))) {
      assert.deepEqual(fs.readdirSync(path.join(data, folder, name)), ["data.json"], "a test that is no address only");
    }
  }
  const share = runAll(roots, LEAST_PASSED_DEBIAN);
  assert.ok(share >= LEAST_SHARE, `${share} of the tests in scope`);
});

test("ONNX node tests", (t) => {
  const root = testData("conformance/onnx_node");
  if (!root) {
    t.skip("no conformance/onnx_node in the test data");
    return;
  }
  const share = runAll([root], LEAST_PASSED);
  assert.ok(share >= LEAST_SHARE, `${share} of the tests in scope`);
});
