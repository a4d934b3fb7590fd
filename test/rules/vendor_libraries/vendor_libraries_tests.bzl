"""What the repository rules of vendors' libraries decide, from attributes and what is in the SDK."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")
load("//bazel/private:vendor_libraries.bzl", "VENDOR_LIBRARIES", "build_file", "check_origin", "find_libraries")

def _attr(path = "", url = "", sha256 = ""):
    return struct(path = path, sha256 = sha256, url = url)

def _origin_test_impl(ctx):
    env = unittest.begin(ctx)
    for attr, folder, path, url in [
        (_attr(), "", "", ""),
        (_attr(), "/sdk", "/sdk", ""),
        (_attr(path = "/own"), "/sdk", "/own", ""),
        (_attr(url = "file:///a.zip", sha256 = "00"), "/sdk", "", "file:///a.zip"),
    ]:
        origin = check_origin("repo", attr, folder)
        asserts.equals(env, None, origin.error)
        asserts.equals(env, path, origin.path)
        asserts.equals(env, url, origin.url)
    for attr, message in [
        (_attr(path = "/own", url = "file:///a.zip"), "repo: give `path`, `url` with `sha256`, or neither; not both."),
        (_attr(url = "file:///a.zip"), "repo: `url` needs `sha256`"),
    ]:
        error = check_origin("repo", attr, "").error
        asserts.true(env, error.startswith(message), error)
    return unittest.end(env)

_origin_test = unittest.make(_origin_test_impl)

def _find_test_impl(ctx):
    env = unittest.begin(ctx)

    # Nothing there, nothing found: a repository without an SDK is no error.
    for runtime in VENDOR_LIBRARIES:
        asserts.equals(env, struct(error = None, found = []), find_libraries("repo", runtime, {}, []))
    there = ["arm64/libhexagon_controller.so", "v66/libhexagon_nn_skel.so", "v99/libhexagon_nn_skel.so"]
    asserts.equals(env, [
        ("arm64/libhexagon_controller.so", "arm64/libhexagon_controller.so"),
        ("v66/libhexagon_nn_skel.so", "v66/libhexagon_nn_skel.so"),
    ], find_libraries("repo", "dsp", {}, there).found)
    elsewhere = {"v65/libhexagon_nn_skel.so": "hexagon/skel65.so"}
    asserts.equals(
        env,
        [("hexagon/skel65.so", "v65/libhexagon_nn_skel.so")],
        find_libraries("repo", "dsp", elsewhere, ["hexagon/skel65.so"]).found,
    )
    for files, message in [
        ({"v99/libhexagon_nn_skel.so": "x"}, "repo: `files` has \"v99/libhexagon_nn_skel.so\". Known are <key>/<file> with: arm64/"),
        (elsewhere, "repo: `files[\"v65/libhexagon_nn_skel.so\"]` is \"hexagon/skel65.so\", which is not in the SDK."),
    ]:
        error = find_libraries("repo", "dsp", files, []).error
        asserts.true(env, error.startswith(message), error)
    return unittest.end(env)

_find_test = unittest.make(_find_test_impl)

def _build_file_test_impl(ctx):
    env = unittest.begin(ctx)
    text = build_file("apu", "A", "/sdk", [("x/a.so", "mt6885/libapu-platform.so")])
    asserts.true(env, "# Libraries of A, from /sdk.\n" in text, text)
    asserts.true(env, "\"sdk/x/a.so\": \"mt6885/libapu-platform.so\",\n" in text, text)
    asserts.true(env, "runtime = \"apu\"" in text, text)
    asserts.true(env, "none of which are here" in build_file("apu", "A", "", []))
    return unittest.end(env)

_build_file_test = unittest.make(_build_file_test_impl)

def vendor_libraries_test_suite(name):
    """Declares the tests.

    Args:
      name: prefix of their names
    """
    _origin_test(name = name + "_origin_test")
    _find_test(name = name + "_find_test")
    _build_file_test(name = name + "_build_file_test")
