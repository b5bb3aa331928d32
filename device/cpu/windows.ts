/**
 * Divides the results that a batch wants into windows of at most 64 positions,
 * the size of the memory that ranks write results to. The positions that one
 * call of the sampler needs stay together.
 */
import type { BatchRow } from "../device.ts";

export const WINDOW_ROWS = 64;

/** Part of a window that belongs to one call: `count` results from result `at` on. */
export interface Take {
  readonly row: BatchRow;
  readonly kind: "sample" | "likeliest" | "prompt" | "hidden";
  readonly at: number;
  readonly count: number;
  /** Position in the sequence of the first result. */
  readonly position: number;
}

export interface Window {
  /** `likeliest`: an id for each position. */
  readonly what: "logits" | "likeliest" | "hidden";
  /** By place among the step's tokens. */
  readonly tokens: Int32Array;
  readonly takes: readonly Take[];
}

/** Positions `[begin, end)` of a row, counted from its first computed token. */
interface Piece {
  readonly row: BatchRow;
  readonly offset: number;
  readonly kind: Take["kind"];
  readonly begin: number;
  readonly end: number;
}

/**
 * `greedy`: the likeliest id of each position is a row's answer. Where that is so of all rows no
 * logits leave the ranks; where it is not, the head is better run once for all of them.
 */
export function planWindows(
  rows: readonly BatchRow[],
  greedy: (row: BatchRow) => boolean = () => false,
): readonly Window[] {
  const pieces: Piece[] = [];
  let offset = 0;
  for (const row of rows) {
    pieces.push(...piecesOf(row, offset));
    offset += row.count;
  }
  const logits = pieces.filter(({ kind }) => kind !== "hidden");
  const hidden = pieces.filter(({ kind }) => kind === "hidden");
  const ids = logits.every(({ kind, row }) => kind === "sample" && greedy(row));
  const asked = ids ? logits.map((piece) => ({ ...piece, kind: "likeliest" as const })) : logits;
  return [...fill(ids ? "likeliest" : "logits", asked), ...fill("hidden", hidden)];
}

function piecesOf(row: BatchRow, offset: number): readonly Piece[] {
  const { want, count, drafted } = row;
  const last: Piece = { row, offset, kind: "sample", begin: count - drafted - 1, end: count };
  switch (want) {
    case "none":
      return [];
    case "last":
      return [last];
    case "hidden":
      return [{ ...last, kind: "hidden", begin: count - 1 }];
    case "states":
      return upTo(count, { row, offset, kind: "hidden" });
    case "all": {
      const reachesEnd = row.start + count === row.context.length;
      // The end of the context predicts an id that is not known yet: it is sampled.
      const pieces = upTo(reachesEnd ? count - 1 : count, { row, offset, kind: "prompt" });
      return reachesEnd ? [...pieces, last] : pieces;
    }
  }
}

/** The first `count` positions in pieces that fit into a window. */
function upTo(count: number, of: Pick<Piece, "row" | "offset" | "kind">): readonly Piece[] {
  const pieces: Piece[] = [];
  for (let begin = 0; begin < count; begin += WINDOW_ROWS) {
    pieces.push({ ...of, begin, end: Math.min(begin + WINDOW_ROWS, count) });
  }
  return pieces;
}

function fill(what: Window["what"], pieces: readonly Piece[]): readonly Window[] {
  const windows: Window[] = [];
  let tokens: number[] = [];
  let takes: Take[] = [];
  const close = (): void => {
    if (takes.length > 0) windows.push({ what, tokens: Int32Array.from(tokens), takes });
    tokens = [];
    takes = [];
  };
  for (const { row, offset, kind, begin, end } of pieces) {
    if (tokens.length + end - begin > WINDOW_ROWS) close();
    const position = row.start + begin;
    takes.push({ row, kind, at: tokens.length, count: end - begin, position });
    for (let index = begin; index < end; index++) tokens.push(offset + index);
  }
  close();
  return windows;
}
