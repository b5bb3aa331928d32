/**
 * A rank's paged KV cache: one WebAssembly memory that holds every layer's keys
 * and values, and what the attention kernel works on (layouts: kernel/kv-layout.ts).
 * Keys and values of a step's tokens are written before anyone reads them.
 *
 *     [ control | tables | queries | outputs | scratch ][ layer 0: keys, values ][ layer 1 … ]
 */

import { createMemory } from "../wasm.ts";
import type { CacheShape } from "./graph/steps.ts";
import { attentionModule } from "./kernel/attention.ts";
import type { KernelLayout, KvFormat } from "./kernel/kv-layout.ts";
import { CHUNK, kernelLayout } from "./kernel/kv-layout.ts";
import { mergeModule } from "./kernel/merge.ts";
import { AttentionTeam, CONTROL_BYTES } from "./kernel/team.ts";
import { HeadWriter, type Place } from "./kv-writer.ts";
import type { HeadCopy, RotaryTable } from "./rotary.ts";
import { copyHead } from "./rotary.ts";
import type { StepRow } from "./wire.ts";

export interface PoolShape extends CacheShape {
  readonly blockSize: number;
  readonly blocks: number;
  readonly maxContext: number;
  /** Tokens in a step. */
  readonly maxTokens: number;
  /** Rows in a step. */
  readonly maxRows: number;
  /** Threads that attend: 1, or 2. */
  readonly threads: number;
  readonly format: KvFormat;
}

export interface AttentionOptions {
  readonly scale: number;
  /** A query at position p sees (p − window, p]; absent: all before it. */
  readonly window?: number;
  /** Windows lie end to end: it sees [⌊p / window⌋ · window, p]. */
  readonly chunked?: boolean;
  /** Of queries, by position: as AttentionOp says. */
  readonly temperature?: { readonly floor: number; readonly scale: number };
  /** One logit per head that joins the softmax and is dropped. */
  readonly sinks?: Float32Array;
  /** Rotates queries. */
  readonly rotary?: RotaryTable;
}

/** A matrix among the columns of another: the row of token t begins at `data[at + t · stride]`. */
export interface Columns {
  readonly data: Float32Array;
  readonly at: number;
  readonly stride: number;
}

const PAGE_BYTES = 65_536;

/** For the chunks of queries that are divided over threads, about. */
const UNITS_BYTES = 4 << 20;

/** Bytes of one block on a rank, all layers. */
export function poolBytesPerBlock(shape: Parameters<typeof layoutOf>[0]): number {
  const { keyBlockBytes, valueBlockBytes } = layoutOf(shape);
  return shape.layers * (keyBlockBytes + valueBlockBytes);
}

function layoutOf(shape: CacheShape & Pick<PoolShape, "blockSize" | "format">): KernelLayout {
  return kernelLayout({ ...shape, group: shape.heads / shape.kvHeads });
}

/** Byte offsets of the areas. */
interface Areas {
  readonly control: number;
  readonly positions: number;
  readonly tables: number;
  /** Block tables of all rows, one after the other. */
  readonly blocks: number;
  readonly sinks: number;
  readonly queries: number;
  readonly outputs: number;
  readonly scratch: readonly number[];
  readonly partials: readonly number[];
  readonly units: number;
  readonly unitPartials: number;
  readonly layers: number;
  readonly end: number;
}

function layAreas(shape: PoolShape, layout: KernelLayout): Areas {
  const { heads, layers, blocks, maxTokens, maxRows, maxContext } = shape;
  let end = 0;
  const room = (bytes: number): number => {
    const begin = end;
    end = Math.ceil((end + bytes) / 64) * 64;
    return begin;
  };
  const threads = Array.from({ length: Math.min(shape.threads, 2) }, (_, index) => index);
  return {
    control: room(CONTROL_BYTES),
    positions: room(4 * maxTokens),
    tables: room(4 * maxTokens),
    blocks: room(4 * maxRows * Math.ceil(maxContext / shape.blockSize)),
    sinks: room(4 * heads),
    queries: room(4 * maxTokens * heads * layout.queryDim),
    outputs: room(4 * maxTokens * heads * layout.paddedDim),
    scratch: threads.map(() => room(layout.scratchBytes)),
    partials: threads.map(() => room(Math.ceil(maxContext / CHUNK) * layout.partialBytes)),
    units: room(4 * (maxTokens + 1)),
    unitPartials: room(threads.length > 1 ? UNITS_BYTES : 0),
    layers: room(layers * blocks * (layout.keyBlockBytes + layout.valueBlockBytes)),
    end,
  };
}

export class KvPool {
  readonly #shape: PoolShape;
  readonly #layout: KernelLayout;
  readonly #areas: Areas;
  readonly #team: AttentionTeam;
  readonly #floats: Float32Array;
  readonly #ints: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #writer: HeadWriter;
  #rows: readonly StepRow[] = [];
  /** Rows whose tokens the kernel finds one after the other, and the addresses of all rows' block tables. */
  #laid: readonly StepRow[] = [];
  #tables = new Map<StepRow, number>();

  constructor(shape: PoolShape) {
    this.#shape = shape;
    this.#layout = layoutOf(shape);
    this.#areas = layAreas(shape, this.#layout);
    const { kvHeads, headDim, valueDim, format } = shape;
    const group = shape.heads / kvHeads;
    const pages = Math.ceil(this.#areas.end / PAGE_BYTES);
    const memory = createMemory(pages);
    this.#team = new AttentionTeam({
      attend: attentionModule({ ...shape, group }, pages),
      merge: mergeModule({ ...shape, group }, pages),
      memory,
      group,
      kvHeads,
      layout: this.#layout,
      at: this.#areas,
      mostUnits: Math.floor(UNITS_BYTES / this.#layout.partialBytes),
    });
    this.#writer = new HeadWriter(memory.buffer, format, Math.max(headDim, valueDim));
    this.#floats = new Float32Array(memory.buffer);
    this.#bytes = new Uint8Array(memory.buffer);
    this.#ints = new Int32Array(memory.buffer);
  }

  /** Copies every layer's K and V of block `from` to block `to`. */
  copy(from: number, to: number): void {
    const { layers } = this.#shape;
    const { keyBlockBytes, valueBlockBytes } = this.#layout;
    for (let layer = 0; layer < layers; layer++) {
      for (const [area, bytes] of [
        [this.#keysOf(layer), keyBlockBytes],
        [this.#valuesOf(layer), valueBlockBytes],
      ] as const) {
        const begin = area + from * bytes;
        this.#bytes.copyWithin(area + to * bytes, begin, begin + bytes);
      }
    }
  }

  /** The rows that `write` and `attend` are about, until the next call. */
  begin(rows: readonly StepRow[]): void {
    const { maxRows, maxTokens } = this.#shape;
    const tokens = countTokens(rows);
    if (rows.length > maxRows || tokens > maxTokens) {
      throw new Error(
        `A step of ${rows.length} rows, ${tokens} tokens: the limits are ${maxRows} and ${maxTokens}.`,
      );
    }
    this.#rows = rows;
    this.#tables = new Map();
    let table = this.#areas.blocks;
    for (const row of rows) {
      this.#ints.set(row.blocks, table / 4);
      this.#tables.set(row, table);
      table += row.blocks.length * 4;
    }
    this.#lay(rows);
  }

  /** Says where the tokens stand that the kernel is to compute. */
  #lay(rows: readonly StepRow[]): void {
    const { positions, tables } = this.#areas;
    let token = 0;
    for (const row of rows) {
      const table = this.#tables.get(row) ?? 0;
      for (let i = 0; i < row.count; i++, token++) {
        this.#ints[positions / 4 + token] = row.start + i;
        this.#ints[tables / 4 + token] = table;
      }
    }
    this.#laid = rows;
  }

  /** `k` is [tokens, kvHeads · headDim], `v` [tokens, kvHeads · valueDim]; `rotary` rotates the keys. */
  write(layer: number, k: Columns, v: Columns, rotary?: RotaryTable): void {
    const { blockSize, kvHeads, headDim, valueDim } = this.#shape;
    const { keyBlockBytes, valueBlockBytes, keyHeadBytes, valueHeadBytes } = this.#layout;
    const writer = this.#writer;
    const key = headCopy(k.data, writer.target, headDim);
    const value = headCopy(v.data, writer.target, valueDim);
    for (const row of this.#rows) {
      for (let i = 0; i < row.count; i++) {
        const token = row.offset + i;
        const position = row.start + i;
        const block = row.blocks[Math.floor(position / blockSize)] as number;
        const keys = this.#keysOf(layer) + block * keyBlockBytes;
        const values = this.#valuesOf(layer) + block * valueBlockBytes;
        for (let head = 0; head < kvHeads; head++) {
          const keyPlace = this.#keyPlace(keys + head * keyHeadBytes, position);
          key.from = k.at + token * k.stride + head * headDim;
          writer.aim(key, keyPlace);
          if (rotary) rotary.copy(key, position);
          else copyHead(key);
          writer.write(headDim, keyPlace);
          const valuePlace = this.#valuePlace(values + head * valueHeadBytes, position);
          value.from = v.at + token * v.stride + head * valueDim;
          writer.aim(value, valuePlace);
          copyHead(value);
          writer.write(valueDim, valuePlace);
        }
      }
    }
  }

  /** Of a position's key in a head's block that begins at `head`. */
  #keyPlace(head: number, position: number): Place {
    const { lanes, keyDim, fold, scaleBytes, elementBytes } = this.#layout;
    const within = position % this.#shape.blockSize;
    const lane = within % lanes;
    const at = (head + scaleBytes) / elementBytes + (within - lane) * keyDim + lane * fold;
    return { at, run: fold, stride: lanes * fold, scaleAt: head / 4 + within };
  }

  #valuePlace(head: number, position: number): Place {
    const { paddedDim, fold, scaleBytes, elementBytes } = this.#layout;
    const within = position % this.#shape.blockSize;
    const odd = within % fold;
    const at = (head + scaleBytes) / elementBytes + (within - odd) * paddedDim + odd;
    return { at, run: 1, stride: fold, scaleAt: head / 4 + within };
  }

  /** `q` is [tokens, heads · headDim], `out` [tokens, heads · valueDim]; only `rows` of the step's are computed. */
  attend(
    layer: number,
    q: Columns,
    out: Float32Array,
    options: AttentionOptions,
    rows: readonly StepRow[] = this.#rows,
  ): void {
    if (rows !== this.#laid) this.#lay(rows);
    const { heads, headDim } = this.#shape;
    const { window, scale, chunked = false } = options;
    const sinks = this.#areas.sinks / 4;
    for (let head = 0; head < heads; head++) {
      const sink = options.sinks?.[head] ?? Number.NEGATIVE_INFINITY;
      this.#floats[sinks + head] = sink * Math.LOG2E;
    }
    let pairs = 0;
    for (const { start, count } of rows) {
      for (let end = start + 1; end <= start + count; end++) {
        pairs += window === undefined ? end : Math.min(end, window);
      }
    }
    this.#readQueries(q, options);
    this.#team.run({
      tokens: countTokens(rows),
      keys: this.#keysOf(layer),
      values: this.#valuesOf(layer),
      window: window ?? 0,
      chunked,
      scale: scale * Math.LOG2E,
      work: 2 * pairs * heads * headDim,
    });
    this.#readOutputs(out);
  }

  /** Layers' attentions so far of which a helper had a share. */
  get helpedJobs(): number {
    return this.#team.helpedJobs;
  }

  async close(): Promise<void> {
    await this.#team.close();
  }

  #readQueries(q: Columns, { rotary, temperature }: AttentionOptions): void {
    const { heads, headDim } = this.#shape;
    const { queryDim } = this.#layout;
    const query = headCopy(q.data, this.#floats, headDim);
    query.to = this.#areas.queries / 4;
    for (const row of this.#laid) {
      for (let i = 0; i < row.count; i++) {
        query.from = q.at + (row.offset + i) * q.stride;
        const first = query.to;
        for (let head = 0; head < heads; head++) {
          if (rotary) rotary.copy(query, row.start + i);
          else copyHead(query);
          query.from += headDim;
          query.to += queryDim;
        }
        if (temperature === undefined) continue;
        const { floor, scale } = temperature;
        const factor = Math.fround(1 + scale * Math.log1p(Math.floor((row.start + i + 1) / floor)));
        for (let at = first; at < query.to; at++)
          this.#floats[at] = (this.#floats[at] as number) * factor;
      }
    }
  }

  #readOutputs(out: Float32Array): void {
    const { heads, valueDim } = this.#shape;
    const { paddedDim } = this.#layout;
    let from = this.#areas.outputs / 4;
    for (const { offset, count } of this.#laid) {
      const to = offset * heads * valueDim;
      const values = count * heads;
      if (paddedDim === valueDim) {
        out.set(this.#floats.subarray(from, from + values * valueDim), to);
      } else {
        for (let value = 0; value < values; value++) {
          const begin = from + value * paddedDim;
          out.set(this.#floats.subarray(begin, begin + valueDim), to + value * valueDim);
        }
      }
      from += values * paddedDim;
    }
  }

  #keysOf(layer: number): number {
    const { keyBlockBytes, valueBlockBytes } = this.#layout;
    return this.#areas.layers + layer * this.#shape.blocks * (keyBlockBytes + valueBlockBytes);
  }

  #valuesOf(layer: number): number {
    return this.#keysOf(layer) + this.#shape.blocks * this.#layout.keyBlockBytes;
  }
}

const countTokens = (rows: readonly StepRow[]): number =>
  rows.reduce((sum, { count }) => sum + count, 0);

const headCopy = (source: Float32Array, target: Float32Array, headDim: number): HeadCopy => ({
  source,
  target,
  headDim,
  from: 0,
  to: 0,
  stride: 1,
});
