/** What may be otherwise: a slider each, over given stops. */
import { WHAT_IF, type WhatIfAsk } from "./what-if-ask.ts";

export interface Editing {
  readonly ask: WhatIfAsk;
  readonly set: (part: Partial<WhatIfAsk>) => void;
}

const TIMES = ["0.25", "0.5", "0.75", "0.95", "1", "1.05", "1.25", "1.5", "2", "3", "4"];
const RANKS = ["1", "2", "4", "8", "16", "32", "64"];
const GUESSES = ["0", "1", "2", "3", "4", "5", "6", "7"];
const FORMATS = ["", "bf16", "fp8", "mxfp8", "mxfp4"];

/** Figures of the machine, as so many times its own. */
const FIGURES = [
  ["hbm", "HBM bandwidth"],
  ["link", "Link bandwidth"],
  ["hop", "Time of a hop"],
] as const;

export function Sliders({ ask, set }: Editing) {
  return (
    <section class="panel sliders-panel" aria-labelledby="sliders-title">
      <header>
        <h2 id="sliders-title">What if</h2>
        <button
          type="button"
          onClick={() => {
            const { hbm, link, hop, toRanks, toWeights, drafts, accept } = WHAT_IF;
            set({ hbm, link, hop, toRanks, toWeights, drafts, accept });
          }}
        >
          As it is
        </button>
      </header>
      {FIGURES.map(([name, title]) => (
        <StopSlider
          key={name}
          title={title}
          stops={TIMES}
          value={ask[name]}
          text={(value) => `× ${value}`}
          choose={(value) => set({ [name]: value })}
        />
      ))}
      <StopSlider
        title="Tensor parallel"
        stops={RANKS}
        value={ask.toRanks === "" ? ask.ranks : ask.toRanks}
        text={(value) => value}
        choose={(ranks) => set({ toRanks: ranks === ask.ranks ? "" : ranks })}
      />
      <Speculation ask={ask} set={set} />
      <label>
        Weights
        <select
          value={ask.toWeights}
          onChange={(event) => set({ toWeights: event.currentTarget.value })}
        >
          {FORMATS.map((format) => (
            <option key={format} value={format}>
              {format === "" ? "as they are" : format}
            </option>
          ))}
        </select>
      </label>
    </section>
  );
}

/** How many are guessed, and how many ids a step is then said to yield. */
function Speculation({ ask, set }: Editing) {
  const most = Number(ask.drafts) + 1;
  return (
    <>
      <StopSlider
        title="Guesses a step"
        stops={GUESSES}
        value={ask.drafts}
        text={(value) => (value === "0" ? "none" : value)}
        choose={(drafts) => set({ drafts })}
      />
      {most > 1 && (
        <StopSlider
          title="Ids a step, as they hold"
          stops={tenths(1, most)}
          value={String(Math.min(Number(ask.accept), most))}
          text={(value) => value}
          choose={(accept) => set({ accept })}
        />
      )}
    </>
  );
}

const tenths = (from: number, to: number): readonly string[] =>
  Array.from({ length: Math.round(10 * (to - from)) + 1 }, (_, step) =>
    String(Number((from + step / 10).toFixed(1))),
  );

/** By pointer, by arrows, and read aloud with its own words. */
function StopSlider(parts: {
  readonly title: string;
  readonly stops: readonly string[];
  readonly value: string;
  readonly text: (value: string) => string;
  readonly choose: (value: string) => void;
}) {
  const { title, value, text, choose } = parts;
  // A link may name a value between the stops.
  const stops = parts.stops.includes(value)
    ? parts.stops
    : [...parts.stops, value].sort((a, b) => Number(a) - Number(b));
  return (
    <label class="stop-slider">
      <span>
        {title} <b class="number">{text(value)}</b>
      </span>
      <input
        type="range"
        min="0"
        max={stops.length - 1}
        value={stops.indexOf(value)}
        aria-valuetext={text(value)}
        onInput={(event) => choose(stops[event.currentTarget.valueAsNumber] ?? value)}
      />
    </label>
  );
}
