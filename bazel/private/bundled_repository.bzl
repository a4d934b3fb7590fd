"""bundled_repository: a folder of this repository as an external repository, also when this repository is external itself."""

def _bundled_repository_impl(rctx):
    root = rctx.path(rctx.attr.workspace_file).dirname
    for entry in rctx.path("%s/%s" % (root, rctx.attr.folder)).readdir():
        rctx.symlink(entry, entry.basename)

bundled_repository = repository_rule(
    implementation = _bundled_repository_impl,
    doc = "What native.local_repository is for paths below the folder of this repository rather than that of the main one.",
    attrs = {
        "folder": attr.string(
            doc = "The folder, which has a WORKSPACE file.",
            mandatory = True,
        ),
        "workspace_file": attr.label(
            doc = "A file in the root of this repository.",
            allow_single_file = True,
            default = "//:WORKSPACE",
        ),
    },
    local = True,
)
