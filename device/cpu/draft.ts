/** Greedy drafting: the same rows step after step, each extended by its likeliest id. */
import type { BatchRow, DeviceLimits, SequenceId, TokenId } from "../device.ts";
import type { RankFailure } from "./ranks.ts";

export interface DraftSteps {
  /** One step; `each` is called with the logits after each row. */
  step(
    rows: readonly BatchRow[],
    each: (row: BatchRow, logits: Float32Array) => void,
    then: (failure?: RankFailure) => void,
  ): void;
  done(drafts: ReadonlyMap<SequenceId, readonly TokenId[]>): void;
}

/** Up to `count` ids a row. Rows may compute any number of known ids first. */
export function draftTokens(
  rows: readonly BatchRow[],
  { count, limits }: { readonly count: number; readonly limits: DeviceLimits },
  steps: DraftSteps,
): void {
  const drafts = new Map<SequenceId, TokenId[]>(rows.map((row) => [row.id, []]));
  const go = (now: readonly BatchRow[], drafted: number): void => {
    if (drafted === count || now.length === 0) {
      steps.done(drafts);
      return;
    }
    const next: BatchRow[] = [];
    const each = (row: BatchRow, logits: Float32Array): void => {
      const id = likeliest(logits);
      drafts.get(row.id)?.push(id);
      const start = row.start + row.count;
      const room = Math.min(row.blocks.length * limits.blockSize, limits.maxContext);
      if (start >= room) return;
      const context = new Int32Array(start + 1);
      context.set(row.context.subarray(0, start));
      context[start] = id;
      next.push({ ...row, context, start, count: 1 });
    };
    steps.step(now, each, (failure) => {
      if (failure === undefined) go(next, drafted + 1);
      else steps.done(new Map());
    });
  };
  go(
    rows.map((row) => ({ ...row, drafted: 0, want: "last" as const })),
    0,
  );
}

function likeliest(logits: Float32Array): TokenId {
  let best = 0;
  let most = logits[0] as number;
  for (let id = 1; id < logits.length; id++) {
    const value = logits[id] as number;
    if (value > most) {
      most = value;
      best = id;
    }
  }
  return best;
}
