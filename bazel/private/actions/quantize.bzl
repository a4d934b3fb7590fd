"""The action that quantizes a model."""

load(":deployed.bzl", "add_deployed", "declare_deployed")

def _arguments(ctx, arguments):
    args = ctx.actions.args()
    args.add_all(arguments)
    return args

def _list(ctx, option, files):
    """An option with the path of a file that lists files."""
    args = ctx.actions.args()
    args.add_all(files)
    args.set_param_file_format("multiline")
    args.use_param_file(option, use_always = True)
    return args

def quantize_model(
        ctx,
        tool,
        model,
        ranges,
        statistics,
        scheme,
        keep_float,
        range_overrides,
        prefix,
        runtime,
        subgraph_runtimes = {},
        budget = None,
        measuring = None,
        bias_correction = "",
        change_concat_ranges = False,
        weights = {}):
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
      runtime: name of the device that the model is for, or PER_SUBGRAPH
      subgraph_runtimes: dict of subgraph to device
      measuring: None, or what adaptive rounding and empirical bias correction need: a struct of `arguments`, the list of what the command line
        says of them, `runner`, the FilesToRunProvider of `mace_run` for the build machine, and `samples`, a list of Files
      bias_correction: its name, or "" for that of the configuration
      change_concat_ranges: whether all that a Concat joins gets one range
      weights: dict of node or pattern to how many scales its weights have
      budget: None, or a struct of `arguments`, the list of what the command line says of the accuracy budget, `runner`, the
        FilesToRunProvider of `mace_run` for the build machine, and the Files `samples` to measure on and `labels`, or None

    Returns:
      a struct of the Files `model`, `data` and `text`, `deployed` as of import_model, and `reference`, a struct of the Files `model` and `data` of the float graph
      as it was quantized, which an action of its own makes when it is asked for
    """
    outputs = struct(
        data = ctx.actions.declare_file(prefix + ".data"),
        deployed = declare_deployed(ctx, prefix),
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
    for subgraph, device in subgraph_runtimes.items():
        args.add("--subgraph_runtime", "%s=%s" % (subgraph, device))
    for name in keep_float:
        args.add("--keep_float", name)
    for tensor, range in range_overrides.items():
        args.add("--range", "%s=%s" % (tensor, range))
    if bias_correction:
        args.add("--bias_correction", bias_correction)
    if change_concat_ranges:
        args.add("--change_concat_ranges")
    for node, granularity in weights.items():
        args.add("--weights", "%s=%s" % (node, granularity))
    inputs = depset([model.data, model.model] + [file for file in [ranges, statistics] if file])
    output = ctx.actions.args()
    output.add("--output_prefix", outputs.model.path[:-len(".pb")])
    deploy = add_deployed(output, outputs.deployed)
    search = []
    runner = budget.runner if budget else measuring.runner if measuring else None
    if runner:
        search.append(_arguments(ctx, ["--runner", runner.executable]))
    if measuring:
        search.append(_arguments(ctx, measuring.arguments))
        search.append(_list(ctx, "--rounding_list=%s", measuring.samples))
    if budget:
        limits = _arguments(ctx, budget.arguments)
        if budget.labels:
            limits.add("--labels", budget.labels)
        search += [limits, _list(ctx, "--samples_list=%s", budget.samples)]
    ctx.actions.run(
        executable = tool,
        arguments = [args] + search + [output],
        inputs = depset(
            (budget.samples + ([budget.labels] if budget.labels else []) if budget else []) +
            (measuring.samples if measuring else []),
            transitive = [inputs],
        ),
        outputs = [outputs.data, outputs.model, outputs.text] + deploy,
        tools = [runner] if runner else [],
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
    return struct(
        data = outputs.data,
        deployed = outputs.deployed,
        model = outputs.model,
        reference = reference,
        text = outputs.text,
    )
