/**
 * The adapters of the cpu device, on the engine's thread: which of them stand in the ranks'
 * places, and what has to be read before a step. A place is given up by the adapter that was
 * used longest ago, never by one of the step at hand.
 */

import type { AdapterWeights } from "../../models/adapters.ts";
import type { Model } from "../../models/model.ts";
import { readAdapter } from "../../models/weights/adapter.ts";
import type { Adapter, AdapterFacts, BatchRow } from "../device.ts";
import type { AdapterSettings } from "../settings.ts";
import { adapterBytes } from "./adapters.ts";
import type { RankFailure, RankGroup } from "./ranks.ts";

/** An adapter that has to be read into a place. */
interface Reading {
  readonly adapter: Adapter;
  readonly place: number;
  readonly weights: AdapterWeights;
}

export class Shelf {
  readonly #model: Model;
  readonly #settings: AdapterSettings;
  readonly #ranks: number;
  /** Of every adapter that may be named, by id. */
  readonly #known = new Map<number, AdapterWeights>();
  /** Places by adapter, the one used longest ago first. */
  readonly #places = new Map<number, number>();

  constructor(model: Model, settings: AdapterSettings, ranks: number) {
    this.#model = model;
    this.#settings = settings;
    this.#ranks = ranks;
  }

  /** Throws AdapterError. */
  open(adapter: Adapter): AdapterFacts {
    const weights = this.#read(adapter);
    const bytes = adapterBytes(weights.modules, { rank: 0, ranks: this.#ranks });
    return { rank: weights.rank, modules: weights.modules.length, bytes };
  }

  #read({ id, folder }: Adapter): AdapterWeights {
    const weights = readAdapter(folder, this.#model.architecture, this.#settings.maxRank);
    this.#known.set(id, weights);
    return weights;
  }

  /** It can be named no more; its place is the first to be taken. */
  forget({ id }: Adapter): void {
    this.#known.delete(id);
    const place = this.#places.get(id);
    if (place === undefined) return;
    const others = [...this.#places].filter(([other]) => other !== id);
    this.#places.clear();
    for (const [other, its] of [[id, place] as const, ...others]) this.#places.set(other, its);
  }

  /**
   * Reads into the ranks' places those of the adapters that are in none; between two steps.
   * `then` is called later when something was read or failed.
   */
  prepare(
    adapters: readonly Adapter[],
    ranks: RankGroup,
    then: (failure?: RankFailure) => void,
  ): void {
    let readings: Reading[];
    try {
      readings = [...this.#missing(adapters)];
    } catch (error) {
      setImmediate(then, { error: error as Error, kvLost: false }); // only errors are thrown
      return;
    }
    const next = (): void => {
      const reading = readings.shift();
      if (reading === undefined) {
        then();
        return;
      }
      const { place, weights } = reading;
      ranks.adapters.set(place, weights);
      ranks.request({ type: "adapter", place, weights }, (failure) => {
        if (failure === undefined) {
          next();
          return;
        }
        ranks.adapters.delete(place);
        for (const each of [reading, ...readings]) this.#places.delete(each.adapter.id);
        then(failure);
      });
    };
    next();
  }

  /** Place of the row's adapter. Throws when it is in none. */
  placeOf({ adapter }: Pick<BatchRow, "adapter">): number | undefined {
    if (adapter === undefined) return undefined;
    const place = this.#places.get(adapter.id);
    if (place === undefined) throw new Error(`The adapter "${adapter.name}" was not loaded.`);
    return place;
  }

  /** What has to be read before rows of these adapters are computed. Throws for more than fit, and AdapterError. */
  #missing(adapters: Iterable<Adapter>): readonly Reading[] {
    const wanted = new Map([...adapters].map((adapter) => [adapter.id, adapter]));
    if (wanted.size > this.#settings.inMemory) {
      throw new Error(`A step names ${wanted.size} adapters, and ${this.#settings.inMemory} fit.`);
    }
    for (const id of wanted.keys()) this.#touch(id);
    return [...wanted.values()]
      .filter(({ id }) => !this.#places.has(id))
      .map((adapter) => {
        // Let go, it may still be named by who came before.
        const weights = this.#known.get(adapter.id) ?? this.#read(adapter);
        const place = this.#takePlace();
        this.#places.set(adapter.id, place);
        return { adapter, place, weights };
      });
  }

  #touch(id: number): void {
    const place = this.#places.get(id);
    if (place === undefined) return;
    this.#places.delete(id);
    this.#places.set(id, place);
  }

  #takePlace(): number {
    if (this.#places.size < this.#settings.inMemory) {
      const taken = new Set(this.#places.values());
      let place = 0;
      while (taken.has(place)) place++;
      return place;
    }
    const [oldest] = this.#places;
    if (oldest === undefined) throw new Error("The shelf has no place.");
    this.#places.delete(oldest[0]);
    return oldest[1];
  }
}
