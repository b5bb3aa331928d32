/** Reads the Trace Event Format: complete events, pairs of begin and end, names of processes and threads. */
import type { SpanArgs } from "../../../../device/trace.ts";
import { ColumnBuilder } from "./columns.ts";
import type { Profile } from "./profile.ts";

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

/** Throws a sentence for what is no trace. */
export function readChromeTrace(text: string, title: string): Profile {
  const parsed = JSON.parse(text) as
    | readonly TraceEvent[]
    | {
        readonly traceEvents?: readonly TraceEvent[];
        readonly otherData?: Record<string, unknown>;
      };
  const events = Array.isArray(parsed) ? parsed : "traceEvents" in parsed ? parsed.traceEvents : [];
  if (!Array.isArray(events) || events.length === 0) {
    throw new Error(`${title} holds no traceEvents.`);
  }
  const processes = new Map<unknown, string>();
  const threads = new Map<string, string>();
  for (const { ph, name, pid, tid, args } of events as readonly TraceEvent[]) {
    if (ph !== "M" || typeof args?.["name"] !== "string") continue;
    if (name === "process_name") processes.set(pid, args["name"]);
    if (name === "thread_name") threads.set(`${pid} ${tid}`, args["name"]);
  }
  const builder = new ColumnBuilder();
  const open = new Map<string, TraceEvent[]>();
  let first = Number.POSITIVE_INFINITY;
  let last = 0;
  for (const { ts, dur } of events as readonly TraceEvent[]) {
    if (ts === undefined) continue;
    if (ts < first && dur !== undefined) first = ts;
    last = Math.max(last, ts + (dur ?? 0));
  }
  if (!Number.isFinite(first)) first = 0;
  const add = (event: TraceEvent, duration: number): void => {
    const process = processes.get(event.pid) ?? `process ${event.pid ?? ""}`;
    const lane = threads.get(`${event.pid} ${event.tid}`) ?? `${event.tid ?? ""}`;
    builder.add(process, lane, {
      start: ((event.ts ?? 0) - first) * 1000,
      duration: duration * 1000,
      name: event.name ?? "",
      ...(event.args !== undefined && { args: event.args as SpanArgs }), // shown as text
    });
  };
  for (const event of events as readonly TraceEvent[]) {
    if (event.ph === "X") add(event, event.dur ?? 0);
    const key = `${event.pid} ${event.tid} ${event.id ?? ""} ${event.cat ?? ""}`;
    if (event.ph === "B" || event.ph === "b") open.set(key, [...(open.get(key) ?? []), event]);
    if (event.ph === "E" || event.ph === "e") {
      const begun = open.get(key)?.pop();
      if (begun !== undefined) add(begun, (event.ts ?? 0) - (begun.ts ?? 0));
    }
  }
  const about = Array.isArray(parsed) ? {} : ((parsed as { otherData?: object }).otherData ?? {});
  const said = about as { profile_name?: unknown; is_simulation?: unknown };
  return {
    title: typeof said.profile_name === "string" ? said.profile_name : title,
    note:
      said.is_simulation === "true"
        ? `From ${title}: simulated time.`
        : `From ${title}, as it was recorded.`,
    duration: (last - first) * 1000,
    spans: builder.columns(),
  };
}
