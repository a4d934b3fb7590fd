/** Sections of a Markdown document that are made from definitions. */

import type { Definitions } from "./definitions";
import type { Expression } from "./starlark";

/*
 * A section stands between two comments and is replaced as a whole:
 *
 *   <!-- begin rule mace_model -->
 *   ...
 *   <!-- end -->
 *
 * Its kind is `rule` (also of repositories) or `provider` with a name from the .bzl files, or `file` with the name of a text to insert.
 */
const SECTION = /^<!-- begin (rule|provider|file) (\S+) -->\n[\s\S]*?^<!-- end -->$/gm;

const cell = (text: string): string => text.replace(/\s+/g, " ").replace(/\|/g, "\\|");

function ruleSection(definitions: Definitions, name: string): string {
  const { doc, attributes } = definitions.rule(name);
  const rows = attributes.map(({ name: attribute, type, doc: text, mandatory, default: value }) => {
    const otherwise = mandatory ? "required" : value === undefined ? "" : `\`${value}\``;
    return `| \`${attribute}\` | ${type.replaceAll("_", " ")} | ${otherwise} | ${cell(text)} |`;
  });
  return [
    asMarkdown(doc.trim()),
    "",
    "| attribute | type | default | |",
    "|---|---|---|---|",
    "| `name` | name | required | A unique name for the target. |",
    ...rows,
  ].join("\n");
}

function providerSection(definitions: Definitions, name: string): string {
  const { doc, fields } = definitions.provider(name);
  const rows = fields.map((field) => {
    const [, type = "", text = field.doc] = /^([^:]+): ([\s\S]*)$/.exec(field.doc) ?? [];
    return `| \`${field.name}\` | ${cell(type)} | ${cell(text)} |`;
  });
  return [doc, "", "| field | type | |", "|---|---|---|", ...rows].join("\n");
}

/** What a file exports under the names of others, `name = _name`, and the document has no section of. */
export function undocumented(document: string, exported: ReadonlyMap<string, Expression>): string[] {
  const documented = new Set([...document.matchAll(SECTION)].map(([, , name]) => name));
  return [...exported]
    .filter(([name, value]) => value.kind === "name" && value.name === `_${name}` && !documented.has(name))
    .map(([name]) => name);
}

/** Blocks indented by four spaces become fenced ones, which renderers take for shell commands. */
function asMarkdown(doc: string): string {
  return doc.replace(/(?:^ {4}.*(?:\n|$))+/gm, (block) => {
    const end = block.endsWith("\n") ? "\n" : "";
    return `\`\`\`\n${block.trimEnd().replace(/^ {4}/gm, "")}\n\`\`\`${end}`;
  });
}

/**
 * The document with all of its sections made anew.
 *
 * @param texts what sections of the kind `file` hold, by name
 */
export function regenerate(document: string, definitions: Definitions, texts: ReadonlyMap<string, string>): string {
  return document.replace(SECTION, (_, kind: string, name: string) => {
    const section = () => {
      switch (kind) {
        case "rule":
          return ruleSection(definitions, name);
        case "provider":
          return providerSection(definitions, name);
        default: {
          const text = texts.get(name);
          if (text === undefined) throw new Error(`section 'file ${name}': no such text is given`);
          return text.trimEnd();
        }
      }
    };
    return `<!-- begin ${kind} ${name} -->\n\n${section()}\n\n<!-- end -->`;
  });
}
