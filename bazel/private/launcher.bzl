"""Scripts behind `bazel run` of the rules: the host tool with the files of the target."""

_PROLOGUE = """#!/bin/bash
# Written by {label}.
set -euo pipefail

# The runfiles tree: of this script, or of what this script is a runfile of.
script="$0"
[[ "$script" == /* ]] || script="$PWD/$script"
if [[ -d "$script.runfiles" ]]; then
    runfiles="$script.runfiles"
elif [[ "$script" == *.runfiles/* ]]; then
    runfiles="${{script%%.runfiles/*}}.runfiles"
else
    echo >&2 "$0: there is no runfiles tree beside this script; start it with: bazel run {label}"
    exit 1
fi
"""

def _quote(text):
    return "'" + text.replace("'", "'\\''") + "'"

def runfiles_path(ctx, file):
    """Path of a file below the runfiles directory."""
    if file.short_path.startswith("../"):
        return file.short_path[len("../"):]
    return ctx.workspace_name + "/" + file.short_path

def write_launcher(ctx, body, files, variables = {}):
    """Writes the executable of a target.

    Args:
      ctx: the rule's context
      body: the script after its prologue
      files: dictionary from names of shell variables to Files; the variables hold absolute paths
      variables: dictionary from names of further shell variables to strings

    Returns:
      the script as a File
    """
    lines = [_PROLOGUE.format(label = ctx.label)]
    for name, file in files.items():
        lines.append("%s=\"$runfiles\"/%s\n" % (name, _quote(runfiles_path(ctx, file))))
    for name, value in variables.items():
        lines.append("%s=%s\n" % (name, _quote(value)))
    script = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.write(script, "".join(lines) + "\n" + body, is_executable = True)
    return script
