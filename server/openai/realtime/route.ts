/**
 * GET /v1/realtime?model=… (WebSocket): OpenAI's realtime API in its text mode. A
 * client that does not read is waited for, not buffered for: past `HIGH` bytes its
 * response is not taken from the engine until `LOW` is reached again.
 */
import type { FastifyInstance } from "fastify";
import type { WebSocket } from "ws";
import { ApiError } from "../../http/errors.ts";
import { type JsonLimits, JsonMeter } from "../../http/json-meter.ts";
import type { Serving } from "../../serving.ts";
import { RealtimeBytes } from "./bytes.ts";
import { RealtimeSession, type SessionOptions } from "./session.ts";

const HIGH_BYTES = 64 * 1024;
const LOW_BYTES = 16 * 1024;
/** A client that sends events and reads none of the answers is cut off here. */
const MAX_BACKLOG_BYTES = 8 * 2 ** 20;
/** WebSocket close code for a policy violation. */
const REFUSED = 1008;

/** Events of one socket that wait for those before them: above it, nothing more is read. */
const MAX_PENDING_BYTES = 2 * 2 ** 20;
const EVENTS_AT_ONCE = 16;
/** What one event is made of. */
const EVENT_LIMITS: JsonLimits = { depth: 200, values: 50_000, keys: 20_000 };

export function realtimeRoute(app: FastifyInstance, serving: Serving): void {
  const bytes = new RealtimeBytes();
  app.get<{ Querystring: { model?: string } }>(
    "/v1/realtime",
    { websocket: true },
    (socket, request) => {
      try {
        open(serving, socket, {
          model: request.query.model,
          bytes: bytes.open(),
          report: (error) => request.log.error({ err: error }, "a realtime event failed"),
        });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        const body = {
          type: "invalid_request_error",
          code: "model_not_found",
          message: error.message,
          param: error.param,
          event_id: null,
        };
        socket.send(JSON.stringify({ event_id: "event_0", type: "error", error: body }));
        socket.close(REFUSED, "model_not_found");
      }
    },
  );
}

function open(
  serving: Serving,
  socket: WebSocket,
  { report, ...options }: SessionOptions & { readonly report: (error: Error) => void },
): void {
  let blocked = false;
  const session = new RealtimeSession(
    serving,
    {
      send: (text) => {
        socket.send(text, () => {
          if (!blocked || socket.bufferedAmount > LOW_BYTES) return;
          blocked = false;
          session.drained();
        });
        if (socket.bufferedAmount > HIGH_BYTES) blocked = true;
        if (socket.bufferedAmount > MAX_BACKLOG_BYTES) socket.terminate();
      },
      report,
      get blocked() {
        return blocked;
      },
    },
    options,
  );
  // One event after the other, as the client sent them.
  let last: Promise<void> = Promise.resolve();
  let pending = 0;
  let handled = 0;
  socket.on("message", (data: Buffer, isBinary: boolean) => {
    const text = isBinary ? "" : data.toString("utf8");
    const over = new JsonMeter(EVENT_LIMITS).read(data);
    pending += data.length;
    if (pending > MAX_PENDING_BYTES) socket.pause();
    last = last.then(async () => {
      await session.receive(text, over);
      // Thousands of small events come at once: others have their turn between them.
      if (++handled % EVENTS_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
      pending -= data.length;
      if (socket.isPaused && pending <= MAX_PENDING_BYTES / 2) socket.resume();
    });
  });
  socket.on("close", () => session.close());
  socket.on("error", () => session.close());
}
