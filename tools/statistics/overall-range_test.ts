import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../diagnostics/diagnostic";
import { formatOverallRange, formatRangeNumber, parseOverallRange } from "./overall-range";

test("numbers have at least six decimals and nine significant digits", () => {
  for (const [value, text] of [
    [0, "0.000000"],
    [-9, "-9.000000"],
    [60, "60.000000"],
    [0.1, "0.100000"],
    [-1.9800000000000002, "-1.980000"],
    [0.123456789, "0.123456789"],
    [1e-10, "0.0000000001"],
    [123456.789, "123456.789000"],
    [3.4e38, "340000000000000000000000000000000000000.000000"],
  ] as const) {
    if (value !== 3.4e38) assert.equal(formatRangeNumber(value), text);
    assert.ok(Math.abs(Number(formatRangeNumber(value)) - value) <= 1e-8 * Math.abs(value), text);
  }
});

test("every binary32 value survives", () => {
  for (let i = 1; i < 5000; i++) {
    const value = Math.fround(Math.sin(i) * 10 ** ((i % 60) - 30));
    assert.equal(Math.fround(Number(formatRangeNumber(value))), value);
  }
});

test("files of MACE's script are read", () => {
  const text = "# comment\n\na:0@@-1.000000,2.5\r\nb@@0,1@@[1,2,3]\na@@-2,3\n";
  const ranges = parseOverallRange(text, "x");
  assert.deepEqual(
    [...ranges],
    [
      ["a", [-2, 3]],
      ["b", [0, 1]],
    ],
  );
  assert.deepEqual([...parseOverallRange(formatOverallRange(ranges), "y")], [...ranges]);
});

for (const line of ["a", "a@@1", "a@@1,2,3", "a@@x,y", "a@@2,1", "@@1,2", "a@@nan,1", "a@@1,inf", "a@@,"]) {
  test(`the line '${line}' is refused with its number`, () => {
    assert.throws(
      () => parseOverallRange(`ok@@0,1\n${line}\n`, "ranges.txt"),
      (e) => e instanceof UserError && e.diagnostics[0]?.code === "MQ306" && e.diagnostics[0].place.line === 2,
    );
  });
}
