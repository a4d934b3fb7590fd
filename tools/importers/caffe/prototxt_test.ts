import * as assert from "node:assert/strict";
import { test } from "node:test";
import { AttributeError } from "../failures";
import { Parameters } from "./parameters";
import { readTextFormat, TextFormatError, type TextMessage, type TextValue } from "./prototxt";

const read = (text: string): TextMessage => readTextFormat(new TextEncoder().encode(text));

/** The tree as plain values. */
function plain(value: TextValue): unknown {
  if (value.kind === "message") {
    return Object.fromEntries([...value.fields].map(([name, values]) => [name, values.map(plain)]));
  }
  return value.number ?? value.text;
}

test("fields, nested messages and lists in all their spellings", () => {
  const tree = read(`# a comment
    name: "net"  # another
    a { x: 1 } a: { x: 2 } a < x: 3 > a: < x: 4; >
    list: [1, 2, 3] list: 4, empty: [] ;
    messages [ { y: 1 }, { y: 2 } ]
    word: MAX flag: true
  `);
  assert.deepEqual(plain(tree), {
    name: ["net"],
    a: [{ x: [1] }, { x: [2] }, { x: [3] }, { x: [4] }],
    list: [1, 2, 3, 4],
    messages: [{ y: [1] }, { y: [2] }],
    word: ["MAX"],
    flag: ["true"],
  });
});

test("numbers", () => {
  const tree = read("n: -12 n: 0x1F n: 010 n: 1.5 n: .25 n: 3. n: 1e-3 n: -2.5E+2f n: 1F n: -inf n: - infinity n: 0");
  assert.deepEqual(plain(tree), {
    n: [-12, 31, 8, 1.5, 0.25, 3, 0.001, -250, 1, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, 0],
  });
  assert.ok(Number.isNaN((plain(read("n: nan")) as { n: number[] }).n[0]));
});

test("strings", () => {
  const tree = read(String.raw`s: "a\n\"b\"\x41\101\t\\" s: 'it''s' s: "one " 'two' # both
    " three" s: "é#{"`);
  assert.deepEqual(plain(tree), { s: ['a\n"b"AA\t\\', "its", "one two three", "é#{"] });
});

test("places", () => {
  const tree = read('a: 1\n  b {\n    c: "x"\n  }\n');
  const [b] = tree.fields.get("b") ?? [];
  assert.deepEqual([b?.line, b?.column], [2, 5]);
  assert.ok(b?.kind === "message");
  const [c] = b.fields.get("c") ?? [];
  assert.deepEqual([c?.line, c?.column], [3, 8]);
});

for (const [text, line, column, message] of [
  ["a: {", 1, 5, /'}' is expected/],
  ["a: 1 }", 1, 6, /field's name is expected, but found '}'/],
  ["\n a 1", 2, 4, /':' or '{' is expected after 'a'/],
  ["a:", 1, 3, /a value of 'a' is expected, but the text ends/],
  ['a: "x', 1, 4, /string is not closed/],
  ['a: "x\ny"', 1, 4, /string is not closed/],
  [String.raw`a: "\q"`, 1, 5, /unknown escape/],
  ["a: 1.2.3", 1, 4, /a value of 'a' is expected/],
  ["a: -b", 1, 4, /'-b' is not a number/],
  ["a: [1 2]", 1, 7, /',' or ']' is expected/],
  ["a: 1 : 2", 1, 6, /field's name is expected/],
  ["a > b", 1, 3, /':' or '{' is expected/],
  ["a\0b", 1, 1, /binary/],
] as const) {
  test(`a mistake: ${JSON.stringify(text)}`, () => {
    assert.throws(
      () => read(text),
      (error) => {
        assert.ok(error instanceof TextFormatError);
        assert.match(error.message, message);
        assert.deepEqual([error.place.line, error.place.column], [line, column]);
        return true;
      },
    );
  });
}

test("bounds on depth and size", () => {
  assert.throws(() => read("a {".repeat(100000)), /nest deeper/);
  assert.throws(() => readTextFormat(new Uint8Array(5 * 2 ** 20).fill(32)), /more than/);
  assert.throws(() => read(`a: ${"1".repeat(2 ** 20)}x`), /a value of 'a' is expected/);
  assert.equal(read("#\n".repeat(2 ** 20)).fields.size, 0);
});

test("typed reading", () => {
  const p = new Parameters(
    read('i: 3 f: 0.5 t: true word: AVE index: 1 s: "x" m { i: 1 } l: 1 l: 2 other: 1 engine: CAFFE'),
  );
  assert.equal(p.integer("i"), 3);
  assert.equal(p.number("f"), 0.5);
  assert.equal(p.flag("t", false), true);
  assert.equal(p.choice("word", ["MAX", "AVE"], "MAX"), "AVE");
  assert.equal(p.choice("index", ["MAX", "AVE"], "MAX"), "AVE");
  assert.equal(p.text("s"), "x");
  assert.equal(p.nested("m").integer("i"), 1);
  assert.equal(p.nested("absent").integer("i", 7), 7);
  assert.deepEqual(p.integers("l"), [1, 2]);
  assert.deepEqual(p.unread(), ["other"]);
  for (const wrong of [
    () => p.integer("f"),
    () => p.integer("l"),
    () => p.integer("m"),
    () => p.integer("s"),
    () => p.integer("absent"),
    () => p.flag("i", true),
    () => p.choice("s", ["MAX"], "MAX"),
    () => p.nested("i"),
    () => p.texts("m"),
  ]) {
    assert.throws(wrong, AttributeError);
  }
  assert.throws(() => new Parameters(read("\nx: 1.5")).integer("x"), /line 2, column 4/);
});
