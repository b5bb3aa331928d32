/**
 * ServeGen (Alibaba 2025): each client has, every 600 s, a mean rate and a fitted
 * gap distribution, and every 21,600 s, empirical lengths. Requests are drawn
 * client by client and merged: heavy-tailed clients and the day's curve survive.
 * Lines as in the project's data: {client, trace: [t, rate, cv, dist?, [shape, scale]?][],
 * dataset: {t: {field: {value: probability}}} | null}.
 */
import { jsonLine, type Lines, numbered } from "../lines.ts";
import { Random } from "../random.ts";
import type { Trace, TraceRequest } from "./trace.ts";

interface Window {
  readonly start: number;
  readonly rate: number;
  readonly shape: number;
  readonly scale: number;
  readonly dist: "Gamma" | "Weibull" | "Poisson";
}

interface Lengths {
  readonly start: number;
  readonly input: Empirical;
  readonly output: Empirical;
}

export interface ServeGenClient {
  readonly id: number;
  readonly windows: readonly Window[];
  readonly lengths: readonly Lengths[];
}

const WINDOW_SECONDS = 600;

/** Clients with lengths; those without cannot be drawn from and are counted in `skipped`. */
export async function parseServeGen(lines: Lines): Promise<{
  readonly clients: readonly ServeGenClient[];
  readonly skipped: number;
}> {
  const clients: ServeGenClient[] = [];
  let skipped = 0;
  for await (const [line, number] of numbered(lines)) {
    const entry = jsonLine(line, number) as unknown as {
      client: number;
      trace: [number, number, number, ("Gamma" | "Weibull")?, [number, number]?][];
      dataset: Record<string, Record<string, Record<string, number>>> | null;
    };
    if (entry.dataset === null) {
      skipped++;
      continue;
    }
    const lengths: Lengths[] = [];
    for (const [start, fields] of Object.entries(entry.dataset)) {
      const input = fields["input_tokens"];
      const output = fields["output_tokens"];
      if (input === undefined || output === undefined) continue;
      lengths.push({
        start: Number(start),
        input: new Empirical(input),
        output: new Empirical(output),
      });
    }
    if (lengths.length === 0) {
      skipped++;
      continue;
    }
    clients.push({
      id: entry.client,
      windows: entry.trace.map(([start, rate, , dist, fit]) => ({
        start,
        rate,
        dist: dist ?? "Poisson",
        shape: fit?.[0] ?? 1,
        scale: fit?.[1] ?? 0,
      })),
      lengths,
    });
  }
  return { clients, skipped };
}

export interface ServeGenOptions {
  /** Seconds of the day [from, to). */
  readonly from: number;
  readonly to: number;
  /** Mean requests a second over the span; absent: as recorded. */
  readonly rate?: number;
  readonly seed: number;
}

export function generateServeGen(
  clients: readonly ServeGenClient[],
  options: ServeGenOptions,
): Trace {
  const recorded = clients.reduce((sum, client) => sum + meanRate(client, options), 0);
  if (recorded === 0) throw new Error("No client is active in this span.");
  const factor = options.rate === undefined ? 1 : options.rate / recorded;
  const requests: TraceRequest[] = [];
  for (const client of clients) {
    const random = new Random(Math.imul(client.id + 1, 0x85ebca6b) ^ options.seed);
    for (const window of client.windows) {
      const begin = Math.max(window.start, options.from);
      const end = Math.min(window.start + WINDOW_SECONDS, options.to);
      if (begin >= end || window.rate <= 0) continue;
      const lengths = latest(client.lengths, window.start);
      if (lengths === undefined) continue;
      // A gap of the fit, shortened by the factor; the first one starts part-way.
      let at = begin + random.uniform() * gap(window, factor, random);
      while (at < end) {
        requests.push({
          arrival: at - options.from,
          inputTokens: Math.max(1, lengths.input.draw(random)),
          outputTokens: Math.max(1, lengths.output.draw(random)),
        });
        at += gap(window, factor, random);
      }
    }
  }
  requests.sort((a, b) => a.arrival - b.arrival);
  return { name: "servegen", requests, notes: [] };
}

function gap(window: Window, factor: number, random: Random): number {
  const scale = window.scale / factor;
  if (window.dist === "Gamma" && scale > 0) return random.gamma(window.shape, scale);
  if (window.dist === "Weibull" && scale > 0) return random.weibull(window.shape, scale);
  return random.exponential(1 / (window.rate * factor));
}

function meanRate(client: ServeGenClient, span: { from: number; to: number }): number {
  let requests = 0;
  for (const window of client.windows) {
    const seconds =
      Math.min(window.start + WINDOW_SECONDS, span.to) - Math.max(window.start, span.from);
    if (seconds > 0) requests += window.rate * seconds;
  }
  return requests / (span.to - span.from);
}

function latest(lengths: readonly Lengths[], at: number): Lengths | undefined {
  let best = lengths[0];
  for (const entry of lengths) if (entry.start <= at) best = entry;
  return best;
}

/** A distribution over whole numbers, drawn by bisection of its running sum. */
class Empirical {
  readonly #values: number[] = [];
  readonly #sums: number[] = [];

  constructor(weights: Readonly<Record<string, number>>) {
    let sum = 0;
    for (const [value, weight] of Object.entries(weights)) {
      sum += weight;
      this.#values.push(Math.round(Number(value)));
      this.#sums.push(sum);
    }
  }

  draw(random: Random): number {
    const target = random.uniform() * (this.#sums[this.#sums.length - 1] ?? 0);
    let low = 0;
    let high = this.#sums.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sums[middle] ?? 0) > target) high = middle;
      else low = middle + 1;
    }
    return this.#values[low] ?? 0;
  }
}
