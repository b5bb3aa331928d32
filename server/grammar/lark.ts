/**
 * Lark grammars to a grammar:
 *
 *     start: greeting ("," NAME)* "."     // a comment
 *     ?greeting: "hello"i | /hi+/
 *     NAME: ("a".."z")+
 *     %import common.WS
 *     %ignore WS
 *
 * Read without a lexer, as Lark's Earley parser with its dynamic lexer does: a text is
 * taken where some split into terminals is. Whether a rule's tree is inlined (?, !, _,
 * an alias, a priority) does not matter here. Beside Lark's own, `%json {…}` stands for
 * values of a schema and `%regex {…}` is refused.
 */
import { codeOf } from "../entry-at.ts";
import { type CharSet, characters } from "./characters.ts";
import {
  alt,
  EMPTY,
  GrammarError,
  many,
  type Node,
  optional,
  type Rule,
  ref,
  repeat,
  seq,
} from "./grammar.ts";
import { COMMON } from "./lark-common.ts";
import { larkTokens, show, type Token } from "./lark-tokens.ts";
import { caseless, parseRegex } from "./regex.ts";
import { compileSchema } from "./schema/compile.ts";

const MAX_COUNT = 100_000;
const MAX_DEPTH = 200;

/** `name: …`, `?name.2: …`, `NAME: /…/` or `%import …` at the begin of a line, and no `::=`. */
export function isLark(source: string): boolean {
  return (
    !source.includes("::=") &&
    /^[ \t]*(?:[?!]*[A-Za-z_]\w*(?:\.-?\d+)?[ \t]*:|%[a-z]+[ \t])/m.test(source)
  );
}

export function parseLark(source: string): Node {
  return new LarkParser(larkTokens(source)).parse();
}

/** Upper case, after an underscore perhaps. */
const isTerminal = (name: string): boolean => /^_?[A-Z]/.test(name);

class LarkParser {
  readonly #tokens: readonly Token[];
  readonly #rules = new Map<string, Rule>();
  readonly #ignored: Node[] = [];
  /** What may stand behind a terminal of a rule: known when all was read. */
  readonly #gap: Rule = { name: "%ignore", body: undefined };
  #at = 0;
  /** Inside the definition of a terminal, where nothing is ignored. */
  #inTerminal = false;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): Node {
    while (this.#at < this.#tokens.length) this.#statement();
    for (const { name, body } of this.#rules.values())
      if (body === undefined) throw new GrammarError(`"${name}" is not defined`);
    const start = this.#rules.get("start");
    if (start === undefined) throw new GrammarError('there is no rule "start"');
    this.#gap.body = this.#ignored.length === 0 ? EMPTY : many(alt(...this.#ignored));
    return seq(ref(this.#gap), ref(start));
  }

  #statement(): void {
    let token = this.#next();
    if (token.kind === "line") return;
    if (token.kind === "directive") {
      this.#directive(token.value);
      return;
    }
    while (token.kind === "symbol" && "?!".includes(token.value)) token = this.#next();
    if (token.kind !== "name") throw new GrammarError(`expected a rule, found ${show(token)}`);
    const name = token.value;
    if (this.#takes("{")) throw new GrammarError(`"${name}" is a template, which is not supported`);
    if (this.#takes(".")) this.#next();
    if (!this.#takes(":")) throw new GrammarError(`expected ":" after "${name}"`);
    this.#define(name);
  }

  #define(name: string): void {
    const rule = this.#ruleOf(name);
    if (rule.body !== undefined) throw new GrammarError(`"${name}" is defined twice`);
    this.#inTerminal = isTerminal(name);
    rule.body = unrecursed(rule, this.#alternatives(0));
    const after = this.#tokens[this.#at];
    if (after !== undefined && after.kind !== "line")
      throw new GrammarError(`unexpected ${show(after)} in "${name}"`);
  }

  #directive(name: string): void {
    if (name === "ignore") {
      this.#inTerminal = true;
      this.#ignored.push(this.#alternatives(0));
    } else if (name === "import") this.#import();
    else throw new GrammarError(`%${name} is not supported`);
  }

  /** `common.NAME`, `common.NAME -> OTHER` or `common (NAME, OTHER)`. */
  #import(): void {
    const from = this.#word();
    if (from !== "common")
      throw new GrammarError(`%import of "${from}" is not supported, only of common`);
    if (this.#takes("(")) {
      do this.#common(this.#word());
      while (this.#takes(","));
      if (!this.#takes(")")) throw new GrammarError('a "(" of %import is never closed');
      return;
    }
    if (!this.#takes(".")) throw new GrammarError("expected a name after %import common");
    const name = this.#word();
    this.#common(name, this.#takes("->") ? this.#word() : name);
  }

  #common(name: string, as = name): void {
    const pattern = Object.hasOwn(COMMON, name) ? COMMON[name] : undefined;
    if (pattern === undefined) throw new GrammarError(`common.${name} is unknown`);
    this.#ruleOf(as).body = parseRegex(pattern);
  }

  #alternatives(depth: number): Node {
    if (depth > MAX_DEPTH) throw new GrammarError("parentheses are nested too deeply");
    const options = [this.#sequence(depth)];
    for (;;) {
      // A line may begin with the next alternative.
      const lines = this.#tokens[this.#at]?.kind === "line" ? 1 : 0;
      const bar = this.#tokens[this.#at + lines];
      if (bar?.kind !== "symbol" || bar.value !== "|") return alt(...options);
      this.#at += lines + 1;
      options.push(this.#sequence(depth));
    }
  }

  #sequence(depth: number): Node {
    const items: Node[] = [];
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token === undefined || token.kind === "line") break;
      if (token.kind === "symbol" && "|)]".includes(token.value)) break;
      if (token.kind === "symbol" && token.value === "->") {
        this.#at++;
        this.#word();
        break;
      }
      items.push(this.#suffixed(this.#atom(depth)));
    }
    return seq(...items);
  }

  #suffixed(item: Node): Node {
    if (this.#takes("?")) return optional(item);
    if (this.#takes("*")) return many(item);
    if (this.#takes("+")) return repeat(item, 1, Number.POSITIVE_INFINITY);
    if (!this.#takes("~")) return item;
    const min = this.#count();
    const max = this.#takes("..") ? this.#count() : min;
    if (max < min) throw new GrammarError(`the count ${min}..${max} is empty`);
    return repeat(item, min, max);
  }

  #atom(depth: number): Node {
    const token = this.#next();
    switch (token.kind) {
      case "text":
        return this.#takes("..") ? this.#range(token) : this.#terminal(textNode(token));
      case "regex":
        return this.#terminal(parseRegex(token.value, flagsOf(token.flags)));
      case "name":
        return isTerminal(token.value)
          ? this.#terminal(ref(this.#ruleOf(token.value)))
          : this.#rule(token.value);
      case "schema":
        return this.#terminal(compileSchema(token.schema));
      case "symbol": {
        const close = token.value === "(" ? ")" : token.value === "[" ? "]" : undefined;
        if (close === undefined) break;
        const inner = this.#alternatives(depth + 1);
        if (!this.#takes(close)) throw new GrammarError(`a "${token.value}" is never closed`);
        return close === ")" ? inner : optional(inner);
      }
    }
    throw new GrammarError(`unexpected ${show(token)}`);
  }

  #rule(name: string): Node {
    if (this.#inTerminal) throw new GrammarError(`a terminal cannot be made of the rule "${name}"`);
    return ref(this.#ruleOf(name));
  }

  #range(first: Token & { readonly kind: "text" }): Node {
    const last = this.#next();
    const low = first.value.codePointAt(0);
    const high = last.kind === "text" ? last.value.codePointAt(0) : undefined;
    if (low === undefined || high === undefined || high < low)
      throw new GrammarError(`the range from ${show(first)} is not one of characters`);
    return this.#terminal(characters([[low, high]]));
  }

  #terminal(node: Node): Node {
    return this.#inTerminal ? node : seq(node, ref(this.#gap));
  }

  #count(): number {
    const token = this.#next();
    const count = token.kind === "number" ? Number(token.value) : Number.NaN;
    if (!(count <= MAX_COUNT)) throw new GrammarError(`expected a count, found ${show(token)}`);
    return count;
  }

  #word(): string {
    const token = this.#next();
    if (token.kind !== "name") throw new GrammarError(`expected a name, found ${show(token)}`);
    return token.value;
  }

  #takes(symbol: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.kind !== "symbol" || token.value !== symbol) return false;
    this.#at++;
    return true;
  }

  #next(): Token {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new GrammarError("it ends too early");
    return token;
  }

  #ruleOf(name: string): Rule {
    const rule = this.#rules.get(name) ?? { name, body: undefined };
    this.#rules.set(name, rule);
    return rule;
  }
}

function textNode(token: Token & { readonly kind: "text" }): Node {
  const sets = Array.from(token.value, (char): CharSet => {
    const code = codeOf(char);
    const set: CharSet = [[code, code]];
    return token.flags.includes("i") ? caseless(set) : set;
  });
  return seq(...sets.map(characters));
}

function flagsOf(flags: string): { readonly caseless: boolean; readonly dotAll: boolean } {
  const unknown = /[^isu]/.exec(flags);
  if (unknown !== null)
    throw new GrammarError(`the flag "${unknown[0]}" of a pattern is not supported`);
  return { caseless: flags.includes("i"), dotAll: flags.includes("s") };
}

/** `a: b | a c` takes the texts of `b c*`: an automaton goes from left to right. */
export function unrecursed(rule: Rule, body: Node): Node {
  const options = body.kind === "alt" ? body.options : [body];
  const isSelf = (node: Node | undefined) => node?.kind === "rule" && node.rule === rule;
  const first = (option: Node) => (option.kind === "seq" ? option.items[0] : option);
  const tails = options.filter((option) => isSelf(first(option)));
  if (tails.length === 0) return body;
  const heads = options.filter((option) => !isSelf(first(option)));
  const rests = tails.flatMap((tail) =>
    tail.kind === "seq" && tail.items.length > 1 ? [seq(...tail.items.slice(1))] : [],
  );
  return seq(alt(...heads), many(alt(...rests)));
}
