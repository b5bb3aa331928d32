/**
 * The rank threads, seen from the engine's thread: a request goes to all, its
 * answer is there when all have answered. A rank that throws fails the request
 * and releases the others. A rank that ends or hangs is started anew; its part
 * of the KV cache is lost with it.
 */
import type { Worker } from "node:worker_threads";
import type { AdapterWeights } from "../../models/adapters.ts";
import { AllReduceControl, allReduceMemory } from "./all-reduce.ts";
import type { RankSettings } from "./forward.ts";
import type { Loaded } from "./opener.ts";
import type { RankData, RankFault, RankReply, RankRequest } from "./rank.ts";
import { startRankThread } from "./rank-thread.ts";

export interface RankFailure {
  readonly error: Error;
  /** A rank was started anew: nothing in the KV cache is valid. */
  readonly kvLost: boolean;
}

export interface RankGroupOptions {
  /** A step that takes longer is taken for hung, in milliseconds. */
  readonly stepTimeoutMs: number;
  /** F32 elements of the results that ranks write. */
  readonly resultElements: number;
  /** Told while a rank loads: so many of its segments are open. */
  readonly onOpened?: (rank: number, done: number, total: number) => void;
}

type Done = (failure?: RankFailure) => void;

interface Pending {
  readonly waiting: Set<number>;
  readonly done: Done;
  readonly timer: NodeJS.Timeout;
  failure?: RankFailure;
  /** `failure` names the cause, not that a rank gave up because of another. */
  caused: boolean;
}

export class RankGroup {
  /** Written by the ranks, read after a request is done. */
  readonly results: Float32Array;
  /** The same memory where ids were asked for. */
  readonly ids: Int32Array;
  /** What stands in each place of the shelf: a rank that is started anew begins with it. */
  readonly adapters = new Map<number, AdapterWeights>();
  /** Of the rank that was loaded last; all load alike. */
  loaded: Loaded | undefined;
  readonly #settings: RankSettings;
  readonly #options: RankGroupOptions;
  readonly #allReduce: SharedArrayBuffer;
  readonly #control: AllReduceControl;
  readonly #shared: SharedArrayBuffer;
  readonly #threads: Worker[] = [];
  readonly #ready: Promise<void>[] = [];
  #pending: Pending | undefined;
  /** A rank ended while no request was under way. */
  #lost: Error | undefined;
  #closed = false;

  private constructor(settings: RankSettings, options: RankGroupOptions) {
    this.#settings = settings;
    this.#options = options;
    this.#allReduce = allReduceMemory(settings.ranks);
    this.#control = new AllReduceControl(this.#allReduce);
    this.#shared = new SharedArrayBuffer(options.resultElements * 4);
    this.results = new Float32Array(this.#shared);
    this.ids = new Int32Array(this.#shared);
  }

  /** `settings.rank` is ignored. Rejects with the error of the first rank that cannot load. */
  static async start(settings: RankSettings, options: RankGroupOptions): Promise<RankGroup> {
    const group = new RankGroup(settings, options);
    for (let rank = 0; rank < settings.ranks; rank++) group.#start(rank);
    try {
      await Promise.all(group.#ready);
    } catch (error) {
      await group.close();
      throw error;
    }
    return group;
  }

  /** One request at a time; `done` is called later. */
  request(request: RankRequest, done: Done): void {
    if (this.#pending !== undefined) throw new Error("cpu: a request is under way.");
    const lost = this.#lost;
    this.#lost = undefined;
    if (lost !== undefined) {
      setImmediate(done, { error: lost, kvLost: true });
      return;
    }
    const ranks = this.#threads.map((_, rank) => rank);
    const timer = setTimeout(() => this.#hung(), this.#options.stepTimeoutMs);
    this.#pending = { waiting: new Set(ranks), done, timer, caused: false };
    this.#control.reset();
    for (const thread of this.#threads) thread.postMessage(request);
  }

  /** Resolves when every rank can take requests; rejects when one cannot be started. */
  async ready(): Promise<void> {
    await Promise.all(this.#ready);
  }

  /** For drills: the next request of this rank throws or hangs. */
  inject(rank: number, kind: RankFault["kind"]): void {
    const fault: RankFault = { type: "fault", kind };
    this.#threads[rank]?.postMessage(fault);
  }

  /** The threads, for tests that end one. */
  get threads(): readonly Worker[] {
    return this.#threads;
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#pending) clearTimeout(this.#pending.timer);
    this.#pending = undefined;
    this.#control.abort(); // nobody waits for a rank that has left
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }

  #start(rank: number): void {
    const thread = startRankThread(
      import.meta.url,
      (leave): RankData => ({
        settings: { ...this.#settings, rank },
        allReduce: this.#allReduce,
        results: this.#shared,
        adapters: this.adapters,
        leave,
      }),
    );
    this.#threads[rank] = thread;
    let loaded = false;
    const ready = new Promise<void>((resolve, reject) => {
      const ended = (error: Error): void => {
        reject(error);
        this.#ended(rank, thread, error, loaded);
      };
      thread.on("message", (reply: RankReply) => {
        if (reply.type === "opened") {
          this.#options.onOpened?.(rank, reply.done, reply.total);
        } else if (reply.type === "ready") {
          loaded = true;
          this.loaded = reply.loaded;
          resolve();
        } else if (reply.type === "done") {
          this.#answered(rank);
        } else {
          reject(reply.error);
          if (loaded) this.#failed(rank, reply.error, { aborted: reply.aborted, kvLost: false });
        }
      });
      thread.on("error", ended);
      thread.on("exit", (code) => ended(new Error(`Rank ${rank} ended with code ${code}.`)));
    });
    // Whoever needs the rank awaits `ready`; until then a rejection is nobody's.
    ready.catch(() => {});
    this.#ready[rank] = ready;
  }

  /** A rank that could not even load is not tried again: `ready` rejects. */
  #ended(rank: number, thread: Worker, error: Error, loaded: boolean): void {
    if (this.#closed || !loaded || this.#threads[rank] !== thread) return;
    this.#start(rank);
    if (this.#pending === undefined) this.#lost = error;
    else this.#failed(rank, error, { aborted: false, kvLost: true });
  }

  #failed(rank: number, error: Error, how: { aborted: boolean; kvLost: boolean }): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    const known = pending.failure;
    const told = known === undefined || (!pending.caused && !how.aborted) ? error : known.error;
    pending.failure = { error: told, kvLost: how.kvLost || (known?.kvLost ?? false) };
    pending.caused ||= !how.aborted;
    this.#control.abort();
    this.#answered(rank);
  }

  #answered(rank: number): void {
    const pending = this.#pending;
    if (pending === undefined || !pending.waiting.delete(rank) || pending.waiting.size > 0) return;
    clearTimeout(pending.timer);
    this.#pending = undefined;
    pending.done(pending.failure);
  }

  /**
   * No answer in time: who has not answered is replaced at once. The thread may
   * be in native code, which cannot be ended; it is not waited for.
   */
  #hung(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    const { stepTimeoutMs } = this.#options;
    const error = new Error(`A step took longer than ${stepTimeoutMs} ms and was given up.`);
    for (const rank of [...pending.waiting]) {
      const thread = this.#threads[rank];
      this.#start(rank);
      void thread?.terminate();
      this.#failed(rank, error, { aborted: false, kvLost: true });
    }
  }
}
