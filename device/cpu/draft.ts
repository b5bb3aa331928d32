/**
 * Greedy drafting on the ranks: the same rows step after step, each extended by
 * its likeliest id, without a word to the engine's thread in between.
 */
import type { TokenId } from "../device.ts";
import type { RankStep, StepRow } from "./wire.ts";

/** Stands for an id that was not drafted: the row's blocks or context ended. */
export const NO_DRAFT = -1;

export interface DraftSteps {
  readonly blockSize: number;
  readonly maxContext: number;
  /** Computes a step. */
  run(step: RankStep): void;
  /** The likeliest ids after these tokens of the step. */
  likeliest(tokens: Int32Array): Int32Array;
}

/** Fills `out` `[rows, count]`. Rows may compute any number of known ids first. */
export function draftTokens(
  step: RankStep,
  count: number,
  steps: DraftSteps,
  out: Int32Array,
): void {
  out.fill(NO_DRAFT, 0, step.rows.length * count);
  let now = step;
  /** Index in `step.rows` of each row of `now`. */
  let indices = step.rows.map((_, index) => index);
  for (let drafted = 0; drafted < count && now.rows.length > 0; drafted++) {
    steps.run(now);
    const ends = Int32Array.from(now.rows, (row) => row.offset + row.count - 1);
    const ids = steps.likeliest(ends);
    const rows: StepRow[] = [];
    const tokens: TokenId[] = [];
    const kept: number[] = [];
    now.rows.forEach((row, place) => {
      const index = indices[place] ?? 0;
      const id = ids[place] ?? NO_DRAFT;
      out[index * count + drafted] = id;
      const start = row.start + row.count;
      if (id === NO_DRAFT) return;
      if (start >= Math.min(row.blocks.length * steps.blockSize, steps.maxContext)) return;
      rows.push({ ...row, start, count: 1, offset: rows.length });
      tokens.push(id);
      kept.push(index);
    });
    now = { rows, tokens: Int32Array.from(tokens), copies: new Int32Array(0) };
    indices = kept;
  }
}
