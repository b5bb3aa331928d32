/**
 * Counters, histograms and summaries that cost an addition when they are fed: labels
 * are looked at once, when a series is made. Prometheus's client writes them at a scrape.
 */
import type { Metric, Registry } from "prom-client";

export type Labels = Readonly<Record<string, string>>;

export interface CounterSeries {
  inc(value?: number): void;
}

export interface HistogramSeries {
  observe(value: number): void;
}

/** A line of the text, as the client's registry writes it: own labels before shared ones. */
interface Sample {
  readonly labels?: Readonly<Record<string, string | number>>;
  readonly sharedLabels: Labels;
  readonly value: number;
  readonly metricName: string;
}

interface Series {
  samples(name: string, labels: Labels): readonly Sample[];
}

/** A family of series that differ in their labels' values. */
export class Family<S extends Series> {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "histogram" | "summary";
  readonly aggregator = "sum";
  readonly #make: () => S;
  readonly #series = new Map<string, { readonly labels: Labels; readonly series: S }>();

  constructor(
    registry: Registry,
    { name, help, type }: Pick<Family<S>, "name" | "help" | "type">,
    make: () => S,
  ) {
    this.name = name;
    this.help = help;
    this.type = type;
    this.#make = make;
    // A registry asks its metrics for these members alone.
    registry.registerMetric(this as unknown as Metric);
  }

  /** Made when first asked for, at 0. */
  series(labels: Labels): S {
    const key = JSON.stringify(labels);
    const known = this.#series.get(key);
    if (known !== undefined) return known.series;
    const series = this.#make();
    this.#series.set(key, { labels, series });
    return series;
  }

  /** Of the registry, at a scrape. */
  async get() {
    const { name, help, type, aggregator } = this;
    const values = [...this.#series.values()].flatMap(({ labels, series }) =>
      series.samples(name, labels),
    );
    return { name, help, type, aggregator, values };
  }
}

export class Count implements CounterSeries {
  #sum = 0;

  inc(value = 1): void {
    this.#sum += value;
  }

  samples(metricName: string, sharedLabels: Labels): readonly Sample[] {
    return [{ sharedLabels, value: this.#sum, metricName }];
  }
}

/** Sum and count, without quantiles. */
export class SumAndCount implements HistogramSeries {
  #sum = 0;
  #count = 0;

  observe(value: number): void {
    this.#sum += value;
    this.#count++;
  }

  samples(name: string, sharedLabels: Labels): readonly Sample[] {
    return [
      { sharedLabels, value: this.#sum, metricName: `${name}_sum` },
      { sharedLabels, value: this.#count, metricName: `${name}_count` },
    ];
  }
}

export class Buckets implements HistogramSeries {
  readonly #bounds: readonly number[];
  /** Of each bound those above the one before; the last: above all. */
  readonly #counts: Float64Array;
  #sum = 0;

  /** `bounds` ascend. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] as number)) at++; // at < length
    this.#counts[at] = (this.#counts[at] as number) + 1; // one more than bounds
    this.#sum += value;
  }

  samples(name: string, sharedLabels: Labels): readonly Sample[] {
    const metricName = `${name}_bucket`;
    let count = 0;
    const buckets = Array.from(this.#counts, (more, at): Sample => {
      count += more;
      const le = this.#bounds[at] ?? "+Inf";
      return { labels: { le }, sharedLabels, value: count, metricName };
    });
    return [
      ...buckets,
      { sharedLabels, value: this.#sum, metricName: `${name}_sum` },
      { sharedLabels, value: count, metricName: `${name}_count` },
    ];
  }
}
