/** What a request wants of its output's shape, as plain data, and the grammar it stands for. */
import { parseEbnf } from "./ebnf.ts";
import { freeText } from "./free-text.ts";
import { alt, EMPTY, GrammarError, literal, literals, type Node, repeat, seq } from "./grammar.ts";
import { isLark, parseLark } from "./lark.ts";
import { parseRegex } from "./regex.ts";
import { anyObject, compileSchema } from "./schema/compile.ts";
import type { Schema } from "./schema/flat.ts";
import { compileStructuralTag } from "./structural-tag.ts";

export type GrammarSpec =
  | { readonly kind: "json"; readonly schema: Schema; readonly compact: boolean }
  | { readonly kind: "object"; readonly compact: boolean }
  | { readonly kind: "regex"; readonly pattern: string }
  | { readonly kind: "choice"; readonly options: readonly string[] }
  | { readonly kind: "grammar"; readonly text: string }
  | { readonly kind: "tag"; readonly tag: unknown; readonly compact: boolean }
  | ToolsSpec;

/** Calls of tools and nothing else, or free text in which calls must be right. */
export interface ToolsSpec {
  readonly kind: "tools";
  readonly tools: readonly ToolSchema[];
  /** `list`: `[{"name": …, "parameters": {…}}, …]`; `hermes`: tagged objects. */
  readonly format: "list" | "hermes";
  /** Absent: any number. */
  readonly maxCalls?: number;
  /** False: text may stand around the calls, and there may be none. */
  readonly required: boolean;
}

export interface ToolSchema {
  readonly name: string;
  readonly parameters: Schema;
}

/** Characters of all the texts of a specification at most. */
const MAX_TEXT = 512 * 1024;

/** The specification as text: what crosses to another thread, and what it is known by. */
export function specText(spec: GrammarSpec): string {
  let text: string;
  try {
    text = JSON.stringify(spec, (_, value: unknown) => finite(value));
  } catch (error) {
    throw error instanceof GrammarError ? error : new GrammarError("it is nested too deeply");
  }
  if (text.length > MAX_TEXT) throw new GrammarError("it is too large");
  return text;
}

/** A number too large for a double would be null as text. */
function finite(value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value))
    throw new GrammarError("it holds a number that is too large");
  return value;
}

export function buildGrammar(spec: GrammarSpec): Node {
  switch (spec.kind) {
    case "json":
      return compileSchema(spec.schema, spec);
    case "object":
      return anyObject(spec);
    case "regex":
      return parseRegex(spec.pattern);
    case "choice":
      return literals(spec.options);
    case "grammar":
      return isLark(spec.text) ? parseLark(spec.text) : parseEbnf(spec.text);
    case "tag":
      return compileStructuralTag(spec.tag, spec);
    case "tools":
      return buildTools(spec);
  }
}

function parametersOf(name: string, schema: Schema): Node {
  try {
    return compileSchema(schema);
  } catch (error) {
    if (!(error instanceof GrammarError)) throw error;
    throw new GrammarError(`${error.message} in the parameters of ${JSON.stringify(name)}`);
  }
}

const OPEN = "<tool_call>\n";
const CLOSE = "\n</tool_call>";

function buildTools(spec: ToolsSpec): Node {
  const key = spec.format === "list" ? "parameters" : "arguments";
  const call = alt(
    ...spec.tools.map(({ name, parameters }) =>
      seq(
        literal(`{"name": ${JSON.stringify(name)}, "${key}": `),
        parametersOf(name, parameters),
        literal("}"),
      ),
    ),
  );
  const most = (spec.maxCalls ?? Number.POSITIVE_INFINITY) - 1;
  if (spec.format === "list") {
    return seq(literal("["), call, repeat(seq(literal(", "), call), 0, most), literal("]"));
  }
  const tagged = seq(literal(OPEN), call, literal(CLOSE));
  if (spec.required) return seq(tagged, repeat(seq(literal("\n"), tagged), 0, most));
  const rest = seq(call, literal(CLOSE));
  return freeText([{ text: OPEN, after: (again) => seq(rest, most === 0 ? EMPTY : again) }], {
    mayEnd: true,
  });
}
