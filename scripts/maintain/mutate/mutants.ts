/**
 * Faults to plant: places in a source file where one small change makes another
 * program. Found line by line in the formatter's way of writing; comments, imports,
 * types and strings are passed over.
 */

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

/** `count` of them, spread over the kinds as they come, the same for a seed everywhere. */
export function choose(all: readonly Mutant[], count: number, seed: number): readonly Mutant[] {
  let state = seed >>> 0;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const left = [...all];
  const chosen: Mutant[] = [];
  while (chosen.length < count && left.length > 0) {
    const [one] = left.splice(random(left.length), 1);
    if (one !== undefined) chosen.push(one);
  }
  return chosen;
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
