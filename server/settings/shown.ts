/** Which settings may be shown, and which of them shape an answer. */
import type { Row } from "./row.ts";
import { type Flag, type Settings, TABLE } from "./table.ts";

const ROWS = Object.entries(TABLE) as readonly (readonly [Flag, Row<unknown>])[]; // the table's own keys

/** All but the secret ones: for routes, logs and files. */
export function shownSettings(settings: Settings): Readonly<Record<string, unknown>> {
  return pick(settings, (row) => row.secret !== true);
}

/** Groups whose settings change what is answered, or when: not keys, ports and log levels. */
const SHAPING = new Set(["Model", "API", "Engine", "Device"]);

/** What a fingerprint is made of. */
export function shapingSettings(settings: Settings): Readonly<Record<string, unknown>> {
  return pick(settings, (row) => row.secret !== true && SHAPING.has(row.group));
}

function pick(
  settings: Settings,
  keep: (row: Row<unknown>) => boolean,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    ROWS.filter(([, row]) => keep(row)).map(([flag]) => [flag, settings[flag]]),
  );
}
