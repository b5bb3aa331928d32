/** The server's live feed (GET /live), kept for ten minutes: what the page draws, pauses and scrubs. */
import { signal } from "@preact/signals";

/** A step as the feed tells it; others between two may have been left out (`skipped`). */
export interface Step {
  readonly at_seconds: number;
  readonly engine: number;
  readonly duration_ms: number;
  readonly rows: number;
  readonly tokens: number;
  readonly running: number;
  readonly waiting: number;
  readonly kv_usage: number;
  readonly preemptions: number;
  readonly skipped: number;
  /** Tokens given out since the message before. */
  readonly output_tokens: number;
  readonly parts_ms?: Readonly<Record<string, number>>;
}

export interface CurvePoint {
  readonly concurrency: number;
  readonly output_tokens_per_second: number;
  readonly output_tokens_per_second_per_user: number;
}

type Message =
  | {
      readonly type: "hello";
      readonly model: string;
      readonly device: string;
      readonly engines: number;
    }
  | ({ readonly type: "step" } & Step)
  | { readonly type: "curve"; readonly engines: readonly (readonly CurvePoint[])[] };

const KEPT_SECONDS = 600;

export const steps: Step[] = [];
export const hello = signal<Extract<Message, { type: "hello" }> | undefined>(undefined);
export const curve = signal<readonly (readonly CurvePoint[])[]>([]);
/** Counts messages: who reads it draws again. */
export const beat = signal(0);
export const state = signal<"opening" | "open" | "closed">("opening");

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

function take(message: Message): void {
  if (message.type === "hello") hello.value = message;
  else if (message.type === "curve") curve.value = message.engines;
  else {
    steps.push(message);
    const oldest = message.at_seconds - KEPT_SECONDS;
    if ((steps[0]?.at_seconds ?? oldest) < oldest - 30) {
      steps.splice(
        0,
        steps.findIndex(({ at_seconds }) => at_seconds >= oldest),
      );
    }
    beat.value++;
  }
}
