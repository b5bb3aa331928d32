/**
 * Responses that are kept for later: to be read again, gone on from, watched or
 * cancelled. Bounded in count and bytes; the oldest that have ended go first, and
 * where all are still running nothing more is taken.
 */

import type { ChatMessage } from "../../generation/messages.ts";
import { ApiError } from "../../http/errors.ts";
import type { SseEvent } from "../../http/sse.ts";
import type { ResponseObject, ResponseStatus } from "./describe.ts";
import type { Fields } from "./fields.ts";
import type { EarlierItems } from "./input.ts";

export interface StoreLimits {
  readonly entries: number;
  readonly bytes: number;
}

const ENDED: ReadonlySet<ResponseStatus> = new Set([
  "completed",
  "incomplete",
  "cancelled",
  "failed",
]);

/** One kept response. */
export class StoredResponse {
  /** The conversation up to its answer. */
  readonly messages: readonly ChatMessage[];
  response: ResponseObject;
  bytes: number;
  /** Of a background stream, from the first on; absent: it does not stream. */
  readonly events: SseEvent[] | undefined;
  /** No more events come. */
  closed = false;
  /** Ends what runs; absent: nothing does. */
  abort: (() => void) | undefined;
  readonly #watchers = new Set<() => void>();

  constructor(response: ResponseObject, messages: readonly ChatMessage[], streams: boolean) {
    this.response = response;
    this.messages = messages;
    this.bytes = size(messages) + size(response);
    this.events = streams ? [] : undefined;
  }

  get ended(): boolean {
    return ENDED.has(this.response.status);
  }

  /** Calls back at each change until it is told to stop. */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  }

  notify(): void {
    for (const changed of this.#watchers) changed();
  }
}

export class ResponseStore implements EarlierItems {
  readonly #limits: StoreLimits;
  readonly #kept = new Map<string, StoredResponse>();
  #bytes = 0;

  constructor(limits: StoreLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#kept.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(id: string): StoredResponse | undefined {
    return this.#kept.get(id);
  }

  item(id: string): Fields | undefined {
    for (const { response } of [...this.#kept.values()].reverse()) {
      const found = response.output.find((item) => (item as Fields)["id"] === id);
      if (found !== undefined) return found as Fields; // an output item
    }
    return undefined;
  }

  /** Throws ApiError 503 where responses that still run leave no room for one more. */
  admit(id: string, stored: StoredResponse): void {
    const known = this.#kept.get(id);
    if (known !== undefined && !known.ended) {
      throw new ApiError("invalid-request", `Response with id '${id}' is still running.`, {
        param: "request_id",
      });
    }
    if (!this.#makeRoom(stored.bytes, known)) {
      throw new ApiError("overloaded", "Too many responses run in the background.", {
        retryAfterSeconds: 1,
      });
    }
    this.#insert(id, stored);
  }

  /** Keeps an ended response, if there is room. */
  keep(id: string, stored: StoredResponse): void {
    const known = this.#kept.get(id);
    if (known !== undefined && !known.ended) return;
    if (this.#makeRoom(stored.bytes, known)) this.#insert(id, stored);
  }

  /** A kept response has changed its state or gained an event. */
  update(
    stored: StoredResponse,
    change: { readonly response?: ResponseObject; readonly event?: SseEvent },
  ): void {
    const { response, event } = change;
    let grown = 0;
    if (response !== undefined) {
      grown += size(response) - size(stored.response);
      stored.response = response;
    }
    if (event !== undefined && stored.events !== undefined) {
      grown += event.data.length;
      stored.events.push(event);
    }
    stored.bytes += grown;
    if (this.#kept.get(stored.response.id) === stored) this.#bytes += grown;
    this.#makeRoom(0, undefined);
    stored.notify();
  }

  /** Drops the oldest that have ended until `bytes` more fit. False: they never do. */
  #makeRoom(bytes: number, replaced: StoredResponse | undefined): boolean {
    const entries = this.#limits.entries - (bytes === 0 ? 0 : 1);
    const fits = () =>
      this.#kept.size - (replaced === undefined ? 0 : 1) <= entries &&
      this.#bytes - (replaced?.bytes ?? 0) + bytes <= this.#limits.bytes;
    // A Map keeps the order of insertion.
    for (const [id, stored] of this.#kept) {
      if (fits()) return true;
      if (!stored.ended || stored === replaced) continue;
      this.#kept.delete(id);
      this.#bytes -= stored.bytes;
    }
    return fits();
  }

  #insert(id: string, stored: StoredResponse): void {
    this.#bytes += stored.bytes - (this.#kept.get(id)?.bytes ?? 0);
    this.#kept.delete(id);
    this.#kept.set(id, stored);
  }
}

function size(value: unknown): number {
  return JSON.stringify(value).length;
}
