/** vLLM's series of what happens in front of the engines: admission, tool parsers, sleep, sockets. */
import { BUCKETS } from "./buckets.ts";
import type { CounterSeries, Families, GaugeSeries, HistogramSeries } from "./families.ts";
import { helpOf } from "./help.ts";

/** What a tool parser was given: a whole output, or a delta of a stream. */
export interface ToolParse {
  readonly streaming: boolean;
  readonly called: boolean;
  readonly request: (typeof REQUESTS)[number];
}

const REQUESTS = ["chat_completions", "responses", "other"] as const;
const REFUSALS = { requests: "max_num_queued_reqs", tokens: "max_num_queued_tokens" } as const;

export class FrontendMetrics {
  readonly #families: Families;
  readonly #refusals: Readonly<Record<keyof typeof REFUSALS, CounterSeries>> | undefined;
  readonly #parses = new Map<string, CounterSeries>();
  readonly #sleeps = new Map<string, { readonly took: HistogramSeries; awaited: number }>();
  readonly #sockets: {
    readonly active: GaugeSeries;
    readonly all: CounterSeries;
    readonly lasted: HistogramSeries;
  };
  #open = 0;

  constructor(
    families: Families,
    of: {
      readonly modelName: string;
      /** Are queues counted? */
      readonly engineSeries: boolean;
      /** Is there a `--tool-call-parser`? */
      readonly parsesTools: boolean;
    },
  ) {
    this.#families = families;
    const model = { model_name: of.modelName };
    const counter = (name: string, labels: Readonly<Record<string, string>>) =>
      families.counter(name, helpOf(name), labels);
    const refusal = (reason: string) => counter("vllm:admission_rejections", { ...model, reason });
    this.#refusals = of.engineSeries
      ? { requests: refusal(REFUSALS.requests), tokens: refusal(REFUSALS.tokens) }
      : undefined;
    for (const streaming of of.parsesTools ? [true, false] : []) {
      for (const called of [true, false]) {
        for (const request of REQUESTS) {
          const labels = {
            ...model,
            mode: streaming ? "streaming" : "non_streaming",
            outcome: called ? "tool_call" : "no_tool_call",
            request_type: request,
          };
          const series = counter("vllm:tool_call_parser_invocations", labels);
          this.#parses.set(parseKey({ streaming, called, request }), series);
        }
      }
    }
    const active = "vllm:websocket_connections_active";
    const lasted = "vllm:websocket_connection_duration_seconds";
    this.#sockets = {
      active: families.gauge(active, helpOf(active), {}, () => this.#open),
      all: counter("vllm:websocket_connections", {}),
      lasted: families.histogram(lasted, {
        ...{ help: helpOf(lasted), buckets: BUCKETS.socketSeconds },
      }),
    };
  }

  refused(limit: keyof typeof REFUSALS): void {
    this.#refusals?.[limit].inc();
  }

  parsedTools(parse: ToolParse): void {
    this.#parses.get(parseKey(parse))?.inc();
  }

  /** A sleep-mode operation; its series come with the first, as vLLM's do. */
  async timeSleep<T>(operation: "sleep" | "wake", work: () => Promise<T>): Promise<T> {
    const series = this.#sleep(operation);
    const began = performance.now();
    series.awaited++;
    try {
      return await work();
    } finally {
      series.awaited--;
      series.took.observe((performance.now() - began) / 1000);
    }
  }

  /** A socket was opened; call what is returned when it is closed. */
  socketOpened(): () => void {
    const began = performance.now();
    this.#open++;
    this.#sockets.all.inc();
    return () => {
      this.#open--;
      this.#sockets.lasted.observe((performance.now() - began) / 1000);
    };
  }

  #sleep(operation: string) {
    const known = this.#sleeps.get(operation);
    if (known !== undefined) return known;
    const [took, awaited] = [
      "vllm:sleep_mode_operation_duration_seconds",
      "vllm:sleep_mode_operations_in_flight",
    ];
    const labels = { operation };
    const made = {
      took: this.#families.histogram(took, {
        ...{ help: helpOf(took), buckets: BUCKETS.sleepSeconds, labels },
      }),
      awaited: 0,
    };
    this.#families.gauge(awaited, helpOf(awaited), labels, () => made.awaited);
    this.#sleeps.set(operation, made);
    return made;
  }
}

function parseKey({ streaming, called, request }: ToolParse): string {
  return `${streaming} ${called} ${request}`;
}
