/**
 * A wire format of chat is a value: how a body is read, how an answer is written.
 * What lies between is `chatGeneration` and the same for all of them.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { TSchema } from "typebox";
import { type Soon, soon } from "../../models/soon.ts";
import { type ChatAsk, type ChatGeneration, chatGeneration } from "../generation/chat.ts";
import type { OutputDelta } from "../generation/parts.ts";
import type { ApiError } from "../http/errors.ts";
import { type Serving, servedName } from "../serving.ts";
import { Exchange, type StreamResponder } from "./exchange.ts";

/** All that an answer is made of. */
export interface ChatAnswer<Body> {
  readonly serving: Serving;
  readonly exchange: Exchange;
  readonly model: string;
  readonly body: Body;
  readonly chat: ChatGeneration;
}

export interface ChatBody {
  readonly model?: string | null;
  readonly stream?: boolean | null;
  readonly request_id?: string | null;
}

export interface ChatFormat<Body extends ChatBody> {
  readonly path: string;
  readonly schema: TSchema;
  /** Of the ids it gives. */
  readonly prefix: string;
  /** The body in the chat's terms. Throws ApiError. */
  readonly read: (serving: Serving, body: Body) => ChatAsk;
  readonly respond: (answer: ChatAnswer<Body>, deltas: readonly OutputDelta[]) => object;
  readonly stream: (answer: ChatAnswer<Body>) => StreamResponder;
  /** The body of an error; absent: vLLM's. */
  readonly error?: (error: ApiError) => object;
}

declare module "fastify" {
  interface FastifyContextConfig {
    /** The body of an error; absent: vLLM's. */
    readonly errorBody?: (error: ApiError) => object;
  }
}

export function chatFormatRoute<Body extends ChatBody>(
  app: FastifyInstance,
  serving: Serving,
  format: ChatFormat<Body>,
): void {
  const { path, schema, error } = format;
  app.post<{ Body: Body }>(
    path,
    { schema: { body: schema }, ...(error && { config: { errorBody: error } }) },
    (request, reply) =>
      // The schema proves the body's type.
      answerChat(serving, format, { request, reply, body: request.body as Body }),
  );
}

/** The answer to a body of the format's shape. */
export function answerChat<Body extends ChatBody>(
  serving: Serving,
  format: ChatFormat<Body>,
  {
    request,
    reply,
    body,
  }: { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly body: Body },
): Soon<unknown> {
  const model = servedName(serving, body.model);
  const exchange = new Exchange(
    serving,
    { request, reply },
    { prefix: format.prefix, requestId: body.request_id, model: body.model },
  );
  return soon(chatGeneration(serving, format.read(serving, body), exchange), (chat) => {
    if (chat === undefined) return reply.hijack();
    const answer = { serving, exchange, model, body, chat };
    if (body.stream) {
      return exchange.stream(chat.generation, format.stream(answer)).then(() => reply);
    }
    return exchange
      .collect(chat.generation)
      .then((deltas) =>
        deltas === undefined ? reply.hijack() : format.respond(answer, chat.read(deltas)),
      );
  });
}
