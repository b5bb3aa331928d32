/**
 * What repeats together: a table is one source at one release, measured by one
 * hand on one machine. Its rows share whatever the model does not know of it.
 */
import type { Row } from "./rows.ts";

/** `SDK 2.18.1` of a date that names one, else its month (or year). */
export function releaseOf(row: Row): string {
  const sdk = /SDK (\d+\.\d+(?:\.\d+)?)/.exec(row.date)?.[1];
  return sdk === undefined ? (/20\d\d(-\d\d)?/.exec(row.date)?.[0] ?? row.date) : `SDK ${sdk}`;
}

export function tableOf(row: Row): string {
  return `${row.source} @ ${releaseOf(row)}`;
}

/** How leaving out names its folds: one table, or every table of one release. */
export const FOLDS: Readonly<Record<"table" | "release", (row: Row) => string>> = Object.freeze({
  table: tableOf,
  release: releaseOf,
});
