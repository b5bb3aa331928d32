/**
 * Who listens to an engine. Events go out synchronously and in order; what a
 * listener throws is reported, and neither the engine nor the others notice.
 */
import type { Clock } from "../device/clock.ts";
import type { EngineEvent, EngineListener } from "./events.ts";

export type OnListenerError = (error: unknown, listener: EngineListener) => void;

export class Audience {
  /** Replaced when it changes, so that whoever tells goes on with the one it has. */
  #listeners: readonly EngineListener[] = [];
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
    if (!this.#listeners.includes(listener)) this.#listeners = [...this.#listeners, listener];
    return () => {
      this.#listeners = this.#listeners.filter((each) => each !== listener);
    };
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
      const listeners = this.#listeners;
      for (let at = 0; at < listeners.length; at++)
        this.#tellOne(listeners[at] as EngineListener, event);
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
