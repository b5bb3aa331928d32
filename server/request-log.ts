/** One line a request, with its timings, and the HTTP series. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { UNCOUNTED } from "./metrics/http-metrics.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { Settings } from "./settings/table.ts";

export function logRequests(app: FastifyInstance, metrics: Metrics, settings: Settings): void {
  app.addHook("onResponse", async (request, reply) => {
    const handler = request.routeOptions.url ?? "none";
    const { statusCode } = reply.raw;
    metrics.http.observe({
      handler,
      method: request.method,
      status: statusCode,
      requestBytes: Number(request.headers["content-length"] ?? 0),
      responseBytes:
        request.record.streamedBytes ?? Number(reply.raw.getHeader("content-length") ?? 0),
      seconds: reply.elapsedTime / 1000,
    });
    if (settings["disable-access-log"] || UNCOUNTED.has(handler)) return;
    request.log.info(
      {
        method: request.method,
        url: request.url.split("?")[0],
        status: statusCode,
        ms: round(reply.elapsedTime),
        ...generationFields(request),
        ...(reply.raw.writableFinished ? {} : { gone: true }),
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
