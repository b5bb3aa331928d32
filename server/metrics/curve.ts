/**
 * Tokens/s against concurrency from live traffic: output tokens and busy seconds
 * by the number of requests running. One ratio draws the curve:
 *
 *     rate(trainyard:output_tokens_by_concurrency_total[5m])
 *       / rate(trainyard:busy_seconds_by_concurrency_total[5m])
 *
 * Buckets are the powers of two and the values between them that sweeps use.
 * Busy time runs from step end to step end, so what happens between two steps
 * counts too; a pause without requests does not.
 */
import { type Nanos, SECOND } from "../../device/clock.ts";
import type { EngineEvent, StepFinished } from "../../engine/events.ts";
import type { CounterSeries, Families, Labels } from "./families.ts";

export interface CurvePoint {
  /** Upper bound of the requests running. */
  readonly concurrency: number;
  readonly tokens: number;
  readonly seconds: number;
  /** Mean number of requests running while busy. */
  readonly meanRunning: number;
}

interface Bucket {
  readonly tokens: CounterSeries;
  readonly seconds: CounterSeries;
  readonly running: CounterSeries;
  tokenSum: number;
  secondSum: number;
  runningSum: number;
}

export class Curve {
  readonly #families: Families;
  readonly #labels: Labels;
  readonly #buckets = new Map<number, Bucket>();
  /** Tokens emitted since the last step's end. */
  #tokens = 0;
  #lastEnd: Nanos = 0;
  #busyAfterLast = false;

  constructor(families: Families, labels: Labels) {
    this.#families = families;
    this.#labels = labels;
    this.#bucket(1);
  }

  receive(event: EngineEvent): void {
    if (event.type === "tokens-emitted") this.#tokens += event.tokens.length;
    else if (event.type === "step-finished") this.#step(event);
  }

  /** So far, by concurrency. */
  points(): readonly CurvePoint[] {
    return [...this.#buckets]
      .filter(([, bucket]) => bucket.secondSum > 0)
      .sort(([a], [b]) => a - b)
      .map(([concurrency, { tokenSum, secondSum, runningSum }]) => ({
        concurrency,
        tokens: tokenSum,
        seconds: secondSum,
        meanRunning: runningSum / secondSum,
      }));
  }

  #step(event: StepFinished): void {
    const running = Math.max(1, event.rows, event.running);
    const began = this.#busyAfterLast ? this.#lastEnd : event.at - event.duration;
    const seconds = Math.max(0, event.at - began) / SECOND;
    const bucket = this.#bucket(bound(running));
    bucket.tokens.inc(this.#tokens);
    bucket.seconds.inc(seconds);
    bucket.running.inc(seconds * running);
    bucket.tokenSum += this.#tokens;
    bucket.secondSum += seconds;
    bucket.runningSum += seconds * running;
    this.#tokens = 0;
    this.#lastEnd = event.at;
    this.#busyAfterLast = event.running > 0;
  }

  #bucket(concurrency: number): Bucket {
    const known = this.#buckets.get(concurrency);
    if (known !== undefined) return known;
    const labels = { ...this.#labels, concurrency: String(concurrency) };
    const counter = (name: string, help: string) =>
      this.#families.counter(`trainyard:${name}`, help, labels);
    const bucket: Bucket = {
      tokens: counter(
        "output_tokens_by_concurrency",
        "Output tokens, by the number of requests running (upper bound).",
      ),
      seconds: counter(
        "busy_seconds_by_concurrency",
        "Seconds with requests running, by their number (upper bound).",
      ),
      running: counter(
        "running_seconds_by_concurrency",
        "Requests running times seconds; divided by busy seconds: their mean number.",
      ),
      tokenSum: 0,
      secondSum: 0,
      runningSum: 0,
    };
    this.#buckets.set(concurrency, bucket);
    return bucket;
  }
}

/** 1, 2, 3, 4, 6, 8, 12, 16, 24, … : the least that holds `running`. */
export function bound(running: number): number {
  let power = 1;
  while (power < running) power *= 2;
  return power >= 4 && running <= power * 0.75 ? power * 0.75 : power;
}
