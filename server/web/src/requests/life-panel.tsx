/** One request: its figures, its life as a strip, and its receipt. */
import { useEffect, useState } from "preact/hooks";
import { Waterfall } from "../charts/waterfall.tsx";
import { digits, duration } from "../figures.ts";
import { query, remember } from "../route.ts";
import { type Causes, type Completion, type LifeOf, readLife, stallOf } from "./life.ts";
import { endOf, LifeStrip } from "./life-strip.tsx";

export function Life(parts: { readonly number: number; readonly close: () => void }) {
  const { number, close } = parts;
  const [life, setLife] = useState<LifeOf>();
  const [failure, setFailure] = useState<string>();
  useEffect(() => {
    let over = false;
    let timer: number | undefined;
    const look = async (): Promise<void> => {
      try {
        const its = await readLife(number);
        if (over) return;
        setLife(its);
        setFailure(undefined);
        if (its.status === null) timer = setTimeout(() => void look(), 1000);
      } catch (error) {
        setFailure(error instanceof Error ? error.message : String(error));
      }
    };
    setLife(undefined);
    void look();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [number]);
  if (failure !== undefined) {
    return (
      <p class="error" role="alert">
        {failure}
      </p>
    );
  }
  return life === undefined ? <p class="note">…</p> : <Whole life={life} close={close} />;
}

function Whole({ life, close }: { readonly life: LifeOf; readonly close: () => void }) {
  const [shown, setShown] = useState(0);
  const completion = life.completions[shown];
  const zoom = query.value.get("zoom") ?? "whole";
  const windows = completion === undefined ? {} : windowsOf(life, completion);
  const seen = Object.hasOwn(windows, zoom) ? windows[zoom] : windows["whole"];
  return (
    <section class="panel life" aria-labelledby="life-title">
      <header>
        <div class="titles">
          <h2 id="life-title">{life.id}</h2>
          <p class="note">
            {life.route}, {outcomeText(life)}
          </p>
        </div>
        <div class="row">
          {Object.keys(windows).map((name) => (
            <button
              key={name}
              type="button"
              aria-pressed={seen === windows[name]}
              onClick={() => remember("zoom", name)}
            >
              {name}
            </button>
          ))}
          <button type="button" onClick={close}>
            Close
          </button>
        </div>
      </header>
      <Figures life={life} />
      {life.error !== null && <p class="error">{life.error}</p>}
      {life.completions.length > 1 && (
        <label class="engine">
          Completion
          <select value={shown} onChange={(event) => setShown(Number(event.currentTarget.value))}>
            {life.completions.map(({ choice }) => (
              <option key={choice} value={choice}>
                {choice + 1} of {life.choices}
              </option>
            ))}
          </select>
        </label>
      )}
      {completion === undefined || seen === undefined ? (
        <p class="note">Its completions were not followed.</p>
      ) : completion.forgotten ? (
        <p class="note">Its times were given up for those of newer requests.</p>
      ) : (
        <>
          <LifeStrip life={life} completion={completion} {...seen} />
          <Receipts life={life} completion={completion} />
        </>
      )}
    </section>
  );
}

/** Parts of its life worth a closer look, in ms. */
function windowsOf(
  life: LifeOf,
  completion: Completion,
): Readonly<Record<string, { readonly from: number; readonly to: number }>> {
  const whole = endOf(life, completion);
  const first = completion.emitted_ms[0];
  const stall = stallOf(completion);
  const room = stall === undefined ? 0 : 1.5 * (stall.to - stall.from);
  return {
    whole: { from: 0, to: whole },
    ...(first !== undefined && { "first token": { from: 0, to: first * 1.04 } }),
    ...(stall !== undefined && {
      stall: { from: Math.max(0, stall.from - room), to: Math.min(whole, stall.to + room) },
    }),
  };
}

function outcomeText(life: LifeOf): string {
  if (life.status === null) return "under way";
  const left = life.gone ? ", its client left" : "";
  return `${life.status}${life.finish.length > 0 ? `, ended by ${life.finish.join(", ")}` : ""}${left}`;
}

function Figures({ life }: { readonly life: LifeOf }) {
  const ms = (value: number | null): string => (value === null ? "–" : duration(value));
  const figures = {
    Queue: ms(life.queue_ms),
    "First token": ms(life.ttft_ms),
    "Between tokens": ms(life.itl_ms),
    "Longest stall": ms(life.stall_ms),
    Whole: ms(life.e2e_ms),
    "Tokens in / out": `${digits(life.prompt_tokens)} / ${digits(life.output_tokens)}`,
    ...(life.cached_tokens > 0 && { Cached: digits(life.cached_tokens) }),
    ...(life.preemptions > 0 && { Preempted: `${life.preemptions}×` }),
  };
  return (
    <dl class="facts">
      {Object.entries(figures).map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}

function Receipts({
  life,
  completion,
}: {
  readonly life: LifeOf;
  readonly completion: Completion;
}) {
  const { receipt_ns: receipt } = completion;
  if (receipt === null) {
    return <p class="note">Its steps are no longer remembered, and so where its time went.</p>;
  }
  const bands = life.receipt_bands?.serving;
  const note =
    bands === undefined ? "as the server counted" : `simulated, ${bands.tier} ×÷ ${bands.factor}`;
  return (
    <div class="panels">
      {receipt.time_to_first_token !== null && (
        <Receipt title="To the first token" note={note} causes={receipt.time_to_first_token} />
      )}
      {receipt.end_to_end !== null && (
        <Receipt title="To the last token" note={note} causes={receipt.end_to_end} />
      )}
    </div>
  );
}

/** Causes that are waits come first, as they come in its life; then what its steps did, largest first. */
const WAITS = ["queue", "preemption", "stalled", "host"];

function Receipt(parts: {
  readonly title: string;
  readonly note: string;
  readonly causes: Causes;
}) {
  const { total = 0, ...causes } = parts.causes;
  const named = Object.entries(causes)
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => order(a.name) - order(b.name) || b.value - a.value);
  const [first, ...steps] = named;
  if (first === undefined) return null;
  return (
    <Waterfall
      title={parts.title}
      note={parts.note}
      from={first}
      steps={steps}
      to={{ name: "in all", value: total }}
      text={(nanos) => duration(nanos / 1e6)}
      unsigned
    />
  );
}

function order(name: string): number {
  const place = WAITS.indexOf(name);
  return place < 0 ? WAITS.length : place;
}
