/** What is turned away before any route is asked: text that is no HTTP, and sockets where none are. */
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import { ERRORS, type ErrorCode } from "./error-table.ts";
import { ApiError } from "./errors.ts";

/** Bytes of a request's line and headers: tokens of single sign-on take a dozen thousand. */
export const MAX_HEADER_BYTES = 64 * 1024;

/** Node's names of what its parser refuses; all else is no HTTP. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: "large-headers",
  ERR_HTTP_REQUEST_TIMEOUT: "late-request",
};

const MESSAGES: Readonly<Record<string, string>> = {
  "large-headers": `The headers are larger than ${MAX_HEADER_BYTES} bytes.`,
  "late-request": "The request did not arrive in time.",
};

/** As vLLM's framework answers; the connection is of no more use. */
export function answerNoHttp({ code = "" }: { readonly code?: string }, socket: Socket): void {
  if (code === "ECONNRESET" || socket.destroyed) return;
  const known = CODES[code] ?? "no-http";
  const message = MESSAGES[known] ?? "Invalid HTTP request received.";
  const { status } = ERRORS[known];
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.write(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\ncontent-length: ${message.length}\r\n\r\n${message}`,
  );
  socket.destroySoon();
}

/** A WebSocket that is asked for where a route is, but no socket, is not opened first to be closed; where a socket is, nothing else is. */
export function refuseSockets(app: FastifyInstance): void {
  const served = new Set<string>();
  app.addHook("onRoute", ({ url, websocket }) => {
    if (websocket) served.add(url);
  });
  app.addHook("onRequest", (request, _reply, done) => {
    const socket = served.has(request.routeOptions.url ?? "");
    if (request.ws === socket) done();
    else done(socket ? new ApiError("no-route", "Not Found") : new ApiError("no-socket", ""));
  });
}
