"""The action that imports a network."""

load(":deployed.bzl", "add_deployed", "declare_deployed")

def import_model(ctx, tool, config, srcs, model_name, prefix, quantize_large_weights = False, obfuscate = False):
    """Declares an action MaceImport.

    Args:
      ctx: the rule's context
      tool: FilesToRunProvider of the program `mace`
      config: File, the model deployment file
      srcs: list of Files that the configuration names
      model_name: which model of the configuration; "" when it has one
      prefix: name of the outputs in the package, without ending
      quantize_large_weights: whether weights of convolutions and matrix products are stored as uint8
      obfuscate: whether names are taken out of what goes on devices, there and in all that is made of the model

    Returns:
      a struct of the Files `model`, `data` and `text`, and `deployed`, what goes on devices: a struct of `model`, whose constants are `data`, and `names`
    """
    outputs = struct(
        data = ctx.actions.declare_file(prefix + ".data"),
        deployed = declare_deployed(ctx, prefix),
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
    if obfuscate:
        args.add("--obfuscate")
    args.add_all(srcs, before_each = "--src")
    args.add("--output_prefix", outputs.model.path[:-len(".pb")])
    deploy = add_deployed(args, outputs.deployed)
    ctx.actions.run(
        executable = tool,
        arguments = [args],
        inputs = depset([config] + srcs),
        outputs = [outputs.data, outputs.model, outputs.text] + deploy,
        mnemonic = "MaceImport",
        progress_message = "Importing network %s" % ctx.label,
    )
    return outputs
