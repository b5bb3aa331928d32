/** One question to any OpenAI-compatible server, streamed and timed. */
import { type Output, readOutput } from "../../../server/testing/output.ts";
import { SseParser } from "../../load/sse.ts";
import type { EvalItem } from "./items.ts";

export interface AskOptions {
  readonly baseUrl: string;
  readonly model: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Of every request, beneath what its line says. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Asked {
  readonly output: Output;
  /** Absent: the server does not tell. */
  readonly outputTokens?: number;
}

/**
 * Milliseconds a token after the first. Undefined: fewer than three pieces, or than half
 * as many as tokens: those that a parser held back, or that came together, tell no pace.
 */
export function tpotOf(times: readonly number[], tokens: number): number | undefined {
  const [first = 0] = times;
  if (times.length < 3 || 2 * times.length < tokens) return undefined;
  return ((times.at(-1) ?? first) - first) / (tokens - 1);
}

/** Never rejects: what goes wrong is in the output. */
export async function askItem(
  { path, body }: EvalItem,
  { baseUrl, model, headers, body: shared }: AskOptions,
): Promise<Asked> {
  let outputTokens: number | undefined;
  const events = async function* (): AsyncGenerator<unknown> {
    const response = await fetch(`${baseUrl.replace(/\/+$/, "")}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({
        ...{ model, ...shared, ...body },
        ...{ stream: true, stream_options: { include_usage: true } },
      }),
    });
    if (!response.ok) {
      throw new Error(`HTTP ${response.status}: ${(await response.text()).slice(0, 300)}`);
    }
    const found: string[] = [];
    const parser = new SseParser((data) => found.push(data));
    for await (const bytes of response.body ?? []) {
      parser.push(bytes);
      for (const data of found.splice(0)) {
        if (data === "[DONE]") continue;
        const event = JSON.parse(data) as {
          readonly error?: unknown;
          readonly usage?: { readonly completion_tokens?: number } | null;
        }; // looked at field by field
        if (event.error !== undefined) throw new Error(JSON.stringify(event.error));
        outputTokens = event.usage?.completion_tokens ?? outputTokens;
        yield event;
      }
    }
  };
  const output = await readOutput(events());
  return { output, ...(outputTokens !== undefined && { outputTokens }) };
}
