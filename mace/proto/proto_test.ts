// What the tools rely on in the generated code: nothing is copied, 64-bit numbers are numbers, defaults are proto2's.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConstTensor, DataType, NetDef } from "./mace";
import { Statistics } from "./statistics";

test("decoded bytes are views of the input", () => {
  const encoded = Statistics.encode(
    Statistics.fromPartial({ version: 1, graphDigest: new Uint8Array([1, 2, 3]) }),
  ).finish();
  const decoded = Statistics.decode(encoded);
  assert.deepEqual([...(decoded.graphDigest ?? [])], [1, 2, 3]);
  assert.equal(decoded.graphDigest?.buffer, encoded.buffer);
});

test("64-bit fields are numbers", () => {
  const offset = 2 ** 40 + 64;
  const encoded = ConstTensor.encode(ConstTensor.fromPartial({ name: "w", dims: [3, -1], offset })).finish();
  const decoded = ConstTensor.decode(encoded);
  assert.equal(decoded.offset, offset);
  assert.deepEqual(decoded.dims, [3, -1]);
});

test("an absent enumeration has the default of the schema", () => {
  assert.equal(ConstTensor.decode(new Uint8Array()).dataType, DataType.DT_FLOAT);
});

test("unknown fields of newer writers are skipped", () => {
  // Field 999, a varint.
  assert.deepEqual(NetDef.decode(new Uint8Array([0xb8, 0x3e, 0x01])), NetDef.fromPartial({}));
});
