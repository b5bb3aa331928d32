/** Spans of work, for profiles. */
import type { Nanos } from "./clock.ts";

export type SpanArgs = Readonly<Record<string, string | number>>;

export interface TraceSink {
  span(lane: string, name: string, start: Nanos, duration: Nanos, args?: SpanArgs): void;
}

export interface Span {
  readonly lane: string;
  readonly name: string;
  readonly start: Nanos;
  readonly duration: Nanos;
  readonly args?: SpanArgs;
}

/** Keeps the spans it is given. */
export class MemoryTrace implements TraceSink {
  readonly spans: Span[] = [];

  span(lane: string, name: string, start: Nanos, duration: Nanos, args?: SpanArgs): void {
    this.spans.push({ lane, name, start, duration, ...(args === undefined ? {} : { args }) });
  }
}
