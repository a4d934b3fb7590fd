import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import { UserError } from "../diagnostics/diagnostic";
import type { Fit, Preprocess, Resize } from "../ir/graph";
import { decodeImage, type Pixels } from "./decode";
import { encodeImage } from "./encode";
import { fitImage } from "./fit";
import { formatNpy, parseNpy } from "./npy";
import { imageToTensor } from "./preprocess";
import { resize } from "./resize";

const DATA = "tools/image/testdata";
const rows = (name: string): string[][] =>
  fs
    .readFileSync(`${DATA}/${name}`, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.split("\t"));
const numbers = (text = ""): number[] => text.split(" ").map(Number);

/** The image that author.py makes. */
const SOURCE: Pixels = {
  width: 13,
  height: 9,
  channels: 3,
  data: Uint8Array.from({ length: 13 * 9 * 3 }, (_, i) => {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % 13, Math.floor(i / 39)];
    return (x * 37 + y * 59 + c * 83 + x * y * (c + 1) * 7) % 256;
  }),
};

function near(actual: ArrayLike<number>, expected: readonly number[], tolerance: number): void {
  assert.equal(actual.length, expected.length);
  for (const [i, value] of expected.entries()) {
    assert.ok(Math.abs((actual[i] ?? 0) - value) <= tolerance, `value ${i}: ${actual[i]}, expected ${value}`);
  }
}

/**
 * TensorFlow computes in binary32, in another order: a thousandth of a pixel value. Pillow's weights are integers of 22 bits, so a sum
 * beside a half may round the other way on either axis: one.
 */
const TOLERANCE: Readonly<Record<string, number>> = { "bilinear-antialias": 1, bicubic: 1 };

for (const [mode = "", width, height, values] of rows("resized.tsv")) {
  test(`${mode} to ${width} x ${height}`, () => {
    near(resize(SOURCE, Number(width), Number(height), mode as Resize), numbers(values), TOLERANCE[mode] ?? 1e-3);
  });
}

const PLAIN: Preprocess = { color: "RGB", mean: [0, 0, 0], scale: [1, 1, 1], resize: "bilinear-antialias" };

for (const [fit, short, pad, width, height, values] of rows("fitted.tsv")) {
  test(`${fit} to ${width} x ${height}, short side ${short}, pad ${pad}`, () => {
    const how = { ...PLAIN, fit: fit as Fit, pad: Number(pad), ...(short !== "0" && { shortSide: Number(short) }) };
    near(fitImage(SOURCE, Number(width), Number(height), how), numbers(values), 1);
  });
}

test("a crop without a short side just covers the input", () => {
  const out = fitImage(SOURCE, 9, 9, { ...PLAIN, fit: "crop" });
  const expected = Array.from(
    { length: 9 * 9 * 3 },
    (_, i) => SOURCE.data[(Math.floor(i / 27) * 13 + 2) * 3 + (i % 27)],
  );
  assert.deepEqual([...out], expected);
});

test("a crop of more than there is is padded", () => {
  const out = fitImage(SOURCE, 20, 20, { ...PLAIN, fit: "crop", shortSide: 9 });
  assert.equal(out.length, 1200);
  assert.equal(out[0], 0);
  assert.ok(out.some((v) => v > 0));
});

for (const size of [1, 2, 300]) {
  test(`every filter gives a constant image of ${size} x ${size}`, () => {
    const flat: Pixels = { width: size, height: 3, channels: 1, data: new Uint8Array(size * 3).fill(77) };
    for (const mode of [
      "bilinear",
      "bilinear-align-corners",
      "bilinear-asymmetric",
      "bilinear-antialias",
      "bicubic",
      "area",
    ] as const) {
      near(resize(flat, 7, 1, mode), new Array(7).fill(77), 1e-4);
    }
  });
}

/** JPEG decoders may differ by a step or two, and colour conversion adds one; white and black of CMYK depend on the profile. */
const LOSS: Readonly<Record<string, number>> = {
  "plain.jpg": 4,
  "rotated.jpg": 4,
  "gray.jpg": 3,
  "cmyk.jpg": 40,
  "alpha.png": 1,
};

for (const [name = "", width, height, values] of rows("decoded.tsv")) {
  test(`${name} is decoded`, async () => {
    const bytes = fs.readFileSync(`${DATA}/${name}`);
    assert.ok(bytes.length <= 2048);
    const pixels = await decodeImage(bytes, name);
    assert.deepEqual([pixels.width, pixels.height, pixels.channels], [Number(width), Number(height), 3]);
    near(pixels.data, numbers(values), LOSS[name] ?? 0);
  });

  test(`${name}, cut off, is refused with the reason`, async () => {
    const bytes = fs.readFileSync(`${DATA}/${name}`);
    for (const length of [10, Math.floor(bytes.length * 0.7)]) {
      await assert.rejects(decodeImage(bytes.subarray(0, length), name), (error) => {
        assert.ok(error instanceof UserError, String(error));
        assert.equal(error.diagnostics[0]?.code, "MQ510");
        return (error.diagnostics[0]?.cause ?? "") !== "";
      });
    }
  });
}

test("gray, and channels in the order BGR", async () => {
  const bytes = fs.readFileSync(`${DATA}/plain.png`);
  const shape = [1, 6, 8, 3];
  const rgb = await imageToTensor(bytes, "plain.png", shape, PLAIN);
  const bgr = await imageToTensor(bytes, "plain.png", shape, {
    ...PLAIN,
    color: "BGR",
    mean: [1, 2, 3],
    scale: [2, 2, 2],
  });
  near(bgr.subarray(0, 3), [((rgb[2] ?? 0) - 1) * 2, ((rgb[1] ?? 0) - 2) * 2, ((rgb[0] ?? 0) - 3) * 2], 0);
  const gray = await imageToTensor(bytes, "plain.png", [1, 6, 8, 1], {
    ...PLAIN,
    color: "GRAY",
    mean: [0],
    scale: [1],
  });
  near(
    gray,
    numbers(rows("decoded.tsv").find(([name]) => name === "gray.jpg")?.[3]).filter((_, i) => i % 3 === 0),
    3,
  );
});

test("an image that would be scaled to an enormous size is refused", async () => {
  const strip = await encodeImage({ width: 1, height: 60000, channels: 1, data: new Uint8Array(60000) }, "png");
  const how: Preprocess = { ...PLAIN, fit: "crop", shortSide: 4096 };
  await assert.rejects(imageToTensor(strip, "strip.png", [1, 8, 8, 3], how), /MQ510/);
});

test(".npy is written as it is read", () => {
  for (const shape of [[6], [1, 2, 3], [2, 1, 3, 1]]) {
    const values = Float32Array.from({ length: 6 }, (_, i) => i / 3);
    const back = parseNpy(formatNpy(shape, values), "x.npy");
    assert.deepEqual(back.shape, shape);
    assert.deepEqual(back.values, values);
    assert.deepEqual(
      [...parseNpy(formatNpy(shape, Uint8Array.of(1, 2, 3, 4, 5, 255)), "x").values],
      [1, 2, 3, 4, 5, 255],
    );
  }
});
