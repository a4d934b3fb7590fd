"""The devices that models run on: values of the attribute `runtime`."""

CPU = "cpu"

# Name to what it is, for people. An accelerator has a simulator in SIMULATORS (tools.bzl).
RUNTIMES = {
    CPU: "the CPU",
    "apu": "MediaTek APU",
    "dsp": "Qualcomm Hexagon DSP",
}

# Each subgraph of the model on its own device.
PER_SUBGRAPH = "per_subgraph"

FALLBACKS = ["none", "cpu"]

# In MACE's count. Those before the newest have another library, with a simulator of its own.
APU_VERSIONS = [1, 2, 3, 4]
NEWEST_APU = 4
_SIMULATORS_OF_OLDER_APUS = {1: "apu_v1_simulator", 2: "apu_v2_simulator", 3: "apu_v2_simulator"}

def _simulator_of(ctx, runtime, apu_version):
    """The File that stands for the device's library on the build machine."""
    older = _SIMULATORS_OF_OLDER_APUS.get(apu_version) if runtime == "apu" else None
    return getattr(ctx.file, older or runtime + "_simulator")

def use_simulators(ctx, runtime, apu_version, files):
    """Has a script run models with what stands for the devices' libraries on the build machine.

    Args:
      ctx: context of a rule with the attributes SIMULATORS
      runtime: key of RUNTIMES, not the CPU, or PER_SUBGRAPH
      apu_version: of an APU, what the target says; with 0 the newest one's, which takes models for older ones, too
      files: dict of the script's variable to File, which gets the simulators

    Returns:
      the options of `mace`, in words of the script
    """
    if runtime != PER_SUBGRAPH:
        files["simulator"] = _simulator_of(ctx, runtime, apu_version)
        return "--accelerator_library \"$simulator\""
    options = []
    for device in RUNTIMES:
        if device != CPU:
            files[device + "_simulator"] = _simulator_of(ctx, device, apu_version)
            options.append("--accelerator_library \"{0}=${0}_simulator\"".format(device))
    return " ".join(options)
