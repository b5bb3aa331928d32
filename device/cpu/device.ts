/**
 * The cpu device: a real forward pass on rank threads, real logits, the engine's
 * sampler. This half lives on the engine's thread; it keeps the queue of steps,
 * puts sampled ids where PENDING_TOKEN stands, and hands logits to the sampler
 * in windows, so that no step needs more than one window of shared memory.
 */
import type { Clock } from "../clock.ts";
import type {
  Adapter,
  AdapterFacts,
  AdapterShelf,
  Batch,
  BatchRow,
  Device,
  DeviceAbilities,
  DeviceLimits,
  Sampled,
  Sampler,
  SequenceId,
  StepResult,
  TokenId,
} from "../device.ts";
import { PENDING_TOKEN } from "../device.ts";
import type { DeviceSettings } from "../settings.ts";
import type { TraceSink } from "../trace.ts";
import { NO_DRAFT } from "./draft.ts";
import { createEncoderDevice } from "./encoder/device.ts";
import { isGreedy, sampledOf } from "./greedy.ts";
import { loadLines } from "./load-lines.ts";
import type { MemoryPlan } from "./plan.ts";
import { attentionParity, KV_FORMAT_NAMES, planMemory } from "./plan.ts";
import type { RankRequest } from "./rank.ts";
import type { RankFailure, RankGroup } from "./ranks.ts";
import { Shelf } from "./shelf.ts";
import { startRanks } from "./start-ranks.ts";
import type { Take } from "./windows.ts";
import { planWindows, WINDOW_ROWS } from "./windows.ts";
import { encodeStep } from "./wire.ts";

/** Wanted of a step that only fills the cache. */
const NOTHING = { tokens: new Int32Array(0), what: "logits" } as const;

/** Something for the ranks to do; the next begins when `run` calls `end`. */
interface Job {
  run(end: () => void): void;
  fail(failure: RankFailure): void;
}

/** What sampling gathered so far. */
interface Gathered {
  readonly sampled: Map<SequenceId, Sampled>;
  readonly hidden: Map<SequenceId, Float32Array>;
  readonly prompt: Map<SequenceId, NonNullable<Sampled["prompt"]>[number][]>;
}

/**
 * Loads the model on every rank. Rejects, naming what is wrong, when the model
 * has no weights, has ops this device lacks, or cannot be divided over the ranks.
 */
export async function createCpuDevice(settings: DeviceSettings): Promise<Device> {
  const { model } = settings;
  // The runtime would report its use to its maker, and leaves a log in the temporary folder.
  process.env["ORT_DISABLE_TELEMETRY"] ??= "1";
  if (model.architecture.family === "encoder") return createEncoderDevice(settings);
  if (model.checkpoint === undefined) {
    const why = model.unread ?? `${model.source} has none`;
    throw new Error(
      `The cpu device needs weights. ${why}. To simulate the model without them: --device trainium.`,
    );
  }
  const plan = planMemory(model, settings);
  const group = await startRanks(settings, model.checkpoint, plan);
  return new CpuDevice(group, settings, plan);
}

export class CpuDevice implements Device {
  readonly name = "cpu";
  readonly loadLines: readonly string[];
  readonly kvCache: NonNullable<Device["kvCache"]>;
  readonly limits: DeviceLimits;
  readonly vocabSize: number;
  readonly can: DeviceAbilities;
  readonly adapters?: AdapterShelf;
  readonly plan: MemoryPlan;
  /** For tests that end a rank. */
  readonly ranks: RankGroup;
  readonly #hiddenSize: number;
  readonly #sampler: Sampler;
  readonly #clock: Clock;
  readonly #trace: TraceSink | undefined;
  readonly #shelf: Shelf | undefined;
  /** Steps not yet given to the ranks. */
  readonly #queue: Job[] = [];
  /** The id each sequence sampled last. */
  readonly #last = new Map<SequenceId, TokenId>();
  #busy = false;
  #closed = false;

  constructor(ranks: RankGroup, settings: DeviceSettings, plan: MemoryPlan) {
    const { architecture } = settings.model;
    this.ranks = ranks;
    this.plan = plan;
    this.loadLines = loadLines(settings, plan, ranks.loaded);
    this.kvCache = { bytes: plan.ranks * plan.kvBytes, format: KV_FORMAT_NAMES[plan.kvFormat] };
    this.vocabSize = architecture.vocabSize;
    this.#hiddenSize = architecture.hidden;
    this.#sampler = settings.sampler;
    this.#clock = settings.clock;
    this.#trace = settings.trace;
    const { adapters } = settings;
    this.can = {
      draft: true,
      promptLogprobs: true,
      grammar: true,
      hidden: true,
      adapters: adapters !== undefined,
    };
    if (adapters !== undefined) {
      const shelf = new Shelf(settings.model, adapters, plan.ranks);
      this.#shelf = shelf;
      this.adapters = {
        load: (adapter) => this.#load(adapter, shelf),
        drop: (adapter) => shelf.forget(adapter),
      };
    }
    this.limits = {
      blockSize: plan.blockSize,
      blocks: plan.blocks,
      maxRows: plan.maxRows,
      maxTokens: plan.maxTokens,
      maxContext: plan.maxContext,
      maxDrafted: Math.min(settings.maxDrafted ?? WINDOW_ROWS - 1, WINDOW_ROWS - 1),
      inFlight: settings.inFlight ?? 2,
      attentionParity: attentionParity(architecture),
      ...(adapters && { maxAdapters: adapters.inStep }),
    };
  }

  execute(batch: Batch, done: (result: StepResult) => void): void {
    const fail = ({ error, kvLost }: RankFailure): void =>
      done({ ok: false, error, ...(kvLost && { kvLost }) });
    this.#add({
      run: (end) => this.#execute(batch, { done, fail, end }),
      fail,
    });
  }

  /** Greedy; a row ends early at its blocks' or the context's end. A failure gives no drafts. */
  draft(
    rows: readonly BatchRow[],
    count: number,
    done: (drafts: ReadonlyMap<SequenceId, readonly TokenId[]>) => void,
  ): void {
    this.#add({
      run: (end) => this.#draft(rows, count, { end, done }),
      fail: () => done(new Map()),
    });
  }

  async #load(adapter: Adapter, shelf: Shelf): Promise<AdapterFacts> {
    const facts = shelf.open(adapter);
    await new Promise<void>((resolve, reject) => {
      const fail = ({ error }: RankFailure): void => {
        shelf.forget(adapter);
        reject(error);
      };
      const run = (end: () => void): void =>
        shelf.prepare([adapter], this.ranks, (failure) => {
          end();
          if (failure) fail(failure);
          else resolve();
        });
      this.#add({ run, fail });
    });
    return facts;
  }

  /** Takes its turn: a queued step may still wait for the last id of one of them. */
  release(ids: readonly SequenceId[]): void {
    const forget = (): void => {
      for (const id of ids) this.#last.delete(id);
    };
    this.#add({
      run: (end) => {
        forget();
        end();
      },
      fail: forget,
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#queue.length = 0;
    await this.ranks.close();
  }

  #add(job: Job): void {
    this.#queue.push(job);
    if (!this.#busy) this.#next();
  }

  #next(): void {
    const job = this.#queue.shift();
    this.#busy = job !== undefined;
    if (job === undefined) return;
    // A rank that is being started anew is waited for.
    this.ranks.ready().then(
      () => {
        if (!this.#closed) job.run(() => this.#next());
      },
      (error: Error) => {
        job.fail({ error, kvLost: true });
        this.#next();
      },
    );
  }

  #execute(
    batch: Batch,
    on: {
      readonly done: (result: StepResult) => void;
      readonly fail: (failure: RankFailure) => void;
      readonly end: () => void;
    },
  ): void {
    const gathered: Gathered = { sampled: new Map(), hidden: new Map(), prompt: new Map() };
    const { sampled, hidden } = gathered;
    const begun = this.#clock.now();
    this.#step(
      batch,
      (take) => this.#take(take, gathered),
      (failure) => {
        const { rows, step } = batch;
        const args = { step, rows: rows.length };
        this.#trace?.span("cpu", "step", begun, this.#clock.now() - begun, args);
        if (failure !== undefined) {
          // Steps queued behind may build on ids that were not sampled: they fail too.
          const behind = this.#queue.splice(0);
          on.end();
          on.fail(failure);
          for (const job of behind) job.fail(failure);
          return;
        }
        for (const [id, { tokens }] of sampled) {
          const last = tokens.at(-1);
          if (last !== undefined) this.#last.set(id, last);
        }
        // The ranks begin the next step before the engine is told of this one.
        on.end();
        on.done({ ok: true, sampled, ...(hidden.size > 0 && { hidden }) });
      },
    );
  }

  #draft(
    rows: readonly BatchRow[],
    count: number,
    on: {
      readonly end: () => void;
      readonly done: (drafts: ReadonlyMap<SequenceId, readonly TokenId[]>) => void;
    },
  ): void {
    const packed = this.#encode({ rows, copies: [] }, count);
    const finish = (drafts: ReadonlyMap<SequenceId, readonly TokenId[]>): void => {
      on.end();
      on.done(drafts);
    };
    if (packed instanceof Error || rows.length * count > this.ranks.results.length) {
      setImmediate(finish, new Map());
      return;
    }
    this.ranks.request({ type: "draft", packed, count }, (failure) => {
      if (this.#closed) return;
      const ids = new Int32Array(this.ranks.results.buffer);
      const draftOf = (index: number): readonly TokenId[] =>
        [...ids.subarray(index * count, (index + 1) * count)].filter((id) => id !== NO_DRAFT);
      finish(new Map(failure ? [] : rows.map(({ id }, index) => [id, draftOf(index)])));
    });
  }

  /** The step as ranks take it; an error when the batch itself is wrong: no rank sees it. */
  #encode(batch: Pick<Batch, "rows" | "copies">, ahead = 0): Int32Array | Error {
    try {
      return encodeStep(batch, this.limits, {
        resolve: (row, index) => this.#resolve(row, index),
        place: (row) => this.#shelf?.placeOf(row),
        ahead,
      });
    } catch (error) {
      return error as Error;
    }
  }

  /** The same once the adapters that its rows name are in memory. */
  #step(
    batch: Pick<Batch, "rows" | "copies">,
    take: (take: Take) => void,
    then: (failure?: RankFailure) => void,
  ): void {
    const adapters = batch.rows.flatMap(({ adapter }) => adapter ?? []);
    const compute = (): void => this.#compute(batch, take, then);
    if (adapters.length === 0 || this.#shelf === undefined) {
      compute();
      return;
    }
    this.#shelf.prepare(adapters, this.ranks, (failure) => {
      if (this.#closed) return;
      if (failure) then(failure);
      else compute();
    });
  }

  /** One step on the ranks: `take` is called for each result in turn, then `then`. */
  #compute(
    batch: Pick<Batch, "rows" | "copies">,
    take: (take: Take) => void,
    then: (failure?: RankFailure) => void,
  ): void {
    const packed = this.#encode(batch);
    if (packed instanceof Error) {
      setImmediate(then, { error: packed, kvLost: false });
      return;
    }
    const windows = planWindows(batch.rows, (row) => isGreedy(this.#sampler, row));
    const ask = (index: number): void => {
      const window = windows[index];
      const { tokens, what } = window ?? NOTHING;
      const wanted = { tokens, what };
      const request: RankRequest =
        index === 0 ? { type: "step", packed, wanted } : { type: "more", wanted };
      this.ranks.request(request, (failure) => {
        if (this.#closed) return;
        if (failure !== undefined) {
          then(failure);
          return;
        }
        for (const each of window?.takes ?? []) take(each);
        if (index + 1 < windows.length) ask(index + 1);
        else then();
      });
    };
    ask(0);
  }

  #resolve(row: BatchRow, index: number): TokenId {
    const id = row.context[index] as number;
    if (id !== PENDING_TOKEN) {
      if (id >= 0 && id < this.vocabSize) return id;
      throw new Error(`Row ${row.id} has token id ${id}, outside the vocabulary.`);
    }
    const last = this.#last.get(row.id);
    if (last === undefined) throw new Error(`Row ${row.id} waits for an id that was not sampled.`);
    return last;
  }

  /** Gives one row's part of a window to the sampler. */
  #take(take: Take, gathered: Gathered): void {
    const { row, kind, position } = take;
    if (kind === "hidden") {
      this.#keepStates(take, gathered.hidden);
      return;
    }
    if (kind === "likeliest") {
      const ids = this.ranks.ids.subarray(take.at, take.at + take.count);
      const of = { sampler: this.#sampler, vocabSize: this.vocabSize };
      gathered.sampled.set(row.id, sampledOf(row, ids, of));
      return;
    }
    const logits = this.#logits(take);
    if (kind === "prompt") {
      const list = gathered.prompt.get(row.id) ?? [];
      list.push(...this.#sampler.prompt(row, position, logits, this.vocabSize));
      gathered.prompt.set(row.id, list);
      const known = gathered.sampled.get(row.id) ?? { tokens: [], accepted: 0 };
      gathered.sampled.set(row.id, { ...known, prompt: list });
      return;
    }
    const prompt = gathered.prompt.get(row.id);
    const sampled = this.#sampler.sample(row, logits);
    gathered.sampled.set(row.id, prompt === undefined ? sampled : { ...sampled, prompt });
  }

  #keepStates({ row, at, count, position }: Take, into: Map<SequenceId, Float32Array>): void {
    const size = this.#hiddenSize;
    const states = this.ranks.results.subarray(at * size, (at + count) * size);
    if (row.want === "hidden") {
      into.set(row.id, states.slice());
      return;
    }
    const all = into.get(row.id) ?? new Float32Array(row.count * size);
    all.set(states, (position - row.start) * size);
    into.set(row.id, all);
  }

  #logits({ at, count }: Take): Float32Array {
    return this.ranks.results.subarray(at * this.vocabSize, (at + count) * this.vocabSize);
  }
}
