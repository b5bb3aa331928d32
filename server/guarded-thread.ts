/**
 * Threads that do what a client could make endless. A task has a short limit first,
 * in a queue that therefore moves; one that runs over it goes on beside the queue
 * until its real limit, while there are threads for that, or begins again when there
 * are. Its like, known by the key, wait with it; the like of what was quick go first.
 * So whoever asks for something endless holds up nobody else. A task that runs over
 * its limit, or ends its thread, is refused and the thread replaced. What it has
 * given out before is not touched.
 */
import { createHash } from "node:crypto";
import type { Worker } from "node:worker_threads";
import { startThread } from "../device/thread.ts";

export interface ThreadLimits {
  /** Of processor time, and at least as much on the clock. */
  readonly timeLimitMs: number;
  /** First limit of a task; absent: 50. */
  readonly quickMs?: number;
  /** Tasks waiting at most, of the quick and of the slow. */
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
  /** Tasks of one key are alike: one that was slow is slow again. */
  readonly key: string | undefined;
  readonly timeLimitMs: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** A thread, and the job it has. */
interface Runner<Task, Answer> {
  readonly worker: Worker;
  job: Job<Task, Answer> | undefined;
  slow: boolean;
  /** Its modules are loaded: a task's time begins then. */
  ready: boolean;
  usedMs: number;
  begun: number;
}

/** What a thread may take to start, on a busy machine and from source. */
const START_MS = 10_000;
/** What an entry posts once it can take tasks; every later message is an answer. */
export const READY = "ready";

/** First limit of a task. */
const QUICK_MS = 50;
/** Threads on quick tasks, and on slow ones. */
const QUICK_THREADS = 2;
const SLOW_THREADS = 2;
const KNOWN_KEYS = 256;
const CHECK_MS = 25;
/** Times the limit on the clock, whatever was computed. */
const PATIENCE = 10;
const HEAP_MB = 256;

export class GuardedThread<Task, Answer> {
  readonly #entry: { readonly name: string; readonly base: string };
  readonly #limits: ThreadLimits;
  readonly #quick: Job<Task, Answer>[] = [];
  readonly #slow: Job<Task, Answer>[] = [];
  readonly #slowKeys = new Set<string>();
  readonly #quickKeys = new Set<string>();
  readonly #runners = new Set<Runner<Task, Answer>>();
  #timer: NodeJS.Timeout | undefined;
  #computed = 0;
  #closed = false;
  /** Threads that had to be replaced. */
  replaced = 0;

  /** `entry`: a module beside `base`, without its extension. Threads start with the first tasks. */
  constructor(entry: string, base: string, limits: ThreadLimits) {
    this.#entry = { name: entry, base };
    this.#limits = limits;
  }

  /**
   * `alike`: what makes two tasks the same work; absent: none is like another. `timeLimitMs`: of a
   * task that no client can make longer.
   */
  run(task: Task, alike?: string, timeLimitMs = this.#limits.timeLimitMs): Promise<Answer> {
    if (this.#closed) return Promise.reject(closing());
    const key = alike === undefined ? undefined : shortened(alike);
    const queue = key !== undefined && this.#slowKeys.has(key) ? this.#slow : this.#quick;
    if (queue.length >= this.#limits.maxWaiting) {
      return Promise.reject(new ThreadBusyError("Too many requests wait for the same thread."));
    }
    return new Promise((resolve, reject) => {
      const job = { task, key, timeLimitMs, resolve, reject };
      if (key !== undefined && this.#quickKeys.has(key)) queue.unshift(job);
      else queue.push(job);
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const job of [...this.#quick.splice(0), ...this.#slow.splice(0)]) job.reject(closing());
    const runners = [...this.#runners];
    this.#runners.clear();
    for (const { job } of runners) job?.reject(closing());
    await Promise.all(runners.map(({ worker }) => worker.terminate()));
  }

  #next(): void {
    if (this.#closed) return;
    while (this.#slow.length > 0 && this.#busy(true) < SLOW_THREADS) this.#give(this.#slow, true);
    while (this.#quick.length > 0 && this.#busy(false) < QUICK_THREADS) {
      this.#give(this.#quick, false);
    }
    this.#watch();
  }

  #busy(slow: boolean): number {
    let busy = 0;
    for (const { job, slow: its } of this.#runners) if (job !== undefined && its === slow) busy++;
    return busy;
  }

  #give(queue: Job<Task, Answer>[], slow: boolean): void {
    const job = queue.shift();
    if (job === undefined) return;
    const idle = [...this.#runners].find((one) => one.job === undefined);
    const runner = idle ?? this.#start();
    Object.assign(runner, { job, slow, usedMs: 0, begun: performance.now() });
    runner.worker.ref();
    try {
      runner.worker.postMessage(job.task);
    } catch (error) {
      // It nests deeper than is copied, and the thread has nothing to do.
      runner.job = undefined;
      runner.worker.unref();
      job.reject(error as Error); // of the copy, which throws nothing else
    }
  }

  #start(): Runner<Task, Answer> {
    const worker = startThread(this.#entry.name, this.#entry.base, undefined, {
      maxOldGenerationSizeMb: HEAP_MB,
    });
    const runner: Runner<Task, Answer> = {
      worker,
      job: undefined,
      slow: false,
      ready: false,
      usedMs: 0,
      begun: 0,
    };
    this.#runners.add(runner);
    worker.on("message", (answer: Answer | typeof READY) => {
      if (!this.#runners.has(runner)) return;
      if (answer === READY) {
        Object.assign(runner, { ready: true, usedMs: 0, begun: performance.now() });
        return;
      }
      const { job, slow } = runner;
      runner.job = undefined;
      worker.unref();
      if (job?.key !== undefined && !slow) remember(this.#quickKeys, job.key);
      job?.resolve(answer);
      this.#next();
    });
    const lost = (why: string) => this.#drop(runner, new ThreadTaskError(why));
    worker.on("error", (error: Error) => lost(`it ended its thread: ${error.message}`));
    worker.on("exit", () => lost("it ended its thread"));
    return runner;
  }

  /** The thread is of no more use. */
  #drop(runner: Runner<Task, Answer>, error?: Error): void {
    if (!this.#runners.delete(runner)) return;
    this.replaced++;
    void runner.worker.terminate();
    const { job } = runner;
    if (error !== undefined) job?.reject(error);
    this.#next();
  }

  /** While a task is under way, time is looked at. */
  #watch(): void {
    const working = this.#busy(true) + this.#busy(false) > 0;
    if (working && this.#timer === undefined) {
      this.#computed = computedMs();
      this.#timer = setInterval(() => this.#check(), CHECK_MS);
    } else if (!working) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }

  /**
   * Time counts only as far as this process got to compute, shared among its tasks: on
   * a machine that is busy with others, a small task would look endless.
   */
  #check(): void {
    const computed = computedMs();
    const working = [...this.#runners].filter(({ job }) => job !== undefined);
    const share = (computed - this.#computed) / Math.max(1, working.length);
    this.#computed = computed;
    for (const runner of working) {
      const { timeLimitMs = this.#limits.timeLimitMs } = runner.job ?? {};
      runner.usedMs += share;
      const waited = performance.now() - runner.begun;
      const over = (limit: number) =>
        waited >= limit && (runner.usedMs >= limit || waited >= PATIENCE * limit);
      if (!runner.ready) {
        if (over(START_MS)) this.#drop(runner, late(START_MS));
      } else if (over(timeLimitMs)) {
        this.#drop(runner, late(timeLimitMs));
      } else if (!runner.slow && over(Math.min(this.#limits.quickMs ?? QUICK_MS, timeLimitMs))) {
        this.#slowDown(runner);
      }
    }
  }

  /** Goes on beside the queue where there is a thread for that. */
  #slowDown(runner: Runner<Task, Answer>): void {
    const { job } = runner;
    if (job === undefined) return;
    if (job.key !== undefined) this.#setApart(job.key);
    if (this.#busy(true) < SLOW_THREADS) {
      runner.slow = true;
      this.#next();
      return;
    }
    if (this.#slow.length < this.#limits.maxWaiting) {
      this.#slow.push(job);
      this.#drop(runner);
      return;
    }
    this.#drop(runner, new ThreadBusyError("Too many requests that take long are under way."));
  }

  /** Tasks of this key wait with the slow ones from now on. */
  #setApart(slow: string): void {
    remember(this.#slowKeys, slow);
    this.#quickKeys.delete(slow);
    const alike = this.#quick.filter(({ key }) => key === slow);
    const others = this.#quick.filter(({ key }) => key !== slow);
    this.#quick.splice(0, this.#quick.length, ...others);
    this.#slow.push(...alike);
  }
}

/** Keys outlive their tasks, and are as long as clients make them. */
function shortened(key: string): string {
  return key.length <= 64 ? key : createHash("sha256").update(key).digest("base64");
}

function remember(keys: Set<string>, key: string): void {
  keys.delete(key);
  keys.add(key);
  const [oldest] = keys;
  if (keys.size > KNOWN_KEYS && oldest !== undefined) keys.delete(oldest);
}

/** Processor time of all threads of this process. */
function computedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

const late = (limitMs: number): ThreadTaskError =>
  new ThreadTaskError(`it takes longer than ${limitMs} ms`);
const closing = (): ThreadBusyError => new ThreadBusyError("The server is shutting down.");
