/**
 * The attention of a step divided over threads: the rank's own and a helper on
 * the core that is idle between products. Work is a countdown of units: a token
 * and a KV head, or one chunk of these where there are few; who takes a unit does
 * not change its result. A helper that wakes late finds nothing left and sleeps
 * again: the rank never waits for one that has not begun.
 *
 *     the rank writes the job ── left = units ── takes, takes … left ≤ 0 ── waits while a helper is inside
 */
import type { Worker } from "node:worker_threads";
import { startThread } from "../../thread.ts";
import type { Memory } from "../../wasm.ts";
import type { Attend } from "./attention.ts";
import { linkAttention } from "./attention.ts";
import { CHUNK, type KernelLayout } from "./kv-layout.ts";
import { linkMerge, type Merge } from "./merge.ts";

/** A helper is woken for jobs of so many multiply-adds, about 0.1 ms. */
const WORTH_WAKING = 1 << 20;

/** Jobs of fewer tokens and KV heads than this are divided by chunks too. */
const FEW_UNITS = 32;

/** Words of the control area; the job's words are written while LEFT ≤ 0. */
const LEFT = 0;
const INSIDE = 1;
const EPOCH = 2;
const KEYS = 3;
const VALUES = 4;
const WINDOW = 5;
const SCALE = 6;
/** Jobs of which a helper had a share. */
const HELPED = 7;
/** 1: windows lie end to end. */
const CHUNKED = 8;
/** 1: a unit is a chunk. */
const SPLIT = 9;
export const CONTROL_BYTES = 64;

/** What every thread of a team knows; plain data, it crosses to helpers. */
export interface TeamSettings {
  readonly attend: Uint8Array<ArrayBuffer>;
  readonly merge: Uint8Array<ArrayBuffer>;
  readonly memory: Memory;
  readonly group: number;
  readonly kvHeads: number;
  readonly layout: KernelLayout;
  /** Byte offsets in the memory. */
  readonly at: {
    readonly control: number;
    /** Per token of the step: its position, and the address of its row's table. */
    readonly positions: number;
    readonly tables: number;
    readonly sinks: number;
    readonly queries: number;
    readonly outputs: number;
    /** For each thread: scratch, and the partials of all chunks of a query. */
    readonly scratch: readonly number[];
    readonly partials: readonly number[];
    /** Per token of a split job, and one more: units before its own; and their partials. */
    readonly units: number;
    readonly unitPartials: number;
  };
  /** Units that a split job may have. */
  readonly mostUnits: number;
}

/** One layer's attention. Keys and values are addresses of the layer's first block. */
export interface AttentionJob {
  readonly tokens: number;
  readonly keys: number;
  readonly values: number;
  /** 0: none. */
  readonly window: number;
  /** Windows lie end to end. */
  readonly chunked: boolean;
  readonly scale: number;
  /** Multiply-adds of all units, to see whether help is worth it. */
  readonly work: number;
}

/** Takes units until none is left. Used by the rank and by helpers. */
export class Member {
  readonly #settings: TeamSettings;
  readonly #attend: Attend;
  readonly #merge: Merge;
  readonly #scratch: number;
  readonly #partials: number;
  readonly #control: Int32Array;
  readonly #scale: Float32Array;
  readonly #positions: Int32Array;
  readonly #tables: Int32Array;
  readonly #units: Int32Array;

  constructor(settings: TeamSettings, index: number) {
    const { memory, at } = settings;
    this.#settings = settings;
    this.#attend = linkAttention(settings.attend, memory);
    this.#merge = linkMerge(settings.merge, memory);
    this.#scratch = at.scratch[index] ?? 0;
    this.#partials = at.partials[index] ?? 0;
    this.#control = new Int32Array(memory.buffer, at.control, CONTROL_BYTES / 4);
    this.#scale = new Float32Array(memory.buffer, at.control, CONTROL_BYTES / 4);
    this.#positions = new Int32Array(memory.buffer, at.positions);
    this.#tables = new Int32Array(memory.buffer, at.tables);
    this.#units = new Int32Array(memory.buffer, at.units);
  }

  /** Returns whether there was any for it. */
  work(): boolean {
    for (let took = false; ; took = true) {
      const left = Atomics.sub(this.#control, LEFT, 1);
      if (left <= 0) return took;
      if (this.#control[SPLIT] === 1) this.#runChunk(left - 1);
      else this.#runWhole(left - 1);
    }
  }

  /** A helper's life: sleeps until there is a job. */
  serve(): never {
    const control = this.#control;
    for (let seen = 0; ; ) {
      Atomics.wait(control, EPOCH, seen);
      seen = Atomics.load(control, EPOCH);
      Atomics.store(control, INSIDE, 1);
      if (this.work()) Atomics.add(control, HELPED, 1);
      Atomics.store(control, INSIDE, 0);
      Atomics.notify(control, INSIDE);
    }
  }

  /** Puts a split job's chunks together. */
  mergeAll(tokens: number): void {
    const { kvHeads } = this.#settings;
    for (let token = 0; token < tokens; token++) {
      const first = this.#units[token] as number;
      const chunks = ((this.#units[token + 1] as number) - first) / kvHeads;
      for (let kvHead = 0; kvHead < kvHeads; kvHead++) {
        this.#mergeChunks(token, kvHead, this.#unitPartial(first + kvHead * chunks), chunks);
      }
    }
  }

  #unitPartial(unit: number): number {
    const { at, layout } = this.#settings;
    return at.unitPartials + unit * layout.partialBytes;
  }

  #runChunk(unit: number): void {
    let token = 0;
    while ((this.#units[token + 1] as number) <= unit) token++;
    const first = this.#units[token] as number;
    const chunks = ((this.#units[token + 1] as number) - first) / this.#settings.kvHeads;
    const kvHead = Math.floor((unit - first) / chunks);
    const end = (this.#positions[token] as number) + 1;
    const begin = this.#begin(end);
    const chunk = begin - (begin % CHUNK) + CHUNK * (unit - first - kvHead * chunks);
    this.#attendChunk(
      token,
      kvHead,
      Math.max(begin, chunk),
      Math.min(end, chunk + CHUNK),
      this.#unitPartial(unit),
    );
  }

  #runWhole(unit: number): void {
    const { kvHeads, layout } = this.#settings;
    const token = Math.floor(unit / kvHeads);
    const kvHead = unit - token * kvHeads;
    const end = (this.#positions[token] as number) + 1;
    let chunks = 0;
    for (let from = this.#begin(end); from < end; chunks++) {
      const to = Math.min(end, from - (from % CHUNK) + CHUNK);
      this.#attendChunk(token, kvHead, from, to, this.#partials + chunks * layout.partialBytes);
      from = to;
    }
    this.#mergeChunks(token, kvHead, this.#partials, chunks);
  }

  #attendChunk(token: number, kvHead: number, from: number, to: number, partial: number): void {
    const { kvHeads, group, layout, at } = this.#settings;
    this.#attend(
      at.queries + (token * kvHeads + kvHead) * group * layout.queryDim * 4,
      partial,
      this.#tables[token] as number,
      from,
      to,
      (this.#control[KEYS] as number) + kvHead * layout.keyHeadBytes,
      (this.#control[VALUES] as number) + kvHead * layout.valueHeadBytes,
      this.#scratch,
      this.#scale[SCALE] as number,
    );
  }

  #mergeChunks(token: number, kvHead: number, partials: number, chunks: number): void {
    const { kvHeads, group, layout, at } = this.#settings;
    this.#merge(
      at.outputs + (token * kvHeads + kvHead) * group * layout.paddedDim * 4,
      partials,
      partials + chunks * layout.partialBytes,
      at.sinks + kvHead * group * 4,
    );
  }

  #begin(end: number): number {
    return firstSeen(end, this.#control[WINDOW] as number, this.#control[CHUNKED] === 1);
  }
}

/** The first position that a query at `end` − 1 sees. */
function firstSeen(end: number, window: number, chunked: boolean): number {
  if (window === 0) return 0;
  return chunked ? end - 1 - ((end - 1) % window) : Math.max(0, end - window);
}

export class AttentionTeam {
  readonly #settings: TeamSettings;
  readonly #member: Member;
  readonly #control: Int32Array;
  readonly #scale: Float32Array;
  readonly #positions: Int32Array;
  readonly #units: Int32Array;
  #helper: Worker | undefined;

  constructor(settings: TeamSettings) {
    const { memory, at } = settings;
    this.#settings = settings;
    this.#member = new Member(settings, 0);
    this.#control = new Int32Array(memory.buffer, at.control, CONTROL_BYTES / 4);
    this.#scale = new Float32Array(memory.buffer, at.control, CONTROL_BYTES / 4);
    this.#positions = new Int32Array(memory.buffer, at.positions);
    this.#units = new Int32Array(memory.buffer, at.units);
  }

  run(job: AttentionJob): void {
    const control = this.#control;
    const helped = job.work >= WORTH_WAKING && this.#settings.at.scratch.length > 1;
    const whole = job.tokens * this.#settings.kvHeads;
    const split = helped && whole < FEW_UNITS && this.#divide(job);
    control[KEYS] = job.keys;
    control[VALUES] = job.values;
    control[WINDOW] = job.window;
    control[CHUNKED] = job.chunked ? 1 : 0;
    control[SPLIT] = split ? 1 : 0;
    this.#scale[SCALE] = job.scale;
    Atomics.store(control, LEFT, split ? (this.#units[job.tokens] as number) : whole);
    if (helped) this.#wake();
    this.#member.work();
    while (Atomics.load(control, INSIDE) === 1) Atomics.wait(control, INSIDE, 1, 1);
    if (split) this.#member.mergeAll(job.tokens);
  }

  /** Jobs so far of which the helper had a share. */
  get helpedJobs(): number {
    return Atomics.load(this.#control, HELPED);
  }

  async close(): Promise<void> {
    await this.#helper?.terminate();
  }

  /** Counts the job's chunks; false: there are more than units have room for. */
  #divide({ tokens, window, chunked }: AttentionJob): boolean {
    const { kvHeads, mostUnits } = this.#settings;
    const units = this.#units;
    units[0] = 0;
    for (let token = 0; token < tokens; token++) {
      const last = this.#positions[token] as number;
      const begin = firstSeen(last + 1, window, chunked);
      const chunks = Math.floor(last / CHUNK) - Math.floor(begin / CHUNK) + 1;
      units[token + 1] = (units[token] as number) + kvHeads * chunks;
      if ((units[token + 1] as number) > mostUnits) return false;
    }
    return true;
  }

  /** The helper is started with the first job that is worth it; until it is up the rank works alone. */
  #wake(): void {
    if (this.#helper === undefined) {
      this.#helper = startThread("./helper", import.meta.url, this.#settings);
      this.#helper.unref();
    }
    Atomics.add(this.#control, EPOCH, 1);
    Atomics.notify(this.#control, EPOCH);
  }
}
