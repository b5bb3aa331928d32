/**
 * Structural tags: free text in which certain tags, once begun, must be written as
 * their format says. Both the nested form (`format`) and the older one
 * (`structures` and `triggers`) of vLLM.
 */
import { ANY_CHAR, characters } from "./characters.ts";
import { parseEbnf } from "./ebnf.ts";
import { freeText } from "./free-text.ts";
import {
  alt,
  EMPTY,
  GrammarError,
  literal,
  many,
  type Node,
  type Rule,
  ref,
  repeat,
  seq,
} from "./grammar.ts";
import { parseRegex } from "./regex.ts";
import { compileSchema, type SchemaOptions } from "./schema/compile.ts";
import { isObject, type Schema } from "./schema/flat.ts";

type Fields = Readonly<Record<string, unknown>>;

interface Tag {
  readonly begin: string;
  readonly content: Fields;
  readonly end: string;
}

const MAX_DEPTH = 32;

export function compileStructuralTag(tag: unknown, options: SchemaOptions): Node {
  const fields = object(tag, "structural_tag");
  if (Array.isArray(fields["structures"])) return compileFormat(fromLegacy(fields), options, 0);
  return compileFormat(object(fields["format"], "structural_tag.format"), options, 0);
}

function fromLegacy(fields: Fields): Fields {
  return {
    type: "triggered_tags",
    triggers: fields["triggers"],
    tags: (fields["structures"] as readonly unknown[]).map((one) => {
      const { begin, end, schema } = object(one, "structures");
      return {
        type: "tag",
        begin,
        end,
        content: { type: "json_schema", json_schema: schema ?? true },
      };
    }),
  };
}

function compileFormat(format: Fields, options: SchemaOptions, depth: number): Node {
  if (depth > MAX_DEPTH) throw new GrammarError("structural_tag is nested too deeply");
  const inner = (value: unknown) => compileFormat(object(value, "elements"), options, depth + 1);
  switch (format["type"]) {
    case "const_string":
      return literal(text(format["value"], "value"));
    case "json_schema":
      return compileSchema(schemaOf(format["json_schema"]), options);
    case "regex":
      return parseRegex(text(format["pattern"], "pattern"));
    case "grammar":
      return parseEbnf(text(format["grammar"], "grammar"));
    case "any_text":
      return many(characters(ANY_CHAR));
    case "sequence":
      return seq(...list(format["elements"], "elements").map(inner));
    case "or":
      return alt(...list(format["elements"], "elements").map(inner));
    case "tag": {
      const tag = tagOf(format);
      return seq(literal(tag.begin), body(tag, options, depth));
    }
    case "triggered_tags":
      return triggered(format, options, depth);
    case "tags_with_separator":
      return separated(format, options, depth);
    default:
      throw new GrammarError(
        `structural_tag has an unknown type ${JSON.stringify(format["type"])}`,
      );
  }
}

/** A tag's content and its end. */
function body(tag: Tag, options: SchemaOptions, depth: number): Node {
  if (tag.content["type"] !== "any_text") {
    return seq(compileFormat(tag.content, options, depth + 1), literal(tag.end));
  }
  // Free text runs to the first end, and no further.
  return tag.end === ""
    ? many(characters(ANY_CHAR))
    : freeText([{ text: tag.end, after: () => EMPTY }], { mayEnd: false });
}

function triggered(format: Fields, options: SchemaOptions, depth: number): Node {
  const tags = list(format["tags"], "tags").map(tagOf);
  const triggers = list(format["triggers"], "triggers").map((one) => text(one, "triggers"));
  const once = format["stop_after_first"] === true;
  const covered = new Set<Tag>();
  const rest = (trigger: string, then: Node): Node => {
    const mine = tags.filter((tag) => tag.begin.startsWith(trigger));
    if (mine.length === 0)
      throw new GrammarError(`no tag begins with the trigger ${JSON.stringify(trigger)}`);
    for (const tag of mine) covered.add(tag);
    return seq(
      alt(
        ...mine.map((tag) =>
          seq(literal(tag.begin.slice(trigger.length)), body(tag, options, depth)),
        ),
      ),
      then,
    );
  };
  const marks = (after: (again: Node) => Node) =>
    triggers.map((trigger) => ({
      text: trigger,
      after: (again: Node) => rest(trigger, after(again)),
    }));
  const free = freeText(
    marks((again) => (once ? EMPTY : again)),
    { mayEnd: true },
  );
  const start =
    format["at_least_one"] === true
      ? freeText(
          marks(() => (once ? EMPTY : free)),
          { mayEnd: false },
        )
      : free;
  const lost = tags.find((tag) => !covered.has(tag));
  if (lost !== undefined)
    throw new GrammarError(`no trigger begins the tag ${JSON.stringify(lost.begin)}`);
  return start;
}

function separated(format: Fields, options: SchemaOptions, depth: number): Node {
  const tags = list(format["tags"], "tags").map(tagOf);
  const separator = text(format["separator"], "separator");
  const rule: Rule = {
    name: "tag",
    body: alt(...tags.map((tag) => seq(literal(tag.begin), body(tag, options, depth)))),
  };
  const once = format["stop_after_first"] === true;
  const more = once
    ? EMPTY
    : repeat(seq(literal(separator), ref(rule)), 0, Number.POSITIVE_INFINITY);
  const some = seq(ref(rule), more);
  return format["at_least_one"] === true ? some : alt(EMPTY, some);
}

function tagOf(value: unknown): Tag {
  const fields = object(value, "tags");
  return {
    begin: text(fields["begin"], "begin"),
    content: object(fields["content"], "content"),
    end: text(fields["end"], "end"),
  };
}

function schemaOf(value: unknown): Schema {
  if (typeof value === "boolean" || isObject(value)) return value;
  throw new GrammarError('"json_schema" must be a schema');
}

function object(value: unknown, name: string): Fields {
  if (isObject(value)) return value;
  throw new GrammarError(`"${name}" must be an object`);
}

function text(value: unknown, name: string): string {
  if (typeof value === "string") return value;
  throw new GrammarError(`"${name}" must be a string`);
}

function list(value: unknown, name: string): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0) return value;
  throw new GrammarError(`"${name}" must be a list that is not empty`);
}
