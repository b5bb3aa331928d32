/** Log-probabilities of one position: the chosen id, its rank, and the likeliest ids. */
import type { PositionLogprobs, TokenId } from "../../device/device.ts";
import { expMinus, smallestOfLargest } from "./truncate.ts";

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
  const shift = wanted.normalized ? logSumExp(values) : 0;
  const value = values[chosen] ?? Number.NEGATIVE_INFINITY;
  let rank = 0;
  for (let id = 0; id < values.length; id++) if ((values[id] as number) >= value) rank++;
  const topIds = likeliest(values, wanted.count);
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

function logSumExp(values: Float32Array): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < values.length; id++) {
    const value = values[id] as number; // id < length
    if (value > top) top = value;
  }
  if (top === Number.NEGATIVE_INFINITY) return 0;
  let sum = 0;
  for (let id = 0; id < values.length; id++) {
    const nats = top - (values[id] as number);
    if (nats < 50) sum += expMinus(nats);
  }
  return top + Math.log(sum);
}
