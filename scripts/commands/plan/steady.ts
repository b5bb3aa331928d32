/**
 * A system in its steady state by the price of its steps alone, without a run:
 *
 *     TPOT(u) ≈ decode step of u rows / ids a step + (u − 1) · prefill / output tokens
 *
 * since every other user's prompt stops a user once in its output's time. A step
 * that verifies drafts has their rows' price and yields the ids that are expected
 * to hold. It orders a search and answers a slider at once; what is promised was simulated.
 */
import type { Batch, BatchRow } from "../../../device/device.ts";
import { TrainiumDevice } from "../../../device/trainium/device.ts";
import { expectedLength } from "../../../engine/speculate/registry.ts";
import { speculativeOf, type VirtualSystem } from "../../virtual/build.ts";

/** Tokens of the prompts and answers, on average. */
export interface Lengths {
  readonly inputLen: number;
  readonly outputLen: number;
}

export interface SteadyState {
  /** Users whose prompts and answers fit the KV pool at once. */
  readonly capacity: number;
  /** Seconds of a prompt that nothing waits before. */
  readonly prompt: number;
  /** Seconds between a user's tokens. */
  tpot(users: number): number;
}

/** Throws where nothing is priced. */
export function steadyState(
  { spec, engines }: Pick<VirtualSystem, "spec" | "engines">,
  { inputLen, outputLen }: Lengths,
): SteadyState {
  const device = engines[0]?.device;
  if (!(device instanceof TrainiumDevice)) throw new Error("Only --device trainium is planned.");
  const seconds = (batch: Batch, before?: Batch): number =>
    device.cost.price(batch, before).duration / 1e9;
  const prompt = seconds(batchOf(1, 0, Math.round(inputLen)));
  const speculative = speculativeOf(spec);
  const steps = [
    { drafted: 0, ids: 1 },
    ...(speculative === undefined
      ? []
      : [{ drafted: speculative.maxTokens, ids: expectedLength(speculative) }]),
  ];
  return {
    capacity: Math.floor((device.limits.blocks * device.limits.blockSize) / (inputLen + outputLen)),
    prompt,
    tpot: (users) => {
      const each = steps.map(({ drafted, ids }) => {
        const batch = batchOf(users, inputLen + outputLen / 2, 1 + drafted, drafted);
        return seconds(batch, batch) / ids;
      });
      return Math.min(...each) + ((users - 1) * prompt) / outputLen;
    },
  };
}

const NO_TOKENS = new Int32Array(0);

function batchOf(rows: number, start: number, count: number, drafted = 0): Batch {
  const row = (id: number): BatchRow => ({
    id,
    context: NO_TOKENS,
    start: Math.round(start),
    count,
    drafted,
    blocks: [],
    want: "last",
  });
  return { step: 0, rows: Array.from({ length: rows }, (_, id) => row(id)), copies: [] };
}
