/**
 * Requests in, events out. The whole product is in `#step` and `#landed`:
 *
 *     schedule → execute → apply the result → tell → again
 *
 * The engine never awaits and reads no clock of its own: the clock and the
 * device call it back, so that real and virtual time run the same lines.
 */

import type { Clock, Nanos } from "../device/clock.ts";
import type { Adapter, Device, SequenceId, StepResult } from "../device/device.ts";
import type { AdaptersInUse } from "./adapters.ts";
import { checkAdmission } from "./admission.ts";
import { Audience, type OnListenerError } from "./audience.ts";
import type { EngineListener } from "./events.ts";
import { type Host, Joining } from "./joining.ts";
import type { Sha256 } from "./kv/block-hash.ts";
import type { LiveSequence } from "./live-sequence.ts";
import { EngineClosedError, type EngineHealth, type EngineOptions } from "./options.ts";
import { applyFailure, applySuccess, applyVoid, type Flight, trimRepeats } from "./outcome.ts";
import { Roster } from "./roster.ts";
import type { TokenSampler } from "./sample/sampler.ts";
import { Scheduler } from "./scheduler.ts";
import type { AnyRequest } from "./sequence.ts";
import { Speculator } from "./speculate/speculator.ts";

export interface EngineParts {
  readonly device: Device;
  readonly clock: Clock;
  /** The one the device was made with. */
  readonly sampler: TokenSampler;
  /** Names full blocks, as vLLM does. */
  readonly sha256: Sha256;
  /** Told of what a listener threw, and must not throw itself; absent: thrown in a turn of its own. */
  readonly onListenerError?: OnListenerError;
}

export class Engine {
  readonly options: EngineOptions;
  /** Tokens in a sequence at most, prompt and output: the least of model, device and pool. */
  readonly maxContext: number;
  readonly #device: Device;
  readonly #clock: Clock;
  readonly #sampler: TokenSampler;
  readonly #roster: Roster;
  readonly #scheduler: Scheduler;
  readonly #speculator: Speculator | undefined;
  /** Steps under way, oldest first. */
  readonly #flights: Flight[] = [];
  readonly #audience: Audience;
  readonly #deadlines = new Map<SequenceId, () => void>();
  #asked = false;
  #closed = false;
  #paused = false;
  #nextId: SequenceId = 0;
  /** Completions of open requests that have not joined, and the tokens of their prompts. */
  #coming = 0;
  #comingTokens = 0;
  #progressAt: Nanos = 0;
  #endedAt: Nanos = 0;
  #meanInterval: Nanos = 0;
  #idlers: (() => void)[] = [];
  readonly #onTurn = (): void => this.#step();
  readonly #onResult = (result: StepResult): void => this.#landed(result);
  readonly #host: Host = {
    join: (part, lead) => this.#join(part, lead),
    forgo: (count, promptLength) => this.#forgo(count, promptLength),
  };

  constructor(parts: EngineParts, options: EngineOptions) {
    const { device, clock, sampler, sha256 } = parts;
    this.options = options;
    this.#device = device;
    this.#clock = clock;
    this.#sampler = sampler;
    this.#audience = new Audience(clock, parts.onListenerError);
    const { limits } = device;
    sampler.attach(options.seed ?? 0);
    this.maxContext = Math.min(
      options.maxModelLen ?? limits.maxContext,
      limits.maxContext,
      limits.blocks * limits.blockSize,
    );
    this.#roster = new Roster(limits, options, sha256);
    const { speculative } = options;
    if (speculative !== undefined) {
      this.#speculator = new Speculator(speculative, limits.maxDrafted, clock);
    }
    this.#scheduler = new Scheduler(this.#roster, limits, options, this.#speculator);
  }

  get running(): number {
    return this.#roster.running.length;
  }

  get waiting(): number {
    return this.#roster.waiting + this.#coming;
  }

  /** 0 to 1; cached blocks that nobody holds count as free. */
  get kvUsage(): number {
    return this.#roster.kv.usage;
  }

  /** Ids of the `n` completions. Throws PromptTooLongError, QueueFullError, EngineClosedError. */
  submit(request: AnyRequest): readonly SequenceId[] {
    const joining = this.open(request);
    return joining.join(joining.left);
  }

  /** Lets a request in whose completions join part by part, all or forgone. Throws as `submit`. */
  open(request: AnyRequest): Joining {
    const n = request.n ?? 1;
    const length = request.prompt.length;
    this.#admissible({ promptLength: length, n, pools: request.pooling !== undefined });
    const arrival = this.#clock.now();
    const first = this.#nextId;
    const ids = n === 1 ? [first] : Array.from({ length: n }, (_, index) => first + index);
    this.#nextId += n;
    if (!this.#busy) this.#progressAt = arrival;
    this.#coming += n;
    this.#comingTokens += n * length;
    const place = { ids, arrival, maxContext: this.maxContext };
    return new Joining(request, place, this.#host);
  }

  #join(part: readonly LiveSequence[], lead: LiveSequence | undefined): LiveSequence | undefined {
    const [first] = part;
    if (first === undefined) return lead;
    this.#coming -= part.length;
    this.#comingTokens -= part.length * first.promptLength;
    if (this.#closed) throw new EngineClosedError("The engine is closed.");
    this.#roster.now = this.#clock.now();
    for (const sequence of part) {
      if (sequence.pooled === undefined) this.#sampler.add(sequence);
      this.#watchDeadline(sequence);
    }
    const leads = this.#roster.add(part, lead);
    this.#tell();
    this.#wake();
    return leads;
  }

  #forgo(count: number, length: number): void {
    this.#coming -= count;
    this.#comingTokens -= count * length;
    this.#tellIdle();
  }

  /** What adapters are named now. */
  get adapters(): AdaptersInUse {
    return this.#roster.adapters.inUse;
  }

  /** Nobody new names the adapter: the device lets it go once nobody does. */
  dropAdapter(adapter: Adapter): void {
    const free = this.#roster.adapters.leave(adapter);
    if (free !== undefined) this.#device.adapters?.drop(free);
  }

  /** Ends a sequence now, or when the step that holds it ends. Unknown ids are ignored. */
  finish(id: SequenceId, reason: "stop" | "abort"): void {
    this.#roster.now = this.#clock.now();
    this.#roster.finish(id, reason);
    this.#tell();
    this.#wake();
  }

  /** Frees the blocks that an ended sequence kept (`GenerationRequest.keepsBlocks`): they have been read. */
  letGo(id: SequenceId): void {
    this.#roster.letGo(id);
    this.#wake();
  }

  /**
   * Returns the way out. Events come synchronously and in order; a listener may
   * call the engine, and what follows from that is told after the event at hand.
   * What a listener throws disturbs neither the engine nor the other listeners.
   */
  subscribe(listener: EngineListener): () => void {
    return this.#audience.join(listener);
  }

  /** False, and nothing done, while a sequence holds blocks; `preempt`: all that run compute again. */
  resetPrefixCache({ preempt = false } = {}): boolean {
    const roster = this.#roster;
    if (!preempt && roster.kv.free < roster.kv.total) return false;
    roster.now = this.#clock.now();
    if (roster.running.length > 0) roster.loseCache();
    else roster.kv.forget();
    this.#tell();
    this.#wake();
    return true;
  }

  /** Sequences that wait or run. */
  get live(): readonly SequenceId[] {
    return this.#roster.sequences.ids();
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Steps under way end, no other begins until `resume`; requests still come in, and wait. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#progressAt = this.#clock.now();
    this.#wake();
  }

  /** Hashes of all blocks that a prompt could find in the cache now. */
  cachedBlocks(): readonly Uint8Array[] {
    return this.#roster.kv.published();
  }

  /** What each KV block is now, by BlockKind; walks all of them, so ask seldom. */
  blockKinds(): Uint8Array {
    return this.#roster.kv.kinds();
  }

  health(now: Nanos): EngineHealth {
    const oldest = this.#flights[0];
    return {
      pending: this.#busy && !this.#paused,
      ...(oldest === undefined ? {} : { stepAge: now - this.#startOf(oldest) }),
      sinceProgress: now - this.#progressAt,
      failures: this.#roster.recovery.failures,
    };
  }

  /** Resolves when nothing runs, waits or is under way. */
  idle(): Promise<void> {
    if (!this.#busy) return Promise.resolve();
    return new Promise((resolve) => this.#idlers.push(resolve));
  }

  /** Ends everything with `abort`, waits for the steps under way and closes the device. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const id of this.#roster.sequences.ids()) this.finish(id, "abort");
    for (const id of this.#roster.keeping) this.#roster.letGo(id);
    await this.idle();
    await this.#speculator?.close();
    await this.#device.close();
  }

  /** Throws when the books are wrong: a block leaked or a sequence was miscounted. */
  check(): void {
    this.#roster.check();
  }

  get #proposing(): boolean {
    return this.#speculator?.busy === true;
  }

  get #busy(): boolean {
    const some = this.#roster.sequences.size > 0 || this.#coming > 0;
    return some || this.#flights.length > 0 || this.#proposing;
  }

  #wake(): void {
    if (this.#asked || this.#closed) return;
    this.#asked = true;
    this.#clock.at(this.#clock.now(), this.#onTurn, "step");
  }

  #step(): void {
    this.#asked = false;
    while (
      !this.#closed &&
      !this.#paused &&
      !this.#proposing &&
      this.#flights.length < this.#scheduler.maxInFlight
    ) {
      const flight = this.#scheduler.schedule(this.#clock.now());
      this.#tell();
      if (flight === undefined) return;
      this.#flights.push(flight);
      this.#device.execute(flight.batch, this.#onResult);
    }
  }

  #landed(result: StepResult): void {
    const flight = this.#flights.shift();
    if (flight === undefined)
      throw new Error(`${this.#device.name} ended a step it was not given.`);
    const now = this.#clock.now();
    const roster = this.#roster;
    roster.now = now;
    roster.kv.settle(flight.batch.step);
    if (flight.void) {
      applyVoid(roster, flight);
    } else if (result.ok) {
      applySuccess(roster, flight, { result, faults: this.#sampler });
      trimRepeats(roster, flight);
      this.#stepFinished(flight, result);
    } else {
      applyFailure(roster, flight, { result, later: this.#flights });
    }
    this.#tell();
    this.#propose();
    this.#wake();
  }

  #stepFinished(flight: Flight, result: Extract<StepResult, { ok: true }>): void {
    const roster = this.#roster;
    const { batch } = flight;
    const { now } = roster;
    const duration = now - this.#startOf(flight);
    const interval = now - this.#progressAt;
    this.#progressAt = now;
    this.#speculator?.observe(batch, result, { duration, interval });
    const repeated = result.repeated ?? 1;
    const computed = batch.rows.reduce((sum, row) => sum + row.count, 0);
    roster.emit({
      type: "step-finished",
      at: now,
      step: batch.step,
      repeated,
      rows: batch.rows.length,
      work: () => batch.rows,
      tokens: computed + (repeated - 1) * batch.rows.length,
      duration,
      running: roster.running.length,
      waiting: roster.waiting,
      waitingCapacity: roster.waiting - roster.waitingDeferred,
      waitingDeferred: roster.waitingDeferred,
      kvUsage: roster.kv.usage,
      preemptions: roster.takePreemptions(),
      cost: result.cost,
    });
  }

  /** A step begins when it is scheduled, or when the one before it ends. */
  #startOf(flight: Flight): Nanos {
    return Math.max(flight.scheduledAt, this.#progressAt);
  }

  /** Guesses for the next step, before it is asked for. */
  #propose(): void {
    const speculator = this.#speculator;
    if (speculator === undefined || speculator.resting || this.#flights.length > 0) return;
    const candidates = this.#scheduler.draftable(speculator.maxTokens);
    speculator.propose(candidates, (requests, drafts) => {
      this.#scheduler.setDrafts(requests, drafts);
      this.#wake();
      this.#tellIdle();
    });
  }

  /** Delivers events and lets go of sequences that are over. */
  #tell(): void {
    const events = this.#roster.takeEvents();
    const over = this.#roster.takeOver();
    if (over.length > 0) this.#release(over);
    if (this.#audience.tell(events)) this.#tellIdle();
  }

  #tellIdle(): void {
    if (this.#idlers.length === 0 || this.#busy) return;
    const idlers = this.#idlers;
    this.#idlers = [];
    for (const resolve of idlers) resolve();
  }

  #release(over: readonly LiveSequence[]): void {
    const now = this.#clock.now();
    for (const sequence of over) {
      this.#sampler.remove(sequence.id);
      const unnamed = this.#roster.adapters.over(sequence);
      if (unnamed !== undefined) this.#device.adapters?.drop(unnamed);
      this.#speculator?.release(sequence);
      this.#deadlines.get(sequence.id)?.();
      this.#deadlines.delete(sequence.id);
      this.#meanInterval += 0.1 * (now - this.#endedAt - this.#meanInterval);
      this.#endedAt = now;
    }
    this.#device.release(over.map((sequence) => sequence.id));
  }

  #watchDeadline(sequence: LiveSequence): void {
    if (sequence.deadline === undefined) return;
    const cancel = this.#clock.at(sequence.deadline, () => this.finish(sequence.id, "abort"));
    this.#deadlines.set(sequence.id, cancel);
  }

  #admissible(asked: Parameters<typeof checkAdmission>[0]): void {
    if (this.#closed) throw new EngineClosedError("The engine is closed.");
    const { waiting, maxContext } = this;
    const waitingTokens = this.#roster.waitingTokens + this.#comingTokens;
    const now = { waiting, waitingTokens, maxContext, meanInterval: this.#meanInterval };
    checkAdmission(asked, now, this.options);
  }
}
