/** Each request a dot: when it came, and how long it took, on a logarithmic scale. */
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { logTicks } from "../../../../scripts/report/plot.ts";
import { Exports, standalone } from "../exports.tsx";
import { clockTimes, duration } from "../figures.ts";
import { useWidth } from "../use-width.ts";
import { MEASURES, type Measure, outcomeOf } from "./choose.ts";
import type { Told } from "./list.ts";

const HEIGHT = 190;
const LEFT = 62;
const FOOT = 20;
/** A click this near a dot is on it, px. */
const NEAR = 14;

const OUTCOMES = [
  ["done", "--blue"],
  ["left", "--accent"],
  ["failed", "--red"],
  ["under way", "--green"],
] as const;

interface Dot {
  readonly its: Told;
  readonly x: number;
  readonly y: number;
}

export function Cloud(parts: {
  readonly requests: readonly Told[];
  readonly measure: Measure;
  readonly open: (number: number) => void;
  readonly opened: number | undefined;
}) {
  const { requests, measure, open, opened } = parts;
  const place = useRef<SVGSVGElement>(null);
  const width = Math.max(240, useWidth(place, 900));
  const { dots, ticks, y, began, ended } = layOut(requests, measure, width);
  const [first, last] = clockTimes(began, ended);
  useClicked(place, dots, open);
  const title = `${MEASURES[measure]} of each request`;
  const at = dots.find(({ its }) => its.number === opened);
  return (
    <section class="panel cloud" aria-label={title}>
      <header>
        <h2>{title}</h2>
        <Legend dots={dots} />
        <Exports
          title={title}
          head={["number", "arrived (Unix ms)", `${measure.replace("_ms", "")} (ms)`, "outcome"]}
          rows={() =>
            dots.map(({ its }) => [its.number, its.arrived, its[measure] ?? 0, outcomeOf(its)])
          }
          drawing={() => standalone(place.current)}
        />
      </header>
      <svg ref={place} height={HEIGHT} role="img">
        <title>{`${dots.length} requests from ${first} to ${last}; the table below says the same`}</title>
        <Axes width={width} {...{ ticks, y, first, last }} />
        {OUTCOMES.map(([name, colour]) => (
          <path
            key={name}
            class="dots"
            style={{ stroke: `var(${colour})` }}
            d={dots
              .filter(({ its }) => outcomeOf(its) === name)
              .map((dot) => `M${dot.x.toFixed(1)} ${dot.y.toFixed(1)}h0`)
              .join("")}
          />
        ))}
        {at !== undefined && <circle class="opened" cx={at.x} cy={at.y} r="7" />}
      </svg>
    </section>
  );
}

function Legend({ dots }: { readonly dots: readonly Dot[] }) {
  const there = new Set(dots.map(({ its }) => outcomeOf(its)));
  return (
    <ul class="legend">
      {OUTCOMES.filter(([name]) => there.has(name)).map(([name, colour]) => (
        <li key={name}>
          <i style={{ background: `var(${colour})` }} />
          {name}
        </li>
      ))}
    </ul>
  );
}

function Axes(parts: {
  readonly width: number;
  readonly ticks: readonly number[];
  readonly y: (ms: number) => number;
  readonly first: string;
  readonly last: string;
}) {
  const { width, ticks, y, first, last } = parts;
  return (
    <>
      {ticks.map((tick) => (
        <g key={tick}>
          <path class="grid" d={`M${LEFT} ${y(tick)}H${width}`} />
          <text x={LEFT - 8} y={y(tick) + 4} text-anchor="end">
            {duration(tick)}
          </text>
        </g>
      ))}
      <text x={LEFT} y={HEIGHT - 3}>
        {first}
      </text>
      <text x={width} y={HEIGHT - 3} text-anchor="end">
        {last}
      </text>
    </>
  );
}

/** Listens on the whole drawing: by keyboard the table below does the same. */
function useClicked(
  place: RefObject<SVGSVGElement | null>,
  dots: readonly Dot[],
  open: (number: number) => void,
): void {
  useEffect(() => {
    const svg = place.current;
    const click = (event: MouseEvent): void => {
      const box = svg?.getBoundingClientRect();
      if (box === undefined) return;
      const near = nearest(dots, event.clientX - box.left, event.clientY - box.top);
      if (near !== undefined) open(near.its.number);
    };
    svg?.addEventListener("click", click);
    return () => svg?.removeEventListener("click", click);
  }, [dots]);
}

function layOut(requests: readonly Told[], measure: Measure, width: number) {
  const shown = requests.filter((its) => (its[measure] ?? 0) > 0);
  let [began, ended, low, high] = [Infinity, -Infinity, Infinity, 0];
  for (const its of shown) {
    began = Math.min(began, its.arrived);
    ended = Math.max(ended, its.arrived);
    low = Math.min(low, its[measure] ?? low);
    high = Math.max(high, its[measure] ?? high);
  }
  if (shown.length === 0) [began, ended, low, high] = [0, 0, 1, 10];
  low = Math.max(low, high / 1e5) * 0.9;
  high *= 1.1;
  const span = Math.log(high / low);
  const y = (ms: number): number =>
    HEIGHT - FOOT - 6 - (Math.log(Math.max(ms, low) / low) / span) * (HEIGHT - FOOT - 18);
  const x = (when: number): number =>
    LEFT + 8 + ((when - began) / (ended - began || 1)) * (width - LEFT - 16);
  const dots: readonly Dot[] = shown.map((its) => ({
    its,
    x: x(its.arrived),
    y: y(its[measure] ?? 0),
  }));
  const all = logTicks([low, high], 10);
  const ticks = all.length > 7 ? all.filter((tick) => Number.isInteger(Math.log10(tick))) : all;
  return { dots, ticks, y, began, ended };
}

function nearest(dots: readonly Dot[], x: number, y: number): Dot | undefined {
  let best: Dot | undefined;
  let least = NEAR;
  for (const dot of dots) {
    const far = Math.hypot(dot.x - x, dot.y - y);
    if (far < least) [best, least] = [dot, far];
  }
  return best;
}
