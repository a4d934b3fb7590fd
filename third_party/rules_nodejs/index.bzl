"""The rules of rules_nodejs that this repository and npm's @bazel/typescript use."""

load("//internal/node:js_library.bzl", _js_library = "js_library")
load("//internal/node:node.bzl", _nodejs_binary = "nodejs_binary", _nodejs_test = "nodejs_test")
load("//internal/npm_install:npm_install.bzl", _npm_install = "npm_install")

js_library = _js_library
nodejs_binary = _nodejs_binary
nodejs_test = _nodejs_test
npm_install = _npm_install

# buildifier: disable=unnamed-macro
def node_repositories(**_kwargs):
    """Registers the node toolchain.

    Args:
      **_kwargs: the arguments of upstream's macro, accepted so that one WORKSPACE serves both. They choose a node to
        download; here node is an npm package whose version package.json states.
    """
    native.register_toolchains("@build_bazel_rules_nodejs//toolchains/node:node_linux_amd64_toolchain")
