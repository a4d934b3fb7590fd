"""What a model is on devices: the same, or without the names of its inner tensors and operators."""

def declare_deployed(ctx, prefix):
    """Declares the files.

    Args:
      ctx: the rule's context
      prefix: name of the model's own files in the package, without ending

    Returns:
      a struct of the Files `model` and `names`, the table of what obfuscated names stand for
    """
    return struct(
        model = ctx.actions.declare_file(prefix + ".deployed.pb"),
        names = ctx.actions.declare_file(prefix + ".deployed.names"),
    )

def add_deployed(args, deployed):
    """Has an action of `mace` write them.

    Args:
      args: Args of the action
      deployed: what declare_deployed returned

    Returns:
      a list of the Files
    """
    args.add("--deploy_prefix", deployed.model.path[:-len(".pb")])
    return [deployed.model, deployed.names]
