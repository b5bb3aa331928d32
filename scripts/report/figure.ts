/** One chart as SVG text: a title, a legend, and the plot below, for paper. */
import { parseHTML } from "linkedom";
import { colourOf, type Figure, type Line, linesOf, plotFigure } from "./plot.ts";

/** Pixels; `height` is the drawing's, title and legend stand above it. */
export interface FigureSize {
  readonly width: number;
  readonly height: number;
}

/** As files, and on a screen. */
export const FIGURE: FigureSize = { width: 620, height: 420 };
const FONT = "system-ui, 'DejaVu Sans', Helvetica, Arial, sans-serif";

/** Widths of letters on average, in pixels: sizes 15 (bold) and 11. */
const LETTER = { title: 8.4, text: 6 };
const EDGE = 14;

export function drawFigure(figure: Figure, size: FigureSize = FIGURE): string {
  const series = linesOf(figure, colourOf);
  const room = size.width - 2 * EDGE;
  const titles = wrapped(figure.title, Math.floor(room / LETTER.title));
  const subtitles = wrapped(figure.subtitle, Math.floor(room / LETTER.text));
  const under = 8 + titles.length * 19 + subtitles.length * 15;
  const legend = legendRows(series, size.width, under + 15);
  const head = under + 5 + legend.rows * 17;
  const height = size.height + head;
  const body = plotSvg(figure, size);
  const lines = (texts: readonly string[], from: number, step: number, style: string): string =>
    texts
      .map(
        (text, row) =>
          `<text x="${EDGE}" y="${from + row * step}" ${style}>${escapeXml(text)}</text>`,
      )
      .join("");
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${height}" viewBox="0 0 ${size.width} ${height}" role="img" aria-label="${escapeXml(`${figure.title}. ${figure.subtitle}`)}" font-family="${FONT}">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    lines(titles, 21, 19, 'font-size="15" font-weight="600" fill="#1a1a1a"'),
    lines(subtitles, 20 + titles.length * 19, 15, 'font-size="11" fill="#666"'),
    legend.svg,
    `<g transform="translate(0 ${head})">${body}</g>`,
    "</svg>",
  ].join("");
}

/** Lines of at most so many letters, broken at spaces. */
function wrapped(text: string, letters: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines[lines.length - 1];
    if (last !== undefined && last.length + 1 + word.length <= letters) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}

function plotSvg(figure: Figure, size: FigureSize): string {
  const { document } = parseHTML("<html><body></body></html>");
  const svg = plotFigure(figure, {
    document, // linkedom has what Plot calls
    ...size,
    font: FONT,
    paper: "#fff",
    ink: "#444",
    colourOf,
  });
  return (svg as unknown as { outerHTML: string }).outerHTML;
}

function legendRows(
  entries: readonly Line[],
  width: number,
  top: number,
): { svg: string; rows: number } {
  let x = EDGE;
  let rows = 1;
  const parts: string[] = [];
  for (const { name, colour, dash } of entries) {
    const own = 38 + name.length * LETTER.text;
    if (x > EDGE && x + own > width - EDGE) {
      x = EDGE;
      rows++;
    }
    const y = top + (rows - 1) * 17;
    parts.push(
      `<line x1="${x}" x2="${x + 18}" y1="${y - 5}" y2="${y - 5}" stroke="${colour}" stroke-width="2.5"${dash === undefined ? "" : ` stroke-dasharray="${dash}"`}/>`,
      `<text x="${x + 23}" y="${y - 1}" font-size="11" fill="#333">${escapeXml(name)}</text>`,
    );
    x += own;
  }
  return { svg: parts.join(""), rows };
}

export function escapeXml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
