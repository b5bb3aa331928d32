/**
 * What a step's result means for its sequences. Of one row:
 *
 *     [start .................. position) [position .. + drafted)
 *      known tokens computed               guesses verified
 *
 *     sampled n ids → they stand at [position, position + n);
 *     K and V are right for [0, position + n − 1): the last id is not computed yet
 */
import type { Nanos } from "../device/clock.ts";
import type { Batch, Sampled, StepResult } from "../device/device.ts";
import { endingOf } from "./ending.ts";
import type { LiveSequence } from "./live-sequence.ts";
import type { Suspect } from "./recovery.ts";
import type { Roster } from "./roster.ts";
import type { PlannedRow } from "./step-plan.ts";
import type { StepRow } from "./step-row.ts";

/** A step under way. */
export interface Flight {
  readonly batch: Batch;
  readonly scheduledAt: Nanos;
  /** The batch's. */
  readonly rows: readonly StepRow[];
  /** What each row of the batch was planned as, in order. */
  readonly planned: readonly PlannedRow[];
  /** Rows that reach the end of their context keep places for the ids they sample. */
  readonly keepPlaces: boolean;
  /** Sequences whose shared block this step copies. */
  readonly forked: readonly LiveSequence[];
  /** A step before it failed: its result means nothing. */
  void: boolean;
}

/** Whoever may hold up a sequence's own fault: the sampler. */
export interface FaultSource {
  /** Why the sequence could not be sampled, once. */
  takeFault(id: number): Error | undefined;
}

type Success = Extract<StepResult, { ok: true }>;
type Failure = Extract<StepResult, { ok: false }>;

/** Applies the result of the oldest step under way. */
export function applySuccess(
  roster: Roster,
  flight: Flight,
  outcome: { readonly result: Success; readonly faults: FaultSource },
): void {
  const { result, faults } = outcome;
  const { ends, alike } = result;
  const { planned, rows, keepPlaces } = flight;
  for (let index = 0; index < planned.length; index++) {
    const its = planned[index];
    const row = rows[index];
    if (its === undefined || row === undefined) continue;
    const { sequence, epoch } = its;
    roster.landed(sequence);
    if (sequence.status === "ended") continue;
    if (keepPlaces && row.endsInId) sequence.dropPending();
    const current = sequence.epoch === epoch;
    const fault = faults.takeFault(sequence.id);
    const sampled = result.sampled.get(sequence.id) ?? (row.unread ? alike : undefined);
    if (sequence.ending !== undefined) roster.end(sequence, { reason: sequence.ending });
    else if (fault !== undefined) roster.end(sequence, { reason: "error", error: fault });
    else if (sequence.pooled)
      pool(roster, sequence, row, { states: result.hidden?.get(row.id), current });
    else applyRow(roster, sequence, row, { sampled, current, ends });
  }
  roster.recovery.succeeded();
}

function applyRow(
  roster: Roster,
  sequence: LiveSequence,
  row: StepRow,
  of: {
    readonly sampled: Sampled | undefined;
    /** The sequence still has the blocks that the row wrote to. */
    readonly current: boolean;
    /** Of the step's repetitions. */
    readonly ends: readonly Nanos[] | undefined;
  },
): void {
  const { sampled, current, ends } = of;
  const position = row.start + row.count - row.drafted;
  if (current && row.want === "all" && sequence.promptLogprobs !== undefined) {
    sequence.promptLogprobs.length = Math.min(sequence.promptLogprobs.length, row.start);
    sequence.promptLogprobs.push(...(sampled?.prompt ?? []));
  }
  if (!row.reaches) {
    if (current) wrote(roster, sequence, position);
    return;
  }
  if (sampled === undefined || sampled.tokens.length === 0) {
    const error = new Error("The device returned no token for a row that it should have sampled.");
    roster.end(sequence, { reason: "error", error });
    return;
  }
  const ending = append(sequence, position, sampled.tokens);
  const emitted = sequence.known - position;
  emitTokens(roster, sequence, { row, sampled, emitted, ends });
  if (current) wrote(roster, sequence, position + emitted - 1);
  if (!sequence.released) roster.releaseFollowers(sequence);
  if (ending !== undefined) roster.end(sequence, ending);
}

/** A row of a prompt whose states are pooled: with its last token the sequence is over. */
function pool(
  roster: Roster,
  sequence: LiveSequence,
  row: StepRow,
  of: { readonly states: Float32Array | undefined; readonly current: boolean },
): void {
  const { states, current } = of;
  if (!current) return; // it computes again
  const { pooled, id } = sequence;
  if (states !== undefined) pooled?.add(states, row.want === "states" ? row.count : 1);
  wrote(roster, sequence, row.start + row.count);
  if (!row.reaches) return;
  const vector = pooled?.vector;
  roster.emit({
    ...{ type: "tokens-emitted", at: roster.now, id, tokens: [], drafted: 0, accepted: 0 },
    ...(vector && { pooled: vector }),
  });
  roster.end(sequence, { reason: "stop" });
}

/** Writes the ids up to the one that ends the sequence. */
function append(sequence: LiveSequence, position: number, ids: readonly number[]) {
  // Where nothing but length can end it, only the last id that fits has to be asked about.
  const { endsByLength, limit } = sequence;
  let count = endsByLength ? Math.min(ids.length, limit - position) - 1 : 0;
  let ending: ReturnType<typeof endingOf>;
  while (count < ids.length && ending === undefined) {
    ending = endingOf(sequence, ids[count] ?? 0, position + count);
    count++;
  }
  sequence.write(position, count === ids.length ? ids : ids.slice(0, count));
  sequence.length = position + count + sequence.pending;
  sequence.keepDraft(0);
  return ending;
}

function emitTokens(
  roster: Roster,
  sequence: LiveSequence,
  of: {
    readonly row: StepRow;
    readonly sampled: Sampled;
    readonly emitted: number;
    readonly ends: readonly Nanos[] | undefined;
  },
): void {
  const { row, sampled, emitted, ends } = of;
  const { logprobs } = sampled;
  const whole = emitted === sampled.tokens.length;
  const { promptLogprobs } = sequence;
  sequence.promptLogprobs = undefined;
  const event = {
    type: "tokens-emitted",
    at: roster.now,
    id: sequence.id,
    tokens: whole ? sampled.tokens : sampled.tokens.slice(0, emitted),
    drafted: row.drafted,
    accepted: Math.min(sampled.accepted, emitted),
    moments: ends === undefined || ends.length === emitted ? ends : ends.slice(0, emitted),
  } as const;
  if (logprobs === undefined && promptLogprobs === undefined) {
    roster.emit(event); // the hot path: no spreads
    return;
  }
  roster.emit({
    ...event,
    ...(logprobs === undefined ? {} : { logprobs: whole ? logprobs : logprobs.slice(0, emitted) }),
    ...(promptLogprobs === undefined ? {} : { promptLogprobs }),
  });
}

/** K and V of [0, written) exist. Steps in flight may already be further. */
function wrote(roster: Roster, sequence: LiveSequence, written: number): void {
  if (sequence.inFlight === 0) sequence.computed = written;
  if (!roster.plain) roster.kv.publish(sequence, written); // else it was when planned
}

/** Gives back what was granted for repetitions that the device did not make. */
export function trimRepeats(roster: Roster, flight: Flight): void {
  if (flight.batch.repeat === undefined) return;
  for (const { sequence } of flight.planned) {
    if (sequence.status === "running") roster.kv.trim(sequence, sequence.length);
  }
}

/**
 * The oldest step failed, and `later` ones with it: all their rows go back to
 * where the first of them began. A culprit, once known, ends in error.
 */
export function applyFailure(
  roster: Roster,
  flight: Flight,
  outcome: { readonly result: Failure; readonly later: readonly Flight[] },
): void {
  const { result, later } = outcome;
  roster.emit({
    type: "step-failed",
    at: roster.now,
    step: flight.batch.step,
    error: result.error,
    rows: flight.batch.rows.length,
  });
  for (const each of [...later].reverse()) {
    each.void = true;
    undo(each);
  }
  const suspects = undo(flight);
  for (const { sequence } of flight.planned) roster.landed(sequence);
  for (const sequence of new Set([...flight.forked, ...later.flatMap((each) => each.forked)])) {
    if (sequence.status === "running") roster.preempt(sequence); // its block may not be copied
  }
  if (result.kvLost) roster.loseCache();
  for (const { sequence } of flight.planned) {
    if (sequence.status === "ended") continue;
    const known = result.culprits?.includes(sequence.id);
    if (sequence.ending !== undefined) roster.end(sequence, { reason: sequence.ending });
    else if (known) roster.end(sequence, { reason: "error", error: result.error });
  }
  if (result.culprits !== undefined && result.culprits.length > 0) return;
  const culprit = roster.recovery.failed(
    suspects.filter((each) => each.sequence.status !== "ended"),
  );
  if (culprit !== undefined) roster.end(culprit, { reason: "error", error: result.error });
}

/** A step whose result means nothing has ended: only its rows' counts change. */
export function applyVoid(roster: Roster, flight: Flight): void {
  for (const { sequence } of flight.planned) {
    roster.landed(sequence);
    if (sequence.status !== "ended" && sequence.ending !== undefined && sequence.inFlight === 0) {
      roster.end(sequence, { reason: sequence.ending });
    }
  }
}

/** Takes a step's rows back to where they began; returns how far they were to come. */
function undo(flight: Flight): Suspect[] {
  const suspects: Suspect[] = [];
  flight.planned.forEach(({ sequence, epoch }, index) => {
    const row = flight.rows[index];
    if (row === undefined || sequence.status === "ended") return;
    if (flight.keepPlaces && row.endsInId) sequence.dropPending();
    sequence.keepDraft(0);
    if (sequence.epoch === epoch) sequence.computed = row.start;
    suspects.push({
      sequence,
      start: row.start,
      target: row.start + row.count - row.drafted,
    });
  });
  return suspects;
}
