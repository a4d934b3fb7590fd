"""Programs for the Hexagon DSP, for tests under its emulator."""

# V66 has what the kernels use; the emulator knows it. There is no library for the DSP among Debian's packages, so programs need none.
_OPTIONS = [
    "--target=hexagon-unknown-linux-musl",
    "-mv66",
    "-mhvx=v66",
    "-mhvx-length=128b",
    "-std=c++17",
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-ffreestanding",
    "-fno-builtin",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-stack-protector",
    "-nostdinc++",
    "-nostdlib",
    "-fuse-ld=lld",
    "-static",
    "-I.",
]

def hvx_program(name, srcs, hdrs, **kwargs):
    """A static program for the DSP, from Debian's clang.

    Args:
      name: name of the target, and of the program
      srcs: sources
      hdrs: headers, by their paths in the repository
      **kwargs: further attributes of the rule
    """
    native.genrule(
        name = name + "_build",
        srcs = srcs + hdrs,
        outs = [name],
        cmd = "/usr/bin/clang++-16 %s %s -o $@" % (" ".join(_OPTIONS), " ".join(["$(location %s)" % s for s in srcs])),
        **kwargs
    )
