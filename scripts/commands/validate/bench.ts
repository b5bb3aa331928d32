/**
 * Rows priced again and again under constants that move: which constants a row
 * reads is recorded, so that only what a constant touches is priced anew.
 */
import type { Constant } from "../../../device/trainium/constant.ts";
import { Recorder } from "./movers.ts";
import { type Part, type Priced, priceRow } from "./price.ts";
import type { Row } from "./rows.ts";
import { onceASetUp } from "./serving.ts";
import type { SetUp } from "./setup.ts";
import { forgetCosts } from "./static.ts";
import { tableOf } from "./tables.ts";

/** A row that has a price: what the fit knows of it. */
export interface Sample {
  readonly row: Row;
  readonly part: Part;
  readonly key: string;
  readonly table: string;
  /** −1 of a rate: residuals are errors of times, so that a table's metrics agree on its effect. */
  readonly sign: 1 | -1;
}

/** Is a metric a rate, which falls where its times rise? */
function signOf({ metric }: Row): 1 | -1 {
  return /throughput|rate/.test(metric) ? -1 : 1;
}

/** Step of a logarithm in a slope. */
const STEP = 0.03;

/** Prices rows of the given parts; `served`: through the schedulers too. */
export class Bench {
  readonly samples: readonly Sample[];
  readonly #constants: Recorder;
  readonly #setUps = new Map<string, SetUp | string>();
  readonly #served: boolean;
  /** Keys that each sample's set-up reads. */
  readonly #reads: readonly ReadonlySet<string>[];
  #prices: readonly Priced[] = [];

  constructor(
    rows: readonly Row[],
    constants: ReadonlyMap<string, number>,
    options: {
      readonly parts: ReadonlySet<string>;
      readonly served: boolean;
      /** Rows whose set-ups ask for none of these stay out. */
      readonly reading?: readonly string[];
    },
  ) {
    this.#constants = new Recorder(constants);
    this.#served = options.served;
    const byKey = new Map<string, Set<string>>();
    const samples: Sample[] = [];
    const prices: Priced[] = [];
    const serve = onceASetUp();
    for (const row of rows) {
      this.#constants.asked = new Set();
      forgetCosts();
      const its = priceRow(row, {
        constants: this.#constants,
        setUps: this.#setUps,
        ...(this.#served && { serve }),
      });
      if (!("predicted" in its) || !options.parts.has(its.part)) continue;
      if (!(its.predicted > 0 && its.measured > 0)) continue;
      const reads = byKey.get(its.key) ?? new Set<string>();
      for (const key of this.#constants.asked) reads.add(key);
      byKey.set(its.key, reads);
      samples.push({ row, part: its.part, key: its.key, table: tableOf(row), sign: signOf(row) });
      prices.push(its);
    }
    forgetCosts();
    const { reading } = options;
    const kept = (its: Sample): boolean =>
      reading === undefined || reading.some((key) => byKey.get(its.key)?.has(key));
    this.samples = samples.filter(kept);
    this.#prices = prices.filter((_, index) => {
      const its = samples[index];
      return its !== undefined && kept(its);
    });
    this.#reads = this.samples.map((its) => byKey.get(its.key) ?? new Set());
  }

  /** The residuals of the constants that it was made with. */
  first(): Float64Array {
    return Float64Array.from(
      this.#prices,
      (its, index) => (this.samples[index]?.sign ?? 1) * Math.log(its.predicted / its.measured),
    );
  }

  get prices(): readonly Priced[] {
    return this.#prices;
  }

  reads(index: number, key: string): boolean {
    return this.#reads[index]?.has(key) ?? false;
  }

  value(key: string): number {
    return this.#constants.get(key) ?? Number.NaN;
  }

  set(values: ReadonlyMap<string, number>): void {
    for (const [key, value] of values) this.#constants.set(key, value);
  }

  values(): ReadonlyMap<string, number> {
    return new Map(this.#constants);
  }

  /** log(predicted / measured) of the samples' times that `wanted` names; the others keep what `kept` holds. */
  residuals(wanted?: (index: number) => boolean, kept?: Float64Array): Float64Array {
    forgetCosts();
    const serve = onceASetUp();
    const pricing = {
      constants: this.#constants,
      setUps: this.#setUps,
      ...(this.#served && { serve }),
    };
    return Float64Array.from(this.samples, ({ row, sign }, index) => {
      if (wanted !== undefined && !wanted(index)) return kept?.[index] ?? 0;
      const its = priceRow(row, pricing);
      return "predicted" in its
        ? sign * Math.log(its.predicted / its.measured)
        : (kept?.[index] ?? 0);
    });
  }

  /** Change of every residual with the logarithm of each constant. */
  slopes(
    constants: readonly Constant[],
    base: Float64Array,
    wanted: (index: number) => boolean = () => true,
  ): readonly Float64Array[] {
    return constants.map(({ key }) => {
      const value = this.value(key);
      this.#constants.set(key, value * Math.exp(STEP));
      const moved = this.residuals((index) => wanted(index) && this.reads(index, key), base);
      this.#constants.set(key, value);
      return moved.map((error, index) => (error - (base[index] ?? 0)) / STEP);
    });
  }
}
