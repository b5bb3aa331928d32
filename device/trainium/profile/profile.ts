/** A profile as plain data: what `trainyard profile` writes, the pages show and `trainyard compare` sets side by side. */
import { ColumnBuilder, type SpanColumns } from "../../columns.ts";
import { type SpanNode, spanTree } from "../../span-tree.ts";
import type { SpanArgs } from "../../trace.ts";
import { type TieredBand, trustText } from "../../trust.ts";
import { growth, layMemory, type MemoryGrowth } from "../memory.ts";
import type { Plan } from "../plan.ts";
import type { CostModel } from "../price/cost-model.ts";
import { rankName } from "../price/spans.ts";
import { trustOf } from "../price/trust.ts";
import { type Advice, advise } from "./advice.ts";
import { type ProfiledShape, type ProfiledStep, profileSteps } from "./steps.ts";
import type { CollectiveRow, OpRow, ProfileSummary, ProfileTotals } from "./summary.ts";

export const LANES = ["tensor", "vector", "scalar", "gpsimd", "dma", "cc", "host"] as const;

export interface Profile {
  readonly title: string;
  /** Whose time this is, and how far it is to be believed. */
  readonly note: string;
  /** ns */
  readonly duration: number;
  readonly spans: SpanColumns;
  readonly tree?: SpanNode;
  /** Absent: read from a file that says no more than its spans. */
  readonly totals?: Totals;
  /** What tells it from another, part by part in words. */
  readonly settings: Readonly<Record<string, string>>;
}

/** All but what the columns hold. */
export type ProfileAbout = Omit<Profile, "spans" | "tree">;

export interface Totals {
  /** ns by part of the receipt. */
  readonly parts: Readonly<Record<string, number>>;
  /** ns by lane. */
  readonly engines: Readonly<Record<string, number>>;
  readonly ops: readonly OpRow[];
  readonly collectives: readonly CollectiveRow[];
  readonly fields: ProfileSummary;
  /** A second of one rank: FLOP of its arrays at the plan's densest format, bytes of its HBM. */
  readonly peak: { readonly flops: number; readonly bytes: number };
  readonly advice: readonly Advice[];
  readonly memory?: ProfiledMemory;
  /** How far its steps can be believed; absent: a measurement, or nobody says. */
  readonly belief?: TieredBand;
}

/** Bytes of one logical core. */
export interface ProfiledMemory {
  readonly capacity: number;
  readonly weights: number;
  readonly runtime: number;
  readonly kv: number;
  readonly blocks: number;
  readonly blockTokens: number;
  readonly growth: MemoryGrowth;
}

export interface MadeProfile {
  readonly profile: Profile;
  /** Of the spans, by `detail`. */
  readonly args: readonly SpanArgs[];
  readonly steps: readonly ProfiledStep[];
  readonly totals: ProfileTotals;
}

/** Prices steps and lays them down. Throws when the context does not fit the plan. */
export function profileOf(
  cost: CostModel,
  shape: ProfiledShape,
  named: { readonly model: string; readonly settings: Readonly<Record<string, string>> },
): MadeProfile {
  const { plan } = cost;
  const { totals, duration, steps } = profileSteps(plan, cost, shape);
  const builder = new ColumnBuilder({ shared: true });
  for (const [index, { start, duration, parts, spans }] of steps.entries()) {
    builder.add("engine", "steps", { start, duration, name: `step ${index}`, args: parts });
    for (const span of spans) {
      builder.add(rankName(plan), span.lane, { ...span, start: start + span.start });
    }
  }
  const columns = builder.columns();
  const title = `${named.model} on ${plan.instance.name}`;
  const tree = spanTree(columns, builder.args);
  const profile: Profile = {
    title,
    note: noteOf(plan),
    duration,
    spans: columns,
    ...(tree !== undefined && { tree }),
    totals: totalsOf(cost, shape, totals, title),
    settings: { ...named.settings, ...settingsOf(plan, shape) },
  };
  return { profile, args: builder.args, steps, totals };
}

function totalsOf(
  { plan }: CostModel,
  shape: ProfiledShape,
  totals: ProfileTotals,
  title: string,
): Totals {
  const { weights, runtime, kv, capacity, blocks } = layMemory(plan);
  return {
    parts: totals.parts,
    engines: Object.fromEntries(LANES.map((lane) => [lane, totals.active(lane)])),
    ops: [...totals.ops.values()].sort((a, b) => b.nanos - a.nanos),
    collectives: [...totals.collectives.values()].sort((a, b) => b.nanos - a.nanos),
    fields: totals.fields(title),
    peak: totals.peak(),
    advice: advise(plan, totals, shape),
    memory: {
      capacity,
      weights,
      runtime,
      kv,
      blocks,
      blockTokens: plan.stack.blockSize,
      growth: growth(plan, shape.context),
    },
    belief: trustOf(plan).decode,
  };
}

function noteOf(plan: Plan): string {
  return `Simulated: one rank of ${plan.tensorParallel}, LNC ${plan.logicalCore}, ${plan.stack.name}, kernels ${kernelsOf(plan)}; 80 % bands: ${trustText(trustOf(plan))}.`;
}

const kernelsOf = ({ kernels }: Plan): string => [...kernels].join(", ") || "plain";

function settingsOf(plan: Plan, shape: ProfiledShape): Record<string, string> {
  const { dense, experts, kv } = plan.formats;
  return {
    machine: plan.instance.name,
    ...(plan.instance.changes !== undefined && { "what if": plan.instance.changes }),
    ranks: `TP ${plan.tensorParallel}`,
    stack: plan.stack.name,
    kernels: kernelsOf(plan),
    weights: dense === experts ? dense : `${dense}, experts ${experts}`,
    kv,
    rows: String(shape.rows),
    context: String(shape.context),
    steps: String(shape.steps),
    prompt: String(shape.prompt ?? 0),
  };
}
