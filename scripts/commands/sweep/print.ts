/** The sweep in the terminal: one table, one chart. */
import { columnsOf, shownCell } from "../../report/columns.ts";
import { type Band, bandText, INTERACTIVITY, type Point, seriesOf } from "../../report/point.ts";
import { terminalChart } from "../../report/terminal.ts";

/** One block of rows a series; output tokens, interactivity as InferenceX defines it. */
export function sweepTable(points: readonly Point[]): string {
  const blocks: string[] = [];
  for (const series of seriesOf(points)) {
    const own = points.filter((point) => point.series === series);
    const first = own[0];
    if (first === undefined) continue;
    const title = `${titleOf(first)}, ${first.inputLen} in / ${first.outputLen} out${first.simulated ? " (simulated)" : ""}`;
    blocks.push(
      `${title}\n${aligned([COLUMNS.map(({ title }) => title ?? ""), ...own.map(cells)])}`,
    );
  }
  const { name, formula } = INTERACTIVITY.inferencex;
  const basis = points.flatMap(({ notices }) =>
    notices.filter(({ code }) => code === "extrapolated").map((notice) => notice.text),
  );
  const rests = [...new Set(basis)].map((text) => `${text}\n`).join("");
  return `${blocks.join("\n\n")}\n\n${rests}tokens/s/user: ${formula} (${name}); tokens/s: output tokens of the whole system.`;
}

/** All that is known of the line, whatever its name leaves out. */
function titleOf({ identity }: Point): string {
  const { model, workload: _workload, ...rest } = identity;
  return `${model ?? ""} on ${Object.values(rest)
    .filter((value) => value !== "")
    .join(" ")}`;
}

export function sweepTerminal(points: readonly Point[]): string {
  const series = seriesOf(points).map((name) => ({
    name: named(name, points.find((point) => point.series === name)?.band),
    points: points
      .filter((point) => point.series === name)
      .map((point) => ({ x: INTERACTIVITY.inferencex.of(point), y: point.concurrency })),
  }));
  return terminalChart(series, {
    xLabel: "tokens/s/user (1000 / median TPOT)",
    yLabel: "users",
    logY: true,
  });
}

const named = (name: string, band: Band | undefined): string =>
  band === undefined ? name : `${name} (80 % band: ${bandText(band)})`;

/** Columns padded to their widest cell, numbers to the right. */
export function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padStart(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const COLUMNS = columnsOf("terminal");

function cells(point: Point): string[] {
  return COLUMNS.map((column) => {
    const { text, band } = shownCell(column, point, (value, digits) => value.toFixed(digits));
    return band === undefined ? text : `${text} (${band})`;
  });
}
