/**
 * One measured or simulated operating point: a system under a number of users.
 * Plain data; a sweep is a list of them, and everything drawn comes from them.
 */
import type { Notice } from "../../server/metrics/hygiene.ts";
import type { Latency } from "../load/metrics.ts";

/** 80 % band of the device's step times: predicted time · low to predicted time · high. */
export interface Band {
  readonly low: number;
  readonly high: number;
  /** How near the system lies to what was measured: `calibrated`, `related`, `unknown`. */
  readonly tier: string;
  /** The band as a factor either way. */
  readonly factor: number;
}

/** `calibrated ×÷ 1.30` */
export function bandText({ tier, factor }: Band): string {
  return `${tier} ×÷ ${factor.toFixed(2)}`;
}

/** Milliseconds. */
export interface LatencyQuantiles {
  readonly mean: number;
  readonly median: number;
  readonly std: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
}

/**
 * Model, system, workload and server, part by part in the order they are named:
 * points of equal parts are one line. Values read well; an empty one is not named.
 */
export type Identity = Readonly<Record<string, string>>;

export interface Point {
  readonly identity: Identity;
  /** Name of the point's line among those it is shown with; see `labelled`. */
  readonly series: string;
  readonly model: string;
  readonly simulated: boolean;
  /** What served it; `trainyard`, `vllm`, … or `unknown`. */
  readonly framework: string;
  /** Empty for a live server. */
  readonly instance: string;
  /** Undefined where a live server does not say. */
  readonly tensorParallel: number | undefined;
  readonly dataParallel: number | undefined;
  readonly expertParallel: boolean | undefined;
  readonly kernels: string;
  /** Weight format as priced or served, e.g. `bf16`, `mxfp4`; empty when not known. */
  readonly precision: string;
  /** `mtp`, `eagle`, …; `none` without; empty when not known. */
  readonly speculation: string;
  /** Accelerator chips that the system occupies; undefined when not known. */
  readonly chips: number | undefined;
  /** Engines that compute prompts alone, and their chips of those; absent: every engine does both. */
  readonly prefill?: {
    readonly workers: number;
    readonly tensorParallel: number;
    readonly instance: string;
    readonly chips: number;
  };
  readonly inputLen: number;
  readonly outputLen: number;
  readonly concurrency: number;
  readonly requests: number;
  readonly warmups: number;
  readonly seed: number;
  /** Seconds, on the clock of the run. */
  readonly duration: number;
  readonly completed: number;
  readonly failed: number;
  /** A second. */
  readonly requestThroughput: number;
  readonly inputThroughput: number;
  readonly outputThroughput: number;
  readonly totalThroughput: number;
  readonly latency: Readonly<Record<Latency, LatencyQuantiles>>;
  /** Mean over requests of 1 / TPOT. */
  readonly meanUserRate: number;
  readonly preemptions: number;
  /** Seconds of the run by what steps spent them on, and `idle`; replicas added. Absent: nothing was priced. */
  readonly parts?: Readonly<Record<string, number>>;
  readonly band?: Band;
  readonly notices: readonly Notice[];
}

/** Answers of one token have no time between tokens, and failed ones no time at all. */
function speedOf(milliseconds: number): number {
  return milliseconds > 0 ? 1000 / milliseconds : Number.NaN;
}

/** Tokens/s/user as each tool defines it; the report never mixes them in one plot. */
export const INTERACTIVITY = {
  inferencex: {
    name: "InferenceX",
    formula: "1000 / median TPOT (ms)",
    of: (point: Point): number => speedOf(point.latency.tpot.median),
  },
  vllm: {
    name: "vLLM",
    formula: "output tokens/s ÷ concurrency",
    of: (point: Point): number => point.outputThroughput / point.concurrency,
  },
  aiperf: {
    name: "aiperf",
    formula: "mean over requests of 1 / TPOT",
    of: (point: Point): number => point.meanUserRate,
  },
} as const;

export type InteractivityName = keyof typeof INTERACTIVITY;

/** Names of the series in order of appearance. */
export function seriesOf(points: readonly Point[]): string[] {
  return [...new Set(points.map((point) => point.series))];
}

/**
 * Most users served at a given tokens/s/user or better, between the two points
 * around it and as the curve is drawn, users on a logarithmic axis; undefined where
 * the points do not enclose it.
 */
export function usersAt(points: readonly Point[], rate: number): number | undefined {
  const curve = points
    .map((point) => ({ users: point.concurrency, rate: INTERACTIVITY.inferencex.of(point) }))
    .sort((a, b) => b.users - a.users);
  for (let index = 1; index < curve.length; index++) {
    const [more, fewer] = [curve[index - 1], curve[index]];
    if (more === undefined || fewer === undefined) continue;
    if (more.rate <= rate && rate <= fewer.rate) {
      const share = fewer.rate === more.rate ? 0 : (fewer.rate - rate) / (fewer.rate - more.rate);
      return fewer.users * (more.users / fewer.users) ** share;
    }
  }
  return undefined;
}
