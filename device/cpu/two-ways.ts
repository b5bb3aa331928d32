/**
 * A segment held twice, for steps of few rows and for those of many. Int4 and int8: few rows are bound
 * by reading weights, many by arithmetic. Or, where it is small, on one thread and on all: calling
 * others takes longer than the products of a few rows. From how many rows on is measured at the
 * start: it differs between processors and shapes.
 */
import type { Binding } from "./buffers.ts";
import type { Segment } from "./graph/steps.ts";
import type { Runner, Tensors } from "./session.ts";

/** From how many rows on `many` computes, for all segments of a rank that share it. */
export interface Crossing {
  rows: number;
}

/** Rows that products are given for so many of a step. */
export type RowsGiven = (rows: number) => number;

/** The runtime's products of blocks take two rows at a time, and sum a single one differently: none is single. */
export const wholePairs: RowsGiven = (rows) => rows + (rows & 1);

/** Where nothing was measured. */
export const USUAL_CROSSING = 4;

export class TwoWays implements Runner {
  readonly few: Runner;
  readonly many: Runner;
  readonly crossing: Crossing;

  constructor(few: Runner, many: Runner, crossing: Crossing) {
    this.few = few;
    this.many = many;
    this.crossing = crossing;
  }

  run(feeds: Tensors, fetches: Tensors): void {
    const [first] = Object.values(feeds);
    const rows = first?.dims[0] ?? 0;
    (rows < this.crossing.rows ? this.few : this.many).run(feeds, fetches);
  }

  close(): void {
    this.few.close();
    this.many.close();
  }
}

/** What can be found. */
const CANDIDATES = [2, 3, 4, 6, 8, 12, 16, 24] as const;
export const MOST_ROWS_TRIED = 24;
/** Each format so often, in turns. */
const ROUNDS = 2;
/**
 * `many` computes where it takes at most such a share of the time of `few`. A pass is of some segments, whose larger
 * weights lie partly in caches that a whole step's do not.
 */
const QUICKER = 0.9;
/** Segments are tried as far as a pass of them takes so long: enough that weights are read from memory. */
const PASS_MS = 12;

/** Measures what `crossing` is for those of a rank's segments that share it, if any; `bind` gives tensors of so many rows. */
export function measureCrossing(
  crossing: Crossing,
  runs: readonly { readonly segment: Segment; readonly session: Runner }[],
  bind: (segment: Segment, rows: number) => Binding,
): boolean {
  let tried = runs.flatMap(({ segment, session }) =>
    session instanceof TwoWays && session.crossing === crossing ? [{ segment, session }] : [],
  );
  const pass = (rows: number, format: "few" | "many"): number => {
    const begun = performance.now();
    for (const { segment, session } of tried) {
      const { feeds, fetches } = bind(segment, rows);
      session[format].run(feeds, fetches);
    }
    return performance.now() - begun;
  };
  // The first runs set memory up; they tell how many can be tried.
  const begun = performance.now();
  tried = tried.filter(({ segment, session }) => {
    if (performance.now() - begun > 2 * PASS_MS) return false;
    const { feeds, fetches } = bind(segment, 1);
    session.few.run(feeds, fetches);
    session.many.run(feeds, fetches);
    return true;
  });
  if (tried.length > 0) crossing.rows = findCrossing(pass);
  return tried.length > 0;
}

/** The least number of rows at which `many` is a tenth quicker, by halving: three sizes are tried. */
export function findCrossing(pass: (rows: number, format: "few" | "many") => number): number {
  const manyIsQuicker = (rows: number): boolean => {
    const best = { few: Number.POSITIVE_INFINITY, many: Number.POSITIVE_INFINITY };
    for (let round = 0; round < ROUNDS; round++)
      for (const format of ["few", "many"] as const)
        best[format] = Math.min(best[format], pass(rows, format));
    return best.many < QUICKER * best.few;
  };
  let low = 0;
  let high = CANDIDATES.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (manyIsQuicker(CANDIDATES[middle] as number)) high = middle;
    else low = middle + 1;
  }
  return CANDIDATES[low] as number; // low ≤ the last index
}
