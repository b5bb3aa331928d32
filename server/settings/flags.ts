/** Every flag by name, whatever becomes of it, and the spellings that lead to it. */
import { ACCEPTED } from "./accepted.ts";
import { REFUSED } from "./refused.ts";
import type { Row } from "./row.ts";
import { type Flag, TABLE } from "./table.ts";
import type { UnsupportedFlag } from "./unsupported.ts";

export const ROWS = Object.entries(TABLE) as readonly (readonly [Flag, Row<unknown>])[]; // the table's own keys

export const UNSUPPORTED: readonly (readonly [string, UnsupportedFlag])[] = [
  ...Object.entries(ACCEPTED),
  ...Object.entries(REFUSED),
];

export function isKnown(flag: string): boolean {
  return Object.hasOwn(TABLE, flag) || unsupported(flag) !== undefined;
}

/** Undefined: a setting, or no flag at all. */
export function unsupported(flag: string): UnsupportedFlag | undefined {
  if (Object.hasOwn(ACCEPTED, flag)) return ACCEPTED[flag];
  return Object.hasOwn(REFUSED, flag) ? REFUSED[flag] : undefined;
}

const SWITCHES: ReadonlySet<string> = new Set([
  ...ROWS.flatMap(([flag, row]) => (row.value === undefined ? [flag] : [])),
  ...UNSUPPORTED.flatMap(([flag, { takes }]) => (takes === "nothing" ? [flag] : [])),
]);

/** Takes no value and has a `--no-` form. */
export function isSwitch(flag: string): boolean {
  return SWITCHES.has(flag);
}

/** Flag of each short spelling, e.g. `-tp`. */
export const SHORT: ReadonlyMap<string, string> = new Map(
  [...ROWS, ...UNSUPPORTED].flatMap(([flag, { short }]) =>
    short === undefined ? [] : [[short, flag] as const],
  ),
);
