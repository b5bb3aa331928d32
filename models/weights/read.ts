/**
 * Reads tensors, or ranges of them, as F32 straight into their final array.
 * F32 rows are read in place; the rest goes through one small scratch buffer,
 * so a weight is never held twice. Synchronous: made for a rank's own thread.
 * Little-endian machines only, as safetensors is.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { Checkpoint, StoredTensor } from "../model.ts";
import { CheckpointError, findTensor } from "./checkpoint.ts";
import type { Range } from "./shard.ts";

/** Bytes read at once when elements are converted or columns picked; at least one row is. */
const SCRATCH_BYTES = 1 << 20;

/** Elements `[begin, end)` of a tensor seen as `[rows, width]`, of which columns `[left, right)` are wanted. */
interface Window {
  readonly width: number;
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** Opens files when first needed; `close` them when done. Not shared between threads. */
export class WeightReader {
  readonly #checkpoint: Checkpoint;
  readonly #open = new Map<string, number>();
  #scratch = new Uint8Array(0);

  constructor(checkpoint: Checkpoint) {
    this.#checkpoint = checkpoint;
  }

  /**
   * The tensor, or its range, as F32, row-major; into `target` when given.
   * Throws CheckpointError for a dtype other than F32, F16 and BF16, a range
   * outside the tensor, a target of another size, or a file cut short.
   */
  read(name: string, range?: Range, target?: Float32Array): Float32Array {
    const stored = this.#find(name);
    const window = windowOf(stored, range);
    const columns = window.right - window.left;
    const count = (window.bottom - window.top) * columns;
    const out = target ?? new Float32Array(count);
    if (out.length !== count)
      throw this.#error(stored, `expected a target of ${count} elements, found ${out.length}`);
    const convert = CONVERSIONS[stored.dtype];
    if (!convert)
      throw this.#error(stored, `expected dtype F32, F16 or BF16, found ${stored.dtype}`);
    const whole = columns === window.width;
    if (stored.dtype === "F32" && whole) {
      this.#fill(stored, bytesOf(out), window.top * window.width * 4);
      return out;
    }
    const size = stored.dtype === "F32" ? 4 : 2;
    const rowBytes = window.width * size;
    const rowsAtOnce = Math.max(1, Math.floor(SCRATCH_BYTES / Math.max(rowBytes, 1)));
    for (let row = window.top; row < window.bottom; row += rowsAtOnce) {
      const rows = Math.min(rowsAtOnce, window.bottom - row);
      const bytes = this.#room(rows * rowBytes);
      this.#fill(stored, bytes, row * rowBytes);
      const done = (row - window.top) * columns;
      if (whole) convert(bytes, 0, rows * columns, out, done);
      else
        for (let r = 0; r < rows; r++)
          convert(bytes, r * window.width + window.left, columns, out, done + r * columns);
    }
    return out;
  }

  close(): void {
    for (const descriptor of this.#open.values()) closeSync(descriptor);
    this.#open.clear();
    this.#scratch = new Uint8Array(0);
  }

  #find(name: string): StoredTensor {
    return findTensor(this.#checkpoint, name);
  }

  /** Reads `bytes.length` bytes from `offset` of the tensor's data. */
  #fill(stored: StoredTensor, bytes: Uint8Array, offset: number): void {
    const path = join(this.#checkpoint.folder, stored.file);
    const descriptor = this.#open.get(stored.file) ?? openSync(path, "r");
    this.#open.set(stored.file, descriptor);
    let done = 0;
    while (done < bytes.length) {
      // One read of more than 2 GiB is refused by some systems.
      const step = Math.min(bytes.length - done, 1 << 30);
      const count = readSync(descriptor, bytes, done, step, stored.begin + offset + done);
      if (count === 0)
        throw this.#error(stored, `truncated: expected ${bytes.length} bytes, found ${done}`);
      done += count;
    }
  }

  /** A scratch of at least one page, aligned to 8 bytes, reused by every read. */
  #room(bytes: number): Uint8Array {
    if (this.#scratch.length < bytes)
      this.#scratch = new Uint8Array(Math.max(bytes, SCRATCH_BYTES));
    return this.#scratch.subarray(0, bytes);
  }

  #error(stored: StoredTensor, why: string): CheckpointError {
    return new CheckpointError(
      `${join(this.#checkpoint.folder, stored.file)}: tensor "${stored.name}": ${why}`,
    );
  }
}

/** A range along the first axis picks rows; along the last, columns. */
function windowOf(stored: StoredTensor, range?: Range): Window {
  const { shape } = stored;
  const last = shape.length - 1;
  const size = shape.reduce((product, each) => product * each, 1);
  const columns = range !== undefined && range.axis === last && last > 0;
  const width = columns ? (shape[last] ?? 1) : size / Math.max(shape[0] ?? 1, 1);
  const rows = width === 0 ? 0 : size / width;
  if (!range) return { width, top: 0, bottom: rows, left: 0, right: width };
  const limit = shape[range.axis] ?? 0;
  if (
    (range.axis !== 0 && !columns) ||
    range.begin < 0 ||
    range.end > limit ||
    range.begin > range.end
  )
    throw new CheckpointError(
      `${stored.file}: tensor "${stored.name}": range [${range.begin}, ${range.end}) of axis ${range.axis} is not in [${shape.join(", ")}]`,
    );
  return columns
    ? { width, top: 0, bottom: rows, left: range.begin, right: range.end }
    : { width, top: range.begin, bottom: range.end, left: 0, right: width };
}

/** Converts `count` elements from element `from` of `bytes` to `out[at…]`. */
type Convert = (
  bytes: Uint8Array,
  from: number,
  count: number,
  out: Float32Array,
  at: number,
) => void;

const CONVERSIONS: Readonly<Record<string, Convert>> = {
  F32: (bytes, from, count, out, at) =>
    out.set(new Float32Array(bytes.buffer, bytes.byteOffset + from * 4, count), at),
  BF16: (bytes, from, count, out, at) => {
    const begin = bytes.byteOffset + from * 2;
    const words = new Int32Array(out.buffer, out.byteOffset + at * 4, count);
    // Two at a time where they are aligned: signed words, for unsigned ones become doubles.
    const pairs = begin % 4 === 0 ? count >> 1 : 0;
    const both = new Int32Array(bytes.buffer, begin - (begin % 4), pairs);
    for (let i = 0, word = 0; i < pairs; i++, word += 2) {
      const pair = both[i] ?? 0;
      words[word] = pair << 16;
      words[word + 1] = pair & -65536;
    }
    const halves = new Uint16Array(bytes.buffer, begin, count);
    for (let i = pairs * 2; i < count; i++) words[i] = (halves[i] ?? 0) << 16;
  },
  F16: (bytes, from, count, out, at) => {
    const halves = new Uint16Array(bytes.buffer, bytes.byteOffset + from * 2, count);
    const table = halfTable();
    for (let i = 0; i < count; i++) out[at + i] = table[halves[i] ?? 0] ?? 0;
  },
};

let halves: Float32Array | undefined;

/** F32 of every F16 bit pattern, 256 KiB, made at first use. */
function halfTable(): Float32Array {
  if (halves) return halves;
  const table = new Float32Array(1 << 16);
  for (let bits = 0; bits < table.length; bits++) {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const size =
      exponent === 31
        ? fraction === 0
          ? Number.POSITIVE_INFINITY
          : Number.NaN
        : exponent === 0
          ? fraction * 2 ** -24
          : (1 + fraction / 1024) * 2 ** (exponent - 15);
    table[bits] = bits & 0x8000 ? -size : size;
  }
  halves = table;
  return table;
}

function bytesOf(array: Float32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
