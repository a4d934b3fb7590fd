"""Providers of JavaScript and TypeScript rules, and run_node.

A rule that accepts such targets reads the provider that it can use: a compiler DeclarationInfo, a bundler JSModuleInfo,
and everything that runs node takes the runfiles.
"""

DeclarationInfo = provider(
    doc = "The types of a target.",
    fields = {
        "declarations": "depset[File]: .d.ts files of the target itself",
        "transitive_declarations": "depset[File]: these and those of everything it depends on",
    },
)

ExternalNpmPackageInfo = provider(
    doc = "An installed npm package.",
    fields = {
        "direct_sources": "depset[File]: the package's own files",
        "path": "string: folder of the package.json that the package was installed for; empty for the root",
        "sources": "depset[File]: its files and those of all packages that it depends on",
        "workspace": "string: name of the repository that holds it",
    },
)

LinkablePackageInfo = provider(
    doc = "A package made by Bazel under a module name. Loaded by @bazel/typescript; no rule here returns it.",
    fields = {
        "files": "depset[File]: the package's files",
        "package_name": "string: module name",
        "package_path": "string: folder of the node_modules that it is linked into",
        "path": "string: folder of the files",
    },
)

_MODULE_FIELDS = {
    "direct_sources": "depset[File]: JavaScript files of the target itself",
    "sources": "depset[File]: these and those of everything it depends on",
}

JSModuleInfo = provider(doc = "JavaScript in the module format of the target's choice.", fields = _MODULE_FIELDS)
JSNamedModuleInfo = provider(doc = "JavaScript as named AMD modules.", fields = _MODULE_FIELDS)
JSEcmaScriptModuleInfo = provider(doc = "JavaScript as ECMAScript modules.", fields = _MODULE_FIELDS)

def declaration_info(declarations, deps = []):
    """Makes a DeclarationInfo.

    Args:
      declarations: depset of the target's .d.ts files
      deps: list of targets; those with a DeclarationInfo are added to the transitive declarations

    Returns:
      a DeclarationInfo
    """
    return DeclarationInfo(
        declarations = declarations,
        transitive_declarations = depset(transitive = [declarations] + [
            dep[DeclarationInfo].transitive_declarations
            for dep in deps
            if DeclarationInfo in dep
        ]),
    )

def _module_info(info, sources, deps):
    return info(
        direct_sources = sources,
        sources = depset(transitive = [sources] + [dep[info].sources for dep in deps if info in dep]),
    )

def js_module_info(sources, deps = []):
    """Makes a JSModuleInfo from a depset of files and the targets that these depend on."""
    return _module_info(JSModuleInfo, sources, deps)

def js_named_module_info(sources, deps = []):
    """Makes a JSNamedModuleInfo from a depset of files and the targets that these depend on."""
    return _module_info(JSNamedModuleInfo, sources, deps)

def js_ecma_script_module_info(sources, deps = []):
    """Makes a JSEcmaScriptModuleInfo from a depset of files and the targets that these depend on."""
    return _module_info(JSEcmaScriptModuleInfo, sources, deps)

def _no_providers(_target, _ctx):
    return []

node_modules_aspect = aspect(
    implementation = _no_providers,
    doc = "Loaded by @bazel/typescript; packages carry their dependencies themselves (ExternalNpmPackageInfo.sources).",
)

_SEVERAL_NPM_REPOSITORIES = """{label}: `deps` and `data` name packages of several npm repositories: {repositories}. \
The node_modules folder of an action can only be one of them; take all packages from the same repository."""

def run_node(ctx, inputs, arguments, executable, outputs = [], env = {}, link_workspace_root = False, **kwargs):
    """Runs a nodejs_binary as a build action.

    The npm packages in the rule's `deps` and `data` can be resolved from the action's working directory.

    Args:
      ctx: the rule's context
      inputs: as for ctx.actions.run
      arguments: as for ctx.actions.run
      executable: name of the rule's attribute that holds the nodejs_binary
      outputs: as for ctx.actions.run
      env: environment of the action
      link_workspace_root: accepted for upstream's sake; sources are found by relative path
      **kwargs: further arguments of ctx.actions.run
    """
    if link_workspace_root:
        fail("%s: `link_workspace_root` is not supported; import by relative path" % ctx.label)
    npm = {
        dep[ExternalNpmPackageInfo].workspace: None
        for attribute in ["deps", "data"]
        for dep in getattr(ctx.attr, attribute, [])
        if ExternalNpmPackageInfo in dep
    }.keys()
    if len(npm) > 1:
        fail(_SEVERAL_NPM_REPOSITORIES.format(label = ctx.label, repositories = ", ".join(npm)))
    ctx.actions.run(
        inputs = inputs,
        outputs = outputs,
        arguments = arguments,
        executable = getattr(ctx.executable, executable),
        env = dict(env, NODE_MODULES_OF_ACTION = "external/%s/node_modules" % npm[0]) if npm else env,
        **kwargs
    )
