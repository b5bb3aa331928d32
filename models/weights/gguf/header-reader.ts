/**
 * Little-endian values of a file's beginning, one after the other, through one small buffer.
 * Nothing is allocated by what the file claims before that many bytes are known to be there.
 */
import { readSync } from "node:fs";
import { CheckpointError } from "../checkpoint.ts";

const CHUNK_BYTES = 1 << 20;

export class HeaderReader {
  readonly #path: string;
  readonly #descriptor: number;
  readonly #limit: number;
  readonly #size: number;
  #chunk = Buffer.alloc(0);
  /** Where `#chunk` begins in the file, and how far it has been read. */
  #chunkBegin = 0;
  #at = 0;
  /** What is being read, for messages. */
  what = "its header";

  /** Reads at most `limit` bytes of a file that has `size`. */
  constructor(path: string, descriptor: number, bounds: { size: number; limit: number }) {
    this.#path = path;
    this.#descriptor = descriptor;
    this.#size = bounds.size;
    this.#limit = bounds.limit;
  }

  get position(): number {
    return this.#chunkBegin + this.#at;
  }

  u8(): number {
    return this.bytes(1).readUInt8();
  }

  u32(): number {
    return this.bytes(4).readUInt32LE();
  }

  /** Throws CheckpointError for a number that no count, length or offset of a file can be. */
  u64(): number {
    const value = Number(this.bytes(8).readBigUInt64LE());
    if (!Number.isSafeInteger(value)) this.fail(`damaged: ${this.what} says ${value}`);
    return value;
  }

  string(): string {
    return this.bytes(this.u64()).toString("utf8");
  }

  /** The next bytes; a view that the next call may overwrite. */
  bytes(count: number): Buffer {
    this.expect(count, 1);
    if (this.#at + count > this.#chunk.length) this.#fill(count);
    const found = this.#chunk.subarray(this.#at, this.#at + count);
    this.#at += count;
    return found;
  }

  /** Throws CheckpointError unless `count` things of at least `each` bytes can follow. */
  expect(count: number, each: number): void {
    const end = this.position + count * each;
    if (end > this.#size) {
      this.fail(
        `truncated: ${this.what} ends at byte ${end} or later, the file has ${this.#size} bytes; fetch it again`,
      );
    }
    if (end > this.#limit) {
      this.fail(`damaged: ${this.what} ends at byte ${end}; a header has at most ${this.#limit}`);
    }
  }

  fail(why: string): never {
    throw new CheckpointError(`${this.#path}: ${why}`);
  }

  #fill(count: number): void {
    const begin = this.position;
    const chunk = Buffer.alloc(Math.max(count, Math.min(CHUNK_BYTES, this.#size - begin)));
    let done = 0;
    while (done < chunk.length) {
      const read = readSync(this.#descriptor, chunk, done, chunk.length - done, begin + done);
      if (read === 0) this.fail(`truncated: the file ended while ${this.what} was read`);
      done += read;
    }
    this.#chunk = chunk;
    this.#chunkBegin = begin;
    this.#at = 0;
  }
}
