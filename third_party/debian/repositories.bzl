"""Repository rules for files that Debian packages install outside any Bazel workspace."""

_NOT_INSTALLED = "@{repository} is made from {path}, which does not exist. " + \
                 "Run `apt-get install {debian_package}`, or start the build with ./bazelw, which does so."

def _require(rctx, path, debian_package):
    if not rctx.path(path).exists:
        fail(_NOT_INSTALLED.format(repository = rctx.name, path = path, debian_package = debian_package))

def _debian_tree_impl(rctx):
    for source, target in rctx.attr.trees.items():
        _require(rctx, source, rctx.attr.debian_package)
        if target == ".":
            for entry in rctx.path(source).readdir():
                if entry.basename not in ["WORKSPACE", "WORKSPACE.bazel"]:
                    rctx.symlink(entry, entry.basename)
        else:
            rctx.symlink(source, target)
    if rctx.attr.build_file:
        rctx.symlink(rctx.attr.build_file, "BUILD.bazel")
    rctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % rctx.name, executable = False)

debian_tree = repository_rule(
    implementation = _debian_tree_impl,
    doc = "A repository of links to files of a Debian package. Only the named trees are visible: what else is in " +
          "/usr/include does not leak into a build for another ABI.",
    attrs = {
        "build_file": attr.label(
            doc = "The root BUILD file, for packages that ship none.",
            allow_single_file = True,
        ),
        "debian_package": attr.string(
            doc = "The package that installs the trees; named in the error when one is missing.",
            mandatory = True,
        ),
        "trees": attr.string_dict(
            doc = "From absolute folder to its place in the repository; `.` puts the folder's entries at the root.",
            mandatory = True,
        ),
    },
    local = True,
)

_RULES_CC = "/usr/share/bazel/rules/cc"
_RULES_IMPL = "cc/private/rules_impl"

# Debian 12 pairs rules_cc 0.0.4 with Bazel 4.2.3, whose @bazel_tools has no `use_cpp_toolchain` yet. These two files load it.
_PATCHED_FILES = ["cc_flags_supplier.bzl", "compiler_flag.bzl"]
_PATCH = {
    ", \"use_cpp_toolchain\")": ")",
    "use_cpp_toolchain()": "[\"@bazel_tools//tools/cpp:toolchain_type\"]",
}

def _link_entries(rctx, folder, except_for):
    """Links the entries of a folder of rules_cc (`` is the root) into the same place of the repository."""
    prefix = folder + "/" if folder else ""
    for entry in rctx.path(_RULES_CC + "/" + folder).readdir():
        if entry.basename not in except_for:
            rctx.symlink(entry, prefix + entry.basename)

def _debian_rules_cc_impl(rctx):
    _require(rctx, _RULES_CC, "bazel-rules-cc")
    _link_entries(rctx, "", ["cc", "WORKSPACE"])
    _link_entries(rctx, "cc", ["private"])
    _link_entries(rctx, "cc/private", ["rules_impl"])
    _link_entries(rctx, _RULES_IMPL, _PATCHED_FILES)
    for name in _PATCHED_FILES:
        text = rctx.read("%s/%s/%s" % (_RULES_CC, _RULES_IMPL, name))
        for old, new in _PATCH.items():
            text = text.replace(old, new)
        rctx.file(_RULES_IMPL + "/" + name, text, executable = False)
    rctx.file("WORKSPACE", "workspace(name = \"rules_cc\")\n", executable = False)

debian_rules_cc = repository_rule(
    implementation = _debian_rules_cc_impl,
    doc = "Debian's rules_cc, with two files patched so that Bazel 4.2.3 loads it.",
    local = True,
)
