/** When the answer's pieces came, and what the server says the time was spent on. */
import { digits, duration } from "../figures.ts";
import { pace, receipt, trust, usage } from "./conversation.ts";

export function Pace() {
  const seen = pace.value;
  return (
    <section class="panel" aria-labelledby="pace-title">
      <header>
        <h2 id="pace-title">Pace</h2>
        <span class="note">as this page received it</span>
      </header>
      {seen === undefined ? (
        <p class="note">Each bar will be the wait for one piece of the answer.</p>
      ) : (
        <>
          <Beat first={seen.first} gaps={seen.gaps} />
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
function Beat({ first, gaps }: { readonly first: number; readonly gaps: readonly number[] }) {
  const shown = [first, ...gaps].slice(-BARS);
  const isFirst = shown.length === gaps.length + 1;
  const top = Math.max(...shown.slice(isFirst && shown.length > 1 ? 1 : 0), 1);
  const step = WIDTH / Math.max(40, shown.length);
  const label = `Waits between pieces: at most ${duration(top)}; the first ${duration(first)}`;
  return (
    <svg class="beat" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img">
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
  const total = whole["total"] ?? 0;
  const causes = Object.entries(whole)
    .filter(([cause]) => cause !== "total")
    .sort(([, a], [, b]) => b - a);
  let before = 0;
  return (
    <section class="panel" aria-labelledby="receipt-title">
      <header>
        <h2 id="receipt-title">Where the time went</h2>
        <span class="note">
          {duration(total / 1e6)}, as the server counted
          {trust.value === undefined
            ? ""
            : `; simulated, ${trust.value.serving.tier} ×÷ ${trust.value.serving.factor}`}
        </span>
      </header>
      <ul class="causes">
        {causes.map(([cause, nanos]) => {
          const start = (100 * before) / total;
          before += nanos;
          return (
            <li key={cause}>
              <span>{cause}</span>
              <svg viewBox="0 0 100 14" preserveAspectRatio="none" aria-hidden="true">
                <rect x={start} width={Math.max(0.4, (100 * nanos) / total)} height="14" />
              </svg>
              <span class="number">{duration(nanos / 1e6)}</span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
