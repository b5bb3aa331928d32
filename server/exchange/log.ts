/** One line a request, with its timings, and the HTTP series. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { SECOND } from "../../device/clock.ts";
import { routeOf } from "../http/route-facts.ts";
import { UNCOUNTED } from "../metrics/http-metrics.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Serving } from "../serving.ts";

/** nginx's status for a client that left before there was an answer. */
const CLIENT_LEFT = 499;

/** Calls once the answer is written whole or its client has left; fastify's onResponse knows only the first. */
export function whenOver(
  app: FastifyInstance,
  over: (request: FastifyRequest, reply: FastifyReply) => void,
): void {
  app.addHook("onRequest", (request, reply, done) => {
    // It comes after a whole answer too, in the turn of its end.
    reply.raw.on("close", () => over(request, reply));
    done();
  });
}

export function logRequests(
  app: FastifyInstance,
  { settings, history, clock }: Serving,
  metrics: Metrics,
): void {
  const silent = settings["disable-access-log"];
  whenOver(app, (request, reply) => {
    const handler = routeOf(request) ?? "none";
    const { raw } = reply;
    const status = raw.headersSent ? raw.statusCode : CLIENT_LEFT;
    const seconds = (clock.now() - request.record.began) / SECOND;
    history?.end(request, { status, gone: !raw.writableFinished });
    metrics.http.observe({
      handler,
      method: request.method,
      status,
      requestBytes: Number(request.headers["content-length"] ?? 0),
      responseBytes: request.record.streamedBytes ?? Number(reply.getHeader("content-length") ?? 0),
      seconds,
    });
    if (silent || UNCOUNTED.has(handler)) return;
    app.log.info(
      {
        reqId: request.id,
        method: request.method,
        url: request.url.split("?")[0],
        status,
        ms: round(seconds * 1000),
        ...generationFields(request),
        ...(raw.writableFinished ? {} : { gone: true }),
      },
      "request",
    );
  });
}

function generationFields({ record }: FastifyRequest): object {
  const { generation } = record;
  if (generation === undefined) return record.id === undefined ? {} : { id: record.id };
  const { submitted, scheduled, firstToken, finished } = generation.timings;
  const since = (time: number | undefined) =>
    time === undefined ? undefined : round((time - submitted) / 1e6);
  const tokens = generation.outputTokens;
  const decodeMs =
    firstToken === undefined || finished === undefined ? 0 : (finished - firstToken) / 1e6;
  return {
    id: record.id,
    promptTokens: record.promptTokens,
    cachedTokens: generation.cachedTokens,
    outputTokens: tokens,
    queueMs: since(scheduled),
    ttftMs: since(firstToken),
    ...(decodeMs > 0 && tokens > 1 && { tokensPerSecond: round(((tokens - 1) * 1000) / decodeMs) }),
    finish: [
      ...new Set(generation.choices.map((choice) => choice.finish?.reason ?? "abort")),
    ].join(),
    ...(record.ignored !== undefined && { ignored: record.ignored }),
  };
}

const round = (value: number): number => Math.round(value * 100) / 100;
