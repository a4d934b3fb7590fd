"""Transitions to the platform of an ABI. They are for the last edge only: what does not depend on the ABI must not pass one."""

load(":abi.bzl", "platform_of")

_PLATFORMS = "//command_line_option:platforms"

# Attribute that every rule with a transition must have.
TRANSITION_ALLOWLIST = {
    "_allowlist_function_transition": attr.label(
        default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
    ),
}

def _one_abi_impl(_settings, attr):
    return {_PLATFORMS: platform_of(attr.abi, attr.compiler)}

one_abi = transition(
    implementation = _one_abi_impl,
    inputs = [],
    outputs = [_PLATFORMS],
)

def _each_abi_impl(_settings, attr):
    return {abi: {_PLATFORMS: platform_of(abi)} for abi in attr.target_abis}

each_abi = transition(
    implementation = _each_abi_impl,
    inputs = [],
    outputs = [_PLATFORMS],
)
