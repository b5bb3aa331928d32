/** Sets of characters as byte grammars: ranges of code points become UTF-8. */
import { entryAt } from "../entry-at.ts";
import { alt, bytes, character, EMPTY, literal, type Node, seq } from "./grammar.ts";

/** Inclusive, sorted, without overlaps and without surrogates. */
export type CharSet = readonly (readonly [low: number, high: number])[];

const MAX_CODE_POINT = 0x10ffff;
const SURROGATES: readonly [number, number] = [0xd800, 0xdfff];

export function charSet(ranges: CharSet): CharSet {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  const merged: [number, number][] = [];
  for (const [low, high] of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else merged.push([low, high]);
  }
  return merged.flatMap(([low, high]): [number, number][] => {
    if (high < SURROGATES[0] || low > SURROGATES[1]) return [[low, high]];
    const parts: [number, number][] = [
      [low, SURROGATES[0] - 1],
      [SURROGATES[1] + 1, high],
    ];
    return parts.filter(([from, to]) => from <= to);
  });
}

export function complement(set: CharSet): CharSet {
  const gaps: [number, number][] = [];
  let from = 0;
  for (const [low, high] of charSet(set)) {
    if (from < low) gaps.push([from, low - 1]);
    from = high + 1;
  }
  if (from <= MAX_CODE_POINT) gaps.push([from, MAX_CODE_POINT]);
  return charSet(gaps);
}

export const minus = (set: CharSet, without: CharSet): CharSet =>
  complement([...complement(set), ...without]);

export const ANY_CHAR: CharSet = charSet([[0, MAX_CODE_POINT]]);

/** First code points of each UTF-8 length. */
const LENGTH_STARTS = [0, 0x80, 0x800, 0x10000] as const;

type Run = readonly (readonly [low: number, high: number])[];

/** One character of the set, as UTF-8. */
export function characters(set: CharSet): Node {
  const runs: Run[] = [];
  for (const [low, high] of charSet(set)) {
    for (let length = 1; length <= 4; length++) {
      const from = Math.max(low, entryAt(LENGTH_STARTS, length - 1));
      const to = Math.min(high, (LENGTH_STARTS[length] ?? MAX_CODE_POINT + 1) - 1);
      if (from <= to) runs.push(...sameLength(utf8(from), utf8(to)));
    }
  }
  return character(branches(runs).node);
}

/**
 * Runs of byte ranges as a tree: what begins alike is one branch, and branches that go
 * on alike are one, so that a state never holds more leaves than there are first bytes.
 */
function branches(runs: readonly Run[]): { readonly key: string; readonly node: Node } {
  const byFirst = new Map<string, { readonly first: Run[number]; readonly rests: Run[] }>();
  for (const [first, ...rest] of runs) {
    if (first === undefined) continue;
    const group = byFirst.get(first.join("-")) ?? { first, rests: [] };
    byFirst.set(first.join("-"), group);
    group.rests.push(rest);
  }
  const byRest = new Map<string, { readonly node: Node; readonly firsts: Run[number][] }>();
  for (const { first, rests } of byFirst.values()) {
    const rest = rests.every((one) => one.length === 0)
      ? { key: "", node: EMPTY }
      : branches(rests);
    const group = byRest.get(rest.key) ?? { node: rest.node, firsts: [] };
    byRest.set(rest.key, group);
    group.firsts.push(first);
  }
  const parts = [...byRest].map(([key, { node, firsts }]) => ({
    key: `${firsts.map((first) => first.join("-")).join(",")}(${key})`,
    node: seq(bytes(...firsts), node),
  }));
  return { key: parts.map((part) => part.key).join("|"), node: alt(...parts.map((p) => p.node)) };
}

function utf8(codePoint: number): readonly number[] {
  return [...new TextEncoder().encode(String.fromCodePoint(codePoint))];
}

/** Splits [from, to], both of one length, into runs of independent byte ranges. */
function sameLength(from: readonly number[], to: readonly number[]): [number, number][][] {
  const [low = 0, ...lowRest] = from;
  const [high = 0, ...highRest] = to;
  if (lowRest.length === 0) return [[[low, high]]];
  if (low === high) return sameLength(lowRest, highRest).map((run) => [[low, low], ...run]);
  const first = lowRest.map(() => 0x80);
  const last = lowRest.map(() => 0xbf);
  const runs: [number, number][][] = [];
  const wholeLow = lowRest.every((byte) => byte === 0x80) ? low : low + 1;
  const wholeHigh = highRest.every((byte) => byte === 0xbf) ? high : high - 1;
  if (wholeLow > low) runs.push(...sameLength([low, ...lowRest], [low, ...last]));
  if (wholeLow <= wholeHigh) {
    runs.push([[wholeLow, wholeHigh], ...first.map((): [number, number] => [0x80, 0xbf])]);
  }
  if (wholeHigh < high) runs.push(...sameLength([high, ...first], [high, ...highRest]));
  return runs;
}

/** What JSON may not hold raw inside a string. */
export const JSON_ESCAPED: CharSet = charSet([
  [0, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
]);

/** Classes are written again and again. */
const written = new WeakMap<CharSet, Node>();

/** One character of the set as it stands in a JSON string, escaped only where it must be. */
export function jsonCharacters(set: CharSet): Node {
  const known = written.get(set);
  if (known !== undefined) return known;
  const escaped = minus(set, complement(JSON_ESCAPED)).flatMap(([low, high]) =>
    Array.from({ length: high - low + 1 }, (_, i) => low + i),
  );
  const raw = minus(set, JSON_ESCAPED);
  const node = character(
    alt(
      ...(raw.length > 0 ? [characters(raw)] : []),
      ...escaped.map((code) => literal(JSON.stringify(String.fromCharCode(code)).slice(1, -1))),
    ),
  );
  written.set(set, node);
  return node;
}
