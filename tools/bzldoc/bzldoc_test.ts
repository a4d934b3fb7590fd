import assert from "node:assert/strict";
import { test } from "node:test";
import { Definitions } from "./definitions";
import { regenerate, undocumented } from "./document";
import { readAssignments, StarlarkError } from "./starlark";

const RULES = `"""Module doc with x = 1."""

load(":other.bzl", "OTHER")

_DOC = """Makes a thing.

Run it:

    run it | twice
"""

_DEFAULT = "soft"

_ATTRS = {
    "mode": attr.string(
        doc = "How: \\"hard\\" or " + "soft.",
        default = _DEFAULT,
    ),
    "srcs": attr.label_list(doc = "Sources | data.", mandatory = True),
    "_tool": attr.label(default = Label("//:tool")),
}

def _impl(ctx):
    hidden = [x for x in ctx.files.srcs if x != None]  # not at the top level
    return hidden

thing = rule(
    implementation = _impl,
    doc = _DOC,
    attrs = dict(_ATTRS, **OTHER),
)

ThingInfo = provider(
    doc = "A thing.",
    fields = {
        "size": "int: how large: in bytes",
    },
)
`;

// Its _DOC must not be taken for that of the rule.
const OTHER = `_DOC = "Something else."

OTHER = {
    "base": attr.label(doc = "What it rests on.", default = Label("//base")),
    "count": attr.int(doc = "How many.", default = -1),
}
`;

const definitions = new Definitions([readAssignments("other.bzl", OTHER), readAssignments("rules.bzl", RULES)]);

test("attributes come from all files, without private ones, by name", () => {
  assert.deepEqual(definitions.rule("thing").attributes, [
    { name: "base", type: "label", doc: "What it rests on.", mandatory: false, default: '"//base"' },
    { name: "count", type: "int", doc: "How many.", mandatory: false, default: "-1" },
    { name: "mode", type: "string", doc: 'How: "hard" or soft.', mandatory: false, default: '"soft"' },
    { name: "srcs", type: "label_list", doc: "Sources | data.", mandatory: true },
  ]);
});

test("only top-level assignments count", () => {
  assert.deepEqual(
    [...readAssignments("rules.bzl", RULES).keys()],
    ["_DOC", "_DEFAULT", "_ATTRS", "thing", "ThingInfo"],
  );
});

test("sections are replaced, the rest of the document stays", () => {
  const document = [
    "# Things",
    "",
    "<!-- begin rule thing -->",
    "stale",
    "<!-- end -->",
    "between",
    "<!-- begin provider ThingInfo -->",
    "<!-- end -->",
    "<!-- begin file table -->",
    "<!-- end -->",
    "",
  ].join("\n");
  const expected = `# Things

<!-- begin rule thing -->

Makes a thing.

Run it:

\`\`\`
run it | twice
\`\`\`

| attribute | type | default | |
|---|---|---|---|
| \`name\` | name | required | A unique name for the target. |
| \`base\` | label | \`"//base"\` | What it rests on. |
| \`count\` | int | \`-1\` | How many. |
| \`mode\` | string | \`"soft"\` | How: "hard" or soft. |
| \`srcs\` | label list | required | Sources \\| data. |

<!-- end -->
between
<!-- begin provider ThingInfo -->

A thing.

| field | type | |
|---|---|---|
| \`size\` | int | how large: in bytes |

<!-- end -->
<!-- begin file table -->

a table

<!-- end -->
`;
  const once = regenerate(document, definitions, new Map([["table", "a table\n"]]));
  assert.equal(once, expected);
  assert.equal(regenerate(once, definitions, new Map([["table", "a table\n"]])), once);
});

test("an export without a section is found", () => {
  const exported = readAssignments("defs.bzl", 'load(":a.bzl", _a = "a")\na = _a\nb = _b\nTABLE = 1\n_own = _other\n');
  const document = "<!-- begin rule a -->\n<!-- end -->\n";
  assert.deepEqual(undocumented(document, exported), ["b"]);
});

test("rules of repositories are documented as rules are", () => {
  const text = 'r = repository_rule(doc = "Fetches.", attrs = {"path": attr.string(doc = "Where.")})';
  assert.equal(new Definitions([readAssignments("r.bzl", text)]).rule("r").doc, "Fetches.");
});

test("an attribute without documentation is an error", () => {
  const undocumented = new Definitions([readAssignments("a.bzl", 'r = rule(doc = "", attrs = {"a": attr.int()})')]);
  assert.throws(() => undocumented.rule("r"), /attribute 'a' has no doc/);
});

test("errors have a place", () => {
  assert.throws(
    () => readAssignments("a.bzl", "x = [\n1 2]"),
    (error) => error instanceof StarlarkError && error.message === "a.bzl:2: expected ']', found '2'",
  );
});
