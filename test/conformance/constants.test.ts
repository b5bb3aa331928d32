import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CONSTANTS } from "../../device/trainium/constants.ts";
import { projectPath } from "../../models/weights/project-files.ts";
import { ASSUMED } from "../../scripts/commands/validate/assumed.ts";
import {
  constantsReport,
  FEWEST_TABLES,
  MOST_FITTED,
  rangeOf,
} from "../../scripts/commands/validate/constants-report.ts";
import { fittingRows } from "../../scripts/commands/validate/fit.ts";
import { tablesByConstant } from "../../scripts/commands/validate/movers.ts";
import { readRows } from "../../scripts/commands/validate/rows.ts";

const FILE = projectPath("device", "trainium", "validation", "neuron-calibration.csv");
const tables = tablesByConstant(fittingRows(readRows(FILE)));
const fitted = CONSTANTS.filter((its) => its.fitted);

describe("numbers that no source prints", () => {
  it("at most 45 are fitted, each moved by three tables and more", () => {
    expect([MOST_FITTED, FEWEST_TABLES]).toEqual([45, 3]);
    expect(fitted.length).toBeLessThanOrEqual(MOST_FITTED);
    const few = fitted
      .map(({ key }) => [key, tables.get(key)?.size ?? 0] as const)
      .filter(([, count]) => count < FEWEST_TABLES);
    expect(few).toEqual([]);
  });

  it("none stands at a bound of its range, and what is kept stands at its prior", () => {
    for (const its of CONSTANTS.filter(({ prior }) => prior !== undefined)) {
      const [low, high] = rangeOf(its);
      expect(its.value, its.key).toBeGreaterThan(low * 1.01);
      expect(its.value, its.key).toBeLessThan(high / 1.01);
      if (!its.fitted) expect(its.value, its.key).toBe(its.prior?.value);
    }
  });

  it.each(ASSUMED.map((its) => [its.name, its] as const))(
    "assumed, and stands where it is said: %s",
    (_, its) => {
      expect(readFileSync(projectPath(...its.file.split("/")), "utf8")).toContain(its.text);
      expect(its.why).not.toBe("");
    },
  );

  it("are told with their tables, priors and ranges, apart from those that a source prints", () => {
    const report = constantsReport(tables);
    for (const { key, prior } of CONSTANTS) {
      const told = report.split("\n").find((line) => line.trimStart().startsWith(`${key} `));
      expect(told, key).toBeDefined();
      if (prior !== undefined)
        expect(report).toContain(`\n${key} (${tables.get(key)?.size ?? 0}): `);
    }
  });
});
