/**
 * The device that computes nothing: seeded values at once, or after a price.
 * Schedulers, servers and load tests run on it in milliseconds.
 *
 * A position's logits are one fixed random row, turned by a hash of the last two
 * ids, so that what comes next depends on the context alone: not on the batch,
 * the chunk or the block. With `values: "ids"` the sampler is not asked at all.
 */
import type { Clock, Nanos } from "../clock.ts";
import {
  type AdapterShelf,
  type Batch,
  type BatchRow,
  type Device,
  type DeviceAbilities,
  type DeviceLimits,
  PENDING_TOKEN,
  type Sampled,
  type Sampler,
  type SequenceId,
  type StepResult,
  samples,
  type TokenId,
} from "../device.ts";
import { IdMap } from "../id-map.ts";
import { NamedShelf } from "../named-shelf.ts";
import type { DeviceSettings } from "../settings.ts";

export interface NullDeviceOptions {
  readonly clock: Clock;
  readonly sampler: Sampler;
  readonly limits: DeviceLimits;
  readonly vocabSize: number;
  /** Absent: 0. */
  readonly seed?: number;
  /** Absent: logits. */
  readonly values?: "logits" | "ids";
  /** What a step takes; absent: no time. */
  readonly price?: (batch: Batch) => Nanos;
}

/** Spread of the logits: the likeliest of 32,000 then has a probability near 0.3. */
const DEVIATION = 3;

/** Most positions that `Sampler.prompt` takes at once. */
const PROMPT_POSITIONS = 64;

export class NullDevice implements Device {
  readonly name = "null";
  readonly limits: DeviceLimits;
  readonly vocabSize: number;
  readonly can: DeviceAbilities;
  readonly adapters?: AdapterShelf;
  readonly #options: NullDeviceOptions;
  readonly #seed: number;
  /** Two turns of the fixed row, so that any turn is one copy. */
  readonly #row: Float32Array;
  /** Where the likeliest id stands in the fixed row. */
  readonly #peak: number;
  /** Steps run one after another. */
  #busyUntil: Nanos = 0;
  #logits = new Float32Array(0);
  /** Last id sampled of each sequence, for PENDING_TOKEN. */
  readonly #last = new IdMap<TokenId>();

  constructor(options: NullDeviceOptions) {
    this.#options = options;
    this.limits = options.limits;
    this.vocabSize = options.vocabSize;
    const logits = options.values !== "ids";
    this.can = {
      draft: true,
      promptLogprobs: logits,
      grammar: logits,
      hidden: false,
      adapters: options.limits.maxAdapters !== undefined,
    };
    if (this.can.adapters) this.adapters = new NamedShelf({ rank: 0, modules: 0, bytes: 0 });
    this.#seed = options.seed ?? 0;
    const once = Float32Array.from({ length: options.vocabSize }, (_, id) =>
      gaussian(this.#seed, id),
    );
    this.#peak = once.reduce((best, value, id) => (value > (once[best] ?? value) ? id : best), 0);
    this.#row = new Float32Array(2 * options.vocabSize);
    this.#row.set(once);
    this.#row.set(once, options.vocabSize);
  }

  execute(batch: Batch, done: (result: StepResult) => void): void {
    const { clock } = this.#options;
    const start = Math.max(clock.now(), this.#busyUntil);
    const price = this.#options.price?.(batch) ?? 0;
    const repeated = this.#repetitions(batch, start, price);
    const finish = (): void => {
      const sampled = new Map<SequenceId, Sampled>();
      for (const row of batch.rows) {
        const values = this.#sample(row, repeated);
        if (values !== undefined) sampled.set(row.id, values);
      }
      if (repeated === 1) {
        done(batch.repeat === undefined ? { ok: true, sampled } : { ok: true, sampled, repeated });
        return;
      }
      const ends = new Array<Nanos>(repeated);
      for (let i = 0; i < repeated; i++) ends[i] = start + (i + 1) * price;
      done({ ok: true, sampled, repeated, ends });
    };
    this.#busyUntil = start + repeated * price;
    clock.at(this.#busyUntil, finish, "step");
  }

  release(ids: readonly SequenceId[]): void {
    for (const id of ids) this.#last.delete(id);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  draft(
    rows: readonly BatchRow[],
    count: number,
    done: (drafts: ReadonlyMap<SequenceId, readonly TokenId[]>) => void,
  ): void {
    const drafts = new Map<SequenceId, readonly TokenId[]>();
    for (const row of rows) {
      let before = row.context[row.context.length - 2] ?? 0;
      let last = row.context[row.context.length - 1] ?? 0;
      const draft = Array.from({ length: count }, () => {
        const next = this.#likeliest(before, last);
        before = last;
        last = next;
        return next;
      });
      drafts.set(row.id, draft);
    }
    const { clock } = this.#options;
    clock.at(clock.now(), () => done(drafts), "step");
  }

  /** How often the step is made: while it starts before anything else happens. */
  #repetitions(batch: Batch, start: Nanos, price: Nanos): number {
    const most = batch.repeat ?? 1;
    const next = batch.through ? undefined : this.#options.clock.next?.();
    // Only values that need no sampler can be made ahead of the engine.
    if (most === 1 || this.#options.values !== "ids") return 1;
    if (price === 0 || next === undefined) return most;
    return Math.max(1, Math.min(most, Math.ceil((next - start) / price)));
  }

  #sample(row: BatchRow, repeated: number): Sampled | undefined {
    const end = row.start + row.count;
    const prompt = row.want === "all" ? this.#prompt(row) : undefined;
    const { context } = row;
    if (end < context.length || !samples(row)) {
      return prompt === undefined ? undefined : { tokens: [], accepted: 0, prompt };
    }
    const first = end - row.drafted;
    const known = context[first - 1] ?? 0;
    const last = known === PENDING_TOKEN ? (this.#last.get(row.id) ?? 0) : known;
    const before = context[first - 2] ?? 0;
    const sampled =
      this.#options.values === "ids"
        ? this.#ids(before, last, repeated)
        : this.#options.sampler.sample(row, this.#fill(row, first, last));
    this.#last.set(row.id, sampled.tokens[sampled.tokens.length - 1] ?? 0);
    return prompt === undefined ? sampled : { ...sampled, prompt };
  }

  #ids(before: TokenId, last: TokenId, count: number): Sampled {
    const tokens = new Array<TokenId>(count); // pushed to, it would have room for seventeen
    let previous = before;
    let current = last;
    for (let i = 0; i < count; i++) {
      const next = this.#likeliest(previous, current);
      tokens[i] = next;
      previous = current;
      current = next;
    }
    return { tokens, accepted: 0 };
  }

  /** Logits of the last known position and of each guess, `[drafted + 1, vocabulary]`. */
  #fill(row: BatchRow, first: number, last: TokenId): Float32Array {
    const width = this.vocabSize;
    const size = (row.drafted + 1) * width;
    if (this.#logits.length < size) this.#logits = new Float32Array(size);
    for (let index = 0; index <= row.drafted; index++) {
      const at = first + index;
      const current = index === 0 ? last : (row.context[at - 1] ?? 0);
      const before = index === 1 ? last : (row.context[at - 2] ?? 0);
      const turn = this.#turn(before, current);
      this.#logits.set(this.#row.subarray(turn, turn + width), index * width);
    }
    return size === this.#logits.length ? this.#logits : this.#logits.subarray(0, size);
  }

  #prompt(row: BatchRow) {
    const width = this.vocabSize;
    const end = row.start + row.count;
    const found = [];
    for (let begin = row.start; begin < end; begin += PROMPT_POSITIONS) {
      const positions = Math.min(PROMPT_POSITIONS, end - begin);
      const logits = new Float32Array(positions * width);
      for (let index = 0; index < positions; index++) {
        const at = begin + index;
        const turn = this.#turn(row.context[at - 1] ?? 0, row.context[at] ?? 0);
        logits.set(this.#row.subarray(turn, turn + width), index * width);
      }
      found.push(...this.#options.sampler.prompt(row, begin, logits, this.vocabSize));
    }
    return found;
  }

  /** The id that the turned row favours. */
  #likeliest(before: TokenId, last: TokenId): TokenId {
    const at = this.#peak - this.#turn(before, last);
    return at < 0 ? at + this.vocabSize : at;
  }

  #turn(before: TokenId, last: TokenId): number {
    return (
      (scramble(scramble(this.#seed ^ Math.imul(before + 1, 0x9e3779b1)) ^ last) >>> 0) %
      this.vocabSize
    );
  }
}

export function createNullDevice(settings: DeviceSettings): Promise<Device> {
  const { model, clock, sampler, seed, own } = settings;
  const maxContext =
    settings.maxContext ?? model.architecture.usualContext ?? model.architecture.maxContext;
  const blockSize = settings.blockSize ?? 16;
  const { "additional-config": further } = own;
  const given = typeof further === "object" && further !== null ? { ...further, ...own } : own;
  const stepNanos = Number((given as typeof own)["null-step-nanos"] ?? 0); // by the line above
  const device = new NullDevice({
    clock,
    sampler,
    seed,
    vocabSize: model.architecture.vocabSize,
    limits: {
      blockSize,
      blocks: settings.blocks ?? Math.ceil(maxContext / blockSize) * 64,
      maxRows: settings.maxRows ?? 256,
      maxTokens: settings.maxTokens ?? 8192,
      maxContext,
      maxDrafted: settings.maxDrafted ?? 16,
      // Where a step takes time the next is planned meanwhile, as on other devices.
      inFlight: settings.inFlight ?? (stepNanos > 0 && clock.kind === "real" ? 2 : 1),
      ...(settings.adapters && { maxAdapters: settings.adapters.inStep }),
    },
    ...(stepNanos > 0 ? { price: () => stepNanos } : {}),
  });
  return Promise.resolve(device);
}

/** Standard normal times DEVIATION, of (seed, id): Box and Muller. */
function gaussian(seed: number, id: number): number {
  const radius = (scramble(seed ^ Math.imul(id + 1, 0x9e3779b1)) >>> 0) / 2 ** 32;
  const angle = (scramble(seed ^ Math.imul(id + 1, 0x85ebca77)) >>> 0) / 2 ** 32;
  return DEVIATION * Math.sqrt(-2 * Math.log(radius + 2 ** -33)) * Math.cos(2 * Math.PI * angle);
}

/** MurmurHash3's finaliser. */
function scramble(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
