"""Assertions on actions and failures, for analysis tests."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")

def actions_of(env, mnemonic):
    """The actions of the target under test with a mnemonic."""
    return [action for action in analysistest.target_actions(env) if action.mnemonic == mnemonic]

def only_action_of(env, mnemonic):
    """The action with a mnemonic; the test fails when there is not exactly one."""
    actions = actions_of(env, mnemonic)
    asserts.equals(env, 1, len(actions), "number of actions " + mnemonic)
    return actions[0]

def flags_of(action):
    """An action's arguments after the program, with paths cut down to base names."""
    return [arg.rpartition("/")[2] for arg in action.argv[1:]]

def _failure_test_impl(ctx):
    env = analysistest.begin(ctx)
    asserts.expect_failure(env, ctx.attr.message)
    return analysistest.end(env)

failure_test = analysistest.make(
    _failure_test_impl,
    attrs = {
        "message": attr.string(
            doc = "What the error says.",
            mandatory = True,
        ),
    },
    expect_failure = True,
)
