/** A drawn timeline and what its user does there: the span under the pointer, the chosen one, the markers. */
import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { query, remember } from "../route.ts";
import { theme } from "../theme.ts";
import { keepMeasured } from "./measures.tsx";
import type { ShownProfile } from "./profile.ts";
import { TimelineView } from "./timeline-view.ts";

export interface TimelineUse {
  readonly canvas: RefObject<HTMLCanvasElement | null>;
  /** Indices of spans. */
  readonly hovered: number | undefined;
  readonly chosen: number | undefined;
  /** At most two times, ns. */
  readonly markers: readonly number[];
  readonly find: (text: string) => void;
  /** What a button does to the view that is there when it is pressed. */
  readonly act: (does: (view: TimelineView) => void) => () => void;
  /** Of the view that is there when it is called. */
  readonly ask: <T>(of: (view: TimelineView) => T) => T | undefined;
}

export function useTimelineView(profile: ShownProfile): TimelineUse {
  const canvas = useRef<HTMLCanvasElement>(null);
  const view = useRef<TimelineView | undefined>(undefined);
  const [hovered, setHovered] = useState<number>();
  const [chosen, setChosen] = useState<number>();
  const [markers, setMarkers] = useState<readonly number[]>([]);
  useEffect(() => {
    if (canvas.current === null) return;
    const { spans: columns, duration, rates } = profile;
    const drawn = { columns, duration, rates };
    const made = new TimelineView(canvas.current, drawn, {
      hovered: setHovered,
      chosen: setChosen,
      measured: (times) => {
        setMarkers(times);
        keepMeasured(profile, times);
      },
      moved: (from, to) => rememberRange(from, to, duration),
    });
    view.current = made;
    setMarkers([]);
    setChosen(undefined);
    showLinked(made, profile);
    return () => made.close();
  }, [profile]);
  const dark = theme.value; // colours come from the style of the page
  useEffect(() => view.current?.draw(), [dark]);
  const find = (text: string): void => {
    remember("find", text);
    if (view.current !== undefined) light(view.current, profile, text);
  };
  const act = (does: (view: TimelineView) => void) => () => {
    if (view.current !== undefined) does(view.current);
  };
  const ask = <T>(of: (view: TimelineView) => T): T | undefined =>
    view.current === undefined ? undefined : of(view.current);
  return { canvas, hovered, chosen, markers, find, act, ask };
}

/** What the link says: a range of time, and words to find. */
function showLinked(view: TimelineView, profile: ShownProfile): void {
  const { duration } = profile;
  const from = Number(query.value.get("from") ?? 0);
  const to = Number(query.value.get("to") ?? duration);
  if (from > 0 || to < duration) view.show(from, to);
  light(view, profile, query.value.get("find") ?? "");
}

function rememberRange(from: number, to: number, duration: number): void {
  remember("from", from === 0 ? undefined : String(Math.round(from)));
  remember("to", to >= duration ? undefined : String(Math.round(to)));
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
