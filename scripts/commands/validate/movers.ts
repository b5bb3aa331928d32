/** Which tables move a constant: those of whose rows some price changes with it. */
import { DEFAULT_CONSTANTS } from "../../../device/trainium/constants.ts";
import { findArchitecture } from "./read/model.ts";
import type { Row } from "./rows.ts";
import { type SetUp, setUpOf } from "./setup.ts";
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

/** A constant a tenth larger moves a row when its price changes by more than this share. */
const LARGER = 1.1;
const MOVED = 0.001;

/** Tables by constant: of prompts' and steps' prices, host times included. */
export function tablesByConstant(rows: readonly Row[]): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  const constants = new Recorder(DEFAULT_CONSTANTS);
  for (const row of rows) {
    for (const key of movedBy(row, constants)) {
      const tables = found.get(key) ?? new Set();
      tables.add(tableOf(row));
      found.set(key, tables);
    }
  }
  return found;
}

/** Keys that move a row's price; none of a row that has no price. */
function movedBy(row: Row, constants: Recorder): readonly string[] {
  const architecture = findArchitecture(row.model);
  if (architecture === undefined) return [];
  try {
    const setUp = setUpOf(row, architecture, constants);
    if (typeof setUp === "string") return [];
    constants.asked = new Set();
    const before = pricesOf(row, setUp);
    const asked = [...constants.asked];
    return asked.filter((key) => {
      const value = DEFAULT_CONSTANTS.get(key) ?? 0;
      constants.set(key, value * LARGER);
      const after = pricesOf(row, setUp);
      constants.set(key, value);
      return after.some((price, at) => {
        const old = before[at] ?? price;
        return Math.abs(price - old) > MOVED * old;
      });
    });
  } catch {
    return []; // a row that has no price
  }
}

/** ms of what a row's metric is made of. */
function pricesOf(row: Row, setUp: SetUp): readonly number[] {
  forgetCosts();
  const prices: number[] = [];
  if (/TTFT|e2e|latency_per_token|throughput|rate/.test(row.metric)) {
    prices.push(promptMilliseconds(setUp, { rows: batchesPrompts(setUp) ? setUp.batch : 1 }));
    prices.push(arrivalMilliseconds(setUp));
  }
  const live = Math.min(setUp.batch, setUp.live ?? 1);
  if (!/TTFT/.test(row.metric)) prices.push(stepMilliseconds(setUp, Math.max(1, live)));
  return prices;
}
