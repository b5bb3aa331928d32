/**
 * Where no system keeps the promise: what the nearest does with a single user,
 * which is the best it can do, and so what could be promised; or, where none can
 * be built, why, and what the model fits.
 */
import { aligned } from "../sweep/print.ts";
import { candidatesOf, PLAN_TENSOR_PARALLEL, type Space } from "./candidates.ts";
import type { PlanOptions } from "./options.ts";
import type { ReplicaRun } from "./replica.ts";
import type { Failure, SearchOutcome } from "./search.ts";
import { nearness } from "./slo.ts";
import type { Workshop } from "./workshop.ts";

interface Refused {
  readonly space: Space;
  readonly found: SearchOutcome;
  readonly shop: Workshop;
  readonly options: PlanOptions;
}

export interface WhyNot {
  readonly says: readonly string[];
  /** Systems that come nearest, with one user a replica. */
  readonly nearest?: {
    readonly title: string;
    readonly head: readonly string[];
    readonly rows: readonly (readonly string[])[];
  };
  /** What could be promised. */
  readonly helps: readonly string[];
}

const SHOWN = 5;

export async function whyNot({ space, found, shop, options }: Refused): Promise<WhyNot> {
  const alone = (says: readonly string[]): WhyNot => ({ says, helps: [] });
  if (found.plans.length + found.unsteady.length > 0) {
    return alone(["No system keeps this promise for every seed tried."]);
  }
  if (space.candidates.length === 0) return alone(await unbuildable(space, shop, options));
  const { slo } = options.goal;
  const nearest = [...found.failures].sort(
    (a, b) => nearness(b.run.kept, slo) - nearness(a.run.kept, slo),
  );
  if (nearest.length === 0) {
    return alone([
      found.unsearched > 0
        ? "No system was searched: give more --seconds."
        : "No instance holds a replica of any of these systems.",
    ]);
  }
  const p = `p${slo.percentile}`;
  const header = ["system", "format", `TTFT ${p} s`, `tok/s/user ${p}`];
  return {
    says: ["No system keeps this promise, not even with one user a replica."],
    nearest: {
      title: `Nearest of ${nearest.length}, with one user`,
      head: header,
      rows: nearest.slice(0, SHOWN).map(cells),
    },
    helps: help(
      nearest.map(({ run }) => run.kept),
      options,
    ),
  };
}

/** As a terminal shows it. */
export function whyNotLines({ says, nearest, helps }: WhyNot): string[] {
  if (nearest === undefined) return [...says, ...helps];
  const { title, head, rows } = nearest;
  return [...says, `${title}:`, "", aligned([head, ...rows]), "", ...helps];
}

function cells({ candidate, run: { kept } }: Failure): string[] {
  const { instance, tensorParallel, expertParallel } = candidate.spec;
  return [
    `${instance} TP ${tensorParallel}${expertParallel ? " EP" : ""}`,
    candidate.format,
    kept.ttft.toFixed(3),
    kept.tokensPerUser.toFixed(1),
  ];
}

/** By how much all fall short, and what would bring a promise within reach. */
function help(runs: readonly ReplicaRun["kept"][], options: PlanOptions): string[] {
  const { slo, workload } = options.goal;
  const fastest = Math.max(...runs.map(({ tokensPerUser }) => tokensPerUser));
  const soonest = Math.min(...runs.map(({ ttft }) => ttft));
  const lines: string[] = [];
  if (fastest < slo.tokensPerUser) {
    const short = (100 * (1 - fastest / slo.tokensPerUser)).toFixed(0);
    lines.push(
      `The fastest falls ${short} % short of ${slo.tokensPerUser} tokens/s/user: no more than --tokens-per-user ${Math.floor(fastest)} can be promised.`,
    );
    if (options.speculative.length === 1) {
      lines.push(
        "Not tried: speculation, which raises tokens/s/user by the tokens it accepts (--speculative-config).",
      );
    }
  }
  if (soonest > slo.ttft) {
    lines.push(
      `The soonest first token comes after ${(soonest / slo.ttft).toFixed(1)} times ${slo.ttft} s: no less than --ttft ${Math.ceil(soonest * 1000) / 1000} can be promised for prompts of ${workload.inputLen} tokens; shorter ones would help.`,
    );
  }
  if (lines.length === 0) {
    lines.push("Each promise alone is kept by some system, both together by none.");
  }
  return lines;
}

/** Asked for a part of all systems: says which of the others would do. */
async function unbuildable(space: Space, shop: Workshop, options: PlanOptions): Promise<string[]> {
  const lines = [
    "None of these systems can be built:",
    ...space.reasons.slice(0, SHOWN).map((reason) => `  ${reason}`),
  ];
  const { goal } = options;
  const all = { ...options, instances: [], tensorParallel: PLAN_TENSOR_PARALLEL, seed: goal.seed };
  const { candidates } = await candidatesOf(all, shop, goal);
  const fitting = new Set(candidates.map(({ instance }) => instance.name));
  return [
    ...lines,
    fitting.size === 0
      ? "The model fits no instance that is known."
      : `With these formats the model fits ${[...fitting].join(", ")}.`,
  ];
}
