/** The device timeline: hover, choose, two markers and what lies between. */
import { saveCanvas } from "../download.ts";
import { query } from "../route.ts";
import { Measures } from "./measures.tsx";
import type { ShownProfile } from "./profile.ts";
import { SpanFacts } from "./span-facts.tsx";
import { useTimelineView } from "./use-timeline-view.ts";

export function Timeline({ profile }: { readonly profile: ShownProfile }) {
  const { canvas, hovered, chosen, markers, find, act } = useTimelineView(profile);
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
