/** What a page made, as files: SVG as it is drawn, PNG at twice its size, CSV. */

const READ_WITHIN_MS = 60_000;

export function saveAs(name: string, blob: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = fileName(name);
  link.click();
  // Browsers read the file after the click; Safari saves nothing of an address that is gone by then.
  setTimeout(() => URL.revokeObjectURL(link.href), READ_WITHIN_MS);
}

const fileName = (name: string): string => name.replaceAll(/[^\w.+-]+/g, "-").toLowerCase();

export function saveSvg(name: string, svg: string): void {
  saveAs(`${name}.svg`, new Blob([svg], { type: "image/svg+xml" }));
}

export async function savePng(name: string, svg: string, size: Size): Promise<void> {
  const image = new Image();
  const url = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = 2 * size.width;
  canvas.height = 2 * size.height;
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(url);
  saveCanvas(name, canvas);
}

function saveCanvas(name: string, canvas: HTMLCanvasElement): void {
  canvas.toBlob((blob) => blob !== null && saveAs(`${name}.png`, blob));
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export type Field = string | number;

/** Numbers as they are, not as they are shown. */
export function csvOf(head: readonly string[], rows: readonly (readonly Field[])[]): string {
  const field = (value: Field): string => {
    if (typeof value === "number") return Number.isFinite(value) ? String(value) : "";
    return /[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
  };
  return `${[head, ...rows].map((row) => row.map(field).join(",")).join("\n")}\n`;
}

export function saveCsv(
  name: string,
  head: readonly string[],
  rows: readonly (readonly Field[])[],
): void {
  saveAs(`${name}.csv`, new Blob([csvOf(head, rows)], { type: "text/csv" }));
}

const escapeXml = (text: string): string =>
  text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");

const ROW = 22;
const LETTER = 6.7;

/** A table as a drawing, in the page's colours. */
export function tableSvg(
  title: string,
  head: readonly string[],
  rows: readonly (readonly { readonly text: string; readonly right: boolean }[])[],
): { readonly svg: string; readonly size: Size } {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const widths = head.map(
    (name, column) =>
      26 + LETTER * Math.max(name.length, ...rows.map((row) => row[column]?.text.length ?? 0)),
  );
  const lefts = widths.map((_, column) =>
    widths.slice(0, column).reduce((sum, width) => sum + width, 14),
  );
  const width = Math.max(240, Math.ceil(widths.reduce((sum, its) => sum + its, 28)));
  const height = 64 + rows.length * ROW;
  const text = (at: { x: number; y: number; end: boolean; fill: string }, words: string): string =>
    `<text x="${at.x}" y="${at.y}" fill="${at.fill}"${at.end ? ' text-anchor="end"' : ""}>${escapeXml(words)}</text>`;
  const line = (column: number, y: number, words: string, right: boolean, fill: string): string => {
    const left = lefts[column] ?? 0;
    const x = right ? left + (widths[column] ?? 0) - 20 : left;
    return text({ x, y, end: right, fill }, words);
  };
  const isRight = (column: number): boolean => rows[0]?.[column]?.right === true;
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${escapeXml(colour("--mono"))}" font-size="11">`,
    `<rect width="100%" height="100%" fill="${colour("--panel")}"/>`,
    text({ x: 14, y: 22, end: false, fill: colour("--ink") }, title),
    ...head.map((name, column) => line(column, 46, name, isRight(column), colour("--faint"))),
    ...rows.flatMap((row, index) =>
      row.map((cell, column) =>
        line(column, 46 + (index + 1) * ROW, cell.text, cell.right, colour("--ink")),
      ),
    ),
    "</svg>",
  ].join("");
  return { svg, size: { width, height } };
}
