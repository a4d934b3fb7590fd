"""Writes the files beside it: resized pixels and small image files, as other programs make them.

Needs Pillow and TensorFlow 2; the tests need neither. Run it in this folder: python3 author.py
"""

import struct
import zlib

import tensorflow as tf
from PIL import Image, ImageOps

W, H = 13, 9


def pixel(x, y, c):
    return (x * 37 + y * 59 + c * 83 + x * y * (c + 1) * 7) % 256


SOURCE = Image.new("RGB", (W, H))
SOURCE.putdata([tuple(pixel(x, y, c) for c in range(3)) for y in range(H) for x in range(W)])


def flat(image):
    return list(image.convert("RGB").tobytes())


def resized(mode, size):
    if mode == "bilinear-antialias":
        return flat(SOURCE.resize(size, Image.BILINEAR))
    if mode == "bicubic":
        return flat(SOURCE.resize(size, Image.BICUBIC))
    tensor = tf.constant(flat(SOURCE), tf.float32, [1, H, W, 3])
    shape = [size[1], size[0]]
    if mode == "area":
        out = tf.compat.v1.image.resize_area(tensor, shape)
    else:
        out = tf.raw_ops.ResizeBilinear(
            images=tensor,
            size=shape,
            align_corners=mode == "bilinear-align-corners",
            half_pixel_centers=mode == "bilinear",
        )
    return [float(v) for v in tf.reshape(out, [-1]).numpy()]


MODES = ["bilinear", "bilinear-align-corners", "bilinear-asymmetric", "bilinear-antialias", "bicubic", "area"]
with open("resized.tsv", "w") as out:
    for mode in MODES:
        for size in [(5, 4), (17, 12), (6, 11)]:
            values = " ".join("%.7g" % v for v in resized(mode, size))
            out.write("%s\t%d\t%d\t%s\n" % (mode, size[0], size[1], values))

# Crop as torchvision's Resize and CenterCrop; letterbox in black and in 114.
with open("fitted.tsv", "w") as out:

    def line(fit, short, pad, image):
        values = " ".join(map(str, flat(image)))
        out.write("%s\t%d\t%d\t%d\t%d\t%s\n" % (fit, short, pad, image.width, image.height, values))

    def center(short, width, height):
        wide, tall = int(short * W / H), short
        left, top = int(round((wide - width) / 2.0)), int(round((tall - height) / 2.0))
        return SOURCE.resize((wide, tall), Image.BILINEAR).crop((left, top, left + width, top + height))

    line("crop", 8, 0, center(8, 7, 7))
    line("crop", 11, 0, center(11, 6, 9))
    for pad in (0, 114):
        for width, height in [(10, 10), (9, 4)]:
            ratio = min(width / W, height / H)
            inner = SOURCE.resize((round(W * ratio), round(H * ratio)), Image.BILINEAR)
            canvas = Image.new("RGB", (width, height), (pad, pad, pad))
            canvas.paste(inner, ((width - inner.width) // 2, (height - inner.height) // 2))
            line("letterbox", 0, pad, canvas)


# Files: smooth, so that lossy formats stay near.
SMOOTH = Image.new("RGB", (8, 6))
SMOOTH.putdata([(20 * x + 40, 30 * y + 30, 10 * (x + y) + 50) for y in range(6) for x in range(8)])


def png16(path):
    rows = b"".join(
        b"\0" + b"".join(struct.pack(">H", v * 257) for x in range(8) for v in SMOOTH.getpixel((x, y))) for y in range(6)
    )

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 8, 6, 16, 2, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


exif = Image.Exif()
exif[0x0112] = 6
SMOOTH.save("plain.png")
SMOOTH.save("plain.bmp")
SMOOTH.save("plain.webp", lossless=True)
SMOOTH.save("plain.tiff", compression="tiff_lzw")
SMOOTH.save("plain.jpg", quality=95, subsampling=0)
SMOOTH.save("rotated.jpg", quality=95, subsampling=0, exif=exif)
SMOOTH.convert("L").save("gray.jpg", quality=95)
SMOOTH.quantize(48).save("palette.gif")
SMOOTH.quantize(48).save("palette.png")
png16("deep.png")
alpha = SMOOTH.convert("RGBA")
alpha.putalpha(Image.linear_gradient("L").resize((8, 6)))
alpha.save("alpha.png")
cmyk = Image.new("CMYK", (8, 6))
cmyk.putdata([(0, 0, 0, 0) if x < 4 else (0, 0, 0, 255) for y in range(6) for x in range(8)])
cmyk.save("cmyk.jpg", quality=95)

EXPECTED = {
    "plain.png": SMOOTH,
    "plain.bmp": SMOOTH,
    "plain.webp": SMOOTH,
    "plain.tiff": SMOOTH,
    "plain.jpg": SMOOTH,
    "rotated.jpg": ImageOps.exif_transpose(Image.open("rotated.jpg")),
    "gray.jpg": SMOOTH.convert("L"),
    "palette.gif": Image.open("palette.gif"),
    "palette.png": Image.open("palette.png"),
    "deep.png": SMOOTH,
    "alpha.png": Image.alpha_composite(Image.new("RGBA", (8, 6), (0, 0, 0, 255)), alpha),
    "cmyk.jpg": cmyk,
}
with open("decoded.tsv", "w") as out:
    for name, image in EXPECTED.items():
        out.write("%s\t%d\t%d\t%s\n" % (name, image.width, image.height, " ".join(map(str, flat(image)))))
