/** Spans from wherever they come, laid into columns by track. */
import type { SpanArgs } from "../../../../device/trace.ts";
import type { SpanColumns, Track } from "./profile.ts";

interface Row {
  readonly start: number;
  readonly duration: number;
  readonly name: number;
  readonly detail: number;
}

export const NO_DETAIL = 0xffffffff;

/** Takes spans in any order; `columns` sorts and nests them. */
export class ColumnBuilder {
  readonly #lanes = new Map<string, { process: string; lane: string; rows: Row[] }>();
  readonly #names = new Map<string, number>();
  readonly #args: SpanArgs[] = [];

  /** ns */
  add(
    process: string,
    lane: string,
    span: { start: number; duration: number; name: string; args?: SpanArgs },
  ): void {
    const key = `${process}\n${lane}`;
    let at = this.#lanes.get(key);
    if (at === undefined) {
      at = { process, lane, rows: [] };
      this.#lanes.set(key, at);
    }
    let name = this.#names.get(span.name);
    if (name === undefined) {
      name = this.#names.size;
      this.#names.set(span.name, name);
    }
    const detail = span.args === undefined ? NO_DETAIL : this.#args.push(span.args) - 1;
    at.rows.push({ start: span.start, duration: span.duration, name, detail });
  }

  columns(): SpanColumns {
    let count = 0;
    for (const { rows } of this.#lanes.values()) count += rows.length;
    const start = new Float64Array(count);
    const duration = new Float64Array(count);
    const name = new Uint32Array(count);
    const detail = new Uint32Array(count);
    const tracks: Track[] = [];
    let next = 0;
    for (const { process, lane, rows } of this.#lanes.values()) {
      for (const [depth, level] of nested(rows).entries()) {
        const from = next;
        for (const row of level) {
          start[next] = row.start;
          duration[next] = row.duration;
          name[next] = row.name;
          detail[next] = row.detail;
          next++;
        }
        tracks.push({ process, lane, depth, from, to: next });
      }
    }
    const names = [...this.#names.keys()];
    return { tracks, names, start, duration, name, detail, args: this.#args };
  }
}

/** By depth: a span stands below the one that it lies in. */
function nested(rows: Row[]): readonly (readonly Row[])[] {
  rows.sort((a, b) => a.start - b.start || b.duration - a.duration);
  const levels: Row[][] = [];
  const ends: number[] = [];
  for (const row of rows) {
    while (ends.length > 0 && (ends.at(-1) ?? 0) <= row.start) ends.pop();
    const depth = ends.length;
    ends.push(row.start + row.duration);
    const level = levels[depth];
    if (level === undefined) levels[depth] = [row];
    else level.push(row);
  }
  return levels;
}
