"""Tests of what npm_install makes of a lock file."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")
load("@build_bazel_rules_nodejs//internal/npm_install:package_graph.bzl", "package_graph")

# a and b need each other; a has a c of its own; @s/d is optional for b and installed, e is optional and not installed.
_PACKAGES = {
    "node_modules/@s/d": {},
    "node_modules/a": {"dependencies": {"b": "1", "c": "1"}},
    "node_modules/a/node_modules/c": {"dependencies": {"f": "1"}},
    "node_modules/b": {"dependencies": {"a": "1"}, "optionalDependencies": {"@s/d": "1", "e": "1"}},
    "node_modules/c": {"peerDependencies": {"b": "1"}},
    "node_modules/f": {},
}

def _resolve_test_impl(ctx):
    env = unittest.begin(ctx)
    nested = "node_modules/a/node_modules/c"
    for importer, name, expected in [
        ("node_modules/a", "c", nested),
        ("node_modules/b", "c", "node_modules/c"),
        (nested, "f", "node_modules/f"),
        (nested, "b", "node_modules/b"),
        ("node_modules/b", "@s/d", "node_modules/@s/d"),
        ("node_modules/b", "e", None),
    ]:
        asserts.equals(env, expected, package_graph.resolve(_PACKAGES, importer, name), "%s from %s" % (name, importer))
    return unittest.end(env)

_resolve_test = unittest.make(_resolve_test_impl)

def _closures_test_impl(ctx):
    env = unittest.begin(ctx)
    asserts.equals(env, {
        "node_modules/@s/d": [],
        "node_modules/a": ["node_modules/@s/d", "node_modules/b", "node_modules/f"],
        "node_modules/b": ["node_modules/@s/d", "node_modules/a", "node_modules/f"],
        "node_modules/c": ["node_modules/@s/d", "node_modules/a", "node_modules/b", "node_modules/f"],
        "node_modules/f": [],
    }, package_graph.closures(_PACKAGES))
    return unittest.end(env)

_closures_test = unittest.make(_closures_test_impl)

def _package_name_test_impl(ctx):
    env = unittest.begin(ctx)
    asserts.equals(env, "@s/d", package_graph.package_name("node_modules/a/node_modules/@s/d"))
    asserts.equals(env, "node_modules/a", package_graph.top_level("node_modules/a/node_modules/@s/d"))
    return unittest.end(env)

_package_name_test = unittest.make(_package_name_test_impl)

def package_graph_test_suite(name):
    """Declares the tests.

    Args:
      name: name of the suite
    """
    unittest.suite(name, _resolve_test, _closures_test, _package_name_test)
