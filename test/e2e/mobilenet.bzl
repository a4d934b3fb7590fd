"""The rules on MobileNetV1 of the test data, for comparison with the commands; nothing where the data is absent."""

load("@test_data//:defs.bzl", "TEST_DATA_PRESENT")
load("//bazel:defs.bzl", "mace_model", "mace_quantize_stat", "mace_quantized_model")
load(":files_only.bzl", "files_only")

# The first images of imagenet_like/calib, which the test takes too.
_IMAGES = [
    "000b7d55b6184b08.png",
    "01fa4be27dd11b5d.png",
    "04cb9de291399d15.png",
    "06a0e36c443746b5.png",
    "0be391239ccba0f2.png",
    "0e0f1fd2ed183781.png",
    "11954d93a7051cb5.png",
    "13810fcac72f12ba.png",
]

def mobilenet_document_files(name, config):
    """The float model, its ranges from eight images and the quantized model of the scheme uint8.

    Targets: `<name>`, the files; `mobilenet_v1`, `mobilenet_v1_stat` and `mobilenet_v1_document` where there is test data.

    Args:
      name: name of the filegroup
      config: the deployment file
    """
    if not TEST_DATA_PRESENT:
        native.filegroup(name = name)
        return
    mace_model(
        name = "mobilenet_v1",
        testonly = True,
        srcs = ["@test_data//:models/tf/mobilenet_v1_0.25_224_frozen.pb"],
        config = config,
    )
    mace_quantize_stat(
        name = "mobilenet_v1_stat",
        testonly = True,
        inputs = ["@test_data//:images/imagenet_like/calib/" + image for image in _IMAGES],
        model = ":mobilenet_v1",
    )

    # Ranges without the statistics that bias correction and equalization need, as MACE's converter takes them.
    native.filegroup(
        name = "mobilenet_v1_ranges",
        testonly = True,
        srcs = [":mobilenet_v1_stat"],
    )
    mace_quantized_model(
        name = "mobilenet_v1_document",
        testonly = True,
        model = ":mobilenet_v1",
        ranges = ":mobilenet_v1_ranges",
        scheme = "uint8",
        target_abis = ["host"],
    )
    files_only(
        name = name,
        testonly = True,
        srcs = [
            ":mobilenet_v1",
            ":mobilenet_v1_document",
            ":mobilenet_v1_stat",
        ],
    )
