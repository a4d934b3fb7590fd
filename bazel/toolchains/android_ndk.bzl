"""The Android NDK that ANDROID_NDK_HOME names, as C++ toolchains.

Without one the repository is an empty package: Android's ABIs are then built by Debian's cross compilers as static
executables with the same instruction set, which run on an Android kernel and under emulators, but do not use Android's C library.
"""

_HOST_FOLDER = "toolchains/llvm/prebuilt/linux-x86_64"

_NOT_AN_NDK = "ANDROID_NDK_HOME=%s holds no %s. Set it to the folder of an Android NDK, r23 or later, for Linux, " + \
              "or unset it to build Android's ABIs as static executables."

_BUILD = """load("@mace//bazel/toolchains:android_cc_toolchain.bzl", "android_cc_toolchains")

package(default_visibility = ["//visibility:public"])

android_cc_toolchains(ndk = "{ndk}")
"""

_NO_NDK = """# ANDROID_NDK_HOME is not set: no toolchains here.
package(default_visibility = ["//visibility:public"])
"""

_DEFS = """\"\"\"Whether there is an NDK.\"\"\"

ANDROID_NDK_PRESENT = {present}
"""

def _android_ndk_impl(rctx):
    home = rctx.os.environ.get("ANDROID_NDK_HOME", "")
    rctx.file("defs.bzl", _DEFS.format(present = home != ""), executable = False)
    if not home:
        rctx.file("BUILD.bazel", _NO_NDK, executable = False)
        return
    clang = _HOST_FOLDER + "/bin/clang"
    if not rctx.path(home + "/" + clang).exists:
        fail(_NOT_AN_NDK % (home, clang))
    rctx.file("BUILD.bazel", _BUILD.format(ndk = home + "/" + _HOST_FOLDER), executable = False)

android_ndk = repository_rule(
    implementation = _android_ndk_impl,
    doc = "C++ toolchains for Android's ABIs when ANDROID_NDK_HOME is set; else an empty package.",
    environ = ["ANDROID_NDK_HOME"],
    local = True,
)
