/** Steps of one shape, priced in a row: what `trainyard profile` and the pages' explorer show. */
import type { Nanos } from "../../clock.ts";
import type { Batch } from "../../device.ts";
import type { Span } from "../../trace.ts";
import type { Plan } from "../plan.ts";
import type { CostModel } from "../price/cost-model.ts";
import { ProfileTotals } from "./summary.ts";

export interface ProfiledShape {
  /** Rows that decode together. */
  readonly rows: number;
  /** Tokens in each row's context. */
  readonly context: number;
  /** Decode steps. */
  readonly steps: number;
  /** Tokens of a prompt that passes before them; absent: none does. */
  readonly prompt?: number;
}

export interface ProfiledStep {
  /** ns from the first step's start. */
  readonly start: Nanos;
  readonly duration: Nanos;
  readonly parts: Readonly<Record<string, Nanos>>;
  readonly spans: readonly Span[];
}

export interface StepProfile {
  readonly steps: readonly ProfiledStep[];
  readonly totals: ProfileTotals;
  readonly duration: Nanos;
}

/** Throws when the context does not fit the plan. */
export function profileSteps(plan: Plan, cost: CostModel, shape: ProfiledShape): StepProfile {
  const { rows, context, steps, prompt } = shape;
  const longest = Math.max(context + steps - 1, prompt ?? 0);
  if (longest > plan.maxContext) {
    throw new Error(`${longest} tokens of context: the plan's is ${plan.maxContext}.`);
  }
  const batches = [
    ...(prompt === undefined ? [] : [batchOf(1, 0, prompt)]),
    ...Array.from({ length: steps }, (_, step) => batchOf(rows, context - 1 + step, 1)),
  ];
  const totals = new ProfileTotals(plan);
  const done: ProfiledStep[] = [];
  let at = 0;
  for (const batch of batches) {
    // Decode is launched ahead, as in the middle of a run; a prompt waits for the host.
    const priced = cost.price(batch, batch.rows[0]?.count === 1 ? batch : undefined);
    const spans = priced.spans();
    totals.add(priced, spans);
    done.push({ start: at, duration: priced.duration, parts: priced.parts, spans });
    at += priced.duration;
  }
  return { steps: done, totals, duration: at };
}

/** Rows that compute `count` tokens each from `start` on. */
function batchOf(rows: number, start: number, count: number): Batch {
  const context = new Int32Array(0); // prices read positions, never ids
  const row = { context, start, count, drafted: 0, blocks: [], want: "last" } as const;
  return { step: 0, rows: Array.from({ length: rows }, (_, id) => ({ id, ...row })), copies: [] };
}
