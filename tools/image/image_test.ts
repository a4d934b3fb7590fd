import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import sharp from "sharp";
import { UserError } from "../diagnostics/diagnostic";
import { testData } from "../importers/testing/test-data";
import type { Fit, Preprocess, Resize } from "../ir/graph";
import { decodeImage, type Pixels } from "./decode";
import { encodeImage } from "./encode";
import { fitImage } from "./fit";
import { formatNpy, parseNpy } from "./npy";
import { imageToTensor } from "./preprocess";
import { RESIZE_TOLERANCE, resize } from "./resize";

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

/** The image that author_sizes.py makes. */
const LARGE: Pixels = {
  width: 640,
  height: 480,
  channels: 3,
  data: Uint8Array.from({ length: 640 * 480 * 3 }, (_, i) => {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % 640, Math.floor(i / 1920)];
    const gradient = Math.floor((x * (c + 2)) / 7) + Math.floor((y * 3) / (c + 4));
    return (gradient + Math.floor((x * y * (c + 1)) / 97) + ((x ^ y) & 31)) % 256;
  }),
};

for (const [mode = "", width, height, stride, values] of rows("sizes.tsv")) {
  const { program, tolerance } = RESIZE_TOLERANCE[mode as Resize];
  test(`${mode} of a large image to ${width} x ${height} is ${program}'s within ${tolerance}`, () => {
    const out = resize(LARGE, Number(width), Number(height), mode as Resize);
    near(
      out.filter((_, i) => i % Number(stride) === 0),
      numbers(values),
      tolerance,
    );
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
  "cmyk.jpg": 6,
  "alpha.png": 1,
  "lossy.webp": 4,
  "progressive.jpg": 2,
  "cmyk_color.jpg": 3,
  "ycck.jpg": 3,
};

for (const [name = "", width, height, values] of [...rows("decoded.tsv"), ...rows("formats.tsv")]) {
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

/** The pixel of an upright image of 8 x 6 at (x, y), where it lies in a file with the EXIF orientation, as [column, row]. */
const ORIENTED: Readonly<Record<number, (x: number, y: number) => readonly [number, number]>> = {
  1: (x, y) => [x, y],
  2: (x, y) => [7 - x, y],
  3: (x, y) => [7 - x, 5 - y],
  4: (x, y) => [x, 5 - y],
  5: (x, y) => [y, x],
  6: (x, y) => [y, 7 - x],
  7: (x, y) => [5 - y, 7 - x],
  8: (x, y) => [5 - y, x],
};

for (const [orientation, place] of Object.entries(ORIENTED)) {
  test(`EXIF orientation ${orientation} is turned upright`, async () => {
    const upright = Uint8Array.from({ length: 8 * 6 * 3 }, (_, i) => (i * 37) & 0xff);
    const [width, height] = Number(orientation) < 5 ? [8, 6] : [6, 8];
    const stored = new Uint8Array(upright.length);
    for (let y = 0; y < 6; y++) {
      for (let x = 0; x < 8; x++) {
        const [column, row] = place(x, y);
        stored.set(upright.subarray((y * 8 + x) * 3, (y * 8 + x) * 3 + 3), (row * width + column) * 3);
      }
    }
    const png = await sharp(stored, { raw: { width, height, channels: 3 } })
      .withMetadata({ orientation: Number(orientation) })
      .png()
      .toBuffer();
    const pixels = await decodeImage(png, "turned.png");
    assert.deepEqual([pixels.width, pixels.height], [8, 6]);
    assert.deepEqual([...pixels.data], [...upright]);
  });
}

test("BMP files that are not read are refused with the reason", async () => {
  const plain = fs.readFileSync(`${DATA}/plain.bmp`);
  const masked = fs.readFileSync(`${DATA}/rgb565.bmp`);
  /** @param changes offset, bytes of the number and the number. */
  const changed = (source: Uint8Array, ...changes: readonly (readonly [number, 2 | 4, number])[]): Uint8Array => {
    const bytes = Uint8Array.from(source);
    const view = new DataView(bytes.buffer);
    for (const [at, size, value] of changes)
      size === 2 ? view.setUint16(at, value, true) : view.setUint32(at, value >>> 0, true);
    return bytes;
  };
  for (const [bytes, reason] of [
    [changed(plain, [14, 4, 12]), "OS/2"],
    [changed(plain, [14, 4, 4000]), "header has 4000 bytes"],
    [changed(plain, [14, 4, 124]), "start of its pixels"],
    [changed(plain, [28, 2, 8]), "palette"],
    [changed(plain, [28, 2, 1]), "palette"],
    [changed(plain, [28, 2, 48]), "48 bits"],
    [changed(plain, [30, 4, 1]), "run-length"],
    [changed(plain, [30, 4, 4]), "JPEG"],
    [changed(plain, [30, 4, 77]), "compression 77"],
    [changed(plain, [30, 4, 3]), "masks"],
    [changed(plain, [18, 4, 0]), "not sensible"],
    [changed(plain, [18, 4, 0x7fffffff]), "not sensible"],
    [changed(plain, [22, 4, 0x80000000]), "not sensible"],
    [changed(plain, [22, 4, 1000]), "cut off"],
    [changed(plain, [10, 4, 0]), "not sensible"],
    [changed(masked, [54, 4, 0]), "runs of bits"],
    [changed(masked, [54, 4, 0xa000]), "runs of bits"],
    [masked.subarray(0, 60), "cut off"],
    [plain.subarray(0, 15), "cut off"],
  ] as const) {
    await assert.rejects(decodeImage(bytes, "x.bmp"), (error) => {
      assert.ok(error instanceof UserError, String(error));
      assert.ok(error.diagnostics[0]?.cause?.includes(reason), `${error.diagnostics[0]?.cause}, expected ${reason}`);
      return true;
    });
  }
});

test("a BMP from the top down is the same picture", async () => {
  const bytes = Uint8Array.from(fs.readFileSync(`${DATA}/plain.bmp`));
  const view = new DataView(bytes.buffer);
  const [start, stride] = [view.getUint32(10, true), 24];
  const rowsUp = Array.from({ length: 6 }, (_, y) => bytes.slice(start + stride * y, start + stride * (y + 1)));
  rowsUp.reverse().forEach((row, y) => {
    bytes.set(row, start + stride * y);
  });
  view.setInt32(22, -6, true);
  const expected = await decodeImage(fs.readFileSync(`${DATA}/plain.bmp`), "plain.bmp");
  assert.deepEqual(await decodeImage(bytes, "down.bmp"), expected);
});

test("photographs of the test data", { skip: testData("images/misc/cat.jpg") ? false : "no test data" }, async () => {
  for (const [name, width, height] of [
    ["cat.jpg", 480, 360],
    ["grace_hopper.bmp", 512, 600],
    ["sunflower.bmp", 512, 340],
  ] as const) {
    const bytes = fs.readFileSync(testData(`images/misc/${name}`) ?? "");
    const pixels = await decodeImage(bytes, name);
    assert.deepEqual([pixels.width, pixels.height], [width, height]);
    // Samples of what Pillow decodes.
    const [, , , stride, values] = rows("photographs.tsv").find(([known]) => known === name) ?? [];
    const samples = pixels.data.filter((_, i) => i % Number(stride) === 0);
    near(samples, numbers(values), name.endsWith(".jpg") ? 4 : 0);
    // As a PNG it is the same picture.
    const again = await decodeImage(await encodeImage(pixels, "png"), "again.png");
    assert.ok(Buffer.from(again.data).equals(Buffer.from(pixels.data)));
  }
});

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
