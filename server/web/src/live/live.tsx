/** What the engines do as it happens: batch, queue, KV, tokens/s; paused and scrubbed over ten minutes. */
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Figure } from "../../../../scripts/report/plot.ts";
import { Chart } from "../charts/chart.tsx";
import { digits, duration } from "../figures.ts";
import { Table } from "../table.tsx";
import { beat, curve, hello, type Step, state, steps, watchLive } from "./feed.ts";
import "./live.css";
import { Strip } from "./strip.tsx";

/** Seconds that are seen at once. */
const WINDOW = 60;
/** Frames a second that the page draws, whatever comes. */
const FRAMES = 10;

export function Live() {
  useEffect(watchLive, []);
  const [, draw] = useState(0);
  const [paused, setPaused] = useState<number>();
  useEffect(() => {
    let last = -1;
    const timer = setInterval(() => {
      if (beat.peek() === last || document.hidden) return;
      last = beat.peek();
      draw(last);
    }, 1000 / FRAMES);
    return () => clearInterval(timer);
  }, []);
  const newest = steps.at(-1)?.at_seconds ?? 0;
  const oldest = steps[0]?.at_seconds ?? 0;
  const to = paused ?? newest;
  const shown = steps.slice(0, last(to));
  return (
    <>
      <header>
        <div class="row">
          <p class="eyebrow">Live</p>
          <span class={`tag ${state.value === "open" ? "good" : "warn"}`}>
            {state.value === "open"
              ? "connected"
              : state.value === "opening"
                ? "connecting"
                : "the feed is closed; trying again"}
          </span>
        </div>
        <h1>{hello.value?.model ?? "…"}</h1>
      </header>
      <section class="panel scrub" aria-label="Time">
        <button type="button" onClick={() => setPaused(paused === undefined ? newest : undefined)}>
          {paused === undefined ? "Pause" : "Follow"}
        </button>
        <label>
          <span>
            {steps.length === 0
              ? "Nothing has happened yet: send a request."
              : `${paused === undefined ? "now" : `${digits(newest - to)} s ago`}, of the last ${duration((newest - oldest) * 1000)}`}
          </span>
          <input
            type="range"
            min={oldest}
            max={newest}
            step="0.1"
            value={to}
            onInput={(event) => setPaused(event.currentTarget.valueAsNumber)}
          />
        </label>
      </section>
      <Now step={shown.at(-1)} />
      <Strips shown={shown} to={to} />
      <div class="panels">
        <Curve />
        <Parts step={shown.at(-1)} />
      </div>
    </>
  );
}

/** How many of the steps came until then. */
function last(to: number): number {
  let low = 0;
  let high = steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((steps[middle]?.at_seconds ?? 0) <= to) low = middle + 1;
    else high = middle;
  }
  return low;
}

function Now({ step }: { readonly step: Step | undefined }) {
  const facts = [
    ["Running", step?.running, "requests"],
    ["Waiting", step?.waiting, "requests"],
    ["KV pool", step && step.kv_usage * 100, "% in use"],
    ["Rows a step", step?.rows, ""],
    ["Tokens a step", step?.tokens, ""],
    ["Step", step?.duration_ms, "ms"],
    ["Preempted", step?.preemptions, "in the step"],
  ] as const;
  return (
    <dl class="facts">
      {facts.map(([name, value, unit]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            {value === undefined ? "–" : digits(value)} <small>{unit}</small>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Strips({ shown, to }: { readonly shown: readonly Step[]; readonly to: number }) {
  const from = to - WINDOW;
  const times = (index: number): number => shown[index]?.at_seconds ?? 0;
  const same = { times, count: shown.length, from, to };
  const of = (key: "running" | "waiting" | "kv_usage" | "duration_ms") => (index: number) =>
    shown[index]?.[key] ?? 0;
  const rate = (index: number): number => {
    const [now, before] = [shown[index], shown[index - 1]];
    if (now === undefined || before === undefined) return 0;
    const seconds = now.at_seconds - before.at_seconds;
    return seconds > 0 ? now.output_tokens / seconds : 0;
  };
  return (
    <div class="panels">
      <Strip
        {...same}
        title="Batch and queue"
        lines={[
          { name: "running", colour: "--blue", of: of("running") },
          { name: "waiting", colour: "--accent", of: of("waiting") },
        ]}
        text={digits}
      />
      <Strip
        {...same}
        title="Output tokens/s"
        lines={[{ name: "tokens/s", colour: "--green", of: rate }]}
        text={digits}
      />
      <Strip
        {...same}
        title="KV pool in use"
        lines={[{ name: "share", colour: "--violet", of: of("kv_usage") }]}
        text={(share) => `${digits(100 * share)} %`}
      />
      <Strip
        {...same}
        title="Duration of a step"
        lines={[{ name: "step", colour: "--blue", of: of("duration_ms") }]}
        text={duration}
      />
    </div>
  );
}

function Curve() {
  const engines = curve.value;
  const figure = useMemo(
    (): Figure => ({
      title: "Output tokens/s against concurrency",
      subtitle: "as it has been served since the start",
      x: { label: "requests running" },
      y: { label: "output tokens/s" },
      series: engines.map((points, engine) => ({
        name: engines.length > 1 ? `engine ${engine}` : "",
        points: points.map((point) => ({
          x: point.concurrency,
          y: point.output_tokens_per_second,
          measured: true,
        })),
      })),
    }),
    [engines],
  );
  if (engines.every((points) => points.length === 0)) return null;
  return <Chart figure={figure} />;
}

function Parts({ step }: { readonly step: Step | undefined }) {
  if (step?.parts_ms === undefined) return null;
  const whole = step.duration_ms;
  return (
    <Table
      title="Where the last step's time went"
      head={["part", "time", "share"]}
      rows={Object.entries(step.parts_ms)
        .sort(([, a], [, b]) => b - a)
        .map(([part, ms]) => [
          part,
          { text: duration(ms), value: ms },
          { text: `${digits((100 * ms) / whole)} %`, value: ms / whole, share: ms / whole },
        ])}
    />
  );
}
