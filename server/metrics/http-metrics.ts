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

interface Sizes {
  readonly request: HistogramSeries;
  readonly response: HistogramSeries;
}

/** Requests that count in the same series. */
interface LikeRequests {
  readonly handler: string;
  readonly method: string;
  readonly hundreds: number;
  readonly count: CounterSeries;
  readonly duration: HistogramSeries;
  readonly sizes: Sizes;
}

export class HttpMetrics {
  readonly #families: Families;
  readonly #all: HistogramSeries;
  readonly #counters = new Map<string, CounterSeries>();
  readonly #durations = new Map<string, HistogramSeries>();
  readonly #sizes = new Map<string, Sizes>();
  #last: LikeRequests | undefined;

  constructor(families: Families) {
    this.#families = families;
    this.#all = families.histogram("http_request_duration_highr_seconds", {
      help: helpOf("http_request_duration_highr_seconds"),
      buckets: BUCKETS.httpSecondsFine,
    });
  }

  observe({ handler, method, status, requestBytes, responseBytes, seconds }: HttpExchange): void {
    if (UNCOUNTED.has(handler)) return;
    const { count, duration, sizes } = this.#seriesOf(handler, method, Math.floor(status / 100));
    count.inc();
    this.#all.observe(seconds);
    duration.observe(seconds);
    sizes.request.observe(requestBytes);
    sizes.response.observe(responseBytes);
  }

  /** Most requests are like the one before. */
  #seriesOf(handler: string, method: string, hundreds: number): LikeRequests {
    const last = this.#last;
    if (last?.handler === handler && last.method === method && last.hundreds === hundreds) {
      return last;
    }
    const made = {
      ...{ handler, method, hundreds },
      count: this.#counter(handler, method, `${hundreds}xx`),
      duration: this.#duration(handler, method),
      sizes: this.#size(handler),
    };
    this.#last = made;
    return made;
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
