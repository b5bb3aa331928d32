/**
 * The attention of a step divided over threads: the rank's own and a helper on
 * the core that is idle between products. Work is a countdown of units (a token
 * and a KV head); who takes a unit does not change its result. A helper that
 * wakes late finds nothing left and sleeps again: the rank never waits for one
 * that has not begun.
 *
 *     the rank writes the job ── left = units ── takes, takes … left ≤ 0 ── waits while a helper is inside
 */
import type { Worker } from "node:worker_threads";
import { startThread } from "../../thread.ts";
import type { Attend } from "./attention.ts";
import { linkAttention } from "./attention.ts";
import type { Memory } from "./wasm.ts";

/** Units taken at once. */
const TAKEN = 2;

/** A helper is woken for jobs of so many multiply-adds, about 0.1 ms. */
const WORTH_WAKING = 1 << 20;

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
export const CONTROL_BYTES = 64;

/** What every thread of a team knows; plain data, it crosses to helpers. */
export interface TeamSettings {
  readonly module: Uint8Array<ArrayBuffer>;
  readonly memory: Memory;
  readonly group: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly paddedDim: number;
  readonly keyHeadBytes: number;
  readonly valueHeadBytes: number;
  /** Byte offsets in the memory. */
  readonly at: {
    readonly control: number;
    /** Per token of the step: its position, and the address of its row's table. */
    readonly positions: number;
    readonly tables: number;
    readonly sinks: number;
    readonly queries: number;
    readonly outputs: number;
    /** One scratch area for each thread. */
    readonly scratch: readonly number[];
  };
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
  readonly #scratch: number;
  readonly #control: Int32Array;
  readonly #scale: Float32Array;
  readonly #positions: Int32Array;
  readonly #tables: Int32Array;

  constructor(settings: TeamSettings, index: number) {
    const { memory, at } = settings;
    this.#settings = settings;
    this.#attend = linkAttention(settings.module, memory);
    this.#scratch = at.scratch[index] ?? 0;
    this.#control = new Int32Array(memory.buffer, at.control, CONTROL_BYTES / 4);
    this.#scale = new Float32Array(memory.buffer, at.control, CONTROL_BYTES / 4);
    this.#positions = new Int32Array(memory.buffer, at.positions);
    this.#tables = new Int32Array(memory.buffer, at.tables);
  }

  /** Returns whether there was any for it. */
  work(): boolean {
    for (let took = false; ; took = true) {
      const left = Atomics.sub(this.#control, LEFT, TAKEN);
      if (left <= 0) return took;
      for (let unit = Math.max(0, left - TAKEN); unit < left; unit++) this.#run(unit);
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

  #run(unit: number): void {
    const { kvHeads, group, headDim, paddedDim, keyHeadBytes, valueHeadBytes, at } = this.#settings;
    const token = Math.floor(unit / kvHeads);
    const kvHead = unit - token * kvHeads;
    const end = (this.#positions[token] as number) + 1;
    const head = unit * group;
    this.#attend(
      at.queries + head * headDim * 4,
      at.outputs + head * paddedDim * 4,
      this.#tables[token] as number,
      this.#first(end),
      end,
      (this.#control[KEYS] as number) + kvHead * keyHeadBytes,
      (this.#control[VALUES] as number) + kvHead * valueHeadBytes,
      this.#scratch,
      at.sinks + kvHead * group * 4,
      this.#scale[SCALE] as number,
    );
  }

  /** The first position that a query at `end` − 1 sees. */
  #first(end: number): number {
    const window = this.#control[WINDOW] as number;
    if (window === 0) return 0;
    if (this.#control[CHUNKED] === 1) return end - 1 - ((end - 1) % window);
    return Math.max(0, end - window);
  }
}

export class AttentionTeam {
  readonly #settings: TeamSettings;
  readonly #member: Member;
  readonly #control: Int32Array;
  readonly #scale: Float32Array;
  #helper: Worker | undefined;

  constructor(settings: TeamSettings) {
    const { memory, at } = settings;
    this.#settings = settings;
    this.#member = new Member(settings, 0);
    this.#control = new Int32Array(memory.buffer, at.control, CONTROL_BYTES / 4);
    this.#scale = new Float32Array(memory.buffer, at.control, CONTROL_BYTES / 4);
  }

  run(job: AttentionJob): void {
    const control = this.#control;
    control[KEYS] = job.keys;
    control[VALUES] = job.values;
    control[WINDOW] = job.window;
    control[CHUNKED] = job.chunked ? 1 : 0;
    this.#scale[SCALE] = job.scale;
    Atomics.store(control, LEFT, job.tokens * this.#settings.kvHeads);
    if (job.work >= WORTH_WAKING) this.#wake();
    this.#member.work();
    while (Atomics.load(control, INSIDE) === 1) Atomics.wait(control, INSIDE, 1, 1);
  }

  /** Jobs so far of which the helper had a share. */
  get helpedJobs(): number {
    return Atomics.load(this.#control, HELPED);
  }

  async close(): Promise<void> {
    await this.#helper?.terminate();
  }

  /** The helper is started with the first job that is worth it; until it is up the rank works alone. */
  #wake(): void {
    const { at } = this.#settings;
    if (at.scratch.length < 2) return;
    if (this.#helper === undefined) {
      this.#helper = startThread("./helper", import.meta.url, this.#settings);
      this.#helper.unref();
    }
    Atomics.add(this.#control, EPOCH, 1);
    Atomics.notify(this.#control, EPOCH);
  }
}
