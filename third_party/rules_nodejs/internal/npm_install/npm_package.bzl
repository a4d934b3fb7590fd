"""Rules of the BUILD files that npm_install writes."""

load("//:providers.bzl", "ExternalNpmPackageInfo", "declaration_info")

# What a TypeScript compiler reads of a package.
_TYPES = (".d.ts", ".d.mts", ".d.cts", "package.json")

NpmFilesInfo = provider(
    doc = "The files of one npm package.",
    fields = {
        "files": "depset[File]: all files",
        "runfiles": "runfiles: the files, below node_modules/ at the root of a runfiles tree",
        "types": "depset[File]: declarations and package.json files",
    },
)

def _npm_files_impl(ctx):
    links = {
        file.path[file.path.index("/node_modules/") + 1:]: file
        for file in ctx.files.srcs
    }
    return [
        DefaultInfo(files = depset(ctx.files.srcs)),
        NpmFilesInfo(
            files = depset(ctx.files.srcs),
            runfiles = ctx.runfiles(root_symlinks = links),
            types = depset([file for file in ctx.files.srcs if file.path.endswith(_TYPES)]),
        ),
    ]

npm_files = rule(
    implementation = _npm_files_impl,
    doc = "The files of one package, without its dependencies.",
    attrs = {
        "srcs": attr.label_list(doc = "All files.", allow_files = True),
    },
)

def _npm_package_impl(ctx):
    own = ctx.attr.package[NpmFilesInfo]
    needed = [own] + [dep[NpmFilesInfo] for dep in ctx.attr.closure]
    runfiles = ctx.runfiles()
    for info in needed:
        runfiles = runfiles.merge(info.runfiles)
    return [
        DefaultInfo(files = own.files, runfiles = runfiles),
        declaration_info(depset(transitive = [info.types for info in needed])),
        ExternalNpmPackageInfo(
            direct_sources = own.files,
            path = "",
            sources = depset(transitive = [info.files for info in needed]),
            workspace = ctx.label.workspace_name,
        ),
    ]

npm_package = rule(
    implementation = _npm_package_impl,
    doc = """An npm package that can be depended on.

All packages that it needs are listed, not only the direct ones, because npm packages may depend on each other in circles.""",
    attrs = {
        "closure": attr.label_list(
            doc = "npm_files of all packages that it depends on, directly or not.",
            providers = [NpmFilesInfo],
        ),
        "package": attr.label(
            doc = "npm_files of the package itself.",
            mandatory = True,
            providers = [NpmFilesInfo],
        ),
    },
)
