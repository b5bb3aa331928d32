/**
 * `--otlp-traces-endpoint`: a span for each request of the engine, named as vLLM
 * names it. Without the flag nothing of OpenTelemetry is loaded and nobody is told
 * of a request's end. Latencies are of the engine's clock, starts and ends of the
 * wall's.
 */
import { type Clock, type Nanos, SECOND } from "../../device/clock.ts";
import type { GenerationRequest } from "../../engine/sequence.ts";
import type { Settings } from "../settings/table.ts";
import type { SpanSink, TraceContext } from "./span.ts";

/** Who asked, as a trace tells it. */
export interface TraceOrigin {
  readonly arrived: Nanos;
  readonly context: TraceContext;
  readonly id: string;
  /** Between the id and the number of the prompt, where each prompt is a request of its own. */
  readonly numbered?: string;
}

/** A completion that has ended. */
export interface Ended {
  readonly id: string | undefined;
  readonly context: TraceContext;
  readonly request: GenerationRequest;
  readonly outputTokens: number;
  readonly arrived: Nanos;
  readonly queued: Nanos;
  readonly scheduled: Nanos | undefined;
  readonly firstToken: Nanos | undefined;
  readonly lastToken: Nanos | undefined;
}

/** Undefined: no traces are asked for. Throws SettingsError. */
export async function openTraces(settings: Settings, clock: Clock): Promise<Traces | undefined> {
  const endpoint = settings["otlp-traces-endpoint"];
  if (endpoint === undefined) return undefined;
  const { openTelemetrySink } = await import("./opentelemetry.ts");
  return new Traces(clock, await openTelemetrySink(endpoint));
}

export class Traces {
  readonly #clock: Clock;
  readonly #sink: SpanSink;

  constructor(clock: Clock, sink: SpanSink) {
    this.#clock = clock;
    this.#sink = sink;
  }

  ended({ id, context, request, ...ended }: Ended): void {
    const { params, prompt, pooling } = request;
    const { arrived, queued, scheduled, firstToken, lastToken } = ended;
    const now = this.#clock.now();
    // Clocks that stand still between two events do not order them: never below 0.
    const seconds = (from: Nanos | undefined, to: Nanos | undefined) =>
      from === undefined || to === undefined ? 0 : Math.max(0, to - from) / SECOND;
    const end = performance.timeOrigin + performance.now();
    this.#sink.write({
      name: "llm_request",
      start: end - seconds(arrived, now) * 1000,
      end,
      context,
      attributes: {
        "gen_ai.latency.time_to_first_token": seconds(arrived, firstToken),
        "gen_ai.latency.e2e": seconds(arrived, now),
        "gen_ai.latency.time_in_queue": seconds(queued, scheduled),
        "gen_ai.usage.prompt_tokens": prompt.length,
        "gen_ai.usage.completion_tokens": ended.outputTokens,
        "gen_ai.latency.time_in_model_prefill": seconds(scheduled, firstToken),
        "gen_ai.latency.time_in_model_decode": seconds(firstToken, lastToken),
        "gen_ai.latency.time_in_model_inference": seconds(scheduled, lastToken),
        ...(id !== undefined && { "gen_ai.request.id": id }),
        // What pools draws nothing.
        ...(pooling === undefined && {
          "gen_ai.request.top_p": params.topP,
          "gen_ai.request.max_tokens": params.maxTokens,
          ...(params.temperature > 0 && { "gen_ai.request.temperature": params.temperature }),
        }),
        // A completion is a request of its own, as in vLLM.
        "gen_ai.request.n": 1,
      },
    });
  }

  close(): Promise<void> {
    return this.#sink.close();
  }
}
