/** A progress bar on stderr; silent when stderr is no terminal. */
export class Progress {
  readonly #total: number;
  readonly #label: string;
  readonly #started = Date.now();
  #done = 0;
  #drawn = 0;

  constructor(label: string, total: number) {
    this.#label = label;
    this.#total = total;
  }

  step(): void {
    this.#done++;
    const now = Date.now();
    if (now - this.#drawn < 100 && this.#done < this.#total) return;
    this.#drawn = now;
    this.#draw(now);
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write("\n");
  }

  #draw(now: number): void {
    if (!process.stderr.isTTY) return;
    const width = 32;
    const filled = Math.round((width * this.#done) / Math.max(1, this.#total));
    const seconds = (now - this.#started) / 1000;
    const rate = seconds > 0 ? this.#done / seconds : 0;
    const left = rate > 0 ? (this.#total - this.#done) / rate : 0;
    const bar = "█".repeat(filled) + "░".repeat(width - filled);
    process.stderr.write(
      `\r${this.#label} ${bar} ${this.#done}/${this.#total} [${clock(seconds)}<${clock(left)}, ${rate.toFixed(2)} req/s] `,
    );
  }
}

function clock(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
