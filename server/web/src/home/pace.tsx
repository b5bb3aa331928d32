/** When the answer's pieces came, and what the server says the time was spent on. */
import type { RefObject } from "preact";
import { useRef } from "preact/hooks";
import { Waterfall } from "../charts/waterfall.tsx";
import { Exports, standalone } from "../exports.tsx";
import { digits, duration } from "../figures.ts";
import { pace, receipt, trust, usage } from "./conversation.ts";

export function Pace() {
  const seen = pace.value;
  const beat = useRef<SVGSVGElement>(null);
  return (
    <section class="panel" aria-labelledby="pace-title">
      <header>
        <h2 id="pace-title">Pace</h2>
        <span class="note">as this page received it</span>
        {seen !== undefined && (
          <Exports
            title="pace"
            head={["piece", "wait (ms)"]}
            rows={() => [seen.first, ...seen.gaps].map((ms, index) => [index, ms])}
            drawing={() => standalone(beat.current)}
          />
        )}
      </header>
      {seen === undefined ? (
        <p class="note">Each bar will be the wait for one piece of the answer.</p>
      ) : (
        <>
          <Beat first={seen.first} gaps={seen.gaps} place={beat} />
          <dl class="figures">
            <Figure name="First token" text={duration(seen.first)} />
            <Figure name="Between, median" text={duration(seen.median)} />
            <Figure name="Between, p99" text={duration(seen.p99)} />
            <Figure name="Tokens/s" text={digits(seen.perSecond)} />
            <Figure
              name="Tokens in / out"
              text={`${usage.value?.prompt_tokens ?? "–"} / ${seen.tokens}`}
            />
          </dl>
        </>
      )}
    </section>
  );
}

function Figure({ name, text }: { readonly name: string; readonly text: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{text}</dd>
    </div>
  );
}

const WIDTH = 480;
const HEIGHT = 84;
const BARS = 120;

/** A bar a piece, the last 120 of them; its height is the wait before it. */
function Beat(parts: {
  readonly first: number;
  readonly gaps: readonly number[];
  readonly place: RefObject<SVGSVGElement | null>;
}) {
  const { first, gaps, place } = parts;
  const shown = [first, ...gaps].slice(-BARS);
  const isFirst = shown.length === gaps.length + 1;
  const top = Math.max(...shown.slice(isFirst && shown.length > 1 ? 1 : 0), 1);
  const step = WIDTH / Math.max(40, shown.length);
  const label = `Waits between pieces: at most ${duration(top)}; the first ${duration(first)}`;
  return (
    <svg
      ref={place}
      class="beat"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
    >
      <title>{label}</title>
      {shown.map((ms, index) => {
        const height = Math.min(1, ms / top) * (HEIGHT - 4);
        return (
          <rect
            key={index}
            class={index === 0 && isFirst ? "wait" : "gap"}
            x={index * step}
            y={HEIGHT - height}
            width={Math.max(1, step - 1.5)}
            height={height}
          />
        );
      })}
    </svg>
  );
}

/** The latency receipt: causes that add up to the whole, largest first. */
export function ReceiptOf() {
  const whole = receipt.value;
  if (whole === undefined) return null;
  const { total = 0, ...causes } = whole;
  const [first, ...steps] = Object.entries(causes)
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => b.value - a.value);
  if (first === undefined) return null;
  const simulated =
    trust.value === undefined
      ? ""
      : `; simulated, ${trust.value.serving.tier} ×÷ ${trust.value.serving.factor}`;
  return (
    <Waterfall
      title="Where the time went"
      note={`${duration(total / 1e6)}, as the server counted${simulated}`}
      from={first}
      steps={steps}
      to={{ name: "in all", value: total }}
      text={(nanos) => duration(nanos / 1e6)}
      unsigned
    />
  );
}
