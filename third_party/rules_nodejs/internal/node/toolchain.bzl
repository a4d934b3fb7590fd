"""node_toolchain: which node runs programs and tests."""

def _node_toolchain_impl(ctx):
    return [platform_common.ToolchainInfo(node = ctx.file.node)]

node_toolchain = rule(
    implementation = _node_toolchain_impl,
    doc = "The node program as a toolchain; its only field is `node`, a File.",
    attrs = {
        "node": attr.label(
            doc = "The node executable.",
            allow_single_file = True,
            mandatory = True,
        ),
    },
)
