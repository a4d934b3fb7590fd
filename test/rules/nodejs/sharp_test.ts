// The image library works in a sandbox, from runfiles that are links.
import assert from "node:assert/strict";
import { test } from "node:test";
import sharp from "sharp";

test("an image survives encoding and decoding", async () => {
  const pixels = Uint8Array.from({ length: 4 * 3 * 3 }, (_, i) => i * 7);
  const png = await sharp(pixels, { raw: { width: 4, height: 3, channels: 3 } })
    .png()
    .toBuffer();
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  assert.deepEqual([info.width, info.height, info.channels], [4, 3, 3]);
  assert.deepEqual([...data], [...pixels]);
});

test("JPEG is supported", async () => {
  const jpeg = await sharp({ create: { width: 8, height: 8, channels: 3, background: "red" } })
    .jpeg()
    .toBuffer();
  assert.equal((await sharp(jpeg).metadata()).format, "jpeg");
});
