"""accuracy_peers.py TASK.json: quantizes a model with onnxruntime and TensorFlow Lite and prints a JSON line with the accuracy of each.

The task names the ONNX file, raw float32 input tensors (NHWC) for calibration and validation, and the class of each validation sample.
"""

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np


def show(name, outputs, expected, classes):
    e, a = np.argmax(expected, 1), np.argmax(outputs, 1)
    noise = np.sum((outputs.astype(np.float64) - expected) ** 2)
    print(json.dumps({
        "name": name,
        "top1": 100.0 * float(np.mean(a == classes)),
        "agreement": 100.0 * float(np.mean(a == e)),
        "sqnr": float(10 * np.log10(np.sum(expected.astype(np.float64) ** 2) / noise)) if noise > 0 else 999.0,
    }), flush=True)


def onnx_outputs(file, tensors):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: t[None]})[0].reshape(1, -1) for t in tensors])


def onnxruntime_rows(prefix, calibration, validation, classes, expected):
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self, name):
            self.feeds = iter([{name: t[None]} for t in calibration])

        def get_next(self):
            return next(self.feeds, None)

    import onnx
    float_file, prepared, quantized = prefix + ".onnx", prefix + ".prepared.onnx", prefix + ".quantized.onnx"
    name = onnx.load(float_file).graph.input[0].name
    quant_pre_process(float_file, prepared, skip_symbolic_shape=True)
    show("onnxruntime float", onnx_outputs(float_file, validation), expected, classes)
    # With onnxruntime's defaults, 128 bins for 128 levels, entropy keeps the whole range: the same as min-max.
    for method in ["MinMax", "Entropy", "Percentile"]:
        for per_channel in [False, True]:
            quantize_static(
                prepared, quantized, Reader(name), quant_format=QuantFormat.QDQ, per_channel=per_channel,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, calibrate_method=getattr(CalibrationMethod, method),
                # Without it, sums of two products saturate at 16 bits on processors without VNNI.
                reduce_range=False)
            granularity = "per channel" if per_channel else "per tensor"
            show("onnxruntime %s, %s" % (method.lower(), granularity), onnx_outputs(quantized, validation), expected, classes)


def tflite_rows(task, calibration, validation, classes, expected):
    import tensorflow as tf
    # The shape is given because frozen graphs often leave the batch open.
    converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(
        task["tensorflow"], [task["input"]], [task["output"]], {task["input"]: task["shape"]})
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([t[None]] for t in calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    given, out = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    outputs = []
    for t in validation:
        interpreter.set_tensor(given, t[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(out).reshape(1, -1).copy())
    show("tflite converter, int8", np.concatenate(outputs), expected, classes)


def main(file):
    with open(file) as f:
        task = json.load(f)
    load = lambda what: np.fromfile(task["prefix"] + what, np.float32).reshape([-1] + task["shape"][1:])
    calibration, validation, classes = load(".calibration"), load(".validation"), np.array(task["classes"])
    # Every peer is compared with our float model's outputs, so that each stands alone when the other is not there.
    expected = np.fromfile(task["prefix"] + ".expected", np.float32).reshape(len(validation), -1)
    nchw = lambda x: np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    try:
        import onnxruntime.quantization  # noqa: F401
        onnxruntime_rows(task["prefix"], nchw(calibration), nchw(validation), classes, expected)
    except ImportError as error:
        print("left out: onnxruntime (%s)" % error, file=sys.stderr)
    if "tensorflow" in task:
        try:
            import tensorflow  # noqa: F401
            tflite_rows(task, calibration, validation, classes, expected)
        except ImportError as error:
            print("left out: TensorFlow Lite (%s)" % error, file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1])
