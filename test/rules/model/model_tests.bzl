"""Tests of mace_model."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//bazel:defs.bzl", "MaceModelInfo", "mace_model")
load("//test/rules:asserts.bzl", "failure_test", "flags_of", "only_action_of")

def _import_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    action = only_action_of(env, "MaceImport")
    asserts.equals(env, [
        "convert",
        "--config",
        "network.yml",
        "--model_name",
        "second",
        "--quantize_large_weights",
        "--obfuscate",
        "--src",
        "network.onnx",
        "--src",
        "sample_a.png",
        "--output_prefix",
        "imported",
        "--deploy_prefix",
        "imported.deployed",
    ], flags_of(action))
    asserts.equals(
        env,
        ["imported.data", "imported.deployed.names", "imported.deployed.pb", "imported.pb", "imported.txt"],
        sorted([file.basename for file in action.outputs.to_list()]),
    )
    asserts.equals(
        env,
        ["imported.data", "imported.pb", "imported.txt"],
        sorted([file.basename for file in target[DefaultInfo].files.to_list()]),
    )

    asserts.equals(
        env,
        ["imported.data", "imported.deployed.names", "imported.deployed.pb"],
        sorted([file.basename for file in target[OutputGroupInfo].deployed.to_list()]),
    )

    info = target[MaceModelInfo]
    asserts.equals(env, "imported.pb", info.model.basename)
    asserts.equals(env, "imported.data", info.data.basename)
    asserts.equals(env, "imported.txt", info.text.basename)
    asserts.equals(env, "network.yml", info.config.basename)
    asserts.equals(env, target.label, info.label)
    return analysistest.end(env)

_import_test = analysistest.make(_import_test_impl)

def model_test_suite(name):
    """Declares the tests.

    Args:
      name: prefix of their names
    """
    mace_model(
        name = "imported",
        testonly = True,
        srcs = [
            "//test/rules/fakes:network.onnx",
            "//test/rules/fakes:sample_a.png",
        ],
        config = "//test/rules/fakes:network.yml",
        mace_tool = "//test/rules/fakes:mace",
        model_name = "second",
        obfuscate = True,
        quantize_large_weights = True,
        tags = ["manual"],
    )
    _import_test(
        name = name + "_import_test",
        target_under_test = ":imported",
    )

    mace_model(
        name = "without_sources",
        testonly = True,
        srcs = [],
        config = "//test/rules/fakes:network.yml",
        mace_tool = "//test/rules/fakes:mace",
        tags = ["manual"],
    )
    failure_test(
        name = name + "_without_sources_test",
        message = "`srcs` is empty. List the files that test/rules/fakes/network.yml names",
        target_under_test = ":without_sources",
    )

    native.genrule(
        name = "second_network",
        outs = ["network.onnx"],
        cmd = "touch $@",
        tags = ["manual"],
    )
    mace_model(
        name = "same_base_name",
        testonly = True,
        srcs = [
            ":second_network",
            "//test/rules/fakes:network.onnx",
        ],
        config = "//test/rules/fakes:network.yml",
        mace_tool = "//test/rules/fakes:mace",
        tags = ["manual"],
    )
    failure_test(
        name = name + "_same_base_name_test",
        message = "`srcs` has two files called network.onnx",
        target_under_test = ":same_base_name",
    )
