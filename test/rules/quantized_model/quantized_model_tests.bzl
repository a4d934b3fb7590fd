"""Tests of mace_quantized_model."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//bazel:defs.bzl", "MaceQuantizedModelInfo", "mace_quantize_stat", "mace_quantized_model")

# buildifier: disable=bzl-visibility
load("//bazel/private:vendor_libraries.bzl", "vendor_libraries")
load("//test/rules:asserts.bzl", "actions_of", "failure_test", "flags_of", "only_action_of")

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
        "--runtime",
        "cpu",
        "--output_prefix",
        "quant",
        "--deploy_prefix",
        "quant.deployed",
    ], flags_of(action))

    # What goes on devices may be without names.
    links = {link.outputs.to_list()[0].basename: link.inputs.to_list()[0].basename for link in actions_of(env, "Symlink")}
    asserts.equals(env, "quant.deployed.pb", links["quant.host.pb"])
    asserts.equals(env, ["quant.deployed.names"], [file.basename for file in target[OutputGroupInfo].names.to_list()])
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
        "--accept_missed_budget",
        "--max_float",
        "30",
        "--budget_samples",
        "7",
        "--labels",
        "measured.overall_range",
    ], flags[start:start + 11])
    asserts.equals(env, "--runner", flags[start - 2])
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

def _device_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    asserts.true(env, "dsp" in flags_of(only_action_of(env, "MaceQuantize")))
    asserts.equals(env, [
        "lower",
        "--model",
        "dsp.pb",
        "--model_data",
        "dsp.data",
        "--runtime",
        "dsp",
        "--fallback",
        "cpu",
        "--output_prefix",
        "dsp.dsp",
        "--deploy_prefix",
        "dsp.dsp.deployed",
    ], flags_of(only_action_of(env, "MaceLower")))
    info = target[MaceQuantizedModelInfo]
    asserts.equals(env, "dsp", info.runtime)
    asserts.equals(env, "dsp.dsp.pb", info.lowered.model.basename)

    # What the device runs is the lowered model, by a program with accelerators.
    links = {action.outputs.to_list()[0].basename: action.inputs.to_list()[0].basename for action in actions_of(env, "Symlink")}
    asserts.equals(env, "dsp.dsp.deployed.pb", links["dsp.arm64.pb"])

    # Of three libraries one is there.
    asserts.equals(env, [
        "dsp.arm64.data",
        "dsp.arm64.libhexagon_controller.so",
        "dsp.arm64.mace_run",
        "dsp.arm64.pb",
        "dsp.armhf.data",
        "dsp.armhf.libhexagon_controller.so",
        "dsp.armhf.mace_run",
        "dsp.armhf.pb",
        "dsp.v66.libhexagon_nn_skel.so",
    ], sorted([file.basename for file in target[OutputGroupInfo].device.to_list()]))
    asserts.equals(env, [
        "check-library",
        "--library",
        "measured.overall_range",
        "--processor",
        "arm64",
        "--output",
        "dsp.arm64.libhexagon_controller.so",
    ], flags_of(only_action_of(env, "MaceCheckLibrary")))
    missing = [action.argv[-1] for action in actions_of(env, "MaceMissingLibrary")]
    asserts.equals(env, 2, len(missing))
    message = "packaging for v66 needs libhexagon_nn_skel.so, which is not in //test/rules/quantized_model:libraries. " + \
              "It comes with nnlib of the Hexagon SDK of Qualcomm. Put it there as v66/libhexagon_nn_skel.so"
    asserts.true(env, [text for text in missing if message in text], "\n".join(missing))
    return analysistest.end(env)

_device_test = analysistest.make(_device_test_impl)

def _per_subgraph_test_impl(ctx):
    env = analysistest.begin(ctx)
    flags = flags_of(only_action_of(env, "MaceQuantize"))
    start = flags.index("--runtime")
    asserts.equals(env, [
        "--runtime",
        "per_subgraph",
        "--subgraph_runtime",
        "body=dsp",
        "--subgraph_runtime",
        "head=cpu",
    ], flags[start:start + 6])
    asserts.true(env, "per_subgraph" in flags_of(only_action_of(env, "MaceLower")))
    info = analysistest.target_under_test(env)[MaceQuantizedModelInfo]
    asserts.equals(env, "per_subgraph", info.runtime)
    asserts.equals(env, "subgraphs.per_subgraph.pb", info.lowered.model.basename)
    return analysistest.end(env)

_per_subgraph_test = analysistest.make(_per_subgraph_test_impl)

def _apu_test_impl(ctx):
    env = analysistest.begin(ctx)

    # The build machine's program is for tests and not for a device.
    asserts.equals(env, [
        "apu.arm64-v8a.data",
        "apu.arm64-v8a.libneuron_adapter.so",
        "apu.arm64-v8a.mace_run",
        "apu.arm64-v8a.pb",
    ], sorted([file.basename for file in analysistest.target_under_test(env)[OutputGroupInfo].device.to_list() if not file.basename.endswith(".ndk")]))

    flags = flags_of(only_action_of(env, "MaceLower"))
    asserts.false(env, "--apu_version" in flags)
    missing = [action.argv[-1] for action in actions_of(env, "MaceMissingLibrary")]
    message = "packaging for arm64-v8a needs libneuron_adapter.so, which is not in //test/rules/quantized_model:apu_libraries. " + \
              "It comes with the NeuroPilot SDK of MediaTek"
    asserts.true(env, [text for text in missing if message in text], "\n".join(missing))
    return analysistest.end(env)

_apu_test = analysistest.make(_apu_test_impl)

def _old_apu_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    asserts.equals(env, 3, target[MaceQuantizedModelInfo].lowered.apu_version)
    flags = flags_of(only_action_of(env, "MaceLower"))
    at = flags.index("--apu_version")
    asserts.equals(env, ["--apu_version", "3"], flags[at:at + 2])

    # Nothing of the newest, and of these libraries what the SoC needs.
    asserts.equals(env, [
        "old_apu.arm64-v8a.data",
        "old_apu.arm64-v8a.mace_run",
        "old_apu.arm64-v8a.pb",
        "old_apu.mt6785.libapu-apuwareutils.mtk.so",
        "old_apu.mt6785.libapu-apuwarexrp.mtk.so",
        "old_apu.mt6785.libapu-frontend.so",
        "old_apu.mt6785.libapu-platform.so",
    ], sorted([file.basename for file in target[OutputGroupInfo].device.to_list() if not file.basename.endswith(".ndk")]))

    # Libraries of a SoC are for its CPU.
    flags = flags_of(only_action_of(env, "MaceCheckLibrary"))
    asserts.equals(env, ["measured.overall_range", "--processor", "arm64-v8a"], flags[2:5])
    missing = [action.argv[-1] for action in actions_of(env, "MaceMissingLibrary")]
    message = "packaging for mt6785 needs libapu-frontend.so, which is not in //test/rules/quantized_model:apu_libraries. " + \
              "It comes with the folder third_party/apu of MACE's public repository"
    asserts.true(env, [text for text in missing if message in text], "\n".join(missing))

    # On the build machine, the library of that version.
    simulators = [file.basename for file in target[DefaultInfo].default_runfiles.files.to_list() if file.basename.endswith("_sim.so")]
    asserts.equals(env, ["libapu_frontend_v2_sim.so"], simulators)
    return analysistest.end(env)

_old_apu_test = analysistest.make(_old_apu_test_impl)

def _rounding_test_impl(ctx):
    env = analysistest.begin(ctx)
    action = only_action_of(env, "MaceQuantize")
    flags = flags_of(action)
    start = flags.index("--rounding")
    asserts.equals(env, ["--rounding_samples", "9", "--rounding", "adaptive"], flags[start - 2:start + 2])
    at = flags.index("--bias_correction")
    expected = ["--bias_correction", "empirical", "--change_concat_ranges", "--weights", "stem*=per_tensor"]
    asserts.equals(env, expected, flags[at:at + 5])
    asserts.true(env, "--runner" in flags)
    asserts.true(env, "sample_a.png" in [file.basename for file in action.inputs.to_list()])
    return analysistest.end(env)

_rounding_test = analysistest.make(_rounding_test_impl)

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

    _quant(
        name = "rounding",
        ranges = "//test/rules/fakes:stat",
        rounding = "adaptive",
        rounding_samples = 9,
        bias_correction = "empirical",
        change_concat_ranges = True,
        weights = {"stem*": "per_tensor"},
    )
    _rounding_test(name = name + "_rounding_test", target_under_test = ":rounding")

    vendor_libraries(
        name = "libraries",
        libraries = {"measured.overall_range": "arm64/libhexagon_controller.so"},
        runtime = "dsp",
        tags = ["manual"],
    )
    _quant(
        name = "dsp",
        accelerated_runner = "//test/rules/toolchains:describe_target",
        device = "v66",
        device_libraries = ":libraries",
        fallback = "cpu",
        runtime = "dsp",
        target_abis = ["arm64", "armhf"],
    )
    _device_test(name = name + "_device_test", target_under_test = ":dsp")
    _quant(
        name = "subgraphs",
        accelerated_runner = "//test/rules/toolchains:describe_target",
        runtime = "per_subgraph",
        subgraph_runtimes = {
            "body": "dsp",
            "head": "cpu",
        },
    )
    _per_subgraph_test(name = name + "_per_subgraph_test", target_under_test = ":subgraphs")
    vendor_libraries(
        name = "apu_libraries",
        libraries = {"measured.overall_range": "mt6785/libapu-platform.so"},
        runtime = "apu",
        tags = ["manual"],
    )
    _quant(
        name = "apu",
        accelerated_runner = "//test/rules/toolchains:describe_target",
        device = "mt6885",
        device_libraries = ":apu_libraries",
        runtime = "apu",
        target_abis = ["host", "arm64-v8a"],
    )
    _apu_test(name = name + "_apu_test", target_under_test = ":apu")
    _quant(
        name = "old_apu",
        accelerated_runner = "//test/rules/toolchains:describe_target",
        apu_version = 3,
        device = "mt6785",
        device_libraries = ":apu_libraries",
        runtime = "apu",
        target_abis = ["host", "arm64-v8a"],
    )
    _old_apu_test(name = name + "_old_apu_test", target_under_test = ":old_apu")

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
        ("runtime", {"runtime": "gpu"}, "`runtime = \"gpu\"` is no device. Choose one of: cpu, apu, dsp"),
        ("subgraph_runtimes", {"subgraph_runtimes": {"a": "dsp"}}, "`subgraph_runtimes` is for `runtime = \"per_subgraph\"`, and `runtime` is \"cpu\""),
        (
            "subgraph_runtime",
            {
                "runtime": "per_subgraph",
                "subgraph_runtimes": {"a": "gpu"},
            },
            "`subgraph_runtimes = {\"a\": \"gpu\"}` is no device. Choose one of: cpu, apu, dsp",
        ),
        ("fallback", {"fallback": "gpu"}, "`fallback = \"gpu\"` is not known. Choose one of: none, cpu"),
        ("apu_version", {"apu_version": 5, "runtime": "apu"}, "`apu_version = 5` is not known. Choose one of: 1, 2, 3, 4; or leave it out"),
        ("apu_version_on_dsp", {"apu_version": 4, "runtime": "dsp"}, "`apu_version` is for `runtime = \"apu\"`, and `runtime` is \"dsp\""),
        (
            "apu_without_device",
            {
                "apu_version": 1,
                "device_libraries": ":apu_libraries",
                "runtime": "apu",
                "target_abis": ["arm64-v8a"],
            },
            "`device = \"\"` is not known. Choose one of: mt67xx, mt68xx, mt6779",
        ),
        ("fallback_on_cpu", {"fallback": "cpu"}, "`fallback` is for models of an accelerator"),
        ("libraries", {"device_libraries": ":libraries"}, "`device_libraries` is for models of an accelerator"),
        (
            "device",
            {
                "device": "v1",
                "device_libraries": ":libraries",
                "runtime": "dsp",
                "target_abis": ["arm64"],
            },
            "`device = \"v1\"` is not known. Choose one of: v60, v62, v65, v66, v68",
        ),
        (
            "device_abi",
            {
                "device": "v66",
                "device_libraries": ":libraries",
                "runtime": "dsp",
                "target_abis": ["host"],
            },
            "needs `target_abis` of a device, and has host. Libraries for `runtime = \"dsp\"` are there for: arm64, arm64-v8a, armeabi-v7a, armhf",
        ),
        (
            "apu_abi",
            {
                "device": "mt6885",
                "device_libraries": ":apu_libraries",
                "runtime": "apu",
                "target_abis": ["arm64-v8a", "armeabi-v7a"],
            },
            "and has armeabi-v7a. Libraries for `runtime = \"apu\"` are there for: arm64-v8a",
        ),
        ("rounding", {"rounding": "up"}, "`rounding = \"up\"` is not known. Choose one of: nearest, adaptive"),
        ("rounding_samples", {"rounding": "adaptive"}, "`rounding = \"adaptive\"` looks at samples, and there are none"),
        ("bias_samples", {"bias_correction": "empirical"}, "`bias_correction = \"empirical\"` looks at samples, and there are none"),
        ("bias_correction", {"bias_correction": "some"}, "`bias_correction = \"some\"` is not known. Choose one of: analytic, empirical, none"),
        ("weights", {"weights": {"x": "per_row"}}, "`weights = {\"x\": \"per_row\"}` is not known. Choose one of: per_channel, per_tensor"),
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
