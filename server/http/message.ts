/**
 * What node's parser makes of a request, with two differences.
 *
 * A request that asks to upgrade to anything but a WebSocket (`h2c`, by Java's
 * HttpClient and `curl --http2`) is an ordinary request: HTTP lets a server ignore the
 * wish, and Node, once anybody listens for upgrades, does not.
 *
 * Its body can be read as the parser finds it (`readBody`): most come whole with their
 * headers, and what a stream does for each (a buffer, three turns, an end, a close) costs
 * as much as all else that node does with them.
 */
import { IncomingMessage } from "node:http";
import { Readable } from "node:stream";

const ASKED = Symbol("the parser marked it");

/** Whoever reads a body; `end` or `gone` is the last that it is told. */
export interface BodyReader {
  piece(chunk: Buffer): void;
  end(): void;
  /** The client left before the end. */
  gone(): void;
}

export class PlainMessage extends IncomingMessage {
  /** Set while the base is constructed: no field may be made after it. */
  declare [ASKED]: boolean;

  /** Node's parser sets it, and asks for it once the headers are there. */
  get upgrade(): boolean {
    return this[ASKED] && this.headers.upgrade?.toLowerCase() === "websocket";
  }

  set upgrade(wish: boolean | null) {
    this[ASKED] = wish === true;
  }

  #reader: BodyReader | undefined;
  #readToEnd = false;

  static {
    // Node asks it when the answer is written: of an idle connection its parser keeps no request that has ended.
    const name = "readableEnded";
    const streams = Object.getOwnPropertyDescriptor(Readable.prototype, name);
    Object.defineProperty(PlainMessage.prototype, name, {
      get(this: PlainMessage): unknown {
        return this.#readToEnd || streams?.get?.call(this);
      },
    });
  }

  /** False: some of the body has come already, or somebody reads it. */
  readBy(reader: BodyReader): boolean {
    if (this.complete || this.readableLength > 0 || this.readableFlowing !== null) return false;
    this._read(0); // node then knows that the body is read
    this.#reader = reader;
    return true;
  }

  /** The rest of the body is the stream's. */
  unread(): void {
    this.#reader = undefined;
  }

  override push(chunk: unknown, encoding?: BufferEncoding): boolean {
    const reader = this.#reader;
    if (reader === undefined) return super.push(chunk, encoding);
    if (chunk !== null) {
      reader.piece(chunk as Buffer); // of the parser
      return true;
    }
    this.#reader = undefined;
    this.#readToEnd = true;
    reader.end();
    return false;
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const reader = this.#reader;
    this.#reader = undefined;
    // As the stream's own 'close': after the response's, which then finds nothing answered.
    if (reader !== undefined) process.nextTick(() => reader.gone());
    super._destroy(error, done);
  }
}

/** Returns how to stop, which whoever is told `end` or `gone` need not. */
export function readBody(raw: IncomingMessage, reader: BodyReader): () => void {
  if (raw instanceof PlainMessage && raw.readBy(reader)) return () => raw.unread();
  const piece = (chunk: Buffer): void => reader.piece(chunk);
  const end = (): void => {
    stop();
    reader.end();
  };
  const gone = (): void => {
    stop();
    reader.gone();
  };
  const stop = (): void => {
    raw.off("data", piece).off("end", end).off("error", gone).off("close", gone);
  };
  raw.on("data", piece).on("end", end).on("error", gone).on("close", gone);
  return stop;
}
