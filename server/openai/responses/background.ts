/** Responses that run without a client: started, watched and cancelled through the store. */

import { type Exchange, generationError } from "../../exchange/exchange.ts";
import type { Asker } from "../../generation/chat.ts";
import { Generation, withAdapter } from "../../generation/generate.ts";
import { ApiError, toApiError } from "../../http/errors.ts";
import type { SseEvent } from "../../http/sse.ts";
import type { Serving } from "../../serving.ts";
import { failure, type ResponseAnswer, responseStream, wholeResponse } from "./answer.ts";
import { describe, type ResponseObject } from "./describe.ts";
import type { ResponseStore, StoredResponse } from "./store.ts";

/** Nobody waits: the generation goes on whatever becomes of the connection. */
export function backgroundAsker(serving: Serving, asker: Exchange): Asker {
  return {
    priority: (body) => asker.priority(body),
    requestType: asker.requestType,
    fixed: asker.fixed,
    get rank() {
      return asker.rank;
    },
    start: (task) =>
      new Generation(
        serving,
        withAdapter(
          asker.origin === undefined ? task : { ...task, origin: asker.origin },
          asker.adapter,
        ),
      ),
  };
}

/** Runs a response that was admitted to the store. */
export function runInBackground(
  store: ResponseStore,
  stored: StoredResponse,
  answer: Omit<ResponseAnswer, "ended">,
): void {
  const { generation } = answer.chat;
  let over = false;
  const ended = (response: ResponseObject): void => {
    over = true;
    stored.abort = undefined;
    // A response that was cancelled stays so.
    if (!stored.ended) store.update(stored, { response });
  };
  const close = (): void => {
    stored.closed = true;
    stored.notify();
  };
  const push = (events: readonly SseEvent[]): void => {
    for (const event of events) store.update(stored, { event });
  };
  const whole = { ...answer, ended };
  const streamed = stored.events === undefined ? undefined : responseStream(whole);
  const fail = (thrown: unknown): void => {
    if (over) return;
    generation.abort();
    const error = toApiError(thrown);
    if (streamed !== undefined) {
      push(streamed.failed(error));
      close();
    } else
      ended({ ...describe(answer.head, "failed", { output: [] }), ...{ error: failure(error) } });
  };
  const pump = (): void => {
    if (over) return;
    try {
      const failed = generation.choices.find((choice) => choice.finish?.reason === "error");
      if (failed !== undefined) throw generationError(failed.finish?.error, false);
      if (streamed !== undefined) {
        push(streamed.deltas(generation.take()));
        if (!generation.done) return;
        push(streamed.end());
        close();
      } else if (generation.done) wholeResponse(whole, generation.take());
    } catch (error) {
      fail(error);
    }
  };
  stored.abort = () => generation.abort();
  generation.onChange = pump;
  generation.onFail = fail;
  if (streamed !== undefined) push(streamed.begin?.() ?? []);
  pump();
}

/** Ends what runs; the response is cancelled from now on. */
export function cancel(store: ResponseStore, stored: StoredResponse): ResponseObject {
  const { status } = stored.response;
  if (status !== "queued" && status !== "in_progress") {
    throw new ApiError("invalid-request", "Cannot cancel a synchronous response.", {
      param: "response_id",
    });
  }
  store.update(stored, { response: { ...stored.response, status: "cancelled" } });
  stored.abort?.();
  return stored.response;
}
