"""The rules of mace: from a trained network to a program that runs it in 8 bits.

    load("//bazel:defs.bzl", "mace_model", "mace_quantize_stat", "mace_quantize_test", "mace_quantized_model")

    mace_model(
        name = "inception_v3",
        config = "inception_v3.yml",
        srcs = [":inception_v3.pb"],
    )

    mace_quantize_stat(
        name = "inception_v3_stat",
        inputs = glob(["samples/*.jpg"]),
        model = ":inception_v3",
    )

    mace_quantized_model(
        name = "inception_v3_quant",
        model = ":inception_v3",
        ranges = ":inception_v3_stat",
        target_abis = ["host", "arm64-v8a", "armeabi-v7a"],
    )

    mace_quantize_test(
        name = "inception_v3_quant_test",
        inputs = glob(["validation/*.jpg"]),
        max_drop = "1.0",
        model = ":inception_v3_quant",
    )

`bazel build :inception_v3_quant` imports, measures, quantizes and builds the runtime for each ABI; all but the last happens once.
`bazel run :inception_v3_stat -- --input_dir DIR` measures on samples of your own, and
`bazel run :inception_v3_quant -- --input photo.jpg` runs the result here.

bazel/README.md lists all attributes. Rules that build on these read the providers.
"""

load("//bazel/private:mace_model.bzl", _mace_model = "mace_model")
load("//bazel/private:mace_quantize_stat.bzl", _mace_quantize_stat = "mace_quantize_stat")
load("//bazel/private:mace_quantize_test.bzl", _mace_quantize_test = "mace_quantize_test")
load("//bazel/private:mace_quantized_model.bzl", _mace_quantized_model = "mace_quantized_model")
load(
    "//bazel/private:providers.bzl",
    _MaceModelInfo = "MaceModelInfo",
    _MaceQuantizedModelInfo = "MaceQuantizedModelInfo",
    _MaceRangesInfo = "MaceRangesInfo",
)

mace_model = _mace_model
mace_quantize_stat = _mace_quantize_stat
mace_quantize_test = _mace_quantize_test
mace_quantized_model = _mace_quantized_model

MaceModelInfo = _MaceModelInfo
MaceQuantizedModelInfo = _MaceQuantizedModelInfo
MaceRangesInfo = _MaceRangesInfo
