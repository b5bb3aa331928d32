/** Kinds of flag that commands have beside the server's: lists by comma, rates, prices. */
import type { rowsOf } from "../../server/settings/row.ts";

type Rows = ReturnType<typeof rowsOf>;

export const list = (text: string): string[] => text.split(",").map((part) => part.trim());

/** Names, by comma. */
export function names(rows: Rows, fallback: readonly string[], sentence: string) {
  return rows.of<readonly string[]>("NAMES", fallback, sentence, list);
}

/** Whole numbers ≥ 1, by comma. */
export function counts(rows: Rows, fallback: readonly number[], sentence: string, short?: string) {
  return rows.of<readonly number[]>(
    "N,N",
    fallback,
    sentence,
    (text) => list(text).map(countOf),
    short === undefined ? {} : { short },
  );
}

/** A whole number ≥ 1; absent: `fallback`. */
export function count<D extends number | undefined>(
  rows: Rows,
  fallback: D,
  sentence: string,
  short?: string,
) {
  return rows.of<D | number>(
    "N",
    fallback,
    sentence,
    countOf,
    short === undefined ? {} : { short },
  );
}

function countOf(text: string): number {
  const value = Number(text);
  if (text === "" || !Number.isInteger(value) || value < 1) {
    throw new Error("takes whole numbers ≥ 1");
  }
  return value;
}

/** A number above 0. */
export function positive<D extends number | undefined>(rows: Rows, fallback: D, sentence: string) {
  return rows.number(fallback, sentence, {
    check: (value) => (value > 0 ? undefined : "must be above 0"),
  });
}
