import { expect, it } from "vitest";
import { DEFAULT_CONSTANTS } from "../../device/trainium/constants.ts";
import { projectPath } from "../../models/weights/project-files.ts";
import {
  type Answer,
  PARTS,
  type Priced,
  priceRow,
} from "../../scripts/commands/validate/price.ts";
import { isMiddle } from "../../scripts/commands/validate/read/metric.ts";
import { reportGroups } from "../../scripts/commands/validate/report.ts";
import { readRows } from "../../scripts/commands/validate/rows.ts";
import { onceASetUp } from "../../scripts/commands/validate/serving.ts";

const FILE = projectPath("device", "trainium", "validation", "neuron-calibration.csv");
const pricing = { constants: DEFAULT_CONSTANTS };
const rows = readRows(FILE);
const priced = (answers: readonly Answer[]): readonly Priced[] =>
  answers.filter((its): its is Priced => "predicted" in its);

it("published rows are predicted within the targets of tables left out, and better than two constants", () => {
  const used = rows.filter((row) => row.split === "calibrate" && isMiddle(row));
  const kept = { ...pricing, setUps: new Map(), serve: onceASetUp() };
  const all = priced(used.map((row) => priceRow(row, kept)));
  const reports = [...reportGroups(all), ...reportGroups(all, (its) => PARTS[its.part])];
  const of = (group: string) => {
    const found = reports.find((its) => its.group === group);
    if (found === undefined) throw new Error(`no group ${group}`);
    expect(found.mean, group).toBeLessThan(found.baseline * 0.7);
    return found.mean;
  };
  // In-sample errors rose where constants of one or two tables went; what matters is left-out.json.
  expect(of("dense decode")).toBeLessThan(0.08);
  expect(of("MoE decode")).toBeLessThan(0.25);
  expect(of("prefill")).toBeLessThan(0.22);
  expect(of("bucketed prefill")).toBeLessThan(0.12);
  expect(of("collectives")).toBeLessThan(0.1);
  expect(of("serving")).toBeLessThan(0.2);
});
