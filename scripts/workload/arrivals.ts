/**
 * When requests arrive, as `vllm bench serve` has it: gaps are gamma with shape
 * `burstiness` (1 is Poisson, less is burstier, more is steadier, infinite is a
 * constant gap) and mean 1 / rate; without a ramp the whole is stretched so that the last request
 * arrives at requests / rate.
 */
import type { Random } from "./random.ts";

export interface Ramp {
  readonly strategy: "linear" | "exponential";
  readonly startRps: number;
  readonly endRps: number;
}

export interface ArrivalOptions {
  /** Requests a second; Infinity: all at once. */
  readonly rate: number;
  readonly burstiness: number;
  readonly ramp?: Ramp;
}

/** Requests a second at the index-th of `count` requests. */
export function rampRate(ramp: Ramp, index: number, count: number): number {
  const progress = index / Math.max(count - 1, 1);
  return ramp.strategy === "linear"
    ? ramp.startRps + (ramp.endRps - ramp.startRps) * progress
    : ramp.startRps * (ramp.endRps / ramp.startRps) ** progress;
}

/** Arrival of each request, in seconds from the start; never goes back. */
export function arrivalTimes(count: number, options: ArrivalOptions, random: Random): number[] {
  const { burstiness, ramp } = options;
  if (!(burstiness > 0)) throw new Error(`--burstiness must be above 0, not ${burstiness}.`);
  if (ramp === undefined && !(options.rate > 0)) {
    throw new Error(`--request-rate must be above 0, not ${options.rate}.`);
  }
  const times: number[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    const rate = ramp === undefined ? options.rate : rampRate(ramp, index, count);
    if (Number.isFinite(rate)) at += gap(rate, burstiness, random);
    times.push(at);
  }
  if (ramp !== undefined || at === 0) return times;
  const stretch = count / options.rate / at;
  return times.map((time) => time * stretch);
}

function gap(rate: number, burstiness: number, random: Random): number {
  return Number.isFinite(burstiness) ? random.gamma(burstiness, 1 / (rate * burstiness)) : 1 / rate;
}
