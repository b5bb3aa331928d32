/** The last ten minutes at a glance, and where of them one looks. */
import { useRef } from "preact/hooks";
import { digits, duration } from "../figures.ts";
import { useWidth } from "../use-width.ts";
import { BIN_SECONDS, type Bin } from "./track.ts";

const HEIGHT = 34;

export function Scrub(parts: {
  readonly bins: readonly Bin[];
  /** Seconds of the server's clock. */
  readonly oldest: number;
  readonly newest: number;
  /** Absent: it follows. */
  readonly paused: number | undefined;
  readonly setPaused: (to: number | undefined) => void;
  readonly empty: boolean;
}) {
  const { bins, oldest, newest, paused, setPaused, empty } = parts;
  const place = useRef<SVGSVGElement>(null);
  const width = Math.max(120, useWidth(place, 800));
  const to = paused ?? newest;
  const where = paused === undefined ? "now" : `${digits(newest - to)} s ago`;
  return (
    <section class="panel scrub" aria-label="Time">
      <button type="button" onClick={() => setPaused(paused === undefined ? newest : undefined)}>
        {paused === undefined ? "Pause" : "Follow"}
      </button>
      <div class="track">
        <svg ref={place} height={HEIGHT} aria-hidden="true">
          <path d={overview(bins, { oldest, newest, width })} />
        </svg>
        <input
          type="range"
          aria-label="Time that is shown"
          min={oldest}
          max={Math.max(newest, oldest + 0.1)}
          step="0.1"
          value={to}
          onInput={(event) => setPaused(event.currentTarget.valueAsNumber)}
        />
      </div>
      <p class="note number">
        {empty
          ? "Nothing has happened since this page was opened: send a request."
          : `${where}, of the last ${duration((newest - oldest) * 1000)}`}
      </p>
    </section>
  );
}

/** Output tokens/s as a silhouette, a bar of the largest a pixel. */
function overview(
  bins: readonly Bin[],
  { oldest, newest, width }: { oldest: number; newest: number; width: number },
): string {
  const span = Math.max(1, newest - oldest);
  const most = new Map<number, number>();
  for (const { at_seconds, tokens } of bins) {
    const x = Math.floor(((at_seconds - oldest) / span) * width);
    if (x >= 0 && x < width) most.set(x, Math.max(most.get(x) ?? 0, tokens));
  }
  const high = Math.max(1, ...most.values());
  const wide = Math.max(1, Math.floor((BIN_SECONDS / span) * width));
  return [...most]
    .map(([x, tokens]) => {
      const tall = (tokens / high) * (HEIGHT - 4);
      return `M${x} ${HEIGHT}v${-tall.toFixed(1)}h${wide}V${HEIGHT}z`;
    })
    .join("");
}
