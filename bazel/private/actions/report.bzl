"""The actions behind the page about a quantized model."""

def write_report(ctx, tool, runner, model, quantized, statistics, samples, name):
    """Declares the actions MaceEvaluate, where there are samples, and MaceReport.

    Args:
      ctx: the rule's context
      tool: FilesToRunProvider of the program `mace`
      runner: FilesToRunProvider of `mace_run` for the build machine
      model: MaceModelInfo of the float model
      quantized: what quantize_model returned
      statistics: File with the statistics, or None
      samples: list of Files that the statistics were measured on
      name: name of the output in the package, without ending

    Returns:
      the page as a File
    """
    models = [
        model.data,
        model.model,
        quantized.data,
        quantized.model,
        quantized.reference.data,
        quantized.reference.model,
    ]
    common = ctx.actions.args()
    common.add("--model", model.model)
    common.add("--model_data", model.data)
    common.add("--quantized", quantized.model)
    common.add("--quantized_data", quantized.data)
    common.add("--reference", quantized.reference.model)

    evaluation = None
    if samples:
        evaluation = ctx.actions.declare_file(name + ".evaluation.json")
        listed = ctx.actions.args()
        listed.add_all(samples)
        listed.set_param_file_format("multiline")
        listed.use_param_file("--samples_list=%s", use_always = True)
        verb = ctx.actions.args()
        verb.add("evaluate")
        rest = ctx.actions.args()
        rest.add("--runner", runner.executable)
        rest.add("--layer_samples", 4)
        rest.add("--output", evaluation)
        rest.add("--quiet")
        ctx.actions.run(
            executable = tool,
            arguments = [verb, common, rest, listed],
            inputs = depset(models + samples),
            outputs = [evaluation],
            tools = [runner],
            mnemonic = "MaceEvaluate",
            progress_message = "Comparing %s with the float model" % ctx.label,
        )

    page = ctx.actions.declare_file(name + ".html")
    args = ctx.actions.args()
    args.add("report")
    rest = ctx.actions.args()
    if statistics:
        rest.add("--statistics", statistics)
    if evaluation:
        rest.add("--evaluation", evaluation)
    rest.add("--output", page)
    ctx.actions.run(
        executable = tool,
        arguments = [args, common, rest],
        inputs = depset(models + [file for file in [statistics, evaluation] if file]),
        outputs = [page],
        mnemonic = "MaceReport",
        progress_message = "Writing the report of %s" % ctx.label,
    )
    return page
