/**
 * The price of a step: a compiled graph's kernels one after another, each as
 * long as its slowest engine or its DMA, plus fixed regions, collectives that
 * nothing hides, and the stack's host work. Pure; memoised by bucket. Every
 * nanosecond belongs to one part.
 */

import type { Nanos } from "../../clock.ts";
import { type Batch, samples } from "../../device.ts";
import type { Span, StepCost } from "../../trace.ts";
import { constant } from "../constants.ts";
import { type StepShape, siteOf } from "../kernels/kernel.ts";
import { type Buckets, bucketOf, bucketsOf, type Plan } from "../plan.ts";
import { headSite, layerGroups, lowerEdge, lowerLayer } from "./lower.ts";
import type {
  GraphCost,
  GraphRun,
  KernelCall,
  LayerGroup,
  Part,
  Parts,
  TimedCall,
} from "./receipt.ts";
import { stepSpans } from "./spans.ts";
import { timeCall } from "./time.ts";

export class CostModel {
  readonly plan: Plan;
  readonly buckets: Buckets;
  readonly #groups: readonly LayerGroup[];
  readonly #graphs = new Map<string, GraphCost>();

  constructor(plan: Plan, groups = layerGroups(plan.architecture)) {
    this.plan = plan;
    this.buckets = bucketsOf(plan);
    this.#groups = groups;
  }

  /** The graph of exactly this shape, priced once. */
  graph(shape: StepShape): GraphCost {
    const key = `${shape.phase} ${shape.rows} ${shape.queries} ${shape.context}`;
    let cost = this.#graphs.get(key);
    if (cost === undefined) {
      cost = this.#price(shape);
      this.#graphs.set(key, cost);
    }
    return cost;
  }

  /**
   * The price of a batch. `previous` is the batch before it: a step that
   * continues the same rows is launched ahead of the host, any other waits.
   */
  price(batch: Batch, previous?: Batch): StepCost {
    const { plan, buckets } = this;
    const parts: Parts = {};
    const runs: GraphRun[] = [];
    let paddedTokens = 0;
    let paddedRows = 0;
    const short = batch.rows.filter((row) => row.count <= 1 + row.drafted);
    for (const row of batch.rows) {
      if (row.count <= 1 + row.drafted) continue;
      const tokens = bucketOf(buckets.tokens, row.count);
      paddedTokens += tokens - row.count;
      const known = row.start + row.count;
      const context = row.start > 0 ? Math.max(bucketOf(buckets.contexts, known), tokens) : tokens;
      const graph = this.graph({ phase: "prefill", rows: 1, queries: tokens, context });
      runs.push({ graph, live: { ...graph.shape, queries: row.count, context: known } });
      addPadded(parts, graph.parts, { compute: row.count / tokens });
      // A prompt whose every position is wanted passes in chunks, and is taken in once.
      const ends = row.start + row.count >= row.context.length;
      add(parts, "host", row.want === "none" || !ends ? 0 : this.#host("prompt"));
    }
    if (short.length > 0) {
      const rows = bucketOf(buckets.rows, short.length);
      let longest = 0;
      let queries = 1;
      let context = 0;
      for (const row of short) {
        longest = Math.max(longest, row.start + row.count);
        queries = Math.max(queries, row.count);
        context += row.start + row.count;
      }
      const bucket = bucketOf(buckets.contexts, longest);
      paddedRows = rows - short.length;
      paddedTokens += paddedRows * queries;
      const graph = this.graph({ phase: "decode", rows, queries, context: bucket });
      const live = { rows: short.length, context: context / short.length };
      runs.push({ graph, live: { ...graph.shape, ...live } });
      addPadded(parts, graph.parts, { kv: context / (rows * bucket) });
      add(parts, "host", this.#host("step") + this.#host("row") * short.length);
    }
    if (!plan.onDeviceSampling) {
      const wanted = batch.rows.filter(samples).length;
      const compiled = short.length > 0 ? bucketOf(buckets.rows, short.length) : 1;
      add(parts, "sampling", samplingNanos(plan, compiled, wanted));
    }
    if (!plan.asyncScheduling || !continues(batch, previous)) {
      add(parts, "host", constant(plan.constants, "runtime.sync-gap"));
    }
    return finish(parts, { paddedTokens, paddedRows }, (duration) =>
      stepSpans(plan, runs, { parts, duration }),
    );
  }

  #host(what: "prompt" | "step" | "row"): number {
    return constant(this.plan.constants, `stack.${what}.${this.plan.stack.name}`);
  }

  #price(shape: StepShape): GraphCost {
    const { plan } = this;
    const site = siteOf(plan, shape);
    const effect = plan.effects?.[shape.phase] ?? 1;
    const time = (calls: readonly KernelCall[]): TimedCall[] =>
      calls.map((call) => scaled(timeCall(call, site), effect));
    const { prologue, epilogue } = plan.architecture;
    const before = time(lowerEdge(prologue, site, plan.tensorParallel));
    const layers = this.#groups.map((group) => ({
      group,
      calls: time(lowerLayer(group.ops, site)),
    }));
    const after = time(lowerEdge(epilogue, headSite(site, plan), plan.tensorParallel));
    const parts: Parts = {};
    const collect = (calls: readonly TimedCall[], count: number): void => {
      for (const { parts: its } of calls) {
        for (const [part, nanos] of Object.entries(its)) add(parts, part as Part, nanos * count);
      }
    };
    collect(before, 1);
    for (const { group, calls } of layers) collect(calls, group.indices.length);
    collect(after, 1);
    const nanos = Object.values(parts).reduce((sum, its) => sum + its, 0);
    return { shape, nanos, parts, prologue: before, layers, epilogue: after };
  }
}

/** A call that takes `factor` times as long, whatever it is made of. */
function scaled(timed: TimedCall, factor: number): TimedCall {
  if (factor === 1) return timed;
  const times = <Key extends string>(its: Readonly<Partial<Record<Key, number>>>) =>
    Object.fromEntries(
      Object.entries<number | undefined>(its).map(([key, nanos]) => [key, (nanos ?? 0) * factor]),
    );
  return {
    ...timed,
    nanos: timed.nanos * factor,
    parts: times(timed.parts),
    busy: times(timed.busy),
  };
}

/** ns of sampling on the CPU: logits of the compiled rows are moved, those of live rows drawn from. */
export function samplingNanos({ constants }: Plan, compiled: number, live: number): number {
  return (
    compiled * constant(constants, "runtime.cpu-sampling-row") +
    live * constant(constants, "runtime.cpu-sampling-live")
  );
}

/** Does a batch hold the same rows as the one before, each one step on? */
export function continues(batch: Batch, previous: Batch | undefined): boolean {
  if (previous === undefined || previous.rows.length !== batch.rows.length) return false;
  if (batch.rows.every((row, index) => previous.rows[index]?.id === row.id)) return true;
  // Rows keep their places on the device whatever order they are handed over in.
  const before = new Set(previous.rows.map(({ id }) => id));
  return batch.rows.every(({ id }) => before.has(id));
}

function add(parts: Parts, part: Part, nanos: number): void {
  parts[part] = (parts[part] ?? 0) + nanos;
}

/** Adds `from`, with the unused share of the named parts counted as padding. */
function addPadded(parts: Parts, from: Parts, used: Parts): void {
  for (const part in from) {
    const name = part as Part; // what a Parts has for keys
    const nanos = from[name] ?? 0;
    const share = used[name] ?? 1;
    add(parts, name, nanos * share);
    if (share < 1) add(parts, "padding", nanos * (1 - share));
  }
}

/** Rounds the parts so that they add up to the rounded duration. */
function finish(
  parts: Parts,
  padding: { readonly paddedTokens: number; readonly paddedRows: number },
  spans: (duration: Nanos) => readonly Span[],
): StepCost {
  const rounded: Record<string, Nanos> = {};
  let exact = 0;
  let duration = 0;
  for (const part in parts) {
    exact += parts[part as Part] ?? 0; // what a Parts has for keys
    const whole = Math.round(exact) - duration;
    duration += whole;
    if (whole !== 0) rounded[part] = whole;
  }
  return { duration, parts: rounded, ...padding, spans: () => spans(duration) };
}
