/**
 * A plan becomes a batch: rows, block copies and, in virtual time, how often the
 * step may be repeated. From here on its tokens count as computed.
 */
import type { Batch, BatchRow } from "../device/device.ts";
import type { LiveSequence } from "./live-sequence.ts";
import type { Flight } from "./outcome.ts";
import type { PooledState } from "./pooled-state.ts";
import type { Roster } from "./roster.ts";
import type { PlannedRow, StepPlan } from "./step-plan.ts";
import { StepRow } from "./step-row.ts";

/** Longest run of repeated steps offered to a device at once. */
const MOST_REPEATS = 1024;

/** How often a step may be made, and whether what is due meanwhile may wait (see Batch). */
export type Repeats = Required<Pick<Batch, "repeat" | "through">>;

export const ONCE: Repeats = { repeat: 1, through: false };

/** `keepPlaces`: a row that samples keeps a place for its id, so that the next step can be formed before. */
export function formBatch(
  roster: Roster,
  planned: readonly PlannedRow[],
  of: { readonly keepPlaces: boolean; readonly repeats: Repeats },
): Flight {
  const { keepPlaces, repeats } = of;
  const rows = planned.map(({ sequence, count }) => {
    const row = rowOf(sequence, count);
    sequence.computed += count;
    sequence.inFlight++;
    if (keepPlaces && row.endsInId) sequence.addPending();
    return row;
  });
  const { copies, forked } = roster.takeCopies();
  const step = roster.steps++;
  const { repeat, through } = repeats;
  const batch: Batch =
    repeat > 1 ? { step, rows, copies, repeat, through } : { step, rows, copies };
  return { batch, rows, planned, keepPlaces, scheduledAt: roster.now, forked, void: false };
}

/**
 * How often a step of short rows may be repeated with nothing to decide in between:
 * until the first row reaches its length, as far as free blocks go. Whoever waits
 * now waits on: nobody ends, so nothing becomes free, and no seat for who arrives
 * where all are taken (`alone`: only then may arrivals pass). Who was preempted for this
 * step may come in with the next. The blocks are granted here.
 */
export function grantRepeats(roster: Roster, plan: StepPlan, alone: boolean): Repeats {
  const { kv, running, maxRunning } = roster;
  const { rows } = plan;
  if (plan.hasLong || plan.preempted || rows.length !== running.length) return ONCE;
  let repeat = MOST_REPEATS;
  let through = alone && running.length >= maxRunning;
  let tokens = 0;
  let held = 0;
  for (const { sequence } of rows) {
    if (!sequence.endsByLength || sequence.promptLogprobs !== undefined) return ONCE;
    repeat = Math.min(repeat, sequence.limit - sequence.length);
    if (repeat === 1) return ONCE;
    if (sequence.deadline !== undefined) through = false;
    tokens += sequence.length;
    held += sequence.blocks.length;
  }
  // Where the tokens alone are too many for all blocks there are, rows need not be asked one by one.
  const places = (held + kv.free) * kv.blockSize - tokens;
  while (repeat > 1 && rows.length * (repeat - 1) > places) repeat >>= 1;
  while (repeat > 1 && missingBlocks(roster, rows, repeat) > kv.free) repeat >>= 1;
  if (repeat === 1) return ONCE;
  for (const { sequence } of rows) kv.grow(sequence, sequence.length + repeat - 1);
  return { repeat, through };
}

/** Of so many repetitions; where even a block more for each row is free, that is answer enough. */
function missingBlocks({ kv }: Roster, rows: readonly PlannedRow[], repeat: number): number {
  const most = rows.length * (kv.blocksOf(repeat) + 1);
  if (most <= kv.free) return most;
  let missing = 0;
  for (const { sequence } of rows) {
    const blocks = kv.blocksOf(sequence.length + repeat - 1);
    missing += Math.max(0, blocks - sequence.blocks.length);
  }
  return missing;
}

function rowOf(sequence: LiveSequence, count: number): StepRow {
  const { draft, length, promptLength, computed } = sequence;
  const reaches = sequence.want === count;
  if (draft.length > 0) sequence.write(length, draft);
  const wantsPrompt = sequence.promptLogprobs !== undefined && computed < promptLength - 1;
  const want = sequence.pooled
    ? wantToPool(sequence.pooled, reaches)
    : wantsPrompt
      ? "all"
      : reaches
        ? "last"
        : "none";
  return new StepRow(sequence, { count, want, reaches });
}

function wantToPool({ kind }: PooledState, reaches: boolean): BatchRow["want"] {
  if (kind !== "last") return "states";
  return reaches ? "hidden" : "none";
}
