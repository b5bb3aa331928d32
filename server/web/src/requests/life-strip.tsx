/** A request's life as rows of marks along one time: at most one mark a pixel and row. */
import { useRef } from "preact/hooks";
import { Exports, standalone } from "../exports.tsx";
import { digits, duration } from "../figures.ts";
import { useWidth } from "../use-width.ts";
import { type Completion, type LifeOf, type Stretch, stallOf, stretchesOf } from "./life.ts";

const NAMES = 82;
const ROW = 26;
const HEAD = 22;

export interface Span {
  readonly row: string;
  readonly from: number;
  readonly to: number;
  readonly class: string;
  readonly text?: string;
}

const ROWS = ["life", "prompt", "steps", "tokens", "writes"] as const;

export function LifeStrip(parts: {
  readonly life: LifeOf;
  readonly completion: Completion;
  /** ms that are seen. */
  readonly from: number;
  readonly to: number;
}) {
  const { life, completion, from, to } = parts;
  const place = useRef<SVGSVGElement>(null);
  const width = Math.max(240, useWidth(place, 900));
  const spans = spansOf(life, completion);
  const x = (ms: number): number => NAMES + ((ms - from) / (to - from || 1)) * (width - NAMES);
  const title = "Its life";
  return (
    <div class="life-strip">
      <div class="row">
        <Legend />
        <Exports
          title={`request ${life.number}`}
          head={["row", "what", "from (ms)", "to (ms)"]}
          rows={() => spans.map((span) => [span.row, span.class, span.from, span.to])}
          drawing={() => standalone(place.current)}
        />
      </div>
      <svg ref={place} height={HEAD + ROWS.length * ROW} role="img">
        <title>{`${title}: ${said(life, completion)}`}</title>
        <Times from={from} to={to} x={x} />
        {ROWS.map((row, index) => (
          <g key={row} transform={`translate(0 ${HEAD + index * ROW})`}>
            <path class="grid" d={`M0 0H${width}`} />
            <text x="0" y="17">
              {row}
            </text>
            {drawn(spans, row, { from, to, x }).map((mark) => (
              <Mark key={`${mark.left} ${mark.span.class}`} {...mark} />
            ))}
          </g>
        ))}
      </svg>
    </div>
  );
}

function Legend() {
  const names = {
    queued: "queued",
    prompt: "prompt",
    answer: "answer",
    preempted: "preempted",
    other: "steps without it",
    stall: "longest stall",
  };
  return (
    <ul class="legend">
      {Object.entries(names).map(([kind, name]) => (
        <li key={kind}>
          <i class={`is-${kind}`} />
          {name}
        </li>
      ))}
    </ul>
  );
}

function said(life: LifeOf, completion: Completion): string {
  return stretchesOf(completion, endOf(life, completion))
    .map(({ name, from, to }) => `${name} ${duration(to - from)}`)
    .join(", ");
}

export function endOf(
  life: LifeOf,
  { emitted_ms: ends, pieces, scheduled_ms }: Completion,
): number {
  const last = [life.e2e_ms, ends.at(-1), pieces.at(-1)?.end_ms, scheduled_ms.at(-1)];
  return Math.max(1e-3, ...last.map((ms) => ms ?? 0), life.writes_ms.at(-1) ?? 0);
}

export function spansOf(life: LifeOf, completion: Completion): readonly Span[] {
  const stall = stallOf(completion);
  const { steps } = life;
  return [
    ...stretchesOf(completion, endOf(life, completion)).map(
      ({ name, from, to }: Stretch): Span => ({ row: "life", from, to, class: name, text: name }),
    ),
    ...completion.pieces.map(
      ({ end_ms, duration_ms, tokens }): Span => ({
        ...{ row: "prompt", from: end_ms - duration_ms, to: end_ms, class: "prompt" },
        text: digits(tokens),
      }),
    ),
    ...(steps?.end_ms ?? []).map(
      (to, index): Span => ({
        ...{ row: "steps", from: to - (steps?.duration_ms[index] ?? 0), to },
        class: steps?.own[index] === true ? "answer" : "other",
        text: digits(steps?.rows[index] ?? 0),
      }),
    ),
    ...(stall === undefined ? [] : [{ row: "tokens", ...stall, class: "stall" }]),
    ...completion.emitted_ms.map(
      (at): Span => ({ row: "tokens", from: at, to: at, class: "tick" }),
    ),
    ...life.writes_ms.map((at): Span => ({ row: "writes", from: at, to: at, class: "tick" })),
  ];
}

interface MarkParts {
  readonly span: Span;
  readonly left: number;
  readonly wide: number;
}

/** Those of a row that are seen; of several that begin in one pixel, the widest. */
function drawn(
  spans: readonly Span[],
  row: string,
  seen: { readonly from: number; readonly to: number; readonly x: (ms: number) => number },
): readonly MarkParts[] {
  const { from, to, x } = seen;
  const marks = new Map<string, MarkParts>();
  for (const span of spans) {
    if (span.row !== row || span.to < from || span.from > to) continue;
    const left = x(Math.max(from, span.from));
    const wide = Math.max(1, x(Math.min(to, span.to)) - left - (span.to > span.from ? 1 : 0));
    const key = `${span.class} ${Math.floor(left)}`;
    if (wide > (marks.get(key)?.wide ?? 0)) marks.set(key, { span, left, wide });
  }
  return [...marks.values()];
}

function Mark({ span, left, wide }: MarkParts) {
  const { text = "" } = span;
  return (
    <>
      <rect
        class={`is-${span.class}`}
        x={left}
        y="4"
        width={wide}
        height={ROW - 8}
        rx={wide > 4 ? 2 : 0}
      />
      {text !== "" && wide > 6.6 * text.length + 8 && (
        <text class="in" x={left + 5} y="17">
          {text}
        </text>
      )}
    </>
  );
}

function Times(parts: {
  readonly from: number;
  readonly to: number;
  readonly x: (ms: number) => number;
}) {
  const { from, to, x } = parts;
  const room = (x(to) - x(from)) / 110;
  const rough = (to - from) / Math.max(1, room);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((by) => by * power).find((by) => by >= rough) ?? rough;
  const first = Math.ceil(from / step);
  const count = Math.floor(to / step) - first + 1;
  return (
    <>
      {Array.from({ length: Math.max(0, Math.min(60, count)) }, (_, index) => {
        const at = (first + index) * step;
        return (
          <g key={at}>
            <path class="grid" d={`M${x(at)} ${HEAD - 6}V${HEAD + ROWS.length * ROW}`} />
            <text
              x={x(at)}
              y="11"
              text-anchor={index === 0 && x(at) < NAMES + 20 ? "start" : "middle"}
            >
              {at === 0 ? "0" : duration(at)}
            </text>
          </g>
        );
      })}
    </>
  );
}
