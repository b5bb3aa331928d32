/**
 * 80 % bands by tier, from errors of tables left out. A table counts once, whatever
 * its rows; a left-out table's tier is what it would have been without it. Tiers of
 * fewer than eight tables, and every unknown plan, share one wide band.
 */
import { writeFileSync } from "node:fs";
import type { CoverageKind, Covered } from "../../../device/trainium/price/covered.ts";
import { describePlan, isCovered, tierOf } from "../../../device/trainium/price/tier.ts";
import type { Tier } from "../../../device/trust.ts";
import { projectPath } from "../../../models/weights/project-files.ts";
import type { LeftOut } from "./left-out.ts";
import { PARTS } from "./price.ts";

/** Fewer tables than these make no band of their own. */
export const ENOUGH = 8;

/** Nominal share of a band. */
const NOMINAL = 0.8;

export interface TierBand {
  /** `shared`: the one wide band. */
  readonly kind: CoverageKind | "shared";
  readonly tier: Tier;
  readonly tables: number;
  /** Half-width in logarithms. */
  readonly half: number;
  /** Share of rows within the band that the other tables make, each table counting once. */
  readonly inside: number;
  /** 90 % binomial interval (Wilson) of that share. */
  readonly low: number;
  readonly high: number;
}

/** What each table measured, one line a set-up's plan. */
export function coverageOf(all: readonly LeftOut[]): readonly Covered[] {
  const known = new Map<string, Covered>();
  for (const { priced, table } of all) {
    const kind = PARTS[priced.part];
    if (priced.plan === undefined || !isCovered(kind)) continue;
    const its = { table, kind, ...describePlan(priced.plan) };
    known.set(JSON.stringify(its), its);
  }
  return [...known.values()];
}

interface Errors {
  readonly table: string;
  readonly size: number;
}

export function tierBands(all: readonly LeftOut[]): readonly TierBand[] {
  const coverage = coverageOf(all);
  const groups = new Map<string, Errors[]>();
  for (const { priced, table, withoutTable } of all) {
    const kind = PARTS[priced.part];
    if (priced.plan === undefined || !isCovered(kind)) continue;
    const others = coverage.filter((its) => its.table !== table);
    const tier = tierOf(priced.plan, kind, others);
    const name = `${kind}|${tier}`;
    groups.set(name, [...(groups.get(name) ?? []), { table, size: Math.abs(withoutTable) }]);
  }
  const small = [...groups].filter(
    ([name, its]) => name.endsWith("|unknown") || tablesOf(its).length < ENOUGH,
  );
  const shared = small.flatMap(([, its]) => its);
  const bands = [...groups]
    .filter(([, its]) => !small.some(([, other]) => other === its))
    .map(([name, its]): TierBand => {
      const [kind, tier] = name.split("|") as [CoverageKind, Tier];
      return { kind, tier, ...bandOf(its) };
    });
  return shared.length === 0
    ? bands
    : [...bands, { kind: "shared", tier: "unknown", ...bandOf(shared) }];
}

const tablesOf = (its: readonly Errors[]): readonly string[] => [
  ...new Set(its.map(({ table }) => table)),
];

function bandOf(its: readonly Errors[]): Omit<TierBand, "kind" | "tier"> {
  const tables = tablesOf(its);
  const held = tables.map((table) => {
    const half = halfWidthOf(its.filter((one) => one.table !== table));
    const own = its.filter((one) => one.table === table);
    return own.filter(({ size }) => size <= half).length / own.length;
  });
  const inside = held.reduce((sum, share) => sum + share, 0) / Math.max(1, tables.length);
  const [low, high] = wilson(inside, tables.length);
  return { tables: tables.length, half: halfWidthOf(its), inside, low, high };
}

/** The size that holds four fifths of the rows of a further table, each table counting once. */
export function halfWidthOf(its: readonly Errors[]): number {
  const tables = tablesOf(its).length;
  if (tables === 0) return Number.POSITIVE_INFINITY;
  const counts = new Map<string, number>();
  for (const { table } of its) counts.set(table, (counts.get(table) ?? 0) + 1);
  const sorted = [...its].sort((a, b) => a.size - b.size);
  const wanted = Math.min(1, (NOMINAL * (tables + 1)) / tables) * tables;
  let sum = 0;
  for (const { table, size } of sorted) {
    sum += 1 / (counts.get(table) ?? 1);
    if (sum >= wanted - 1e-9) return size;
  }
  return sorted[sorted.length - 1]?.size ?? Number.NaN;
}

/** Wilson's interval of a share of `count`, 90 %. */
export function wilson(share: number, count: number): readonly [number, number] {
  const z = 1.645;
  const middle = (share + z ** 2 / (2 * count)) / (1 + z ** 2 / count);
  const half =
    (z * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2))) /
    (1 + z ** 2 / count);
  return [middle - half, middle + half];
}

/** Writes what the simulator knows to be measured. */
export function saveCoverage(coverage: readonly Covered[]): void {
  const lines = coverage
    .map(({ table, kind, stack, core, path, format, ranks, rows, context }) =>
      [kind, stack, core, path, format, ranks, rows, context, table].join(" | "),
    )
    .sort()
    .join("\n");
  writeFileSync(
    projectPath("device", "trainium", "price", "coverage.ts"),
    `/** What the calibration tables measured; written by \`validate --left-out --save\`. */\n` +
      `import { type Covered, readCovered } from "./covered.ts";\n\n` +
      `/** Kind, stack, core, path, format, ranks, rows, context, table. */\n` +
      `export const COVERAGE: readonly Covered[] = readCovered(\`\n${lines}\n\`);\n`,
  );
}
