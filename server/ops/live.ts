/**
 * GET /live (WebSocket): what the engines do, as JSON messages.
 *
 *     hello    once: model, device, engines
 *     step     each step, at most 50 a second and engine; `skipped` counts the others
 *     curve    each second: tokens/s against concurrency so far
 *
 * A client that does not read loses messages, never memory of this server.
 */
import type { FastifyInstance } from "fastify";
import type { WebSocket } from "ws";
import { MILLISECOND, SECOND } from "../../device/clock.ts";
import type { EngineEvent, StepFinished } from "../../engine/events.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Serving } from "../serving.ts";

const STEP_INTERVAL = 20 * MILLISECOND;
const CURVE_INTERVAL_MS = 1000;
/** Bytes a socket may lag behind. */
const MAX_BACKLOG = 1 << 20;

export function liveRoute(app: FastifyInstance, serving: Serving, metrics: Metrics): void {
  const sockets = new Set<WebSocket>();
  const send = (message: object): void => {
    if (sockets.size === 0) return;
    const text = JSON.stringify(message);
    for (const socket of sockets) if (socket.bufferedAmount < MAX_BACKLOG) socket.send(text);
  };
  serving.engines.all.forEach((engine, index) => {
    const receive = thinned((message) => send({ ...message, engine: index }));
    engine.subscribe((event) => {
      if (sockets.size > 0) receive(event);
    });
  });
  const curve = (): void => send(curveMessage(metrics));
  let timer: NodeJS.Timeout | undefined;
  app.get("/live", { websocket: true }, (socket) => {
    sockets.add(socket);
    socket.send(
      JSON.stringify({
        type: "hello",
        model: serving.names[0],
        device: serving.settings.device,
        engines: serving.engines.all.length,
        max_model_len: serving.maxModelLen,
      }),
    );
    timer ??= setInterval(curve, CURVE_INTERVAL_MS);
    curve();
    socket.on("close", () => {
      sockets.delete(socket);
      if (sockets.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    });
  });
  app.addHook("onClose", async () => clearInterval(timer));
}

/** Tells of a step every STEP_INTERVAL at most, and how many were skipped until then. */
function thinned(tell: (message: object) => void): (event: EngineEvent) => void {
  let last = Number.NEGATIVE_INFINITY;
  let skipped = 0;
  let output = 0;
  return (event) => {
    if (event.type === "tokens-emitted") output += event.tokens.length;
    if (event.type !== "step-finished") return;
    if (event.at - last < STEP_INTERVAL) {
      skipped++;
      return;
    }
    tell({ ...stepMessage(event), output_tokens: output, skipped });
    last = event.at;
    skipped = 0;
    output = 0;
  };
}

function curveMessage(metrics: Metrics): object {
  return {
    type: "curve",
    engines: metrics.curve().map((points) =>
      points.map((point) => ({
        concurrency: point.concurrency,
        mean_running: point.meanRunning,
        output_tokens: point.tokens,
        busy_seconds: point.seconds,
        output_tokens_per_second: point.tokens / point.seconds,
        output_tokens_per_second_per_user: point.tokens / point.seconds / point.meanRunning,
      })),
    ),
  };
}

function stepMessage(event: StepFinished): object {
  return {
    type: "step",
    at_seconds: event.at / SECOND,
    step: event.step,
    duration_ms: event.duration / MILLISECOND,
    rows: event.rows,
    tokens: event.tokens,
    running: event.running,
    waiting: event.waiting,
    kv_usage: event.kvUsage,
    preemptions: event.preemptions,
    ...(event.cost !== undefined && {
      padded_tokens: event.cost.paddedTokens,
      padded_rows: event.cost.paddedRows,
      parts_ms: Object.fromEntries(
        Object.entries(event.cost.parts).map(([part, nanos]) => [part, nanos / MILLISECOND]),
      ),
    }),
  };
}
