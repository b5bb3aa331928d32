/** The server's live feed (GET /live), kept for ten minutes: what the page draws, pauses and scrubs. */
import { signal } from "@preact/signals";
import { EngineTrack, type KvMap, type Step } from "./track.ts";

export interface CurvePoint {
  readonly concurrency: number;
  readonly mean_running: number;
  readonly output_tokens_per_second: number;
  readonly output_tokens_per_second_per_user: number;
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
