/** The table of errors left out, by group and part; kept beside the rows, with the constants it belongs to. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { projectPath } from "../../../models/weights/project-files.ts";
import { table } from "../../report/table.ts";
import type { LeftOut } from "./left-out.ts";
import { PARTS } from "./price.ts";
import { bySetUp, errorOf } from "./report.ts";
import type { TierBand } from "./tiers.ts";

export interface GroupErrors {
  readonly group: string;
  readonly rows: number;
  readonly setUps: number;
  readonly tables: number;
  /** Mean |predicted / measured − 1| over set-ups. */
  readonly calibrated: number;
  readonly withoutTable: number;
  readonly withoutRelease: number;
  /** Median over set-ups of exp |ln(predicted / measured)|, tables left out. */
  readonly factor: number;
  /** Two constants on the same rows. */
  readonly baseline: number;
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

export function groupErrors(all: readonly LeftOut[]): readonly GroupErrors[] {
  const groups = [...new Set(all.map((its) => PARTS[its.priced.part]))].sort();
  return groups.flatMap((group) => {
    const within = all.filter((its) => PARTS[its.priced.part] === group);
    const parts = [...new Set(within.map((its) => its.priced.part))].sort();
    return [
      errorsOf(group, within),
      ...(parts.length < 2
        ? []
        : parts.map((part) =>
            errorsOf(
              `  ${part}`,
              within.filter((its) => its.priced.part === part),
            ),
          )),
    ];
  });
}

function errorsOf(group: string, all: readonly LeftOut[]): GroupErrors {
  const logs = new Map(all.map((its) => [its.priced, its]));
  const over = (of: (its: LeftOut) => number): readonly number[] => [
    ...bySetUp([...logs.keys()], (one) => {
      const its = logs.get(one);
      return its === undefined ? Number.NaN : of(its);
    }).values(),
  ];
  const factors = [...over((its) => Math.exp(Math.abs(its.withoutTable)))].sort((a, b) => a - b);
  return {
    group,
    rows: all.length,
    setUps: factors.length,
    tables: new Set(all.map((its) => its.table)).size,
    calibrated: mean(over((its) => errorOf(Math.exp(its.calibrated), 1))),
    withoutTable: mean(over((its) => errorOf(Math.exp(its.withoutTable), 1))),
    withoutRelease: mean(over((its) => errorOf(Math.exp(its.withoutRelease), 1))),
    factor: factors[Math.floor(factors.length / 2)] ?? Number.NaN,
    baseline: mean(over(({ priced }) => errorOf(priced.baseline, priced.measured))),
  };
}

const percent = (value: number): string =>
  Number.isFinite(value) ? `${(value * 100).toFixed(1)}%` : "–";

/** What `validate --left-out --save` keeps. */
export interface LeftOutReport {
  readonly date: string;
  /** Hash of the constants: another's errors are not these. */
  readonly constants: string;
  readonly groups: readonly GroupErrors[];
  readonly bands: readonly TierBand[];
}

const FILE = projectPath("device", "trainium", "validation", "left-out.json");

export function readLeftOut(): LeftOutReport | undefined {
  return existsSync(FILE) ? (JSON.parse(readFileSync(FILE, "utf8")) as LeftOutReport) : undefined;
}

export function saveLeftOut(report: LeftOutReport): void {
  const round = (_: string, value: unknown): unknown =>
    typeof value === "number" ? Number(value.toPrecision(4)) : value;
  writeFileSync(FILE, `${JSON.stringify(report, round, 2)}\n`);
}

export function printLeftOut({ date, constants, groups, bands }: LeftOutReport): string {
  return (
    `Left out (${date}, constants ${constants}): mean error per set-up under constants that saw every row,\n` +
    "no row of its table (source × release), no row of its release; median factor without its table:\n" +
    `${printErrors(groups)}\n\n80% bands by tier, each table counting once; inside: rows of a table within the band that the others make:\n` +
    printBands(bands)
  );
}

/** The table of README.md, in Markdown. */
export function errorsMarkdown({ groups }: LeftOutReport): string {
  return [
    "| group | rows | tables | without its table | without its release | calibrated | two constants |",
    "|---|---|---|---|---|---|---|",
    ...groups.map(
      (its) =>
        `| ${its.group.replace(/^ +/, "– of it ")} | ${its.rows} | ${its.tables} | ${percent(its.withoutTable)} | ${percent(its.withoutRelease)} | ${percent(its.calibrated)} | ${percent(its.baseline)} |`,
    ),
  ].join("\n");
}

/** The bands of device/trainium/README.md, in Markdown. */
export function bandsMarkdown({ bands }: LeftOutReport): string {
  return [
    "| predicted | tier | tables | 80 % band | inside | 90 % interval of that |",
    "|---|---|---|---|---|---|",
    ...bands.map(
      (its) =>
        `| ${its.kind} | ${its.kind === "shared" ? "unknown, and tiers of fewer than eight tables" : its.tier} | ${its.tables} | ×÷ ${Math.exp(its.half).toFixed(2)} | ${percent(its.inside)} | ${percent(its.low)}–${percent(its.high)} |`,
    ),
  ].join("\n");
}

function printBands(bands: readonly TierBand[]): string {
  return table([
    ["predicted", "tier", "tables", "band", "inside", "90% interval"],
    ...bands.map((its) => [
      its.kind,
      its.kind === "shared" ? "unknown and small" : its.tier,
      `${its.tables}`,
      `×÷ ${Math.exp(its.half).toFixed(2)}`,
      percent(its.inside),
      `${percent(its.low)}–${percent(its.high)}`,
    ]),
  ]);
}

function printErrors(errors: readonly GroupErrors[]): string {
  return table([
    [
      "group",
      "rows",
      "set-ups",
      "tables",
      "calibrated",
      "no table",
      "no release",
      "factor",
      "two constants",
    ],
    ...errors.map((its) => [
      its.group,
      `${its.rows}`,
      `${its.setUps}`,
      `${its.tables}`,
      percent(its.calibrated),
      percent(its.withoutTable),
      percent(its.withoutRelease),
      `×${its.factor.toFixed(2)}`,
      percent(its.baseline),
    ]),
  ]);
}
