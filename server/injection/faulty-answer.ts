/**
 * An answer with faults: what is written to its socket goes through them, so that
 * every wire format has them and none knows of it. What is held back blocks the
 * writer as a slow reader does; a cut connection is a client that is gone.
 */
import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Fault, FaultKind } from "../settings/fault-spec.ts";

/** The faults that show in an answer under way. */
export type AnswerFault = Exclude<Fault, { readonly kind: "status" }>;

/** Takes the place of the response's writing. `happened` is told of each fault when it shows. */
export function faultyAnswer(
  raw: ServerResponse,
  faults: readonly AnswerFault[],
  happened: (kind: FaultKind) => void,
): void {
  const answer = new FaultyAnswer(raw, faults, happened);
  const write = (chunk: unknown): boolean => answer.write(bytesOf(chunk));
  const end = (chunk?: unknown): ServerResponse => {
    answer.end(chunk === undefined || chunk === null ? undefined : bytesOf(chunk));
    return raw;
  };
  Object.assign(raw, { write, end });
}

function bytesOf(chunk: unknown): Buffer {
  return typeof chunk === "string" ? Buffer.from(chunk) : Buffer.from(chunk as Uint8Array); // HTTP writes texts and bytes
}

class FaultyAnswer {
  readonly #raw: ServerResponse;
  readonly #write: ServerResponse["write"];
  readonly #end: ServerResponse["end"];
  readonly #faults: Set<AnswerFault>;
  readonly #happened: (kind: FaultKind) => void;
  readonly #gone = new AbortController();
  /** Not written yet: events, or the two halves of a whole answer. */
  readonly #queue: Buffer[] = [];
  #ended = false;
  #running = false;
  /** Events that were written; of a whole answer its halves. */
  #written = 0;
  #streams = false;
  #lastAt = 0;

  constructor(
    raw: ServerResponse,
    faults: readonly AnswerFault[],
    happened: (kind: FaultKind) => void,
  ) {
    this.#raw = raw;
    this.#write = raw.write.bind(raw);
    this.#end = raw.end.bind(raw);
    this.#faults = new Set(faults);
    this.#happened = happened;
    raw.on("close", () => this.#gone.abort());
  }

  /** False: held back; `drain` tells when to go on. */
  write(bytes: Buffer): boolean {
    this.#take(bytes);
    return this.#queue.length === 0 && !this.#running;
  }

  end(bytes: Buffer | undefined): void {
    if (bytes !== undefined) this.#take(bytes);
    this.#ended = true;
    if (!this.#running) this.#end();
  }

  #take(bytes: Buffer): void {
    this.#streams = String(this.#raw.getHeader("content-type")).startsWith("text/event-stream");
    this.#queue.push(...(this.#streams ? eventsIn(bytes) : halvesOf(bytes)));
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        await this.#hold();
        if (this.#raw.destroyed) return;
        if (this.#cuts()) return;
        this.#lastAt = performance.now();
        this.#write(this.#brokenOr(next));
        this.#written++;
      }
    } catch {
      return; // the wait ended with its client
    }
    this.#running = false;
    if (this.#cuts()) return;
    if (this.#ended) this.#end();
    else this.#raw.emit("drain");
  }

  /** The waits that stand before the next piece. */
  async #hold(): Promise<void> {
    for (const fault of this.#faults) {
      if (fault.kind === "slow-first-token" && this.#written === 0) {
        await this.#wait(fault, fault.ms);
      } else if (fault.kind === "stall" && this.#written >= this.#place(fault.after)) {
        await this.#wait(fault, fault.ms);
      } else if (fault.kind === "pace" && this.#written > 0 && this.#streams) {
        const left = this.#lastAt + fault.ms - performance.now();
        if (this.#written === 1) this.#happened("pace");
        if (left > 0) await sleep(left, undefined, { signal: this.#gone.signal });
      }
    }
  }

  async #wait(fault: AnswerFault, ms: number): Promise<void> {
    this.#faults.delete(fault);
    this.#happened(fault.kind);
    await sleep(ms, undefined, { signal: this.#gone.signal });
  }

  /** Ends the connection where a cut stands; true: nothing is written any more. */
  #cuts(): boolean {
    for (const fault of this.#faults) {
      if (fault.kind !== "cut" || this.#written < this.#place(fault.after)) continue;
      this.#faults.delete(fault);
      this.#running = true; // for good
      this.#queue.length = 0;
      this.#happened("cut");
      if (this.#written === 0) this.#raw.destroy();
      // What was written arrives, then the end of the connection.
      else this.#write("", () => this.#raw.destroy());
      return true;
    }
    return false;
  }

  #brokenOr(piece: Buffer): Buffer {
    for (const fault of this.#faults) {
      if (fault.kind !== "malformed" || this.#written < this.#place(fault.after)) continue;
      if (this.#streams && !piece.includes("data: {")) continue; // [DONE] has nothing to break
      this.#faults.delete(fault);
      this.#happened("malformed");
      if (!this.#streams) return Buffer.alloc(piece.length, " "); // as long as was promised
      const from = piece.indexOf("data: {") + "data: {".length;
      return Buffer.concat([
        piece.subarray(0, from + ((piece.length - from) >> 1)),
        Buffer.from("\n\n"),
      ]);
    }
    return piece;
  }

  /** Of a whole answer: its middle, wherever in a stream it would be; 0 stays the beginning. */
  #place(after: number): number {
    return this.#streams ? after : Math.min(after, 1);
  }
}

/** Each with the blank line that ends it; the last may lack it. */
function eventsIn(bytes: Buffer): Buffer[] {
  const events: Buffer[] = [];
  let from = 0;
  while (from < bytes.length) {
    const end = bytes.indexOf("\n\n", from);
    const to = end < 0 ? bytes.length : end + 2;
    events.push(bytes.subarray(from, to));
    from = to;
  }
  return events;
}

function halvesOf(bytes: Buffer): Buffer[] {
  const middle = bytes.length >> 1;
  return middle === 0 ? [bytes] : [bytes.subarray(0, middle), bytes.subarray(middle)];
}
