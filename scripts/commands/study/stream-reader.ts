/**
 * The leanest client there can be: a bare socket that notes when bytes came and
 * keeps them; what they say is read when the stream is over. It sees what every
 * client's kernel hands over, but no work of its own falls between two tokens.
 */
import { createConnection, type OnReadOpts } from "node:net";

/** What begins a chunk of the stream. */
const EVENT = "data: {";
/** A chunk of a completion is some 300 bytes; a read takes what is there. */
const READ_BYTES = 65_536;
const BYTES_PER_TOKEN = 1024;

export interface Question {
  readonly port: number;
  readonly path: string;
  /** JSON that asks for a stream. */
  readonly body: string;
  /** Chunks expected, for the memory to keep them in. */
  readonly tokens: number;
}

/** Arrival times of a stream's chunks, ms of `performance.now`. */
export function readStream({ port, path, body, tokens }: Question): Promise<readonly number[]> {
  const kept = Buffer.alloc(READ_BYTES + tokens * BYTES_PER_TOKEN);
  /** Of each read: its time, and where its bytes end. */
  const times: number[] = [];
  const ends: number[] = [];
  let length = 0;
  const onread: OnReadOpts = {
    buffer: Buffer.alloc(READ_BYTES),
    callback: (bytes, buffer) => {
      times.push(performance.now());
      kept.set(buffer.subarray(0, bytes), length);
      length += bytes;
      ends.push(length);
      return true;
    },
  };
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port, host: "127.0.0.1", noDelay: true, onread });
    socket.on("error", reject);
    socket.on("close", () => {
      const text = kept.toString("latin1", 0, length);
      if (text.startsWith("HTTP/1.1 200")) resolve(arrivals(text, times, ends));
      else reject(new Error(text.slice(0, 1000)));
    });
    const head = [
      `POST ${path} HTTP/1.1`,
      `host: 127.0.0.1:${port}`,
      "connection: close",
      "content-type: application/json",
      `content-length: ${Buffer.byteLength(body)}`,
    ];
    socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  });
}

/** A chunk has come when the read that holds its beginning has. */
function arrivals(text: string, times: readonly number[], ends: readonly number[]): number[] {
  const found: number[] = [];
  let read = 0;
  for (let at = text.indexOf(EVENT); at >= 0; at = text.indexOf(EVENT, at + 1)) {
    while ((ends[read] ?? Number.POSITIVE_INFINITY) <= at) read++;
    found.push(times[read] ?? Number.NaN);
  }
  return found;
}
