/**
 * Texts to vectors over whatever device is served: an encoder gives pooled states itself, a
 * decoder's last hidden state is a row's, asked for in batches, and a simulated device is asked
 * for the time alone: its vectors are drawn from the text's ids.
 */
import type { BatchRow, BlockId, Device } from "../../device/device.ts";
import { drawnOf } from "./synthetic.ts";

export interface Embedder {
  /** Pooled states, not normalised, in the order of the prompts. Rejects when the device fails. */
  embed(prompts: readonly Int32Array[]): Promise<readonly Float32Array[]>;
}

/** `hidden`: width of the model's states. */
export function createEmbedder(device: Device, hidden: number): Embedder {
  const embed = device.embed?.bind(device);
  if (embed !== undefined) return { embed };
  const rows = new RowEmbedder(device, hidden);
  return { embed: (prompts) => rows.embed(prompts) };
}

interface Waiting {
  readonly ids: Int32Array;
  readonly resolve: (vector: Float32Array) => void;
  readonly reject: (error: Error) => void;
}

/** A prompt under way: its blocks, and how many of its tokens are computed. */
interface Running extends Waiting {
  readonly id: number;
  readonly blocks: readonly BlockId[];
  done: number;
}

/** First come, first served: rows in turn fill a step, long texts in pieces. */
class RowEmbedder implements Embedder {
  readonly #device: Device;
  readonly #hidden: number;
  readonly #free: BlockId[];
  readonly #waiting: Waiting[] = [];
  #running: Running[] = [];
  #step = 0;
  #ids = 0;
  #busy = false;

  constructor(device: Device, hidden: number) {
    this.#device = device;
    this.#hidden = hidden;
    this.#free = Array.from({ length: device.limits.blocks }, (_, block) => block).reverse();
  }

  embed(prompts: readonly Int32Array[]): Promise<readonly Float32Array[]> {
    const vectors = prompts.map(
      (ids) =>
        new Promise<Float32Array>((resolve, reject) => {
          this.#waiting.push({ ids, resolve, reject });
        }),
    );
    this.#next();
    return Promise.all(vectors);
  }

  #next(): void {
    if (this.#busy) return;
    this.#admit();
    const rows = this.#rows();
    if (rows.length === 0) return;
    this.#busy = true;
    this.#device.execute({ step: this.#step++, rows, copies: [] }, (result) => {
      this.#busy = false;
      for (const row of rows) {
        const running = this.#running.find(({ id }) => id === row.id);
        if (running === undefined) continue;
        running.done += row.count;
        if (!result.ok) this.#end(running, () => running.reject(result.error));
        else if (running.done === running.ids.length) {
          const vector = result.hidden?.get(row.id) ?? drawnOf(running.ids, this.#hidden);
          this.#end(running, () => running.resolve(vector));
        }
      }
      this.#next();
    });
  }

  #admit(): void {
    const { blockSize, maxRows } = this.#device.limits;
    for (;;) {
      const [first] = this.#waiting;
      if (first === undefined || this.#running.length >= maxRows) return;
      const count = Math.ceil(first.ids.length / blockSize);
      if (count > this.#free.length) return;
      const blocks = this.#free.splice(this.#free.length - count);
      this.#running.push({ ...first, id: this.#ids++, blocks, done: 0 });
      this.#waiting.shift();
    }
  }

  #rows(): readonly BatchRow[] {
    const { maxTokens, mixLong, longRowsPerStep = Number.POSITIVE_INFINITY } = this.#device.limits;
    const rows: BatchRow[] = [];
    let room = maxTokens;
    for (const { id, ids, blocks, done } of this.#running) {
      const count = Math.min(ids.length - done, room);
      if (count === 0 || rows.length >= longRowsPerStep) break;
      if (mixLong === false && rows.some((row) => row.count > 1 !== count > 1)) break;
      room -= count;
      const ends = done + count === ids.length;
      const want = ends && this.#device.can.hidden ? "hidden" : "none";
      rows.push({ id, context: ids, start: done, count, drafted: 0, blocks, want });
    }
    return rows;
  }

  #end(running: Running, tell: () => void): void {
    this.#running = this.#running.filter((other) => other !== running);
    this.#free.push(...running.blocks);
    this.#device.release([running.id]);
    tell();
  }
}
