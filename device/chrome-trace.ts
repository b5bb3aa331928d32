/**
 * Reads the Trace Event Format piece by piece: complete events, pairs of begin and
 * end, names of processes and threads. A file of a million events never stands in
 * memory as one tree of objects, and its reader can say how far it is.
 */
import { ColumnBuilder, type SpanColumns } from "./columns.ts";
import type { SpanArgs } from "./trace.ts";

export interface ChromeTraceFile {
  readonly columns: SpanColumns;
  readonly args: readonly SpanArgs[];
  /** ns, first begin to last end. */
  readonly duration: number;
  /** What stands beside the events: `otherData` of an object. */
  readonly about: Readonly<Record<string, unknown>>;
}

interface TraceEvent {
  readonly ph?: string;
  readonly pid?: number | string;
  readonly tid?: number | string;
  readonly name?: string;
  readonly id?: number | string;
  readonly cat?: string;
  /** µs */
  readonly ts?: number;
  readonly dur?: number;
  readonly args?: Record<string, unknown>;
}

/** Bytes of events that are parsed at a time. */
const BATCH = 1 << 18;

/** `progress` is told the share of the bytes that was read. Throws a sentence for what is no trace. */
export function readChromeTrace(
  bytes: Uint8Array,
  title: string,
  progress: (share: number) => void = () => {},
): ChromeTraceFile {
  const collector = new Collector();
  const from = eventsStart(bytes);
  if (from === undefined) throw new Error(`${title} holds no traceEvents.`);
  const to = eachBatch(bytes, from, (text, at) => {
    let events: readonly TraceEvent[];
    try {
      events = JSON.parse(`[${text}]`) as readonly TraceEvent[];
    } catch (error) {
      throw new Error(`${title}: ${error instanceof Error ? error.message : String(error)}`);
    }
    for (const event of events) collector.take(event);
    progress(at / bytes.length);
  });
  if (collector.count === 0) throw new Error(`${title} holds no span.`);
  return { ...collector.end(), about: aboutOf(bytes, from, to) };
}

class Collector {
  count = 0;
  readonly #builder = new ColumnBuilder();
  readonly #processes = new Map<string, string>();
  readonly #threads = new Map<string, string>();
  readonly #open = new Map<string, TraceEvent[]>();
  /** µs of the first event: times are kept from here, where they are exact. */
  #base: number | undefined;

  take(event: TraceEvent): void {
    const { ph, pid, tid, name, args } = event;
    if (ph === "X") this.#add(event, event.dur ?? 0);
    else if (ph === "M") {
      if (typeof args?.["name"] !== "string") return;
      if (name === "process_name") this.#processes.set(String(pid), args["name"]);
      if (name === "thread_name") this.#threads.set(`${pid ?? ""} ${tid ?? ""}`, args["name"]);
    } else if (ph === "B" || ph === "b") {
      const key = keyOf(event);
      const open = this.#open.get(key);
      if (open === undefined) this.#open.set(key, [event]);
      else open.push(event);
    } else if (ph === "E" || ph === "e") {
      const begun = this.#open.get(keyOf(event))?.pop();
      if (begun !== undefined) this.#add(begun, (event.ts ?? 0) - (begun.ts ?? 0));
    }
  }

  #add(event: TraceEvent, micros: number): void {
    this.count++;
    this.#base ??= event.ts ?? 0;
    this.#builder.add(String(event.pid ?? ""), `${event.pid ?? ""} ${event.tid ?? ""}`, {
      start: ((event.ts ?? 0) - this.#base) * 1000,
      duration: micros * 1000,
      name: String(event.name ?? ""),
      ...(event.args !== undefined && { args: event.args as SpanArgs }), // shown as text
    });
  }

  end(): Omit<ChromeTraceFile, "about"> {
    const { tracks, ...columns } = this.#builder.columns();
    const { start, duration } = columns;
    let first = Number.POSITIVE_INFINITY;
    let last = 0;
    for (const at of start) first = Math.min(first, at);
    for (let span = 0; span < start.length; span++) {
      const at = (start[span] ?? 0) - first;
      start[span] = at;
      last = Math.max(last, at + (duration[span] ?? 0));
    }
    const named = tracks.map((track) => ({
      ...track,
      process: this.#processes.get(track.process) ?? `process ${track.process}`,
      lane: this.#threads.get(track.lane) ?? track.lane.split(" ")[1] ?? "",
    }));
    return { columns: { tracks: named, ...columns }, args: this.#builder.args, duration: last };
  }
}

const keyOf = ({ pid, tid, id, cat }: TraceEvent): string =>
  `${pid} ${tid} ${id ?? ""} ${cat ?? ""}`;

const [QUOTE, BACKSLASH, OPEN, CLOSE, BEGIN, END, COLON] = [...'"\\{}[]:'].map((letter) =>
  letter.charCodeAt(0),
);

/** Offset behind the bracket that opens the list of events. */
function eventsStart(bytes: Uint8Array): number | undefined {
  const KEY = "traceEvents";
  let depth = 0;
  let key = "";
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      const end = stringEnd(bytes, at);
      if (depth === 1) key = new TextDecoder().decode(bytes.subarray(at + 1, end));
      at = end;
    } else if (byte === BEGIN) {
      if (depth === 0 || (depth === 1 && key === KEY)) return at + 1;
      depth++;
    } else if (byte === OPEN) depth++;
    else if (byte === CLOSE || byte === END) depth--;
    else if (byte === COLON || depth > 0 || (byte ?? 0) <= 32 || byte === 0xef) continue;
    else if (byte !== 0xbb && byte !== 0xbf) return undefined; // no JSON, a byte-order mark apart
  }
  return undefined;
}

/** Hands on events, some hundreds at a time; the offset of the list's end, or the file's. */
function eachBatch(
  bytes: Uint8Array,
  from: number,
  take: (text: string, at: number) => void,
): number {
  const decoder = new TextDecoder();
  let begin = -1;
  let depth = 0;
  const flush = (end: number): void => {
    if (begin >= 0) take(decoder.decode(bytes.subarray(begin, end)), end);
    begin = -1;
  };
  let end = from;
  let at = from;
  for (; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) at = stringEnd(bytes, at);
    else if (byte === OPEN || byte === BEGIN) {
      if (depth === 0 && begin < 0) begin = at;
      depth++;
    } else if (byte === CLOSE || byte === END) {
      if (depth === 0) break;
      depth--;
      if (depth > 0) continue;
      end = at + 1;
      if (end - begin >= BATCH) flush(end);
    }
  }
  flush(end);
  return at;
}

/** Offset of the quote that ends the string which begins at `from`. */
function stringEnd(bytes: Uint8Array, from: number): number {
  let at = from + 1;
  for (; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === BACKSLASH) at++;
    else if (byte === QUOTE) break;
  }
  return at;
}

/** `otherData`, before or behind the events. */
function aboutOf(bytes: Uint8Array, from: number, to: number): Readonly<Record<string, unknown>> {
  const decode = (a: number, b: number): string => new TextDecoder().decode(bytes.subarray(a, b));
  try {
    const body: unknown = JSON.parse(decode(0, from) + decode(to, bytes.length));
    const other = (body as { otherData?: unknown }).otherData;
    return typeof other === "object" && other !== null ? { ...other } : {};
  } catch {
    return {}; // the list's end is missing, as browsers leave it
  }
}
