/**
 * `trainyard validate`: every published measurement that can be priced, predicted
 * against measured. `--rows FILE` reads other rows of the same columns.
 */
import {
  CONSTANTS,
  constantsTable,
  DEFAULT_CONSTANTS,
} from "../../../device/trainium/constants.ts";
import { projectPath } from "../../../models/weights/project-files.ts";
import { Progress } from "../../../server/progress.ts";
import { rowsOf } from "../../../server/settings/row.ts";
import { type FlagValues, parseFlags } from "../flags.ts";
import { STUDIES } from "../study/registry.ts";
import { calibrateLeftOut, printCalibrated, saveCalibrated } from "./calibrate-left-out.ts";
import { constantsReport } from "./constants-report.ts";
import { fit, fittingRows } from "./fit.ts";
import { constantsHash, report } from "./json.ts";
import { leaveOut } from "./left-out.ts";
import { groupErrors, type LeftOutReport, printLeftOut, saveLeftOut } from "./left-out-report.ts";
import { tablesByConstant } from "./movers.ts";
import { type Answer, priceRow } from "./price.ts";
import { details, overview, pricedOf, unread } from "./print.ts";
import { type Row, readRows } from "./rows.ts";
import { onceASetUp } from "./serving.ts";
import { coverageOf, saveCoverage, tierBands } from "./tiers.ts";

const ROWS = projectPath("device", "trainium", "validation", "neuron-calibration.csv");

const measurements = rowsOf("Measurements");
const output = rowsOf("Output");
const constants = rowsOf("Constants");
const studies = rowsOf("Studies");

export const VALIDATE_FLAGS = {
  rows: measurements.text(undefined, "other measurements of the same columns", { value: "FILE" }),
  quick: measurements.toggle(false, "leave out serving"),
  json: output.toggle(false, "figures by group, refusals and peers as JSON"),
  strict: output.toggle(false, "list the words of each row that no rule reads"),
  group: output.text(undefined, "print every row of a group (prefix of its name)", {
    value: "NAME",
  }),
  "left-out": constants.toggle(
    false,
    "fit again without each table, and without each release (minutes)",
  ),
  "calibrate-left-out": constants.toggle(
    false,
    "fit again without each table, then calibrate with two of its measurements (minutes)",
  ),
  save: constants.toggle(false, "keep what --left-out or --calibrate-left-out prints"),
  constants: constants.toggle(
    false,
    "every number that no source prints, with the tables that move it, its prior and range; sourced ones apart",
  ),
  markdown: constants.toggle(false, "with --constants: the table of device/trainium/README.md"),
  fit: constants.toggle(false, "fit the constants again and print them"),
  study: studies.choice(Object.keys(STUDIES), undefined, "run a study"),
} as const;

type ValidateValues = FlagValues<typeof VALIDATE_FLAGS>;
type Print = (text: string) => void;

export async function run(argv: readonly string[]): Promise<number> {
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  const { values } = parseFlags(
    {
      name: "trainyard validate",
      sentence: "The simulated device against every published measurement that it can price.",
      flags: VALIDATE_FLAGS,
    },
    argv,
    print,
  );
  const study = values.study === undefined ? undefined : STUDIES[values.study];
  if (study !== undefined) return (await study())(print);
  const rows = readRows(values.rows ?? ROWS);
  if (values.constants) {
    print(
      values.markdown ? constantsTable() : constantsReport(tablesByConstant(fittingRows(rows))),
    );
    return 0;
  }
  if (values.fit) fitAgain(rows, print);
  else if (values["left-out"]) leaveOutAgain(rows, values, print);
  else if (values["calibrate-left-out"]) calibrateAgain(rows, values, print);
  else compare(rows, values, print);
  return 0;
}

function fitAgain(rows: readonly Row[], print: Print): void {
  const found = fit(fittingRows(rows));
  for (const { key, fitted } of CONSTANTS) {
    if (fitted) print(`${key.padEnd(40)} ${found.values.get(key)?.toPrecision(3)}`);
  }
  print(`loss ${found.loss.toFixed(4)}`);
}

function leaveOutAgain(rows: readonly Row[], values: ValidateValues, print: Print): void {
  const all = leaveOut(fittingRows(rows), { served: !values.quick });
  const its: LeftOutReport = {
    date: new Date().toISOString().slice(0, 10),
    constants: constantsHash(),
    groups: groupErrors(all),
    bands: tierBands(all),
  };
  if (values.save) {
    saveLeftOut(its);
    saveCoverage(coverageOf(all));
  }
  print(printLeftOut(its));
}

function calibrateAgain(rows: readonly Row[], values: ValidateValues, print: Print): void {
  const its = calibrateLeftOut(fittingRows(rows), { served: !values.quick });
  if (values.save) saveCalibrated(its);
  print(printCalibrated(its));
}

function compare(rows: readonly Row[], values: ValidateValues, print: Print): void {
  const answers = priceAll(rows, !values.quick);
  if (values.json) print(JSON.stringify(report(answers), undefined, 1));
  else if (values.strict) print(unread(answers));
  else {
    if (values.group !== undefined) print(details(pricedOf(answers), values.group));
    for (const text of overview(answers, values.rows === undefined)) print(text);
  }
}

function priceAll(rows: readonly Row[], served: boolean): readonly Answer[] {
  const pricing = {
    constants: DEFAULT_CONSTANTS,
    setUps: new Map(),
    ...(served && { serve: onceASetUp() }),
  };
  const bar = new Progress("Rows priced", rows.length, { unit: "rows" });
  const answers = rows.map((row) => {
    const answer = priceRow(row, pricing);
    bar.step();
    return answer;
  });
  bar.end();
  return answers;
}
