"""The devices that models run on: values of the attribute `runtime`."""

CPU = "cpu"

# Name to what it is, for people. An accelerator has a simulator in SIMULATORS (tools.bzl).
RUNTIMES = {
    CPU: "the CPU",
    "apu": "MediaTek APU",
    "dsp": "Qualcomm Hexagon DSP",
}

FALLBACKS = ["none", "cpu"]

# In MACE's count. Those before the newest have another library, with a simulator of its own.
APU_VERSIONS = [1, 2, 3, 4]
NEWEST_APU = 4
_SIMULATORS_OF_OLDER_APUS = {1: "apu_v1_simulator", 2: "apu_v2_simulator", 3: "apu_v2_simulator"}

def simulator_of(ctx, runtime, apu_version):
    """The File that stands for the device's library on the build machine.

    Args:
      ctx: context of a rule with the attributes SIMULATORS
      runtime: key of RUNTIMES, not the CPU
      apu_version: of an APU, what the target says; with 0 the newest one's, which takes models for older ones, too

    Returns:
      a File
    """
    older = _SIMULATORS_OF_OLDER_APUS.get(apu_version) if runtime == "apu" else None
    return getattr(ctx.file, older or runtime + "_simulator")
