/**
 * The price of a step: a compiled graph's kernels one after another, each as
 * long as its slowest engine or its DMA, plus fixed regions, collectives that
 * nothing hides, and the stack's host work. Pure; memoised by bucket. Every
 * nanosecond belongs to one part.
 */

import type { Nanos } from "../../clock.ts";
import { type Batch, type BatchRow, samples } from "../../device.ts";
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

/** Rows that decode or verify, taken together: all that their price depends on. */
export interface ShortRows {
  readonly count: number;
  /** Tokens computed of one row, at most. */
  readonly queries: number;
  /** Tokens of the longest context, and of all together. */
  readonly longest: number;
  readonly context: number;
  /** Rows of the batch that end in an id, long ones too. */
  readonly wanted: number;
}

/** A price under way. */
interface Sum {
  /** Of it all, whatever the parts' shares: rows of one graph cost the same to the nanosecond. */
  exact: Nanos;
  readonly parts: Parts;
  readonly runs: GraphRun[];
  paddedTokens: number;
  paddedRows: number;
}

export class CostModel {
  readonly plan: Plan;
  readonly buckets: Buckets;
  readonly #groups: readonly LayerGroup[];
  readonly #graphs = new Map<string, GraphCost>();
  /** The last of each phase: a step's is most often that of the step before. */
  readonly #latest: Partial<Record<StepShape["phase"], GraphCost>> = {};
  #hosts: Readonly<Record<"prompt" | "step" | "row", Nanos>> | undefined;

  constructor(plan: Plan, groups = layerGroups(plan.architecture)) {
    this.plan = plan;
    this.buckets = bucketsOf(plan);
    this.#groups = groups;
  }

  /** The graph of exactly this shape, priced once. */
  graph(shape: StepShape): GraphCost {
    const { phase, rows, queries, context } = shape;
    const latest = this.#latest[phase];
    if (
      latest !== undefined &&
      latest.shape.rows === rows &&
      latest.shape.queries === queries &&
      latest.shape.context === context
    )
      return latest;
    const key = `${phase} ${rows} ${queries} ${context}`;
    const cost = this.#graphs.get(key) ?? this.#price(shape);
    this.#graphs.set(key, cost);
    this.#latest[phase] = cost;
    return cost;
  }

  /**
   * The price of a batch. `previous` is the batch before it: a step that
   * continues the same rows is launched ahead of the host, any other waits. `short`: its rows that are not long.
   */
  price(batch: Batch, previous?: Batch, short = shortRowsOf(batch)): StepCost {
    const sum = nothing();
    if (short.count < batch.rows.length)
      for (const row of batch.rows) if (isLong(row)) this.#addLong(sum, row);
    const ahead = this.plan.asyncScheduling && continues(batch, previous);
    return this.#priced(sum, short, ahead);
  }

  /** The price of the same rows `steps` steps on, of which each continues the one before. */
  repetition(rows: ShortRows, steps: number): StepCost {
    const { count, longest, context } = rows;
    const later = { ...rows, longest: longest + steps, context: context + steps * count };
    const sum = nothing();
    return this.#priced(sum, later, this.plan.asyncScheduling);
  }

  /** With the rows that are not long, and what the step waits for. */
  #priced(sum: Sum, rows: ShortRows, ahead: boolean): StepCost {
    const { plan, buckets } = this;
    const { parts, runs } = sum;
    if (rows.count > 0) this.#addShort(sum, rows);
    if (!plan.onDeviceSampling) {
      const compiled = rows.count > 0 ? bucketOf(buckets.rows, rows.count) : 1;
      include(sum, "sampling", samplingNanos(plan, compiled, rows.wanted));
    }
    if (!ahead) include(sum, "host", constant(plan.constants, "runtime.sync-gap"));
    return finish(sum, (duration) => stepSpans(plan, runs, { parts, duration }));
  }

  #addLong(sum: Sum, row: BatchRow): void {
    const { buckets } = this;
    const tokens = bucketOf(buckets.tokens, row.count);
    sum.paddedTokens += tokens - row.count;
    const known = row.start + row.count;
    const context = row.start > 0 ? Math.max(bucketOf(buckets.contexts, known), tokens) : tokens;
    const graph = this.graph({ phase: "prefill", rows: 1, queries: tokens, context });
    sum.runs.push({ graph, live: { ...graph.shape, queries: row.count, context: known } });
    addGraph(sum, graph, { compute: row.count / tokens });
    // A prompt whose every position is wanted passes in chunks, and is taken in once.
    const ends = row.want === "last" || (row.want !== "none" && known >= row.context.length);
    include(sum, "host", ends ? this.#host.prompt : 0);
  }

  #addShort(sum: Sum, { count, queries, longest, context }: ShortRows): void {
    const { buckets } = this;
    const rows = bucketOf(buckets.rows, count);
    const bucket = bucketOf(buckets.contexts, longest);
    sum.paddedRows = rows - count;
    sum.paddedTokens += sum.paddedRows * queries;
    const graph = this.graph({ phase: "decode", rows, queries, context: bucket });
    const { phase } = graph.shape;
    sum.runs.push({ graph, live: { phase, rows: count, queries, context: context / count } });
    addGraph(sum, graph, { kv: context / (rows * bucket) });
    const { step, row } = this.#host;
    include(sum, "host", step + row * count);
  }

  get #host(): Readonly<Record<"prompt" | "step" | "row", Nanos>> {
    const { constants, stack } = this.plan;
    const of = (what: string): Nanos => constant(constants, `stack.${what}.${stack.name}`);
    this.#hosts ??= { prompt: of("prompt"), step: of("step"), row: of("row") };
    return this.#hosts;
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
export function continues({ rows }: Batch, previous: Batch | undefined): boolean {
  if (previous === undefined || previous.rows.length !== rows.length) return false;
  let same = 0;
  while (same < rows.length && rows[same]?.id === previous.rows[same]?.id) same++;
  if (same === rows.length) return true;
  // Rows keep their places on the device whatever order they are handed over in.
  const before = new Set(previous.rows.map(({ id }) => id));
  return rows.every(({ id }) => before.has(id));
}

/** Those of the batch that are not long. */
export function shortRowsOf({ rows }: Batch): ShortRows {
  let count = 0;
  let queries = 1;
  let longest = 0;
  let context = 0;
  let wanted = 0;
  for (const row of rows) {
    if (samples(row)) wanted++;
    if (isLong(row)) continue;
    const known = row.start + row.count;
    count++;
    queries = Math.max(queries, row.count);
    longest = Math.max(longest, known);
    context += known;
  }
  return { count, queries, longest, context, wanted };
}

function isLong({ count, drafted }: BatchRow): boolean {
  return count > 1 + drafted;
}

function add(parts: Parts, part: Part, nanos: number): void {
  parts[part] = (parts[part] ?? 0) + nanos;
}

function nothing(): Sum {
  return { exact: 0, parts: {}, runs: [], paddedTokens: 0, paddedRows: 0 };
}

function include(sum: Sum, part: Part, nanos: number): void {
  sum.exact += nanos;
  add(sum.parts, part, nanos);
}

/** Adds a graph, with the unused share of the named parts counted as padding. */
function addGraph(sum: Sum, graph: GraphCost, used: Parts): void {
  sum.exact += graph.nanos;
  const { parts } = sum;
  for (const part in graph.parts) {
    const name = part as Part; // what a Parts has for keys
    const nanos = graph.parts[name] ?? 0;
    const share = used[name] ?? 1;
    add(parts, name, nanos * share);
    if (share < 1) add(parts, "padding", nanos * (1 - share));
  }
}

/** Rounds the parts so that they add up to the rounded duration. */
function finish(
  { exact, parts, paddedTokens, paddedRows }: Sum,
  spans: (duration: Nanos) => readonly Span[],
): StepCost {
  const duration = Math.round(exact);
  const rounded: Record<string, Nanos> = {};
  let upTo = 0;
  let done = 0;
  let last = "";
  for (const part in parts) {
    upTo += parts[part as Part] ?? 0; // what a Parts has for keys
    const whole = Math.round(upTo) - done;
    done += whole;
    if (whole !== 0) rounded[part] = whole;
    last = part;
  }
  // The parts' own sum is off by its last bits: seldom enough to be rounded otherwise.
  if (done !== duration) rounded[last] = (rounded[last] ?? 0) + duration - done;
  return { duration, parts: rounded, paddedTokens, paddedRows, spans: () => spans(duration) };
}
