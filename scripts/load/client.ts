/**
 * One request to an OpenAI-compatible server over node:http, timed. The clock
 * starts when the request is handed to the socket; a chunk counts when it has
 * choices (the role chunk too), as in `vllm bench serve`.
 */
import * as http from "node:http";
import * as https from "node:https";
import type { WorkRequest } from "../workload/request.ts";
import type { RequestRecord } from "./record.ts";
import { SseParser } from "./sse.ts";

/** What all requests of a run have in common. */
export interface Target {
  /** e.g. `http://127.0.0.1:8000`. */
  readonly baseUrl: string;
  readonly endpoint: string;
  /** Shape of the body: text completions or chat. */
  readonly api: "completions" | "chat";
  readonly model: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sampling fields and `--extra-body`, merged into each body. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly insecure?: boolean;
  /** Keep the text of answers. */
  readonly keepText: boolean;
  /** Sent as x-request-id, with the request's number. */
  readonly requestIdPrefix?: string;
}

export class Client {
  readonly #target: Target;
  readonly #agent: http.Agent;
  readonly #send: typeof http.request;
  readonly #url: URL;

  constructor(target: Target) {
    this.#target = target;
    this.#url = new URL(target.baseUrl.replace(/\/$/, "") + target.endpoint);
    const secure = this.#url.protocol === "https:";
    this.#send = secure ? https.request : http.request;
    this.#agent = secure
      ? new https.Agent({ keepAlive: true, rejectUnauthorized: target.insecure !== true })
      : new http.Agent({ keepAlive: true });
  }

  /** Never rejects: what goes wrong is in the record. `now` gives seconds since the run began. */
  run(request: WorkRequest, index: number, now: () => number): Promise<RequestRecord> {
    const body = Buffer.from(JSON.stringify(this.#body(request)));
    const watch = new Stopwatch(request, now, this.#target.keepText);
    return new Promise((resolve) => {
      const fail = (message: string): void => resolve(watch.record(message));
      const outgoing = this.#send(
        this.#url,
        {
          method: "POST",
          agent: this.#agent,
          headers: {
            "content-type": "application/json",
            "content-length": body.length,
            ...this.#target.headers,
            ...(this.#target.requestIdPrefix === undefined
              ? {}
              : { "x-request-id": `${this.#target.requestIdPrefix}${index}` }),
          },
        },
        (incoming) => {
          incoming.on("error", (error) => fail(error.message));
          incoming.on("aborted", () => fail("The server closed the stream."));
          if (incoming.statusCode !== 200) {
            const parts: Buffer[] = [];
            incoming.on("data", (part: Buffer) => parts.push(part));
            incoming.on("end", () =>
              fail(`HTTP ${incoming.statusCode}: ${Buffer.concat(parts).toString().slice(0, 500)}`),
            );
            return;
          }
          const parser = new SseParser((data) => watch.chunk(data));
          incoming.on("data", (part: Buffer) => parser.push(part));
          incoming.on("end", () => resolve(watch.record()));
        },
      );
      outgoing.on("error", (error) => fail(error.message));
      outgoing.setNoDelay(true);
      watch.start();
      outgoing.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  #body(request: WorkRequest): Record<string, unknown> {
    const { prompt } = request;
    const shared = {
      model: this.#target.model,
      stream: true,
      stream_options: { include_usage: true },
    };
    if (this.#target.api === "chat") {
      if (prompt.type === "ids") throw new Error("Chat needs text prompts, not token ids.");
      const messages =
        prompt.type === "messages"
          ? prompt.messages
          : [{ role: "user", content: [{ type: "text", text: prompt.text }] }];
      return {
        ...shared,
        messages,
        max_completion_tokens: request.outputTokens,
        ...this.#target.body,
      };
    }
    if (prompt.type === "messages") throw new Error("Text completions take no messages.");
    return {
      ...shared,
      prompt: prompt.type === "ids" ? Array.from(prompt.ids) : prompt.text,
      repetition_penalty: 1,
      max_tokens: request.outputTokens,
      ...this.#target.body,
    };
  }
}

/** Times one answer as its chunks come in. */
class Stopwatch {
  readonly #request: WorkRequest;
  readonly #now: () => number;
  readonly #keepText: boolean;
  readonly #itl: number[] = [];
  #sent = 0;
  #first: number | undefined;
  #last = 0;
  #text = "";
  #chunks = 0;
  #error: string | undefined;
  #promptTokens: number | undefined;
  #outputTokens: number | undefined;
  #cachedTokens: number | undefined;

  constructor(request: WorkRequest, now: () => number, keepText: boolean) {
    this.#request = request;
    this.#now = now;
    this.#keepText = keepText;
  }

  start(): void {
    this.#sent = this.#now();
  }

  chunk(data: string): void {
    if (data === "[DONE]") return;
    const at = this.#now();
    let event: StreamChunk;
    try {
      event = JSON.parse(data) as StreamChunk; // checked field by field below
    } catch {
      this.#error ??= `A chunk is not JSON: ${data.slice(0, 120)}`;
      return;
    }
    if (event.error !== undefined) this.#error ??= JSON.stringify(event.error);
    if (event.choices !== undefined && event.choices.length > 0) {
      if (this.#first === undefined) this.#first = at;
      else this.#itl.push(at - this.#last);
      this.#last = at;
      const choice = event.choices[0];
      const piece = choice?.text ?? choice?.delta?.content ?? choice?.delta?.reasoning ?? "";
      if (piece !== "") this.#chunks++;
      if (this.#keepText) this.#text += piece;
    }
    const usage = event.usage;
    if (usage !== undefined && usage !== null) {
      this.#promptTokens = usage.prompt_tokens;
      this.#outputTokens = usage.completion_tokens;
      this.#cachedTokens = usage.prompt_tokens_details?.cached_tokens;
    }
  }

  record(failure?: string): RequestRecord {
    const first = this.#first;
    const error =
      failure ?? this.#error ?? (first === undefined ? "The answer had no chunk." : undefined);
    return {
      ok: error === undefined,
      ...(error === undefined ? {} : { error }),
      sent: this.#sent,
      ttft: first === undefined ? 0 : first - this.#sent,
      latency: first === undefined ? 0 : this.#last - this.#sent,
      itl: this.#itl,
      promptTokens: this.#promptTokens ?? this.#request.promptTokens,
      // Without usage, chunks with text are the best count there is.
      outputTokens: this.#outputTokens ?? this.#chunks,
      wantedTokens: this.#request.outputTokens,
      ...(this.#cachedTokens === undefined ? {} : { cachedTokens: this.#cachedTokens }),
      ...(this.#keepText ? { text: this.#text } : {}),
    };
  }
}

interface StreamChunk {
  readonly error?: unknown;
  readonly choices?: readonly {
    readonly text?: string;
    readonly delta?: { readonly content?: string | null; readonly reasoning?: string | null };
  }[];
  readonly usage?: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly prompt_tokens_details?: { readonly cached_tokens?: number } | null;
  } | null;
}
