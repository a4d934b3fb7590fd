"""Skylib's `partial` under the label by which @bazel/typescript loads it."""

load("@bazel_skylib//lib:partial.bzl", _partial = "partial")

partial = _partial
