/** HTTP series as prometheus-fastapi-instrumentator names them; probes and /metrics are left out. */
import { BUCKETS } from "./buckets.ts";
import type { CounterSeries, Families, HistogramSeries } from "./families.ts";

export const UNCOUNTED: ReadonlySet<string> = new Set([
  "/metrics",
  "/health",
  "/load",
  "/hygiene",
  "/ping",
  "/version",
  "/server_info",
]);

export interface HttpExchange {
  /** The route's pattern; `none` for a path nobody serves. */
  readonly handler: string;
  readonly method: string;
  readonly status: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly seconds: number;
}

export class HttpMetrics {
  readonly #families: Families;
  readonly #all: HistogramSeries;
  readonly #counters = new Map<string, CounterSeries>();
  readonly #durations = new Map<string, HistogramSeries>();
  readonly #sizes = new Map<
    string,
    { readonly request: HistogramSeries; readonly response: HistogramSeries }
  >();

  constructor(families: Families) {
    this.#families = families;
    this.#all = families.histogram("http_request_duration_highr_seconds", {
      help: "Latency with many buckets but no API specific labels.",
      buckets: BUCKETS.httpSecondsFine,
    });
  }

  observe({ handler, method, status, requestBytes, responseBytes, seconds }: HttpExchange): void {
    if (UNCOUNTED.has(handler)) return;
    const group = `${Math.floor(status / 100)}xx`;
    this.#counter(handler, method, group).inc();
    this.#all.observe(seconds);
    this.#duration(handler, method).observe(seconds);
    const sizes = this.#size(handler);
    sizes.request.observe(requestBytes);
    sizes.response.observe(responseBytes);
  }

  #counter(handler: string, method: string, status: string): CounterSeries {
    return kept(this.#counters, `${handler} ${method} ${status}`, () =>
      this.#families.counter(
        "http_requests",
        "Total number of requests by method, status and handler.",
        { handler, method, status },
      ),
    );
  }

  #duration(handler: string, method: string): HistogramSeries {
    return kept(this.#durations, `${handler} ${method}`, () =>
      this.#families.histogram("http_request_duration_seconds", {
        help: "Latency with only few buckets by handler.",
        buckets: BUCKETS.httpSeconds,
        labels: { handler, method },
      }),
    );
  }

  #size(handler: string) {
    // The instrumentator's summaries have no quantiles: sum and count, as a histogram has them.
    const series = (name: string, help: string) =>
      this.#families.histogram(name, { help, buckets: [], labels: { handler } });
    return kept(this.#sizes, handler, () => ({
      request: series("http_request_size_bytes", "Content length of incoming requests by handler."),
      response: series(
        "http_response_size_bytes",
        "Content length of outgoing responses by handler.",
      ),
    }));
  }
}

function kept<T>(map: Map<string, T>, key: string, make: () => T): T {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
