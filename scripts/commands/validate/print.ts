/** What `trainyard validate` says of all answers, as text. */

import { table } from "../../report/table.ts";
import { peersTable } from "./json.ts";
import { printLeftOut, readLeftOut } from "./left-out-report.ts";
import { type Answer, PARTS, type Priced } from "./price.ts";
import { isMiddle } from "./read/metric.ts";
import { printGroups, withinBand } from "./report.ts";

/** Errors by group, tails and odd set-ups apart; with the ones left out where the rows are the project's. */
export function overview(answers: readonly Answer[], own: boolean): readonly string[] {
  const priced = pricedOf(answers);
  const middle = priced.filter((its) => isMiddle(its.row) && its.row.split !== "sanity");
  const tails = priced.filter((its) => !isMiddle(its.row));
  const odd = priced.filter((its) => its.row.split === "sanity" && isMiddle(its.row));
  const leftOut = own ? readLeftOut() : undefined;
  const compared = answers.filter(({ row }) => isMiddle(row) && row.split !== "sanity");
  return [
    "Predicted against measured (mean or p50), mean error per set-up; 90% bootstrap interval over set-ups;\n" +
      "in band: rows within the 80% band of their prediction, which comes from rows left out of the fit;\n" +
      "baseline: 0.85 × bytes / peak HBM + 0.180 ms a layer, FLOPs at half of peak, a law of one prefill at\n" +
      "a time, bytes over link or DMA peak. Runtime rows are their constants' own sources.\n",
    printGroups(middle),
    ...(tails.length === 0
      ? []
      : [
          `\nTails (p90, p99, extremes) against the predicted ones (static rows: the mean):\n${printGroups(tails)}`,
        ]),
    ...(odd.length === 0
      ? []
      : [`\nSanity rows (odd set-ups, never fitted):\n${printGroups(odd)}`]),
    ...(leftOut === undefined ? [] : [`\n${printLeftOut(leftOut)}`]),
    "\nPeers on the same rows, and refused set-ups counted as off by a factor of 3 (floor: the data sheet's\n" +
      `largest of bytes and FLOPs an operator; fitted: times one factor a group):\n${peersTable(compared)}`,
    `\n${coverage(answers)}`,
  ];
}

export function pricedOf(answers: readonly Answer[]): readonly Priced[] {
  return answers.filter((its): its is Priced => "predicted" in its);
}

/** Rows some of whose words no rule reads. */
export function unread(answers: readonly Answer[]): string {
  const lines = answers.flatMap((its) =>
    "reason" in its && its.reason.startsWith("unread words")
      ? [`${its.row.id}  ${its.row.model}  ${its.reason}`]
      : [],
  );
  return lines.length === 0 ? "Every word of every row is read." : lines.join("\n");
}

/** Every row of a group. */
export function details(priced: readonly Priced[], group: string): string {
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
