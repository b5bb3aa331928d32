/**
 * Whose turn it is. A step hands out tokens so that what is computed catches up
 * with what is known; prompts, their pieces, cache hits, drafts and resumed
 * sequences are all the same subtraction (vLLM's v1 scheduler). The shape of a
 * step comes from DeviceLimits: no device is known by name.
 *
 * A function of (state, time): no I/O, no promise, no clock. What happens is
 * kept as events in the roster until they are taken.
 */
import type { Nanos } from "../device/clock.ts";
import type { DeviceLimits } from "../device/device.ts";
import { formBatch, grantRepeats, ONCE } from "./form-batch.ts";
import type { LiveSequence } from "./live-sequence.ts";
import type { EngineOptions } from "./options.ts";
import type { Flight } from "./outcome.ts";
import {
  chooseVictim,
  chunkOf,
  earnedByLongStep,
  evenPiece,
  MOST_LACKING,
  MOST_OVERTAKEN,
  roomOf,
} from "./policy.ts";
import type { Roster } from "./roster.ts";
import type { ProposalRequest, Proposals } from "./speculate/proposer.ts";
import { type PlannedRow, StepPlan } from "./step-plan.ts";

/** How a sequence's turn in a step ended. */
type Turn =
  /** It has a row. */
  | "planned"
  /** The step has no room, or none for a row of its kind: the next may. Nobody behind it is asked. */
  | "no-turn"
  /** The pool has not the blocks it needs: others may be asked, up to `skipAhead`. */
  | "no-blocks"
  /** As many adapters run as a step can have, and its own is none of them: all others may be asked. */
  | "no-adapter"
  /** Its last id is still being sampled by a step from before its preemption. */
  | "id-comes"
  /** The pool is empty, but a step in flight brings blocks back when it ends: nobody is preempted. */
  | "blocks-come"
  /** The pool was empty, and it was itself the one to give its blocks back. */
  | "gave-way";

export class Scheduler {
  readonly #roster: Roster;
  readonly #limits: DeviceLimits;
  readonly #options: EngineOptions;
  readonly #maxTokens: number;
  readonly #guesser: { readonly resting: boolean } | undefined;
  /** Steps that short rows have earned while long ones went first. */
  #shortCredit = 0;

  /** `guesser`: whoever guesses; while it does not rest, each step is planned when the one before has ended. */
  constructor(
    roster: Roster,
    limits: DeviceLimits,
    options: EngineOptions,
    guesser?: { readonly resting: boolean },
  ) {
    this.#guesser = guesser;
    this.#roster = roster;
    this.#limits = limits;
    this.#options = options;
    this.#maxTokens = Math.min(options.maxNumBatchedTokens, limits.maxTokens);
  }

  /** Steps that may be under way at once now. */
  get maxInFlight(): number {
    const guesses = this.#guesser !== undefined && !this.#guesser.resting;
    return guesses || this.#roster.recovery.active ? 1 : this.#limits.inFlight;
  }

  /** The next step, or undefined when there is nothing to compute (yet). */
  schedule(now: Nanos): Flight | undefined {
    this.#roster.now = now;
    const plan = new StepPlan(this.#limits, this.#roster.maxRunning, this.#maxTokens);
    this.#plan(plan);
    if (plan.rows.length === 0) return undefined;
    const { repeat } = this.#options;
    const repeats =
      repeat && this.#limits.inFlight === 1 && !this.#guesser
        ? grantRepeats(this.#roster, plan, repeat === "alone")
        : ONCE;
    return formBatch(this.#roster, plan.rows, { keepPlaces: this.maxInFlight > 1, repeats });
  }

  /** Who could use guesses in the next step: one known token to compute, and room after it. */
  draftable(most: number): ProposalRequest[] {
    const requests: ProposalRequest[] = [];
    for (const sequence of this.#roster.running) {
      if (kindOf(sequence) === "long" || !isReady(sequence)) continue;
      // The step samples one id more than the guesses that hold.
      const count = Math.min(most, sequence.limit - sequence.length - 1);
      if (count > 0) requests.push({ sequence, count });
    }
    return requests;
  }

  setDrafts(requests: readonly ProposalRequest[], drafts: Proposals): void {
    for (const { sequence, count } of requests) {
      const draft = drafts.get(sequence.id);
      const live = this.#roster.sequences.get(sequence.id);
      if (draft === undefined || live?.status !== "running") continue;
      live.draft = draft.length > count ? draft.slice(0, count) : draft;
    }
  }

  #plan(plan: StepPlan): void {
    const { mixLong, longRunsToEnd } = this.#limits;
    if (this.#roster.plain) {
      this.#planInOrder(plan);
      if (!plan.preempted) this.#admit(plan);
      return;
    }
    if (mixLong !== false && longRunsToEnd !== true) {
      const running = this.#roster.running.slice();
      this.#planRunning(plan, "short", running);
      this.#planRunning(plan, "long", running);
      if (!plan.preempted) this.#admit(plan);
      return;
    }
    // Long rows have the step to themselves, and go first unless short ones earned a turn.
    if (this.#shortCredit >= 1) {
      this.#planRunning(plan, "short");
      if (plan.rows.length > 0) {
        this.#shortCredit--;
        return;
      }
    }
    this.#planRunning(plan, "long");
    const before = this.#roster.running.slice();
    if (!(longRunsToEnd && plan.hasLong)) this.#admit(plan);
    if (plan.hasLong) this.#earn();
    else this.#planRunning(plan, "short", before);
  }

  /** Rows for those who run already, without policies of our own. */
  #planInOrder(plan: StepPlan): void {
    for (const sequence of this.#roster.running.slice()) {
      if (plan.room <= 0) return;
      if (sequence.status !== "running" || !isReady(sequence)) continue;
      const turn = this.#planRow(plan, sequence);
      if (turn === "gave-way" || turn === "no-blocks") return;
    }
  }

  /** Short rows that wait for a long step earn a part of a step of their own. */
  #earn(): void {
    const share = this.#options.decodeShare ?? 0;
    if (share <= 0) return;
    const waits = this.#roster.running.some((each) => isReady(each) && kindOf(each) === "short");
    if (waits) this.#shortCredit += earnedByLongStep(share);
  }

  /** Rows of one kind for those who run already: a copy, since a row may cost another its place. */
  #planRunning(
    plan: StepPlan,
    kind: "long" | "short",
    running = this.#roster.running.slice(),
  ): void {
    const { recovery } = this.#roster;
    for (const sequence of running) {
      if (kindOf(sequence) !== kind || !isReady(sequence)) continue;
      if (!plan.takes(kind === "long")) return;
      // A sequence further up may just have been preempted.
      if (sequence.status !== "running" || !recovery.allows(sequence)) continue;
      this.#planRow(plan, sequence);
    }
  }

  /** The next tokens of one that runs: its guesses go first where room is short, then another's blocks. */
  #planRow(plan: StepPlan, sequence: LiveSequence): Turn {
    const known = sequence.length - sequence.computed;
    const long = known > 1;
    if (!long) sequence.keepDraft(plan.room - known);
    let count = known + sequence.draft.length;
    let room = count;
    if (long) {
      ({ count, room } = this.#piece(plan, {
        want: known,
        context: sequence.computed,
        started: true,
      }));
    }
    if (count <= 0) return "no-turn";
    if (!this.#roster.kv.grow(sequence, sequence.computed + count)) {
      if (sequence.draft.length > 0 && !this.#roster.plain) {
        sequence.keepDraft(0);
        count = room = known;
      }
      const turn = this.#makeRoom(plan, sequence, sequence.computed + count);
      if (turn !== "planned") return turn;
    }
    this.#take(plan, { sequence, epoch: sequence.epoch, count, room, long: count > 1 && long });
    return "planned";
  }

  #take(plan: StepPlan, row: PlannedRow): void {
    plan.add(row);
    if (!this.#roster.plain) return;
    const { sequence, count } = row;
    this.#roster.kv.publish(sequence, Math.min(sequence.computed + count, sequence.known));
  }

  /**
   * Blocks for the first `tokens` tokens of one that runs, at the cost of others when the
   * pool is empty: `chooseVictim` says whose, `Roster.preempt` takes them.
   */
  #makeRoom(plan: StepPlan, sequence: LiveSequence, tokens: number): Turn {
    const { kv, running } = this.#roster;
    while (!kv.grow(sequence, tokens)) {
      if (kv.comingFree > 0) return "blocks-come";
      const victim = chooseVictim(running, this.#options.schedulingPolicy ?? "fcfs");
      if (victim === undefined) return "no-blocks";
      plan.remove(victim);
      plan.preempted = true;
      this.#roster.preempt(victim);
      if (victim === sequence) return "gave-way";
    }
    return "planned";
  }

  /** Takes in waiting sequences, most urgent first, while there is room. */
  #admit(plan: StepPlan): void {
    const { queue, recovery, running, maxRunning } = this.#roster;
    if (recovery.active) {
      this.#admitTrial(plan);
      return;
    }
    const passed: LiveSequence[] = [];
    const skipAhead = this.#options.skipAhead ?? 8;
    let lacking = 0;
    while (running.length < maxRunning && !plan.full) {
      const sequence = queue.peek();
      if (sequence === undefined) break;
      const admitted = this.#admitOne(plan, sequence);
      if (admitted === "no-turn") break;
      if (admitted !== "planned") {
        // Those without an adapter's turn are passed without number, as in vLLM.
        const lacks = admitted === "no-adapter";
        const most = lacks ? lacking >= MOST_LACKING : passed.length - lacking >= skipAhead;
        if (most || sequence.overtaken >= MOST_OVERTAKEN) break;
        if (lacks) lacking++;
        passed.push(sequence);
      } else {
        for (const each of passed) each.overtaken++;
      }
      queue.pop();
    }
    this.#roster.waitingForAdapters = lacking;
    for (const sequence of passed) queue.push(sequence);
  }

  /** While a culprit is sought only those on trial come in, and others make room for them. */
  #admitTrial(plan: StepPlan): void {
    const { recovery, running, maxRunning } = this.#roster;
    for (const sequence of recovery.trial) {
      if (sequence.status !== "waiting" || sequence.following) continue;
      for (;;) {
        const room = running.length < maxRunning;
        const turn = room ? this.#admitOne(plan, sequence) : "no-blocks";
        if (turn === "planned" || turn === "no-turn") break;
        const victim = running.findLast((other) => !recovery.allows(other));
        if (victim === undefined) break;
        this.#roster.preempt(victim);
      }
    }
  }

  #admitOne(plan: StepPlan, sequence: LiveSequence): Turn {
    const { kv, running } = this.#roster;
    if (plan.full) return "no-turn";
    if (sequence.pending > 0) return "id-comes";
    if (!this.#roster.adapters.admits(sequence)) return "no-adapter";
    const cached = Math.max(kv.match(sequence) * kv.blockSize, sequence.received);
    const known = sequence.length - cached;
    const long = known > 1;
    if (!plan.takes(long)) return "no-turn";
    const { count, room } = this.#piece(plan, { want: known, context: cached, started: false });
    if (count === 0) return "no-turn";
    const spare = running.length > 0 && !this.#roster.plain;
    const tokens = this.#roster.plain ? cached + count : sequence.length;
    if (!kv.admit(sequence, { tokens, spare })) return "no-blocks";
    this.#roster.run(sequence, cached);
    this.#take(plan, { sequence, epoch: sequence.epoch, count, room, long: count > 1 && long });
    return "planned";
  }

  /** How many of `want` tokens from `context` on are computed now, and what room they take. */
  #piece(
    plan: StepPlan,
    of: { readonly want: number; readonly context: number; readonly started: boolean },
  ): { count: number; room: number } {
    const { want, context, started } = of;
    const chunked = this.#options.enableChunkedPrefill !== false;
    const alone = plan.rows.length === 0;
    const parity = chunked && !alone ? this.#limits.attentionParity : undefined;
    const room = parity === undefined ? plan.room : evenPiece(plan.room, context, parity);
    const chunk = chunkOf(want, room, {
      cut: chunked || started,
      threshold: this.#options.longPrefillTokenThreshold ?? 0,
      stepTokens: this.#maxTokens,
    });
    // One token of many makes a short row: where it may not join long ones it waits.
    const mayJoin = this.#limits.mixLong !== false || alone;
    const count = chunk === 1 && want > 1 && !mayJoin ? 0 : chunk;
    return { count, room: parity === undefined ? count : roomOf(count, context, parity) };
  }
}

/** A long row has more than one known token to compute. */
function kindOf(sequence: LiveSequence): "long" | "short" {
  return sequence.length - sequence.computed > 1 ? "long" : "short";
}

/** Has something to compute, and a position left for what it would sample. */
function isReady(sequence: LiveSequence): boolean {
  return (
    sequence.computed < sequence.length &&
    sequence.length < sequence.limit &&
    sequence.ending === undefined
  );
}
