"""mace_model: imports a trained network."""

load("//bazel/private/actions:import_model.bzl", "import_model")
load(":errors.bzl", "DUPLICATE_SOURCES", "NO_SOURCES")
load(":providers.bzl", "MaceModelInfo", "mace_model_info")
load(":tools.bzl", "MACE_TOOL")

_DOC = """Imports a trained network into a canonical float model.

The network is described by a model deployment file (YAML). The result does not depend on the ABI: layout, operators and
tensor names are fixed here, and statistics and quantization refer to them.

Outputs: `<name>.pb` (the graph), `<name>.data` (its constants) and `<name>.txt` (the graph as text). The output group `deployed` is the float model for
devices: `<name>.deployed.pb`, which differs from `<name>.pb` where names are obfuscated, `<name>.data`, and `<name>.deployed.names`, the table of what
obfuscated names stand for."""

_ATTRS = {
    "config": attr.label(
        doc = "The model deployment file: which network, its inputs and outputs with shapes, and how images become inputs.",
        allow_single_file = [".yaml", ".yml"],
        mandatory = True,
    ),
    "model_name": attr.string(
        doc = "Which model of `config` to import. Needed when it describes several.",
    ),
    "obfuscate": attr.bool(
        doc = "In the files for devices, of this model and of what is made of it, names of inner tensors and operators become digits of a hash. " +
              "Statistics, ranges and reports keep the names. Also a key of the configuration.",
    ),
    "quantize_large_weights": attr.bool(
        doc = "Store the weights of convolutions and matrix products as uint8: a quarter of the file. Operators stay float, and neither memory nor " +
              "time is saved. Such a model is not quantized any further. Also a key of the configuration.",
    ),
    "srcs": attr.label_list(
        doc = "The files that `config` names, from wherever they come; they are found by base name.",
        allow_files = True,
        mandatory = True,
    ),
}

def _check_sources(ctx):
    if not ctx.files.srcs:
        fail(NO_SOURCES.format(label = ctx.label, config = ctx.file.config.short_path))
    by_name = {}
    for file in ctx.files.srcs:
        if file.basename in by_name:
            fail(DUPLICATE_SOURCES.format(
                label = ctx.label,
                name = file.basename,
                first = by_name[file.basename].short_path,
                second = file.short_path,
            ))
        by_name[file.basename] = file

def _mace_model_impl(ctx):
    _check_sources(ctx)
    outputs = import_model(
        ctx,
        tool = ctx.attr.mace_tool[DefaultInfo].files_to_run,
        config = ctx.file.config,
        srcs = ctx.files.srcs,
        model_name = ctx.attr.model_name,
        prefix = ctx.label.name,
        quantize_large_weights = ctx.attr.quantize_large_weights,
        obfuscate = ctx.attr.obfuscate,
    )
    return [
        DefaultInfo(files = depset([outputs.model, outputs.data, outputs.text])),
        OutputGroupInfo(deployed = depset([outputs.deployed.model, outputs.data, outputs.deployed.names])),
        mace_model_info(
            label = ctx.label,
            config = ctx.file.config,
            data = outputs.data,
            model = outputs.model,
            text = outputs.text,
        ),
    ]

mace_model = rule(
    implementation = _mace_model_impl,
    doc = _DOC,
    attrs = dict(_ATTRS, **MACE_TOOL),
    provides = [MaceModelInfo],
)
