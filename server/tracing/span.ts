/** What leaves the server of a request that is traced. */

/** W3C's headers: the span that asked. */
export interface TraceContext {
  readonly traceparent?: string;
  readonly tracestate?: string;
}

export interface Span {
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly start: number;
  readonly end: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly context: TraceContext;
}

/** Where spans go. */
export interface SpanSink {
  write(span: Span): void;
  /** Sends what is left. */
  close(): Promise<void>;
}
