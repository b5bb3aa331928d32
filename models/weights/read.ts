/**
 * Reads tensors, or ranges of them, as F32 straight into their final array.
 * F32 rows are read in place; the rest goes through one small scratch buffer,
 * so a weight is never held twice. Synchronous: made for a rank's own thread.
 * Little-endian machines only, as safetensors is.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { Checkpoint, StoredTensor } from "../model.ts";
import type { Weight, Within } from "../ops.ts";
import { CheckpointError, findTensor } from "./checkpoint.ts";
import { isShifted, shiftedRows } from "./ggml/blocks.ts";
import type { IntegerRows } from "./integer-rows.ts";
import { integerRows, pickRows, widen } from "./integers.ts";
import type { Range } from "./shard.ts";
import { eighthTable, halfTable } from "./small-floats.ts";

/** Bytes read at once when elements are converted or columns picked; at least one row is. */
const SCRATCH_BYTES = 1 << 20;

/** A weight's rows in their tensor, of which rows `[top, bottom)` and columns `[left, right)` are wanted. */
interface Window {
  readonly width: number;
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** What can be read: a tensor by its name, or a weight, which may lie within another tensor. */
export type Readable = string | Pick<Weight, "name" | "shape" | "within">;

/** Opens files when first needed; `close` them when done. Not shared between threads. */
export class WeightReader {
  readonly #checkpoint: Checkpoint;
  readonly #open = new Map<string, number>();
  #scratch = new Uint8Array(0);
  /** The matrix turned last, for the weights that share it. */
  #turned: { readonly key: string; readonly rows: Float32Array } | undefined;

  constructor(checkpoint: Checkpoint) {
    this.#checkpoint = checkpoint;
  }

  /**
   * The tensor, or its range, as F32, row-major; into `target` when given.
   * Throws CheckpointError for a dtype other than F32, F16 and BF16, a range
   * outside the tensor, a target of another size, or a file cut short.
   */
  read(what: Readable, range?: Range, target?: Float32Array): Float32Array {
    const within = typeof what === "string" ? undefined : what.within;
    const name = typeof what === "string" ? what : what.name;
    const stored = findTensor(this.#checkpoint, within?.name ?? name);
    const shape = typeof what === "string" || within === undefined ? stored.shape : what.shape;
    const window = windowOf(stored, shape, range);
    const columns = window.right - window.left;
    const count = (window.bottom - window.top) * columns;
    const out = target ?? new Float32Array(count);
    if (out.length !== count)
      throw this.#error(stored, `expected a target of ${count} elements, found ${out.length}`);
    if (within?.transposed) this.#readTurned(stored, within, window, out);
    else if (stored.interleaved !== undefined)
      this.#readHeads(stored, stored.interleaved, window, out);
    else this.#readRows(stored, within ?? { row: 0 }, window, out);
    if (stored.plus !== undefined)
      for (let i = 0; i < count; i++) out[i] = (out[i] as number) + stored.plus;
    return out;
  }

  /** Heads of `rows` rows that lie interleaved, one at a time. */
  #readHeads(stored: StoredTensor, rows: number, window: Window, out: Float32Array): void {
    const columns = window.right - window.left;
    const lying = new Float32Array(rows * columns);
    const { top, bottom } = window;
    for (let head = Math.floor(top / rows) * rows; head < bottom; head += rows) {
      this.#readRows(stored, { row: 0 }, { ...window, top: head, bottom: head + rows }, lying);
      for (let row = Math.max(top, head); row < Math.min(bottom, head + rows); row++) {
        const from = lyingRow(row - head, rows) * columns;
        out.set(lying.subarray(from, from + columns), (row - top) * columns);
      }
    }
  }

  /** Rows that follow each other are read many at a time. */
  #readRows(
    stored: StoredTensor,
    { row: first, step = 1 }: Pick<Within, "row" | "step">,
    { width, top, bottom, left, right }: Window,
    out: Float32Array,
  ): void {
    const columns = right - left;
    const whole = columns === width;
    if (stored.packing !== undefined) {
      this.#readPacked(stored, first, step, { width, top, bottom, left, right }, out);
      return;
    }
    if (stored.dtype === "F32" && whole && step === 1) {
      this.#fill(stored, bytesOf(out), (first + top) * width * 4);
      return;
    }
    const convert = this.#conversion(stored);
    const rowBytes = width * (stored.dtype === "F32" ? 4 : 2);
    const most = Math.max(1, Math.floor(SCRATCH_BYTES / Math.max(rowBytes, 1)));
    const rowsAtOnce = step === 1 ? most : 1;
    for (let row = top; row < bottom; row += rowsAtOnce) {
      const rows = Math.min(rowsAtOnce, bottom - row);
      const bytes = this.#room(rows * rowBytes);
      this.#fill(stored, bytes, (first + row * step) * rowBytes);
      const done = (row - top) * columns;
      if (whole) convert(bytes, 0, rows * columns, out, done);
      else
        for (let r = 0; r < rows; r++)
          convert(bytes, r * width + left, columns, out, done + r * columns);
    }
  }

  /** Whole rows through F32, of which the columns are picked. */
  #readPacked(
    stored: StoredTensor,
    first: number,
    step: number,
    { width, top, bottom, left, right }: Window,
    out: Float32Array,
  ): void {
    const together = this.#rowsTogether(stored, width * step);
    const columns = right - left;
    const rows = new Float32Array(Math.min(together, bottom - top) * step * width);
    for (let row = top; row < bottom; row += together) {
      const count = Math.min(together, bottom - row);
      const begin = first + row * step;
      this.#decode(stored, { begin, end: begin + (count - 1) * step + 1 }, rows);
      for (let r = 0; r < count; r++) {
        const from = r * step * width;
        out.set(rows.subarray(from + left, from + right), (row - top + r) * columns);
      }
    }
  }

  /** Formats that keep outputs side by side are read whole for any row. */
  #rowsTogether({ packing, shape }: StoredTensor, width: number): number {
    if (packing?.kind === "gptq" || packing?.kind === "awq") return shape[0] ?? 1;
    return Math.max(1, Math.floor(SCRATCH_BYTES / width));
  }

  /** The rows of a packed weight as integers; undefined: they are none. */
  integers(
    what: Readable,
    rows: { readonly begin: number; readonly end: number },
  ): IntegerRows | undefined {
    const within = typeof what === "string" ? undefined : what.within;
    const name = typeof what === "string" ? what : what.name;
    const stored = findTensor(this.#checkpoint, within?.name ?? name);
    const { packing } = stored;
    if (packing === undefined || packing.kind === "fp8" || within?.transposed) return undefined;
    const { row = 0, step = 1 } = within ?? {};
    const count = rows.end - rows.begin;
    const heads = stored.interleaved ?? 1;
    const begin = Math.floor((row + rows.begin * step) / heads) * heads;
    const end = Math.ceil((row + (rows.end - 1) * step + 1) / heads) * heads;
    const lying = integerRows(stored, packing, { begin, end }, this.#from);
    if (heads === 1 && step === 1) return lying;
    return pickRows(lying, count, (i) => {
      const wanted = row + (rows.begin + i) * step;
      const head = Math.floor(wanted / heads) * heads;
      return head - begin + lyingRow(wanted - head, heads);
    });
  }

  readonly #from = {
    bytes: (tensor: StoredTensor, offset: number, length: number): Uint8Array => {
      const bytes = this.#room(length);
      this.#fill(tensor, bytes, offset);
      return bytes;
    },
    numbers: (tensor: StoredTensor): Float32Array => this.#wholeSmall(tensor),
  };

  #wholeSmall(tensor: StoredTensor): Float32Array {
    const width = tensor.shape.reduce((product, size) => product * size, 1);
    const out = new Float32Array(width);
    this.#readRows(tensor, { row: 0 }, { width, top: 0, bottom: 1, left: 0, right: width }, out);
    return out;
  }

  #decode(
    stored: StoredTensor,
    rows: { readonly begin: number; readonly end: number },
    out: Float32Array,
  ): void {
    const { packing } = stored;
    if (packing === undefined) return;
    if (packing.kind === "ggml" && isShifted(packing.type)) {
      shiftedRows(stored, packing.type, { rows, bytes: this.#from.bytes }, out);
      return;
    }
    if (packing.kind !== "fp8") {
      widen(integerRows(stored, packing, rows, this.#from), out, 0);
      return;
    }
    const { scales, block } = packing;
    const width = stored.shape.at(-1) ?? 1;
    const count = (rows.end - rows.begin) * width;
    const bytes = this.#from.bytes(stored, rows.begin * width, count);
    const table = eighthTable();
    for (let i = 0; i < count; i++) out[i] = table[bytes[i] as number] as number;
    const factors = this.#from.numbers(scales);
    const [down, across] = block ?? [1, width];
    const blocks = Math.ceil(width / across);
    for (let i = 0; i < count; i++) {
      const row = rows.begin + Math.floor(i / width);
      const factor = factors[Math.floor(row / down) * blocks + Math.floor((i % width) / across)];
      out[i] = (out[i] as number) * (factor as number);
    }
  }

  /** From `[…, in, out]`: one matrix of the stack is turned and kept. */
  #readTurned(stored: StoredTensor, within: Within, window: Window, out: Float32Array): void {
    const { width, top, bottom, left, right } = window;
    const [matrixRows = 1] = within.shape.slice(-2);
    const columns = right - left;
    for (let row = top; row < bottom; row++) {
      const from = within.row + row * (within.step ?? 1);
      const matrix = Math.floor(from / matrixRows);
      const rows = this.#turn(stored, matrix, matrixRows, width);
      const begin = (from % matrixRows) * width;
      out.set(rows.subarray(begin + left, begin + right), (row - top) * columns);
    }
  }

  #turn(stored: StoredTensor, matrix: number, rows: number, width: number): Float32Array {
    const key = `${stored.name} ${matrix}`;
    if (this.#turned?.key === key) return this.#turned.rows;
    const lying = new Float32Array(rows * width);
    const window = { width: rows, top: 0, bottom: width, left: 0, right: rows };
    this.#readRows(stored, { row: matrix * width }, window, lying);
    const turned = new Float32Array(rows * width);
    for (let column = 0; column < width; column++)
      for (let row = 0; row < rows; row++)
        turned[row * width + column] = lying[column * rows + row] as number;
    this.#turned = { key, rows: turned };
    return turned;
  }

  #conversion(stored: StoredTensor): Convert {
    const convert = CONVERSIONS[stored.dtype];
    if (!convert)
      throw this.#error(stored, `expected dtype F32, F16 or BF16, found ${stored.dtype}`);
    return convert;
  }

  close(): void {
    for (const descriptor of this.#open.values()) closeSync(descriptor);
    this.#open.clear();
    this.#scratch = new Uint8Array(0);
    this.#turned = undefined;
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

/** Where row `row` of a head lies that has its two halves interleaved; a head of one row is as it is. */
function lyingRow(row: number, rows: number): number {
  const half = rows / 2;
  return rows === 1 ? row : row < half ? 2 * row : 2 * (row - half) + 1;
}

/** A range along the first axis picks rows; along the last, columns. */
function windowOf(stored: StoredTensor, shape: readonly number[], range?: Range): Window {
  const last = shape.length - 1;
  const size = shape.reduce((product, each) => product * each, 1);
  const columns = last > 0 && (range === undefined || range.axis === last);
  const width = columns ? (shape[last] ?? 1) : size / Math.max(shape[0] ?? 1, 1);
  const rows = width === 0 ? 0 : size / width;
  if (range === undefined) return { width, top: 0, bottom: rows, left: 0, right: width };
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

function bytesOf(array: Float32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
