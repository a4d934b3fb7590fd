"""What goes on a device beside the model and its program: the vendor's libraries, checked."""

load("@android_ndk//:defs.bzl", "ANDROID_NDK_PRESENT")
load(":abi.bzl", "ABIS")
load(":errors.bzl", "LIBRARIES_OF_ANOTHER_DEVICE", "LIBRARIES_WITHOUT_DEVICE", "MISSING_LIBRARY", "NO_ABI_OF_DEVICE", "NO_NDK_FOR_DEVICE", "UNKNOWN_DEVICE")
load(":runtimes.bzl", "CPU", "PER_SUBGRAPH")
load(":vendor_libraries.bzl", "MaceVendorLibrariesInfo", "VENDOR_LIBRARIES", "libraries_of")

# What a program for a device runs on in tests; it has a simulator there.
_BUILD_MACHINE = "host"

def _abis_of_device(ctx, abis, runtime):
    """Those of the ABIs that are the device's; an error for others than the build machine's."""
    known = [library.keys for library in VENDOR_LIBRARIES[runtime] if library.kind == "abi"][0]
    found = [abi for abi in abis if abi != _BUILD_MACHINE]
    strange = [abi for abi in found if abi not in known]
    if strange or not found:
        fail(NO_ABI_OF_DEVICE.format(
            abis = ", ".join(strange or abis),
            known = ", ".join(known),
            label = ctx.label,
            runtime = runtime,
        ))
    return found

def _keys(libraries):
    return [key for library in libraries for key in library.keys]

def _needed(ctx, abis, runtime):
    """Pairs of a line of the table and the key it is needed for."""
    libraries = libraries_of(runtime, ctx.attr.apu_version)
    by_device = [library for library in VENDOR_LIBRARIES[runtime] if library.kind != "abi"]
    known = [key for i, library in enumerate(by_device) for key in library.keys if key not in _keys(by_device[:i])]
    wanted = [library for library in libraries if library.kind != "abi"]
    if ctx.attr.device not in known and (wanted or ctx.attr.device):
        fail(UNKNOWN_DEVICE.format(label = ctx.label, value = ctx.attr.device, known = ", ".join(known)))
    needed = []
    for library in libraries:
        keys = abis if library.kind == "abi" else [ctx.attr.device]
        needed += [(library, key) for key in keys if key in library.keys]
    return needed

def _checked(ctx, tool, source, output, processor):
    args = ctx.actions.args()
    args.add("check-library")
    args.add("--library", source)
    args.add("--processor", processor)
    args.add("--output", output)
    ctx.actions.run(
        executable = tool,
        arguments = [args],
        inputs = [source],
        outputs = [output],
        mnemonic = "MaceCheckLibrary",
        progress_message = "Checking %s for %s" % (source.short_path, processor),
    )

def _missing(ctx, output, message):
    # An action, not fail(): everything else of the target builds without the library.
    ctx.actions.run_shell(
        command = "echo >&2 \"$1\"; exit 1",
        arguments = [message],
        outputs = [output],
        mnemonic = "MaceMissingLibrary",
    )

def package_for_device(ctx, tool, abis):
    """Declares the files of the output group `device`.

    Args:
      ctx: context of mace_quantized_model
      tool: FilesToRunProvider of the program `mace`
      abis: by ABI, a struct of the Files `model`, `data` and `runner`

    Returns:
      a list of Files; empty without `device_libraries`
    """
    target = ctx.attr.device_libraries
    if not target:
        return []
    if ctx.attr.runtime == CPU:
        fail(LIBRARIES_WITHOUT_DEVICE.format(label = ctx.label))
    info = target[MaceVendorLibrariesInfo]
    if ctx.attr.runtime != PER_SUBGRAPH and info.runtime != ctx.attr.runtime:
        fail(LIBRARIES_OF_ANOTHER_DEVICE.format(
            label = ctx.label,
            libraries = target.label,
            other = info.runtime,
            runtime = ctx.attr.runtime,
        ))
    files = []
    device_abis = _abis_of_device(ctx, abis, info.runtime)
    for name in device_abis:
        abi = abis[name]
        files += [abi.runner, abi.model, abi.data]
        if ABIS[name].android_triple and not ANDROID_NDK_PRESENT:
            # Debian's compilers make programs for glibc, which cannot load Android's libraries.
            output = ctx.actions.declare_file("%s.%s.ndk" % (ctx.label.name, name))
            files.append(output)
            _missing(ctx, output, NO_NDK_FOR_DEVICE.format(label = ctx.label, abi = name))
    for library, key in _needed(ctx, device_abis, info.runtime):
        output = ctx.actions.declare_file("%s.%s.%s" % (ctx.label.name, key, library.file))
        files.append(output)
        source = info.libraries.get("%s/%s" % (key, library.file))
        if source:
            # Libraries of a SoC are for its CPU.
            processor = key if library.kind != "soc" else "arm64-v8a"
            _checked(ctx, tool, source, output, processor)
        else:
            _missing(ctx, output, MISSING_LIBRARY.format(
                label = ctx.label,
                file = library.file,
                key = key,
                libraries = target.label,
                where = library.where,
            ))
    return files
