"""Writes sizes.tsv beside it: samples of what other programs make of an image of 640 x 480 at the sizes of networks' inputs.

Needs Pillow and TensorFlow 2; the tests need neither. Run it in this folder: python3 author_sizes.py
"""

import tensorflow as tf
from PIL import Image

W, H = 640, 480
# Of the values of the result, in their order.
STRIDE = 1009


def pixel(x, y, c):
    # A gradient with a fine texture: neighbours differ, and every filter has something to do.
    return ((x * (c + 2)) // 7 + (y * 3) // (c + 4) + (x * y * (c + 1)) // 97 + ((x ^ y) & 31)) % 256


DATA = bytes(pixel(x, y, c) for y in range(H) for x in range(W) for c in range(3))
SOURCE = Image.frombytes("RGB", (W, H), DATA)


def resized(mode, size):
    if mode == "bilinear-antialias":
        return list(SOURCE.resize(size, Image.BILINEAR).tobytes())
    if mode == "bicubic":
        return list(SOURCE.resize(size, Image.BICUBIC).tobytes())
    tensor = tf.constant(list(DATA), tf.float32, [1, H, W, 3])
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


with open("sizes.tsv", "w") as out:
    for mode in ["bilinear", "bilinear-align-corners", "bilinear-asymmetric", "bilinear-antialias", "bicubic", "area"]:
        for size in [(299, 299), (224, 224), (800, 513)]:
            values = " ".join("%.7g" % v for v in resized(mode, size)[::STRIDE])
            out.write("%s\t%d\t%d\t%d\t%s\n" % (mode, size[0], size[1], STRIDE, values))
