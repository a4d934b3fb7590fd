#!/bin/bash
# Joins lcov tracefiles. A tracefile may have several records of a source file, which its readers add up, so joining is
# appending. Bazel calls this with a folder of the tracefiles of one test, or with a list of those of all tests.
set -euo pipefail

coverage_dir="" reports_file="" output_file=""
for argument in "$@"; do
    case "$argument" in
        --coverage_dir=*) coverage_dir="${argument#*=}" ;;
        --reports_file=*) reports_file="${argument#*=}" ;;
        --output_file=*) output_file="${argument#*=}" ;;
    esac
done

joined="$(mktemp)"
trap 'rm -f "$joined"' EXIT
if [[ -n "$coverage_dir" ]]; then
    find "$coverage_dir" -name '*.dat' ! -path "$output_file" -print0 | sort -z | xargs -0 --no-run-if-empty cat >"$joined"
fi
if [[ -n "$reports_file" ]]; then
    while IFS= read -r report; do
        [[ ! -s "$report" ]] || cat "$report" >>"$joined"
    done <"$reports_file"
fi
cp "$joined" "$output_file"
