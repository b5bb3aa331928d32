/** The device timeline: hover, choose, two markers and what lies between. */
import { useEffect, useRef, useState } from "preact/hooks";
import { query, remember } from "../route.ts";
import { theme } from "../theme.ts";
import { NO_DETAIL } from "./columns.ts";
import type { Profile, SpanColumns } from "./profile.ts";
import { TimelineView, timeText } from "./timeline-view.ts";

export function Timeline({ profile }: { readonly profile: Profile }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const view = useRef<TimelineView | undefined>(undefined);
  const [hovered, setHovered] = useState<number>();
  const [chosen, setChosen] = useState<number>();
  const [markers, setMarkers] = useState<readonly number[]>([]);
  const [search, setSearch] = useState("");
  useEffect(() => {
    if (canvas.current === null) return;
    const made = new TimelineView(
      canvas.current,
      { columns: profile.spans, duration: profile.duration },
      {
        hovered: setHovered,
        chosen: setChosen,
        measured: setMarkers,
        moved: (from, to) => {
          remember("from", from === 0 ? undefined : String(Math.round(from)));
          remember("to", to >= profile.duration ? undefined : String(Math.round(to)));
        },
      },
    );
    view.current = made;
    setMarkers([]);
    const from = Number(query.value.get("from") ?? 0);
    const to = Number(query.value.get("to") ?? profile.duration);
    if (from > 0 || to < profile.duration) made.show(from, to);
    return () => made.close();
  }, [profile]);
  const dark = theme.value; // colours come from the style of the page
  useEffect(() => view.current?.draw(), [dark]);
  const find = (text: string): void => {
    setSearch(text);
    const name = profile.spans.names.findIndex((each) =>
      each.toLowerCase().includes(text.toLowerCase()),
    );
    view.current?.light(text === "" || name < 0 ? undefined : name);
    if (text !== "" && name >= 0) view.current?.choose(profile.spans.name.indexOf(name));
  };
  const [a, b] = markers;
  return (
    <section class="panel timeline" aria-labelledby="timeline-title">
      <header>
        <h2 id="timeline-title">Device timeline</h2>
        <div class="row">
          <label>
            Find
            <input
              type="search"
              value={search}
              placeholder="attention"
              onInput={(event) => find(event.currentTarget.value)}
            />
          </label>
          <span class="note">
            wheel or W S zoom, drag or A D pan, click chooses, F fits, shift-click or M marks, 0 all
          </span>
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
      <div class="details">
        <div aria-live="polite">
          <h2>{chosen === undefined ? "Under the pointer" : "Chosen"}</h2>
          <SpanFacts columns={profile.spans} span={chosen ?? hovered} />
        </div>
        <div aria-live="polite">
          <h2>Between the markers</h2>
          <p class="number measured">
            {a === undefined
              ? "–"
              : b === undefined
                ? `from ${timeText(a)}`
                : timeText(Math.abs(b - a))}
          </p>
        </div>
      </div>
    </section>
  );
}

function SpanFacts(parts: { readonly columns: SpanColumns; readonly span: number | undefined }) {
  const { columns, span } = parts;
  if (span === undefined) return <p class="note">Nothing.</p>;
  const detail = columns.detail[span] ?? NO_DETAIL;
  const facts: readonly (readonly [string, string])[] = [
    ["name", columns.names[columns.name[span] ?? 0] ?? ""],
    ["time", timeText(columns.duration[span] ?? 0)],
    ["from", timeText(columns.start[span] ?? 0)],
    ...Object.entries(detail === NO_DETAIL ? {} : (columns.args[detail] ?? {})).map(
      ([key, value]) =>
        [key, typeof value === "number" ? value.toLocaleString("en-US") : String(value)] as const,
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
