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

def use_simulators(ctx, runtime, files):
    """Has a script run models with what stands for the devices' libraries on the build machine.

    Args:
      ctx: context of a rule with the attributes SIMULATORS
      runtime: key of RUNTIMES, not the CPU, or PER_SUBGRAPH
      files: dict of the script's variable to File, which gets the simulators

    Returns:
      the options of `mace`, in words of the script
    """
    if runtime != PER_SUBGRAPH:
        files["simulator"] = getattr(ctx.file, runtime + "_simulator")
        return "--accelerator_library \"$simulator\""
    options = []
    for device in RUNTIMES:
        if device != CPU:
            files[device + "_simulator"] = getattr(ctx.file, device + "_simulator")
            options.append("--accelerator_library \"{0}=${0}_simulator\"".format(device))
    return " ".join(options)
