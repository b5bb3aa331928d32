/** Writes a sweep's report: the pages on it, CSV, InferenceX rows, each figure as SVG, the opening ones as PNG. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { rowsJson } from "../load/column.ts";
import { COLUMNS } from "./columns.ts";
import { inferenceXRow, sweepCsv } from "./csv.ts";
import { drawFigure, FIGURE } from "./figure.ts";
import { sweepFigures } from "./figures.ts";
import { sideBySide, svgToPng } from "./png.ts";
import type { Point } from "./point.ts";
import { canSavePages, savedPage } from "./saved-page.ts";
import type { SavedState } from "./saved-state.ts";

export interface ReportInput {
  readonly title: string;
  /** How to make it again. */
  readonly command: string;
  readonly points: readonly Point[];
  /** What the reader should know of the runs, one sentence each. */
  readonly notes: readonly string[];
}

/** Names of the files, in the order of `sweepFigures`, cut to what is there. */
function figureName(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");
}

/** Paths written; `report.html` is among them where the pages are built. */
export async function writeReport(folder: string, input: ReportInput): Promise<string[]> {
  await mkdir(join(folder, "figures"), { recursive: true });
  const figures = sweepFigures(input.points).map((figure) => ({
    name: figureName(figure.title),
    title: figure.title,
    svg: drawFigure(figure),
  }));
  const files: (readonly [string, string | Uint8Array])[] = [
    ...(canSavePages() ? [["report.html", savedPage(stateOf(input))] as const] : []),
    ["sweep.csv", sweepCsv(input.points)],
    [
      "sweep.json",
      `${JSON.stringify({ title: input.title, command: input.command, ...rowsJson(COLUMNS, input.points) }, null, 1)}\n`,
    ],
    ["inferencex.json", `${JSON.stringify(input.points.map(inferenceXRow), null, 1)}\n`],
    ...figures.map(({ name, svg }) => [`figures/${name}.svg`, svg] as const),
  ];
  const opening = figures.filter(({ title }) => /^(Users|Output)/.test(title));
  const height = Math.max(
    ...opening.map(({ svg }) => Number(/ height="(\d+)"/.exec(svg)?.[1] ?? FIGURE.height)),
  );
  const poster = sideBySide(
    opening.map(({ svg }) => svg),
    FIGURE.width,
    height,
    3,
  );
  files.push(["curve.svg", poster], ["curve.png", svgToPng(poster)]);
  for (const [name, content] of files) await writeFile(join(folder, name), content);
  return files.map(([name]) => join(folder, name)).filter((path) => !path.includes("figures/"));
}

function stateOf({ title, command, points, notes }: ReportInput): SavedState {
  return { title, command, notes, link: "#/curves", runs: [{ name: "sweep", points }] };
}
