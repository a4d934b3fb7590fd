"""The action that quantizes a model."""

def quantize_model(ctx, tool, model, ranges, statistics, scheme, keep_float, range_overrides, prefix, runtime, budget = None):
    """Declares an action MaceQuantize.

    Args:
      ctx: the rule's context
      tool: FilesToRunProvider of the program `mace`
      model: MaceModelInfo of the float model
      ranges: File with ranges, or None when the model carries them
      statistics: File with the statistics that the ranges come from, or None
      scheme: name of the quantization scheme
      keep_float: names or patterns of nodes that stay float
      range_overrides: dict of tensor or pattern to "min,max"
      prefix: name of the outputs in the package, without ending
      runtime: name of the device that the model is for
      budget: None, or a struct of `arguments`, the list of what the command line says of the accuracy budget, `runner`, the
        FilesToRunProvider of `mace_run` for the build machine, and the Files `samples` to measure on and `labels`, or None

    Returns:
      a struct of the Files `model`, `data` and `text`, and `reference`, a struct of the Files `model` and `data` of the float graph
      as it was quantized, which an action of its own makes when it is asked for
    """
    outputs = struct(
        data = ctx.actions.declare_file(prefix + ".data"),
        model = ctx.actions.declare_file(prefix + ".pb"),
        text = ctx.actions.declare_file(prefix + ".txt"),
    )
    reference = struct(
        data = ctx.actions.declare_file(prefix + ".reference.data"),
        model = ctx.actions.declare_file(prefix + ".reference.pb"),
    )
    args = ctx.actions.args()
    args.add("quantize")
    args.add("--model", model.model)
    args.add("--model_data", model.data)
    if ranges:
        args.add("--ranges", ranges)
    if statistics:
        args.add("--statistics", statistics)
    args.add("--scheme", scheme)
    args.add("--runtime", runtime)
    for name in keep_float:
        args.add("--keep_float", name)
    for tensor, range in range_overrides.items():
        args.add("--range", "%s=%s" % (tensor, range))
    inputs = depset([model.data, model.model] + [file for file in [ranges, statistics] if file])
    output = ctx.actions.args()
    output.add("--output_prefix", outputs.model.path[:-len(".pb")])
    search = []
    if budget:
        limits = ctx.actions.args()
        limits.add_all(budget.arguments)
        limits.add("--runner", budget.runner.executable)
        if budget.labels:
            limits.add("--labels", budget.labels)
        listed = ctx.actions.args()
        listed.add_all(budget.samples)
        listed.set_param_file_format("multiline")
        listed.use_param_file("--samples_list=%s", use_always = True)
        search = [limits, listed]
    ctx.actions.run(
        executable = tool,
        arguments = [args] + search + [output],
        inputs = depset(
            (budget.samples + ([budget.labels] if budget.labels else [])) if budget else [],
            transitive = [inputs],
        ),
        outputs = [outputs.data, outputs.model, outputs.text],
        tools = [budget.runner] if budget else [],
        mnemonic = "MaceQuantize",
        progress_message = "Quantizing %s to %s" % (ctx.label, scheme),
    )
    output = ctx.actions.args()
    output.add("--reference_prefix", reference.model.path[:-len(".pb")])
    ctx.actions.run(
        executable = tool,
        arguments = [args, output],
        inputs = inputs,
        outputs = [reference.data, reference.model],
        mnemonic = "MaceReference",
        progress_message = "Writing the float reference of %s" % ctx.label,
    )
    return struct(data = outputs.data, model = outputs.model, reference = reference, text = outputs.text)
