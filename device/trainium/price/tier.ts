/**
 * How far a plan lies from what was measured. *Calibrated*: tables of the same stack,
 * core, layer path, format and about the same ranks, rows and context. *Related*: the
 * same path on a core and format that some table knows, at ranks not far off. *Unknown*:
 * all else. What is known is listed in coverage.ts, one line a table and set-up.
 */
import type { ExpertsOp } from "../../../models/ops.ts";
import type { Tier } from "../../trust.ts";
import type { Plan } from "../plan.ts";
import { COVERAGE } from "./coverage.ts";
import type { CoverageKind, Covered } from "./covered.ts";

export function isCovered(kind: string): kind is CoverageKind {
  return ["dense decode", "MoE decode", "prefill", "serving"].includes(kind);
}

/** The path that a plan's layers take, as far as stacks tell them apart. */
export function pathOf(plan: Plan): string {
  const ops = plan.architecture.layers.flatMap((layer) => layer.ops);
  const latent = ops.some((op) => op.op === "latent-attention") ? " latent" : "";
  const experts = ops.find((op): op is ExpertsOp => op.op === "experts");
  if (experts === undefined) return `dense${latent}`;
  if (plan.expertParallel > 1) return `expert-parallel${latent}`;
  return `${experts.experts > 16 ? "many" : "few"} experts${latent}`;
}

export function describePlan(plan: Plan): Omit<Covered, "table" | "kind"> {
  return {
    stack: plan.stack.name,
    core: plan.instance.chip.core,
    path: pathOf(plan),
    format: plan.formats.experts,
    ranks: plan.tensorParallel,
    rows: plan.maxRows,
    context: plan.maxContext,
  };
}

const within = (value: number, known: number, factor: number): boolean =>
  value <= known * factor && known <= value * factor;

/** `known`: what was measured, without what is left out. */
export function tierOf(plan: Plan, kind: CoverageKind, known: readonly Covered[] = COVERAGE): Tier {
  if (!plan.instance.chip.calibrated) return "unknown";
  const its = describePlan(plan);
  const same = known.filter((one) => one.kind === kind && one.path === its.path);
  const near = same.filter((one) => one.core === its.core && one.format === its.format);
  const exact = near.some(
    (one) =>
      one.stack === its.stack &&
      within(its.ranks, one.ranks, 2) &&
      its.rows <= one.rows * 4 &&
      its.context <= one.context * 4,
  );
  if (exact) return "calibrated";
  const kin = near.some((one) => within(its.ranks, one.ranks, 8));
  const cousin = same.some((one) => one.stack === its.stack && within(its.ranks, one.ranks, 8));
  return kin || cousin ? "related" : "unknown";
}
