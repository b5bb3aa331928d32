/** A chart in braille dots for the terminal: 2 × 4 dots a cell, one letter a series at its points. */

export interface TerminalSeries {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface TerminalOptions {
  readonly width?: number;
  readonly height?: number;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly logX?: boolean;
  readonly logY?: boolean;
}

const BRAILLE = 0x2800;
/** Bit of each dot, [column][row]. */
const DOTS = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const;

export function terminalChart(series: readonly TerminalSeries[], options: TerminalOptions): string {
  const width = options.width ?? 64;
  const height = options.height ?? 16;
  const along = scale(series, (point) => point.x, options.logX === true, false);
  const up = scale(series, (point) => point.y, options.logY === true, true);
  const cells = Array.from({ length: height }, () => new Uint8Array(width));
  const letters = Array.from({ length: height }, () => new Array<string>(width).fill(""));
  const place = (point: { x: number; y: number }): [number, number] => [
    Math.round(along.of(point.x) * (width * 2 - 1)),
    Math.round((1 - up.of(point.y)) * (height * 4 - 1)),
  ];
  for (const [index, line] of series.entries()) {
    const drawn = line.points.map(place);
    for (const [at, [x, y]] of drawn.entries()) {
      const before = drawn[at - 1];
      if (before !== undefined) stroke(cells, before, [x, y]);
      const row = letters[y >> 2];
      if (row !== undefined) row[x >> 1] = letterOf(index);
    }
  }
  const left = Math.max(up.top.length, up.bottom.length);
  const lines = cells.map((row, index) => {
    const label = index === 0 ? up.top : index === height - 1 ? up.bottom : "";
    const body = Array.from(row, (bits, column) => {
      const letter = letters[index]?.[column] ?? "";
      return letter === "" ? String.fromCodePoint(BRAILLE + bits) : letter;
    }).join("");
    return `${label.padStart(left)} │${body}`;
  });
  const gap = " ".repeat(Math.max(1, width - along.bottom.length - along.top.length));
  return [
    options.yLabel,
    ...lines,
    `${" ".repeat(left)} └${"─".repeat(width)}`,
    `${" ".repeat(left + 2)}${along.bottom}${gap}${along.top}`,
    `${" ".repeat(left + 2)}${options.xLabel}`,
    ...series.map((line, index) => `${" ".repeat(left + 2)}${letterOf(index)} ${line.name}`),
  ].join("\n");
}

function letterOf(index: number): string {
  return String.fromCharCode(65 + (index % 26));
}

function scale(
  series: readonly TerminalSeries[],
  pick: (point: { x: number; y: number }) => number,
  log: boolean,
  fromZero: boolean,
): { of: (value: number) => number; top: string; bottom: string } {
  const values = series
    .flatMap((line) => line.points.map(pick))
    .filter((value) => Number.isFinite(value));
  const low = fromZero && !log ? 0 : Math.min(...values);
  const high = Math.max(...values);
  const map = (value: number): number => (log ? Math.log2(value) : value);
  const span = map(high) - map(low);
  return {
    of: (value) => (span > 0 ? Math.max(0, Math.min(1, (map(value) - map(low)) / span)) : 0.5),
    top: String(Number(high.toPrecision(4))),
    bottom: String(Number(low.toPrecision(4))),
  };
}

/** Bresenham's line in dots. */
function stroke(
  cells: readonly Uint8Array[],
  from: readonly [number, number],
  to: readonly [number, number],
): void {
  let [x, y] = from;
  const dx = Math.abs(to[0] - x);
  const dy = -Math.abs(to[1] - y);
  const stepX = x < to[0] ? 1 : -1;
  const stepY = y < to[1] ? 1 : -1;
  let error = dx + dy;
  for (;;) {
    const row = cells[y >> 2];
    const bit = (x & 1) === 0 ? DOTS[0][y & 3] : DOTS[1][y & 3];
    if (row !== undefined && bit !== undefined) row[x >> 1] = (row[x >> 1] ?? 0) | bit;
    if (x === to[0] && y === to[1]) return;
    const twice = 2 * error;
    if (twice >= dy) {
      error += dy;
      x += stepX;
    }
    if (twice <= dx) {
      error += dx;
      y += stepY;
    }
  }
}
