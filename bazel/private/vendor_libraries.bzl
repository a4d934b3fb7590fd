"""Libraries of accelerators' vendors, which may not be redistributed: users name where theirs are.

The table says what a device needs; the repository rules and `device_libraries` of mace_quantized_model follow from it.
"""

def _library(file, kind, keys, where):
    """One line of the table.

    Args:
      file: name of the library
      kind: what there is one for each of: `abi`, `dsp` (version of the Hexagon DSP) or `soc`
      keys: the values of that kind that are known
      where: where people get it, for messages

    Returns:
      a struct of the arguments
    """
    return struct(file = file, keys = keys, kind = kind, where = where)

DSP_VERSIONS = ["v60", "v62", "v65", "v66", "v68"]

SOCS = ["mt67xx", "mt68xx", "mt6779", "mt6785", "mt6853", "mt6873", "mt6885", "mt6877", "mt689x"]

_ARM_ABIS = ["arm64", "arm64-v8a", "armeabi-v7a", "armhf"]

# By the value of `runtime`.
VENDOR_LIBRARIES = {
    "apu": [
        _library(
            file = "libneuron_adapter.so",
            kind = "abi",
            keys = ["arm64-v8a"],
            where = "the NeuroPilot SDK of MediaTek, or /vendor/lib64 of the device",
        ),
        _library(
            file = "libapu-platform.so",
            kind = "soc",
            keys = SOCS,
            where = "the NeuroPilot SDK of MediaTek, or /vendor/lib64 of the device",
        ),
    ],
    "dsp": [
        _library(
            file = "libhexagon_controller.so",
            kind = "abi",
            keys = _ARM_ABIS,
            where = "nnlib of the Hexagon SDK of Qualcomm",
        ),
        _library(
            file = "libhexagon_nn_skel.so",
            kind = "dsp",
            keys = DSP_VERSIONS,
            where = "nnlib of the Hexagon SDK of Qualcomm",
        ),
    ],
}

MaceVendorLibrariesInfo = provider(
    doc = "What a user has of a vendor's libraries.",
    fields = {
        "libraries": "dict[string, File]: by `<ABI, DSP version or SoC>/<file name>`",
        "runtime": "string: the device, a value of `runtime`",
    },
)

def _vendor_libraries_impl(ctx):
    return [
        DefaultInfo(files = depset(ctx.files.libraries)),
        MaceVendorLibrariesInfo(
            libraries = {key: target.files.to_list()[0] for target, key in ctx.attr.libraries.items()},
            runtime = ctx.attr.runtime,
        ),
    ]

vendor_libraries = rule(
    implementation = _vendor_libraries_impl,
    doc = "What the repository rules of this file write: libraries of one vendor, keyed by ABI, DSP version or SoC.",
    attrs = {
        "libraries": attr.label_keyed_string_dict(
            doc = "Library to `<ABI, DSP version or SoC>/<file name>`.",
            allow_files = True,
        ),
        "runtime": attr.string(
            doc = "The device.",
            mandatory = True,
            values = VENDOR_LIBRARIES.keys(),
        ),
    },
    provides = [MaceVendorLibrariesInfo],
)

_PATH_AND_URL = "%s: give `path`, `url` with `sha256`, or neither; not both."

_NO_SHA256 = "%s: `url` needs `sha256`, so that every machine gets the same bytes."

_NO_SUCH_FOLDER = "%s: \"%s\" is no folder. Name the folder of the SDK with `path` or the environment variable %s, or unset both."

_UNKNOWN_FILE = "%s: `files` has \"%s\". Known are <key>/<file> with: %s."

_NO_SUCH_FILE = "%s: `files[\"%s\"]` is \"%s\", which is not in the SDK."

_BUILD = """# Libraries of {title}, {origin}.
load("{rules}", "vendor_libraries")

package(default_visibility = ["//visibility:public"])

vendor_libraries(
    name = "libraries",
    libraries = {{
{libraries}    }},
    runtime = "{runtime}",
)
"""

_SELF = Label("//bazel/private:vendor_libraries.bzl")

def _places(runtime):
    """Every `<key>/<file>` of a device."""
    return [
        "%s/%s" % (key, library.file)
        for library in VENDOR_LIBRARIES[runtime]
        for key in library.keys
    ]

def _repository_impl(rctx, runtime, title, variable):
    attr = rctx.attr
    if attr.path and attr.url:
        fail(_PATH_AND_URL % rctx.name)
    if attr.url and not attr.sha256:
        fail(_NO_SHA256 % rctx.name)
    path = "" if attr.url else attr.path or rctx.os.environ.get(variable, "")
    if attr.url:
        rctx.download_and_extract(attr.url, output = "sdk", sha256 = attr.sha256, stripPrefix = attr.strip_prefix)
    elif path:
        folder = rctx.path(path)
        if not folder.exists:
            fail(_NO_SUCH_FOLDER % (rctx.name, path, variable))
        rctx.symlink(folder, "sdk")
    places = _places(runtime)
    for place in attr.files:
        if place not in places:
            fail(_UNKNOWN_FILE % (rctx.name, place, ", ".join(places)))
    found = []
    for place in places:
        file = "sdk/" + attr.files.get(place, place)
        if (attr.url or path) and rctx.path(file).exists:
            found.append((file, place))
        elif place in attr.files:
            fail(_NO_SUCH_FILE % (rctx.name, place, attr.files[place]))
    rctx.file("BUILD.bazel", _BUILD.format(
        libraries = "".join(["        \"%s\": \"%s\",\n" % pair for pair in found]),
        origin = "from " + (attr.url or path) if attr.url or path else "none of which are here",
        rules = "@%s//bazel/private:vendor_libraries.bzl" % (_SELF.workspace_name or "mace"),
        runtime = runtime,
        title = title,
    ), executable = False)
    rctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % rctx.name, executable = False)

_ATTRS = {
    "files": attr.string_dict(
        doc = "Where a library is in the SDK, by `<ABI, DSP version or SoC>/<file name>`, for SDKs that have it elsewhere than there.",
    ),
    "path": attr.string(
        doc = "Folder of the SDK on this machine; by default what the environment variable HEXAGON_NN_SDK or APU_SDK names.",
    ),
    "sha256": attr.string(
        doc = "SHA-256 of the archive at `url`.",
    ),
    "strip_prefix": attr.string(
        doc = "Folder in the archive that the libraries are below.",
    ),
    "url": attr.string(
        doc = "Archive with the SDK, on a server of your own: the vendors' licences do not allow others.",
    ),
}

_HEXAGON_VARIABLE = "HEXAGON_NN_SDK"
_APU_VARIABLE = "APU_SDK"

def _hexagon_nn_impl(rctx):
    _repository_impl(rctx, "dsp", "Qualcomm's nnlib", _HEXAGON_VARIABLE)

hexagon_nn_repository = repository_rule(
    implementation = _hexagon_nn_impl,
    doc = """Qualcomm's nnlib, for `device_libraries` of a model with `runtime = "dsp"`: target `libraries`.

Without an SDK there are no libraries in it, and everything builds but the packaging for a device, which says what is missing.""",
    attrs = _ATTRS,
    environ = [_HEXAGON_VARIABLE],
    local = True,
)

def _apu_impl(rctx):
    _repository_impl(rctx, "apu", "MediaTek's APU", _APU_VARIABLE)

apu_repository = repository_rule(
    implementation = _apu_impl,
    doc = """MediaTek's libraries, for `device_libraries` of a model with `runtime = "apu"`: target `libraries`.

Without an SDK there are no libraries in it, and everything builds but the packaging for a device, which says what is missing.""",
    attrs = _ATTRS,
    environ = [_APU_VARIABLE],
    local = True,
)
