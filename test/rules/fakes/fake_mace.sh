#!/bin/bash
# Stands for the host tool: writes its command line, with base names for paths, to every file that the real tool would write, and
# under `bazel run` to standard output.
set -euo pipefail

command="$1"
line="$command"
outputs=()
shift
while (($#)); do
    line+=" ${1##*/}"
    case "$command $1" in
        *" --output_prefix") outputs+=("$2.pb" "$2.data" "$2.txt") ;;
        *" --deploy_prefix") outputs+=("$2.pb" "$2.names") ;;
        *" --output" | "stat --ranges") outputs+=("$2") ;;
    esac
    shift
done
[[ -z "${BUILD_WORKING_DIRECTORY:-}" ]] || echo "$line"
for output in "${outputs[@]}"; do
    # Where the real tool resolves relative paths.
    [[ "$output" == /* || -z "${BUILD_WORKING_DIRECTORY:-}" ]] || output="$BUILD_WORKING_DIRECTORY/$output"
    echo "$line" >"$output"
done
