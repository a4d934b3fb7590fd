"""Skylib's `build_test` under the label by which @bazel/typescript loads it."""

load("@bazel_skylib//rules:build_test.bzl", _build_test = "build_test")

build_test = _build_test
