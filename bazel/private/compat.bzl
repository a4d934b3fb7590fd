"""What differs between versions of Bazel.

Run with: 4.2.3. Written to load with 5 to 7 in WORKSPACE mode as well; those were not run.
"""

# Configuration of tools that run in actions. Until Bazel 5, "exec" below a transition compiles a tool once per ABI and puts it
# in a folder whose name contains a hash, where tsc does not find declarations of other packages; "host" is one configuration for
# all. Bazel 7 treats "host" as "exec", whose folder no longer depends on the ABI.
TOOL_CFG = "host"

# Attribute that every rule with a transition must have.
TRANSITION_ALLOWLIST = {
    "_allowlist_function_transition": attr.label(
        default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
    ),
}
