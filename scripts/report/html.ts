/** The report of a sweep: one HTML file that needs nothing else, figures first. */
import { columnsOf, type PointColumn, shownCell } from "./columns.ts";
import { DARK, drawFigure, escapeXml, FIGURE, type FigureSize, NARROW } from "./figure.ts";
import { sweepFigures } from "./figures.ts";
import type { Figure } from "./plot.ts";
import { INTERACTIVITY, type Point, seriesOf, usersAt } from "./point.ts";

export interface ReportInput {
  readonly title: string;
  /** How to make it again. */
  readonly command: string;
  readonly points: readonly Point[];
  /** What the reader should know of the runs, one sentence each. */
  readonly notes: readonly string[];
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1a1a1a; --soft: #666; --line: #e3e3e3; --back: #fafafa; --card: #fff; --head: #f3f3f3; --grid: #444; --warn: #fff3d6; --warn-line: #ecd28c; --warn-ink: #6d5200; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececec; --soft: #a8a8a8; --line: #3a3a3a; --back: #161616; --card: #1f1f1f; --head: #2a2a2a; --grid: #bbb; --warn: #3d3210; --warn-line: #6d5a1e; --warn-ink: #f2d98a; }
${Object.entries(DARK)
  .map(
    ([light, dark]) =>
      `  figure [stroke="${light}"] { stroke: ${dark}; } figure [fill="${light}"] { fill: ${dark}; }`,
  )
  .join("\n")}
}
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, "DejaVu Sans", Helvetica, Arial, sans-serif; color: var(--ink); background: var(--back); }
main { max-width: 1320px; margin: 0 auto; padding: 28px 24px 60px; }
h1 { font-size: 26px; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 18px; margin: 38px 0 6px; }
p { margin: 6px 0; max-width: 80ch; }
.soft { color: var(--soft); }
code, pre { font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 10px 12px; overflow-x: auto; white-space: pre-wrap; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 560px), 1fr)); gap: 16px; margin: 14px 0; }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 8px; }
h3 { font-size: 15px; margin: 10px 0 4px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 22px; overflow-x: auto; }
.card table { margin: 8px 0 18px; }
figure > svg { width: 100%; height: auto; display: block; }
figure > svg.narrow { display: none; }
@media (max-width: 560px) {
  main { padding: 16px 12px 40px; }
  figure > svg.wide { display: none; }
  figure > svg.narrow { display: block; }
  .card { padding: 10px 12px; }
  h1 { font-size: 21px; overflow-wrap: anywhere; }
}
/* The figures are drawn for paper, since they are files too: on this page they take its colours. */
figure svg svg { background: none !important; color: var(--grid) !important; }
figure [fill="#fff"] { fill: var(--card); } figure [stroke="#fff"] { stroke: var(--card); }
figure text[fill="#1a1a1a"], figure text[fill="#333"] { fill: var(--ink); } figure text[fill="#666"] { fill: var(--soft); }
table { border-collapse: collapse; background: var(--card); font-variant-numeric: tabular-nums; font-size: 13px; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; background: var(--card); }
th, td { padding: 5px 10px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { position: sticky; top: 0; background: var(--head); font-weight: 600; }
th:first-child, td:first-child { text-align: left; }
tr:last-child td { border-bottom: 0; }
ul.notices { margin: 6px 0; padding-left: 20px; }
.badge { display: inline-block; border-radius: 10px; padding: 1px 9px; font-size: 12px; background: var(--warn); border: 1px solid var(--warn-line); color: var(--warn-ink); vertical-align: 3px; margin-left: 8px; }
`;

export function reportHtml(input: ReportInput): string {
  const { points } = input;
  const figures = sweepFigures(points);
  const perChip = points.some((point) => point.chips !== undefined);
  const opening = perChip ? 3 : 2;
  const simulated = points.some((point) => point.simulated);
  const pictures = (from: number, to: number, beside = ""): string =>
    `<div class="figures">${figures
      .slice(from, to)
      .map(
        (figure) =>
          `<figure>${classed(figure, FIGURE, "wide")}${classed(figure, NARROW, "narrow")}</figure>`,
      )
      .join("\n")}${beside === "" ? "" : `<div class="card">${beside}</div>`}</div>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeXml(input.title)}</title><style>${STYLE}</style></head><body><main>
<h1>${escapeXml(input.title)}${simulated ? '<span class="badge">simulated, not measured</span>' : ""}</h1>
<p class="soft">${points.length} points. ${escapeXml(input.notes.join(" "))}</p>
${pictures(0, opening, usersTable(points))}
<h2>One run, three definitions of interactivity</h2>
${pictures(opening, opening + 3, definitions())}
<h2>Latency</h2>
${pictures(opening + 3, figures.length)}
<h2>Points</h2>
${pointTable(points)}
<h2>What to mind</h2>
${noticeList(points)}
<h2>Make it again</h2>
<pre>${escapeXml(input.command)}</pre>
</main></body></html>
`;
}

/** One of the two drawings that the page chooses from by its width. */
function classed(figure: Figure, size: FigureSize, name: "wide" | "narrow"): string {
  return drawFigure(figure, size).replace("<svg ", `<svg class="${name}" `);
}

/** Rates at which people compare systems; those that no system reaches are left out. */
const RATES = [10, 20, 30, 50, 75, 100, 150, 200, 300];

function usersTable(points: readonly Point[]): string {
  const names = seriesOf(points);
  const rates = RATES.map((rate) => ({
    rate,
    users: names.map((name) => usersAt(pointsOf(points, name), rate)),
  })).filter(({ users }) => users.some((value) => value !== undefined));
  const peaks = names.map((name) => {
    const best = pointsOf(points, name).reduce((a, b) =>
      b.outputThroughput > a.outputThroughput ? b : a,
    );
    const chip =
      best.chips === undefined ? "" : `, ${fixed(best.outputThroughput / best.chips, 0)} a chip`;
    return `<tr><td>${escapeXml(name)}</td><td>${fixed(best.outputThroughput, 0)} tokens/s at ${best.concurrency} users${chip}</td></tr>`;
  });
  const head = rates.map(({ rate }) => `<th scope="col">${rate}</th>`).join("");
  const rows = names
    .map((name, line) => {
      const cells = rates.map(({ users }) => {
        const value = users[line];
        return `<td>${value === undefined ? "–" : fixed(value, value < 10 ? 1 : 0)}</td>`;
      });
      return `<tr><td>${escapeXml(name)}</td>${cells.join("")}</tr>`;
    })
    .join("");
  return `<h3>Users served at a given speed</h3>
<p class="soft">Between the two points around it; – where the sweep does not reach.</p>
<table><thead><tr><th scope="col">tokens/s/user</th>${head}</tr></thead><tbody>${rows}</tbody></table>
<h3>Highest output</h3><table><tbody>${peaks.join("")}</tbody></table>`;
}

function pointsOf(points: readonly Point[], series: string): Point[] {
  return points.filter((point) => point.series === series);
}

function definitions(): string {
  const items = Object.values(INTERACTIVITY)
    .map((definition) => `<li><b>${definition.name}</b>: ${escapeXml(definition.formula)}</li>`)
    .join("");
  return `<h3>Never mix them in one plot</h3>
<p>Tools mean different things by tokens/s/user. The definitions differ by the share of the first token, and their charts by whether input tokens count. Each has its own plot here, with its formula on the axis:</p>
<ul>${items}</ul>
<p class="soft">InferenceX counts input and output tokens a chip; vLLM (<code>bench sweep plot_pareto</code>) and aiperf count output tokens. aiperf draws throughput across and speed up.</p>`;
}

const COLUMNS = columnsOf("html");

function pointTable(points: readonly Point[]): string {
  const head = COLUMNS.map(({ title, better, formula }) => {
    const meaning = [
      ...(formula === undefined ? [] : [formula]),
      ...(better === undefined ? [] : [`${better} is better`]),
    ].join("; ");
    return `<th scope="col"${meaning === "" ? "" : ` title="${escapeXml(meaning)}"`}>${title ?? ""}</th>`;
  }).join("");
  const cell = (column: PointColumn, point: Point): string => {
    const { text, band } = shownCell(column, point, fixed);
    return `<td>${escapeXml(text)}${band === undefined ? "" : ` <span class="soft">(${band})</span>`}</td>`;
  };
  const rows = points
    .map((point) => `<tr>${COLUMNS.map((column) => cell(column, point)).join("")}</tr>`)
    .join("\n");
  return `<div class="scroll" role="region" aria-label="All points" tabindex="0"><table><thead><tr>${head}</tr></thead><tbody>${rows}</tbody></table></div>`;
}

/** The same notice of several points is printed once, with the points that it is about. */
function noticeList(points: readonly Point[]): string {
  const byCode = new Map<string, { text: string; where: string[] }>();
  for (const point of points) {
    for (const notice of point.notices) {
      const entry = byCode.get(notice.code) ?? { text: notice.text, where: [] };
      entry.where.push(`${point.series} at ${point.concurrency}`);
      byCode.set(notice.code, entry);
    }
  }
  if (byCode.size === 0) {
    return "<p>Nothing was noticed: prompts distinct, concurrency held, lengths as asked, no preemption.</p>";
  }
  const items = [...byCode].map(([code, { text, where }]) => {
    const others = where.length > 1 ? ` (and ${where.length - 1} more points)` : "";
    return `<li><b>${escapeXml(code)}</b>, ${escapeXml(where[0] ?? "")}${others}: ${escapeXml(text)}</li>`;
  });
  return `<ul class="notices">${items.join("\n")}</ul>`;
}

function fixed(value: number, digits: number): string {
  return Number.isFinite(value)
    ? value.toLocaleString("en-US", {
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
      })
    : "–";
}
