/** The server's last requests (GET /requests), asked for each two seconds: those that ended since. */
import { signal } from "@preact/signals";
import { getJson, ServerError } from "../api.ts";

/** As server/requests/respond.ts tells of it; ms since the submission. */
export interface Told {
  readonly number: number;
  readonly id: string;
  readonly route: string;
  /** Unix ms. */
  readonly arrived: number;
  /** null: it is under way. */
  readonly status: number | null;
  readonly gone: boolean;
  readonly stream: boolean;
  readonly engine: number | null;
  readonly prompt_tokens: number;
  readonly cached_tokens: number;
  readonly output_tokens: number;
  readonly choices: number;
  readonly finish: readonly string[];
  readonly queue_ms: number | null;
  readonly ttft_ms: number | null;
  readonly itl_ms: number | null;
  readonly stall_ms: number | null;
  readonly e2e_ms: number | null;
  readonly preemptions: number;
  readonly error: string | null;
}

interface Answer {
  readonly most: number;
  readonly under_way: readonly Told[];
  readonly requests: readonly Told[];
}

const EVERY_MS = 2000;

/** Those that are over, newest end first. */
export const over = signal<readonly Told[]>([]);
export const underWay = signal<readonly Told[]>([]);
/** Requests that the server keeps; absent: it has not said. */
export const most = signal<number | undefined>(undefined);
export const failure = signal<string | undefined>(undefined);

/** Returns what ends it. */
export function watchRequests(): () => void {
  let ended = false;
  let timer: number | undefined;
  const look = async (): Promise<void> => {
    try {
      const newest = over.value[0]?.number;
      const since = newest === undefined ? "" : `&after=${newest}`;
      take(await getJson<Answer>(`requests?limit=100000${since}`));
      failure.value = undefined;
    } catch (error) {
      failure.value = wordsOf(error);
    }
    if (!ended) timer = setTimeout(() => void look(), document.hidden ? 5 * EVERY_MS : EVERY_MS);
  };
  void look();
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}

function take(answer: Answer): void {
  const came = new Set(answer.requests.map(({ number }) => number));
  const rest = over.value.filter(({ number }) => !came.has(number));
  over.value = [...answer.requests, ...rest].slice(0, answer.most);
  underWay.value = answer.under_way;
  most.value = answer.most;
}

function wordsOf(error: unknown): string {
  if (error instanceof ServerError && error.status === 404) {
    return "This server keeps no requests (--request-history-entries 0).";
  }
  return error instanceof Error ? error.message : String(error);
}
