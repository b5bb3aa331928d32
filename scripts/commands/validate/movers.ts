/** Which tables move a constant: those whose set-ups ask for it. */
import { DEFAULT_CONSTANTS } from "../../../device/trainium/constants.ts";
import { findArchitecture } from "./read/model.ts";
import type { Row } from "./rows.ts";
import { setUpOf } from "./setup.ts";
import {
  arrivalMilliseconds,
  batchesPrompts,
  forgetCosts,
  promptMilliseconds,
  stepMilliseconds,
} from "./static.ts";
import { tableOf } from "./tables.ts";

/** A table of constants that notes the keys it is asked for. */
export class Recorder extends Map<string, number> {
  asked = new Set<string>();

  override get(key: string): number | undefined {
    this.asked.add(key);
    return super.get(key);
  }
}

/** Tables by constant: of prompts' and steps' prices, host times included. */
export function tablesByConstant(rows: readonly Row[]): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const row of rows) {
    const constants = new Recorder(DEFAULT_CONSTANTS);
    for (const key of askedBy(row, constants)) {
      const tables = found.get(key) ?? new Set();
      tables.add(tableOf(row));
      found.set(key, tables);
    }
  }
  return found;
}

function askedBy(row: Row, constants: Recorder): ReadonlySet<string> {
  const architecture = findArchitecture(row.model);
  if (architecture === undefined) return new Set();
  forgetCosts();
  try {
    const setUp = setUpOf(row, architecture, constants);
    if (typeof setUp === "string") return new Set();
    if (/TTFT|e2e|latency_per_token|throughput|rate/.test(row.metric)) {
      promptMilliseconds(setUp, { rows: batchesPrompts(setUp) ? setUp.batch : 1 });
      arrivalMilliseconds(setUp);
    }
    if (!/TTFT/.test(row.metric)) stepMilliseconds(setUp);
  } catch {
    return new Set(); // a row that has no price
  }
  return constants.asked;
}
