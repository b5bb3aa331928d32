/**
 * Server-sent events on a hijacked reply. The status is sent with the first
 * event (or by `open`), so that an error before it is still an ordinary answer. A reader that
 * does not drain blocks the stream, never the engine: nothing is written until
 * it has caught up, and `onDrain` then writes what was joined meanwhile.
 *
 * After the first write pieces go to the socket as they stand on it: node would hand
 * on a piece's length, its text and two line ends one by one, which costs as much as
 * all else of an event.
 */
import { ServerResponse } from "node:http";
import { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { FastifyReply } from "fastify";
import type { RequestRecord } from "./record.ts";

/** One event; which there are, and what ends a stream, the wire format says. */
export interface SseEvent {
  /** Absent: the line is left out. */
  readonly event?: string;
  readonly data: string;
  /** `data` is as `inBytes` gives it; absent: text. */
  readonly inBytes?: true;
}

/**
 * Its UTF-8, a character for each byte: what is beyond Latin-1 would make a whole chunk's string
 * one of two bytes a character, to be measured and encoded when it is written.
 */
export function inBytes(text: string): string {
  const bytes = Buffer.from(text);
  return bytes.length === text.length ? text : bytes.toString("latin1");
}

export class EventStream {
  onDrain: () => void = () => {};
  #blocked = false;
  /** A piece of which the system has not taken all. */
  #underWay = false;
  #opened = false;
  /** Of events that go out with the next ones, in bytes. */
  #held = "";
  /** Written to past the response; absent: its own writing is used. */
  #socket: Socket | undefined;
  readonly #reply: FastifyReply;
  readonly #raw: ServerResponse;
  readonly #record: RequestRecord;

  constructor(reply: FastifyReply) {
    this.#reply = reply;
    this.#raw = reply.raw;
    this.#record = reply.request.record;
  }

  get opened(): boolean {
    return this.#opened;
  }

  get blocked(): boolean {
    return this.#blocked;
  }

  /** All in one write; `more`: with those of the next call, which comes before the event loop turns. */
  send(events: readonly SseEvent[], more = false): void {
    const text = this.#held + bytesOf(events);
    this.#held = more ? text : "";
    if (more || text === "") return;
    const raw = this.#raw;
    const first = !this.#opened;
    if (first) this.#open();
    if (raw.destroyed) return;
    const record = this.#record;
    record.wrote?.();
    record.streamedBytes = (record.streamedBytes ?? 0) + text.length;
    if (this.#socket !== undefined) {
      this.#put(this.#socket, `${lengthLine(text.length)}${text}\r\n`);
      return;
    }
    if (!raw.write(Buffer.from(text, "latin1"))) this.#blocked = true;
    if (first) this.#socket = socketBehind(raw);
    this.#socket?.on("drain", this.#drained);
  }

  /**
   * To the socket's system where nothing waits before it: the queue that a stream keeps costs a
   * tenth of a write. What the system does not take at once blocks this stream until it has.
   * Never past the queue of TLS: whatever else is written while a piece is under way (an error, the
   * answer to what is no HTTP) comes second there, and Node ends the process at a second one.
   */
  #put(socket: Socket, piece: string): void {
    const queued = socket.writableLength > 0 || socket.writableCorked > 0;
    if (queued || socket instanceof TLSSocket) {
      if (!socket.write(piece, "latin1")) this.#blocked = true;
      return;
    }
    this.#underWay = true;
    socket._write(piece, "latin1", this.#written);
    if (this.#underWay) this.#blocked = true;
  }

  readonly #written = (error?: Error | null): void => {
    this.#underWay = false;
    if (error) this.#socket?.destroy(error);
    else this.#drained();
  };

  /** The last events, and the end, in one write. */
  end(events: readonly SseEvent[]): void {
    this.#socket?.cork();
    this.send(events);
    if (!this.#opened) this.#open();
    this.#raw.end();
    this.#socket?.uncork();
  }

  /** Sends the headers, where no event has: the first may be long in coming. */
  open(): void {
    if (this.#opened) return;
    this.#open();
    this.#raw.flushHeaders();
  }

  #open(): void {
    this.#opened = true;
    this.#reply.hijack();
    const raw = this.#raw;
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

/** Of a piece of so many bytes, as it stands before it; those of short pieces are kept. */
function lengthLine(bytes: number): string {
  const known = LENGTH_LINES[bytes];
  if (known !== undefined) return known;
  const line = `${bytes.toString(16)}\r\n`;
  if (bytes < MOST_LENGTH_LINES) LENGTH_LINES[bytes] = line;
  return line;
}

const MOST_LENGTH_LINES = 1024;
const LENGTH_LINES = new Array<string | undefined>(MOST_LENGTH_LINES);

function bytesOf(events: readonly SseEvent[]): string {
  let bytes = "";
  for (const one of events) {
    if (one.event !== undefined) bytes += `event: ${one.event}\n`;
    bytes += `data: ${one.inBytes ? one.data : inBytes(one.data)}\n\n`;
  }
  return bytes;
}

/** Where nothing stands between: it is this response's turn on it, in pieces, and writing is node's own. */
function socketBehind(raw: ServerResponse): Socket | undefined {
  const own = raw.write === ServerResponse.prototype.write;
  const { socket } = raw;
  return own && raw.chunkedEncoding && socket instanceof Socket ? socket : undefined;
}
