/**
 * `trainyard validate`: every published measurement that can be priced, predicted
 * against measured. `--rows FILE` reads other rows of the same columns.
 */
import { parseArgs } from "node:util";
import {
  CONSTANTS,
  constantsTable,
  DEFAULT_CONSTANTS,
} from "../../../device/trainium/constants.ts";
import { projectPath } from "../../../models/weights/project-files.ts";
import { Progress } from "../../load/progress.ts";
import { STUDIES } from "../study/registry.ts";
import { fit, fittingRows } from "./fit.ts";
import { constantsHash, peersTable, report } from "./json.ts";
import { leaveOut } from "./left-out.ts";
import {
  groupErrors,
  type LeftOutReport,
  printLeftOut,
  readLeftOut,
  saveLeftOut,
} from "./left-out-report.ts";
import { type Answer, PARTS, type Priced, priceRow } from "./price.ts";
import { isMiddle } from "./read/metric.ts";
import { printGroups, table, withinBand } from "./report.ts";
import { readRows } from "./rows.ts";
import { onceASetUp } from "./serving.ts";
import { coverageOf, saveCoverage, tierBands } from "./tiers.ts";

const ROWS = projectPath("device", "trainium", "validation", "neuron-calibration.csv");

const HELP = `trainyard validate [options]
  --rows FILE     other measurements of the same columns
  --json          figures by group, refusals and peers as JSON
  --strict        list the words of each row that no rule reads
  --group NAME    print every row of a group (prefix of its name)
  --quick         leave out serving
  --left-out      fit again without each table, and without each release (minutes); --save keeps what it prints
  --constants     print the table of constants of device/trainium/README.md
  --fit           fit the constants again and print them
  --study NAME    run a study: ${Object.keys(STUDIES).join(", ")}`;

export async function run(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      rows: { type: "string" },
      json: { type: "boolean" },
      strict: { type: "boolean" },
      group: { type: "string" },
      quick: { type: "boolean" },
      fit: { type: "boolean" },
      "left-out": { type: "boolean" },
      save: { type: "boolean" },
      constants: { type: "boolean" },
      study: { type: "string" },
      help: { type: "boolean" },
    },
  });
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  if (values.help) {
    print(HELP);
    return 0;
  }
  if (values.study !== undefined) {
    const load = STUDIES[values.study];
    if (load === undefined) {
      print(`Unknown study "${values.study}"; known: ${Object.keys(STUDIES).join(", ")}.`);
      return 1;
    }
    return (await load())(print);
  }
  if (values.constants) {
    print(constantsTable());
    return 0;
  }
  const rows = readRows(values.rows ?? ROWS);
  if (values.fit) {
    const found = fit(fittingRows(rows));
    for (const { key, fitted } of CONSTANTS) {
      if (fitted) print(`${key.padEnd(40)} ${found.values.get(key)?.toPrecision(3)}`);
    }
    print(`loss ${found.loss.toFixed(4)}`);
    return 0;
  }
  if (values["left-out"]) {
    const all = leaveOut(fittingRows(rows), { served: !values.quick });
    const report: LeftOutReport = {
      date: new Date().toISOString().slice(0, 10),
      constants: constantsHash(),
      groups: groupErrors(all),
      bands: tierBands(all),
    };
    if (values.save) {
      saveLeftOut(report);
      saveCoverage(coverageOf(all));
    }
    print(printLeftOut(report));
    return 0;
  }
  const pricing = {
    constants: DEFAULT_CONSTANTS,
    setUps: new Map(),
    ...(!values.quick && { serve: onceASetUp() }),
  };
  const bar = new Progress("Rows priced", rows.length, { unit: "rows" });
  const answers = rows.map((row) => {
    const answer = priceRow(row, pricing);
    bar.step();
    return answer;
  });
  bar.end();
  if (values.json) {
    print(JSON.stringify(report(answers), undefined, 1));
    return 0;
  }
  if (values.strict) {
    print(unread(answers));
    return 0;
  }
  const priced = answers.filter((its): its is Priced => "predicted" in its);
  const middle = priced.filter((its) => isMiddle(its.row) && its.row.split !== "sanity");
  if (values.group !== undefined) print(details(priced, values.group));
  print(
    "Predicted against measured (mean or p50), mean error per set-up; 90% bootstrap interval over set-ups;\n" +
      "in band: rows within the 80% band of their prediction, which comes from rows left out of the fit;\n" +
      "baseline: 0.85 × bytes / peak HBM + 0.180 ms a layer, FLOPs at half of peak, a law of one prefill at\n" +
      "a time, bytes over link or DMA peak. Runtime rows are their constants' own sources.\n",
  );
  print(printGroups(middle));
  const tails = priced.filter((its) => !isMiddle(its.row));
  if (tails.length > 0)
    print(
      `\nTails (p90, p99, extremes) against the predicted ones (static rows: the mean):\n${printGroups(tails)}`,
    );
  const odd = priced.filter((its) => its.row.split === "sanity" && isMiddle(its.row));
  if (odd.length > 0) print(`\nSanity rows (odd set-ups, never fitted):\n${printGroups(odd)}`);
  const leftOut = readLeftOut();
  if (values.rows === undefined && leftOut !== undefined) print(`\n${printLeftOut(leftOut)}`);
  print(
    "\nPeers on the same rows, and refused set-ups counted as off by a factor of 3 (floor: the data sheet's\n" +
      `largest of bytes and FLOPs an operator; fitted: times one factor a group):\n${peersTable(answers.filter(({ row }) => isMiddle(row) && row.split !== "sanity"))}`,
  );
  print(`\n${coverage(answers)}`);
  return 0;
}

function unread(answers: readonly Answer[]): string {
  const lines = answers.flatMap((its) =>
    "reason" in its && its.reason.startsWith("unread words")
      ? [`${its.row.id}  ${its.row.model}  ${its.reason}`]
      : [],
  );
  return lines.length === 0 ? "Every word of every row is read." : lines.join("\n");
}

function details(priced: readonly Priced[], group: string): string {
  const its = priced.filter(
    (one) => one.part.startsWith(group) || PARTS[one.part].startsWith(group),
  );
  return `${table([
    [
      "row",
      "model",
      "instance",
      "tp",
      "batch",
      "live",
      "in",
      "out",
      "metric",
      "measured",
      "predicted",
      "error",
      "in band",
      "notes",
    ],
    ...its.map((one) => [
      one.row.id,
      one.row.model.slice(0, 24),
      one.row.instance.slice(0, 14),
      one.row.tp,
      one.row.engineBatch,
      one.row.concurrency.slice(0, 22),
      one.row.inputLength.slice(0, 10),
      one.row.outputLength.slice(0, 6),
      `${one.row.metric} ${one.row.percentile}`,
      one.measured.toPrecision(4),
      one.predicted.toPrecision(4),
      `${((one.predicted / one.measured - 1) * 100).toFixed(1)}%`,
      { true: "yes", false: "no", undefined: "–" }[`${withinBand(one)}`],
      one.row.kernelNotes.slice(0, 20),
    ]),
  ])}\n`;
}

function coverage(answers: readonly Answer[]): string {
  const withConfig = answers.filter((its) =>
    "predicted" in its ? !/kernels|collectives|runtime/.test(its.part) : its.config,
  );
  const priced = withConfig.filter((its) => "predicted" in its);
  const reasons = new Map<string, number>();
  for (const its of answers) {
    if (!("reason" in its)) continue;
    const reason = its.reason.startsWith("no config")
      ? `${its.reason}: ${its.row.model}`
      : its.reason;
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  const share = ((100 * priced.length) / Math.max(1, withConfig.length)).toFixed(1);
  return [
    `${priced.length} of ${withConfig.length} rows (${share}%) whose model has a config are priced; ${answers.filter((its) => "predicted" in its).length} of ${answers.length} in all. Not priced:`,
    ...[...reasons]
      .sort((a, b) => b[1] - a[1])
      .map(([reason, count]) => `  ${String(count).padStart(4)}  ${reason}`),
  ].join("\n");
}
