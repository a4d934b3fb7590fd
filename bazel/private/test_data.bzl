"""test_data: third-party models and images that tests may read, when the machine has them.

They are not part of the repository. The environment variable MACE_TEST_DATA names their folder; without it, `../shared/data` beside
the checkout is taken if it exists. When there is no such folder, the repository has the same targets without files, and `defs.bzl`
says so: a test must then report what it skipped, never fail.
"""

# Target → folder below the root of the data.
_FILEGROUPS = {
    "cifar10": "images/cifar10",
    "faces": "images/faces",
    "imagenet_like": "images/imagenet_like",
    "labels": "labels",
    "misc_images": "images/misc",
    "mnist": "images/mnist",
    "models_caffe": "models/caffe",
    "models_onnx": "models/onnx",
    "models_tf": "models/tf",
    "models_tflite": "models/tflite",
    "onnx_node": "conformance/onnx_node",
    "reference": "reference",
}

# Target → folder that a Debian package (bazel/debian-packages.txt) installs.
_PACKAGES = {
    "onnx_testdata": "/usr/share/libonnx-testdata/data",
}

_BESIDE_THE_CHECKOUT = "../shared/data"

_NO_SUCH_FOLDER = "MACE_TEST_DATA=%s: there is no such folder. Set it to the folder of the test data, or unset it."

_HEADER = """# {comment}
package(default_visibility = ["//visibility:public"])
"""

_FILEGROUP = """
filegroup(
    name = "{name}",
    srcs = glob(["{folder}/**"], exclude = ["**/* *"]),
)
"""

_EXPORTS = """
exports_files(glob(["**"], exclude = ["**/* *", "BUILD.bazel", "WORKSPACE", "defs.bzl"]))
"""

_DEFS = """\"\"\"Whether the test data is present.\"\"\"

TEST_DATA_PRESENT = {present}
"""

def _find(rctx):
    """The folder of the test data, or None."""
    named = rctx.os.environ.get("MACE_TEST_DATA", "")
    if named:
        path = rctx.path(named)
        if not path.exists:
            fail(_NO_SUCH_FOLDER % named)
        return path
    checkout = rctx.path(rctx.attr.workspace_file).dirname
    path = rctx.path("%s/%s" % (checkout, _BESIDE_THE_CHECKOUT))
    return path if path.exists else None

def _test_data_impl(rctx):
    data = _find(rctx)
    build = [_HEADER.format(comment = "Test data from " + str(data) if data else "No test data on this machine.")]
    build.extend([_FILEGROUP.format(name = name, folder = folder) for name, folder in _FILEGROUPS.items()])
    for name, folder in _PACKAGES.items():
        build.append(_FILEGROUP.format(name = name, folder = "packages/" + name))
        if rctx.path(folder).exists:
            rctx.symlink(folder, "packages/" + name)
    if data:
        # One link per folder: the files themselves are only looked at when a target is used.
        for folder in _FILEGROUPS.values():
            source = rctx.path("%s/%s" % (data, folder))
            if source.exists:
                rctx.symlink(source, folder)
        build.append(_EXPORTS)
    rctx.file("BUILD.bazel", "".join(build), executable = False)
    rctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % rctx.name, executable = False)
    rctx.file("defs.bzl", _DEFS.format(present = data != None), executable = False)

test_data = repository_rule(
    implementation = _test_data_impl,
    doc = "Filegroups over the folder of test data; empty ones when there is no such folder.",
    attrs = {
        "workspace_file": attr.label(
            doc = "A file in the root of the checkout.",
            allow_single_file = True,
            default = "//:WORKSPACE",
        ),
    },
    environ = ["MACE_TEST_DATA"],
    local = True,
)
