"""files_only: the files of a target, without what it needs to run."""

def _files_only_impl(ctx):
    return [DefaultInfo(files = depset(ctx.files.srcs), runfiles = ctx.runfiles(files = ctx.files.srcs))]

files_only = rule(
    implementation = _files_only_impl,
    doc = "For tests that read the outputs of an executable target and have its tools in a configuration of their own.",
    attrs = {"srcs": attr.label_list(doc = "Targets.", mandatory = True)},
)
