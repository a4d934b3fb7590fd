"""emulated_test: a program built for an ABI, run as a test on one of its CPUs."""

load("//bazel/private:abi.bzl", "ABIS", "COMPILERS")
load("//bazel/private:compat.bzl", "TRANSITION_ALLOWLIST")
load("//bazel/private:transitions.bzl", "one_abi")

_DOC = """Builds `binary` for the platform of `abi` and runs it under an emulator.

Further arguments (`args`) and the exit code are the program's own."""

_UNKNOWN_EMULATOR = "{label}: `emulator = \"{emulator}\"` is none of ABI \"{abi}\". Choose one of: {emulators}."

_SCRIPT = """#!/bin/bash
{env}exec {command} ./{program} "$@"
"""

_ATTRS = {
    "abi": attr.string(
        doc = "The ABI to build for.",
        mandatory = True,
        values = ABIS.keys(),
    ),
    "binary": attr.label(
        doc = "An executable target, which may be a test.",
        cfg = one_abi,
        executable = True,
        mandatory = True,
    ),
    "compiler": attr.string(
        doc = "The compiler that builds it.",
        default = COMPILERS[0],
        values = COMPILERS,
    ),
    "data": attr.label_list(
        doc = "Files that the program reads, besides the data of `binary`.",
        allow_files = True,
    ),
    "emulator": attr.string(
        doc = "Name of the CPU among the ABI's emulators in the ABI table; empty runs the program directly.",
    ),
    "env": attr.string_dict(
        doc = "Environment variables of the program.",
    ),
}

def _command(ctx):
    if not ctx.attr.emulator:
        return []
    emulators = {emulator.name: emulator for emulator in ABIS[ctx.attr.abi].emulators}
    if ctx.attr.emulator not in emulators:
        fail(_UNKNOWN_EMULATOR.format(
            label = ctx.label,
            abi = ctx.attr.abi,
            emulator = ctx.attr.emulator,
            emulators = ", ".join(emulators),
        ))
    return emulators[ctx.attr.emulator].command

def _emulated_test_impl(ctx):
    # A transition makes a list of the attribute's single target.
    binary = ctx.attr.binary[0][DefaultInfo]
    program = binary.files_to_run.executable
    script = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.write(
        output = script,
        content = _SCRIPT.format(
            command = " ".join(_command(ctx)),
            env = "".join(["export %s='%s'\n" % item for item in ctx.attr.env.items()]),
            program = program.short_path,
        ),
        is_executable = True,
    )
    runfiles = ctx.runfiles(files = [program] + ctx.files.data).merge(binary.default_runfiles)
    return [DefaultInfo(executable = script, runfiles = runfiles)]

emulated_test = rule(
    implementation = _emulated_test_impl,
    doc = _DOC,
    attrs = dict(_ATTRS, **TRANSITION_ALLOWLIST),
    test = True,
)
