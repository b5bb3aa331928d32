/** The events of OpenAI's completions: a chunk each, and the word that ends a stream. */
import type { ApiError } from "../http/errors.ts";
import type { SseEvent } from "../http/sse.ts";

export const DONE: SseEvent = { data: "[DONE]" };

export function event(chunk: object): SseEvent {
  return { data: JSON.stringify(chunk) };
}

export function failed(error: ApiError): readonly SseEvent[] {
  return [event(error.body), DONE];
}
