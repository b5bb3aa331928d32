/**
 * Levels of detail: on level k one entry stands for 16^k neighbouring spans of a
 * track, so that a frame draws a few entries a pixel, however many spans there are.
 */
import type { SpanColumns, Track } from "../../../../device/columns.ts";

const FAN = 16;

interface Level {
  readonly start: Float64Array;
  readonly end: Float64Array;
  /** Index of the longest span of the group. */
  readonly longest: Uint32Array;
}

/** What one mark on the screen stands for. */
export interface Mark {
  readonly start: number;
  readonly end: number;
  /** A span of the columns: the only one, or the longest of `count`. */
  readonly span: number;
  readonly count: number;
}

export class TrackDetail {
  readonly track: Track;
  readonly #columns: SpanColumns;
  readonly #levels: Level[] = [];

  constructor(columns: SpanColumns, track: Track) {
    this.track = track;
    this.#columns = columns;
    let below = this.#base();
    while (below.start.length > FAN) {
      below = grouped(below, columns.duration);
      this.#levels.push(below);
    }
  }

  #base(): Level {
    const { from, to } = this.track;
    const start = this.#columns.start.subarray(from, to);
    const end = new Float64Array(to - from);
    const longest = new Uint32Array(to - from);
    for (let index = 0; index < end.length; index++) {
      end[index] = (start[index] ?? 0) + (this.#columns.duration[from + index] ?? 0);
      longest[index] = from + index;
    }
    this.#levels.push({ start, end, longest });
    return { start, end, longest };
  }

  /** Marks that touch [from, to), in order; about `most` of them and never more than twice that. */
  marks(from: number, to: number, most: number): Mark[] {
    for (const [height, level] of this.#levels.entries()) {
      const first = firstAfter(level.end, from);
      const last = firstAfter(level.start, to);
      if (last - first > most && height < this.#levels.length - 1) continue;
      const each = FAN ** height;
      const total = this.track.to - this.track.from;
      const found: Mark[] = [];
      for (let index = first; index < last; index++) {
        found.push({
          start: level.start[index] ?? 0,
          end: level.end[index] ?? 0,
          span: level.longest[index] ?? 0,
          count: Math.min(each, total - index * each),
        });
      }
      return found;
    }
    return [];
  }
}

function grouped(below: Level, duration: Float64Array): Level {
  const count = Math.ceil(below.start.length / FAN);
  const start = new Float64Array(count);
  const end = new Float64Array(count);
  const longest = new Uint32Array(count);
  for (let group = 0; group < count; group++) {
    const from = group * FAN;
    const to = Math.min(from + FAN, below.start.length);
    start[group] = below.start[from] ?? 0;
    let best = below.longest[from] ?? 0;
    let until = 0;
    for (let index = from; index < to; index++) {
      until = Math.max(until, below.end[index] ?? 0);
      const span = below.longest[index] ?? 0;
      if ((duration[span] ?? 0) > (duration[best] ?? 0)) best = span;
    }
    end[group] = until;
    longest[group] = best;
  }
  return { start, end, longest };
}

/** Index of the first value above `limit`; the values ascend. */
function firstAfter(values: Float64Array, limit: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] ?? 0) > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}
