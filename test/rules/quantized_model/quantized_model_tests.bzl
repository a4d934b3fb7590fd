"""Tests of mace_quantized_model."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//bazel:defs.bzl", "MaceQuantizedModelInfo", "mace_quantize_stat", "mace_quantized_model")
load("//test/rules:asserts.bzl", "failure_test", "flags_of", "only_action_of")

def _outputs_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    action = only_action_of(env, "MaceQuantize")
    asserts.equals(env, [
        "quantize",
        "--model",
        "model.pb",
        "--model_data",
        "model.data",
        "--ranges",
        "stat.overall_range",
        "--statistics",
        "stat.stat",
        "--scheme",
        "uint8",
        "--output_prefix",
        "quant",
    ], flags_of(action))
    asserts.equals(env, [
        "quant.arm64-v8a.data",
        "quant.arm64-v8a.mace_run",
        "quant.arm64-v8a.pb",
        "quant.data",
        "quant.host.data",
        "quant.host.mace_run",
        "quant.host.pb",
        "quant.pb",
        "quant.txt",
    ], sorted([file.basename for file in target[DefaultInfo].files.to_list()]))
    asserts.equals(env, [
        "quant.arm64-v8a.data",
        "quant.arm64-v8a.mace_run",
        "quant.arm64-v8a.pb",
    ], sorted([file.basename for file in getattr(target[OutputGroupInfo], "arm64-v8a").to_list()]))

    info = target[MaceQuantizedModelInfo]
    asserts.equals(env, "uint8", info.scheme)
    asserts.equals(env, "stat.overall_range", info.ranges.basename)
    asserts.equals(env, Label("//test/rules/fakes:model"), info.model_label)
    asserts.equals(env, ["host", "arm64-v8a"], info.abis.keys())
    asserts.equals(env, "quant.host.mace_run", info.abis["host"].runner.basename)
    return analysistest.end(env)

_outputs_test = analysistest.make(_outputs_test_impl)

def _without_ranges_test_impl(ctx):
    env = analysistest.begin(ctx)
    action = only_action_of(env, "MaceQuantize")
    asserts.false(env, "--ranges" in action.argv)
    asserts.true(env, "auto" in action.argv, "the default scheme is passed")
    asserts.equals(env, None, analysistest.target_under_test(env)[MaceQuantizedModelInfo].ranges)
    return analysistest.end(env)

_without_ranges_test = analysistest.make(_without_ranges_test_impl)

def _range_file_test_impl(ctx):
    env = analysistest.begin(ctx)
    asserts.true(env, "measured.overall_range" in flags_of(only_action_of(env, "MaceQuantize")))
    return analysistest.end(env)

_range_file_test = analysistest.make(_range_file_test_impl)

def _budget_test_impl(ctx):
    env = analysistest.begin(ctx)
    action = only_action_of(env, "MaceQuantize")
    flags = flags_of(action)
    start = flags.index("--min_sqnr")
    asserts.equals(env, [
        "--min_sqnr",
        "20",
        "--max_drop",
        "0.5",
        "--max_float",
        "30",
        "--budget_samples",
        "7",
        "--runner",
    ], flags[start:start + 9])
    asserts.equals(env, ["--labels", "measured.overall_range"], flags[start + 10:start + 12])
    inputs = [file.basename for file in action.inputs.to_list()]
    for sample in ctx.attr.samples:
        asserts.true(env, sample in inputs, sample + " is an input of the search")
    return analysistest.end(env)

_budget_test = analysistest.make(_budget_test_impl, attrs = {"samples": attr.string_list()})

def _quant(name, model = "//test/rules/fakes:model", **kwargs):
    mace_quantized_model(
        name = name,
        testonly = True,
        mace_tool = "//test/rules/fakes:mace",
        model = model,
        runner = "//test/rules/toolchains:describe_target",
        tags = ["manual"],
        **kwargs
    )

def quantized_model_test_suite(name):
    """Declares the tests.

    Args:
      name: prefix of their names
    """
    _quant(
        name = "quant",
        ranges = "//test/rules/fakes:stat",
        scheme = "uint8",
        target_abis = ["host", "arm64-v8a"],
    )
    _outputs_test(name = name + "_outputs_test", target_under_test = ":quant")

    _quant(name = "without_ranges")
    _without_ranges_test(name = name + "_without_ranges_test", target_under_test = ":without_ranges")

    _quant(name = "range_file", ranges = "measured.overall_range")
    _range_file_test(name = name + "_range_file_test", target_under_test = ":range_file")

    _quant(
        name = "budget",
        budget_labels = "measured.overall_range",
        budget_samples = 7,
        max_drop = "0.5",
        max_float = 30,
        min_sqnr = "20",
        ranges = "//test/rules/fakes:stat",
    )
    _budget_test(name = name + "_budget_test", samples = ["sample_a.png"], target_under_test = ":budget")
    _quant(
        name = "budget_inputs",
        budget_inputs = ["//test/rules/fakes:sample_b.png"],
        budget_labels = "measured.overall_range",
        budget_samples = 7,
        max_drop = "0.5",
        max_float = 30,
        min_sqnr = "20",
    )
    _budget_test(name = name + "_budget_inputs_test", samples = ["sample_b.png"], target_under_test = ":budget_inputs")

    mace_quantize_stat(
        name = "stat_without_inputs",
        testonly = True,
        mace_tool = "//test/rules/fakes:mace",
        model = "//test/rules/fakes:model",
        stat_runner = "//test/rules/toolchains:describe_target",
        tags = ["manual"],
    )
    native.filegroup(
        name = "two_files",
        srcs = [
            "BUILD.bazel",
            "measured.overall_range",
        ],
    )
    abis = "host, arm64, armhf, arm64-v8a, armeabi-v7a"
    for wrong, attributes, message in [
        (
            "abi",
            {"target_abis": ["host", "mips"]},
            "`target_abis` has \"mips\", which is no ABI. Choose among: " + abis,
        ),
        ("abi_twice", {"target_abis": ["host", "host"]}, "`target_abis` has \"host\" twice"),
        ("no_abi", {"target_abis": []}, "`target_abis` is empty. Choose among: " + abis),
        (
            "scheme",
            {"scheme": "int4"},
            "`scheme = \"int4\"` is no scheme. Choose one of: auto, int8_per_channel, uint8",
        ),
        (
            "other_model",
            {
                "model": "//test/rules/fakes:another_model",
                "ranges": "//test/rules/fakes:stat",
            },
            "were measured on //test/rules/fakes:model, but `model` is //test/rules/fakes:another_model",
        ),
        (
            "ranges",
            {"ranges": ":stat_without_inputs"},
            "has no `inputs`, so there is nothing to build ranges from",
        ),
        ("range_files", {"ranges": ":two_files"}, "gives 2 files"),
        ("budget", {"min_sqnr": "20"}, "has an accuracy budget and no samples to measure on"),
        ("budget_labels", {"budget_labels": "measured.overall_range"}, "have no effect without an accuracy budget"),
        (
            "max_float",
            {
                "max_float": 101,
                "min_sqnr": "20",
                "ranges": "//test/rules/fakes:stat",
            },
            "`max_float = 101` must be between 0 and 100",
        ),
    ]:
        _quant(name = "wrong_" + wrong, **attributes)
        failure_test(
            name = "%s_wrong_%s_test" % (name, wrong),
            message = message,
            target_under_test = ":wrong_" + wrong,
        )
