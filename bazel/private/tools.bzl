"""Attributes with the programs that the rules run."""

load(":compat.bzl", "TOOL_CFG")

MACE_TOOL = {
    "mace_tool": attr.label(
        doc = "The host tool. Another one must take the same command line.",
        cfg = TOOL_CFG,
        default = Label("//tools:mace"),
        executable = True,
    ),
}

EVALUATION_RUNNER = {
    "evaluation_runner": attr.label(
        doc = "The runtime that compares the quantized model with the float one for the report; built for the build machine.",
        cfg = TOOL_CFG,
        default = Label("//mace/bin:mace_run"),
        executable = True,
    ),
}

SIMULATORS = {
    "apu_simulator": attr.label(
        doc = "Stands for the library of a MediaTek APU on the build machine.",
        allow_single_file = True,
        default = Label("//third_party/apu/sim:libneuron_adapter_sim.so"),
    ),
    "apu_v1_simulator": attr.label(
        doc = "The same for version 1 of the APU.",
        allow_single_file = True,
        default = Label("//third_party/apu/sim:libapu_frontend_v1_sim.so"),
    ),
    "apu_v2_simulator": attr.label(
        doc = "The same for the versions 2 and 3 of the APU.",
        allow_single_file = True,
        default = Label("//third_party/apu/sim:libapu_frontend_v2_sim.so"),
    ),
    "dsp_simulator": attr.label(
        doc = "Stands for the library of a Hexagon DSP on the build machine.",
        allow_single_file = True,
        default = Label("//third_party/nnlib/sim:libhexagon_nn_sim.so"),
    ),
}

STAT_RUNNER = {
    "stat_runner": attr.label(
        doc = "The float runtime that observes activations; built for the build machine.",
        cfg = TOOL_CFG,
        default = Label("//mace/bin:mace_stat"),
        executable = True,
    ),
}
