/**
 * One request and its answer, as every generating endpoint has it: the id, the
 * client that may leave, the generation it waits for, and what the log tells.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Adapter } from "../../device/device.ts";
import type { GenerationRequest } from "../../engine/sequence.ts";
import { BeamSearch } from "../generation/beam-search.ts";
import type { FixedReply } from "../generation/chat.ts";
import type { ChoiceDelta } from "../generation/choice.ts";
import { LONGEST_ID } from "../generation/fields.ts";
import {
  Generation,
  type GenerationTask,
  type Running,
  withAdapter,
} from "../generation/generate.ts";
import { hexId } from "../hex-id.ts";
import { ApiError, badRequest, toApiError } from "../http/errors.ts";
import { EventStream, type SseEvent } from "../http/sse.ts";
import type { ToolParse } from "../metrics/frontend-metrics.ts";
import { adapterNamed, type Serving } from "../serving.ts";
import type { TraceContext } from "../tracing/span.ts";
import type { TraceOrigin } from "../tracing/traces.ts";

declare module "../http/record.ts" {
  interface RequestRecord {
    /** What the file of matches says; absent: the model answers. */
    fixed?: FixedReply;
  }
}

const NO_EVENTS: readonly SseEvent[] = [];

/** Turns what a generation gained into the events of a stream. */
export interface StreamResponder {
  /** Events that need no delta and go out at once; absent: the first come with the first delta. */
  begin?(): readonly SseEvent[];
  /** Events for these deltas, in order. */
  deltas(deltas: readonly ChoiceDelta[]): readonly SseEvent[];
  /** Events after the last delta, the format's terminator included. */
  end(): readonly SseEvent[];
  /** The stream has begun and cannot go on: the last events. */
  failed(error: ApiError): readonly SseEvent[];
}

export class Exchange {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  /** Where traces are kept. */
  readonly origin: TraceOrigin | undefined;
  /** What the request names as its model, if that is an adapter. */
  readonly adapter: Adapter | undefined;
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #serving: Serving;
  #gone = false;
  #narrowed = false;
  #generation: Running | undefined;

  constructor(
    serving: Serving,
    { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
    named: { readonly model?: string | null | undefined } & (
      | { readonly prefix: string; readonly requestId?: string | null | undefined }
      /** As it is. */
      | { readonly id: string }
    ),
    /** Between the id and the number of a prompt, where traces name each. */
    numbered?: string,
  ) {
    this.#serving = serving;
    this.#request = request;
    this.#reply = reply;
    this.id = "id" in named ? named.id : requestIdOf(request, named);
    const now = Date.now();
    this.created = Math.floor(now / 1000);
    request.record.id = this.id;
    this.adapter = adapterNamed(serving, named.model);
    serving.history?.begin(request, now);
    if (serving.traces !== undefined) {
      this.origin = {
        arrived: serving.clock.now(),
        context: traceContext(request),
        id: this.id,
        ...(numbered !== undefined && { numbered }),
      };
    }
    // 'close' of the response before it was written whole: the client is gone.
    reply.raw.on("close", () => {
      if (reply.raw.writableFinished) return;
      this.#gone = true;
      this.#generation?.abort();
    });
  }

  get fixed(): FixedReply | undefined {
    return this.#request.record.fixed;
  }

  /** Lower is earlier; the header wins over the body. */
  priority(body: number | null | undefined): number {
    const header = this.#request.headers["x-vllm-priority"];
    const given = typeof header === "string" ? Number(header) : Number.NaN;
    return Number.isInteger(given) ? given : (body ?? 0);
  }

  /** As metrics name it: Anthropic's messages are chats, as in vLLM. */
  get requestType(): ToolParse["request"] {
    if (this.id.startsWith("chatcmpl-")) return "chat_completions";
    return this.id.startsWith("resp_") ? "responses" : "other";
  }

  /** Data-parallel rank that a header pins. */
  get rank(): number | undefined {
    const header = this.#request.headers["x-data-parallel-rank"];
    // What is no number pins nothing, as in vLLM.
    if (typeof header !== "string" || !/^\s*[+-]?\d+\s*$/.test(header)) return undefined;
    const rank = Number(header);
    const count = this.#serving.engines.all.length;
    if (rank < 0 || rank >= count) {
      throw badRequest(`data_parallel_rank ${rank} is out of range [0, ${count}).`);
    }
    return rank;
  }

  /** Submits; undefined when the client left before. */
  start(given: GenerationTask): Running | undefined {
    if (this.#gone) return undefined;
    const task = withAdapter(
      this.origin === undefined ? given : { ...given, origin: this.origin },
      this.adapter,
    );
    const generation =
      task.beams === undefined
        ? new Generation(this.#serving, task)
        : new BeamSearch(this.#serving, task, task.beams);
    this.#narrowed = task.requests.some(narrows);
    if (this.#serving.settings["enable-log-requests"]) this.#logParams(task);
    this.#generation = generation;
    this.#request.record.generation = generation;
    this.#request.record.promptTokens = task.requests.reduce(
      (sum, request) => sum + request.prompt.length,
      0,
    );
    return generation;
  }

  /** `--enable-log-requests`: parameters, never prompts. */
  #logParams({ requests, stop }: GenerationTask): void {
    const [first] = requests;
    if (first === undefined) return;
    const { logitBias, ...params } = first.params;
    const promptTokens = requests.map(({ prompt }) => prompt.length);
    const shown = first.pooling
      ? { pooling: first.pooling }
      : { ...params, stop, logitBias: Object.fromEntries(logitBias) };
    const { log } = this.#request;
    log.info({ id: this.id, promptTokens, n: first.n, params: shown }, "received");
  }

  /** Everything at once: one delta a choice. Undefined: nobody is there to answer. */
  collect(generation: Running): Promise<readonly ChoiceDelta[] | undefined> {
    return generation.collect().then((deltas) => this.#collected(deltas));
  }

  #collected(deltas: readonly ChoiceDelta[]): readonly ChoiceDelta[] | undefined {
    if (this.#gone) return undefined;
    const failed = deltas.find((delta) => delta.finish?.reason === "error");
    if (failed !== undefined) throw generationError(failed.finish?.error, this.#narrowed);
    this.#loadReport();
    return deltas;
  }

  /** Resolves when the stream is over or its client gone; rejects while the status is still open. */
  async stream(generation: Running, responder: StreamResponder): Promise<void> {
    const events = new EventStream(this.#reply);
    await new Promise<void>((resolve, reject) => {
      let ended = false;
      const end = (last: readonly SseEvent[]): void => {
        ended = true;
        events.end(last);
        resolve();
      };
      const fail = (error: unknown): void => {
        generation.abort();
        ended = true;
        if (!events.opened) {
          reject(error);
          return;
        }
        this.#request.log.error({ err: error }, "stream failed");
        end(responder.failed(toApiError(error)));
      };
      const write = (more: boolean): void => {
        if (this.#gone || ended || events.blocked) return;
        // A parser's bug ends this request, not the server.
        try {
          const deltas = generation.take();
          for (const { finish } of deltas) {
            if (finish?.reason === "error") throw generationError(finish.error, this.#narrowed);
          }
          const chunks = deltas.length > 0 ? responder.deltas(deltas) : NO_EVENTS;
          if (generation.done) end([...chunks, ...responder.end()]);
          else events.send(chunks, more);
        } catch (error) {
          fail(error);
        }
      };
      events.onDrain = () => write(false);
      generation.onChange = write;
      if (responder.begin !== undefined && !this.#gone) events.send(responder.begin());
      generation.onFail = fail;
      this.#reply.raw.on("close", resolve);
      write(false);
    });
  }

  /** ORCA: the load of this server in a response header, for balancers that ask. */
  #loadReport(): void {
    const format = this.#request.headers["endpoint-load-metrics-format"];
    if (typeof format !== "string") return;
    const { engines } = this.#serving;
    const values = {
      kv_cache_usage_perc: engines.kvUsage,
      num_requests_waiting: engines.waiting,
    };
    const named = { named_metrics: values };
    const upper = format.toUpperCase();
    if (upper === "JSON")
      this.#reply.header("endpoint-load-metrics", `JSON ${JSON.stringify(named)}`);
    if (upper === "TEXT") {
      const text = Object.entries(values).map(([name, value]) => `named_metrics.${name}=${value}`);
      this.#reply.header("endpoint-load-metrics", `TEXT ${text.join(", ")}`);
    }
  }
}

function requestIdOf(
  request: FastifyRequest,
  {
    prefix,
    requestId,
  }: { readonly prefix: string; readonly requestId?: string | null | undefined },
): string {
  const given = request.headers["x-request-id"];
  if (typeof given !== "string") return `${prefix}-${requestId ?? hexId()}`;
  if (given.length > LONGEST_ID) {
    throw badRequest(
      `The header x-request-id has ${given.length} characters; at most ${LONGEST_ID} are taken.`,
      "x-request-id",
    );
  }
  return `${prefix}-${given}`;
}

/** W3C's headers as they came: the propagator judges them. */
function traceContext({ headers }: FastifyRequest): TraceContext {
  const { traceparent, tracestate } = headers;
  return {
    ...(typeof traceparent === "string" && { traceparent }),
    ...(typeof tracestate === "string" && { tracestate }),
  };
}

/** Does a request narrow what may be sampled, so that nothing may be left? */
function narrows({ params, constraints }: GenerationRequest): boolean {
  return (
    constraints !== undefined ||
    params.allowedTokenIds !== undefined ||
    params.badWords.length > 0 ||
    params.logitBias.size > 0
  );
}

/** The sampler found every id forbidden (its words are in engine/sample/sampler.ts). */
const NOTHING_LEFT = /^No id can be sampled/;

export function generationError(cause: Error | undefined, narrowed: boolean): ApiError {
  if (cause instanceof ApiError) return cause;
  if (narrowed && NOTHING_LEFT.test(cause?.message ?? "")) {
    return new ApiError(
      "bad-request",
      "No token can be sampled: structured output, allowed_token_ids, bad_words, logit_bias and min_tokens together leave none.",
      { cause },
    );
  }
  return new ApiError(
    "internal",
    "EngineCore encountered an issue. See the server's log for the root cause.",
    { cause },
  );
}
