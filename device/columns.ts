/** Spans by columns: how profiles of millions of them are kept, drawn and written. */
import type { SpanArgs } from "./trace.ts";

/** Spans of a track lie one after another, sorted by start. */
export interface SpanColumns {
  /** Rows of the timeline, in order. */
  readonly tracks: readonly Track[];
  readonly names: readonly string[];
  /** ns */
  readonly start: Float64Array;
  readonly duration: Float64Array;
  /** Index into `names`. */
  readonly name: Uint32Array;
  /** Index into the arguments that stand beside the columns; `NO_DETAIL`: none. */
  readonly detail: Uint32Array;
}

export interface Track {
  readonly process: string;
  readonly lane: string;
  /** Nested spans lie on tracks of their own below their parent's. */
  readonly depth: number;
  /** Spans [from, to) of the columns. */
  readonly from: number;
  readonly to: number;
}

export const NO_DETAIL = 0xffffffff;

/** Spans of one lane as they come, in arrays that grow. */
class Lane {
  readonly process: string;
  readonly lane: string;
  count = 0;
  sorted = true;
  start = new Float64Array(64);
  duration = new Float64Array(64);
  name = new Uint32Array(64);
  detail = new Uint32Array(64);

  constructor(process: string, lane: string) {
    this.process = process;
    this.lane = lane;
  }

  add(start: number, duration: number, name: number, detail: number): void {
    const at = this.count++;
    if (at === this.start.length) this.#grow();
    this.start[at] = start;
    this.duration[at] = duration;
    this.name[at] = name;
    this.detail[at] = detail;
    if (at === 0) return;
    const before = this.start[at - 1] ?? 0;
    if (start < before || (start === before && duration > (this.duration[at - 1] ?? 0))) {
      this.sorted = false;
    }
  }

  /** Indices by start, a parent before what lies in it. */
  order(): Uint32Array {
    const order = Uint32Array.from({ length: this.count }, (_, index) => index);
    if (this.sorted) return order;
    const { start, duration } = this;
    return order.sort(
      (a, b) =>
        (start[a] ?? 0) - (start[b] ?? 0) || (duration[b] ?? 0) - (duration[a] ?? 0) || a - b,
    );
  }

  #grow(): void {
    const grown = <T extends Float64Array | Uint32Array>(from: T, into: T): T => {
      into.set(from);
      return into;
    };
    const size = this.start.length * 2;
    this.start = grown(this.start, new Float64Array(size));
    this.duration = grown(this.duration, new Float64Array(size));
    this.name = grown(this.name, new Uint32Array(size));
    this.detail = grown(this.detail, new Uint32Array(size));
  }
}

/** Takes spans in any order; `columns` sorts and nests them. */
export class ColumnBuilder {
  /** Arguments by their index. */
  readonly args: SpanArgs[] = [];
  readonly #lanes = new Map<string, Lane>();
  readonly #names = new Map<string, number>();
  readonly #known: Map<string, number> | undefined;

  /** `shared`: equal arguments are kept once, for a price a span. */
  constructor({ shared = false } = {}) {
    this.#known = shared ? new Map() : undefined;
  }

  /** ns */
  add(
    process: string,
    lane: string,
    span: { start: number; duration: number; name: string; args?: SpanArgs | undefined },
  ): void {
    const key = `${process}\n${lane}`;
    let at = this.#lanes.get(key);
    if (at === undefined) {
      at = new Lane(process, lane);
      this.#lanes.set(key, at);
    }
    let name = this.#names.get(span.name);
    if (name === undefined) {
      name = this.#names.size;
      this.#names.set(span.name, name);
    }
    at.add(span.start, span.duration, name, this.#detail(span.args));
  }

  #detail(args: SpanArgs | undefined): number {
    if (args === undefined) return NO_DETAIL;
    if (this.#known === undefined) return this.args.push(args) - 1;
    const key = JSON.stringify(args);
    let index = this.#known.get(key);
    if (index === undefined) {
      index = this.args.push(args) - 1;
      this.#known.set(key, index);
    }
    return index;
  }

  columns(): SpanColumns {
    let count = 0;
    for (const lane of this.#lanes.values()) count += lane.count;
    const start = new Float64Array(count);
    const duration = new Float64Array(count);
    const name = new Uint32Array(count);
    const detail = new Uint32Array(count);
    const tracks: Track[] = [];
    let next = 0;
    for (const lane of this.#lanes.values()) {
      for (const [depth, level] of nested(lane).entries()) {
        const from = next;
        for (const index of level) {
          start[next] = lane.start[index] ?? 0;
          duration[next] = lane.duration[index] ?? 0;
          name[next] = lane.name[index] ?? 0;
          detail[next] = lane.detail[index] ?? NO_DETAIL;
          next++;
        }
        tracks.push({ process: lane.process, lane: lane.lane, depth, from, to: next });
      }
    }
    return { tracks, names: [...this.#names.keys()], start, duration, name, detail };
  }
}

/** Indices by depth: a span stands below the one that it lies in. */
function nested(lane: Lane): readonly (readonly number[])[] {
  const levels: number[][] = [];
  const ends: number[] = [];
  for (const index of lane.order()) {
    const start = lane.start[index] ?? 0;
    while (ends.length > 0 && (ends[ends.length - 1] ?? 0) <= start) ends.pop();
    const depth = ends.length;
    ends.push(start + (lane.duration[index] ?? 0));
    const level = levels[depth];
    if (level === undefined) levels[depth] = [index];
    else level.push(index);
  }
  return levels;
}
