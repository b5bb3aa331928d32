/**
 * EBNF as GBNF and xgrammar write it, to a grammar:
 *
 *     root ::= "a" [b-z]+ (item | "x"){2,4}   # a comment
 *
 * A rule ends where the next `name ::=` begins. Escapes: \n \t \r \\ \" \] \- \xHH
 * \uHHHH \UHHHHHHHH. Not supported: look-ahead, subtraction.
 */
import { codeOf, entryAt } from "../entry-at.ts";
import { ANY_CHAR, type CharSet, characters, complement } from "./characters.ts";
import {
  alt,
  EMPTY,
  GrammarError,
  literal,
  type Node,
  type Rule,
  ref,
  repeat,
  seq,
} from "./grammar.ts";
import { unrecursed } from "./lark.ts";

type Token =
  | { readonly kind: "name" | "text" | "symbol"; readonly value: string }
  | { readonly kind: "class"; readonly set: CharSet }
  | { readonly kind: "count"; readonly min: number; readonly max: number };

const MAX_COUNT = 100_000;

export function parseEbnf(source: string, root = "root"): Node {
  return new EbnfParser(tokenize(source)).parse(root);
}

/** Reads from left to right; each method leaves `#at` behind what it read. */
class EbnfParser {
  readonly #tokens: readonly Token[];
  /** A rule may be named before it is defined. */
  readonly #rules = new Map<string, Rule>();
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(root: string): Node {
    while (this.#at < this.#tokens.length) this.#rule();
    for (const rule of this.#rules.values()) {
      if (rule.body === undefined) throw new GrammarError(`rule "${rule.name}" is not defined`);
    }
    const start = this.#rules.get(root);
    if (start === undefined) throw new GrammarError(`there is no rule "${root}"`);
    return ref(start);
  }

  #rule(): void {
    const name = this.#tokens[this.#at];
    if (!this.#startsRule() || name?.kind !== "name") {
      throw new GrammarError(`expected a rule, found ${JSON.stringify(show(name))}`);
    }
    this.#at += 2;
    const rule = this.#ruleOf(name.value);
    if (rule.body !== undefined) throw new GrammarError(`rule "${name.value}" is defined twice`);
    rule.body = unrecursed(rule, this.#alternatives(0));
    if (this.#symbol() === ")") throw new GrammarError('a ")" was never opened');
  }

  #ruleOf(name: string): Rule {
    let rule = this.#rules.get(name);
    if (rule === undefined) {
      rule = { name, body: undefined };
      this.#rules.set(name, rule);
    }
    return rule;
  }

  #symbol(offset = 0): string | undefined {
    const token = this.#tokens[this.#at + offset];
    return token?.kind === "symbol" ? token.value : undefined;
  }

  #startsRule(): boolean {
    return this.#tokens[this.#at]?.kind === "name" && this.#symbol(1) === "::=";
  }

  #alternatives(depth: number): Node {
    if (depth > 200) throw new GrammarError("parentheses are nested too deeply");
    const options = [this.#sequence(depth)];
    while (this.#symbol() === "|") {
      this.#at++;
      options.push(this.#sequence(depth));
    }
    return alt(...options);
  }

  #sequence(depth: number): Node {
    const items: Node[] = [];
    while (
      this.#at < this.#tokens.length &&
      !this.#startsRule() &&
      this.#symbol() !== "|" &&
      this.#symbol() !== ")"
    ) {
      items.push(this.#suffixed(this.#primary(depth)));
    }
    return items.length === 0 ? EMPTY : seq(...items);
  }

  #suffixed(start: Node): Node {
    let node = start;
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token?.kind === "count") node = repeat(node, token.min, token.max);
      else if (this.#symbol() === "*") node = repeat(node, 0, Number.POSITIVE_INFINITY);
      else if (this.#symbol() === "+") node = repeat(node, 1, Number.POSITIVE_INFINITY);
      else if (this.#symbol() === "?") node = repeat(node, 0, 1);
      else return node;
      this.#at++;
    }
  }

  #primary(depth: number): Node {
    const token = this.#tokens[this.#at++];
    if (token?.kind === "text") return literal(token.value);
    if (token?.kind === "class") return characters(token.set);
    if (token?.kind === "name") return ref(this.#ruleOf(token.value));
    if (token?.kind === "symbol" && token.value === ".") return characters(ANY_CHAR);
    if (token?.kind === "symbol" && token.value === "(") {
      const inner = this.#alternatives(depth + 1);
      if (this.#symbol() !== ")") throw new GrammarError('a "(" is never closed');
      this.#at++;
      return inner;
    }
    throw new GrammarError(
      `unexpected ${token === undefined ? "end" : JSON.stringify(show(token))}`,
    );
  }
}

function show(token: Token | undefined): string {
  if (token === undefined) return "";
  return "value" in token ? token.value : token.kind;
}

const SPACE = /\s/;
const NAME = /[A-Za-z_][A-Za-z0-9_.-]*/y;
const COUNT = /\{\s*(\d*)\s*(?:(,)\s*(\d*)\s*)?\}/y;

function tokenize(source: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(source);
    if (found !== null) at = pattern.lastIndex;
    return found;
  };
  while (at < source.length) {
    const char = source.charAt(at);
    if (SPACE.test(char)) at++;
    else if (char === "#") at = endOfLine(source, at);
    else if (source.startsWith("::=", at)) {
      tokens.push({ kind: "symbol", value: "::=" });
      at += 3;
    } else if (char === '"' || char === "'") {
      const end = scan(source, at + 1, char);
      tokens.push({
        kind: "text",
        value: String.fromCodePoint(...codes(source.slice(at + 1, end)).map(([c]) => c)),
      });
      at = end + 1;
    } else if (char === "[") {
      const end = scan(source, at + 1, "]");
      tokens.push({ kind: "class", set: classOf(source.slice(at + 1, end)) });
      at = end + 1;
    } else if (char === "{") {
      const found = match(COUNT);
      if (found === null || (found[1] === "" && !found[3])) {
        throw new GrammarError('after "{" a count is expected, as in {2,4}');
      }
      const min = Number(found[1] || 0);
      const max =
        found[2] === undefined ? min : found[3] ? Number(found[3]) : Number.POSITIVE_INFINITY;
      if (min > MAX_COUNT || max < min)
        throw new GrammarError(`the count ${found[0]} is out of range`);
      tokens.push({ kind: "count", min, max });
    } else if ("|()*+?.".includes(char)) {
      if (source.startsWith("(=", at)) throw new GrammarError("look-ahead is not supported");
      tokens.push({ kind: "symbol", value: char });
      at++;
    } else {
      const name = match(NAME);
      if (name === null) throw new GrammarError(`unexpected ${JSON.stringify(char)}`);
      tokens.push({ kind: "name", value: name[0] });
    }
  }
  return tokens;
}

function endOfLine(source: string, at: number): number {
  const end = source.indexOf("\n", at);
  return end < 0 ? source.length : end;
}

/** Index of the closing character, escapes skipped. */
function scan(source: string, start: number, close: string): number {
  for (let i = start; i < source.length; i++) {
    if (source[i] === "\\") i++;
    else if (source[i] === close) return i;
  }
  throw new GrammarError(`a ${close === "]" ? "[" : close} is never closed`);
}

const NAMED: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  b: "\b",
  f: "\f",
  v: "\v",
  "0": "\0",
};
const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** Code points; the flag says whether it was escaped. */
function codes(text: string): [code: number, escaped: boolean][] {
  const out: [number, boolean][] = [];
  for (let i = 0; i < text.length; ) {
    if (text[i] !== "\\") {
      const code = codeOf(text.slice(i, i + 2));
      out.push([code, false]);
      i += code > 0xffff ? 2 : 1;
      continue;
    }
    const letter = text.charAt(i + 1);
    const digits = HEX_DIGITS[letter];
    if (digits !== undefined) {
      const hex = text.slice(i + 2, i + 2 + digits);
      const code = Number.parseInt(hex, 16);
      if (!/^[0-9a-fA-F]+$/.test(hex) || hex.length !== digits || code > 0x10ffff) {
        throw new GrammarError(`bad escape \\${letter}${hex}`);
      }
      out.push([code, true]);
      i += 2 + digits;
    } else {
      out.push([codeOf(NAMED[letter] ?? letter), true]);
      i += 2;
    }
  }
  return out;
}

function classOf(text: string): CharSet {
  const negated = text.startsWith("^");
  const list = codes(negated ? text.slice(1) : text);
  const ranges: [number, number][] = [];
  for (let i = 0; i < list.length; i++) {
    const [low] = entryAt(list, i);
    const [, dash, upper] = list.slice(i, i + 3);
    if (upper !== undefined && dash?.[0] === 0x2d && !dash[1]) {
      if (upper[0] < low) throw new GrammarError(`the range in [${text}] is reversed`);
      ranges.push([low, upper[0]]);
      i += 2;
    } else ranges.push([low, low]);
  }
  return negated ? complement(ranges) : ranges;
}
