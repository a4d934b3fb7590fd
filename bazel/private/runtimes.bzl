"""The devices that models run on: values of the attribute `runtime`.

Derived from it: what the rules accept, the runner they take and the simulator that stands for the device on the build machine.
"""

CPU = "cpu"

def _runtime(title, simulator = None):
    """One line of the table.

    Args:
      title: what the device is, for people
      simulator: label of a shared library with the interface of the vendor's; None for the CPU

    Returns:
      a struct of the arguments
    """
    return struct(simulator = simulator, title = title)

RUNTIMES = {
    CPU: _runtime("the CPU"),
    "dsp": _runtime("Qualcomm Hexagon DSP", simulator = "//third_party/nnlib/sim:libhexagon_nn_sim.so"),
}

FALLBACKS = ["none", "cpu"]

SIMULATORS = {
    "%s_simulator" % name: attr.label(
        doc = "Stands for the vendor's library of the %s on the build machine." % runtime.title,
        allow_single_file = True,
        default = Label(runtime.simulator),
    )
    for name, runtime in RUNTIMES.items()
    if runtime.simulator
}

def simulator_of(ctx, runtime):
    """The File that stands for the device's library on the build machine.

    Args:
      ctx: context of a rule with the attributes SIMULATORS
      runtime: key of RUNTIMES, not the CPU

    Returns:
      a File
    """
    return getattr(ctx.file, runtime + "_simulator")
