/** The device timeline: hover, choose, two markers and what lies between. */
import { Exports } from "../exports.tsx";
import { query } from "../route.ts";
import { Measures } from "./measures.tsx";
import type { ShownProfile } from "./profile.ts";
import { SpanFacts } from "./span-facts.tsx";
import { useTimelineView } from "./use-timeline-view.ts";

/** Spans in a CSV: those that are seen. */
const MOST_ROWS = 200_000;

export function Timeline({ profile }: { readonly profile: ShownProfile }) {
  const { canvas, hovered, chosen, markers, find, act, ask } = useTimelineView(profile);
  return (
    <section class="panel timeline" aria-labelledby="timeline-title">
      <header>
        <h2 id="timeline-title">Device timeline</h2>
        <div class="row tools">
          <input
            type="search"
            aria-label="Find"
            class="find"
            value={query.value.get("find") ?? ""}
            placeholder="Find: attention"
            onInput={(event) => find(event.currentTarget.value)}
          />
          <button type="button" onClick={act((view) => view.fit())}>
            Fit it
          </button>
          <button type="button" onClick={act((view) => view.markEnds())}>
            Mark its ends
          </button>
          <button type="button" onClick={act((view) => view.show(0, profile.duration))}>
            All
          </button>
        </div>
        <Exports
          title={profile.title}
          head={["process", "lane", "name", "start (ns)", "duration (ns)"]}
          rows={() => ask((view) => view.seen(MOST_ROWS)) ?? []}
          drawing={() => ask((view) => view.svg())}
        />
      </header>
      <div class="scroll">
        <canvas
          ref={canvas}
          tabIndex={0}
          role="img"
          aria-label={`Timeline of ${profile.spans.start.length} spans on ${profile.spans.tracks.length} tracks; the tables of the other views say the same`}
        />
      </div>
      <Keys />
      <div class="details">
        <div aria-live="polite">
          <h3>{chosen === undefined ? "Under the pointer" : "Chosen"}</h3>
          <SpanFacts profile={profile} span={chosen ?? hovered} />
        </div>
        <Measures markers={markers} />
      </div>
    </section>
  );
}

function Keys() {
  return (
    <p class="note keys">
      <kbd>W</kbd> <kbd>S</kbd> or wheel zoom, <kbd>A</kbd> <kbd>D</kbd> or drag pan, click chooses,{" "}
      <kbd>F</kbd> fits it, <kbd>E</kbd> marks its ends, <kbd>M</kbd> or shift-click marks a time,{" "}
      <kbd>0</kbd> all
    </p>
  );
}
