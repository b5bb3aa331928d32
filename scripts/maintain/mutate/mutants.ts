/**
 * Faults to plant: places in a source file where one small change makes another
 * program. Found line by line in the formatter's way of writing; comments, imports,
 * types and strings are passed over.
 */

import { createHash } from "node:crypto";

export type Kind = "comparison" | "statement" | "off-by-one" | "condition";

export interface Mutant {
  /** From the repository's root. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly kind: Kind;
  /** The line as it is, and as it becomes. */
  readonly was: string;
  readonly becomes: string;
}

/** What a piece of a line may become; where several match, each is a mutant. */
const TURNS: readonly (readonly [Kind, RegExp, string])[] = [
  ["comparison", / === /g, " !== "],
  ["comparison", / !== /g, " === "],
  ["comparison", / < /g, " >= "],
  ["comparison", / > /g, " <= "],
  ["comparison", / <= /g, " > "],
  ["comparison", / >= /g, " < "],
  ["off-by-one", / < /g, " <= "],
  ["off-by-one", / > /g, " >= "],
  ["off-by-one", / <= /g, " < "],
  ["off-by-one", / >= /g, " > "],
  ["off-by-one", / \+ 1\b(?!\.)/g, ""],
  ["off-by-one", / - 1\b(?!\.)/g, ""],
  ["condition", / && /g, " || "],
  ["condition", / \|\| /g, " && "],
];

/** A call, an assignment or a jump that stands alone on its line. */
const STATEMENT =
  /^\s+(?:(?:this|[a-z]\w*)[\w.#?[\]]*(?:\(.*\)|(?: [-+*|&]?=|\+\+|--) ?.*)|[\w.#]+(?:\+\+|--)|continue|break);$/;

/** Lines that make no difference when they run: imports, types, comments, errors' texts. */
const IGNORED =
  /^\s*(?:\*|\/\/|\/\*|import\b|export (?:type|interface)|type\b|interface\b|readonly\b|throw new)|^\s*`|^\s*"/;

export function mutantsOf(file: string, source: string): Mutant[] {
  const found: Mutant[] = [];
  let inInterface = false;
  source.split("\n").forEach((was, index) => {
    if (/^(?:export )?(?:interface|type) .*[{=]$/.test(was)) inInterface = true;
    if (/^[})]|;$/.test(was) && inInterface && !was.startsWith(" ")) inInterface = false;
    if (inInterface || IGNORED.test(was)) return;
    const at = { file, line: index + 1, was };
    const code = blanked(was);
    for (const [kind, pattern, turned] of TURNS) {
      for (const match of code.matchAll(pattern)) {
        const begin = match.index;
        const becomes = was.slice(0, begin) + turned + was.slice(begin + match[0].length);
        found.push({ ...at, kind, becomes });
      }
    }
    if (STATEMENT.test(was)) found.push({ ...at, kind: "statement", becomes: "" });
  });
  return found;
}

/** The line with its strings, comments and type arguments blanked out, so that places stay. */
function blanked(line: string): string {
  const blank = (text: string): string => " ".repeat(text.length).replace(/ /g, "_");
  return line
    .replace(/"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`/g, blank)
    .replace(/\/\/.*$/, blank)
    .replace(/\/\*.*?\*\//g, blank);
}

/**
 * `count` of them by seed. Each has its own lot, drawn from its file, its line and what it
 * becomes: a change elsewhere leaves the others chosen as they were.
 */
export function choose(all: readonly Mutant[], count: number, seed: number): readonly Mutant[] {
  const seen = new Map<string, number>();
  const lots = all.map((mutant) => {
    const { file, was, becomes } = mutant;
    const name = JSON.stringify([seed, file, was, becomes]);
    const nth = seen.get(name) ?? 0; // lines that are alike
    seen.set(name, nth + 1);
    return { mutant, lot: createHash("sha256").update(`${name}${nth}`).digest("hex") };
  });
  return lots
    .sort((a, b) => (a.lot < b.lot ? -1 : 1))
    .slice(0, count)
    .map(({ mutant }) => mutant);
}

/** The whole source with the fault in it. */
export function planted(source: string, mutant: Mutant): string {
  const lines = source.split("\n");
  if (lines[mutant.line - 1] !== mutant.was) {
    throw new Error(`${mutant.file}:${mutant.line} is not what it was.`);
  }
  lines[mutant.line - 1] = mutant.becomes;
  return lines.join("\n");
}
