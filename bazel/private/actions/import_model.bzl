"""The action that imports a network."""

def import_model(ctx, tool, config, srcs, model_name, prefix, quantize_large_weights = False):
    """Declares an action MaceImport.

    Args:
      ctx: the rule's context
      tool: FilesToRunProvider of the program `mace`
      config: File, the model deployment file
      srcs: list of Files that the configuration names
      model_name: which model of the configuration; "" when it has one
      prefix: name of the outputs in the package, without ending
      quantize_large_weights: whether weights of convolutions and matrix products are stored as uint8

    Returns:
      a struct of the Files `model`, `data` and `text`
    """
    outputs = struct(
        data = ctx.actions.declare_file(prefix + ".data"),
        model = ctx.actions.declare_file(prefix + ".pb"),
        text = ctx.actions.declare_file(prefix + ".txt"),
    )
    args = ctx.actions.args()
    args.add("convert")
    args.add("--config", config)
    if model_name:
        args.add("--model_name", model_name)
    if quantize_large_weights:
        args.add("--quantize_large_weights")
    args.add_all(srcs, before_each = "--src")
    args.add("--output_prefix", outputs.model.path[:-len(".pb")])
    ctx.actions.run(
        executable = tool,
        arguments = [args],
        inputs = depset([config] + srcs),
        outputs = [outputs.data, outputs.model, outputs.text],
        mnemonic = "MaceImport",
        progress_message = "Importing network %s" % ctx.label,
    )
    return outputs
