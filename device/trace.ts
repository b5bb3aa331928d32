/** What a step took: its cost and spans of work, for profiles, and their writing as a Chrome trace (ui.perfetto.dev opens it). */
import type { Nanos } from "./clock.ts";

export type SpanArgs = Readonly<Record<string, string | number>>;

export interface TraceSink {
  span(lane: string, name: string, start: Nanos, duration: Nanos, args?: SpanArgs): void;
}

/** Spans of one lane nest or follow each other; a parent stands before its children. */
export interface Span {
  readonly lane: string;
  readonly name: string;
  readonly start: Nanos;
  readonly duration: Nanos;
  readonly args?: SpanArgs;
}

/** Where a step's time went. */
export interface StepCost {
  readonly duration: Nanos;
  /** Nanoseconds by cause; they add up to `duration`. */
  readonly parts: Readonly<Record<string, Nanos>>;
  /** Tokens and rows of padding in the step. */
  readonly paddedTokens: number;
  readonly paddedRows: number;
  /** Of one rank, from the step's start on; made only when asked for. */
  readonly spans: () => readonly Span[];
}

/** Keeps the spans it is given. */
export class MemoryTrace implements TraceSink {
  readonly spans: Span[] = [];

  span(lane: string, name: string, start: Nanos, duration: Nanos, args?: SpanArgs): void {
    this.spans.push({ lane, name, start, duration, ...(args === undefined ? {} : { args }) });
  }
}

/** Microseconds: the unit of the format. */
const micros = (nanos: Nanos): number => nanos / 1000;

/** A trace in the Trace Event Format: lanes are threads of named processes. */
export class ChromeTrace {
  readonly #events: string[] = [];
  readonly #processes = new Map<string, number>();
  readonly #threads = new Map<string, { readonly pid: number; readonly tid: number }>();

  /** A span of the lane of a process, moved by `from`. */
  span(process: string, span: Span, from: Nanos = 0): void {
    this.#add(process, span.lane, {
      ph: "X",
      name: span.name,
      ts: micros(from + span.start),
      dur: micros(span.duration),
      ...(span.args !== undefined && { args: span.args }),
    });
  }

  /** A moment of a lane. */
  mark(process: string, lane: string, mark: { readonly name: string; readonly at: Nanos }): void {
    this.#add(process, lane, { ph: "i", s: "t", name: mark.name, ts: micros(mark.at) });
  }

  /** A span that may overlap others of its lane: those of one `id` stand in a row of their own. */
  overlapping(process: string, span: Span, id: number): void {
    const same = { cat: span.lane, id, name: span.name };
    const args = span.args === undefined ? {} : { args: span.args };
    this.#add(process, span.lane, { ph: "b", ...same, ts: micros(span.start), ...args });
    this.#add(process, span.lane, { ph: "e", ...same, ts: micros(span.start + span.duration) });
  }

  /** The file's text; `about` is what a reader should know of it. */
  json(about: SpanArgs): string {
    const head = `{"displayTimeUnit":"ns","otherData":${JSON.stringify(about)},"traceEvents":[`;
    return `${head}\n${this.#events.join(",\n")}\n]}\n`;
  }

  #add(process: string, lane: string, event: object): void {
    this.#events.push(JSON.stringify({ ...this.#place(process, lane), ...event }));
  }

  /** Numbers of a process and thread; their names, in order of appearance, when they are new. */
  #place(process: string, lane: string): { readonly pid: number; readonly tid: number } {
    const key = `${process}\n${lane}`;
    const known = this.#threads.get(key);
    if (known !== undefined) return known;
    const named = (what: string, at: object, name: string, order: number): void => {
      const meta = { ph: "M", ts: 0, ...at };
      this.#events.push(
        JSON.stringify({ ...meta, name: `${what}_name`, args: { name } }),
        JSON.stringify({ ...meta, name: `${what}_sort_index`, args: { sort_index: order } }),
      );
    };
    let pid = this.#processes.get(process);
    if (pid === undefined) {
      pid = this.#processes.size + 1;
      this.#processes.set(process, pid);
      named("process", { pid, tid: 0 }, process, pid);
    }
    const place = { pid, tid: this.#threads.size + 1 };
    this.#threads.set(key, place);
    named("thread", place, lane, place.tid);
    return place;
  }
}
