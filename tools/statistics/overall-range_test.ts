import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../diagnostics/diagnostic";
import { formatMaceLine, formatOverallRange, parseOverallRange } from "./overall-range";
import { formatRangeNumber } from "./range-number";

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

test("a third field has the digits that six decimals lose, and none is there without need", () => {
  for (const [range, line] of [
    [[-9, 60], "t@@-9.000000,60.000000\n"],
    [[-1.9800000000000002, 15.9], "t@@-1.980000,15.900000\n"],
    [[-0, 0.25], "t@@-0.000000,0.250000\n"],
    [[0, 0.123456789], "t@@0.000000,0.123457@@0.000000,0.123456789\n"],
    [[1e-10, 3e-9], "t@@0.000000,0.000000@@0.0000000001,0.000000003\n"],
  ] as const) {
    assert.equal(formatMaceLine("t", range), line);
    // Read as the line with all digits is.
    assert.deepEqual(parseOverallRange(line, "x"), parseOverallRange(formatOverallRange(new Map([["t", range]])), "y"));
  }
  for (let i = 1; i < 5000; i++) {
    const range = [0, 1].map((k) => Math.fround(Math.sin(i + k / 2) * 10 ** ((i % 40) - 20))).sort((a, b) => a - b);
    const line = formatMaceLine("t", range as [number, number]);
    assert.deepEqual([...(parseOverallRange(line, "x").get("t") ?? [])].map(Math.fround), range);
  }
});

test("a third field of something else, or of a line that was edited by hand, is ignored", () => {
  const text = "a@@0.5,0.75@@0.123456789,0.7\nb@@0.000000,0.123457@@0.000000,0.12345678,9\nc@@0.000000,0.123457@@x,y\n";
  assert.deepEqual(
    [...parseOverallRange(text, "x")],
    [
      ["a", [0.5, 0.75]],
      ["b", [0, 0.123457]],
      ["c", [0, 0.123457]],
    ],
  );
});

for (const line of ["a", "a@@1", "a@@1,2,3", "a@@x,y", "a@@2,1", "@@1,2", "a@@nan,1", "a@@1,inf", "a@@,"]) {
  test(`the line '${line}' is refused with its number`, () => {
    assert.throws(
      () => parseOverallRange(`ok@@0,1\n${line}\n`, "ranges.txt"),
      (e) => e instanceof UserError && e.diagnostics[0]?.code === "MQ306" && e.diagnostics[0].place.line === 2,
    );
  });
}
