/** Unicode properties as sets of characters, as this Node's own tables have them. */
import { type CharSet, charSet } from "./characters.ts";

const known = new Map<string, CharSet | undefined>();
const CHUNK = 0x4000;
const MAX_CODE_POINT = 0x10ffff;

/** `L`, `Script=Greek`, …, as between the braces of `\p{…}`; undefined: there is no such property. */
export function unicodeProperty(name: string): CharSet | undefined {
  if (!known.has(name)) known.set(name, scan(name));
  return known.get(name);
}

function scan(name: string): CharSet | undefined {
  if (!/^\w+(?:=\w+)?$/.test(name)) return undefined;
  let runs: RegExp;
  try {
    runs = new RegExp(`\\p{${name}}+`, "gu");
  } catch {
    return undefined;
  }
  const found: [number, number][] = [];
  for (let from = 0; from <= MAX_CODE_POINT; from += CHUNK) {
    const codes = Array.from({ length: CHUNK }, (_, i) => from + i);
    // Halves of pairs are no characters: a blank keeps their places.
    const surrogate = (code: number) => code >= 0xd800 && code <= 0xdfff;
    const text = String.fromCodePoint(...codes.map((code) => (surrogate(code) ? 0x20 : code)));
    for (const { 0: run, index } of text.matchAll(runs)) {
      const units = from > 0xffff ? 2 : 1;
      const first = from + index / units;
      found.push([first, first + run.length / units - 1]);
    }
  }
  const real = found.filter(([low, high]) => high < 0xd800 || low > 0xdfff);
  return charSet(real);
}
