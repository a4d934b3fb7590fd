"""js_library: JavaScript and declaration files with what they need at run time."""

load("//:providers.bzl", "DeclarationInfo", "ExternalNpmPackageInfo", "declaration_info", "js_module_info")

def _is_declaration(file):
    return file.path.endswith(".d.ts")

def _js_library_impl(ctx):
    declarations = [file for file in ctx.files.srcs if _is_declaration(file)]
    scripts = [file for file in ctx.files.srcs if not _is_declaration(file)]
    providers = [
        DefaultInfo(
            files = depset(ctx.files.srcs),
            runfiles = ctx.runfiles(files = ctx.files.srcs + ctx.files.data, collect_default = True),
        ),
        declaration_info(depset(declarations), ctx.attr.deps),
        js_module_info(depset(scripts), ctx.attr.deps),
    ]
    npm = [dep[ExternalNpmPackageInfo] for dep in ctx.attr.deps if ExternalNpmPackageInfo in dep]
    if npm:
        providers.append(ExternalNpmPackageInfo(
            direct_sources = depset(),
            path = "",
            sources = depset(transitive = [info.sources for info in npm]),
            workspace = npm[0].workspace,
        ))
    return providers

js_library = rule(
    implementation = _js_library_impl,
    doc = "Groups JavaScript files, their declarations and their dependencies.",
    attrs = {
        "data": attr.label_list(doc = "Files needed at run time.", allow_files = True),
        "deps": attr.label_list(
            doc = "JavaScript, TypeScript and npm targets that the sources import.",
            providers = [[DeclarationInfo], [ExternalNpmPackageInfo], [DefaultInfo]],
        ),
        "srcs": attr.label_list(doc = ".js, .json and .d.ts files.", allow_files = True),
    },
)
