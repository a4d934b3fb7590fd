"""nodejs_binary and nodejs_test: a JavaScript file that the toolchain's node runs."""

_TOOLCHAIN = "@build_bazel_rules_nodejs//toolchains/node:toolchain_type"

def _runfiles_path(ctx, file):
    """Path of a file below the runfiles directory."""
    if file.short_path.startswith("../"):
        return file.short_path[len("../"):]
    return ctx.workspace_name + "/" + file.short_path

def _quote(text):
    """Quotes a string for the shell."""
    return "'" + text.replace("'", "'\\''") + "'"

def _nodejs_impl(ctx):
    node = ctx.toolchains[_TOOLCHAIN].node
    launcher = ctx.actions.declare_file(ctx.label.name + ".sh")

    args = [_quote(ctx.expand_location(arg, ctx.attr.data)) for arg in ctx.attr.templated_args]
    env = ["export %s=%s" % (key, _quote(ctx.expand_location(value, ctx.attr.data))) for key, value in ctx.attr.env.items()]
    ctx.actions.expand_template(
        template = ctx.file._launcher_template,
        output = launcher,
        substitutions = {
            "{{args}}": " ".join(args),
            "{{entry_point}}": _quote(_runfiles_path(ctx, ctx.file.entry_point)),
            "{{env}}": "\n".join(env),
            "{{node}}": _quote(_runfiles_path(ctx, node)),
        },
        is_executable = True,
    )

    runfiles = ctx.runfiles(files = ctx.files.data + [ctx.file.entry_point, node])
    for dep in ctx.attr.data + [ctx.attr.entry_point]:
        runfiles = runfiles.merge(dep[DefaultInfo].default_runfiles)
    return [
        DefaultInfo(executable = launcher, files = depset([launcher]), runfiles = runfiles),
        coverage_common.instrumented_files_info(ctx, dependency_attributes = ["data", "entry_point"]),
    ]

_ATTRS = {
    "data": attr.label_list(
        doc = "What the program needs at run time: the library with its code, npm packages, files.",
        allow_files = True,
    ),
    "entry_point": attr.label(
        doc = "The JavaScript file to run.",
        allow_single_file = True,
        mandatory = True,
    ),
    "env": attr.string_dict(
        doc = "Environment variables; $(rootpath) and the like of `data` are expanded.",
    ),
    "templated_args": attr.string_list(
        doc = "Arguments that come before those of the command line; $(rootpath) and the like of `data` are expanded.",
    ),
    "_launcher_template": attr.label(
        default = "//internal/node:launcher.sh.tpl",
        allow_single_file = True,
    ),
}

nodejs_binary = rule(
    implementation = _nodejs_impl,
    doc = "A program for node, for `bazel run`, for actions (`run_node`) and as a tool of other rules.",
    attrs = _ATTRS,
    executable = True,
    toolchains = [_TOOLCHAIN],
)

nodejs_test = rule(
    implementation = _nodejs_impl,
    doc = "A test that passes when node exits with 0.",
    attrs = dict(
        _ATTRS,
        # `bazel coverage` looks the merger up under this name.
        _lcov_merger = attr.label(
            default = "@bazel_tools//tools/test:lcov_merger",
            cfg = "host",
            executable = True,
        ),
    ),
    test = True,
    toolchains = [_TOOLCHAIN],
)
