"""Transitions to the platform of an ABI. They are for the last edge only: what does not depend on the ABI must not pass one."""

load(":abi.bzl", "ABIS", "platform_of")

_PLATFORMS = "//command_line_option:platforms"

def _one_abi_impl(_settings, attr):
    return {_PLATFORMS: platform_of(attr.abi, attr.compiler)}

one_abi = transition(
    implementation = _one_abi_impl,
    inputs = [],
    outputs = [_PLATFORMS],
)

def _each_abi_impl(_settings, attr):
    # Names that are not in the table, and empty lists, are left to the rule, which can explain: an error in a transition hardly
    # says where it is.
    known = [abi for abi in attr.target_abis if abi in ABIS]
    return {abi: {_PLATFORMS: platform_of(abi)} for abi in known or ["host"]}

each_abi = transition(
    implementation = _each_abi_impl,
    inputs = [],
    outputs = [_PLATFORMS],
)

def by_abi(split, target_abis):
    """Targets of an attribute with the transition each_abi, by ABI.

    Args:
      split: ctx.split_attr.<attribute>
      target_abis: the rule's ABIs, checked

    Returns:
      dictionary from ABI to target
    """
    if len(split) == 1:
        # The key is None when the only platform is the one that is being built for already.
        return {target_abis[0]: split.values()[0]}
    return {abi: split[abi] for abi in target_abis}
