"""ts_proto_library: TypeScript code for protobuf messages, made by protoc and ts-proto."""

load("//tools:defaults.bzl", "ts_library")
load(":compat.bzl", "TOOL_CFG")

_OPTIONS = [
    # CommonJS modules with default imports, as everywhere in the tools.
    "esModuleInterop=true",
    # Bytes are Uint8Array, so that decoding gives views of the input and copies nothing.
    "env=browser",
    # 64-bit integers are numbers; values of 2^53 and more are errors when decoded.
    "forceLong=number",
    # Only messages and their binary form.
    "outputServices=none",
    "outputJsonMethods=false",
    "outputPartialMethods=true",
    "outputTypeRegistry=false",
]

_NOT_A_PROTO = "ts_proto_library(name = \"%s\"): `srcs` has \"%s\", which is not the name of a .proto file of this package."

def _ts_proto_sources_impl(ctx):
    args = ctx.actions.args()
    args.add(ctx.executable._plugin, format = "--plugin=protoc-gen-ts_proto=%s")
    args.add(ctx.bin_dir.path, format = "--ts_proto_out=%s")
    args.add_joined("--ts_proto_opt", _OPTIONS, join_with = ",")
    args.add("--proto_path=.")
    args.add_all(ctx.files.srcs)
    ctx.actions.run(
        executable = ctx.executable._protoc,
        arguments = [args],
        inputs = depset(ctx.files.srcs + ctx.files.imports),
        outputs = ctx.outputs.outs,
        tools = [ctx.executable._plugin, ctx.attr._plugin[DefaultInfo].files_to_run],
        mnemonic = "TsProto",
        progress_message = "Generating TypeScript for %s" % ctx.label,
    )
    return [DefaultInfo(files = depset(ctx.outputs.outs))]

_ts_proto_sources = rule(
    implementation = _ts_proto_sources_impl,
    doc = "The .ts files for .proto files.",
    attrs = {
        "imports": attr.label_list(
            doc = ".proto files that the sources import.",
            allow_files = [".proto"],
        ),
        "outs": attr.output_list(doc = "One .ts file per source.", mandatory = True),
        "srcs": attr.label_list(
            doc = ".proto files of this package.",
            allow_files = [".proto"],
            mandatory = True,
        ),
        "_plugin": attr.label(
            default = "@npm//ts-proto/bin:protoc-gen-ts_proto",
            cfg = TOOL_CFG,
            executable = True,
        ),
        "_protoc": attr.label(
            default = "@npm//:node_modules/protoc/bin/protoc-linux-x86_64",
            allow_single_file = True,
            cfg = TOOL_CFG,
            executable = True,
        ),
    },
)

def ts_proto_library(name, srcs, imports = [], deps = [], **kwargs):
    """TypeScript types, encoders and decoders for protobuf messages.

    The modules are named after the sources: `//mace/proto:mace.proto` is imported as "../../mace/proto/mace". The code needs only
    protobufjs/minimal at run time.

    Targets: `<name>`, a ts_library, and `_<name>_sources`.

    Args:
      name: name of the library
      srcs: names of .proto files of this package
      imports: further .proto files that these import
      deps: ts_proto_library targets of `imports`
      **kwargs: further attributes of ts_library
    """
    for src in srcs:
        if not src.endswith(".proto") or ":" in src:
            fail(_NOT_A_PROTO % (name, src))
    outs = [src[:-len(".proto")] + ".ts" for src in srcs]
    _ts_proto_sources(
        name = "_%s_sources" % name,
        srcs = srcs,
        outs = outs,
        imports = imports,
    )
    ts_library(
        name = name,
        srcs = outs,
        deps = deps + [
            "@npm//long",
            "@npm//protobufjs",
        ],
        **kwargs
    )
