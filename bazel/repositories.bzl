"""External repositories: what Debian's packages install, our own stand-ins, and what the environment may offer.

Nothing here downloads. npm's packages, the only thing fetched from a network, are declared in the WORKSPACE file, because their
rule must be loaded from a repository first.
"""

load("//bazel/private:bundled_repository.bzl", "bundled_repository")
load("//bazel/private:test_data.bzl", "test_data")
load("//bazel/private:vendor_libraries.bzl", _apu_repository = "apu_repository", _hexagon_nn_repository = "hexagon_nn_repository")
load("//bazel/toolchains:android_ndk.bzl", "android_ndk")
load("//third_party/debian:repositories.bzl", "debian_rules_cc", "debian_tree")

# For WORKSPACE files; before mace_repositories(), whose repositories of these kinds take the SDKs from the environment.
hexagon_nn_repository = _hexagon_nn_repository
apu_repository = _apu_repository

# buildifier: disable=unnamed-macro
def mace_repositories():
    """Declares all repositories but @npm."""
    debian_rules_cc(name = "rules_cc")
    debian_tree(
        name = "rules_java",
        debian_package = "bazel-rules-java",
        trees = {"/usr/share/bazel/rules/java": "."},
    )
    debian_tree(
        name = "rules_proto",
        debian_package = "bazel-rules-proto",
        trees = {"/usr/share/bazel/rules/proto": "."},
    )
    debian_tree(
        name = "bazel_skylib",
        debian_package = "bazel-skylib",
        trees = {"/usr/share/bazel/tools/skylib": "."},
    )
    debian_tree(
        name = "platforms",
        debian_package = "bazel-platforms",
        trees = {"/usr/share/bazel/tools/platforms": "."},
    )
    debian_tree(
        name = "googletest",
        build_file = "//third_party/debian:googletest.BUILD",
        debian_package = "googletest",
        trees = {"/usr/src/googletest": "."},
    )
    debian_tree(
        name = "protozero",
        build_file = "//third_party/debian:protozero.BUILD",
        debian_package = "libprotozero-dev",
        trees = {"/usr/include/protozero": "include/protozero"},
    )
    bundled_repository(
        name = "remote_coverage_tools",
        folder = "third_party/remote_coverage_tools",
    )
    bundled_repository(
        name = "build_bazel_rules_nodejs",
        folder = "third_party/rules_nodejs",
    )
    android_ndk(name = "android_ndk")
    if not native.existing_rule("hexagon_nn"):
        hexagon_nn_repository(name = "hexagon_nn")
    if not native.existing_rule("apu"):
        apu_repository(name = "apu")
    test_data(name = "test_data")

# buildifier: disable=unnamed-macro
def mace_register_toolchains():
    """Registers the C++ toolchains of all ABIs, and that of Starlark tests. A real Android NDK, when there is one, goes before its substitute."""
    native.register_toolchains(
        "@android_ndk//:all",
        "@mace//bazel/toolchains:all",
        # What skylib's unit tests run with.
        "@bazel_skylib//toolchains/unittest:bash_toolchain",
    )
