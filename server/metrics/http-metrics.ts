/** HTTP series as prometheus-fastapi-instrumentator names them; probes and /metrics are left out. */
import { BUCKETS } from "./buckets.ts";
import type { CounterSeries, Families, HistogramSeries } from "./families.ts";
import { helpOf } from "./help.ts";

export const UNCOUNTED: ReadonlySet<string> = new Set([
  "/metrics",
  "/health",
  "/livez",
  "/readyz",
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
      help: helpOf("http_request_duration_highr_seconds"),
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
      this.#families.counter("http_requests", helpOf("http_requests"), { handler, method, status }),
    );
  }

  #duration(handler: string, method: string): HistogramSeries {
    return kept(this.#durations, `${handler} ${method}`, () =>
      this.#families.histogram("http_request_duration_seconds", {
        help: helpOf("http_request_duration_seconds"),
        buckets: BUCKETS.httpSeconds,
        labels: { handler, method },
      }),
    );
  }

  #size(handler: string) {
    const series = (name: string) => this.#families.summary(name, helpOf(name), { handler });
    return kept(this.#sizes, handler, () => ({
      request: series("http_request_size_bytes"),
      response: series("http_response_size_bytes"),
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
