/** A plan made: systems built and searched, the ranked rows, and all that is said of them. Needs nothing of Node's. */
import { assess } from "./assess.ts";
import { candidatesOf, combinations, type Space } from "./candidates.ts";
import type { PlanRow, RankedRow } from "./columns.ts";
import { mostUsers, nextCheaper, priceNotes, searchNotes, slowEnd, systemName } from "./notes.ts";
import { OTHER_SEEDS, type PlanOptions } from "./options.ts";
import { type PlanGoal, type SearchOutcome, type ServingPlan, searchPlans } from "./search.ts";
import { type WhyNot, whyNot } from "./why-not.ts";
import type { Workshop } from "./workshop.ts";

/** Told how far a part of the work is. */
export interface PlanProgress {
  to(done: number, of: number): void;
  end(): void;
}

export type PlanWatch = (what: string, of: number) => PlanProgress;

export interface Planned {
  /** Load and promise in a line. */
  readonly goal: string;
  /** Plans that keep the promise for some seeds only. */
  readonly leftOut: readonly string[];
  /** Best first; empty where no system keeps the promise. */
  readonly ranked: readonly ServingPlan[];
  /** Those of the table. */
  readonly rows: readonly RankedRow[];
  /** Of the first row: what holds beside the figures. */
  readonly remarks: readonly string[];
  /** What is next cheaper, which prices are not known, what was looked at. */
  readonly notes: readonly string[];
  /** Absent: a system keeps the promise. */
  readonly why?: WhyNot;
}

export async function planned(
  options: PlanOptions,
  shop: Workshop,
  watch: PlanWatch,
): Promise<Planned> {
  const { goal, prices } = options;
  const { space, found } = await searched(options, shop, watch);
  const ranked = found.plans;
  const said = {
    goal: goalText(options),
    leftOut: found.unsteady.map(
      ({ plan, why }) => `${systemName(plan)} keeps its promise for some seeds only (${why}).`,
    ),
    ranked,
  };
  const [first] = ranked;
  if (first === undefined) {
    const why = await whyNot({ space, found, shop, options });
    return { ...said, rows: [], remarks: [], notes: [], why };
  }
  const rows = await rowsOf(shown(ranked, options.rows), { shop, goal, watch });
  const { candidates } = space;
  return {
    ...said,
    rows,
    remarks: [
      await slowEnd(ranked, shop, goal),
      ...extrapolations(rows).map((what) => `Extrapolated, ${what}.`),
    ],
    notes: [
      await nextCheaper(first, { candidates, found, goal, prices }),
      ...priceNotes(ranked, prices, options.instances),
      ...searchNotes(space, found),
    ],
  };
}

function goalText({ model, goal: { users, workload, slo } }: PlanOptions): string {
  return (
    `${model}: ${users} users, ${workload.inputLen} in / ${workload.outputLen} out (±${Math.round(100 * workload.spread)} %), ` +
    `TTFT p${slo.percentile} ≤ ${slo.ttft} s, p${slo.percentile} ≥ ${slo.tokensPerUser} tokens/s/user; simulated.`
  );
}

/** The search itself, telling how far it is: on a busy machine it takes its seconds. */
async function searched(
  options: PlanOptions,
  shop: Workshop,
  watch: PlanWatch,
): Promise<{ readonly space: Space; readonly found: SearchOutcome }> {
  const { goal } = options;
  const all = combinations(options, shop.model);
  const built = watch("Systems built", all);
  let done = 0;
  const space = await candidatesOf({ ...options, seed: goal.seed }, shop, goal, () =>
    built.to(++done, all),
  );
  built.end();
  const bar = watch("Systems simulated", space.candidates.length);
  const found = await searchPlans(space.candidates, shop, goal, {
    ...options,
    otherSeeds: OTHER_SEEDS.map((offset) => goal.seed + offset),
    onProgress: (decided, of) => bar.to(decided, of),
  });
  bar.end();
  return { space, found };
}

/** The first of the ranking, and the best of those with a price and of those without. */
function shown(ranked: readonly ServingPlan[], rows: number): PlanRow[] {
  const priced = ranked.find(({ dollarsPerHour }) => dollarsPerHour !== undefined);
  const unpriced = ranked.find(({ dollarsPerHour }) => dollarsPerHour === undefined);
  return ranked
    .map((plan, index) => ({ plan, place: index + 1 }))
    .filter(({ plan, place }) => place <= rows || plan === priced || plan === unpriced);
}

async function rowsOf(
  plans: readonly PlanRow[],
  {
    shop,
    goal,
    watch,
  }: { readonly shop: Workshop; readonly goal: PlanGoal; readonly watch: PlanWatch },
): Promise<RankedRow[]> {
  const rows: RankedRow[] = [];
  const bar = watch("Headroom", plans.length);
  for (const { plan, place } of plans) {
    const assessed = await assess(plan, shop, goal);
    rows.push({ plan, place, mostUsers: await mostUsers(plan, shop, goal), assessed });
    bar.to(rows.length, plans.length);
  }
  bar.end();
  return rows;
}

/** What the systems of the table rest on that nobody measured, each named once. */
function extrapolations(rows: readonly RankedRow[]): readonly string[] {
  return [...new Set(rows.flatMap(({ assessed }) => assessed?.extrapolated ?? []))];
}
