/** One chart as SVG text: a title, a legend, and the plot below. */
import { parseHTML } from "linkedom";
import { colourOf, type Figure, type Line, linesOf, plotFigure } from "./plot.ts";

export const FIGURE = { width: 620, height: 420, head: 64 };
const FONT = "system-ui, 'DejaVu Sans', Helvetica, Arial, sans-serif";

export function drawFigure(figure: Figure): string {
  const series = linesOf(figure, colourOf);
  const legend = legendRows(series);
  const head = FIGURE.head + (legend.rows - 1) * 17;
  const body = plotSvg(figure);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${FIGURE.width}" height="${FIGURE.height + head}" viewBox="0 0 ${FIGURE.width} ${FIGURE.height + head}" role="img" aria-label="${escapeXml(`${figure.title}. ${figure.subtitle}`)}" font-family="${FONT}">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="14" y="21" font-size="15" font-weight="600" fill="#1a1a1a">${escapeXml(figure.title)}</text>`,
    `<text x="14" y="39" font-size="11" fill="#666">${escapeXml(figure.subtitle)}</text>`,
    legend.svg,
    `<g transform="translate(0 ${head})">${body}</g>`,
    "</svg>",
  ].join("");
}

function plotSvg(figure: Figure): string {
  const { document } = parseHTML("<html><body></body></html>");
  const svg = plotFigure(figure, {
    document, // linkedom has what Plot calls
    width: FIGURE.width,
    height: FIGURE.height,
    font: FONT,
    paper: "#fff",
    ink: "#444",
    colourOf,
  });
  return (svg as unknown as { outerHTML: string }).outerHTML;
}

function legendRows(entries: readonly Line[]): {
  svg: string;
  rows: number;
} {
  let x = 14;
  let rows = 1;
  const parts: string[] = [];
  for (const { name, colour, dash } of entries) {
    const width = 32 + name.length * 6.3;
    if (x > 14 && x + width > FIGURE.width - 10) {
      x = 14;
      rows++;
    }
    const y = 56 + (rows - 1) * 17;
    parts.push(
      `<line x1="${x}" x2="${x + 18}" y1="${y - 5}" y2="${y - 5}" stroke="${colour}" stroke-width="2.5"${dash === undefined ? "" : ` stroke-dasharray="${dash}"`}/>`,
      `<text x="${x + 23}" y="${y - 1}" font-size="11" fill="#333">${escapeXml(name)}</text>`,
    );
    x += width;
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
