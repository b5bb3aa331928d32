/**
 * Server-sent events on a hijacked reply. The status is sent with the first
 * event, so that an error before it is still an ordinary answer. A reader that
 * does not drain blocks the stream, never the engine: nothing is written until
 * it has caught up, and `onDrain` then writes what was joined meanwhile.
 */
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

  /** All in one write. */
  send(events: readonly SseEvent[]): void {
    if (!this.#opened) this.#open();
    let text = "";
    for (const { event, data } of events) {
      text += event === undefined ? `data: ${data}\n\n` : `event: ${event}\ndata: ${data}\n\n`;
    }
    if (this.#reply.raw.destroyed || text === "") return;
    const { record } = this.#reply.request;
    record.wrote?.();
    record.streamedBytes = (record.streamedBytes ?? 0) + Buffer.byteLength(text);
    if (!this.#reply.raw.write(text)) this.#blocked = true;
  }

  end(): void {
    this.#reply.raw.end();
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
    raw.on("drain", () => {
      this.#blocked = false;
      this.onDrain();
    });
  }
}
