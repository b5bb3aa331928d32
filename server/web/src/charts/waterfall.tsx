/** From one whole to another, a bar a step: what each adds or takes. */
import { useRef } from "preact/hooks";
import { Exports, standalone } from "../exports.tsx";
import { useWidth } from "../use-width.ts";
import "./waterfall.css";

/** px */
const ROW = 24;

interface Named {
  readonly name: string;
  readonly value: number;
}

export function Waterfall(parts: {
  readonly title: string;
  readonly note?: string;
  readonly from: Named;
  readonly to?: Named;
  /** Changes, in order. */
  readonly steps: readonly Named[];
  readonly text: (value: number) => string;
  /** Absent: what is added has a plus. */
  readonly unsigned?: boolean;
}) {
  const { title, note, from, to, steps, text } = parts;
  const place = useRef<SVGSVGElement>(null);
  const width = Math.max(260, useWidth(place, 640));
  const rows = rowsOf(from, steps, to);
  const { names, x } = scaleOf(rows, width);
  const height = rows.length * ROW + 4;
  const signed = (row: Row): string =>
    row.kind === "more" && parts.unsigned !== true ? `+${text(row.value)}` : text(row.value);
  return (
    <section class="panel waterfall" aria-label={title}>
      <header>
        <h2>{title}</h2>
        {note !== undefined && <span class="note">{note}</span>}
        <Exports
          title={title}
          head={["step", "value"]}
          rows={() => rows.map((row) => [row.name, row.value])}
          drawing={() => standalone(place.current)}
        />
      </header>
      <svg ref={place} height={height} role="img">
        <title>{`${title}: ${rows.map((row) => `${row.name} ${text(row.value)}`).join(", ")}`}</title>
        {rows.map((row, index) => {
          const [left, right] = [x(Math.min(row.start, row.end)), x(Math.max(row.start, row.end))];
          return (
            <g key={row.name} transform={`translate(0 ${index * ROW})`}>
              <text x={names - 10} y="15" text-anchor="end" class="name">
                {row.name}
              </text>
              <rect
                class={row.kind}
                x={left}
                y="3"
                width={Math.max(1, right - left)}
                height="17"
                rx="2"
              />
              <text x={right + 6} y="15" class="value">
                {signed(row)}
              </text>
            </g>
          );
        })}
      </svg>
    </section>
  );
}

/** Where names end and where a value lies, px: room for the longest name, and for a figure after the bar. */
function scaleOf(
  rows: readonly Row[],
  width: number,
): { readonly names: number; readonly x: (value: number) => number } {
  const high = Math.max(...rows.map(({ start, end }) => Math.max(start, end)));
  const low = Math.min(0, ...rows.map(({ start, end }) => Math.min(start, end)));
  const names = Math.min(0.42 * width, 16 + 6.2 * Math.max(...rows.map(({ name }) => name.length)));
  const room = width - names - 84;
  return { names, x: (value) => names + ((value - low) / (high - low || 1)) * room };
}

interface Row extends Named {
  readonly kind: "whole" | "more" | "less";
  readonly start: number;
  readonly end: number;
}

function rowsOf(from: Named, steps: readonly Named[], to: Named | undefined): readonly Row[] {
  let at = from.value;
  const rows: Row[] = [{ ...from, kind: "whole", start: 0, end: from.value }];
  for (const step of steps) {
    if (step.value === 0) continue;
    rows.push({
      ...step,
      kind: step.value > 0 ? "more" : "less",
      start: at,
      end: at + step.value,
    });
    at += step.value;
  }
  if (to !== undefined) rows.push({ ...to, kind: "whole", start: 0, end: to.value });
  return rows;
}
