/**
 * How far a long run is, on stderr: a bar on a terminal, else a line after two
 * seconds and every ten after that. What ends sooner says nothing but its bar.
 */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export interface ProgressOptions {
  /** What is counted, e.g. `req`. */
  readonly unit?: string;
  readonly output?: ProgressOutput;
  /** Milliseconds, never going back. */
  readonly now?: () => number;
  /** Milliseconds before a bar is drawn: what ends sooner shows none. */
  readonly barAfter?: number;
}

/** Milliseconds. */
const FIRST_LINE = 2000;
const NEXT_LINE = 10_000;
const REDRAW = 100;

export class Progress {
  readonly #label: string;
  readonly #unit: string;
  readonly #output: ProgressOutput;
  readonly #now: () => number;
  readonly #started: number;
  #total: number;
  #done = 0;
  #next = 0;
  #drawn = false;

  constructor(label: string, total: number, options: ProgressOptions = {}) {
    this.#label = label;
    this.#total = total;
    this.#unit = options.unit ?? "req";
    this.#output = options.output ?? process.stderr;
    this.#now = options.now ?? Date.now;
    this.#started = this.#now();
    this.#next = this.#output.isTTY === true ? (options.barAfter ?? 0) : FIRST_LINE;
  }

  step(): void {
    this.to(this.#done + 1);
  }

  /** `total` may be found out on the way. */
  to(done: number, total = this.#total): void {
    this.#done = done;
    this.#total = total;
    const bar = this.#output.isTTY === true;
    const passed = this.#now() - this.#started;
    if (passed < this.#next && !(this.#drawn && done >= total)) return;
    this.#next = passed + (bar ? REDRAW : NEXT_LINE);
    this.#output.write(bar ? `\r${this.#bar(passed / 1000)} ` : `${this.#line(passed / 1000)}\n`);
    this.#drawn = bar;
  }

  end(): void {
    if (this.#drawn) this.#output.write("\n");
    this.#drawn = false;
  }

  #bar(seconds: number): string {
    const width = 32;
    const share = Math.min(1, this.#done / Math.max(1, this.#total));
    const filled = Math.round(width * share);
    const bar = "█".repeat(filled) + "░".repeat(width - filled);
    return `${this.#label} ${bar} ${this.#counts(seconds)}`;
  }

  #line(seconds: number): string {
    return `${this.#label} ${this.#counts(seconds)}`;
  }

  #counts(seconds: number): string {
    const rate = seconds > 0 ? this.#done / seconds : 0;
    const left = rate > 0 ? clock(Math.max(0, this.#total - this.#done) / rate) : "?";
    return `${this.#done}/${this.#total} [${clock(seconds)}<${left}, ${rate.toFixed(2)} ${this.#unit}/s]`;
  }
}

function clock(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
