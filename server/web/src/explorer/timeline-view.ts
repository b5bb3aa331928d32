/** The timeline on a canvas: tracks below each other, panned, zoomed, selected and measured. */
import type { SpanColumns } from "../../../../device/columns.ts";
import type { Drawing } from "../exports.tsx";
import { type Mark, TrackDetail } from "./detail.ts";
import { hueOf } from "./hues.ts";
import { type Pen, SvgPen } from "./pen.ts";
import { timeText } from "./time-text.ts";

const ROW = 19;
const HEAD = 24;
const NAMES = 104;
/** Width of a character of the drawing. */
const LETTER = 6.7;
const LEAST_NS = 50;

export interface TimelineEvents {
  /** The span under the pointer, or chosen; undefined: none. */
  readonly hovered?: (span: number | undefined) => void;
  readonly chosen?: (span: number | undefined) => void;
  /** What is seen, ns. */
  readonly moved?: (from: number, to: number) => void;
  readonly measured?: (markers: readonly number[]) => void;
}

/** A line of the picture: spans of a track, or how much of something they use. */
interface Row {
  readonly detail: TrackDetail;
  readonly name: string;
  /** Heights of the bars by span, 0 to 1; absent: all are whole. */
  readonly heights?: Float32Array;
}

export interface TimelineSource {
  readonly columns: SpanColumns;
  readonly duration: number;
  /** Bytes a ns that spans of DMA move, by span; a row of its own below theirs. */
  readonly rates?: Float32Array | undefined;
}

export class TimelineView {
  /** Marks drawn in the last frame: bounded by pixels, not by spans. */
  drawn = 0;
  readonly #canvas: HTMLCanvasElement;
  readonly #columns: SpanColumns;
  readonly #rows: readonly Row[];
  readonly #events: TimelineEvents;
  readonly #length: number;
  readonly #end = new AbortController();
  #from = 0;
  #to: number;
  #markers: number[] = [];
  #chosen: number | undefined;
  #lit: number | undefined;
  #pending = false;
  #pointer = { x: 0, y: 0 };

  constructor(canvas: HTMLCanvasElement, source: TimelineSource, events: TimelineEvents) {
    this.#canvas = canvas;
    this.#columns = source.columns;
    this.#events = events;
    this.#length = Math.max(1, source.duration);
    this.#to = this.#length;
    this.#rows = rowsOf(source);
    this.#listen();
    this.draw();
  }

  close(): void {
    this.#end.abort();
  }

  get height(): number {
    return HEAD + this.#rows.length * ROW + 6;
  }

  show(from: number, to: number): void {
    const width = Math.max(LEAST_NS, Math.min(to - from, this.#length));
    this.#from = Math.max(0, Math.min(from, this.#length - width));
    this.#to = this.#from + width;
    this.#events.moved?.(this.#from, this.#to);
    this.draw();
  }

  /** Spans of this name stand out; undefined: all do. */
  light(name: number | undefined): void {
    this.#lit = name;
    this.draw();
  }

  choose(span: number | undefined): void {
    this.#chosen = span;
    this.#events.chosen?.(span);
    this.draw();
  }

  /** Marks times; the third begins anew. */
  mark(...times: readonly number[]): void {
    for (const at of times) {
      this.#markers = this.#markers.length >= 2 ? [at] : [...this.#markers, at];
    }
    this.#events.measured?.(this.#markers);
    this.draw();
  }

  /** Both ends of a span, as its times are. */
  markEnds(span = this.#chosen): void {
    if (span === undefined) return;
    const start = this.#columns.start[span] ?? 0;
    this.#markers = [];
    this.mark(start, start + (this.#columns.duration[span] ?? 0));
  }

  draw(): void {
    if (this.#pending) return;
    this.#pending = true;
    requestAnimationFrame(() => {
      this.#pending = false;
      this.#paint();
    });
  }

  /** What is seen, as a drawing of its own. */
  svg(): Drawing {
    const pen = new SvgPen();
    const { clientWidth: width } = this.#canvas;
    const ground = getComputedStyle(this.#canvas).getPropertyValue("--paper").trim();
    this.#draw(pen, width);
    return pen.drawing({ width, height: this.height }, ground);
  }

  /** Spans that are seen, at most so many: process, lane, name, start and duration in ns. */
  seen(most: number): readonly (readonly (string | number)[])[] {
    const { tracks, start, duration, name, names } = this.#columns;
    const rows: (readonly (string | number)[])[] = [];
    for (const { process, lane, from, to } of tracks) {
      for (let span = from; span < to && rows.length < most; span++) {
        const [begun = 0, lasts = 0] = [start[span], duration[span]];
        if (begun > this.#to || begun + lasts < this.#from) continue;
        rows.push([process, lane, names[name[span] ?? 0] ?? "", begun, lasts]);
      }
    }
    return rows;
  }

  #paint(): void {
    const { canvas, context, width } = this.#surface();
    if (context === null) return;
    this.#draw(context, width);
    canvas.dataset["drawn"] = String(this.drawn);
  }

  #draw(context: Pen, width: number): void {
    const { height } = this;
    const canvas = this.#canvas;
    const style = getComputedStyle(canvas);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const ink = colour("--ink");
    const faint = colour("--faint");
    const line = colour("--line");
    context.clearRect(0, 0, width, height);
    context.font = `11px ${colour("--mono")}`;
    context.textBaseline = "middle";
    this.#ruler(context, width, { faint, line });
    let drawn = 0;
    const scale = (width - NAMES) / (this.#to - this.#from);
    for (const [index, { detail, name, heights }] of this.#rows.entries()) {
      const y = HEAD + index * ROW;
      if (detail.track.depth === 0) {
        context.fillStyle = colour("--soft");
        context.fillText(clip(name, 15), 8, y + ROW / 2 + 1);
        context.fillStyle = line;
        context.fillRect(0, y, width, 1);
      }
      const marks = detail.marks(this.#from, this.#to, width - NAMES);
      drawn += marks.length;
      if (heights === undefined) {
        for (const mark of marks) this.#bar(context, mark, { y, scale, width, ink });
      } else {
        context.fillStyle = colour("--green");
        for (const mark of marks) this.#column(context, mark, { y, scale, width }, heights);
      }
    }
    this.drawn = drawn;
    this.#lines(context, { scale, height, accent: colour("--accent") });
  }

  #bar(
    context: Pen,
    mark: Mark,
    at: { y: number; scale: number; width: number; ink: string },
  ): void {
    const left = Math.max(NAMES, NAMES + (mark.start - this.#from) * at.scale);
    const right = Math.min(at.width, NAMES + (mark.end - this.#from) * at.scale);
    const size = Math.max(0.75, right - left - 0.5);
    const name = this.#columns.name[mark.span] ?? 0;
    context.globalAlpha =
      this.#lit !== undefined && this.#lit !== name ? 0.18 : mark.count > 1 ? 0.7 : 1;
    context.fillStyle = hueOf(this.#columns.names[name] ?? "");
    context.fillRect(left, at.y + 2, size, ROW - 4);
    if (mark.span === this.#chosen && mark.count === 1) {
      context.strokeStyle = at.ink;
      context.lineWidth = 1.5;
      context.strokeRect(left + 0.5, at.y + 2.5, size - 1, ROW - 5);
    }
    if (mark.count === 1 && size > 34) {
      context.fillStyle = "#0b0e12";
      const room = Math.floor((size - 8) / LETTER);
      context.fillText(clip(this.#columns.names[name] ?? "", room), left + 4, at.y + ROW / 2 + 0.5);
    }
    context.globalAlpha = 1;
  }

  #column(
    context: Pen,
    mark: Mark,
    at: { y: number; scale: number; width: number },
    heights: Float32Array,
  ): void {
    const left = Math.max(NAMES, NAMES + (mark.start - this.#from) * at.scale);
    const right = Math.min(at.width, NAMES + (mark.end - this.#from) * at.scale);
    const height = (heights[mark.span] ?? 0) * (ROW - 3);
    context.fillRect(left, at.y + ROW - 1 - height, Math.max(0.75, right - left), height);
  }

  #ruler(context: Pen, width: number, colours: { faint: string; line: string }): void {
    const span = this.#to - this.#from;
    const rough = span / Math.max(2, (width - NAMES) / 110);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough) ?? rough;
    for (let at = Math.ceil(this.#from / step) * step; at < this.#to; at += step) {
      const x = NAMES + ((at - this.#from) * (width - NAMES)) / span;
      context.fillStyle = colours.line;
      context.fillRect(x, HEAD - 5, 1, this.height);
      context.fillStyle = colours.faint;
      const text = timeText(at);
      if (x + 4 + LETTER * text.length <= width) context.fillText(text, x + 4, HEAD / 2);
    }
  }

  #lines(context: Pen, at: { scale: number; height: number; accent: string }): void {
    const xs = this.#markers.map((time) => NAMES + (time - this.#from) * at.scale);
    context.fillStyle = at.accent;
    for (const x of xs) if (x >= NAMES) context.fillRect(x - 0.75, 0, 1.5, at.height);
    const [a, b] = xs;
    if (a === undefined || b === undefined) return;
    context.globalAlpha = 0.12;
    context.fillRect(Math.max(NAMES, Math.min(a, b)), HEAD, Math.abs(b - a), at.height);
    context.globalAlpha = 1;
  }

  #surface() {
    const canvas = this.#canvas;
    const ratio = devicePixelRatio;
    const width = canvas.clientWidth;
    const height = this.height;
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
    if (canvas.height !== Math.round(height * ratio)) {
      canvas.height = Math.round(height * ratio);
      canvas.style.height = `${height}px`;
    }
    const context = canvas.getContext("2d");
    context?.setTransform(ratio, 0, 0, ratio, 0, 0);
    return { canvas, context, width };
  }

  #timeAt(x: number): number {
    const width = this.#canvas.clientWidth - NAMES;
    return this.#from + ((x - NAMES) / width) * (this.#to - this.#from);
  }

  #spanAt(x: number, y: number): number | undefined {
    const { detail } = this.#rows[Math.floor((y - HEAD) / ROW)] ?? {};
    if (detail === undefined || x < NAMES) return undefined;
    const pixel = (this.#to - this.#from) / Math.max(1, this.#canvas.clientWidth - NAMES);
    const time = this.#timeAt(x);
    const near = detail.marks(time - pixel, time + pixel, 64);
    const under = near.find((mark) => mark.start <= time && mark.end > time) ?? near[0];
    return under?.span;
  }

  #listen(): void {
    const { signal } = this.#end;
    const canvas = this.#canvas;
    let dragged: { x: number; from: number; moved: boolean } | undefined;
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
          this.#pan((event.deltaX || event.deltaY) / (canvas.clientWidth - NAMES));
        } else this.zoom(1.0018 ** event.deltaY, this.#timeAt(event.offsetX));
      },
      { signal, passive: false },
    );
    canvas.addEventListener(
      "pointerdown",
      (event) => {
        dragged = { x: event.offsetX, from: this.#from, moved: false };
        canvas.setPointerCapture(event.pointerId);
      },
      { signal },
    );
    canvas.addEventListener(
      "pointermove",
      (event) => {
        this.#pointer = { x: event.offsetX, y: event.offsetY };
        if (dragged === undefined) {
          this.#events.hovered?.(this.#spanAt(event.offsetX, event.offsetY));
          return;
        }
        const shift = event.offsetX - dragged.x;
        if (Math.abs(shift) < 4 && !dragged.moved) return;
        dragged.moved = true;
        const span = this.#to - this.#from;
        const from = dragged.from - (shift / (canvas.clientWidth - NAMES)) * span;
        this.show(from, from + span);
      },
      { signal },
    );
    canvas.addEventListener(
      "pointerup",
      (event) => {
        const was = dragged;
        dragged = undefined;
        if (was === undefined || was.moved) return;
        if (event.shiftKey) this.mark(this.#timeAt(event.offsetX));
        else this.choose(this.#spanAt(event.offsetX, event.offsetY));
      },
      { signal },
    );
    canvas.addEventListener("keydown", (event) => this.#key(event), { signal });
    addEventListener("resize", () => this.draw(), { signal });
  }

  #key(event: KeyboardEvent): void {
    const middle = (this.#from + this.#to) / 2;
    const acts: Readonly<Record<string, () => void>> = {
      w: () => this.zoom(0.7, middle),
      s: () => this.zoom(1 / 0.7, middle),
      a: () => this.#pan(-0.2),
      d: () => this.#pan(0.2),
      arrowup: () => this.zoom(0.7, middle),
      arrowdown: () => this.zoom(1 / 0.7, middle),
      arrowleft: () => this.#pan(-0.2),
      arrowright: () => this.#pan(0.2),
      m: () => this.mark(this.#timeAt(this.#pointer.x)),
      f: () => this.fit(),
      e: () => this.markEnds(),
      "0": () => this.show(0, this.#length),
      escape: () => this.choose(undefined),
    };
    const act = acts[event.key.toLowerCase()];
    if (act === undefined || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  }

  zoom(factor: number, around: number): void {
    const span = (this.#to - this.#from) * factor;
    const share = (around - this.#from) / (this.#to - this.#from);
    this.show(around - share * span, around + (1 - share) * span);
  }

  /** The chosen span fills the view. */
  fit(span = this.#chosen): void {
    if (span === undefined) return;
    const start = this.#columns.start[span] ?? 0;
    const length = this.#columns.duration[span] ?? 0;
    this.show(start - 0.1 * length, start + 1.1 * length);
  }

  #pan(share: number): void {
    const shift = share * (this.#to - this.#from);
    this.show(this.#from + shift, this.#to + shift);
  }
}

function rowsOf({ columns, rates }: TimelineSource): readonly Row[] {
  const most = rates?.reduce((high, rate) => Math.max(high, rate), 0) ?? 0;
  return columns.tracks.flatMap((track): readonly Row[] => {
    const detail = new TrackDetail(columns, track);
    const row: Row = { detail, name: track.lane };
    if (rates === undefined || most === 0 || track.lane !== "dma" || track.depth > 0) return [row];
    const heights = rates.map((rate) => rate / most);
    return [row, { detail, name: "HBM use", heights }];
  });
}

const clip = (text: string, room: number): string =>
  text.length <= room ? text : room < 3 ? "" : `${text.slice(0, room - 1)}…`;
