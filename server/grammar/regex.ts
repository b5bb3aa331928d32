/**
 * Regular expressions (the ECMAScript syntax that JSON schema prescribes, and what
 * Python shares with it) to a grammar. What no automaton does is refused by name:
 * look-around, back-references, word boundaries, Unicode properties, flags.
 */
import {
  ANY_CHAR,
  type CharSet,
  characters,
  charSet,
  complement,
  jsonCharacters,
} from "./characters.ts";
import { alt, EMPTY, GrammarError, many, type Node, repeat, seq } from "./grammar.ts";

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

export interface RegexOptions {
  /** Characters are written as in a JSON string (without its quotes). */
  readonly json?: boolean;
  /** The pattern may match anywhere, unless anchored; otherwise it must match the whole. */
  readonly search?: boolean;
}

export function parseRegex(source: string, options: RegexOptions = {}): Node {
  const encode = options.json === true ? jsonCharacters : characters;
  const chars = Array.from(source);
  const anything = many(encode(ANY_CHAR));
  let at = 0;

  const refuse = (what: string): never => {
    throw new GrammarError(`the pattern ${JSON.stringify(source)} has ${what}`);
  };

  /** Only the outermost alternatives may carry anchors. */
  const alternatives = (depth: number): Node => {
    if (depth > 200) refuse("too deep a nesting");
    const parts = [sequence(depth)];
    while (chars[at] === "|") {
      at++;
      parts.push(sequence(depth));
    }
    return alt(...parts);
  };
  const sequence = (depth: number): Node => {
    const items: Node[] = [];
    let starts = false;
    let ends = false;
    while (at < chars.length && chars[at] !== "|" && chars[at] !== ")") {
      if (chars[at] === "^") {
        if (depth > 0 || items.length > 0)
          refuse("an anchor in its middle, which is not supported");
        at++;
        starts = true;
      } else if (chars[at] === "$") {
        at++;
        const over = at >= chars.length || chars[at] === "|";
        if (depth > 0 || !over) refuse("an anchor in its middle, which is not supported");
        ends = true;
      } else items.push(quantified(atom(depth)));
    }
    if (depth > 0 || options.search !== true) return seq(...items);
    return seq(...(starts ? [] : [anything]), ...items, ...(ends ? [] : [anything]));
  };
  const quantified = (item: Node): Node => {
    const range = bounds();
    if (range === undefined) return item;
    // Lazy or not is a matter of what is captured, not of what is matched.
    if (chars[at] === "?") at++;
    else if (chars[at] === "+") refuse("a possessive quantifier, which is not supported");
    if (bounds() !== undefined) refuse("nothing to repeat");
    return repeat(item, range[0], range[1]);
  };
  const bounds = (): readonly [number, number] | undefined => {
    const char = chars[at];
    if (char === "*" || char === "+" || char === "?") {
      at++;
      return [char === "+" ? 1 : 0, char === "?" ? 1 : Number.POSITIVE_INFINITY];
    }
    if (char !== "{") return undefined;
    const end = chars.indexOf("}", at);
    const found = /^(\d+)(,)?(\d+)?$/.exec(chars.slice(at + 1, end < 0 ? at : end).join(""));
    if (found === null) return undefined;
    at = end + 1;
    const min = Number(found[1]);
    const max =
      found[2] === undefined
        ? min
        : found[3] === undefined
          ? Number.POSITIVE_INFINITY
          : Number(found[3]);
    if (max < min || min > MAX_COUNT) refuse("a count out of range");
    return [min, max];
  };
  const atom = (depth: number): Node => {
    const char = chars[at++] ?? "";
    if (char === "(") return group(depth);
    if (char === "[") return encode(bracket());
    if (char === ".") return encode(complement(LINE_ENDS));
    if (char === "\\") return encode(escaped(false));
    if ("*+?".includes(char)) return refuse("nothing to repeat");
    return encode([one(char)]);
  };
  const group = (depth: number): Node => {
    if (chars[at] === "?") {
      const kind = chars.slice(at + 1, at + 3).join("");
      if (kind.startsWith(":")) at += 2;
      else if (/^(P?<[A-Za-z_])/.test(chars.slice(at + 1, at + 4).join("")))
        at = chars.indexOf(">", at) + 1;
      else refuse("a look-around or an inline flag, which is not supported");
    }
    const inner = alternatives(depth + 1);
    if (chars[at++] !== ")") refuse("a group that is never closed");
    return inner;
  };
  const escaped = (inClass: boolean): CharSet => {
    const letter = chars[at++];
    if (letter === undefined) return refuse("a backslash at its end");
    const set = CLASSES[letter];
    if (set !== undefined) return set;
    const control = CONTROLS[letter];
    if (control !== undefined) return [[control, control]];
    if (letter === "x" || letter === "u") return codePoint(letter);
    if (letter === "c" && /[A-Za-z]/.test(chars[at] ?? "")) {
      const code = (chars[at++] ?? "").charCodeAt(0) % 32;
      return [[code, code]];
    }
    if (inClass && letter === "b") return [[8, 8]];
    if (/[1-9k]/.test(letter)) return refuse("a back-reference, which is not supported");
    if (/[bBAzZ]/.test(letter)) return refuse(`\\${letter}, which is not supported`);
    if (/[pP]/.test(letter)) return refuse("a Unicode property, which is not supported");
    return [one(letter)];
  };
  const codePoint = (letter: string): CharSet => {
    const rest = chars.slice(at, at + 10).join("");
    const found =
      letter === "x"
        ? /^[0-9a-fA-F]{2}/.exec(rest)
        : /^(?:[0-9a-fA-F]{4}|\{[0-9a-fA-F]+\})/.exec(rest);
    if (found === null) return refuse(`a bad \\${letter} escape`);
    at += found[0].length;
    const code = Number.parseInt(found[0].replace(/[{}]/g, ""), 16);
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) refuse(`a bad \\${letter} escape`);
    return [[code, code]];
  };
  const bracket = (): CharSet => {
    const negated = chars[at] === "^";
    if (negated) at++;
    const ranges: (readonly [number, number])[] = [];
    while (chars[at] !== "]") {
      if (at >= chars.length) refuse("a [ that is never closed");
      const low = member();
      if (chars[at] !== "-" || chars[at + 1] === "]" || chars[at + 1] === undefined) {
        ranges.push(...low);
        continue;
      }
      at++;
      const high = member();
      const from = single(low);
      const to = single(high);
      if (from === undefined || to === undefined) ranges.push(...low, [0x2d, 0x2d], ...high);
      else if (to < from) refuse("a reversed range");
      else ranges.push([from, to]);
    }
    at++;
    return negated ? complement(ranges) : charSet(ranges);
  };
  const member = (): CharSet => {
    const char = chars[at++] ?? "";
    return char === "\\" ? escaped(true) : [one(char)];
  };

  const node = alternatives(0);
  if (at < chars.length) refuse("a ) that was never opened");
  return node === EMPTY ? EMPTY : node;
}

function one(char: string): readonly [number, number] {
  const code = char.codePointAt(0) ?? 0;
  return [code, code];
}

function single(set: CharSet): number | undefined {
  const [first, second] = set;
  return second === undefined && first !== undefined && first[0] === first[1]
    ? first[0]
    : undefined;
}
