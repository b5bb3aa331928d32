/**
 * What two measurements of one's own are worth: for every table, constants fitted without it, then
 * `calibrate` with two of its rows (the first, and the first of another metric), then the errors of its
 * other set-ups before and after. What shares a set-up with either is not counted: it would flatter.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { type Effects, NO_EFFECTS } from "../../../device/trainium/effects.ts";
import { projectPath } from "../../../models/weights/project-files.ts";
import { table as tableText } from "../../report/table.ts";
import { constantsHash } from "./json.ts";
import { fitsWithoutTables } from "./left-out.ts";
import { PARTS, type Priced, priceRow } from "./price.ts";
import { bySetUp, errorOf } from "./report.ts";
import type { Row } from "./rows.ts";
import { onceASetUp } from "./serving.ts";
import { type Measurement, solve, withinOf } from "./solve.ts";
import { tableOf } from "./tables.ts";

export interface CalibratedGroup {
  readonly group: string;
  readonly tables: number;
  readonly setUps: number;
  /** Mean |predicted / measured − 1| a set-up, without and with the two measurements. */
  readonly before: number;
  readonly after: number;
}

export interface CalibratedReport {
  readonly date: string;
  readonly constants: string;
  readonly groups: readonly CalibratedGroup[];
  /** Tables without a third set-up: nothing is left to judge by. */
  readonly tooSmall: number;
}

interface Rest {
  readonly table: string;
  readonly before: readonly Priced[];
  readonly after: readonly Priced[];
}

export function calibrateLeftOut(
  rows: readonly Row[],
  options: { readonly served: boolean; readonly tell?: (table: string) => void },
): CalibratedReport {
  const rests: Rest[] = [];
  let tooSmall = 0;
  for (const { table, constants } of fitsWithoutTables(rows, options)) {
    const own = rows.filter((row) => tableOf(row) === table);
    const rest = restOf(own, constants, options.served);
    options.tell?.(table);
    if (rest === undefined) tooSmall++;
    else rests.push({ table, ...rest });
  }
  const groups = [...new Set(rests.flatMap(({ before }) => before.map((its) => PARTS[its.part])))];
  return {
    date: new Date().toISOString().slice(0, 10),
    constants: constantsHash(),
    groups: groups.sort().map((group) => groupOf(group, rests)),
    tooSmall,
  };
}

/** The other set-ups' prices without and with what the two measurements say. */
function restOf(
  rows: readonly Row[],
  constants: ReadonlyMap<string, number>,
  served: boolean,
): Omit<Rest, "table"> | undefined {
  const price = (its: readonly Row[], effects: Effects): readonly Priced[] => {
    const pricing = { constants, effects, ...(served && { serve: onceASetUp() }) };
    return its.flatMap((row) => {
      const answer = priceRow(row, pricing);
      return "predicted" in answer && answer.plan !== undefined ? [answer] : [];
    });
  };
  const plain = price(rows, NO_EFFECTS);
  const [first] = plain;
  const second = plain.find((its) => its.row.metric !== first?.row.metric) ?? plain[1];
  if (first === undefined || second === undefined) return undefined;
  const keys = new Set([first.key, second.key]);
  const before = plain.filter(({ key }) => !keys.has(key));
  if (before.length === 0) return undefined;
  const measurements = [first, second].map(
    ({ row, measured, part }): Measurement => ({
      measured,
      ...withinOf(part),
      predicted: (effects) => price([row], effects)[0]?.predicted ?? Number.NaN,
    }),
  );
  const { effects } = solve(measurements);
  return {
    before,
    after: price(
      before.map(({ row }) => row),
      effects,
    ),
  };
}

function groupOf(group: string, rests: readonly Rest[]): CalibratedGroup {
  const errors = (of: "before" | "after"): readonly number[] =>
    rests.flatMap((rest) => {
      const its = rest[of].filter(({ part }) => PARTS[part] === group);
      return [...bySetUp(its, (one) => errorOf(one.predicted, one.measured)).values()];
    });
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  const before = errors("before");
  return {
    group,
    tables: rests.filter((rest) => rest.before.some(({ part }) => PARTS[part] === group)).length,
    setUps: before.length,
    before: mean(before),
    after: mean(errors("after")),
  };
}

const FILE = projectPath("device", "trainium", "validation", "calibrate-left-out.json");

export function readCalibrated(): CalibratedReport | undefined {
  return existsSync(FILE)
    ? (JSON.parse(readFileSync(FILE, "utf8")) as CalibratedReport) // written below
    : undefined;
}

export function saveCalibrated(report: CalibratedReport): void {
  const round = (_: string, value: unknown): unknown =>
    typeof value === "number" ? Number(value.toPrecision(4)) : value;
  writeFileSync(FILE, `${JSON.stringify(report, round, 2)}\n`);
}

const percent = (value: number): string => `${(100 * value).toFixed(1)}%`;

export function printCalibrated({ date, constants, groups, tooSmall }: CalibratedReport): string {
  return (
    `Two measurements of a table left out (${date}, constants ${constants}): mean error of its other set-ups;\n` +
    `${tooSmall} tables have no third set-up.\n` +
    tableText([
      ["group", "tables", "set-ups", "before", "after"],
      ...groups.map((its) => [
        its.group,
        `${its.tables}`,
        `${its.setUps}`,
        percent(its.before),
        percent(its.after),
      ]),
    ])
  );
}

/** The table of calibrate's README, in Markdown. */
export function calibratedMarkdown({ groups }: CalibratedReport): string {
  return [
    "| group | tables | set-ups | without | with two measurements |",
    "|---|---|---|---|---|",
    ...groups.map(
      (its) =>
        `| ${its.group} | ${its.tables} | ${its.setUps} | ${percent(its.before)} | ${percent(its.after)} |`,
    ),
  ].join("\n");
}
