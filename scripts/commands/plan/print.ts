/** Plans as they are told: the ranked table, JSON and CSV. */
import { columnsJson, rowJson, rowsCsv, tableLines } from "../../load/column.ts";
import { aligned } from "../sweep/print.ts";
import { type PlanRow, planColumns, type RankedRow } from "./columns.ts";
import type { PlanGoal } from "./search.ts";

export function planTable(rows: readonly RankedRow[], { slo }: PlanGoal): string {
  return aligned(tableLines(planColumns(slo.percentile), rows));
}

/** All plans found, with what the columns mean, and each system as it is built. */
export function plansJson(
  rows: readonly PlanRow[],
  goal: PlanGoal,
): Readonly<Record<string, unknown>> {
  const columns = planColumns(goal.slo.percentile);
  return {
    goal,
    columns: columnsJson(columns),
    plans: rows.map((row) => ({ ...rowJson(columns, row), system: row.plan.candidate.spec })),
  };
}

/** All plans found, one a line; keys are JSON's, and what is not known is empty. */
export function planCsv(rows: readonly PlanRow[], { slo }: PlanGoal): string {
  return rowsCsv(planColumns(slo.percentile), rows);
}
