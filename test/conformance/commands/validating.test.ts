/** `validate` and the studies, run as they are typed. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CONSTANTS, DEFAULT_CONSTANTS } from "../../../device/trainium/constants.ts";
import * as study from "../../../scripts/commands/study/main.ts";
import {
  calibratedMarkdown,
  calibrateLeftOut,
  printCalibrated,
} from "../../../scripts/commands/validate/calibrate-left-out.ts";
import { fit as fitConstants } from "../../../scripts/commands/validate/fit.ts";
import { leaveOut } from "../../../scripts/commands/validate/left-out.ts";
import { groupErrors, printLeftOut } from "../../../scripts/commands/validate/left-out-report.ts";
import * as validate from "../../../scripts/commands/validate/main.ts";
import { priceRow } from "../../../scripts/commands/validate/price.ts";
import { readLoad } from "../../../scripts/commands/validate/read/load.ts";
import { refuseUnread } from "../../../scripts/commands/validate/read/words.ts";
import { readRows } from "../../../scripts/commands/validate/rows.ts";
import { coverageOf, tierBands } from "../../../scripts/commands/validate/tiers.ts";
import { runCommand } from "../../support/command.ts";

let folder: string;
/** A few rows of two tables, so that a fit takes seconds. */
let rows: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "trainyard-validate-"));
  rows = join(folder, "rows.csv");
  const text = await readFile("device/trainium/validation/neuron-calibration.csv", "utf8");
  const [head = "", ...lines] = text.trim().split("\n");
  const some = lines.filter((line) => line.includes("inf2/latency_data_decoder")).slice(0, 8);
  const others = lines.filter((line) => line.includes("trn1")).slice(0, 4);
  await writeFile(
    rows,
    `${[head, ...some, ...others, head.replaceAll("source", "x")].join("\n")}\n`,
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("measurements", () => {
  it("are read line by line, the last one whether its line ends or not", async () => {
    const text = await readFile(rows, "utf8");
    const count = readRows(rows).length;
    expect(count).toBe(text.trim().split("\n").length - 1);
    const open = join(folder, "open.csv");
    await writeFile(open, text.trimEnd());
    expect(readRows(open)).toEqual(readRows(rows));
  });

  it("may tell the rate of their load with its name or without", () => {
    for (const text of ["rate 4 req/s", "rate=4 req/s", "4 req/s"]) {
      const [load, words] = readLoad(`${text}, open loop`);
      expect(load.rate, text).toBe(4);
      expect(() => refuseUnread([words]), text).not.toThrow();
    }
  });
});

describe("trainyard validate", () => {
  it("prints errors by group, rows of a group, and what is not priced and why", async () => {
    const { code, text } = await runCommand(validate, `--rows ${rows} --group dense`);
    expect(code).toBe(0);
    expect(text).toMatch(/dense decode/);
    expect(text).toMatch(/^v0051 /m);
    expect(text).toMatch(/\d+ of \d+ rows \(\d+\.\d%\) whose model has a config are priced/);
  });

  it("gives the same errors as JSON, and the constants as a table", async () => {
    const { text } = await runCommand(validate, `--rows ${rows} --json`);
    const report = JSON.parse(text);
    expect(JSON.stringify(report)).toContain("dense decode");
    const constants = await runCommand(validate, "--constants");
    for (const { key } of CONSTANTS.slice(0, 5)) expect(constants.text).toContain(key);
    expect((await runCommand(validate, `--rows ${rows} --strict`)).text).toMatch(
      /unread words|Every word of every row is read/,
    );
  });

  it("fits few rows closer than the constants did, and leaves tables out", async () => {
    const few = readRows(rows).filter(({ split }) => split === "calibrate");
    const found = fitConstants(few);
    const error = (constants: typeof DEFAULT_CONSTANTS): number =>
      few.reduce((sum, row) => {
        const its = priceRow(row, { constants });
        return "predicted" in its ? sum + Math.log(its.predicted / its.measured) ** 2 : sum;
      }, 0);
    // Constants that these rows do not read stay where they are.
    const fitted = new Map([...DEFAULT_CONSTANTS, ...found.values]);
    expect(error(fitted)).toBeLessThan(error(DEFAULT_CONSTANTS));
    const all = leaveOut(few, { served: false });
    expect(all.length).toBeGreaterThan(0);
    for (const its of all) expect(Number.isFinite(its.withoutTable)).toBe(true);
    const groups = groupErrors(all);
    expect(groups.length).toBeGreaterThan(0);
    const bands = tierBands(all);
    const report = { date: "2026-11-30", constants: "x", groups, bands };
    expect(printLeftOut(report)).toContain("dense decode");
    const covered = coverageOf(all);
    expect(covered.length).toBeGreaterThan(0);
    const tables = new Set(all.map(({ table }) => table));
    for (const { table } of covered) expect(tables).toContain(table);
  });
});

describe("constants, and rows left out, as they are typed", () => {
  /** Two served tables beside two of steps: a few rows of each. */
  let served: string;
  beforeAll(async () => {
    const text = await readFile("device/trainium/validation/neuron-calibration.csv", "utf8");
    const [head = "", ...lines] = text.trim().split("\n");
    const pick = (word: RegExp, count: number) =>
      lines.filter((line) => word.test(line) && /,calibrate,/.test(line)).slice(0, count);
    served = join(folder, "served.csv");
    const some = [
      ...pick(/inf2\/latency_data_decoder/, 4),
      ...pick(/single-instance\/llama-3\.1-8b-trn2/, 15),
      ...pick(/chunked-prefill\/std-ods.*closed loop/, 3),
    ];
    await writeFile(served, `${[head, ...some].join("\n")}\n`);
  });

  it("the constants stand as a table for the README, each with its value", async () => {
    const { text } = await runCommand(validate, "--constants --markdown");
    const readme = await readFile("device/trainium/README.md", "utf8");
    for (const line of text.trim().split("\n")) expect(readme).toContain(line);
  });

  it("--fit moves every fitted constant to a figure, and says how far rows lie apart", async () => {
    const { code, text } = await runCommand(validate, `--rows ${rows} --fit`);
    expect(code).toBe(0);
    const fitted = CONSTANTS.filter((its) => its.fitted);
    for (const { key } of fitted) {
      const line = text.split("\n").find((its) => its.startsWith(`${key} `));
      expect(Number(line?.slice(key.length)), key).toBeGreaterThan(0);
    }
    expect(text.trim().split("\n")).toHaveLength(fitted.length + 1);
    expect(Number(/^loss (\S+)$/m.exec(text)?.[1])).toBeGreaterThan(0);
  });

  it("--left-out and --calibrate-left-out tell a group's errors in their order", async () => {
    const left = await runCommand(validate, `--rows ${rows} --left-out --quick`);
    expect(left.text).toMatch(/^dense decode +\d+ +\d+ +\d+ +\d+\.\d%/m);
    const calibrated = await runCommand(validate, `--rows ${rows} --calibrate-left-out --quick`);
    expect(calibrated.text).toContain("tables have no third set-up.");
    await expect(runCommand(validate, "--study nothing")).rejects.toThrow("--study");
    expect((await runCommand(validate, "--study principles")).text).toContain("principle");
  });

  it("served rows are left out with the host's times that only they tell", () => {
    const few = readRows(served);
    const all = leaveOut(few, { served: true });
    const parts = new Set(all.map(({ priced }) => priced.part));
    expect([...parts].some((part) => /rates|TGI|first/.test(part))).toBe(true);
    const told: string[] = [];
    const its = calibrateLeftOut(few, { served: true, tell: (table) => told.push(table) });
    expect(new Set(told).size).toBe(told.length);
    const judged = new Set(all.map(({ table }) => table));
    for (const table of judged) expect(told).toContain(table);
    expect(its.groups.length).toBeGreaterThan(0);
    for (const { group, before, after, setUps, tables } of its.groups) {
      expect(setUps).toBeGreaterThanOrEqual(tables);
      // Two measurements of a table do not carry its other set-ups away.
      expect(after, group).toBeLessThan(before * 1.25);
      const line = printCalibrated(its)
        .split("\n")
        .find((one) => one.startsWith(group));
      expect(line).toContain(`${(100 * before).toFixed(1)}%`);
      expect(calibratedMarkdown(its)).toContain(`| ${group} | ${tables} | ${setUps} |`);
    }
  });
});

describe("trainyard study", () => {
  it("lists what it knows, and guesses what was meant", async () => {
    const { code, text } = await runCommand(study, "");
    expect([code, text]).toEqual([2, expect.stringContaining("headline")]);
    await expect(runCommand(study, "headlin")).rejects.toThrow("Did you mean headline?");
  });

  it.each(["attention", "switch", "principles"])("%s prints its tables", async (name) => {
    const { code, text } = await runCommand(study, name);
    expect(code).toBe(0);
    expect(text.split("\n").length).toBeGreaterThan(5);
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });

  it("headline reads both machines at both axes, and draws them", async () => {
    const { code, text } = await runCommand(study, `headline --out ${folder}`);
    expect(code).toBe(0);
    expect(text).toContain("Users at an interactivity");
    expect(text).not.toMatch(/NaN|undefined/);
    expect(await readFile(join(folder, "headline.svg"), "utf8")).toContain("</svg>");
  });
});
