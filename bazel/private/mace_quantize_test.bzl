"""mace_quantize_test: fails the build when a quantized model is not good enough."""

load(":errors.bzl", "NOTHING_TO_TEST", "TEST_WITHOUT_INPUTS")
load(":launcher.bzl", "write_launcher")
load(":providers.bzl", "MaceQuantizedModelInfo")
load(":runtimes.bzl", "use_simulators")
load(":tools.bzl", "MACE_TOOL", "SIMULATORS")

_DOC = """Compares a quantized model with the float model that it came from, and fails when a limit is missed; the message names the layer
that departs most. The log has the signal-to-noise ratio of every layer. Runs on this machine."""

_ATTRS = {
    "accelerated_runner": attr.label(
        doc = "The runtime for models of an accelerator.",
        default = Label("//mace/bin:mace_run_with_accelerators"),
    ),
    "golden": attr.label(
        doc = "What `<model>.txt` must be, byte for byte: a change of any range, scale or constant shows in a review.",
        allow_single_file = True,
    ),
    "inputs": attr.label_list(
        doc = "Samples: images, .npy, .npz, .json (lists of numbers) or raw float32 tensors, not those that the ranges were measured on.",
        allow_files = True,
    ),
    "labels": attr.label(
        doc = "Lines `sample class`: file name, with or without ending, and index of its class.",
        allow_single_file = True,
    ),
    "layer_samples": attr.int(
        doc = "Number of samples whose layers are compared one by one.",
        default = 8,
    ),
    "max_drop": attr.string(
        doc = "Points of top-1 accuracy that may be lost, as a decimal number; without `labels`, per cent of the samples that may get another class.",
    ),
    "min_sqnr": attr.string(
        doc = "Signal-to-quantization-noise ratio in dB that every output must reach, as a decimal number.",
    ),
    "model": attr.label(
        doc = "The mace_quantized_model target.",
        mandatory = True,
        providers = [MaceQuantizedModelInfo],
    ),
    "runner": attr.label(
        doc = "The runtime.",
        default = Label("//mace/bin:mace_run"),
    ),
}

_GOLDEN = """if ! cmp -s "$golden" "$text"; then
    diff -u "$golden" "$text" | head -n 50 || true
    line="$({{ cmp "$golden" "$text" || true; }} 2>&1 | sed -E 's/.* line ([0-9]+).*/\\1/')"
    echo >&2 "{label}: the quantized model is not the golden one, from line $line on: $(sed -n "${{line}}p" "$text" 2>/dev/null)"
    echo >&2 "If it is meant to change:"
    echo >&2 "    cp bazel-bin/{text} {golden}"
    exit 3
fi
"""

_EVALUATE = """samples="$TEST_TMPDIR/samples"
printf '%s\\n' {samples} > "$samples"
exec "$mace" evaluate --model "$float" --model_data "$float_data" --quantized "$quantized" --quantized_data "$quantized_data" \\
    --reference "$reference" --runner "$runner" --samples_list "$samples" --layer_samples {layer_samples} {device} {limits}
"""

def _mace_quantize_test_impl(ctx):
    attr = ctx.attr
    if not (attr.min_sqnr or attr.max_drop or ctx.file.golden):
        fail(NOTHING_TO_TEST.format(label = ctx.label))
    if not ctx.files.inputs and (attr.min_sqnr or attr.max_drop):
        fail(TEST_WITHOUT_INPUTS.format(label = ctx.label))
    model = attr.model[MaceQuantizedModelInfo]
    files = {
        "float": model.float.model,
        "float_data": model.float.data,
        "mace": ctx.executable.mace_tool,
        "quantized": model.model,
        "quantized_data": model.data,
        "reference": model.reference.model,
        "reference_data": model.reference.data,
        "runner": attr.runner[DefaultInfo].files_to_run.executable,
        "text": model.text,
    }
    body = ""
    if ctx.file.golden:
        files["golden"] = ctx.file.golden
        body += _GOLDEN.format(
            label = ctx.label,
            golden = ctx.file.golden.short_path,
            text = model.text.short_path,
        )
    if ctx.files.inputs:
        limits = []
        if attr.min_sqnr:
            limits += ["--min_sqnr", attr.min_sqnr]
        if attr.max_drop:
            limits += ["--max_drop", attr.max_drop]
        if ctx.file.labels:
            files["labels"] = ctx.file.labels
            limits += ["--labels", "\"$labels\""]
        device = ""
        if model.lowered:
            files["device_runner"] = attr.accelerated_runner[DefaultInfo].files_to_run.executable
            files["lowered"] = model.lowered.model
            files["lowered_data"] = model.lowered.data
            device = "--lowered \"$lowered\" --device_runner \"$device_runner\" " + use_simulators(ctx, model.runtime, model.lowered.apu_version, files)
        samples = []
        for i, sample in enumerate(ctx.files.inputs):
            files["sample%d" % i] = sample
            samples.append("\"$sample%d\"" % i)
        body += _EVALUATE.format(
            samples = " ".join(samples),
            layer_samples = attr.layer_samples,
            device = device,
            limits = " ".join(limits),
        )
    script = write_launcher(ctx, body, files = files)
    runfiles = ctx.runfiles(files = [file for variable, file in files.items() if variable not in ["device_runner", "mace", "runner"]])
    for program in [attr.accelerated_runner, attr.mace_tool, attr.runner]:
        runfiles = runfiles.merge(program[DefaultInfo].default_runfiles)
    return [DefaultInfo(executable = script, runfiles = runfiles)]

mace_quantize_test = rule(
    implementation = _mace_quantize_test_impl,
    doc = _DOC,
    attrs = dict(dict(_ATTRS, **SIMULATORS), **MACE_TOOL),
    test = True,
)
