"""The ABI table: every fact about a target ABI that the build knows.

Derived from it: the platforms and config_settings of //bazel/platforms, the C++ toolchains of //bazel/toolchains, the values
that `target_abis` accepts, the transition of the runners, the tests under emulators and the table of ABIs in
bazel/README.md. //test/rules/abi pins its content.
"""

def _emulator(name, command, kernel_tier):
    """A CPU on which tests of an ABI run on the build machine.

    Args:
      name: last part of the names of tests
      command: the emulator with its arguments, as a list
      kernel_tier: the best kernels that this CPU can run; one of the ABI's kernel_tiers

    Returns:
      a struct of the arguments
    """
    return struct(command = command, kernel_tier = kernel_tier, name = name)

def _abi(
        summary,
        triple,
        constraints,
        cpu,
        copts,
        kernel_tiers,
        emulators,
        cross_prefix = None,
        android_triple = None,
        static = True):
    """One line of the table.

    Args:
      summary: what the ABI is, for people
      triple: GNU triple, which names the cross compiler's folders and is clang's --target
      constraints: constraint values that make up the platform
      cpu: CPU name in C++ toolchain information
      copts: options that fix the instruction set and calling convention
      kernel_tiers: kernels that the runtime may choose from, lowest first
      emulators: CPUs that tests run on besides the build machine itself
      cross_prefix: prefix of gcc's program names; None for the native compiler
      android_triple: clang's --target in an Android NDK; None for ABIs that are not Android's
      static: whether executables link statically, so that they run on any kernel and under emulators without a system

    Returns:
      a struct of the arguments
    """
    return struct(
        android_triple = android_triple,
        constraints = constraints,
        copts = copts,
        cpu = cpu,
        cross_prefix = cross_prefix,
        emulators = emulators,
        kernel_tiers = kernel_tiers,
        static = static,
        summary = summary,
        triple = triple,
    )

_LINUX = "@platforms//os:linux"
_ANDROID = "@platforms//os:android"
_AARCH64 = "@platforms//cpu:aarch64"
_ARM = "@platforms//cpu:arm"
_HARD_FLOAT = "//bazel/platforms:hard_float"
_SOFT_FLOAT_CALLS = "//bazel/platforms:soft_float_calls"

_ARM64_COPTS = ["-march=armv8-a"]
_ARMV7_COPTS = ["-march=armv7-a", "-mfpu=neon", "-mthumb"]

_ARM64_TIERS = ["scalar", "neon", "dotprod", "i8mm"]
_ARMV7_TIERS = ["scalar", "neon"]

_ARM64_EMULATORS = [
    _emulator("cortex_a53", ["qemu-aarch64", "-cpu", "cortex-a53"], "neon"),
    _emulator("cortex_a76", ["qemu-aarch64", "-cpu", "cortex-a76"], "dotprod"),
    _emulator("max", ["qemu-aarch64", "-cpu", "max"], "i8mm"),
]
_ARMV7_EMULATORS = [
    _emulator("cortex_a7", ["qemu-arm", "-cpu", "cortex-a7"], "neon"),
]

ABIS = {
    "host": _abi(
        summary = "Linux on x86-64: the build machine",
        triple = "x86_64-linux-gnu",
        constraints = [_LINUX, "@platforms//cpu:x86_64"],
        cpu = "k8",
        copts = ["-march=x86-64"],
        kernel_tiers = ["scalar", "avx2", "avx512vnni"],
        emulators = [
            _emulator("nehalem", ["qemu-x86_64", "-cpu", "Nehalem"], "scalar"),
            _emulator("haswell", ["qemu-x86_64", "-cpu", "Haswell"], "avx2"),
        ],
        static = False,
    ),
    "arm64": _abi(
        summary = "Linux on 64-bit ARM",
        triple = "aarch64-linux-gnu",
        constraints = [_LINUX, _AARCH64],
        cpu = "aarch64",
        copts = _ARM64_COPTS,
        kernel_tiers = _ARM64_TIERS,
        emulators = _ARM64_EMULATORS,
        cross_prefix = "aarch64-linux-gnu-",
    ),
    "armhf": _abi(
        summary = "Linux on 32-bit ARM v7 with NEON, floats passed in registers",
        triple = "arm-linux-gnueabihf",
        constraints = [_LINUX, _ARM, _HARD_FLOAT],
        cpu = "armhf",
        copts = _ARMV7_COPTS + ["-mfloat-abi=hard"],
        kernel_tiers = _ARMV7_TIERS,
        emulators = _ARMV7_EMULATORS,
        cross_prefix = "arm-linux-gnueabihf-",
    ),
    "arm64-v8a": _abi(
        summary = "Android on 64-bit ARM",
        triple = "aarch64-linux-gnu",
        constraints = [_ANDROID, _AARCH64],
        cpu = "arm64-v8a",
        copts = _ARM64_COPTS,
        kernel_tiers = _ARM64_TIERS,
        emulators = _ARM64_EMULATORS,
        cross_prefix = "aarch64-linux-gnu-",
        android_triple = "aarch64-linux-android21",
    ),
    "armeabi-v7a": _abi(
        summary = "Android on 32-bit ARM v7 with NEON",
        triple = "arm-linux-gnueabi",
        constraints = [_ANDROID, _ARM, _SOFT_FLOAT_CALLS],
        cpu = "armeabi-v7a",
        copts = _ARMV7_COPTS + ["-mfloat-abi=softfp"],
        kernel_tiers = _ARMV7_TIERS,
        emulators = _ARMV7_EMULATORS,
        cross_prefix = "arm-linux-gnueabi-",
        android_triple = "armv7a-linux-androideabi21",
    ),
}

# Each compiler can build for each ABI. The first is the default; the platforms <abi>_<compiler> choose another.
COMPILERS = ["clang", "gcc"]

def platform_of(abi, compiler = COMPILERS[0]):
    """Label of the platform of an ABI, as a string for //command_line_option:platforms."""
    suffix = "" if compiler == COMPILERS[0] else "_" + compiler
    return str(Label("//bazel/platforms:" + abi + suffix))

def markdown_table():
    """The table of ABIs as it stands in bazel/README.md.

    Returns:
      a list of lines
    """
    lines = [
        "| ABI | what it is | compiler target | kernels, lowest first | tests run on |",
        "|---|---|---|---|---|",
    ]
    for name, abi in ABIS.items():
        target = abi.triple + (" or " + abi.android_triple if abi.android_triple else "")
        cpus = ["`%s`" % " ".join(emulator.command) for emulator in abi.emulators]
        if name == "host":
            cpus = ["itself"] + cpus
        lines.append("| `%s` | %s | %s | %s | %s |" % (
            name,
            abi.summary,
            target,
            ", ".join(abi.kernel_tiers),
            ", ".join(cpus),
        ))
    return lines
