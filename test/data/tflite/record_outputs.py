"""Records what TensorFlow Lite's reference kernels compute for the quantized models of the test data.

Usage: python3 record_outputs.py FOLDER_OF_TFLITE_MODELS OUTPUT_FOLDER   (needs tensorflow-cpu 2.21.0)

Authoring only: neither the build nor the tests run it. The interpreter uses its plain C++ reference kernels
(BUILTIN_REF), without delegates, so that the codes are those of TensorFlow Lite's own specification and do not depend on the host.
The inputs are those of `recordedInput` in test/data/recorded-outputs.ts: change both or neither.
"""

import sys

import numpy as np
import tensorflow as tf

SAMPLES = 100

# Model -> rows, columns, channels of the pattern that its input holds in row-major order.
MODELS = {
    "mobilenet_v1_0.25_224_quant": (224, 224, 3),
    "mobilenet_v1_0.5_160_quant": (160, 160, 3),
    "resnet8_cifar10_int8": (32, 32, 3),
    "vww_96_int8": (96, 96, 3),
    "ad01_int8": (5, 128, 1),
}


def pattern(sample, rows, columns, channels):
    """Bytes that vary smoothly: random knots, 2 + sample % 7 cells a side, interpolated in integers."""
    state = (0x9E3779B9 * (sample + 1)) & 0xFFFFFFFF
    cells = 2 + sample % 7
    knots = np.zeros((cells + 1, cells + 1, channels), np.int64)
    for i in range(knots.size):
        state ^= (state << 13) & 0xFFFFFFFF
        state ^= state >> 17
        state ^= (state << 5) & 0xFFFFFFFF
        knots.flat[i] = state >> 24
    y = np.arange(rows, dtype=np.int64) * cells * 256 // rows
    x = np.arange(columns, dtype=np.int64) * cells * 256 // columns
    fy = (y & 255)[:, None, None]
    fx = (x & 255)[None, :, None]
    top, left = y >> 8, x >> 8
    upper = knots[top][:, left] * (256 - fx) + knots[top][:, left + 1] * fx
    lower = knots[top + 1][:, left] * (256 - fx) + knots[top + 1][:, left + 1] * fx
    return ((upper * (256 - fy) + lower * fy) >> 16).astype(np.uint8)


def record(models, name, size):
    interpreter = tf.lite.Interpreter(
        f"{models}/{name}.tflite",
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    (result,) = interpreter.get_output_details()
    rows = []
    for sample in range(SAMPLES):
        codes = pattern(sample, *size).reshape(source["shape"])
        if source["dtype"] == np.int8:
            codes = (codes.astype(np.int16) - 128).astype(np.int8)
        interpreter.set_tensor(source["index"], codes)
        interpreter.invoke()
        rows.append(interpreter.get_tensor(result["index"]).reshape(-1).copy())
    return np.stack(rows)


def main():
    models, output = sys.argv[1:]
    for name, size in MODELS.items():
        codes = record(models, name, size)
        np.save(f"{output}/{name}.npy", codes)
        print(name, codes.dtype, codes.shape, "classes:", len(set(codes.argmax(1).tolist())))


if __name__ == "__main__":
    main()
