/**
 * Who waits, who runs, who is over, and the blocks each holds. Every change of a
 * sequence's state is a method here; when and why is the scheduler's business.
 *
 *     add → waiting → run → running → end → ended
 *             ↑_______ preempt ________|
 */
import type { Nanos } from "../device/clock.ts";
import type { BlockId, DeviceLimits, SequenceId } from "../device/device.ts";
import { IdMap } from "../device/id-map.ts";
import { Adapters } from "./adapters.ts";
import type { EngineEvent } from "./events.ts";
import type { Sha256 } from "./kv/block-hash.ts";
import { KVCache } from "./kv/kv-cache.ts";
import type { LiveSequence } from "./live-sequence.ts";
import type { EngineOptions } from "./options.ts";
import { Recovery } from "./recovery.ts";
import type { FinishReason } from "./sequence.ts";
import { WaitingQueue } from "./waiting-queue.ts";

export interface EndingFacts {
  readonly reason: FinishReason;
  readonly stopTokenId?: number;
  readonly error?: Error;
}

interface Copies {
  readonly copies: readonly { readonly from: BlockId; readonly to: BlockId }[];
  readonly forked: readonly LiveSequence[];
}

const NO_COPIES: Copies = { copies: [], forked: [] };

export class Roster {
  readonly kv: KVCache;
  readonly recovery = new Recovery();
  readonly adapters: Adapters;
  readonly queue = new WaitingQueue();
  readonly sequences = new IdMap<LiveSequence>();
  /** In order of admission. */
  readonly running: LiveSequence[] = [];
  readonly maxRunning: number;
  /** `ownPolicies` is off. */
  readonly plain: boolean;
  /** Time of the call under way. */
  now: Nanos = 0;
  /** The next step's number. */
  steps = 0;
  /** At the last look, those for whose adapter there was no turn. */
  waitingForAdapters = 0;
  #events: EngineEvent[] = [];
  #over: LiveSequence[] = [];
  /** Ended, and still read by another engine. */
  readonly #kept = new Map<SequenceId, LiveSequence>();
  #waiting = 0;
  #waitingTokens = 0;
  #following = 0;
  #preemptions = 0;
  #copies: { from: BlockId; to: BlockId }[] = [];
  #forked: LiveSequence[] = [];

  constructor(limits: DeviceLimits, options: EngineOptions, sha256: Sha256) {
    this.plain = options.ownPolicies === false;
    this.maxRunning = Math.min(options.maxNumSeqs, limits.maxRows);
    this.adapters = new Adapters(limits.maxAdapters ?? 0);
    this.kv = new KVCache({
      blocks: limits.blocks,
      blockSize: limits.blockSize,
      prefixCaching: options.enablePrefixCaching !== false,
      sha256,
      ...(options.kvEvents ? { report: (change) => this.emit({ ...change, at: this.now }) } : {}),
    });
  }

  get waiting(): number {
    return this.#waiting;
  }

  get waitingTokens(): number {
    return this.#waitingTokens;
  }

  /** Of those waiting, on their leader or for an adapter's turn. */
  get waitingDeferred(): number {
    return this.#following + this.waitingForAdapters;
  }

  /** Preemptions since the last call. */
  takePreemptions(): number {
    const count = this.#preemptions;
    this.#preemptions = 0;
    return count;
  }

  emit(event: EngineEvent): void {
    this.#events.push(event);
  }

  /** What happened since the last call, in order. */
  takeEvents(): EngineEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** Sequences over since the last call, no longer named by any step. */
  takeOver(): readonly LiveSequence[] {
    const over = this.#over;
    if (over.length > 0) this.#over = [];
    return over;
  }

  /**
   * Completions of one request, the leader first; further ones with who led those before.
   * Returns who leads now.
   */
  add(part: readonly LiveSequence[], before?: LiveSequence): LiveSequence | undefined {
    for (const sequence of part) {
      this.sequences.set(sequence.id, sequence);
      this.adapters.born(sequence);
      this.#wait(sequence);
      const { id, promptLength: promptTokens } = sequence;
      this.emit({ type: "request-queued", at: this.now, id, promptTokens });
    }
    const lead = before && leaderSince(before);
    if (lead?.released && lead.status !== "ended") {
      for (const sequence of part) this.queue.push(sequence);
      return lead;
    }
    const leads = lead === undefined || lead.status === "ended" ? part[0] : lead;
    if (leads === undefined) return undefined;
    if (leads !== lead) this.queue.push(leads);
    if (leads !== lead && part.length === 1) return leads;
    const followers = part.filter((sequence) => sequence !== leads);
    leads.followers = [...followers.reverse(), ...leads.followers];
    for (const follower of followers) follower.following = true;
    this.#following += followers.length;
    return leads;
  }

  /** Ends a sequence now, or when the steps that hold it end. */
  finish(id: SequenceId, reason: FinishReason): void {
    const sequence = this.sequences.get(id);
    if (sequence === undefined || sequence.ending !== undefined) return;
    if (sequence.inFlight > 0) sequence.ending = reason;
    else this.end(sequence, { reason });
  }

  /** The blocks of one that ended and kept them are free; of an unknown id: nothing. */
  letGo(id: SequenceId): void {
    const sequence = this.#kept.get(id);
    if (sequence === undefined) return;
    this.#kept.delete(id);
    this.#dropBlocks(sequence);
  }

  /** Ended ones that keep their blocks. */
  get keeping(): readonly SequenceId[] {
    return [...this.#kept.keys()];
  }

  /** A waiting sequence that was given its blocks runs. */
  run(sequence: LiveSequence, cached: number): void {
    this.#leaveQueue(sequence);
    sequence.status = "running";
    this.running.push(sequence);
    this.adapters.runs(sequence);
    const resumed = sequence.scheduledOnce;
    if (!resumed) sequence.cachedTokens = cached;
    sequence.scheduledOnce = true;
    const { id } = sequence;
    this.emit({ type: "request-scheduled", at: this.now, id, cachedTokens: cached, resumed });
  }

  /** Takes a running sequence's blocks; it computes again when it is next admitted. */
  preempt(sequence: LiveSequence): void {
    this.#stopRunning(sequence);
    this.#dropBlocks(sequence);
    sequence.rewind();
    sequence.status = "waiting";
    this.#wait(sequence);
    this.queue.push(sequence);
    this.#preemptions++;
    this.emit({ type: "request-preempted", at: this.now, id: sequence.id });
  }

  /**
   * The leader's prompt is computed: its siblings join in if there is room, each
   * sharing the prompt's blocks; the others wait like anyone (and meet its cache).
   */
  releaseFollowers(leader: LiveSequence): void {
    leader.released = true;
    const { followers } = leader;
    if (followers.length === 0) return;
    leader.followers = [];
    for (let follower = followers.pop(); follower !== undefined; follower = followers.pop()) {
      if (follower.status !== "waiting" || !follower.following) continue;
      this.#unfollow(follower);
      const room = this.running.length < this.maxRunning;
      const copy = room ? this.kv.fork(follower, leader) : undefined;
      if (copy === undefined) {
        this.queue.push(follower);
        continue;
      }
      this.#copies.push(copy);
      this.#forked.push(follower);
      this.run(follower, follower.computed);
    }
  }

  /** Ends a sequence that no step holds, or whose steps hold nothing that matters any more. */
  end(sequence: LiveSequence, facts: EndingFacts): void {
    if (sequence.status === "running") this.#stopRunning(sequence);
    else this.#leaveQueue(sequence);
    if (sequence.following) this.#unfollow(sequence);
    sequence.status = "ended";
    this.sequences.delete(sequence.id);
    const whole = facts.reason === "length" || facts.reason === "stop";
    if (sequence.keepsBlocks && whole) this.#kept.set(sequence.id, sequence);
    else this.#dropBlocks(sequence);
    if (sequence.inFlight === 0) this.#over.push(sequence);
    this.#promoteFollower(sequence);
    this.recovery.review();
    this.emit({
      type: "request-finished",
      at: this.now,
      id: sequence.id,
      ...facts,
      promptTokens: sequence.promptLength,
      cachedTokens: sequence.cachedTokens,
      outputTokens: sequence.outputLength,
    });
  }

  /** Block copies the next step must make first, and the sequences they are for. */
  takeCopies(): Copies {
    if (this.#copies.length === 0) return NO_COPIES;
    const taken = { copies: this.#copies, forked: this.#forked };
    this.#copies = [];
    this.#forked = [];
    return taken;
  }

  /** One row less of it is under way. */
  landed(sequence: LiveSequence): void {
    sequence.inFlight--;
    if (sequence.inFlight === 0 && sequence.status === "ended") this.#over.push(sequence);
  }

  /** The device lost all K and V: whoever runs computes again. */
  loseCache(): void {
    for (const sequence of [...this.running]) this.preempt(sequence);
    this.#copies = [];
    this.#forked = [];
    this.kv.forget();
  }

  /** Throws when a count is wrong; for tests and idle moments. */
  check(): void {
    this.kv.check();
    const live = this.sequences.values();
    const waiting = live.filter((sequence) => sequence.status === "waiting");
    if (waiting.length !== this.#waiting) throw new Error("The waiting are miscounted.");
    if (live.length - waiting.length !== this.running.length)
      throw new Error("The running are miscounted.");
    const held = this.kv.total - this.kv.free;
    if (live.length + this.#kept.size === 0 && held > this.kv.comingFree)
      throw new Error(`${held} blocks leaked.`);
  }

  /** A leader that ends before its prompt is computed leaves the lead to its first follower. */
  #promoteFollower(leader: LiveSequence): void {
    // The list is handed on as it is: a group that ends one after the other stays linear.
    const { followers } = leader;
    leader.followers = [];
    let heir = followers.pop();
    while (heir !== undefined && heir.status !== "waiting") heir = followers.pop();
    if (heir === undefined) return;
    heir.followers = followers;
    leader.heir = heir;
    this.#unfollow(heir);
    this.queue.push(heir);
  }

  #unfollow(sequence: LiveSequence): void {
    sequence.following = false;
    this.#following--;
  }

  #wait(sequence: LiveSequence): void {
    this.#waiting++;
    this.adapters.waits(sequence);
    this.#waitingTokens += sequence.promptLength;
  }

  #leaveQueue(sequence: LiveSequence): void {
    this.#waiting--;
    this.adapters.waitsNoMore(sequence);
    this.#waitingTokens -= sequence.promptLength;
  }

  #stopRunning(sequence: LiveSequence): void {
    this.running.splice(this.running.lastIndexOf(sequence), 1);
    this.adapters.runsNoMore(sequence);
  }

  #dropBlocks(sequence: LiveSequence): void {
    const last = sequence.inFlight > 0 ? this.steps - 1 : undefined;
    this.kv.drop(sequence, last);
  }
}

function leaderSince(leader: LiveSequence): LiveSequence {
  let last = leader;
  while (last.heir !== undefined) last = last.heir;
  return last;
}
