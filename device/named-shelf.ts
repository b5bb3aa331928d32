/** Adapters of a device that computes nothing with them: they are named, and nothing is read. */
import type { Adapter, AdapterFacts, AdapterShelf } from "./device.ts";

export class NamedShelf implements AdapterShelf {
  readonly #facts: AdapterFacts;

  /** What each of them is taken for. */
  constructor(facts: AdapterFacts) {
    this.#facts = facts;
  }

  load(_adapter: Adapter): Promise<AdapterFacts> {
    return Promise.resolve(this.#facts);
  }

  drop(_adapter: Adapter): void {}
}
