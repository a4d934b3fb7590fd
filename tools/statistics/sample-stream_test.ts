import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeRecord, RecordDecoder } from "./sample-stream";

const RECORDS = [
  { name: "a.png", tensors: [Float32Array.of(1, -2, 3.5)] },
  { name: "é", tensors: [Float32Array.of(), Float32Array.of(7)] },
  { name: "", tensors: [] },
];

test("records survive a stream cut at every byte", () => {
  const bytes = Buffer.concat(RECORDS.map(encodeRecord));
  for (let cut = 0; cut <= bytes.length; cut++) {
    const decoder = new RecordDecoder();
    const records = [...decoder.push(bytes.subarray(0, cut)), ...decoder.push(bytes.subarray(cut))];
    assert.deepEqual(records, RECORDS);
    assert.ok(decoder.complete);
  }
});

test("a stream that ends within a record is not complete", () => {
  const decoder = new RecordDecoder();
  decoder.push(encodeRecord(RECORDS[0] ?? { name: "", tensors: [] }).subarray(0, 10));
  assert.ok(!decoder.complete);
});
