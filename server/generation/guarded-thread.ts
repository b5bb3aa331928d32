/**
 * A thread that does what a client could make endless: one task at a time, each
 * under a time limit. A task that runs over it, or ends the thread, is refused and
 * the thread replaced. What it has given out before is not touched.
 */
import type { Worker } from "node:worker_threads";
import { startThread } from "../../device/cpu/thread.ts";

export interface ThreadLimits {
  /** Of processor time of the whole process, and at least as much on the clock. */
  readonly timeLimitMs: number;
  /** Tasks waiting at most. */
  readonly maxWaiting: number;
}

/** The task ran over its time or ended its thread. */
export class ThreadTaskError extends Error {
  override readonly name = "ThreadTaskError";
}

/** Too many tasks wait, or the server closes; not the task's fault. */
export class ThreadBusyError extends Error {
  override readonly name = "ThreadBusyError";
}

interface Job<Task, Answer> {
  readonly task: Task;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** What a thread may take to start, on a busy machine and from source. */
const START_MS = 10_000;
/** What an entry posts once it can take tasks; every later message is an answer. */
export const READY = "ready";

export class GuardedThread<Task, Answer> {
  readonly #entry: { readonly name: string; readonly base: string };
  readonly #limits: ThreadLimits;
  readonly #waiting: Job<Task, Answer>[] = [];
  #worker: Worker | undefined;
  #job: Job<Task, Answer> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Threads that had to be replaced. */
  replaced = 0;

  /** `entry`: a module beside `base`, without its extension. The thread starts with the first task. */
  constructor(entry: string, base: string, limits: ThreadLimits) {
    this.#entry = { name: entry, base };
    this.#limits = limits;
  }

  run(task: Task): Promise<Answer> {
    if (this.#closed) return Promise.reject(closing());
    if (this.#waiting.length >= this.#limits.maxWaiting) {
      return Promise.reject(new ThreadBusyError("Too many requests wait for the same thread."));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ task, resolve, reject });
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const job of this.#waiting.splice(0)) job.reject(closing());
    this.#finish((job) => job.reject(closing()));
    await this.#drop();
  }

  #next(): void {
    if (this.#job !== undefined || this.#closed) return;
    const job = this.#waiting.shift();
    if (job === undefined) return;
    this.#job = job;
    const started = this.#worker !== undefined;
    const worker = this.#worker ?? this.#start();
    // A new thread first loads its modules; the task's time begins when it says so.
    this.#limit(started ? this.#limits.timeLimitMs : START_MS);
    worker.ref();
    worker.postMessage(job.task);
  }

  #start(): Worker {
    const worker = startThread(this.#entry.name, this.#entry.base, undefined);
    worker.on("message", (answer: Answer | typeof READY) => {
      if (worker !== this.#worker) return;
      if (answer === READY) {
        this.#limit(this.#limits.timeLimitMs);
        return;
      }
      this.#finish((job) => job.resolve(answer));
      worker.unref();
      this.#next();
    });
    const lost = (why: string) => {
      if (worker === this.#worker) this.#fail(new ThreadTaskError(why));
    };
    worker.on("error", (error: Error) => lost(`it ended its thread: ${error.message}`));
    worker.on("exit", () => lost("it ended its thread"));
    this.#worker = worker;
    return worker;
  }

  /**
   * Time counts only as far as this process got to compute: on a machine that is busy
   * with others, a small task would look endless.
   */
  #limit(milliseconds: number): void {
    clearTimeout(this.#timer);
    const computed = computedMs();
    const begun = performance.now();
    const check = (): void => {
      const left = milliseconds - (computedMs() - computed);
      const patient = performance.now() - begun < PATIENCE * milliseconds;
      if (left > 0 && patient) this.#timer = setTimeout(check, Math.max(left, MIN_WAIT_MS));
      else this.#fail(new ThreadTaskError(`it takes longer than ${milliseconds} ms`));
    };
    this.#timer = setTimeout(check, milliseconds);
  }

  /** The thread is of no more use. */
  #fail(error: Error): void {
    this.replaced++;
    void this.#drop();
    this.#finish((job) => job.reject(error));
    this.#next();
  }

  #finish(settle: (job: Job<Task, Answer>) => void): void {
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

const MIN_WAIT_MS = 20;
/** Times the limit on the clock, whatever was computed. */
const PATIENCE = 10;

/** Processor time of all threads of this process. */
function computedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

const closing = (): ThreadBusyError => new ThreadBusyError("The server is shutting down.");
