/**
 * The pre-tokenizer of a tokenizer.json as plain JavaScript patterns, for ASCII text:
 * there Oniguruma's and JavaScript's classes hold the same characters.
 */
import { isObject } from "../config.ts";

/** Cuts text into pieces that tokens never cross; appends them to `out`. */
export type Pieces = (text: string, out: string[]) => void;

type Part = Readonly<Record<string, unknown>>;

const GPT2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

/**
 * What a pattern is made of that JavaScript spells otherwise. Possessive counts read like
 * greedy ones where what follows shares no character with them, as in each published pattern
 * that has some.
 */
const SPELLINGS: readonly (readonly [theirs: string, ours: string])[] = [
  ["(?i:'s|'t|'re|'ve|'m|'ll|'d)", "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"],
  ["'(?i:[sdmt]|ll|ve|re)", "'(?:[sdmtSDMT]|[lL][lL]|[vV][eE]|[rR][eE])"],
  ["?+", "?"],
  ["++", "+"],
];

/** Classes in classes and anchors are read otherwise by the two. */
const READ_OTHERWISE = /\[[^\]\\]*(?:\\.[^\]\\]*)*\[|\$|\\[GAzZ]/;

/** Undefined: a part of some other kind. The file's patterns are published ones (published.ts). */
export function readPieces(section: unknown): Pieces | undefined {
  const stages = readStages(section);
  if (stages === undefined) return undefined;
  const [only] = stages;
  if (stages.length === 1) return only;
  return (text, out) => {
    let pieces = [text];
    for (const stage of stages) {
      const next: string[] = [];
      for (const piece of pieces) stage(piece, next);
      pieces = next;
    }
    for (const piece of pieces) out.push(piece);
  };
}

/** The stages in order, or undefined. ByteLevel must be among them: the vocabulary is read by bytes. */
function readStages(section: unknown): readonly Pieces[] | undefined {
  if (!isObject(section)) return undefined;
  const parts = section["type"] === "Sequence" ? section["pretokenizers"] : [section];
  if (!Array.isArray(parts)) return undefined;
  const stages: Pieces[] = [];
  for (const part of parts) {
    const stage = isObject(part) ? STAGES[String(part["type"])]?.(part) : undefined;
    if (stage === undefined) return undefined;
    if (stage !== "whole") stages.push(stage);
  }
  const last: unknown = parts.at(-1);
  return isObject(last) && last["type"] === "ByteLevel" && stages.length > 0 ? stages : undefined;
}

const STAGES: Readonly<Record<string, (part: Part) => Pieces | "whole" | undefined>> = {
  ByteLevel: ({ add_prefix_space: prefix = true, use_regex: cuts = true }) =>
    prefix === true ? undefined : cuts === true ? isolated(GPT2) : "whole",
  Digits: ({ individual_digits: each = false }) => isolated(each === true ? "\\d" : "\\d+"),
  Split: ({ pattern, behavior, invert = false }) => {
    const regex = isObject(pattern) ? pattern["Regex"] : undefined;
    if (typeof regex !== "string" || behavior !== "Isolated" || invert === true) return undefined;
    return isolated(regex);
  },
};

/** Matches are pieces, and so is what lies between them. */
function isolated(pattern: string): Pieces | undefined {
  const ours = SPELLINGS.reduce((text, [from, to]) => text.replaceAll(from, to), pattern);
  if (READ_OTHERWISE.test(ours)) return undefined;
  let regex: RegExp;
  try {
    regex = new RegExp(ours, "gu");
  } catch {
    return undefined;
  }
  return (text, out) => {
    let end = 0;
    regex.lastIndex = 0;
    for (let match = regex.exec(text); match !== null; match = regex.exec(text)) {
      if (match.index > end) out.push(text.slice(end, match.index));
      const [piece] = match;
      if (piece === "")
        regex.lastIndex++; // it would be found again
      else out.push(piece);
      end = match.index + piece.length;
    }
    if (end < text.length) out.push(text.slice(end));
  };
}
