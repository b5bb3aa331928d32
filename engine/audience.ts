/**
 * Who listens to an engine. Events go out synchronously and in order; what a
 * listener throws is reported, and neither the engine nor the others notice.
 */
import type { Clock } from "../device/clock.ts";
import type { EngineEvent, EngineListener } from "./events.ts";

export type OnListenerError = (error: unknown, listener: EngineListener) => void;

export class Audience {
  readonly #listeners = new Set<EngineListener>();
  readonly #onError: OnListenerError;
  /** Events being told; nested calls append. */
  #outbox: EngineEvent[] = [];
  #telling = false;

  /** Without `onError` what is thrown is thrown again, in a turn of its own. */
  constructor(clock: Clock, onError?: OnListenerError) {
    this.#onError =
      onError ??
      ((error) => {
        clock.at(clock.now(), () => {
          throw error;
        });
      });
  }

  /** Returns the way out. */
  join(listener: EngineListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** False when called by a listener: the call under way tells these too. */
  tell(events: EngineEvent[]): boolean {
    if (this.#telling) {
      for (const event of events) this.#outbox.push(event);
      return false;
    }
    this.#outbox = events;
    this.#telling = true;
    // Grows while it is read when a listener calls the engine.
    for (let i = 0; i < this.#outbox.length; i++) {
      const event = this.#outbox[i];
      if (event === undefined) continue;
      for (const listener of this.#listeners) this.#tellOne(listener, event);
    }
    this.#outbox = [];
    this.#telling = false;
    return true;
  }

  #tellOne(listener: EngineListener, event: EngineEvent): void {
    try {
      listener(event);
    } catch (error) {
      this.#onError(error, listener);
    }
  }
}
