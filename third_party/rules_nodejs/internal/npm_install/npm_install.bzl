"""npm_install: the packages of a package-lock.json as an external repository."""

load(":package_graph.bzl", "package_graph")

_DOC = """Installs npm packages with `npm ci` and makes targets of them.

The repository has `//<package>` for each package, `//<package>/bin:<command>` for each of its commands, each file as
`//:node_modules/<package>/<file>`, and the .bzl files of a package in Bazel package `//<package>`."""

_LOADS = """load("@build_bazel_rules_nodejs//internal/node:node.bzl", "nodejs_binary")
load("@build_bazel_rules_nodejs//internal/npm_install:npm_package.bzl", "npm_files", "npm_package")

package(default_visibility = ["//visibility:public"])
"""

# Left out: names that Bazel's labels or runfiles cannot carry, C headers of node, texts, and maps of vendored code.
_FILES = """
npm_files(
    name = "{name}",
    srcs = glob(
        ["{path}/**"],
        exclude = ["**/* *", "{path}/include/**", "**/*.md", "**/*.map"],
    ),
)
"""

_EXPORT_FILES = """
exports_files(glob(
    ["node_modules/**"],
    exclude = ["**/* *", "node_modules/.*", "node_modules/.bin/**"],
))
"""

_PACKAGE = """
npm_package(
    name = "{name}",
    package = "//:{files}",
    closure = [{closure}],
)
"""

_COMMAND = """
nodejs_binary(
    name = "{command}",
    data = ["//{package}"],
    entry_point = "//:{path}/{script}",
)
"""

_NO_TOOL = "npm_install(name = \"{repository}\") needs {tool} on PATH to install npm packages. Install it, for example with " + \
           "`apt-get install {debian_package}`, or start the build with ./bazelw, which does so."

_FAILED = "npm_install(name = \"{repository}\"): {what} failed with exit code {code}:\n{output}"

def _files_target(path):
    return package_graph.package_name(path).replace("@", "").replace("/", "__") + "__files"

def _execute(rctx, what, command):
    result = rctx.execute(command, timeout = rctx.attr.timeout, quiet = rctx.attr.quiet)
    if result.return_code:
        fail(_FAILED.format(
            repository = rctx.name,
            what = what,
            code = result.return_code,
            output = result.stdout + result.stderr,
        ))
    return result.stdout

def _which(rctx, tool, debian_package):
    path = rctx.which(tool)
    if not path:
        fail(_NO_TOOL.format(repository = rctx.name, tool = tool, debian_package = debian_package))
    return path

def _shipped_bazel_files(rctx):
    """Bazel files inside installed packages, as a dictionary from top-level package path to relative paths."""
    found = _execute(rctx, "find", [
        "find",
        "node_modules",
        "-type",
        "f",
        "(",
        "-name",
        "*.bzl",
        "-o",
        "-name",
        "BUILD",
        "-o",
        "-name",
        "BUILD.bazel",
        ")",
    ])
    shipped = {}
    for file in sorted([line for line in found.split("\n") if line]):
        parts = file.split("/")
        depth = 3 if parts[1].startswith("@") else 2
        shipped.setdefault("/".join(parts[:depth]), []).append("/".join(parts[depth:]))
    return shipped

def _move_bazel_files(rctx, path, files):
    """Gives the Bazel files of an npm package a place as Bazel package //<package>.

    Inside node_modules a BUILD file would start a package of its own and hide the folder from the root package.
    """
    package = package_graph.package_name(path)
    for file in files:
        source = path + "/" + file
        folder = file.rpartition("/")[0]
        if file.endswith(".bzl"):
            rctx.symlink(source, package + "/" + file)
            continue
        if folder:
            for sibling in rctx.path(path + "/" + folder).readdir():
                if sibling.basename.endswith(".js"):
                    rctx.symlink(sibling, "%s/%s/%s" % (package, folder, sibling.basename))
            rctx.file(package + "/" + file, rctx.read(source), executable = False)
        rctx.delete(source)

def _npm_install_impl(rctx):
    npm = _which(rctx, "npm", "npm")
    _which(rctx, "node", "nodejs")

    # A copy, because npm writes beside it; package.json is only read.
    rctx.symlink(rctx.attr.package_json, "package.json")
    rctx.file("package-lock.json", rctx.read(rctx.attr.package_lock_json), executable = False)
    _execute(rctx, "npm ci", [npm, "ci", "--no-audit", "--no-fund", "--no-update-notifier"] + rctx.attr.args)

    # npm leaves a list of what it really installed: optional packages for other systems are not in it.
    packages = json.decode(rctx.read("node_modules/.package-lock.json"))["packages"]
    shipped = _shipped_bazel_files(rctx)

    root = [_LOADS]
    for path, closure in sorted(package_graph.closures(packages).items()):
        package = package_graph.package_name(path)
        root.append(_FILES.format(name = _files_target(path), path = path))
        rctx.file(package + "/BUILD.bazel", _LOADS + _PACKAGE.format(
            name = package.rpartition("/")[2],
            files = _files_target(path),
            closure = ", ".join(["\"//:%s\"" % _files_target(needed) for needed in closure]),
        ), executable = False)
        _move_bazel_files(rctx, path, shipped.get(path, []))

        commands = packages[path].get("bin", {})
        if commands:
            rctx.file(package + "/bin/BUILD.bazel", _LOADS + "".join([
                _COMMAND.format(
                    command = command,
                    package = package,
                    path = path,
                    script = script[len("./"):] if script.startswith("./") else script,
                )
                for command, script in sorted(commands.items())
            ]), executable = False)

    root.append(_EXPORT_FILES)
    rctx.file("BUILD.bazel", "".join(root), executable = False)
    rctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % rctx.name, executable = False)

npm_install = repository_rule(
    implementation = _npm_install_impl,
    doc = _DOC,
    attrs = {
        "args": attr.string_list(
            doc = "Further arguments of `npm ci`.",
            default = ["--ignore-scripts"],
        ),
        "package_json": attr.label(
            doc = "The package.json.",
            allow_single_file = True,
            mandatory = True,
        ),
        "package_lock_json": attr.label(
            doc = "The package-lock.json; its digests decide what is installed.",
            allow_single_file = True,
            mandatory = True,
        ),
        "quiet": attr.bool(
            doc = "Whether to hide npm's output unless it fails.",
            default = True,
        ),
        "timeout": attr.int(
            doc = "Seconds that npm may take.",
            default = 3600,
        ),
    },
    # npm's own configuration: which registry and which cache.
    environ = ["PATH", "HOME", "NPM_CONFIG_REGISTRY", "NPM_CONFIG_USERCONFIG", "NPM_CONFIG_CACHE"],
)
