/**
 * Server-sent events on a hijacked reply. The status is sent with the first
 * event, so that an error before it is still an ordinary answer. A reader that
 * does not drain blocks the stream, never the engine: nothing is written until
 * it has caught up, and `onDrain` then writes what was joined meanwhile.
 *
 * After the first write pieces go to the socket as they stand on it: node would hand
 * on a piece's length, its text and two line ends one by one, which costs as much as
 * all else of an event.
 */
import { ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { FastifyReply } from "fastify";

/** One event; which there are, and what ends a stream, the wire format says. */
export interface SseEvent {
  /** Absent: the line is left out. */
  readonly event?: string;
  readonly data: string;
}

export class EventStream {
  onDrain: () => void = () => {};
  #blocked = false;
  #opened = false;
  /** Of events that go out with the next ones. */
  #held = "";
  /** Written to past the response; absent: its own writing is used. */
  #socket: Socket | undefined;
  readonly #reply: FastifyReply;

  constructor(reply: FastifyReply) {
    this.#reply = reply;
  }

  get opened(): boolean {
    return this.#opened;
  }

  get blocked(): boolean {
    return this.#blocked;
  }

  /** All in one write; `more`: with those of the next call, which comes before the event loop turns. */
  send(events: readonly SseEvent[], more = false): void {
    const text = this.#held + textOf(events);
    this.#held = more ? text : "";
    if (more || text === "") return;
    const { raw } = this.#reply;
    const first = !this.#opened;
    if (first) this.#open();
    if (raw.destroyed) return;
    const bytes = Buffer.byteLength(text);
    const { record } = this.#reply.request;
    record.wrote?.();
    record.streamedBytes = (record.streamedBytes ?? 0) + bytes;
    const socket = this.#socket;
    let kept: boolean;
    if (socket === undefined) {
      kept = raw.write(text);
      if (first) this.#socket = socketBehind(raw);
      this.#socket?.on("drain", this.#drained);
    } else {
      const piece = `${bytes.toString(16)}\r\n${text}\r\n`;
      kept = socket.write(piece, bytes === text.length ? "latin1" : "utf8");
    }
    if (!kept) this.#blocked = true;
  }

  /** The last events, and the end, in one write. */
  end(events: readonly SseEvent[]): void {
    this.#socket?.cork();
    this.send(events);
    if (!this.#opened) this.#open();
    this.#reply.raw.end();
    this.#socket?.uncork();
  }

  #open(): void {
    this.#opened = true;
    this.#reply.hijack();
    const { raw } = this.#reply;
    for (const [name, value] of Object.entries(this.#reply.getHeaders())) {
      if (value !== undefined) raw.setHeader(name, value);
    }
    raw.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
    });
    raw.on("drain", this.#drained);
    raw.once("close", () => this.#socket?.off("drain", this.#drained));
  }

  readonly #drained = (): void => {
    if (!this.#blocked) return;
    this.#blocked = false;
    this.onDrain();
  };
}

function textOf(events: readonly SseEvent[]): string {
  let text = "";
  for (const { event, data } of events) {
    text += event === undefined ? `data: ${data}\n\n` : `event: ${event}\ndata: ${data}\n\n`;
  }
  return text;
}

/** Where nothing stands between: it is this response's turn on it, in pieces, and writing is node's own. */
function socketBehind(raw: ServerResponse): Socket | undefined {
  const own = raw.write === ServerResponse.prototype.write;
  const { socket } = raw;
  return own && raw.chunkedEncoding && socket instanceof Socket ? socket : undefined;
}
