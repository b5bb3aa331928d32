/**
 * Builds grammars in a thread of its own, under a time limit. A build that runs
 * over it, or that ends the thread, is refused and the thread replaced; requests
 * that already run hold finished grammars and notice nothing.
 */
import type { Worker } from "node:worker_threads";
import { startThread } from "../../../device/cpu/thread.ts";
import type { BuildAnswer } from "./builder-thread.ts";
import { GrammarError, type Node } from "./grammar.ts";
import type { GrammarSpec } from "./spec.ts";
import { unflatten } from "./wire.ts";

export interface BuilderOptions {
  readonly timeLimitMs: number;
  /** Grammars waiting to be built at most. */
  readonly maxWaiting: number;
}

/** Too many grammars wait; not the request's fault. */
export class BuilderBusyError extends Error {
  override readonly name = "BuilderBusyError";
}

interface Job {
  readonly spec: GrammarSpec;
  readonly resolve: (root: Node) => void;
  readonly reject: (error: Error) => void;
}

export class GrammarBuilder {
  readonly #options: BuilderOptions;
  readonly #waiting: Job[] = [];
  #worker: Worker | undefined;
  #job: Job | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Threads that had to be replaced. */
  replaced = 0;

  constructor(options: BuilderOptions) {
    this.#options = options;
  }

  build(spec: GrammarSpec): Promise<Node> {
    if (this.#closed) return Promise.reject(new BuilderBusyError("The server is shutting down."));
    if (this.#waiting.length >= this.#options.maxWaiting) {
      return Promise.reject(new BuilderBusyError("Too many grammars wait to be compiled."));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ spec, resolve, reject });
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const job of this.#waiting.splice(0))
      job.reject(new BuilderBusyError("The server is shutting down."));
    this.#finish((job) => job.reject(new BuilderBusyError("The server is shutting down.")));
    await this.#drop();
  }

  #next(): void {
    if (this.#job !== undefined || this.#closed) return;
    const job = this.#waiting.shift();
    if (job === undefined) return;
    this.#job = job;
    const started = this.#worker !== undefined;
    const worker = this.#worker ?? this.#start();
    // A new thread first loads its modules; its own time begins when it says so.
    this.#limit(started ? this.#options.timeLimitMs : START_MS);
    worker.ref();
    worker.postMessage(job.spec);
  }

  #start(): Worker {
    const worker = startThread("./builder-thread", import.meta.url, undefined);
    worker.on("message", (answer: BuildAnswer | "ready") => {
      if (worker !== this.#worker) return;
      if (answer === "ready") {
        this.#limit(this.#options.timeLimitMs);
        return;
      }
      this.#finish((job) => {
        if (answer.ok) job.resolve(unflatten(answer.grammar));
        else
          job.reject(answer.refused ? new GrammarError(answer.message) : new Error(answer.message));
      });
      worker.unref();
      this.#next();
    });
    const lost = (error?: Error) => {
      if (worker === this.#worker)
        this.#fail(
          new GrammarError(`it could not be compiled${error ? `: ${error.message}` : ""}`),
        );
    };
    worker.on("error", lost);
    worker.on("exit", () => lost());
    this.#worker = worker;
    return worker;
  }

  #limit(milliseconds: number): void {
    clearTimeout(this.#timer);
    const error = new GrammarError(`it takes longer than ${milliseconds} ms to compile`);
    this.#timer = setTimeout(() => this.#fail(error), milliseconds);
  }

  /** The thread is of no more use. */
  #fail(error: Error): void {
    this.replaced++;
    void this.#drop();
    this.#finish((job) => job.reject(error));
    this.#next();
  }

  #finish(settle: (job: Job) => void): void {
    clearTimeout(this.#timer);
    const job = this.#job;
    this.#job = undefined;
    if (job !== undefined) settle(job);
  }

  async #drop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}

/** What a thread may take to start, on a busy machine and from source. */
const START_MS = 10_000;
