"""mace_quantize_stat: ranges of a model's activations."""

load("//bazel/private/actions:ranges.bzl", "compute_ranges", "range_arguments")
load("//bazel/private/actions:statistics.bzl", "collect_statistics")
load(":errors.bzl", "BAD_ENHANCE_RATIO", "BAD_PERCENTILE", "BAD_SHARDS")
load(":launcher.bzl", "write_launcher")
load(":providers.bzl", "MaceModelInfo", "MaceRangesInfo", "mace_ranges_info")
load(":tools.bzl", "MACE_TOOL", "STAT_RUNNER")

_DOC = """Runs samples through a float model and finds the range of every activation.

`bazel build` measures on `inputs` and writes `<name>.overall_range`. Measuring and computing ranges are separate actions: another
`percentile` runs no inference again.

`bazel run` measures on a folder of your own:

    bazel run //models:x_stat -- --input_dir DIR [--output FILE | --update] [options of `mace stat`]

It writes FILE, or with --update `<name>.overall_range` beside the BUILD file, or else `<name>.overall_range` in the folder that you are
in. Relative paths start there too. Ctrl-C keeps the samples finished so far in FILE.partial; --resume goes on from there."""

_METHODS = ["mace", "minmax", "percentile", "entropy", "mse", "auto"]

_ATTRS = {
    "coverage": attr.string(
        doc = "With `method = \"percentile\"`: per cent of the values that the range holds.",
        default = "99.99",
    ),
    "enhance": attr.bool(
        doc = "Whether to trim ends of a range that cost many steps for few samples, as MACE's option of the same name does.",
    ),
    "enhance_ratio": attr.int(
        doc = "With `enhance`: how many times greater the share of the range saved must be than the share of samples lost.",
        default = 10,
    ),
    "inputs": attr.label_list(
        doc = "Samples: images, .npy, .npz, .json (lists of numbers) or raw float32 tensors. They should resemble what the model will see; some hundred are enough. " +
              "Without any, the target can only be run.",
        allow_files = True,
    ),
    "model": attr.label(
        doc = "The mace_model target.",
        mandatory = True,
        providers = [MaceModelInfo],
    ),
    "method": attr.string(
        doc = "How ranges come from what was measured: `mace` (`percentile` and `enhance` over the samples' extremes), `minmax`, `percentile` " +
              "(the share `coverage` of all values), `entropy`, `mse` or `auto`; see `mace ranges --help`.",
        default = "mace",
        values = _METHODS,
    ),
    "percentile": attr.int(
        doc = "Per cent of samples whose extremes are dropped at each end, 0 to 50; 0 keeps the extremes of all.",
        default = 0,
    ),
    "shards": attr.int(
        doc = "Number of independent actions that the samples are divided among. The result is the same for any number.",
        default = 1,
    ),
    "strict": attr.bool(
        doc = "A sample that cannot be read fails the build; with False it is named and left out. `bazel run` always leaves it out, without `--strict`.",
        default = True,
    ),
}

# `mace stat` resolves relative paths against the folder in which `bazel run` was typed.
_RUN = """ranges="$name.overall_range"
arguments=()
while (($#)); do
    case "$1" in
        --update)
            ranges="${BUILD_WORKSPACE_DIRECTORY:?--update works with bazel run only}/$package/$name.overall_range"
            ;;
        --output)
            ranges="${2:?--output needs the path of a file}"
            shift
            ;;
        --output=*) ranges="${1#*=}" ;;
        *) arguments+=("$1") ;;
    esac
    shift
done
exec "$mace" stat --model "$model" --model_data "$data" --runner "$runner" --ranges "$ranges" \\
    $range_arguments "${arguments[@]}"
"""

def _check_attributes(ctx):
    attr = ctx.attr
    if attr.percentile < 0 or attr.percentile > 50:
        fail(BAD_PERCENTILE.format(label = ctx.label, value = attr.percentile))
    if attr.enhance_ratio < 1:
        fail(BAD_ENHANCE_RATIO.format(label = ctx.label, value = attr.enhance_ratio))
    most = max(1, len(ctx.files.inputs))
    if attr.shards < 1 or attr.shards > most:
        fail(BAD_SHARDS.format(label = ctx.label, value = attr.shards, inputs = most))

def _mace_quantize_stat_impl(ctx):
    _check_attributes(ctx)
    tool = ctx.attr.mace_tool[DefaultInfo].files_to_run
    model = ctx.attr.model[MaceModelInfo]
    arguments = range_arguments(ctx.attr.method, ctx.attr.coverage, ctx.attr.percentile, ctx.attr.enhance, ctx.attr.enhance_ratio)

    statistics, ranges = None, None
    if ctx.files.inputs:
        statistics = collect_statistics(
            ctx,
            tool = tool,
            runner = ctx.attr.stat_runner[DefaultInfo].files_to_run,
            model = model,
            samples = ctx.files.inputs,
            shards = ctx.attr.shards,
            strict = ctx.attr.strict,
            name = ctx.label.name,
        )
        ranges = compute_ranges(ctx, tool, statistics, arguments, ctx.label.name)

    launcher = write_launcher(
        ctx,
        _RUN,
        files = {
            "data": model.data,
            "mace": ctx.executable.mace_tool,
            "model": model.model,
            "runner": ctx.executable.stat_runner,
        },
        variables = {
            "name": ctx.label.name,
            "package": ctx.label.package,
            "range_arguments": " ".join(arguments),
        },
    )
    runfiles = ctx.runfiles(files = [model.model, model.data])
    for program in [ctx.attr.mace_tool, ctx.attr.stat_runner]:
        runfiles = runfiles.merge(program[DefaultInfo].default_runfiles)
    return [
        DefaultInfo(
            executable = launcher,
            files = depset([ranges] if ranges else []),
            runfiles = runfiles,
        ),
        OutputGroupInfo(statistics = depset([statistics] if statistics else [])),
        mace_ranges_info(model_label = model.label, ranges = ranges, samples = ctx.files.inputs, statistics = statistics),
    ]

mace_quantize_stat = rule(
    implementation = _mace_quantize_stat_impl,
    doc = _DOC,
    attrs = dict(dict(_ATTRS, **MACE_TOOL), **STAT_RUNNER),
    executable = True,
    provides = [MaceRangesInfo],
)
