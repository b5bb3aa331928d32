/** A Lark grammar's text as tokens. */
import { GrammarError } from "./grammar.ts";
import { isObject, type Schema } from "./schema/flat.ts";

export type Token =
  | { readonly kind: "name" | "directive" | "symbol" | "number"; readonly value: string }
  | { readonly kind: "text"; readonly value: string; readonly flags: string }
  | { readonly kind: "regex"; readonly value: string; readonly flags: string }
  | { readonly kind: "schema"; readonly schema: Schema }
  | { readonly kind: "line" };

export function show(token: Token): string {
  if (token.kind === "line") return "the end of a line";
  return "value" in token ? JSON.stringify(token.value) : "%json";
}

type Maker = (found: RegExpExecArray) => Token | undefined;

/** Tried in this order where the last token ended. */
const KINDS: readonly (readonly [RegExp, Maker])[] = [
  // A break counts only before what is no alternative; blanks, comments and escaped breaks not at all.
  [/(?:[ \t\r\f]|\\\r?\n|\/\/[^\n]*|#[^\n]*)+/y, () => undefined],
  [/\n/y, () => ({ kind: "line" })],
  [/%([a-z]+)/y, ([, value = ""]) => ({ kind: "directive", value })],
  [/[A-Za-z_]\w*/y, ([value]) => ({ kind: "name", value })],
  [/-?\d+/y, ([value]) => ({ kind: "number", value })],
  [
    /("(?:[^"\\\n]|\\.)*")([a-z]*)/y,
    ([, text = "", flags = ""]) => ({ kind: "text", value: unquoted(text), flags }),
  ],
  [
    /\/((?:[^/\\\n]|\\.)+)\/([a-z]*)/y,
    ([, value = "", flags = ""]) => ({ kind: "regex", value: value.replaceAll("\\/", "/"), flags }),
  ],
  [/->|\.\.|[:|()[\]{}?*+~.,!]/y, ([value]) => ({ kind: "symbol", value })],
];

export function larkTokens(source: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < source.length) {
    const found = KINDS.map(([pattern, make]) => {
      pattern.lastIndex = at;
      const match = pattern.exec(source);
      return match && { length: match[0].length, token: make(match) };
    }).find((one) => one !== null);
    if (!found) throw new GrammarError(`unexpected ${JSON.stringify(source.slice(at, at + 12))}`);
    at += found.length;
    const { token } = found;
    if (token?.kind === "directive" && token.value === "json") {
      const end = endOfObject(source, at);
      tokens.push({ kind: "schema", schema: schemaOf(source.slice(at, end)) });
      at = end;
    } else if (token !== undefined && (token.kind !== "line" || tokens.at(-1)?.kind !== "line"))
      tokens.push(token);
  }
  return tokens;
}

/** Behind the brace that closes the object which begins at or after `from`. */
function endOfObject(source: string, from: number): number {
  const parts = /"(?:[^"\\]|\\.)*"|[{}]/gs;
  parts.lastIndex = from;
  let depth = 0;
  for (let part = parts.exec(source); part !== null; part = parts.exec(source)) {
    if (part[0] === "{") depth++;
    else if (part[0] === "}" && --depth <= 0) return parts.lastIndex;
  }
  throw new GrammarError("the object of %json is never closed");
}

function schemaOf(text: string): Schema {
  let schema: unknown;
  try {
    schema = JSON.parse(text);
  } catch {
    // Told below, as for any other text.
  }
  if (!isObject(schema)) throw new GrammarError("%json needs a JSON schema: {…}");
  return schema;
}

/** Escapes as Python writes them; any other backslash stands for itself. */
function unquoted(text: string): string {
  return text
    .slice(1, -1)
    .replace(
      /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/gs,
      (
        whole,
        x: string | undefined,
        u: string | undefined,
        long: string | undefined,
        letter: string,
      ) => {
        const code = x ?? u ?? long;
        if (code !== undefined) return fromCode(Number.parseInt(code, 16));
        return ESCAPES[letter] ?? whole;
      },
    );
}

function fromCode(code: number): string {
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
    throw new GrammarError(`U+${code.toString(16)} is no character`);
  return String.fromCodePoint(code);
}

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ n: "\n", r: "\r", t: "\t", f: "\f", v: "\v", a: "\x07", b: "\b", "0": "\0" },
  ...{ '"': '"', "'": "'", "\\": "\\" },
};
