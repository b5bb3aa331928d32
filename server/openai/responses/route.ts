/** POST /v1/responses, GET /v1/responses/{id}, POST /v1/responses/{id}/cancel. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { Exchange } from "../../exchange/exchange.ts";
import { type ChatGeneration, chatGeneration } from "../../generation/chat.ts";
import { ApiError } from "../../http/errors.ts";
import { EventStream } from "../../http/sse.ts";
import { type Serving, servedName } from "../../serving.ts";
import { type ResponseAnswer, responseStream, wholeResponse } from "./answer.ts";
import { backgroundAsker, cancel, runInBackground } from "./background.ts";
import { describe, type ResponseHead, type ResponseObject } from "./describe.ts";
import { outputMessages } from "./input.ts";
import { newItemId } from "./items.ts";
import { checkBackground, checkBody, readResponse } from "./read.ts";
import { type ResponsesRequest, responsesRequest } from "./schema.ts";
import { ResponseStore, StoredResponse } from "./store.ts";
import { responseTools } from "./tools.ts";

export function responsesRoutes(app: FastifyInstance, serving: Serving): void {
  const { settings } = serving;
  const store = new ResponseStore({
    entries: settings["enable-responses-store"] ? settings["responses-store-entries"] : 0,
    bytes: settings["responses-store-bytes"],
  });
  app.post<{ Body: ResponsesRequest }>(
    "/v1/responses",
    { schema: { body: responsesRequest } },
    (request, reply) => create({ serving, store }, request, reply),
  );
  app.get<{ Params: { id: string }; Querystring: { stream?: string; starting_after?: string } }>(
    "/v1/responses/:id",
    async (request, reply) => {
      const stored = found(store, request.params.id);
      const { stream, starting_after: after } = request.query;
      if (stream === undefined || !/^(?:true|1|on|yes|t|y)$/i.test(stream)) return stored.response;
      await watch(stored, reply, after === undefined ? 0 : Number(after) + 1);
      return reply;
    },
  );
  app.post<{ Params: { id: string } }>("/v1/responses/:id/cancel", async (request) =>
    cancel(store, found(store, request.params.id)),
  );
}

function found(store: ResponseStore, id: string): StoredResponse {
  const stored = store.get(id);
  if (stored !== undefined) return stored;
  throw new ApiError("response-not-found", `Response with id '${id}' not found.`, {
    param: "response_id",
  });
}

async function create(
  { serving, store }: { readonly serving: Serving; readonly store: ResponseStore },
  request: FastifyRequest<{ Body: ResponsesRequest }>,
  reply: FastifyReply,
): Promise<unknown> {
  const { body } = request;
  const stores = serving.settings["enable-responses-store"];
  checkBody(body);
  const tools = responseTools(body);
  const model = servedName(serving, body.model);
  checkBackground(body, stores);
  const id = body.request_id ?? newItemId("resp");
  const exchange = new Exchange(serving, { request, reply }, { id, model: body.model }, "_");
  const earlier = body.previous_response_id ?? undefined;
  const previous = earlier === undefined ? undefined : found(store, earlier);
  const before = previous
    ? [...previous.messages, ...outputMessages(previous.response.output)]
    : [];
  const { messages, ...ask } = readResponse(serving, body, { tools, before, earlier: store });
  const asker = body.background ? backgroundAsker(serving, exchange) : exchange;
  const head = (chat: ChatGeneration): ResponseHead => ({
    ...{ id, created: exchange.created, model, body, tools, prepared: chat.prepared },
    logprobs: ask.wish.logprobs ?? null,
  });
  const chat = await chatGeneration(serving, ask, asker);
  if (chat === undefined) return reply.hijack();
  const answer = { serving, head: head(chat), chat };
  if (body.background) {
    const queued = describe(answer.head, "queued", { output: [] });
    const stored = new StoredResponse(queued, messages, body.stream === true);
    try {
      store.admit(id, stored);
    } catch (error) {
      chat.generation.abort();
      throw error;
    }
    runInBackground(store, stored, answer);
    if (!body.stream) return queued;
    await watch(stored, reply, 0);
    return reply;
  }
  const keeps = stores && body.store !== false;
  const ended = (response: ResponseObject): void => {
    if (keeps) store.keep(id, new StoredResponse(response, messages, false));
  };
  return respond(exchange, { ...answer, ended }, reply);
}

async function respond(
  exchange: Exchange,
  answer: ResponseAnswer,
  reply: FastifyReply,
): Promise<unknown> {
  const { generation } = answer.chat;
  if (answer.head.body.stream) {
    await exchange.stream(generation, responseStream(answer));
    return reply;
  }
  const deltas = await exchange.collect(generation);
  return deltas === undefined ? reply.hijack() : wholeResponse(answer, deltas);
}

/** The events of a background response from `index` on; a client that leaves ends nothing. */
async function watch(stored: StoredResponse, reply: FastifyReply, index: number): Promise<void> {
  const kept = stored.events;
  if (kept === undefined || !(index >= 0)) {
    const id = stored.response.id;
    throw new ApiError("bad-request", `Unknown response_id: ${id}`, {
      ...{ param: "response_id", value: id },
    });
  }
  const events = new EventStream(reply);
  let at = index;
  await new Promise<void>((resolve) => {
    let stop = (): void => {};
    const write = (): void => {
      if (events.blocked || reply.raw.destroyed) return;
      const fresh = kept.slice(at);
      at = Math.max(at, kept.length);
      if (!stored.closed) {
        events.send(fresh);
        events.open();
        return;
      }
      events.end(fresh);
      stop();
      resolve();
    };
    stop = stored.watch(write);
    events.onDrain = write;
    reply.raw.on("close", () => {
      stop();
      resolve();
    });
    write();
  });
}
