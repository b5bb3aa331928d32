/**
 * GET /v1/realtime?model=… (WebSocket): OpenAI's realtime API in its text mode. A
 * client that does not read is waited for, not buffered for: past `HIGH` bytes its
 * response is not taken from the engine until `LOW` is reached again.
 */
import type { FastifyInstance } from "fastify";
import type { WebSocket } from "ws";
import { ApiError } from "../../http/errors.ts";
import type { Serving } from "../../serving.ts";
import { RealtimeSession } from "./session.ts";

const HIGH_BYTES = 64 * 1024;
const LOW_BYTES = 16 * 1024;
/** A client that sends events and reads none of the answers is cut off here. */
const MAX_BACKLOG_BYTES = 8 * 2 ** 20;
/** WebSocket close code for a policy violation. */
const REFUSED = 1008;

export function realtimeRoute(app: FastifyInstance, serving: Serving): void {
  app.get<{ Querystring: { model?: string } }>(
    "/v1/realtime",
    { websocket: true },
    (socket, request) => {
      try {
        open(serving, socket, {
          model: request.query.model,
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
  {
    model,
    report,
  }: { readonly model: string | undefined; readonly report: (error: Error) => void },
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
    model,
  );
  // One event after the other, as the client sent them.
  let last: Promise<void> = Promise.resolve();
  socket.on("message", (data: Buffer, isBinary: boolean) => {
    const text = isBinary ? "" : data.toString("utf8");
    last = last.then(() => session.receive(text));
  });
  socket.on("close", () => session.close());
  socket.on("error", () => session.close());
}
