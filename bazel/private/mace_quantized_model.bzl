"""mace_quantized_model: a model in 8 bits, and a program that runs it on each target."""

load("//bazel/private/actions:lower.bzl", "lower_model")
load("//bazel/private/actions:quantize.bzl", "quantize_model")
load("//bazel/private/actions:report.bzl", "write_report")
load(":abi.bzl", "ABIS")
load(":compat.bzl", "TRANSITION_ALLOWLIST")
load(":device_package.bzl", "package_for_device")
load(
    ":errors.bzl",
    "APU_VERSION_WITHOUT_APU",
    "BAD_BUDGET_SAMPLES",
    "BAD_MAX_FLOAT",
    "BUDGET_WITHOUT_INPUTS",
    "DUPLICATE_ABI",
    "FALLBACK_WITHOUT_DEVICE",
    "MEASURING_WITHOUT_INPUTS",
    "NOT_ONE_RANGE_FILE",
    "NO_ABIS",
    "NO_BUDGET",
    "RANGES_OF_ANOTHER_MODEL",
    "RANGES_WITHOUT_INPUTS",
    "SUBGRAPHS_OF_ONE_RUNTIME",
    "UNKNOWN_ABI",
    "UNKNOWN_APU_VERSION",
    "UNKNOWN_BIAS_CORRECTION",
    "UNKNOWN_FALLBACK",
    "UNKNOWN_GRANULARITY",
    "UNKNOWN_ROUNDING",
    "UNKNOWN_RUNTIME",
    "UNKNOWN_SCHEME",
    "UNKNOWN_SUBGRAPH_RUNTIME",
)
load(":launcher.bzl", "write_launcher")
load(":providers.bzl", "MaceModelInfo", "MaceQuantizedModelInfo", "MaceRangesInfo", "mace_quantized_model_info")
load(":runtimes.bzl", "APU_VERSIONS", "CPU", "FALLBACKS", "PER_SUBGRAPH", "RUNTIMES", "use_simulators")
load(":schemes.bzl", "BIAS_CORRECTIONS", "DEFAULT_SCHEME", "GRANULARITIES", "SCHEMES")
load(":tools.bzl", "EVALUATION_RUNNER", "MACE_TOOL", "SIMULATORS")
load(":transitions.bzl", "by_abi", "each_abi")
load(":vendor_libraries.bzl", "MaceVendorLibrariesInfo")

_DOC = """Quantizes a float model to 8 bits and builds the runtime for the targets.

Outputs: `<name>.pb`, `<name>.data` and `<name>.txt`, which are the same for all targets, and for each ABI `<name>.<abi>.mace_run`, a program that
runs the model, with `<name>.<abi>.pb` and `<name>.<abi>.data`. Each ABI is an output group.

The output group `report` is `<name>.html`: error of every layer on the samples that the ranges were measured on, the reason for every range,
histograms, the graph, and the attributes that act on what was found. It needs no network.

    bazel build --output_groups=report //models:x_quant

With `min_sqnr` or `max_drop`, operators stay float until the model is that accurate on samples, those that cost most first; the report and
`mace explain` say why each is what it is.

With `runtime = "dsp"` or `"apu"` the model is quantized for a Hexagon DSP or a MediaTek APU, and `<name>.<runtime>.pb` and `.data` are what the
device runs; they are the `.pb` and `.data` of each ABI then. On the build machine a simulator stands for the device.

With `obfuscate` of the mace_model target, or of its configuration, the `.pb` of each ABI is without the names of inner tensors and operators; all
other files have them. The output group `names` is the table of what obfuscated names stand for: `mace restore-names` reads a profile with it.

`bazel run` runs the model on this machine and prints the best classes and the time:

    bazel run //models:x_quant -- --input photo.jpg [options of `mace run`]"""

_ATTRS = {
    "accelerated_runner": attr.label(
        doc = "The runtime where `runtime` is an accelerator: it loads the vendor's library, so it is linked dynamically.",
        cfg = each_abi,
        default = Label("//mace/bin:mace_run_with_accelerators"),
    ),
    "apu_version": attr.int(
        doc = "With `runtime = \"apu\"` or `\"per_subgraph\"`, version of the APU in MACE's count, which decides on operators and libraries: 1 (Android 10 and before on " +
              "mt67xx), 2 (on others), 3 (Android 11 but on mt689x and mt6877) or 4 (the rest). By default what the configuration says " +
              "(`apu_version_with_no_device`), else 4; `device_libraries` and the simulator are those of 4 then.",
    ),
    "bias_correction": attr.string(
        doc = "What biases make up for: `analytic`, for the rounding of the weights; `empirical`, for all that moves the mean of a layer when the " +
              "quantized model runs on the samples that the ranges were measured on, where that is better on them; `none`. By default what " +
              "the configuration says, else `analytic`.",
    ),
    "budget_inputs": attr.label_list(
        doc = "Samples that `min_sqnr` and `max_drop` are measured on; by default those that the ranges were measured on.",
        allow_files = True,
    ),
    "budget_labels": attr.label(
        doc = "Lines `sample class` for `max_drop`: file name, with or without ending, and index of its class.",
        allow_single_file = True,
    ),
    "budget_samples": attr.int(
        doc = "How many of the samples are measured, evenly spread.",
        default = 64,
    ),
    "change_concat_ranges": attr.bool(
        doc = "Give all that a Concat joins one range, so that it copies codes, as MACE's key of that name. By default each input keeps the steps that " +
              "its own range needs, and the Concat rescales it.",
    ),
    "device": attr.string(
        doc = "With `device_libraries`: version of the Hexagon DSP (`v60`, `v62`, `v65`, `v66`, `v68`) or SoC with the APU (`mt6779` …), which " +
              "the versions 1 to 3 of the APU need.",
    ),
    "device_libraries": attr.label(
        doc = "The vendor's libraries: target `libraries` of a hexagon_nn_repository or apu_repository. With it the output group `device` has what " +
              "goes on the device: for each ABI the program, the model and the vendor's libraries, which are checked to be the right ones.",
        providers = [MaceVendorLibrariesInfo],
    ),
    "fallback": attr.string(
        doc = "With an accelerator: `cpu` lets the CPU run operators that the device cannot; with `none` they are errors.",
        default = "none",
    ),
    "keep_float": attr.string_list(
        doc = "Operators that stay float: names of nodes or of their outputs as in `<model>.txt`; `*` stands for any characters.",
    ),
    "labels": attr.label(
        doc = "Class names, one a line, for what `bazel run` prints.",
        allow_single_file = True,
    ),
    "max_drop": attr.string(
        doc = "Accuracy budget: points of top-1 accuracy that may be lost, as a decimal number; without `budget_labels`, per cent of the samples " +
              "that may get another class. Operators stay float until it is met, as few as the search finds.",
    ),
    "max_float": attr.int(
        doc = "Per cent of the operators that may stay float for the accuracy budget. When it is not met with them, the most accurate model is built, " +
              "with a warning that the model keeps: the report says so, and every mace_quantize_test with a limit fails.",
        default = 50,
    ),
    "min_sqnr": attr.string(
        doc = "Accuracy budget: signal-to-quantization-noise ratio in dB that every output must reach, as a decimal number.",
    ),
    "model": attr.label(
        doc = "The mace_model target.",
        mandatory = True,
        providers = [MaceModelInfo],
    ),
    "range_overrides": attr.string_dict(
        doc = "Tensor, or pattern with `*`, to `min,max`: stronger than trained and measured ranges.",
    ),
    "ranges": attr.label(
        doc = "Ranges of the activations: a mace_quantize_stat target of the same model, or an .overall_range file. Not needed when the network was " +
              "trained with quantization in mind and carries every range.",
        allow_files = True,
    ),
    "rounding": attr.string(
        doc = "How weights become codes: `nearest`, or `adaptive`: up or down so that the outputs of each layer change least on the samples " +
              "that the ranges were measured on. It takes minutes for large networks, and helps most with the scheme `uint8`.",
        default = "nearest",
    ),
    "rounding_samples": attr.int(
        doc = "How many samples adaptive rounding and empirical bias correction look at, evenly spread.",
        default = 64,
    ),
    "runner": attr.label(
        doc = "The runtime; it is built for each ABI of `target_abis`.",
        cfg = each_abi,
        # Not `executable = True`: with several ABIs that ends Bazel 4.2.3 with an internal error.
        default = Label("//mace/bin:mace_run"),
    ),
    "runtime": attr.string(
        doc = "The device: `cpu`, `dsp` (Qualcomm Hexagon) or `apu` (MediaTek). Accelerators take the scheme `uint8`. `per_subgraph`: each subgraph of " +
              "the model by itself, on the device that `subgraph_runtimes` or the configuration gives it.",
        default = CPU,
    ),
    "scheme": attr.string(
        doc = "How numbers become 8 bits: `int8_per_channel`, the most accurate, for CPUs; `uint8`, MACE's scheme, which DSPs and APUs take; or " +
              "`auto`, the one that holds the codes of a network trained in 8 bits without loss, and `int8_per_channel` for others.",
        default = DEFAULT_SCHEME,
    ),
    "subgraph_runtimes": attr.string_dict(
        doc = "With `runtime = \"per_subgraph\"`: subgraph to device, stronger than the configuration.",
    ),
    "target_abis": attr.string_list(
        doc = "ABIs to build the runtime for; see the table of ABIs.",
        default = ["host"],
    ),
    "weights": attr.string_dict(
        doc = "Operator (node, output, or pattern with `*`) to `per_tensor`: one scale for all its weights, although the scheme has one for each " +
              "channel; or `per_channel`. The last entry that fits counts. The scheme `uint8` is per tensor everywhere.",
    ),
}

_RUN = """exec "$mace" run --model "$model" --model_data "$data" --runner "$runner" {options}"$@"
"""

_NO_HOST_RUNNER = """echo >&2 "{label} is built for {abis} only, and this machine's ABI is 'host'."
echo >&2 "Add \\"host\\" to its target_abis, or copy {name}.<abi>.{{mace_run,pb,data}} to a device."
exit 1
"""

_ROUNDINGS = ["nearest", "adaptive"]

def _check_attributes(ctx):
    known = ", ".join(ABIS)
    if not ctx.attr.target_abis:
        fail(NO_ABIS.format(label = ctx.label, known = known))
    seen = {}
    for abi in ctx.attr.target_abis:
        if abi not in ABIS:
            fail(UNKNOWN_ABI.format(label = ctx.label, value = abi, known = known))
        if abi in seen:
            fail(DUPLICATE_ABI.format(label = ctx.label, value = abi))
        seen[abi] = None
    if ctx.attr.scheme not in SCHEMES:
        fail(UNKNOWN_SCHEME.format(label = ctx.label, value = ctx.attr.scheme, known = ", ".join(SCHEMES)))
    if ctx.attr.rounding not in _ROUNDINGS:
        fail(UNKNOWN_ROUNDING.format(label = ctx.label, value = ctx.attr.rounding, known = ", ".join(_ROUNDINGS)))
    if ctx.attr.bias_correction not in BIAS_CORRECTIONS:
        fail(UNKNOWN_BIAS_CORRECTION.format(
            label = ctx.label,
            value = ctx.attr.bias_correction,
            known = ", ".join(BIAS_CORRECTIONS[1:]),
        ))
    for name, granularity in ctx.attr.weights.items():
        if granularity not in GRANULARITIES:
            fail(UNKNOWN_GRANULARITY.format(
                label = ctx.label,
                name = name,
                value = granularity,
                known = ", ".join(GRANULARITIES),
            ))
    if ctx.attr.runtime != PER_SUBGRAPH and ctx.attr.runtime not in RUNTIMES:
        fail(UNKNOWN_RUNTIME.format(label = ctx.label, value = ctx.attr.runtime, known = ", ".join(RUNTIMES.keys() + [PER_SUBGRAPH])))
    if ctx.attr.subgraph_runtimes and ctx.attr.runtime != PER_SUBGRAPH:
        fail(SUBGRAPHS_OF_ONE_RUNTIME.format(label = ctx.label, value = ctx.attr.runtime))
    for subgraph, runtime in ctx.attr.subgraph_runtimes.items():
        if runtime not in RUNTIMES:
            fail(UNKNOWN_SUBGRAPH_RUNTIME.format(label = ctx.label, subgraph = subgraph, value = runtime, known = ", ".join(RUNTIMES)))
    if ctx.attr.fallback not in FALLBACKS:
        fail(UNKNOWN_FALLBACK.format(label = ctx.label, value = ctx.attr.fallback, known = ", ".join(FALLBACKS)))
    if ctx.attr.fallback != FALLBACKS[0] and ctx.attr.runtime == CPU:
        fail(FALLBACK_WITHOUT_DEVICE.format(label = ctx.label))
    version = ctx.attr.apu_version
    if version and ctx.attr.runtime not in ["apu", PER_SUBGRAPH]:
        fail(APU_VERSION_WITHOUT_APU.format(label = ctx.label, runtime = ctx.attr.runtime))
    if version and version not in APU_VERSIONS:
        fail(UNKNOWN_APU_VERSION.format(label = ctx.label, value = version, known = ", ".join([str(v) for v in APU_VERSIONS])))

def _ranges_file(ctx):
    """The File with the ranges, or None."""
    target = ctx.attr.ranges
    if not target:
        return None
    if MaceRangesInfo in target:
        info = target[MaceRangesInfo]
        model = ctx.attr.model[MaceModelInfo].label
        if info.model_label != model:
            fail(RANGES_OF_ANOTHER_MODEL.format(
                label = ctx.label,
                ranges = target.label,
                measured = info.model_label,
                model = model,
            ))
        if not info.ranges:
            fail(RANGES_WITHOUT_INPUTS.format(label = ctx.label, ranges = target.label))
        return info.ranges
    if len(ctx.files.ranges) != 1:
        fail(NOT_ONE_RANGE_FILE.format(label = ctx.label, ranges = target.label, count = len(ctx.files.ranges)))
    return ctx.files.ranges[0]

def _statistics_file(ctx):
    """The File with what was measured, or None; a range file alone has none."""
    target = ctx.attr.ranges
    return target[MaceRangesInfo].statistics if target and MaceRangesInfo in target else None

def _samples(ctx):
    """The Files that the ranges were measured on."""
    target = ctx.attr.ranges
    return target[MaceRangesInfo].samples if target and MaceRangesInfo in target else []

def _budget(ctx):
    """What quantize_model takes as `budget`."""
    attr = ctx.attr
    if not (attr.min_sqnr or attr.max_drop):
        if ctx.files.budget_inputs or ctx.file.budget_labels:
            fail(NO_BUDGET.format(label = ctx.label))
        return None
    samples = ctx.files.budget_inputs or _samples(ctx)
    if not samples:
        fail(BUDGET_WITHOUT_INPUTS.format(label = ctx.label))
    if attr.max_float < 0 or attr.max_float > 100:
        fail(BAD_MAX_FLOAT.format(label = ctx.label, value = attr.max_float))
    if attr.budget_samples < 1:
        fail(BAD_BUDGET_SAMPLES.format(label = ctx.label, value = attr.budget_samples))
    arguments = []
    if attr.min_sqnr:
        arguments += ["--min_sqnr", attr.min_sqnr]
    if attr.max_drop:
        arguments += ["--max_drop", attr.max_drop]
    return struct(
        arguments = arguments + ["--accept_missed_budget", "--max_float", str(attr.max_float), "--budget_samples", str(attr.budget_samples)],
        labels = ctx.file.budget_labels,
        runner = attr.evaluation_runner[DefaultInfo].files_to_run,
        samples = samples,
    )

def _measuring(ctx):
    """What quantize_model takes as `measuring`."""
    adaptive = ctx.attr.rounding == "adaptive"
    empirical = ctx.attr.bias_correction == "empirical"
    if not (adaptive or empirical):
        return None
    samples = _samples(ctx)
    if not samples:
        fail(MEASURING_WITHOUT_INPUTS.format(
            label = ctx.label,
            attribute = "rounding = \"adaptive\"" if adaptive else "bias_correction = \"empirical\"",
        ))
    arguments = ["--rounding_samples", str(ctx.attr.rounding_samples)]
    return struct(
        arguments = arguments + (["--rounding", "adaptive"] if adaptive else []),
        runner = ctx.attr.evaluation_runner[DefaultInfo].files_to_run,
        samples = samples,
    )

def _for_abi(ctx, abi, quantized, runner):
    """Files of one ABI under names that say so."""
    files = struct(
        data = ctx.actions.declare_file("%s.%s.data" % (ctx.label.name, abi)),
        model = ctx.actions.declare_file("%s.%s.pb" % (ctx.label.name, abi)),
        runner = ctx.actions.declare_file("%s.%s.mace_run" % (ctx.label.name, abi)),
    )
    ctx.actions.symlink(output = files.data, target_file = quantized.data)
    ctx.actions.symlink(output = files.model, target_file = quantized.deployed.model)
    ctx.actions.symlink(output = files.runner, target_file = runner, is_executable = True)
    return files

def _launcher(ctx, quantized, lowered, runners):
    """The script of `bazel run` and its runfiles."""
    if "host" not in runners:
        script = write_launcher(ctx, _NO_HOST_RUNNER.format(
            label = ctx.label,
            abis = ", ".join(runners),
            name = ctx.label.name,
        ), files = {})
        return script, ctx.runfiles()

    runner = runners["host"]
    files = {
        "data": quantized.data,
        "mace": ctx.executable.mace_tool,
        "model": quantized.model,
        "runner": runner[DefaultInfo].files_to_run.executable,
    }
    options = ""
    if ctx.file.labels:
        files["labels"] = ctx.file.labels
        options += "--labels \"$labels\" "
    if lowered:
        files["lowered"] = lowered.model
        files["lowered_data"] = lowered.data
        options += "--lowered \"$lowered\" %s " % use_simulators(ctx, ctx.attr.runtime, ctx.attr.apu_version, files)
    script = write_launcher(ctx, _RUN.format(options = options), files = files)
    runfiles = ctx.runfiles(files = [file for variable, file in files.items() if variable != "mace"])
    for program in [ctx.attr.mace_tool, runner]:
        runfiles = runfiles.merge(program[DefaultInfo].default_runfiles)
    return script, runfiles

def _mace_quantized_model_impl(ctx):
    _check_attributes(ctx)
    model = ctx.attr.model[MaceModelInfo]
    ranges = _ranges_file(ctx)
    quantized = quantize_model(
        ctx,
        tool = ctx.attr.mace_tool[DefaultInfo].files_to_run,
        model = model,
        ranges = ranges,
        statistics = _statistics_file(ctx),
        scheme = ctx.attr.scheme,
        keep_float = ctx.attr.keep_float,
        range_overrides = ctx.attr.range_overrides,
        prefix = ctx.label.name,
        runtime = ctx.attr.runtime,
        subgraph_runtimes = ctx.attr.subgraph_runtimes,
        budget = _budget(ctx),
        measuring = _measuring(ctx),
        bias_correction = ctx.attr.bias_correction,
        change_concat_ranges = ctx.attr.change_concat_ranges,
        weights = ctx.attr.weights,
    )
    lowered = None
    runner = ctx.split_attr.runner
    if ctx.attr.runtime != CPU:
        runner = ctx.split_attr.accelerated_runner
        lowered = lower_model(
            ctx,
            tool = ctx.attr.mace_tool[DefaultInfo].files_to_run,
            quantized = quantized,
            runtime = ctx.attr.runtime,
            apu_version = ctx.attr.apu_version,
            fallback = ctx.attr.fallback,
            prefix = ctx.label.name,
        )
    page = write_report(
        ctx,
        tool = ctx.attr.mace_tool[DefaultInfo].files_to_run,
        runner = ctx.attr.evaluation_runner[DefaultInfo].files_to_run,
        model = model,
        quantized = quantized,
        statistics = _statistics_file(ctx),
        samples = _samples(ctx),
        name = ctx.label.name,
    )
    runners = by_abi(runner, ctx.attr.target_abis)
    abis = {
        abi: _for_abi(ctx, abi, lowered or quantized, program[DefaultInfo].files_to_run.executable)
        for abi, program in runners.items()
    }
    files_of_abi = {abi: depset([files.runner, files.model, files.data]) for abi, files in abis.items()}
    script, runfiles = _launcher(ctx, quantized, lowered, runners)
    lowered_files = [lowered.model, lowered.data] if lowered else []
    device = package_for_device(ctx, tool = ctx.attr.mace_tool[DefaultInfo].files_to_run, abis = abis)
    return [
        DefaultInfo(
            executable = script,
            files = depset([quantized.model, quantized.data, quantized.text] + lowered_files, transitive = files_of_abi.values()),
            runfiles = runfiles,
        ),
        OutputGroupInfo(
            device = depset(device),
            names = depset([(lowered or quantized).deployed.names]),
            report = depset([page]),
            **files_of_abi
        ),
        mace_quantized_model_info(
            abis = abis,
            data = quantized.data,
            float = struct(data = model.data, model = model.model),
            lowered = lowered,
            model = quantized.model,
            model_label = model.label,
            ranges = ranges,
            reference = quantized.reference,
            runtime = ctx.attr.runtime,
            scheme = ctx.attr.scheme,
            text = quantized.text,
        ),
    ]

mace_quantized_model = rule(
    implementation = _mace_quantized_model_impl,
    doc = _DOC,
    attrs = dict(dict(dict(dict(_ATTRS, **SIMULATORS), **EVALUATION_RUNNER), **MACE_TOOL), **TRANSITION_ALLOWLIST),
    executable = True,
    provides = [MaceQuantizedModelInfo],
)
