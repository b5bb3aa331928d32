/**
 * Metric families as the Python client of Prometheus exposes them, which vLLM's
 * dashboards expect: a counter is `<name>_total`, and counters and histograms
 * have a `<name>_created` beside them.
 */
import { Gauge, Registry } from "prom-client";
import {
  Buckets,
  Count,
  type CounterSeries,
  Family,
  type HistogramSeries,
  type Labels,
  SumAndCount,
} from "./series.ts";

export type { CounterSeries, HistogramSeries, Labels };

export interface GaugeSeries {
  set(value: number): void;
}

export class Families {
  readonly registry = new Registry();
  readonly #counters = new Map<string, Family<Count>>();
  readonly #histograms = new Map<string, Family<Buckets>>();
  readonly #summaries = new Map<string, Family<SumAndCount>>();
  readonly #gauges = new Map<string, Gauge>();
  /** What each gauge reads at a scrape. */
  readonly #reads = new Map<string, (() => void)[]>();
  readonly #created = new Set<string>();
  readonly #now: () => number;

  /** `now` in Unix seconds, for the `_created` series. */
  constructor(now: () => number = () => Date.now() / 1000) {
    this.#now = now;
  }

  /** The series exists from now on, at 0; asked for again it keeps what it has. `name` without `_total`. */
  counter(name: string, help: string, labels: Labels = {}): CounterSeries {
    let family = this.#counters.get(name);
    if (family === undefined) {
      const of = { name: `${name}_total`, help, type: "counter" } as const;
      family = new Family(this.registry, of, () => new Count());
      this.#counters.set(name, family);
    }
    this.#markCreated(name, help, labels);
    return family.series(labels);
  }

  /** As `counter`. */
  histogram(
    name: string,
    { help, buckets, labels = {} }: { help: string; buckets: readonly number[]; labels?: Labels },
  ): HistogramSeries {
    let family = this.#histograms.get(name);
    if (family === undefined) {
      const of = { name, help, type: "histogram" } as const;
      family = new Family(this.registry, of, () => new Buckets(buckets));
      this.#histograms.set(name, family);
    }
    this.#markCreated(name, help, labels);
    return family.series(labels);
  }

  /** Sum and count, without quantiles. */
  summary(name: string, help: string, labels: Labels): HistogramSeries {
    let family = this.#summaries.get(name);
    if (family === undefined) {
      const of = { name, help, type: "summary" } as const;
      family = new Family(this.registry, of, () => new SumAndCount());
      this.#summaries.set(name, family);
    }
    this.#markCreated(name, help, labels);
    return family.series(labels);
  }

  /** Prometheus text; bounds of buckets are written as floats, as the Python client does. */
  async text(): Promise<string> {
    const text = await this.registry.metrics();
    return text.replace(/(_bucket\{(?:[^\n}]*,)?le="\d+)"/g, '$1.0"');
  }

  /** `read` is called at each scrape; absent: the value is set. */
  gauge(name: string, help: string, labels: Labels = {}, read?: () => number): GaugeSeries {
    let family = this.#gauges.get(name);
    if (family === undefined) {
      const reads: (() => void)[] = [];
      this.#reads.set(name, reads);
      family = new Gauge({
        name,
        help,
        labelNames: Object.keys(labels),
        registers: [this.registry],
        collect: () => {
          for (const one of reads) one();
        },
      });
      this.#gauges.set(name, family);
    }
    const child = family.labels(labels);
    child.set(0);
    if (read !== undefined) this.#reads.get(name)?.push(() => child.set(read()));
    return child;
  }

  /** A gauge of one series, whose labels too are read at each scrape. */
  labelled(name: string, help: string, read: () => { labels: Labels; value: number }): void {
    const family = new Gauge({
      name,
      help,
      labelNames: Object.keys(read().labels),
      registers: [this.registry],
      collect: () => {
        const { labels, value } = read();
        family.reset();
        family.set(labels, value);
      },
    });
  }

  #markCreated(name: string, help: string, labels: Labels): void {
    const key = `${name} ${JSON.stringify(labels)}`;
    if (this.#created.has(key)) return;
    this.#created.add(key);
    this.gauge(`${name}_created`, help, labels).set(this.#now());
  }
}

/** Text 0.0.4 as OpenMetrics 1.0. */
export function openMetrics(text: string): string {
  const types = new Map<string, string>();
  for (const [, name = "", type = ""] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    types.set(name, type);
  }
  /** `_created` of a counter or histogram is a word of the format's own. */
  const isCreated = (name: string): boolean => {
    const made = name.endsWith("_created") ? name.slice(0, -"_created".length) : undefined;
    return made !== undefined && (types.has(made) || types.has(`${made}_total`));
  };
  const lines: string[] = [];
  for (const line of text.split("\n")) {
    const described = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line);
    const name = described?.[2] ?? /^[^\s{]+/.exec(line)?.[0];
    if (name === undefined || line === "" || isCreated(name)) continue;
    if (described === null || types.get(name) !== "counter") lines.push(line);
    else if (name.endsWith("_total")) {
      lines.push(`# ${described[1]} ${name.slice(0, -"_total".length)} ${described[3]}`);
    } else lines.push(`# ${described[1]} ${name} ${described[3]?.replace(/^counter$/, "unknown")}`);
  }
  return `${lines.join("\n")}\n# EOF\n`;
}

/** 1, 2, 5, 10, 20, … up to `most`, as vLLM's. */
export function oneTwoFive(most: number): readonly number[] {
  const buckets: number[] = [];
  for (let power = 1; ; power *= 10) {
    for (const step of [1, 2, 5]) {
      if (step * power > most) return buckets;
      buckets.push(step * power);
    }
  }
}
