/** Spans of work, for profiles. Writers: in memory (tests) and Chrome-trace JSON. */
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

/** Chrome trace event format (Perfetto, chrome://tracing): complete events, one thread a lane. */
export function chromeTrace(spans: readonly Span[]): string {
  const lanes = [...new Set(spans.map((span) => span.lane))];
  const names = lanes.map((name, tid) => ({
    ph: "M",
    pid: 1,
    tid,
    name: "thread_name",
    args: { name },
  }));
  const events = spans.map((span) => ({
    ph: "X",
    pid: 1,
    tid: lanes.indexOf(span.lane),
    name: span.name,
    ts: span.start / 1000,
    dur: span.duration / 1000,
    ...(span.args === undefined ? {} : { args: span.args }),
  }));
  return JSON.stringify({ traceEvents: [...names, ...events], displayTimeUnit: "ns" });
}
