/** Who is next, who gives way: pure functions of what the scheduler knows. */
import type { LiveSequence } from "./live-sequence.ts";
import type { SchedulingPolicy } from "./options.ts";

/** Order of admission: urgency, then arrival, then order of submission. */
export function comesBefore(a: LiveSequence, b: LiveSequence): boolean {
  if (a.priority !== b.priority) return a.priority < b.priority;
  if (a.arrival !== b.arrival) return a.arrival < b.arrival;
  return a.id < b.id;
}

/**
 * Who gives its blocks back when the pool is empty. fcfs: who was admitted last;
 * it has the least to compute again. priority: the least urgent, of those the latest.
 */
export function chooseVictim(
  running: readonly LiveSequence[],
  policy: SchedulingPolicy,
): LiveSequence | undefined {
  if (policy === "fcfs") return running[running.length - 1];
  return running.reduce<LiveSequence | undefined>(
    (worst, sequence) => (worst === undefined || comesBefore(worst, sequence) ? sequence : worst),
    undefined,
  );
}

/** Past a head that does not fit, how many may still be admitted before it becomes a barrier. */
export const MOST_OVERTAKEN = 64;

/** How many that wait for an adapter's turn are looked at in a step. */
export const MOST_LACKING = 1024;

/**
 * Where long and short rows do not mix, long ones go first (a running prompt
 * hides decoding) unless short ones have a share: each long step that they
 * wait for earns them `share / (1 − share)` of a step.
 */
export function earnedByLongStep(share: number): number {
  return share <= 0 ? 0 : share / (1 - Math.min(share, 0.99));
}

/**
 * Tokens of a prompt to compute in a step that has room for `room`; 0: wait for a step
 * with more. `cut`: it may be cut to the room, which one that was begun always may (as
 * vLLM): waiting for a step with room for the rest, it would starve beside streams.
 */
export function chunkOf(
  want: number,
  room: number,
  rules: { readonly cut: boolean; readonly threshold: number; readonly stepTokens: number },
): number {
  const most = rules.threshold > 0 ? Math.min(want, rules.threshold) : want;
  if (most <= room) return most;
  return rules.cut || most > rules.stepTokens ? room : 0;
}

/** Roots of squares are a little off. */
const ROUNDING = 1e-6;

/**
 * Where a token at position p costs as `parity` + p does: how many tokens from
 * `context` on cost no more than `room` tokens from 0 on. A prompt's pieces get
 * shorter as it goes on, so that streams beside it never wait for a dearer step.
 */
export function evenPiece(room: number, context: number, parity: number): number {
  const from = parity + context;
  const most = Math.sqrt(from * from + room * (room + 2 * parity)) - from;
  return Math.max(1, Math.floor(most + ROUNDING));
}

/** Tokens from 0 on that cost as much as `count` from `context` on. */
export function roomOf(count: number, context: number, parity: number): number {
  const cost = count * (count + 2 * (parity + context));
  return Math.ceil(Math.sqrt(parity * parity + cost) - parity - ROUNDING);
}
