#!/bin/bash
# Passes when the given check finds the model not good enough: exit code 3, and a drop in the message.
set -u
output="$("$1" 2>&1)"
code=$?
echo "$output" | tail -n 12
if ((code != 3)) || ! grep -q "top-1 drops by" <<<"$output"; then
    echo "expected exit code 3 and a drop of top-1, got $code"
    exit 1
fi
