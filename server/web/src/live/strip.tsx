/** A quantity over time: at most one value a pixel is drawn, the largest in it. */
import { useRef } from "preact/hooks";
import { Exports, standalone } from "../exports.tsx";
import { useWidth } from "../use-width.ts";

export interface StripLine {
  readonly name: string;
  /** A colour of the page's style, e.g. `--blue`. */
  readonly colour: string;
  readonly of: (index: number) => number;
}

export interface StripParts {
  readonly title: string;
  readonly unit: string;
  /** Seconds of each value, ascending. */
  readonly times: (index: number) => number;
  readonly count: number;
  readonly from: number;
  readonly to: number;
  readonly lines: readonly StripLine[];
  readonly text: (value: number) => string;
  /** The least that the scale reaches. */
  readonly atLeast?: number;
}

export function Strip(parts: StripParts) {
  const { title, unit, lines, text, count, times, from, to } = parts;
  const place = useRef<SVGSVGElement>(null);
  const width = Math.max(120, useWidth(place, 480));
  return (
    <section class="panel strip" aria-label={title}>
      <header>
        <h2>{title}</h2>
        <ul class="legend">
          {lines.map(({ name, colour, of }) => (
            <li key={name}>
              <i style={{ background: `var(${colour})` }} />
              {name} <b class="number">{count > 0 ? text(of(count - 1)) : "–"}</b>
            </li>
          ))}
        </ul>
        <Exports
          title={title}
          head={["seconds", ...lines.map(({ name }) => `${name} (${unit})`)]}
          rows={() =>
            Array.from({ length: count }, (_, index) => [
              times(index),
              ...lines.map(({ of }) => of(index)),
            ]).filter(([at = 0]) => at >= from && at <= to)
          }
          drawing={() => standalone(place.current)}
        />
      </header>
      <Drawn parts={parts} width={width} place={place} />
    </section>
  );
}

const HEIGHT = 104;
/** Under the lines, for the times. */
const FOOT = 16;
/** Seconds without a value that end a line. */
const PAUSE = 1.2;

function Drawn(its: {
  readonly parts: StripParts;
  readonly width: number;
  readonly place: { current: SVGSVGElement | null };
}) {
  const { parts, width, place } = its;
  const { title, lines, text, from, to, atLeast = 1e-9 } = parts;
  const columns = lines.map(({ of }) => columnsOf(parts, of, width));
  const high = Math.max(atLeast, ...columns.flatMap((column) => column.map(({ value }) => value)));
  const y = (value: number): number => HEIGHT - FOOT - (value / high) * (HEIGHT - FOOT - 18);
  const ground = HEIGHT - FOOT;
  const pause = Math.max(2, (PAUSE / (to - from)) * width);
  return (
    <svg ref={place} height={HEIGHT} role="img">
      <title>{`${title} over ${Math.round(to - from)} seconds, at most ${text(high)}`}</title>
      <path
        class="grid"
        d={`M0 ${y(high)}H${width}M0 ${y(high / 2)}H${width}M0 ${ground}H${width}`}
      />
      <text x="0" y={y(high) - 4}>
        {text(high)}
      </text>
      <text x="0" y={HEIGHT - 3}>{`−${Math.round(to - from)} s`}</text>
      <text x={width} y={HEIGHT - 3} text-anchor="end">
        0
      </text>
      {columns.map((column, index) => {
        const runs = runsOf(column, pause);
        const stroke = `var(${lines[index]?.colour ?? "--blue"})`;
        return (
          <g key={lines[index]?.name} style={{ stroke, fill: stroke }}>
            <path class="area" d={runs.map((run) => areaOf(run, y, ground)).join("")} />
            <path class="line" d={runs.map((run) => lineOf(run, y)).join("")} />
          </g>
        );
      })}
    </svg>
  );
}

interface Column {
  /** px */
  readonly x: number;
  readonly value: number;
}

/** The largest value in each pixel that has one. */
function columnsOf(
  { times, count, from, to }: StripParts,
  of: (index: number) => number,
  width: number,
): readonly Column[] {
  const most = new Map<number, number>();
  for (let index = 0; index < count; index++) {
    const x = Math.floor(((times(index) - from) / (to - from)) * width);
    if (x < 0 || x > width) continue;
    const value = of(index);
    if (Number.isFinite(value)) most.set(x, Math.max(most.get(x) ?? value, value));
  }
  return [...most].map(([x, value]) => ({ x, value }));
}

/** Cut where nothing came for a while. */
function runsOf(columns: readonly Column[], pause: number): readonly (readonly Column[])[] {
  const runs: Column[][] = [];
  for (const column of columns) {
    const run = runs.at(-1);
    if (run === undefined || column.x - (run.at(-1)?.x ?? 0) > pause) runs.push([column]);
    else run.push(column);
  }
  return runs;
}

const pointsOf = (run: readonly Column[], y: (value: number) => number): string =>
  run.map(({ x, value }) => `${x} ${y(value).toFixed(1)}`).join("L");

const lineOf = (run: readonly Column[], y: (value: number) => number): string =>
  `M${pointsOf(run, y)}${run.length === 1 ? "h1" : ""}`;

function areaOf(run: readonly Column[], y: (value: number) => number, ground: number): string {
  return `M${run[0]?.x ?? 0} ${ground}L${pointsOf(run, y)}V${ground}Z`;
}
