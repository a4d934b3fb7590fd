"""What depends on what in an installed node_modules tree.

Works on the dictionary `packages` of a package-lock.json: keys are paths such as `node_modules/a/node_modules/b`, values have
`dependencies` and the like, by name.
"""

_NODE_MODULES = "node_modules/"
_DEPENDENCY_KINDS = ["dependencies", "optionalDependencies", "peerDependencies"]

def _package_name(key):
    """Name of the package at a path: `@a/b` for `node_modules/@a/b`."""
    return key[key.rindex(_NODE_MODULES) + len(_NODE_MODULES):]

def _top_level(key):
    """The package right below the root that holds the package at `key`; nested packages travel with it."""
    return key.split("/" + _NODE_MODULES)[0]

def _resolve(packages, importer, name):
    """Where node finds the module `name` for the package at `importer`.

    Args:
      packages: dictionary of packages by path
      importer: path of the package that imports
      name: name of the imported package

    Returns:
      a key of packages, or None when the package is not installed (an optional one, or one for another system)
    """
    folder = importer + "/"
    for _ in range(importer.count(_NODE_MODULES) + 1):
        key = folder + _NODE_MODULES + name
        if key in packages:
            return key
        if not folder:
            return None
        folder = folder[:folder.rindex(_NODE_MODULES)]
    return None

def _closures(packages):
    """All packages that each top-level package needs.

    Args:
      packages: dictionary of packages by path

    Returns:
      dictionary from the path of each top-level package to the sorted list of paths of the other top-level packages
      that it depends on, directly or not
    """
    direct = {}
    for key, package in packages.items():
        needs = direct.setdefault(_top_level(key), {})
        for kind in _DEPENDENCY_KINDS:
            for name in package.get(kind, {}):
                found = _resolve(packages, key, name)
                if found:
                    needs[_top_level(found)] = None

    closures = {}
    for key in direct:
        reached = {}
        frontier = direct[key].keys()
        for _ in range(len(direct)):
            if not frontier:
                break
            reached.update({found: None for found in frontier})
            frontier = {
                needed: None
                for found in frontier
                for needed in direct[found]
                if needed not in reached
            }.keys()
        reached.pop(key, None)
        closures[key] = sorted(reached)
    return closures

package_graph = struct(
    closures = _closures,
    package_name = _package_name,
    resolve = _resolve,
    top_level = _top_level,
)
