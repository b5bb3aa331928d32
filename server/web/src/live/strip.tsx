/** A quantity over time on a canvas: at most one value a pixel is drawn, the largest in it. */
import { useEffect, useRef } from "preact/hooks";
import { theme } from "../theme.ts";

export interface StripLine {
  readonly name: string;
  /** A colour of the page's style, e.g. `--blue`. */
  readonly colour: string;
  readonly of: (index: number) => number;
}

export function Strip(parts: {
  readonly title: string;
  /** Seconds of each value, ascending. */
  readonly times: (index: number) => number;
  readonly count: number;
  readonly from: number;
  readonly to: number;
  readonly lines: readonly StripLine[];
  readonly text: (value: number) => string;
}) {
  const { title, lines, text, count } = parts;
  const canvas = useRef<HTMLCanvasElement>(null);
  const look = theme.value;
  useEffect(() => {
    const place = canvas.current;
    if (place !== null) paint(place, parts);
  }, [parts, look]);
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
      </header>
      <canvas ref={canvas} role="img" aria-label={`${title} over the last minute`} />
    </section>
  );
}

const HEIGHT = 96;

function paint(canvas: HTMLCanvasElement, parts: Parameters<typeof Strip>[0]): void {
  const { times, count, from, to, lines, text } = parts;
  const width = canvas.clientWidth;
  const ratio = devicePixelRatio;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(HEIGHT * ratio);
  const context = canvas.getContext("2d");
  if (context === null || width === 0) return;
  const style = getComputedStyle(canvas);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const columns = lines.map(({ of }) => {
    const most = new Float64Array(Math.ceil(width)).fill(Number.NaN);
    for (let index = 0; index < count; index++) {
      const x = Math.floor(((times(index) - from) / (to - from)) * width);
      if (x < 0 || x >= most.length) continue;
      const value = of(index);
      if (!(most[x] ?? Number.NaN) || value > (most[x] ?? 0)) most[x] = value;
    }
    return most;
  });
  const high = Math.max(1e-9, ...columns.map((column) => column.reduce(larger, 0)));
  const y = (value: number): number => HEIGHT - 2 - (value / high) * (HEIGHT - 18);
  context.fillStyle = colour("--line");
  context.fillRect(0, y(high), width, 1);
  context.fillStyle = colour("--faint");
  context.font = `11px ${colour("--mono")}`;
  context.fillText(text(high), 2, y(high) - 4);
  for (const [index, column] of columns.entries()) {
    const hue = colour(lines[index]?.colour ?? "--blue");
    context.strokeStyle = hue;
    context.fillStyle = hue;
    context.lineWidth = 1.5;
    context.beginPath();
    let begun = false;
    for (const [x, value] of column.entries()) {
      if (Number.isNaN(value)) continue;
      if (begun) context.lineTo(x, y(value));
      else context.moveTo(x, y(value));
      begun = true;
    }
    context.stroke();
  }
}

const larger = (a: number, b: number): number => (b > a ? b : a); // not a number: stays
