/** What the engines do as it happens: batch, queue, KV, tokens/s; paused and scrubbed over ten minutes. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { digits, duration } from "../figures.ts";
import { query, remember } from "../route.ts";
import { Batch, Parts } from "./batch.tsx";
import { beat, curve, hello, now, state, tracks, watchLive } from "./feed.ts";
import { KvBlocks } from "./kv-map.tsx";
import "./live.css";
import { Scrub } from "./scrub.tsx";
import { Strip, type StripLine } from "./strip.tsx";
import { Throughput, throughputFigure } from "./throughput.tsx";
import { BIN_SECONDS, type Bin, before, EngineTrack, KEPT_SECONDS, type Step } from "./track.ts";

/** Seconds that are seen at once, and at least. */
const WINDOW = 60;
const LEAST_WINDOW = 10;
/** Frames a second that the page draws, whatever comes. */
const FRAMES = 10;

export function Live() {
  useEffect(watchLive, []);
  useFrames();
  const [paused, setPaused] = useState<number>();
  const engine = Number(query.value.get("engine") ?? 0);
  const track = tracks[engine] ?? new EngineTrack();
  const newest = now();
  const oldest = Math.max(newest - KEPT_SECONDS, track.maps[0]?.at_seconds ?? newest);
  const to = paused ?? newest;
  const from = to - Math.min(WINDOW, Math.max(LEAST_WINDOW, to - oldest));
  const steps = track.steps.slice(before(track.steps, from), before(track.steps, to));
  const bins = track.binsOf(from, to);
  const map = track.maps[Math.max(0, before(track.maps, to) - 1)];
  const last = track.steps[before(track.steps, to) - 1];
  return (
    <>
      <Head engine={engine} />
      <Scrub
        bins={track.bins}
        {...{ oldest, newest, paused, setPaused }}
        empty={track.steps.length === 0}
      />
      <Now step={last} bins={bins} idle={last === undefined || to - last.at_seconds > 2} />
      {map !== undefined && <KvBlocks map={map} blockSize={hello.value?.kv_block_size ?? 0} />}
      <Strips {...{ steps, bins, from, to }} />
      <div class="panels">
        <Measured engine={engine} bins={bins} />
        {last !== undefined && (
          <div class="column">
            <Batch step={last} />
            <Parts step={last} />
          </div>
        )}
      </div>
    </>
  );
}

/** Draws again when something came, or time went on, at most so often. */
function useFrames(): void {
  const [, draw] = useState(0);
  useEffect(() => {
    let frame = 0;
    const timer = setInterval(() => {
      if (!document.hidden && beat.peek() > 0) draw(++frame);
    }, 1000 / FRAMES);
    return () => clearInterval(timer);
  }, []);
}

function Head({ engine }: { readonly engine: number }) {
  const engines = hello.value?.engines ?? 1;
  const words = { open: "connected", opening: "connecting", closed: "closed; trying again" };
  return (
    <header>
      <div class="row">
        <p class="eyebrow">Live</p>
        <span class={`tag ${state.value === "open" ? "good" : "warn"}`}>{words[state.value]}</span>
        {engines > 1 && (
          <label class="engine">
            Engine
            <select
              value={engine}
              onChange={(event) => remember("engine", event.currentTarget.value)}
            >
              {Array.from({ length: engines }, (_, index) => (
                <option key={index}>{index}</option>
              ))}
            </select>
          </label>
        )}
      </div>
      <h1>{hello.value?.model ?? "…"}</h1>
    </header>
  );
}

function Now(parts: {
  readonly step: Step | undefined;
  readonly bins: readonly Bin[];
  /** No step for a while: its rates are over. */
  readonly idle: boolean;
}) {
  const { step, bins, idle } = parts;
  // The half second under way is not whole.
  const recent = idle ? [] : bins.slice(-5, -1);
  const rate = recent.reduce((sum, { tokens }) => sum + tokens, 0) / (4 * BIN_SECONDS);
  const [drafted, accepted] = [total(bins, "drafted"), total(bins, "accepted")];
  const facts: readonly (readonly [string, number | undefined, string])[] = [
    ["Running", idle ? 0 : step?.running, "requests"],
    ["Waiting", idle ? 0 : step?.waiting, "requests"],
    ["Output", idle ? 0 : rate, "tokens/s"],
    ["Step", step?.duration_ms, "ms"],
    ...(step?.lateness_ms === undefined ? [] : [["Late", step.lateness_ms, "ms"] as const]),
    ["KV pool", step && step.kv_usage * 100, "% in use"],
    ...(drafted > 0 ? [["Guesses held", (100 * accepted) / drafted, "%"] as const] : []),
  ];
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

const total = (bins: readonly Bin[], key: "drafted" | "accepted"): number =>
  bins.reduce((sum, bin) => sum + bin[key], 0);

function Strips(parts: {
  readonly steps: readonly Step[];
  readonly bins: readonly Bin[];
  readonly from: number;
  readonly to: number;
}) {
  const { steps, bins, from, to } = parts;
  const ofSteps = { from, to, count: steps.length, times: valuesOf(steps, TIME) };
  const ofBins = {
    ...{ from, to, count: bins.length },
    times: valuesOf(bins, ({ at_seconds }) => at_seconds + BIN_SECONDS),
  };
  const late = steps.at(-1)?.lateness_ms !== undefined;
  const speculates = total(bins, "drafted") > 0;
  return (
    <div class="panels strips">
      <Strip {...STRIPS.batch} {...ofSteps} lines={linesOf(steps, BATCH)} />
      <Strip {...STRIPS.output} {...ofBins} lines={linesOf(bins, OUTPUT)} />
      <Strip {...STRIPS.step} {...ofSteps} lines={linesOf(steps, late ? LATE : DURATION)} />
      <Strip {...STRIPS.pool} {...ofSteps} lines={linesOf(steps, POOL)} />
      {speculates && <Strip {...STRIPS.guesses} {...ofBins} lines={linesOf(bins, GUESSES)} />}
    </div>
  );
}

const percent = (share: number): string => `${digits(share)} %`;

const STRIPS = {
  batch: { title: "Batch and queue", unit: "requests", text: digits },
  output: { title: "Output tokens/s", unit: "tokens/s", text: digits },
  step: { title: "Duration of a step", unit: "ms", text: duration },
  pool: { title: "KV pool in use", unit: "%", text: percent },
  guesses: { title: "Guesses that held", unit: "%", text: percent, atLeast: 100 },
} as const;

interface LineOf<T> extends Pick<StripLine, "name" | "colour"> {
  readonly value: (its: T) => number;
}

const TIME = (its: Step): number => its.at_seconds;
const BATCH: readonly LineOf<Step>[] = [
  { name: "answers", colour: "--blue", value: (its) => its.rows - its.prompt_rows },
  { name: "prompts", colour: "--accent", value: (its) => its.prompt_rows },
  { name: "waiting", colour: "--red", value: (its) => its.waiting },
];
const DURATION: readonly LineOf<Step>[] = [
  { name: "step", colour: "--blue", value: (its) => its.duration_ms },
];
const LATE: readonly LineOf<Step>[] = [
  ...DURATION,
  { name: "late", colour: "--accent", value: (its) => Math.max(0, its.lateness_ms ?? 0) },
];
const POOL: readonly LineOf<Step>[] = [
  { name: "held", colour: "--violet", value: (its) => 100 * its.kv_usage },
];
const OUTPUT: readonly LineOf<Bin>[] = [
  { name: "each half second", colour: "--green", value: (bin) => bin.tokens / BIN_SECONDS },
];
const GUESSES: readonly LineOf<Bin>[] = [
  { name: "held", colour: "--green", value: (bin) => (100 * bin.accepted) / bin.drafted },
];

function valuesOf<T>(list: readonly T[], value: (its: T) => number): (index: number) => number {
  return (index) => {
    const its = list[index];
    return its === undefined ? Number.NaN : value(its);
  };
}

const linesOf = <T,>(list: readonly T[], lines: readonly LineOf<T>[]): readonly StripLine[] =>
  lines.map(({ name, colour, value }) => ({ name, colour, of: valuesOf(list, value) }));

/** Drawn anew each half second, not each frame. */
function Measured({ engine, bins }: { readonly engine: number; readonly bins: readonly Bin[] }) {
  const points = curve.value[engine] ?? [];
  const figure = useMemo(
    () => throughputFigure(points, bins.slice(0, -1)),
    [points, bins.length, bins.at(-1)?.at_seconds],
  );
  return <Throughput figure={figure} />;
}
