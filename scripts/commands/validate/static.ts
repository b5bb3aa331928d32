/** Prices of rows that need no scheduler: one stream, or one static batch. */

import { constant } from "../../../device/trainium/constants.ts";
import { bucketOf, type Plan } from "../../../device/trainium/plan.ts";
import { CostModel, samplingNanos } from "../../../device/trainium/price/cost-model.ts";
import type { SetUp } from "./setup.ts";

let models = new WeakMap<object, CostModel>();

/** Forgets every priced graph: the constants have changed. */
export function forgetCosts(): void {
  models = new WeakMap();
}

/** One cost model a plan; set-ups of one plan share its graphs. */
export function costOf(setUp: SetUp): CostModel {
  let cost = models.get(setUp.plan);
  if (cost === undefined) {
    cost = new CostModel(setUp.plan);
    models.set(setUp.plan, cost);
  }
  return cost;
}

/**
 * ms of one decode step of the compiled batch with so many rows live, between two tokens of a stream;
 * at the answer's middle, or at so many tokens of context.
 */
export function stepMilliseconds(
  setUp: SetUp,
  live = 1,
  tokens = (setUp.prompt ?? 128) + (setUp.output ?? 0) / 2,
): number {
  const cost = costOf(setUp);
  const { plan } = setUp;
  const context =
    plan.stack.contextBuckets === "compiled"
      ? plan.maxContext
      : bucketOf(cost.buckets.contexts, tokens);
  const graph = cost.graph({
    phase: "decode",
    rows: bucketOf(cost.buckets.rows, setUp.batch),
    queries: 1 + (setUp.draft?.tokens ?? 0),
    context,
  });
  return (graph.nanos + betweenNanos(setUp, live)) / 1e6;
}

/** An answer's mean step against its middle one: early tokens read smaller buckets. */
export function meanStepShare(setUp: SetUp): number {
  const { prompt, output } = setUp;
  if (prompt === undefined || output === undefined || output === 0) return 1;
  let total = 0;
  let from = prompt;
  for (const bucket of costOf(setUp).buckets.contexts) {
    const to = Math.min(bucket, prompt + output);
    if (to <= from) continue;
    total += (to - from) * stepMilliseconds(setUp, 1, to);
    from = to;
  }
  total += (prompt + output - from) * stepMilliseconds(setUp, 1, prompt + output);
  return total / output / stepMilliseconds(setUp);
}

/** ns of the stack's host work, by what it is done for. */
export function hostNanos(plan: Plan, what: "step" | "row" | "prompt"): number {
  return constant(plan.constants, `stack.${what}.${plan.stack.name}`);
}

function betweenNanos({ plan, batch }: SetUp, live: number): number {
  const { constants } = plan;
  let nanos = hostNanos(plan, "step") + hostNanos(plan, "row") * live;
  if (!plan.asyncScheduling) nanos += constant(constants, "runtime.sync-gap");
  if (!plan.onDeviceSampling) nanos += samplingNanos(plan, batch, live);
  return nanos;
}

/** ms of one prompt's graphs, or of the whole static batch's in one graph; absent `prompt`: the set-up's. */
export function promptMilliseconds(
  setUp: SetUp,
  its: { readonly rows?: number; readonly prompt?: number } = {},
): number {
  const cost = costOf(setUp);
  const { rows = 1, prompt = setUp.prompt ?? 128 } = its;
  const { plan } = setUp;
  const buckets = setUp.bucket === undefined ? cost.buckets.tokens : [setUp.bucket];
  const longest = buckets[buckets.length - 1] ?? prompt;
  const chunked = plan.stack.graphs === "optimum" && longest < plan.maxContext;
  let nanos = hostNanos(plan, "prompt");
  // A served prompt carries at least one token of its own (BOS), so a full bucket spills over.
  const total =
    setUp.bucket === undefined && plan.stack.maxSegment !== undefined && prompt > longest
      ? prompt + 1
      : prompt;
  for (let start = 0; start < total; start += longest) {
    const tokens = bucketOf(buckets, Math.min(longest, total - start));
    // optimum-neuron's chunks read the whole compiled cache, the first one too (modeling_decoder.py).
    const context =
      start === 0 && !chunked ? tokens : bucketOf(cost.buckets.contexts, start + tokens);
    nanos += cost.graph({ phase: "prefill", rows, queries: tokens, context }).nanos;
  }
  if (!plan.asyncScheduling) nanos += constant(plan.constants, "runtime.sync-gap");
  return nanos / 1e6;
}

/** ms from a client's sending to its place in the queue: HTTP, template, tokens; no step waits for it. */
export function arrivalMilliseconds({ plan }: SetUp): number {
  return (plan.constants.get(`stack.arrival.${plan.stack.name}`) ?? 0) / 1e6;
}

/** Does the stack prefill its static batch in one graph? */
export function batchesPrompts(setUp: SetUp): boolean {
  return setUp.loop === "static" && setUp.plan.stack.name !== "optimum";
}
