"""A test that everything but the runner of a quantized model is built in one configuration."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//bazel/private:abi.bzl", "ABIS")

_SeenInfo = provider(
    doc = "What was configured below a target.",
    fields = {
        "seen": "depset[string]: `<label> <output folder> <mnemonics of its actions>` of each configured target",
    },
)

_EDGES = ["mace_tool", "model", "ranges", "runner", "stat_runner"]

def _targets(attribute):
    if type(attribute) == "list":
        return attribute
    return [attribute] if type(attribute) == "Target" else []

def _seen_aspect_impl(target, ctx):
    mnemonics = sorted({action.mnemonic: None for action in target.actions if action.mnemonic.startswith("Mace")})
    line = "%s %s %s" % (target.label, ctx.bin_dir.path, ",".join(mnemonics))
    return [_SeenInfo(seen = depset(
        direct = [line.strip()],
        transitive = [
            dep[_SeenInfo].seen
            for edge in _EDGES
            for dep in _targets(getattr(ctx.rule.attr, edge, None))
            if _SeenInfo in dep
        ],
    ))]

_seen_aspect = aspect(
    implementation = _seen_aspect_impl,
    attr_aspects = _EDGES,
)

def _folders(seen, label):
    return [line.split(" ")[1] for line in seen if line.split(" ")[0] == label]

def _configurations_test_impl(ctx):
    env = analysistest.begin(ctx)
    seen = ctx.attr.model[_SeenInfo].seen.to_list()
    own = ctx.bin_dir.path

    # The same folder as the test's own, too: building for one more ABI repeats nothing.
    for label in ["all_abis", "model", "stat"]:
        package = "//test/rules/configurations" if label == "all_abis" else "//test/rules/fakes"
        asserts.equals(env, [own], _folders(seen, "%s:%s" % (package, label)), label)
    asserts.equals(env, 1, len(_folders(seen, "//test/rules/fakes:mace")), "configurations of the host tool")

    working = [line for line in seen if len(line.split(" ")) > 2]
    asserts.equals(env, [
        "//test/rules/configurations:all_abis %s MaceEvaluate,MaceQuantize,MaceReference,MaceReport" % own,
        "//test/rules/fakes:model %s MaceImport" % own,
        "//test/rules/fakes:stat %s MaceRanges,MaceStat" % own,
    ], sorted(working))

    # The program stands for mace_stat as well, in the tools' configuration.
    runners = {folder: None for folder in _folders(seen, "//test/rules/toolchains:describe_target")}
    asserts.equals(env, len(ABIS) + 1, len(runners), "configurations of the runner: one per ABI, and the tools'")
    return analysistest.end(env)

configurations_test = rule(
    implementation = _configurations_test_impl,
    attrs = {
        "model": attr.label(aspects = [_seen_aspect], mandatory = True),
        "_impl_name": attr.string(default = "configurations_test"),
    },
    analysis_test = True,
    test = True,
    toolchains = ["@bazel_skylib//toolchains/unittest:toolchain_type"],
)
