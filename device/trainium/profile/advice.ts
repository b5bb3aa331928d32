/**
 * What a profile recommends, most gained first: Neuron Explorer's thresholds where
 * the simulator knows the figure, and the parts of the receipt. What each would
 * gain is priced: the same step with that one thing changed.
 */

import { chooseKernels } from "../kernels/registry.ts";
import { planMemory } from "../memory.ts";
import type { Plan } from "../plan.ts";
import { CostModel } from "../price/cost-model.ts";
import { type ProfiledShape, profileSteps } from "./steps.ts";
import type { ProfileTotals } from "./summary.ts";

/** A share of the step from which a part is worth a sentence. */
const WORTH = 0.15;
const MOST = 4;

export interface Advice {
  readonly text: string;
  /** Of the step that it is about. */
  readonly share: number;
  /** Absent: nobody can price it, or the change does not fit the machine. */
  readonly gain?: Gain;
}

/** Priced with the one change made, on the same chips. */
export interface Gain {
  /** The change, in words. */
  readonly change: string;
  /** ns of the steps then. */
  readonly nanos: number;
  /** Decoded tokens/s then, as a factor. */
  readonly tokens: number;
}

/** One thing otherwise: as another plan, another shape, or several replicas where one was. */
interface Change {
  readonly words: string;
  readonly plan?: Partial<Plan>;
  readonly rows?: number;
  readonly replicas?: number;
}

interface Finding {
  readonly share: number;
  readonly text: string;
  readonly change?: Change;
}

/** At most four, each with its figure, what would help and by how much. */
export function advise(plan: Plan, totals: ProfileTotals, shape: ProfiledShape): readonly Advice[] {
  return findings(plan, totals, shape)
    .map(({ text, share, change }): Advice => {
      const gain = change === undefined ? undefined : gainOf(plan, shape, totals.nanos, change);
      return { text, share, ...(gain !== undefined && { gain }) };
    })
    .sort((a, b) => (b.gain?.tokens ?? 0) - (a.gain?.tokens ?? 0) || b.share - a.share)
    .slice(0, MOST);
}

function gainOf(
  plan: Plan,
  shape: ProfiledShape,
  nanos: number,
  { words, plan: part, rows = shape.rows, replicas = 1 }: Change,
): Gain | undefined {
  const changed = { ...plan, ...part, maxRows: Math.max(plan.maxRows, rows) };
  try {
    planMemory(changed);
    const { duration } = profileSteps(changed, new CostModel(changed), { ...shape, rows });
    const tokens = ((replicas * rows) / shape.rows) * (nanos / duration);
    return { change: words, nanos: duration, tokens };
  } catch {
    return undefined; // it does not fit the machine: nothing to gain
  }
}

function findings(plan: Plan, totals: ProfileTotals, { rows }: ProfiledShape): readonly Finding[] {
  const moreRows: Change = { words: `${2 * rows} rows a step`, rows: 2 * rows };
  const part = partOf(totals);
  const fused = plan.kernels.has("fused-attention") && plan.kernels.has("fused-mlp");
  const { formats, tensorParallel } = plan;
  const narrow = formats.dense === "bf16" && plan.instance.chip.tensorRate.fp8 !== undefined;
  const fp8: Plan["formats"] = { ...formats, dense: "fp8", experts: "fp8" };
  return [
    ...part(
      "collectives",
      (share) =>
        tensorParallel > 1
          ? `Collectives take ${share} of the step: a smaller tensor parallelism with more replicas exposes less.`
          : `Collectives take ${share} of the step.`,
      tensorParallel % 2 === 0 ? halfRanks(plan) : undefined,
    ),
    ...part(
      "launch",
      (share) =>
        fused
          ? `Fixed costs of kernels take ${share}: more rows a step share them.`
          : `Fixed costs of kernels take ${share}: --neuron-kernels nki fuses what follows each other.`,
      fused ? moreRows : { words: "--neuron-kernels nki", plan: { kernels: ownKernels(plan) } },
    ),
    ...part(
      "padding",
      (share) => `Padding to the compiled bucket takes ${share}: tighter buckets.`,
    ),
    ...part(
      "kv",
      (share) =>
        formats.kv === "bf16"
          ? `Reading the KV cache takes ${share}: --kv-cache-dtype fp8 halves it.`
          : `Reading the KV cache takes ${share}.`,
      formats.kv === "bf16"
        ? { words: "--kv-cache-dtype fp8", plan: { formats: { ...formats, kv: "fp8" } } }
        : undefined,
    ),
    ...part(
      "weights",
      (share) =>
        narrow
          ? `Streaming weights takes ${share}: more rows share them, --quantization fp8 halves them.`
          : `Streaming weights takes ${share}: more rows share them.`,
      narrow ? { words: "--quantization fp8", plan: { formats: fp8 } } : moreRows,
    ),
    ...hostFindings(plan, totals),
    ...unfilled(totals),
  ];
}

type Say = (share: string) => string;

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

/** A finding of a part of the receipt, where it is worth one. */
function partOf(totals: ProfileTotals) {
  return (name: string, say: Say, change?: Change): readonly Finding[] => {
    const share = (totals.parts[name] ?? 0) / totals.nanos;
    if (share < WORTH) return [];
    return [{ share, text: say(percent(share)), ...(change !== undefined && { change }) }];
  };
}

function hostFindings(plan: Plan, totals: ProfileTotals): readonly Finding[] {
  const part = partOf(totals);
  return [
    ...part(
      "host",
      (share) => `Gaps of the host take ${share}: asynchronous scheduling hides them.`,
      plan.asyncScheduling
        ? undefined
        : { words: "--async-scheduling", plan: { asyncScheduling: true } },
    ),
    ...part("sampling", (share) => `Sampling on the host takes ${share}: sample on the device.`, {
      words: "on_device_sampling_config",
      plan: { onDeviceSampling: true },
    }),
  ];
}

/** Neuron Explorer's rule: model FLOPS below half of the active ones. */
function unfilled(totals: ProfileTotals): readonly Finding[] {
  const active = totals.active("tensor") / totals.nanos;
  const model = Number(totals.fields("")["mfu_estimated_percent"]);
  if (active < WORTH || model >= 0.5 * active) return [];
  const text = `Model FLOPS are ${percent(model / active)} of active FLOPS: the array is busy ${percent(active)} of the time, mostly with tiles it does not fill.`;
  return [{ share: active - model, text }];
}

function halfRanks(plan: Plan): Change {
  const ranks = plan.tensorParallel / 2;
  const spread = plan.expertParallel > 1 ? { expertParallel: plan.expertParallel / 2 } : {};
  return {
    words: `2 replicas of TP ${ranks}, as many rows each`,
    plan: { tensorParallel: ranks, ...spread },
    replicas: 2,
  };
}

function ownKernels(plan: Plan): ReadonlySet<string> {
  return chooseKernels(plan.stack.kernels, "nki");
}

/** An advice as a line of text. */
export function adviceText({ text, gain }: Advice): string {
  if (gain === undefined) return text;
  return `${text} ${gain.change}: ${(gain.nanos / 1e6).toFixed(2)} ms, tokens/s ×${gain.tokens.toFixed(2)}.`;
}
