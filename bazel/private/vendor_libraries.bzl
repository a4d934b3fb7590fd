"""Libraries of accelerators' vendors, which may not be redistributed: users name where theirs are.

The table says what a device needs; the repository rules and `device_libraries` of mace_quantized_model follow from it.
"""

load(":runtimes.bzl", "NEWEST_APU")

def _library(file, kind, keys, where, apu_versions = None):
    """One line of the table.

    Args:
      file: name of the library
      kind: what there is one for each of: `abi`, `dsp` (version of the Hexagon DSP) or `soc`
      keys: the values of that kind that are known
      where: where people get it, for messages
      apu_versions: versions of the APU that need it; None for all devices

    Returns:
      a struct of the arguments
    """
    return struct(apu_versions = apu_versions, file = file, keys = keys, kind = kind, where = where)

DSP_VERSIONS = ["v60", "v62", "v65", "v66", "v68"]

# The driver of mt6785 has no libapu-apuwareapusys.mtk.so.
_APUSYS_SOCS = ["mt67xx", "mt68xx", "mt6779", "mt6853", "mt6873", "mt6885", "mt6877", "mt689x"]

SOCS = _APUSYS_SOCS + ["mt6785"]

_FROM_SDK = "the NeuroPilot SDK of MediaTek, or /vendor/lib64 of the device"
_FROM_MACE = "the folder third_party/apu of MACE's public repository, under MediaTek's licence, or /vendor/lib64 of the device"

def _soc_library(file, apu_versions, socs):
    """One line of the table, of APUs before the newest."""
    return _library(file = file, kind = "soc", keys = socs, where = _FROM_MACE, apu_versions = apu_versions)

_ARM_ABIS = ["arm64", "arm64-v8a", "armeabi-v7a", "armhf"]

# By the value of `runtime`.
VENDOR_LIBRARIES = {
    "apu": [
        _library(
            file = "libneuron_adapter.so",
            kind = "abi",
            keys = ["arm64-v8a"],
            where = _FROM_SDK,
            apu_versions = [NEWEST_APU],
        ),
        _soc_library("libapu-frontend.so", [1, 2, 3], SOCS),
        _soc_library("libapu-platform.so", [1, 2, 3], SOCS),
        _soc_library("libapu-apuwareapusys.mtk.so", [3], _APUSYS_SOCS),
        _soc_library("libapu-apuwareutils.mtk.so", [3], SOCS),
        _soc_library("libapu-apuwarexrp.mtk.so", [3], SOCS),
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

def libraries_of(runtime, apu_version):
    """What a device needs.

    Args:
      runtime: a key of VENDOR_LIBRARIES
      apu_version: of an APU: its version, or 0, which is the newest

    Returns:
      a list of lines of the table
    """
    version = apu_version or NEWEST_APU
    return [library for library in VENDOR_LIBRARIES[runtime] if not library.apu_versions or version in library.apu_versions]

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

def check_origin(name, attr, folder):
    """Where libraries come from.

    Args:
      name: name of the repository
      attr: attributes of the repository rule
      folder: what the environment variable of the SDK says; empty when it is not set

    Returns:
      a struct: `url`, `path`, of which at most one is not empty, and `error`, None or what is wrong
    """
    error = None
    if attr.path and attr.url:
        error = _PATH_AND_URL % name
    elif attr.url and not attr.sha256:
        error = _NO_SHA256 % name
    return struct(
        error = error,
        path = "" if attr.url else attr.path or folder,
        url = attr.url,
    )

def find_libraries(name, runtime, files, there):
    """The libraries that an SDK has.

    Args:
      name: name of the repository
      runtime: the device
      files: dict: where a library is in the SDK, by `<key>/<file>`
      there: list of the paths in the SDK, of those that may be wanted, that are there

    Returns:
      a struct: `found`, a list of (path in the SDK, `<key>/<file>`), and `error`, None or what is wrong
    """
    places = _places(runtime)
    for place in files:
        if place not in places:
            return struct(error = _UNKNOWN_FILE % (name, place, ", ".join(places)), found = [])
    found = []
    for place in places:
        file = files.get(place, place)
        if file in there:
            found.append((file, place))
        elif place in files:
            return struct(error = _NO_SUCH_FILE % (name, place, files[place]), found = [])
    return struct(error = None, found = found)

def build_file(runtime, title, origin, found):
    """The text of the repository's BUILD file."""
    return _BUILD.format(
        libraries = "".join(["        \"sdk/%s\": \"%s\",\n" % pair for pair in found]),
        origin = "from " + origin if origin else "none of which are here",
        rules = "@%s//bazel/private:vendor_libraries.bzl" % (_SELF.workspace_name or "mace"),
        runtime = runtime,
        title = title,
    )

def _repository_impl(rctx, runtime, title, variable):
    origin = check_origin(rctx.name, rctx.attr, rctx.os.environ.get(variable, ""))
    if origin.error:
        fail(origin.error)
    if origin.url:
        rctx.download_and_extract(origin.url, output = "sdk", sha256 = rctx.attr.sha256, stripPrefix = rctx.attr.strip_prefix)
    elif origin.path:
        folder = rctx.path(origin.path)
        if not folder.exists:
            fail(_NO_SUCH_FOLDER % (rctx.name, origin.path, variable))
        rctx.symlink(folder, "sdk")
    there = [
        file
        for place in _places(runtime)
        for file in [rctx.attr.files.get(place, place)]
        if (origin.url or origin.path) and rctx.path("sdk/" + file).exists
    ]
    libraries = find_libraries(rctx.name, runtime, rctx.attr.files, there)
    if libraries.error:
        fail(libraries.error)
    rctx.file("BUILD.bazel", build_file(runtime, title, origin.url or origin.path, libraries.found), executable = False)
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
