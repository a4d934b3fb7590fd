"""The devices that models run on: values of the attribute `runtime`."""

CPU = "cpu"

# Name to what it is, for people. An accelerator has a simulator in SIMULATORS (tools.bzl).
RUNTIMES = {
    CPU: "the CPU",
    "apu": "MediaTek APU",
    "dsp": "Qualcomm Hexagon DSP",
}

FALLBACKS = ["none", "cpu"]

def simulator_of(ctx, runtime):
    """The File that stands for the device's library on the build machine.

    Args:
      ctx: context of a rule with the attributes SIMULATORS
      runtime: key of RUNTIMES, not the CPU

    Returns:
      a File
    """
    return getattr(ctx.file, runtime + "_simulator")
