/** The server's live feed (GET /live), kept for ten minutes: what the page draws, pauses and scrubs. */
import { signal } from "@preact/signals";

/** A step as the feed tells it; others between two may have been left out (`skipped`). */
export interface Step {
  readonly at_seconds: number;
  readonly engine: number;
  readonly duration_ms: number;
  readonly rows: number;
  readonly tokens: number;
  /** Rows that compute a piece of a prompt, and its tokens. */
  readonly prompt_rows: number;
  readonly prompt_tokens: number;
  readonly running: number;
  readonly waiting: number;
  readonly kv_usage: number;
  readonly preemptions: number;
  readonly skipped: number;
  /** Since the step told before: tokens given out, guesses and those of them that held. */
  readonly output_tokens: number;
  readonly drafted: number;
  readonly accepted: number;
  /** Of a priced device, in wall time. */
  readonly padded_tokens?: number;
  readonly padded_rows?: number;
  readonly parts_ms?: Readonly<Record<string, number>>;
  /** How much later than priced it ended. */
  readonly lateness_ms?: number;
}

export interface CurvePoint {
  readonly concurrency: number;
  readonly mean_running: number;
  readonly output_tokens_per_second: number;
  readonly output_tokens_per_second_per_user: number;
}

/** What the KV blocks are; a digit of `cells` is 0 blank, 1 cached, 2 held, 3 shared. */
export interface KvMap {
  readonly at_seconds: number;
  readonly engine: number;
  readonly blocks: number;
  readonly blocks_a_cell: number;
  readonly held: number;
  readonly shared: number;
  readonly cached: number;
  readonly blank: number;
  readonly cells: string;
}

interface Hello {
  readonly type: "hello";
  readonly at_seconds: number;
  readonly model: string;
  readonly device: string;
  readonly engines: number;
  readonly kv_block_size: number;
}

type Message =
  | Hello
  | { readonly type: "steps"; readonly steps: readonly Step[] }
  | {
      readonly type: "curve";
      readonly at_seconds: number;
      readonly engines: readonly (readonly CurvePoint[])[];
    }
  | ({ readonly type: "kv" } & KvMap);

/** What half a second brought. */
export interface Bin {
  /** Its beginning. */
  readonly at_seconds: number;
  tokens: number;
  /** Seconds of steps, and requests running in them times seconds. */
  busy: number;
  running: number;
  drafted: number;
  accepted: number;
}

export const KEPT_SECONDS = 600;
export const BIN_SECONDS = 0.5;

/** What is kept of an engine, oldest first. */
export class EngineTrack {
  readonly steps: Step[] = [];
  readonly maps: KvMap[] = [];
  readonly bins: Bin[] = [];

  step(step: Step): void {
    this.steps.push(step);
    const at = BIN_SECONDS * Math.floor(step.at_seconds / BIN_SECONDS);
    let bin = this.bins.at(-1);
    if (bin === undefined || bin.at_seconds < at) {
      bin = { at_seconds: at, tokens: 0, busy: 0, running: 0, drafted: 0, accepted: 0 };
      this.bins.push(bin);
    }
    const seconds = (step.duration_ms / 1000) * (1 + step.skipped);
    bin.tokens += step.output_tokens;
    bin.busy += seconds;
    bin.running += seconds * Math.max(1, step.running, step.rows);
    bin.drafted += step.drafted;
    bin.accepted += step.accepted;
    drop(this.steps, step.at_seconds);
    drop(this.bins, step.at_seconds);
  }

  map(map: KvMap): void {
    this.maps.push(map);
    drop(this.maps, map.at_seconds);
  }
}

/** Lets go of what is too old, a while's worth at once. */
function drop(list: { readonly at_seconds: number }[], now: number): void {
  const oldest = now - KEPT_SECONDS;
  if ((list[0]?.at_seconds ?? oldest) >= oldest - 30) return;
  list.splice(0, before(list, oldest));
}

/** How many of a list came until then. */
export function before(list: readonly { readonly at_seconds: number }[], when: number): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle]?.at_seconds ?? 0) <= when) low = middle + 1;
    else high = middle;
  }
  return low;
}

export const tracks: EngineTrack[] = [];
export const hello = signal<Hello | undefined>(undefined);
export const curve = signal<readonly (readonly CurvePoint[])[]>([]);
/** Counts messages: who reads it draws again. */
export const beat = signal(0);
export const state = signal<"opening" | "open" | "closed">("opening");

/** The server's time when a message last came, and this page's. */
let clock = { server: 0, page: 0 };

/** Seconds of the server's clock, now. */
export function now(): number {
  return state.peek() === "open"
    ? clock.server + (performance.now() - clock.page) / 1000
    : clock.server;
}

/** Returns what ends it. */
export function watchLive(): () => void {
  const url = new URL("live", new URL(".", location.href));
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  let over = false;
  let socket: WebSocket | undefined;
  const connect = (): void => {
    socket = new WebSocket(url);
    socket.addEventListener("open", () => {
      state.value = "open";
    });
    socket.addEventListener("message", ({ data }) => take(JSON.parse(String(data)) as Message));
    socket.addEventListener("close", () => {
      state.value = "closed";
      if (!over) setTimeout(() => !over && connect(), 2000);
    });
  };
  connect();
  return () => {
    over = true;
    socket?.close();
  };
}

function trackOf(engine: number): EngineTrack {
  tracks[engine] ??= new EngineTrack();
  return tracks[engine];
}

function take(message: Message): void {
  if (message.type === "steps") {
    for (const step of message.steps) trackOf(step.engine).step(step);
    heard(message.steps.at(-1)?.at_seconds);
  } else {
    // Another server's life: its clock began anew.
    if (message.type === "hello" && message.at_seconds < clock.server) tracks.length = 0;
    heard(message.at_seconds, message.type === "hello");
    if (message.type === "hello") hello.value = message;
    else if (message.type === "curve") curve.value = message.engines;
    else trackOf(message.engine).map(message);
  }
  beat.value++;
}

function heard(server: number | undefined, anew = false): void {
  if (server === undefined || (!anew && server < clock.server)) return;
  clock = { server, page: performance.now() };
}
