/**
 * A request that was let in and whose sequences come one part after the other, so that
 * thousands of completions hold nobody up. All ids are known from the start.
 */
import type { Nanos } from "../device/clock.ts";
import type { SequenceId } from "../device/device.ts";
import { LiveSequence } from "./live-sequence.ts";
import type { AnyRequest } from "./sequence.ts";

interface Place {
  readonly ids: readonly SequenceId[];
  readonly arrival: Nanos;
  readonly maxContext: number;
}

/** What an engine does for it. */
export interface Host {
  /** The next ones wait; `lead`: who led those before. Returns who leads now. */
  join(part: readonly LiveSequence[], lead: LiveSequence | undefined): LiveSequence | undefined;
  /** So many, of a prompt of so many tokens, will not come. */
  forgo(count: number, promptLength: number): void;
}

export class Joining {
  readonly ids: readonly SequenceId[];
  readonly promptLength: number;
  readonly #request: AnyRequest;
  readonly #place: Place;
  readonly #host: Host;
  #lead: LiveSequence | undefined;
  #joined = 0;

  constructor(request: AnyRequest, place: Place, host: Host) {
    this.ids = place.ids;
    this.promptLength = request.prompt.length;
    const { prompt } = request;
    // One array for all, until each has an output.
    this.#request = Array.isArray(prompt)
      ? { ...request, prompt: Int32Array.from(prompt) }
      : request;
    this.#place = place;
    this.#host = host;
  }

  /** Sequences still to come. */
  get left(): number {
    return this.ids.length - this.#joined;
  }

  /** Makes the next `count` wait; their ids. Throws EngineClosedError. */
  join(count: number): readonly SequenceId[] {
    const from = this.#joined;
    const ids = this.ids.slice(from, from + count);
    const { ids: group, arrival, maxContext } = this.#place;
    const part = ids.map((id, offset) => {
      const place = { id, index: from + offset, group, arrival, maxContext };
      return new LiveSequence(this.#request, place);
    });
    this.#joined += ids.length;
    this.#lead = this.#host.join(part, this.#lead);
    return ids;
  }

  /** Those that have not come never will. */
  forgo(): void {
    const { left } = this;
    if (left === 0) return;
    this.#joined = this.ids.length;
    this.#host.forgo(left, this.promptLength);
  }
}
