/**
 * Regular expressions (the ECMAScript syntax that JSON schema prescribes, and what
 * Python shares with it) to a grammar. What no automaton does is refused by name:
 * look-around, back-references, word boundaries, flags.
 */
import { codeOf, entryAt } from "../entry-at.ts";
import {
  ANY_CHAR,
  type CharSet,
  characters,
  charSet,
  complement,
  jsonCharacters,
} from "./characters.ts";
import { alt, GrammarError, many, type Node, repeat, seq } from "./grammar.ts";
import { unicodeProperty } from "./unicode.ts";

const DIGIT: CharSet = [[0x30, 0x39]];
const WORD: CharSet = charSet([
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
]);
const SPACE: CharSet = charSet([
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
]);
const LINE_ENDS: CharSet = charSet([
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
]);

const CLASSES: Readonly<Record<string, CharSet>> = {
  d: DIGIT,
  D: complement(DIGIT),
  w: WORD,
  W: complement(WORD),
  s: SPACE,
  S: complement(SPACE),
};

const CONTROLS: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, "0": 0 };

const MAX_COUNT = 100_000;

const LINE: CharSet = complement(LINE_ENDS);

export interface RegexOptions {
  /** Characters are written as in a JSON string (without its quotes). */
  readonly json?: boolean;
  /** The pattern may match anywhere, unless anchored; otherwise it must match the whole. */
  readonly search?: boolean;
  /** Letters stand for both their cases. */
  readonly caseless?: boolean;
  /** A point takes line ends too. */
  readonly dotAll?: boolean;
}

/** What is matched, and where a text must begin or end. */
type Piece = Node | "^" | "$";
type Line = readonly Piece[];

/** Alternatives that groups with anchors are spread to. */
const MAX_LINES = 256;

export function parseRegex(source: string, options: RegexOptions = {}): Node {
  return new RegexParser(source, options).parse();
}

/** Reads from left to right; each method leaves `#at` behind what it read. */
class RegexParser {
  readonly #source: string;
  readonly #search: boolean;
  readonly #encode: (set: CharSet) => Node;
  readonly #anything: Node;
  readonly #caseless: boolean;
  readonly #point: CharSet;
  readonly #chars: readonly string[];
  #at = 0;

  constructor(source: string, options: RegexOptions) {
    this.#source = source;
    this.#caseless = options.caseless === true;
    this.#point = options.dotAll === true ? ANY_CHAR : LINE;
    this.#search = options.search === true;
    this.#encode = options.json === true ? jsonCharacters : characters;
    this.#anything = many(this.#encode(ANY_CHAR));
    this.#chars = Array.from(source);
  }

  parse(): Node {
    const lines = this.#alternatives(0);
    if (this.#at < this.#chars.length) this.#refuse("a ) that was never opened");
    const whole = lines.map((line) => this.#whole(line));
    if (whole.every((line) => line === undefined))
      this.#refuse("an anchor in its middle: it matches nothing");
    return alt(...whole.filter((line) => line !== undefined));
  }

  #cased(set: CharSet): CharSet {
    return this.#caseless ? caseless(set) : set;
  }

  #peek(): string | undefined {
    return this.#chars[this.#at];
  }

  #refuse(what: string): never {
    throw new GrammarError(`the pattern ${JSON.stringify(this.#source)} has ${what}`);
  }

  #alternatives(depth: number): readonly Line[] {
    if (depth > 200) this.#refuse("too deep a nesting");
    const lines = [...this.#sequence(depth)];
    while (this.#peek() === "|") {
      this.#at++;
      lines.push(...this.#sequence(depth));
    }
    return lines;
  }

  /** One line, or several where a group with anchors stands in it. */
  #sequence(depth: number): readonly Line[] {
    let lines: Piece[][] = [[]];
    while (this.#at < this.#chars.length && this.#peek() !== "|" && this.#peek() !== ")") {
      const next = this.#piece(depth);
      lines =
        next.length === 1
          ? lines.map((line) => append(line, next[0] ?? []))
          : lines.flatMap((line) => next.map((one) => [...line, ...one]));
      if (lines.length > MAX_LINES) this.#refuse("anchors in too many alternatives");
    }
    return lines;
  }

  #piece(depth: number): readonly Line[] {
    const char = this.#peek();
    if (char === "^" || char === "$") {
      this.#at++;
      return [[char]];
    }
    if (char !== "(") return [[this.#quantified(this.#atom())]];
    this.#at++;
    const lines = this.#group(depth);
    if (!lines.some((line) => line.some(isAnchor))) {
      return [[this.#quantified(alt(...lines.map((line) => seq(...line.filter(isNode)))))]];
    }
    if (this.#bounds() !== undefined) this.#refuse("an anchor in a group that is repeated");
    return lines;
  }

  /** Undefined: what stands before a begin, or behind an end, cannot be empty. */
  #whole(line: Line): Node | undefined {
    const from = line.lastIndexOf("^");
    const end = line.indexOf("$");
    const to = end < 0 ? line.length : end;
    const outside = [...line.slice(0, Math.max(from, 0)), ...line.slice(to)].filter(isNode);
    if (!outside.every(isNullable)) return undefined;
    const items = line.slice(from + 1, to).filter(isNode);
    if (!this.#search) return seq(...items);
    return seq(
      ...(from >= 0 ? [] : [this.#anything]),
      ...items,
      ...(end >= 0 ? [] : [this.#anything]),
    );
  }

  #quantified(item: Node): Node {
    const range = this.#bounds();
    if (range === undefined) return item;
    // Lazy or not is a matter of what is captured, not of what is matched.
    if (this.#peek() === "?") this.#at++;
    else if (this.#peek() === "+") this.#refuse("a possessive quantifier, which is not supported");
    if (this.#bounds() !== undefined) this.#refuse("nothing to repeat");
    return repeat(item, range[0], range[1]);
  }

  #bounds(): readonly [number, number] | undefined {
    const char = this.#peek();
    if (char === "*" || char === "+" || char === "?") {
      this.#at++;
      return [char === "+" ? 1 : 0, char === "?" ? 1 : Number.POSITIVE_INFINITY];
    }
    if (char !== "{") return undefined;
    const end = this.#chars.indexOf("}", this.#at);
    const found = /^(\d+)(,)?(\d+)?$/.exec(
      this.#chars.slice(this.#at + 1, end < 0 ? this.#at : end).join(""),
    );
    if (found === null) return undefined;
    this.#at = end + 1;
    const min = Number(found[1]);
    const max =
      found[2] === undefined
        ? min
        : found[3] === undefined
          ? Number.POSITIVE_INFINITY
          : Number(found[3]);
    if (max < min || min > MAX_COUNT) this.#refuse("a count out of range");
    return [min, max];
  }

  #atom(): Node {
    const char = entryAt(this.#chars, this.#at++);
    if (char === "[") return this.#encode(this.#bracket());
    if (char === ".") return this.#encode(this.#point);
    if (char === "\\") return this.#encode(this.#escaped(false));
    if ("*+?".includes(char)) return this.#refuse("nothing to repeat");
    return this.#encode(this.#cased([one(char)]));
  }

  /** Behind its bracket. */
  #group(depth: number): readonly Line[] {
    if (this.#peek() === "?") {
      const kind = this.#chars.slice(this.#at + 1, this.#at + 3).join("");
      if (kind.startsWith(":")) this.#at += 2;
      else if (/^(P?<[A-Za-z_])/.test(this.#chars.slice(this.#at + 1, this.#at + 4).join("")))
        this.#at = this.#chars.indexOf(">", this.#at) + 1;
      else this.#refuse("a look-around or an inline flag, which is not supported");
    }
    const inner = this.#alternatives(depth + 1);
    if (this.#chars[this.#at++] !== ")") this.#refuse("a group that is never closed");
    return inner;
  }

  #escaped(inClass: boolean): CharSet {
    const letter = this.#chars[this.#at++];
    if (letter === undefined) return this.#refuse("a backslash at its end");
    const set = CLASSES[letter];
    if (set !== undefined) return set;
    const control = CONTROLS[letter];
    if (control !== undefined) return [[control, control]];
    if (letter === "x" || letter === "u") return this.#codePoint(letter);
    if (letter === "c" && /[A-Za-z]/.test(this.#peek() ?? "")) {
      const code = codeOf(entryAt(this.#chars, this.#at++)) % 32;
      return [[code, code]];
    }
    if (inClass && letter === "b") return [[8, 8]];
    if (/[1-9k]/.test(letter)) return this.#refuse("a back-reference, which is not supported");
    if (/[bBAzZ]/.test(letter)) return this.#refuse(`\\${letter}, which is not supported`);
    if (letter === "p" || letter === "P") return this.#property(letter);
    return [one(letter)];
  }

  #property(letter: string): CharSet {
    const rest = this.#chars.slice(this.#at, this.#at + 64).join("");
    const found = /^\{([^}]*)\}/.exec(rest);
    const set = found === null ? undefined : unicodeProperty(entryAt(found, 1));
    if (found === null || set === undefined) return this.#refuse("an unknown Unicode property");
    this.#at += found[0].length;
    return letter === "p" ? set : complement(set);
  }

  #codePoint(letter: string): CharSet {
    const rest = this.#chars.slice(this.#at, this.#at + 10).join("");
    const found =
      letter === "x"
        ? /^[0-9a-fA-F]{2}/.exec(rest)
        : /^(?:[0-9a-fA-F]{4}|\{[0-9a-fA-F]+\})/.exec(rest);
    if (found === null) return this.#refuse(`a bad \\${letter} escape`);
    this.#at += found[0].length;
    const code = Number.parseInt(found[0].replace(/[{}]/g, ""), 16);
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
      this.#refuse(`a bad \\${letter} escape`);
    return [[code, code]];
  }

  #bracket(): CharSet {
    const negated = this.#peek() === "^";
    if (negated) this.#at++;
    const ranges: (readonly [number, number])[] = [];
    while (this.#peek() !== "]") {
      if (this.#at >= this.#chars.length) this.#refuse("a [ that is never closed");
      const low = this.#member();
      if (
        this.#peek() !== "-" ||
        this.#chars[this.#at + 1] === "]" ||
        this.#chars[this.#at + 1] === undefined
      ) {
        ranges.push(...low);
        continue;
      }
      this.#at++;
      const high = this.#member();
      const from = single(low);
      const to = single(high);
      if (from === undefined || to === undefined) ranges.push(...low, [0x2d, 0x2d], ...high);
      else if (to < from) this.#refuse("a reversed range");
      else ranges.push([from, to]);
    }
    this.#at++;
    const set = this.#cased(charSet(ranges));
    return negated ? complement(set) : set;
  }

  #member(): CharSet {
    const char = entryAt(this.#chars, this.#at++);
    return char === "\\" ? this.#escaped(true) : [one(char)];
  }
}

const isAnchor = (piece: Piece): piece is "^" | "$" => piece === "^" || piece === "$";
const isNode = (piece: Piece): piece is Node => !isAnchor(piece);

function append(line: Piece[], pieces: Line): Piece[] {
  line.push(...pieces);
  return line;
}

/** Of what a pattern is made of: without rules. */
function isNullable(node: Node): boolean {
  if (node.kind === "seq") return node.items.every(isNullable);
  if (node.kind === "alt") return node.options.some(isNullable);
  return node.kind === "repeat" && (node.min === 0 || isNullable(node.item));
}

function one(char: string): readonly [number, number] {
  const code = codeOf(char);
  return [code, code];
}

function single(set: CharSet): number | undefined {
  const [first, second] = set;
  return second === undefined && first !== undefined && first[0] === first[1]
    ? first[0]
    : undefined;
}

/** No letter with a case stands behind this. */
const LAST_CASED = 0x1ffff;

/** The set with both cases of its letters, as far as they are one character each. */
export function caseless(set: CharSet): CharSet {
  const others: [number, number][] = [];
  for (const [low, high] of charSet(set)) {
    for (let code = low; code <= Math.min(high, LAST_CASED); code++) {
      const char = String.fromCodePoint(code);
      for (const other of [char.toLowerCase(), char.toUpperCase()]) {
        const only = codeOf(other);
        if (only !== code && String.fromCodePoint(only) === other) others.push([only, only]);
      }
    }
  }
  return others.length === 0 ? set : charSet([...set, ...others]);
}
