"""Tests of mace_quantize_stat."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//bazel:defs.bzl", "MaceRangesInfo", "mace_quantize_stat")
load("//test/rules:asserts.bzl", "actions_of", "failure_test", "flags_of", "only_action_of")

_SAMPLES = ["//test/rules/fakes:sample_%s.png" % letter for letter in ["a", "b", "c"]]

def _one_shard_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    collect = only_action_of(env, "MaceStat")
    asserts.equals(env, [
        "stat",
        "--model",
        "model.pb",
        "--model_data",
        "model.data",
        "--runner",
        "describe_target",
        "--output",
        "one_shard.stat",
        "--strict",
    ], flags_of(collect)[:10])
    asserts.equals(env, [], actions_of(env, "MaceMergeStat"))
    asserts.equals(env, ["one_shard.overall_range"], [file.basename for file in target[DefaultInfo].files.to_list()])

    info = target[MaceRangesInfo]
    asserts.equals(env, "one_shard.overall_range", info.ranges.basename)
    asserts.equals(env, "one_shard.stat", info.statistics.basename)
    asserts.equals(env, Label("//test/rules/fakes:model"), info.model_label)
    return analysistest.end(env)

_one_shard_test = analysistest.make(_one_shard_test_impl)

def _shards_test_impl(ctx):
    env = analysistest.begin(ctx)
    collect = actions_of(env, "MaceStat")
    asserts.equals(env, 3, len(collect))
    asserts.false(env, "--strict" in collect[0].argv, "`strict = False` leaves samples out that cannot be read")
    for index, action in enumerate(collect):
        flags = flags_of(action)
        asserts.equals(env, ["--shard", "3", "--output", "shards.%d_of_3.stat" % (index + 1)], flags[7:11])
        asserts.true(env, "%d/3" % index in action.argv, "shard %d is told its number" % index)

    merge = only_action_of(env, "MaceMergeStat")
    asserts.equals(env, [
        "stat-merge",
        "--output",
        "shards.stat",
        "shards.1_of_3.stat",
        "shards.2_of_3.stat",
        "shards.3_of_3.stat",
    ], flags_of(merge))
    return analysistest.end(env)

_shards_test = analysistest.make(_shards_test_impl)

def _ranges_test_impl(ctx):
    env = analysistest.begin(ctx)
    action = only_action_of(env, "MaceRanges")
    asserts.equals(env, [
        "ranges",
        "--statistics",
        "shards.stat",
        "--percentile",
        "5",
        "--enhance",
        "--enhance_ratio",
        "20",
        "--output",
        "shards.overall_range",
    ], flags_of(action))

    # Options of ranges must not reach the actions that run inference, or a change of one would repeat it.
    for collect in actions_of(env, "MaceStat"):
        asserts.false(env, "--percentile" in collect.argv)
    inputs = [file.basename for file in action.inputs.to_list()]
    asserts.true(env, "shards.stat" in inputs)
    asserts.false(env, "model.pb" in inputs, "ranges do not read the model")
    return analysistest.end(env)

_ranges_test = analysistest.make(_ranges_test_impl)

def _without_inputs_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    asserts.equals(env, None, target[MaceRangesInfo].ranges)
    asserts.equals(env, [], target[DefaultInfo].files.to_list())
    asserts.equals(env, [], actions_of(env, "MaceStat"))
    return analysistest.end(env)

_without_inputs_test = analysistest.make(_without_inputs_test_impl)

def _stat(name, **kwargs):
    mace_quantize_stat(
        name = name,
        testonly = True,
        mace_tool = "//test/rules/fakes:mace",
        model = "//test/rules/fakes:model",
        stat_runner = "//test/rules/toolchains:describe_target",
        tags = ["manual"],
        **kwargs
    )

def statistics_test_suite(name):
    """Declares the tests.

    Args:
      name: prefix of their names
    """
    _stat(name = "one_shard", inputs = _SAMPLES)
    _one_shard_test(name = name + "_one_shard_test", target_under_test = ":one_shard")

    _stat(name = "shards", enhance = True, enhance_ratio = 20, inputs = _SAMPLES, percentile = 5, shards = 3, strict = False)
    _shards_test(name = name + "_shards_test", target_under_test = ":shards")
    _ranges_test(name = name + "_ranges_test", target_under_test = ":shards")

    _stat(name = "without_inputs")
    _without_inputs_test(name = name + "_without_inputs_test", target_under_test = ":without_inputs")

    for wrong, attributes, message in [
        ("percentile", {"percentile": 51}, "`percentile = 51` must be between 0 and 50"),
        ("enhance_ratio", {"enhance_ratio": 0}, "`enhance_ratio = 0` must be at least 1"),
        ("shards", {"shards": 4}, "`shards = 4` must be between 1 and 3, the number of files in `inputs`"),
    ]:
        _stat(name = "wrong_" + wrong, inputs = _SAMPLES, **attributes)
        failure_test(
            name = "%s_wrong_%s_test" % (name, wrong),
            message = message,
            target_under_test = ":wrong_" + wrong,
        )
