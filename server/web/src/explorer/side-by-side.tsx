/** Two profiles' timelines above each other, on one scale that both follow. */
import { useEffect, useRef } from "preact/hooks";
import { theme } from "../theme.ts";
import type { ShownProfile } from "./profile.ts";
import { TimelineView } from "./timeline-view.ts";

export function SideBySide({ a, b }: { readonly a: ShownProfile; readonly b: ShownProfile }) {
  const first = useRef<HTMLCanvasElement>(null);
  const second = useRef<HTMLCanvasElement>(null);
  const views = useRef<readonly TimelineView[]>([]);
  useEffect(() => {
    if (first.current === null || second.current === null) return;
    const length = Math.max(a.duration, b.duration);
    let leading = false;
    const made: TimelineView[] = [];
    const view = (canvas: HTMLCanvasElement, { spans }: ShownProfile, other: number) =>
      new TimelineView(
        canvas,
        { columns: spans, duration: length },
        {
          moved: (from, to) => {
            if (leading) return;
            leading = true;
            made[other]?.show(from, to);
            leading = false;
          },
        },
      );
    made.push(view(first.current, a, 1), view(second.current, b, 0));
    views.current = made;
    return () => {
      for (const each of made) each.close();
    };
  }, [a, b]);
  const dark = theme.value; // colours come from the style of the page
  useEffect(() => {
    for (const view of views.current) view.draw();
  }, [dark]);
  return (
    <section class="panel timeline" aria-labelledby="beside-title">
      <header>
        <h2 id="beside-title">Side by side</h2>
        <span class="note">one scale; either one moves both</span>
      </header>
      {(
        [
          ["This", first, a],
          ["Against", second, b],
        ] as const
      ).map(([name, canvas, profile]) => (
        <div class="scroll half" key={name}>
          <canvas
            ref={canvas}
            tabIndex={0}
            role="img"
            aria-label={`${name}: timeline of ${profile.spans.start.length} spans; the tables below say the same`}
          />
        </div>
      ))}
    </section>
  );
}
