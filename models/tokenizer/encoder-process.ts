/**
 * Text to ids in a process of its own, one text after the other, for whatever could
 * abort this one: a text that ends the process, or takes more than its share of
 * processor time, is refused and the process replaced.
 */
import type { ChildProcess } from "node:child_process";
import { startChild } from "./child.ts";
import type { ChildAnswer, ChildTask, EncoderSource } from "./encoder-child.ts";
import { TextRefusedError } from "./text-limits.ts";

interface Job {
  readonly text: string;
  readonly addSpecialTokens: boolean;
  readonly limitMs: number;
  readonly resolve: (ids: Int32Array) => void;
  readonly reject: (error: Error) => void;
}

/** Too many texts wait; not the text's fault. */
export class EncoderBusyError extends Error {
  override readonly name = "EncoderBusyError";
}

/** The file itself could not be read, or ended the process as it was read. */
export class EncoderStartError extends Error {
  override readonly name = "EncoderStartError";
}

const MAX_WAITING = 64;
/** On the clock: a big file on a busy machine; and for a text, times its limit. */
const START_MS = 60_000;
const PATIENCE = 10;
/** A process that has held a text of so many characters gives its memory back when idle so long. */
const LARGE = 500_000;
const IDLE_MS = 5_000;

export class EncoderProcess {
  readonly #source: EncoderSource;
  readonly #waiting: Job[] = [];
  #child: ChildProcess | undefined;
  #ready = false;
  #job: Job | undefined;
  #timer: NodeJS.Timeout | undefined;
  #large = false;
  /** Processes started so far. */
  started = 0;

  constructor(source: EncoderSource) {
    this.#source = source;
  }

  /**
   * `limitMs`: of processor time. Rejects with TextRefusedError where the text is at
   * fault, EncoderStartError where the file is, EncoderBusyError where many wait.
   */
  encode(text: string, addSpecialTokens: boolean, limitMs: number): Promise<Int32Array> {
    if (this.#waiting.length >= MAX_WAITING) {
      return Promise.reject(new EncoderBusyError("Too many texts wait to be tokenized."));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ text, addSpecialTokens, limitMs, resolve, reject });
      this.#next();
    });
  }

  /** Ends the process; the next text starts another one. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#drop();
  }

  #next(): void {
    if (this.#job !== undefined) return;
    const job = this.#waiting.shift();
    if (job === undefined) {
      this.#rest();
      return;
    }
    this.#job = job;
    if (this.#child === undefined) this.#start();
    else {
      hold(this.#child, true);
      if (this.#ready) this.#give(job);
    }
  }

  #start(): void {
    const child = startChild("./encoder-child", import.meta.url);
    this.#child = child;
    this.#ready = false;
    this.#large = false;
    this.started++;
    child.on("message", (answer: ChildAnswer) => {
      if (child === this.#child) this.#answered(answer);
    });
    child.on("error", () => this.#lost(child));
    child.on("exit", () => this.#lost(child));
    this.#limit(START_MS);
    send(child, { source: this.#source });
  }

  #give(job: Job): void {
    if (this.#child === undefined) return;
    this.#large ||= job.text.length >= LARGE;
    const { text, addSpecialTokens, limitMs } = job;
    this.#limit(PATIENCE * limitMs);
    send(this.#child, { text, addSpecialTokens, limitMs });
  }

  #answered(answer: ChildAnswer): void {
    const job = this.#job;
    switch (answer.kind) {
      case "ready":
        this.#ready = true;
        if (job !== undefined) this.#give(job);
        return;
      case "late":
        this.#fail(tooSlow(job));
        return;
      case "failed":
        if (!this.#ready) this.#fail(new EncoderStartError(answer.message));
        else this.#settle((one) => one.reject(new TextRefusedError(answer.message)));
        return;
      case "ids":
        this.#settle((one) => one.resolve(answer.ids));
    }
  }

  /** It ended by itself: an abort of the native package. */
  #lost(child: ChildProcess): void {
    if (child !== this.#child) return;
    this.#fail(
      this.#ready
        ? new TextRefusedError("The tokenizer's pattern backtracks without end on this text.")
        : new EncoderStartError("reading it ended the process that did"),
    );
  }

  /** The process is of no more use. */
  #fail(error: Error): void {
    this.#drop();
    this.#settle((job) => job.reject(error));
  }

  #settle(how: (job: Job) => void): void {
    clearTimeout(this.#timer);
    const job = this.#job;
    this.#job = undefined;
    if (job !== undefined) how(job);
    this.#next();
  }

  #limit(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () =>
        this.#fail(this.#ready ? tooSlow(this.#job) : new EncoderStartError("it took too long")),
      milliseconds,
    );
  }

  #rest(): void {
    if (this.#child === undefined) return;
    hold(this.#child, false);
    if (!this.#large) return;
    this.#timer = setTimeout(() => this.#drop(), IDLE_MS);
    this.#timer.unref();
  }

  #drop(): void {
    const child = this.#child;
    this.#child = undefined;
    this.#ready = false;
    if (child === undefined) return;
    hold(child, false);
    child.kill("SIGKILL");
  }
}

function tooSlow(job: Job | undefined): TextRefusedError {
  const seconds = (job?.limitMs ?? 0) / 1000;
  return new TextRefusedError(
    `The text takes more than ${seconds} s of processor time to tokenize.`,
    { slow: true },
  );
}

/** Keeps this process alive while it waits, or lets it end. */
function hold(child: ChildProcess, held: boolean): void {
  if (held) {
    child.ref();
    child.channel?.ref();
  } else {
    child.unref();
    child.channel?.unref();
  }
}

/** A message to a process that has just ended is lost; its end is heard of anyway. */
function send(child: ChildProcess, task: ChildTask): void {
  child.send(task, () => {});
}
