"""Writes small files of rarer kinds beside it, and formats.tsv: their pixels as Pillow decodes them.

Needs Pillow; the tests do not. Run it in this folder: python3 author_formats.py. With MACE_TEST_DATA, the folder of the test data, it writes
photographs.tsv too: samples of the photographs there.
"""

import os
import struct
import zlib

from PIL import Image

W, H = 8, 6
SMOOTH = Image.new("RGB", (W, H))
SMOOTH.putdata([(20 * x + 40, 30 * y + 30, 10 * (x + y) + 50) for y in range(H) for x in range(W)])

SMOOTH.save("lossy.webp", quality=80)
SMOOTH.save("progressive.jpg", quality=95, subsampling=0, progressive=True)

# Ink of every kind; Pillow marks the file as Adobe's and inverts it, as Photoshop does.
INK = Image.new("CMYK", (W, H))
INK.putdata([(25 * x + 20, 40 * y + 10, 120 - 8 * (x + y), 10 * y + 5 * x) for y in range(H) for x in range(W)])
INK.save("cmyk_color.jpg", quality=98, subsampling=0)


def clamp(v):
    return min(max(int(v + 0.5), 0), 255)


def ycck():
    """The same ink as YCCK, in a file that says so. Readers make 255 - R of each, which are the inverted inks of Adobe's files."""
    image = Image.new("CMYK", (W, H))
    pixels = []
    for x, y in [(x, y) for y in range(H) for x in range(W)]:
        r, g, b, k = INK.getpixel((x, y))
        luma = 0.299 * r + 0.587 * g + 0.114 * b
        cb, cr = (b - luma) * 0.564 + 128, (r - luma) * 0.713 + 128
        # Pillow inverts what it writes; the file is to have luma, cb, cr and inverted black.
        pixels.append((255 - clamp(luma), 255 - clamp(cb), 255 - clamp(cr), k))
    image.putdata(pixels)
    image.save("ycck.jpg", quality=98, subsampling=0)
    with open("ycck.jpg", "rb") as file:
        data = bytearray(file.read())
    at = data.index(b"Adobe")
    data[at + 11] = 2  # colour transform: YCCK
    with open("ycck.jpg", "wb") as file:
        file.write(data)


ycck()

# 16 bits whose low bytes would round the high ones up: eight bits are the high ones, as libpng strips them.
DEEP = [(v * 4111 + 200) % 65536 for v in range(W * H)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


rows = b"".join(b"\0" + b"".join(struct.pack(">H", DEEP[y * W + x]) for x in range(W)) for y in range(H))
with open("gray16.png", "wb") as file:
    header = struct.pack(">IIBBBBB", W, H, 16, 0, 0, 0, 0)
    file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
Image.frombytes("I;16", (W, H), struct.pack("<%dH" % (W * H), *DEEP)).save("gray16.tiff")
HIGH = Image.new("L", (W, H))
HIGH.putdata([v >> 8 for v in DEEP])


def bmp(path, bits, masks, values, header=40):
    """A bottom-up BMP with bit fields."""
    row = b""
    stride = (W * bits + 31) // 32 * 4
    for y in reversed(range(H)):
        line = b"".join(struct.pack("<I" if bits == 32 else "<H", values[y * W + x]) for x in range(W))
        row += line.ljust(stride, b"\0")
    fields = struct.pack("<III", *masks)
    rest = b"\0" * (header - 40 - 12 if header > 40 else 0)
    info = struct.pack("<IiiHHIIiiII", header, W, H, 1, bits, 3, len(row), 0, 0, 0, 0) + fields + rest
    with open(path, "wb") as file:
        file.write(struct.pack("<2sIHHI", b"BM", 14 + len(info) + len(row), 0, 0, 14 + len(info)) + info + row)


PIXELS = [SMOOTH.getpixel((x, y)) for y in range(H) for x in range(W)]
bmp("rgb565.bmp", 16, (0xF800, 0x07E0, 0x001F), [(r >> 3) << 11 | (g >> 2) << 5 | b >> 3 for r, g, b in PIXELS])
bmp("rgb555.bmp", 16, (0x7C00, 0x03E0, 0x001F), [(r >> 3) << 10 | (g >> 3) << 5 | b >> 3 for r, g, b in PIXELS])
bmp("rgbx.bmp", 32, (0xFF000000, 0x00FF0000, 0x0000FF00), [r << 24 | g << 16 | b << 8 for r, g, b in PIXELS], 56)

with open("formats.tsv", "w") as out:

    def line(name, image):
        values = " ".join(map(str, image.convert("RGB").tobytes()))
        out.write("%s\t%d\t%d\t%s\n" % (name, image.width, image.height, values))

    for name in ["lossy.webp", "progressive.jpg", "cmyk_color.jpg", "ycck.jpg", "rgb565.bmp", "rgb555.bmp", "rgbx.bmp"]:
        line(name, Image.open(name))
    line("gray16.png", HIGH)
    line("gray16.tiff", HIGH)

if "MACE_TEST_DATA" in os.environ:
    folder = os.path.join(os.environ["MACE_TEST_DATA"], "images/misc")
    with open("photographs.tsv", "w") as out:
        for name in ["cat.jpg", "grace_hopper.bmp", "sunflower.bmp"]:
            image = Image.open(os.path.join(folder, name)).convert("RGB")
            stride = 4001
            values = " ".join(map(str, image.tobytes()[::stride]))
            out.write("%s\t%d\t%d\t%d\t%s\n" % (name, image.width, image.height, stride, values))
