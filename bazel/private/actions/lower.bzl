"""The action that translates a quantized model for an accelerator."""

def lower_model(ctx, tool, quantized, runtime, apu_version, fallback, prefix):
    """Declares an action MaceLower.

    Args:
      ctx: the rule's context
      tool: FilesToRunProvider of the program `mace`
      quantized: what quantize_model returned
      runtime: name of the device
      apu_version: version of the APU that the target names, or 0
      fallback: `cpu` when the CPU runs what the device cannot, or `none`
      prefix: name of the outputs in the package, without ending

    Returns:
      a struct of the Files `model` and `data`, and of `apu_version`
    """
    outputs = struct(
        apu_version = apu_version,
        data = ctx.actions.declare_file("%s.%s.data" % (prefix, runtime)),
        model = ctx.actions.declare_file("%s.%s.pb" % (prefix, runtime)),
    )
    args = ctx.actions.args()
    args.add("lower")
    args.add("--model", quantized.model)
    args.add("--model_data", quantized.data)
    args.add("--runtime", runtime)
    args.add("--fallback", fallback)
    if apu_version:
        args.add("--apu_version", str(apu_version))
    args.add("--output_prefix", outputs.model.path[:-len(".pb")])
    ctx.actions.run(
        executable = tool,
        arguments = [args],
        inputs = [quantized.data, quantized.model],
        outputs = [outputs.data, outputs.model],
        mnemonic = "MaceLower",
        progress_message = "Translating %s for %s" % (ctx.label, runtime),
    )
    return outputs
