/** Log-probabilities of one position: the chosen id, its rank, and the likeliest ids. */
import type { PositionLogprobs, TokenId } from "../../device/device.ts";
import { expMinus } from "../../device/exp-minus.ts";
import { smallestOfLargest } from "./truncate.ts";

/** Terms below e^−50 of the largest do not change a double's sum. */
const NEGLIGIBLE_NATS = 50;

export interface LogprobsWanted {
  /** Likeliest ids to report; −1: all. */
  readonly count: number;
  /** Further ids to report. */
  readonly ids?: readonly TokenId[];
  /** False: report logits as they are (vLLM's raw_logits and processed_logits). */
  readonly normalized: boolean;
}

/** `values` is one row `[vocabulary]` of logits; it is only read. */
export function logprobsOf(
  values: Float32Array,
  chosen: TokenId,
  wanted: LogprobsWanted,
): PositionLogprobs {
  const topIds = likeliest(values, wanted.count);
  const value = values[chosen] ?? Number.NEGATIVE_INFINITY;
  const top = values[topIds[0] ?? -1] ?? largest(values);
  let rank = 0;
  let sum = 0;
  for (let id = 0; id < values.length; id++) {
    const other = values[id] as number; // id < length
    if (other >= value) rank++;
    const nats = top - other;
    if (nats < NEGLIGIBLE_NATS) sum += expMinus(nats);
  }
  const shift = wanted.normalized && sum > 0 ? top + Math.log(sum) : 0;
  for (const id of wanted.ids ?? []) if (!topIds.includes(id)) topIds.push(id);
  return {
    chosen: value - shift,
    rank,
    topIds,
    topLogprobs: topIds.map((id) => (values[id] ?? Number.NEGATIVE_INFINITY) - shift),
  };
}

/** Ids of the `count` largest values, largest first, the lower id first of equals. */
function likeliest(values: Float32Array, count: number): TokenId[] {
  if (count === 0) return [];
  const all = count < 0 || count >= values.length;
  const floor = all ? Number.NEGATIVE_INFINITY : smallestOfLargest(values, new Float32Array(count));
  const ids: TokenId[] = [];
  for (let id = 0; id < values.length; id++) if ((values[id] as number) >= floor) ids.push(id);
  ids.sort((a, b) => (values[b] as number) - (values[a] as number) || a - b);
  if (!all) ids.length = Math.min(ids.length, count);
  return ids;
}

function largest(values: Float32Array): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < values.length; id++) {
    const value = values[id] as number; // id < length
    if (value > top) top = value;
  }
  return top;
}
