"""The action that turns statistics into ranges."""

def range_arguments(method, coverage, percentile, enhance, enhance_ratio):
    """The options of `mace ranges`, and of `mace stat` when it writes ranges too.

    Args:
      method: name of the rule
      coverage: per cent of the values, for the method `percentile`
      percentile: per cent of the samples' extremes dropped at each end, for the method `mace`
      enhance: whether to trim expensive ends, for the method `mace`
      enhance_ratio: what an end is worth, for `enhance`

    Returns:
      a list of strings
    """
    if method == "percentile":
        return ["--method", method, "--coverage", coverage]
    if method != "mace":
        return ["--method", method]
    return ["--percentile", str(percentile)] + (["--enhance", "--enhance_ratio", str(enhance_ratio)] if enhance else [])

def compute_ranges(ctx, tool, statistics, arguments, name):
    """Declares an action MaceRanges. It runs no inference.

    Args:
      ctx: the rule's context
      tool: FilesToRunProvider of the program `mace`
      statistics: File with the statistics
      arguments: list of strings from range_arguments
      name: name of the output in the package, without ending

    Returns:
      the File with the ranges
    """
    ranges = ctx.actions.declare_file(name + ".overall_range")
    args = ctx.actions.args()
    args.add("ranges")
    args.add("--statistics", statistics)
    args.add_all(arguments)
    args.add("--output", ranges)
    ctx.actions.run(
        executable = tool,
        arguments = [args],
        inputs = [statistics],
        outputs = [ranges],
        mnemonic = "MaceRanges",
        progress_message = "Computing ranges %s" % ctx.label,
    )
    return ranges
