/** The device timeline: hover, choose, two markers and what lies between, kept from profile to profile. */
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { NO_DETAIL } from "../../../../device/columns.ts";
import type { SpanArgs } from "../../../../device/trace.ts";
import { saveCanvas } from "../download.ts";
import { digits } from "../figures.ts";
import { query, remember } from "../route.ts";
import { theme } from "../theme.ts";
import type { ShownProfile } from "./profile.ts";
import { detailOf } from "./profiles.ts";
import { timeText } from "./time-text.ts";
import { TimelineView } from "./timeline-view.ts";

/** What was measured between two markers, of this profile and of those before it. */
interface Measured {
  readonly where: string;
  readonly nanos: number;
}
const measures = signal<readonly Measured[]>([]);
const KEPT = 8;

export function Timeline({ profile }: { readonly profile: ShownProfile }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const view = useRef<TimelineView | undefined>(undefined);
  const [hovered, setHovered] = useState<number>();
  const [chosen, setChosen] = useState<number>();
  const [markers, setMarkers] = useState<readonly number[]>([]);
  const search = query.value.get("find") ?? "";
  useEffect(() => {
    if (canvas.current === null) return;
    const { spans: columns, duration, rates } = profile;
    const made = new TimelineView(
      canvas.current,
      { columns, duration, rates },
      {
        hovered: setHovered,
        chosen: setChosen,
        measured: (times) => {
          setMarkers(times);
          keep(profile, times);
        },
        moved: (from, to) => {
          remember("from", from === 0 ? undefined : String(Math.round(from)));
          remember("to", to >= duration ? undefined : String(Math.round(to)));
        },
      },
    );
    view.current = made;
    setMarkers([]);
    setChosen(undefined);
    const from = Number(query.value.get("from") ?? 0);
    const to = Number(query.value.get("to") ?? duration);
    if (from > 0 || to < duration) made.show(from, to);
    light(made, profile, query.value.get("find") ?? "");
    return () => made.close();
  }, [profile]);
  const dark = theme.value; // colours come from the style of the page
  useEffect(() => view.current?.draw(), [dark]);
  const find = (text: string): void => {
    remember("find", text);
    if (view.current !== undefined) light(view.current, profile, text);
  };
  const act = (does: (its: TimelineView) => void) => () => view.current && does(view.current);
  const [a, b] = markers;
  return (
    <section class="panel timeline" aria-labelledby="timeline-title">
      <header>
        <h2 id="timeline-title">Device timeline</h2>
        <div class="row tools">
          <input
            type="search"
            aria-label="Find"
            class="find"
            value={search}
            placeholder="Find: attention"
            onInput={(event) => find(event.currentTarget.value)}
          />
          <button type="button" onClick={act((its) => its.fit())}>
            Fit it
          </button>
          <button type="button" onClick={act((its) => its.markEnds())}>
            Mark its ends
          </button>
          <button type="button" onClick={act((its) => its.show(0, profile.duration))}>
            All
          </button>
        </div>
        <div class="actions">
          <button
            type="button"
            onClick={() => canvas.current && saveCanvas(profile.title, canvas.current)}
          >
            PNG
          </button>
        </div>
      </header>
      <div class="scroll">
        <canvas
          ref={canvas}
          tabIndex={0}
          role="img"
          aria-label={`Timeline of ${profile.spans.start.length} spans on ${profile.spans.tracks.length} tracks; the tables of the other views say the same`}
        />
      </div>
      <p class="note keys">
        <kbd>W</kbd> <kbd>S</kbd> or wheel zoom, <kbd>A</kbd> <kbd>D</kbd> or drag pan, click
        chooses, <kbd>F</kbd> fits it, <kbd>E</kbd> marks its ends, <kbd>M</kbd> or shift-click
        marks a time, <kbd>0</kbd> all
      </p>
      <div class="details">
        <div aria-live="polite">
          <h3>{chosen === undefined ? "Under the pointer" : "Chosen"}</h3>
          <SpanFacts profile={profile} span={chosen ?? hovered} />
        </div>
        <div aria-live="polite">
          <h3>Between the markers</h3>
          <p class="number measured">
            {a === undefined
              ? "–"
              : b === undefined
                ? `from ${timeText(a)}`
                : timeText(Math.abs(b - a))}
          </p>
          <Kept />
        </div>
      </div>
    </section>
  );
}

/** Lights and chooses the first span whose name has the words: the exact name before longer ones. */
function light(view: TimelineView, { spans }: ShownProfile, text: string): void {
  const wanted = text.toLowerCase();
  const names = spans.names.map((name) => name.toLowerCase());
  const exact = names.indexOf(wanted);
  const found = exact >= 0 ? exact : names.findIndex((name) => name.includes(wanted));
  const name = text === "" || found < 0 ? undefined : found;
  view.light(name);
  view.choose(name === undefined ? undefined : spans.name.indexOf(name));
}

function keep({ settings }: ShownProfile, [a, b]: readonly number[]): void {
  if (a === undefined || b === undefined) return;
  const { machine, ranks, kernels, rows, context, file } = settings;
  const where = file ?? `${machine}, ${ranks}, ${rows} × ${context}, kernels ${kernels}`;
  measures.value = [...measures.value, { where, nanos: Math.abs(b - a) }].slice(-KEPT);
}

/** What was measured so far, each held against the first. */
function Kept() {
  const [first] = measures.value;
  if (first === undefined || measures.value.length < 2) return null;
  return (
    <div class="scroller">
      <table class="kept">
        <thead>
          <tr>
            <th>measured</th>
            <th class="number">time</th>
            <th class="number">÷ first</th>
          </tr>
        </thead>
        <tbody>
          {measures.value.map(({ where, nanos }, index) => (
            <tr key={index}>
              <td>{where}</td>
              <td class="number">{timeText(nanos)}</td>
              <td class="number">{digits(nanos / first.nanos)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <button
        type="button"
        class="link"
        onClick={() => {
          measures.value = [];
        }}
      >
        Forget them
      </button>
    </div>
  );
}

function SpanFacts(parts: { readonly profile: ShownProfile; readonly span: number | undefined }) {
  const { profile, span } = parts;
  const { spans, key } = profile;
  const [args, setArgs] = useState<{ readonly span: number; readonly args: SpanArgs }>();
  useEffect(() => {
    const detail = span === undefined ? NO_DETAIL : (spans.detail[span] ?? NO_DETAIL);
    if (span === undefined || detail === NO_DETAIL) return;
    let left = false;
    void detailOf(key, detail).then((found) => {
      if (!left && found !== undefined) setArgs({ span, args: found });
    });
    return () => {
      left = true;
    };
  }, [span, key]);
  if (span === undefined) return <p class="note">Nothing.</p>;
  const said = args?.span === span ? args.args : {};
  const facts: readonly (readonly [string, string])[] = [
    ["name", spans.names[spans.name[span] ?? 0] ?? ""],
    ["time", timeText(spans.duration[span] ?? 0)],
    ["from", timeText(spans.start[span] ?? 0)],
    ...Object.entries(said).map(
      ([name, value]) =>
        [name, typeof value === "number" ? value.toLocaleString("en-US") : String(value)] as const,
    ),
  ];
  return (
    <dl>
      {facts.map(([name, value]) => (
        <>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </>
      ))}
    </dl>
  );
}
