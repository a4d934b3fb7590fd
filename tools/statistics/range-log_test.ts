import assert from "node:assert/strict";
import { test } from "node:test";
import { Statistics } from "../../mace/proto/statistics";
import { UserError } from "../diagnostics/diagnostic";
import { Random } from "../synth/random";
import { formatOverallRange, parseOverallRange } from "./overall-range";
import { overallRange, parseRangeLog, rangeLog } from "./range-log";
import { sixDecimals } from "./range-number";
import { RANGE_DEFAULTS, rangesFromStatistics } from "./ranges";

const line = (name: string, min: string | number, max: string | number): string =>
  `I mace/core/net/serial_net.cc:164] Tensor range @@${name}@@${min},${max}\n`;

/** @param options percentile, enhance, enhance ratio */
const overall = (log: string, ...[percentile, enhance, enhanceRatio]: readonly [number, boolean, number]): string =>
  overallRange(parseRangeLog(log, "log"), "log", { percentile, enhance, enhanceRatio }, false).text;

const T = [
  [-1, 10],
  [-1.2, 11],
  [-0.9, 10.5],
  [-1.1, 10.2],
  [-9, 60],
  [-1.0, 10.1],
  [-1.05, 10.3],
  [-0.95, 10.6],
  [-1.15, 10.7],
  [-0.97, 10.4],
].map(([min, max]) => line("t", min ?? 0, max ?? 0));

// Lines that MACE's own script printed.
for (const [percentile, enhance, ratio, expected] of [
  [0, false, 10, "t@@-9.000000,60.000000\n"],
  [10, false, 10, "t@@-1.980000,15.900000\n"],
  [0, true, 10, "t@@-9.000000,60.000000\n"],
  [0, true, 5, "t@@-9.000000,11.000000\n"],
  [0, true, 2, "t@@-9.000000,11.000000\n"],
  [10, true, 5, "t@@-1.980000,15.900000\n"],
] as const) {
  test(`MACE's result with percentile ${percentile}, enhance ${enhance}, ratio ${ratio}`, () => {
    assert.equal(overall(T.join(""), percentile, enhance, ratio), expected);
  });
}

test("a small range is not trimmed", () => {
  assert.equal(overall(line("u", 0, 0.05) + line("u", 0, 0.06), 0, true, 10), "u@@0.000000,0.060000\n");
});

test("numbers are C's %f", () => {
  for (const [value, text] of [
    [0, "0.000000"],
    [-0, "-0.000000"],
    [0.0078125, "0.007812"],
    [0.0234375, "0.023438"],
    [-1e-9, "-0.000000"],
    [1.5e21, "1500000000000000000000.000000"],
    [3.4028234663852886e38, "340282346638528859811704183484516925440.000000"],
    [0.1, "0.100000"],
    [5e-7, "0.000000"],
    [123456.7890125, "123456.789012"],
    [0.9999996, "1.000000"],
    [5e-324, "0.000000"],
  ] as const) {
    assert.equal(sixDecimals(value), text);
  }
});

test("a constant tensor is a warning, an inverted one an error, and lines that cannot be read are named", () => {
  const { text, warnings } = overallRange(parseRangeLog(line("c", 2, 2), "log"), "log", {
    percentile: 0,
    enhance: false,
    enhanceRatio: 10,
  });
  assert.equal(text, "c@@2.000000,2.000000\n");
  assert.deepEqual(
    warnings.map(({ code }) => code),
    ["MQ311"],
  );
  assert.match(warnings[0]?.cause ?? "", /written was c@@2\.000000,2\.000000$/);
  const fails = (log: string, code: string, percentile = 0) =>
    assert.throws(
      () => overall(log, percentile, false, 10),
      (e) => e instanceof UserError && e.diagnostics[0]?.code === code,
    );
  fails(line("c", 3e38, -3e38), "MQ310");
  fails("nothing\n", "MQ309");
  fails(line("c", 1, "nan"), "MQ308");
  fails(line("c", 1, "2,3"), "MQ308");
  fails(line("c", "", "2"), "MQ308");
  fails("I x] Tensor range @@c@@1,2Tensor range @@d@@1,2\n", "MQ308");
});

test("a range that six decimals collapse is a warning that says what was written", () => {
  const log = parseRangeLog(line("t", 1e-9, 3e-7) + line("u", -4e-7, 4e-7), "log");
  const how = { percentile: 0, enhance: false, enhanceRatio: 10 };
  const { text, warnings } = overallRange(log, "log", how);
  assert.equal(text, "t@@0.000000,0.000000@@0.000000001,0.0000003\nu@@-0.000000,0.000000@@-0.0000004,0.0000004\n");
  assert.deepEqual(
    warnings.map(({ code, place }) => [code, place.tensor]),
    [
      ["MQ315", "t"],
      ["MQ315", "u"],
    ],
  );
  assert.match(warnings[0]?.cause ?? "", /written was t@@0\.000000,0\.000000@@0\.000000001,0\.0000003,/);
  const plain = overallRange(log, "log", how, false);
  assert.equal(plain.text, "t@@0.000000,0.000000\nu@@-0.000000,0.000000\n");
  assert.match(plain.warnings[0]?.fixes[0] ?? "", /--six_decimals/);
});

test("log and quantize_stat give the ranges of the statistics themselves, to the last bit", () => {
  const random = new Random("log to ranges");
  for (let round = 0; round < 50; round++) {
    const size = 10 ** ((random.next() % 16) - 10);
    const sample = Array.from({ length: 1 + (random.next() % 30) }, (_, i) => {
      const ends = [0, 1].map(() => Math.fround(random.normal() * size)).sort((a, b) => a - b);
      return { name: `s${i}`, min: [ends[0] ?? 0], max: [ends[1] ?? 0] };
    });
    const statistics = Statistics.fromPartial({ version: 1, tensor: [{ name: "t" }], sample });
    const how = { percentile: random.next() % 30, enhance: random.next() % 2 === 0, enhanceRatio: 2 };
    const own = formatOverallRange(rangesFromStatistics(statistics, "s", { ...RANGE_DEFAULTS, mace: how }).ranges);
    const [low = 0, high = 0] = (own.split("@@")[1] ?? "").split(",").map(Number);
    if (low > high) continue;
    const { text } = overallRange(parseRangeLog([...rangeLog(statistics)].join(""), "log"), "log", how);
    assert.deepEqual(parseOverallRange(text, "steps"), parseOverallRange(own, "rules"));
  }
});

test("the log of statistics reads back as the same binary32 numbers", () => {
  const random = new Random("log numbers");
  const value = (): number => Math.fround(random.normal() * 10 ** ((random.next() % 60) - 30));
  const sample = Array.from({ length: 20 }, (_, i) => ({
    name: `s${i}`,
    min: [value(), value()],
    max: [value(), value()],
  }));
  const statistics = Statistics.fromPartial({ version: 1, tensor: [{ name: "a/b:0" }, { name: "c" }], sample });
  const log = parseRangeLog([...rangeLog(statistics)].join(""), "log");
  assert.deepEqual([...log.keys()], ["a/b:0", "c"]);
  [...log.values()].forEach(({ mins, maxs }, t) => {
    assert.deepEqual(
      mins,
      sample.map(({ min }) => min[t]),
    );
    assert.deepEqual(
      maxs,
      sample.map(({ max }) => max[t]),
    );
  });
});

/** An implementation of the rule of its own, on plain lists, from the description of the algorithm. */
function independent(log: string, percentile: number, enhance: boolean, ratio: number): string {
  const order: string[] = [];
  const samples: Record<string, [number, number][]> = {};
  for (const text of log.split(/\r?\n/)) {
    const found = /Tensor range @@(.*?)@@(.*),(.*)$/.exec(text);
    if (!found) continue;
    const [, name = "", min, max] = found;
    if (!(name in samples)) order.push(name);
    samples[name] = [...(samples[name] ?? []), [Number(min), Number(max)]];
  }
  const ascending = (list: number[]): number[] => [...list].sort((x, y) => x - y);
  const quantile = (list: number[], q: number): number => {
    const sorted = ascending(list);
    const place = (q / 100) * (sorted.length - 1);
    const [i, part] = [Math.floor(place), place % 1];
    const [a = 0, b = a] = [sorted[i], sorted[i + 1]];
    return part < 0.5 ? a + part * (b - a) : b - (1 - part) * (b - a);
  };
  return order
    .map((name) => {
      const all = samples[name] ?? [];
      const n = all.length;
      const A = ascending(all.map(([min]) => min));
      const B = ascending(all.map(([, max]) => max)).reverse();
      let range = { lo: quantile(A, percentile), hi: quantile(B, 100 - percentile), a: 0, b: 0 };
      const step = (i: number): typeof range | undefined => {
        const { lo, hi, a } = range;
        if ((A[i] ?? 0) + 0.1 > hi) return undefined;
        const worth = (saved: number, lost: number): boolean => lost > 0 && saved / lost > ratio;
        const next = worth(((A[i] ?? 0) - lo) / (hi - lo), (i - a) / (n - a))
          ? { ...range, a: i, lo: A[i] ?? 0 }
          : range;
        range = next;
        if (next.lo + 0.1 > (B[i] ?? 0)) return undefined;
        const { b } = next;
        return worth((next.hi - (B[i] ?? 0)) / (next.hi - next.lo), (i - b) / (n - b))
          ? { ...next, b: i, hi: B[i] ?? 0 }
          : next;
      };
      for (let i = 0; enhance && n > 1 && range.lo < range.hi && i < n; i++) {
        const next = step(i);
        if (!next) break;
        range = next;
      }
      return `${name}@@${percentF(range.lo)},${percentF(range.hi)}\n`;
    })
    .join("");
}

/** %f by decimal digits: the shortest text of a binary64 number is not exact, toFixed(30) and beyond is. */
function percentF(value: number): string {
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const magnitude = Math.abs(value);
  if (magnitude >= 2 ** 53) return `${sign}${BigInt(magnitude)}.000000`;
  const [whole = "", fraction = ""] = magnitude.toFixed(60).split(".");
  const kept = BigInt(whole + fraction.slice(0, 6));
  const rest = fraction.slice(6);
  const half = `5${"0".repeat(rest.length - 1)}`;
  const up = rest > half || (rest === half && kept % 2n === 1n);
  const digits = String(kept + (up ? 1n : 0n)).padStart(7, "0");
  return `${sign}${digits.slice(0, -6)}.${digits.slice(-6)}`;
}

test("500 random logs give what the independent implementation gives", () => {
  const random = new Random("logs");
  const pick = (n: number): number => random.next() % n;
  let trimmed = 0;
  for (let round = 0; round < 500; round++) {
    const end = pick(4) === 0 ? "\r\n" : "\n";
    const lines: string[] = [];
    for (let t = 0; t < 1 + pick(4); t++) {
      const size = 10 ** (pick(14) - 7);
      const shift = pick(4) === 0 ? -10 * size : 0;
      const count = pick(5) === 0 ? 1 : 1 + pick(40);
      for (let i = 0; i < count; i++) {
        const outlier = pick(12) === 0 ? 50 : 1;
        const low = shift - size * outlier * random.uniform();
        const high = shift === 0 ? size * outlier * random.uniform() : low + size * random.uniform();
        const both = [low, high].map((v) => (pick(2) === 0 ? v.toPrecision(6) : v.toExponential(5)));
        lines.push(`I net.cc:1] Tensor range @@net/t${t}:0@@${both.join(",")}`);
        if (pick(6) === 0) lines.push(lines[lines.length - 1] ?? "");
      }
    }
    // Samples of tensors come interleaved, with lines of other kinds between them.
    for (let i = lines.length - 1; i > 0; i--) {
      const j = pick(i + 1);
      [lines[i], lines[j]] = [lines[j] ?? "", lines[i] ?? ""];
      if (pick(5) === 0)
        lines.splice(i, 0, ["", "I model.cc:3] run", "capability(CPU) 1 2 3", "W Tensor @@x@@"][pick(4)] ?? "");
    }
    const log = lines.join(end) + (pick(2) === 0 ? end : "");
    const percentile = pick(2) === 0 ? 0 : pick(30);
    const options = [percentile, pick(2) === 0, 1 + pick(10)] as const;
    const expected = independent(log, ...options);
    const inverted = expected.split("\n").some((text) => {
      const [low = 0, high = 0] = (text.split("@@")[1] ?? "0,0").split(",").map(Number);
      return low > high;
    });
    if (inverted) continue;
    assert.equal(overall(log, ...options), expected, JSON.stringify({ options, log }));
    // With the third fields, the first two are still the script's.
    const [how, enhance, enhanceRatio] = options;
    const { text } = overallRange(parseRangeLog(log, "log"), "log", { percentile: how, enhance, enhanceRatio });
    assert.equal(text.replace(/^(.*?@@.*?)@@.*$/gm, "$1"), expected);
    if (options[1] && expected !== independent(log, options[0], false, options[2])) trimmed++;
  }
  assert.ok(trimmed > 20, `only ${trimmed} logs were trimmed`);
});
