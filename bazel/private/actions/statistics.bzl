"""The actions that run samples through a float model."""

def _collect_shard(ctx, tool, runner, model, samples, shard, shards, strict, output):
    args = ctx.actions.args()
    args.add("stat")
    args.add("--model", model.model)
    args.add("--model_data", model.data)
    args.add("--runner", runner.executable)
    if shards > 1:
        args.add("--shard", "%d/%d" % (shard, shards))
    args.add("--output", output)
    if strict:
        args.add("--strict")

    # A file of its own: there may be thousands.
    sample_list = ctx.actions.args()
    sample_list.add_all(samples)
    sample_list.set_param_file_format("multiline")
    sample_list.use_param_file("--samples_list=%s", use_always = True)

    ctx.actions.run(
        executable = tool,
        arguments = [args, sample_list],
        inputs = depset([model.data, model.model] + samples),
        tools = [runner],
        outputs = [output],
        mnemonic = "MaceStat",
        progress_message = "Collecting statistics of %s, part %d of %d" % (ctx.label, shard + 1, shards),
    )

def collect_statistics(ctx, tool, runner, model, samples, shards, strict, name):
    """Declares actions MaceStat, one per shard, and MaceMergeStat when there are several.

    Every shard sees all samples and takes its share of them, so that the inputs of a model with several stay together.

    Args:
      ctx: the rule's context
      tool: FilesToRunProvider of the program `mace`
      runner: FilesToRunProvider of `mace_stat`
      model: MaceModelInfo of the float model
      samples: list of Files
      shards: number of actions
      strict: whether a sample that cannot be read is an error
      name: name of the outputs in the package, without ending

    Returns:
      the File with the statistics of all samples; it does not depend on the number of shards
    """
    merged = ctx.actions.declare_file(name + ".stat")
    if shards == 1:
        _collect_shard(ctx, tool, runner, model, samples, 0, 1, strict, merged)
        return merged

    parts = [ctx.actions.declare_file("%s.%d_of_%d.stat" % (name, shard + 1, shards)) for shard in range(shards)]
    for shard, part in enumerate(parts):
        _collect_shard(ctx, tool, runner, model, samples, shard, shards, strict, part)

    args = ctx.actions.args()
    args.add("stat-merge")
    args.add("--output", merged)
    args.add_all(parts)
    ctx.actions.run(
        executable = tool,
        arguments = [args],
        inputs = depset(parts),
        outputs = [merged],
        mnemonic = "MaceMergeStat",
        progress_message = "Merging statistics of %s" % ctx.label,
    )
    return merged
