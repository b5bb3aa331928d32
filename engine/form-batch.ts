/**
 * A plan becomes a batch: rows, block copies and, in virtual time, how often the
 * step may be repeated. From here on its tokens count as computed.
 */
import type { Batch, BatchRow } from "../device/device.ts";
import type { LiveSequence } from "./live-sequence.ts";
import { endsInId, type Flight } from "./outcome.ts";
import type { PooledState } from "./pooled-state.ts";
import type { Roster } from "./roster.ts";
import type { PlannedRow, StepPlan } from "./step-plan.ts";

/** Longest run of repeated steps offered to a device at once. */
const MOST_REPEATS = 1024;

/** `keepPlaces`: a row that samples keeps a place for its id, so that the next step can be formed before. */
export function formBatch(
  roster: Roster,
  planned: readonly PlannedRow[],
  of: { readonly keepPlaces: boolean; readonly repeat: number },
): Flight {
  const { keepPlaces, repeat } = of;
  const rows = planned.map(({ sequence, count }) => {
    const reaches = sequence.want === count;
    const row = rowOf(sequence, count, reaches);
    sequence.computed += count;
    sequence.inFlight++;
    if (keepPlaces && endsInId(row)) sequence.addPending();
    return row;
  });
  const { copies, forked } = roster.takeCopies();
  const step = roster.steps++;
  const batch: Batch = repeat > 1 ? { step, rows, copies, repeat } : { step, rows, copies };
  return { batch, planned, keepPlaces, scheduledAt: roster.now, forked, void: false };
}

/**
 * How often a step of short rows may be repeated with nothing to decide in between:
 * until the first row reaches its length, as far as free blocks go. Whoever waits
 * now waits on: nobody ends, so nothing becomes free. The blocks are granted here.
 */
export function grantRepeats(roster: Roster, plan: StepPlan): number {
  const { kv, running } = roster;
  if (plan.hasLong || plan.rows.length !== running.length) return 1;
  let repeats = MOST_REPEATS;
  for (const { sequence } of plan.rows) {
    if (!sequence.endsByLength || sequence.promptLogprobs !== undefined) return 1;
    repeats = Math.min(repeats, sequence.limit - sequence.length);
    if (repeats === 1) return 1;
  }
  const missing = (times: number): number =>
    plan.rows.reduce((sum, { sequence }) => {
      const blocks = kv.blocksOf(sequence.length + times - 1);
      return sum + Math.max(0, blocks - sequence.blocks.length);
    }, 0);
  while (repeats > 1 && missing(repeats) > kv.free) repeats >>= 1;
  if (repeats > 1) {
    for (const { sequence } of plan.rows) kv.grow(sequence, sequence.length + repeats - 1);
  }
  return repeats;
}

function rowOf(sequence: LiveSequence, count: number, reaches: boolean): BatchRow {
  const { id, draft, length, promptLength, computed, blocks, adapter, unread } = sequence;
  if (draft.length > 0) sequence.write(length, draft);
  const context = sequence.tokens.subarray(0, length + draft.length);
  const wantsPrompt = sequence.promptLogprobs !== undefined && computed < promptLength - 1;
  const want = sequence.pooled
    ? wantToPool(sequence.pooled, reaches)
    : wantsPrompt
      ? "all"
      : reaches
        ? "last"
        : "none";
  const drafted = draft.length;
  const row = { id, context, start: computed, count, drafted, blocks, want, unread } as const;
  const { secondFrom } = sequence;
  if (adapter === undefined && secondFrom === undefined) return row;
  return { ...row, ...(adapter && { adapter }), ...(secondFrom !== undefined && { secondFrom }) };
}

function wantToPool({ kind }: PooledState, reaches: boolean): BatchRow["want"] {
  if (kind !== "last") return "states";
  return reaches ? "hidden" : "none";
}
