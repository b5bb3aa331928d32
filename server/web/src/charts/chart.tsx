/** One figure, drawn by the page, with a reading of every line at the cursor. */
import { useEffect, useRef, useState } from "preact/hooks";
import { type Figure, plotFigure, tickText } from "../../../../scripts/report/plot.ts";
import { readFigure } from "../../../../scripts/report/reading.ts";
import { Exports, standalone } from "../exports.tsx";
import { theme } from "../theme.ts";
import "./chart.css";
import { paletteColour } from "./palette.ts";

export interface ChartParts {
  readonly figure: Figure;
  /** A value of x that a line marks and the reading names; absent: the pointer's alone. */
  readonly cursor?: number | undefined;
  readonly height?: number;
}

export function Chart({ figure, cursor, height = 330 }: ChartParts) {
  const box = useRef<HTMLDivElement>(null);
  const [pointer, setPointer] = useState<number>();
  const look = theme.value;
  useEffect(() => {
    const place = box.current;
    if (place === null) return;
    const draw = (): void => {
      const style = getComputedStyle(place);
      const plot = plotFigure(figure, {
        document,
        width: Math.max(280, place.clientWidth),
        height: Math.min(height, Math.max(240, place.clientWidth * 0.62)),
        font: style.fontFamily,
        paper: style.getPropertyValue("--panel").trim(),
        ink: style.getPropertyValue("--soft").trim(),
        colourOf: paletteColour,
        ...(cursor !== undefined && { cursor }),
      });
      plot.addEventListener("pointermove", (event) => {
        const { offsetX } = event as PointerEvent;
        setPointer(plot.scale("x")?.invert?.(offsetX) as number | undefined);
      });
      plot.addEventListener("pointerleave", () => setPointer(undefined));
      plot.setAttribute("aria-hidden", "true"); // the place around it says what it shows
      place.replaceChildren(plot);
    };
    draw();
    const watch = new ResizeObserver(draw);
    watch.observe(place);
    return () => watch.disconnect();
  }, [figure, look, cursor, height]);
  const at = pointer ?? cursor;
  return (
    <figure class="panel chart">
      <header>
        <div>
          <h2>{figure.title}</h2>
          <p class="note">{figure.subtitle}</p>
        </div>
        <Exports
          title={figure.title}
          head={["line", figure.x.label, figure.y.label]}
          rows={() =>
            figure.series.flatMap((line) => line.points.map(({ x, y }) => [line.name, x, y]))
          }
          drawing={() => standalone(box.current?.querySelector("svg") ?? null)}
        />
      </header>
      <Legend series={figure.series} />
      <div ref={box} class="plot" role="img" aria-label={`${figure.title}. ${figure.subtitle}`} />
      <p class="note number reading">{at === undefined ? "" : textOf(figure, at)}</p>
    </figure>
  );
}

/** Names beside their colours, where there are names. */
function Legend({ series }: Pick<Figure, "series">) {
  if (!series.some(({ name }) => name !== "")) return null;
  return (
    <ul class="legend">
      {series.map((line, index) => (
        <li key={line.name}>
          <svg viewBox="0 0 18 6" aria-hidden="true">
            {line.loose === true ? (
              <circle cx="9" cy="3" r="2.6" fill={paletteColour(line.colour ?? index)} />
            ) : (
              <line
                x1="0"
                x2="18"
                y1="3"
                y2="3"
                stroke={paletteColour(line.colour ?? index)}
                stroke-width="2.5"
                stroke-dasharray={line.dash ?? "none"}
              />
            )}
          </svg>
          {line.name}
        </li>
      ))}
    </ul>
  );
}

function textOf(figure: Figure, x: number): string {
  const found = readFigure(figure, x).map(({ name, y }) => `${name} ${tickText(y)}`);
  return found.length === 0 ? "" : `at ${tickText(x)}: ${found.join(" · ")}`;
}
