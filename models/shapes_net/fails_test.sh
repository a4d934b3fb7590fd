#!/bin/bash
# fails_test.sh CHECK WHAT...: passes when the check finds the model not good enough: exit code 3, and each WHAT, a regular expression, is said.
set -u
output="$("$1" 2>&1)"
code=$?
echo "$output" | tail -n 12
if ((code != 3)); then
    echo "expected exit code 3, got $code"
    exit 1
fi
for what in "${@:2}"; do
    grep -Eq -- "$what" <<<"$output" || {
        echo "it does not say: $what"
        exit 1
    }
done
