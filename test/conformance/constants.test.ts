import { expect, it } from "vitest";
import { CONSTANTS } from "../../device/trainium/constants.ts";
import { projectPath } from "../../models/weights/project-files.ts";
import { fittingRows } from "../../scripts/commands/validate/fit.ts";
import { tablesByConstant } from "../../scripts/commands/validate/movers.ts";
import { readRows } from "../../scripts/commands/validate/rows.ts";

const FILE = projectPath("device", "trainium", "validation", "neuron-calibration.csv");

it("at most 45 constants are fitted, each moved by three tables and more", () => {
  const fitted = CONSTANTS.filter((its) => its.fitted);
  expect(fitted.length).toBeLessThanOrEqual(45);
  const tables = tablesByConstant(fittingRows(readRows(FILE)));
  const few = fitted
    .map(({ key }) => [key, tables.get(key)?.size ?? 0] as const)
    .filter(([, count]) => count < 3);
  expect(few).toEqual([]);
});
