/** One request of the playground and what came of it, token by token. */
import { computed, signal } from "@preact/signals";
import { ascending, percentileOf } from "../../../../scripts/load/statistics.ts";
import { ServerError, streamJson } from "../api.ts";

export interface Ask {
  readonly prompt: string;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly logprobs: boolean;
  /** JSON text as typed; empty: none. */
  readonly tools: string;
  readonly schema: string;
}

/** A piece of the answer: what one event of the stream brought. */
export interface Piece {
  readonly kind: "text" | "thought" | "call";
  readonly text: string;
  /** ms since the request was sent. */
  readonly at: number;
  readonly tokens: readonly TokenSeen[];
}

export interface TokenSeen {
  readonly text: string;
  readonly logprob: number;
  readonly others: readonly { readonly text: string; readonly logprob: number }[];
}

interface Logprob {
  readonly token: string;
  readonly logprob: number;
  readonly top_logprobs?: readonly { readonly token: string; readonly logprob: number }[];
}

interface Chunk {
  readonly choices: readonly {
    readonly delta: {
      readonly content?: string | null;
      readonly reasoning?: string | null;
      readonly tool_calls?: readonly {
        readonly function?: { readonly name?: string; readonly arguments?: string };
      }[];
    };
    readonly logprobs?: { readonly content?: readonly Logprob[] | null } | null;
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null;
  readonly metrics?: {
    readonly receipt_ns?: { readonly end_to_end?: Receipt | null };
    readonly receipt_bands?: Trust;
  } | null;
}

/** How far simulated times can be believed, as far as it is shown here. */
export interface Trust {
  readonly serving: { readonly tier: string; readonly factor: number };
  readonly extrapolated?: string;
}

/** ns by cause, and their sum. */
export type Receipt = Readonly<Record<string, number>>;

export const pieces = signal<readonly Piece[]>([]);
export const running = signal(false);
export const failure = signal<string | undefined>(undefined);
export const finish = signal<string | undefined>(undefined);
export const usage = signal<Chunk["usage"]>(undefined);
export const receipt = signal<Receipt | undefined>(undefined);
export const trust = signal<Trust | undefined>(undefined);

let stopper: AbortController | undefined;

/** What the figures under the answer say; ms. */
export const pace = computed(() => {
  const times = pieces.value.map((piece) => piece.at);
  const first = times[0];
  const last = times.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const gaps = times.slice(1).map((at, index) => at - (times[index] ?? at));
  const sorted = ascending(gaps);
  const tokens = usage.value?.completion_tokens ?? times.length;
  return {
    first,
    gaps,
    median: percentileOf(sorted, 50),
    p99: percentileOf(sorted, 99),
    tokens,
    perSecond: tokens > 1 && last > first ? ((tokens - 1) * 1000) / (last - first) : Number.NaN,
  };
});

/** The body that is sent, and shown as code; throws a sentence for JSON that is none. */
export function bodyOf(model: string, ask: Ask): Record<string, unknown> {
  const tools = parsed("Tools", ask.tools);
  const schema = parsed("The schema", ask.schema);
  return {
    model,
    messages: [{ role: "user", content: ask.prompt }],
    max_tokens: ask.maxTokens,
    temperature: ask.temperature,
    stream: true,
    stream_options: { include_usage: true },
    ...(ask.logprobs && { logprobs: true, top_logprobs: 5 }),
    ...(tools !== undefined && { tools }),
    ...(schema !== undefined && {
      response_format: { type: "json_schema", json_schema: { name: "answer", schema } },
    }),
  };
}

function parsed(what: string, text: string): unknown {
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new Error(`${what}: ${error instanceof Error ? error.message : "not JSON"}`);
  }
}

export async function send(model: string, ask: Ask): Promise<void> {
  stop();
  const own = new AbortController();
  stopper = own;
  pieces.value = [];
  failure.value = undefined;
  finish.value = undefined;
  usage.value = undefined;
  receipt.value = undefined;
  running.value = true;
  try {
    const body = bodyOf(model, ask);
    const sent = performance.now();
    for await (const event of streamJson("v1/chat/completions", body, own.signal)) {
      if (own !== stopper) return;
      take(event as Chunk, performance.now() - sent); // what /openapi.json says of the stream
    }
  } catch (error) {
    if (own !== stopper || own.signal.aborted) return;
    failure.value =
      error instanceof ServerError
        ? `${error.status}: ${error.message}`
        : error instanceof Error
          ? error.message
          : String(error);
  } finally {
    if (own === stopper) running.value = false;
  }
}

export function stop(): void {
  stopper?.abort();
  running.value = false;
}

function take(chunk: Chunk, at: number): void {
  if ("error" in chunk) {
    failure.value = JSON.stringify(chunk.error);
    return;
  }
  if (chunk.usage) usage.value = chunk.usage;
  const whole = chunk.metrics?.receipt_ns?.end_to_end;
  if (whole) receipt.value = whole;
  if (chunk.metrics) trust.value = chunk.metrics.receipt_bands;
  for (const { delta, logprobs, finish_reason } of chunk.choices) {
    if (finish_reason) finish.value = finish_reason;
    const tokens = (logprobs?.content ?? []).map((seen) => ({
      text: seen.token,
      logprob: seen.logprob,
      others: (seen.top_logprobs ?? []).map(({ token, logprob }) => ({ text: token, logprob })),
    }));
    const call = delta.tool_calls
      ?.map((one) => (one.function?.name ?? "") + (one.function?.arguments ?? ""))
      .join("");
    const found: Piece | undefined = call
      ? { kind: "call", text: call, at, tokens }
      : delta.reasoning
        ? { kind: "thought", text: delta.reasoning, at, tokens }
        : delta.content
          ? { kind: "text", text: delta.content, at, tokens }
          : undefined;
    if (found !== undefined) pieces.value = [...pieces.value, found];
  }
}
