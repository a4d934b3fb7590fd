"""Networks with generated weights and generated images, for examples whose real files may not be redistributed."""

load("@build_bazel_rules_nodejs//:providers.bzl", "run_node")
load("//bazel/private:compat.bzl", "TOOL_CFG")

_TOOL = attr.label(cfg = TOOL_CFG, default = Label("//tools/synth"), executable = True)

def _synthetic_model_impl(ctx):
    args = ctx.actions.args()
    args.add(ctx.attr.topology)
    args.add(ctx.outputs.out)
    run_node(
        ctx,
        executable = "tool",
        inputs = [],
        outputs = [ctx.outputs.out],
        arguments = [args],
        mnemonic = "MaceSynthesizeModel",
        progress_message = "Generating the weights of %s" % ctx.label,
    )
    return [DefaultInfo(files = depset([ctx.outputs.out]))]

synthetic_model = rule(
    implementation = _synthetic_model_impl,
    doc = "A frozen GraphDef of a published topology with generated weights.",
    attrs = {
        "out": attr.output(doc = "The .pb file.", mandatory = True),
        "tool": _TOOL,
        "topology": attr.string(doc = "Which network: NETWORKS of tools/synth/main.ts names them.", mandatory = True),
    },
)

def _synthetic_images_impl(ctx):
    files = ctx.outputs.images
    args = ctx.actions.args()
    args.add("images")
    args.add("%dx%d" % (ctx.attr.width, ctx.attr.height))
    args.add_all(files)
    run_node(
        ctx,
        executable = "tool",
        inputs = [],
        outputs = files,
        arguments = [args],
        mnemonic = "MaceSynthesizeImages",
        progress_message = "Generating %d images of %s" % (len(files), ctx.label),
    )
    return [DefaultInfo(files = depset(files))]

_synthetic_images = rule(
    implementation = _synthetic_images_impl,
    doc = "PNG images.",
    attrs = {
        "height": attr.int(doc = "Pixels per column.", mandatory = True),
        "images": attr.output_list(doc = "The files.", mandatory = True),
        "tool": _TOOL,
        "width": attr.int(doc = "Pixels per row.", mandatory = True),
    },
)

def synthetic_images(name, count, size, height = None, **kwargs):
    """PNG images <name>/0.png, <name>/1.png …

    Args:
      name: name of the target
      count: number of images
      size: pixels per row
      height: pixels per column; as many as per row when not given
      **kwargs: further attributes of the rule
    """
    _synthetic_images(
        name = name,
        images = ["%s/%d.png" % (name, i) for i in range(count)],
        width = size,
        height = height or size,
        **kwargs
    )

def _synthetic_shapes_impl(ctx):
    files = ctx.outputs.images
    args = ctx.actions.args()
    args.add("shapes")
    args.add(ctx.attr.split)
    args.add(ctx.outputs.labels)
    args.add_all(files)
    run_node(
        ctx,
        executable = "tool",
        inputs = [],
        outputs = files + [ctx.outputs.labels],
        arguments = [args],
        mnemonic = "MaceSynthesizeShapes",
        progress_message = "Generating %d pictures of shapes" % len(files),
    )
    return [DefaultInfo(files = depset(files))]

_synthetic_shapes = rule(
    implementation = _synthetic_shapes_impl,
    doc = "Pictures of models/shapes_net, and their labels.",
    attrs = {
        "images": attr.output_list(doc = "The files.", mandatory = True),
        "labels": attr.output(doc = "Lines `file class`.", mandatory = True),
        "split": attr.string(doc = "Which pictures.", mandatory = True, values = ["calibration", "test", "train"]),
        "tool": _TOOL,
    },
)

def synthetic_shapes(name, count, split, **kwargs):
    """Pictures <name>/0.png, <name>/1.png … of eight shapes, and <name>.labels.

    Args:
      name: name of the target
      count: number of pictures
      split: `calibration`, `test` or `train`, which have no picture in common
      **kwargs: further attributes of the rule
    """
    _synthetic_shapes(
        name = name,
        images = ["%s/%d.png" % (name, i) for i in range(count)],
        labels = name + ".labels",
        split = split,
        **kwargs
    )
