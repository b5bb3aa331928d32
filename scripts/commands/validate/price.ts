/** Prices one row: its group, what is predicted, what was measured, and the baseline's answer. */
import type { ConstantTable } from "../../../device/trainium/constants.ts";
import type { Effects } from "../../../device/trainium/effects.ts";
import type { Plan } from "../../../device/trainium/plan.ts";
import { stepFlops } from "../../../device/trainium/price/flops.ts";
import type { TimedCall } from "../../../device/trainium/price/receipt.ts";
import { isCovered, tierOf } from "../../../device/trainium/price/tier.ts";
import type { Tier } from "../../../device/trust.ts";
import { FLOOR, type Peer, peerServing, TWO_CONSTANTS } from "./baseline.ts";
import { tokenMilliseconds } from "./drafts.ts";
import { priceKernel } from "./kernels.ts";
import { checkUnit, type Metric, metricOf, quantileOf, stepsOf } from "./read/metric.ts";
import { findArchitecture } from "./read/model.ts";
import { milliseconds, type Row } from "./rows.ts";
import type { Serving } from "./serving.ts";
import { type SetUp, setUpOf } from "./setup.ts";
import {
  arrivalMilliseconds,
  batchesPrompts,
  costOf,
  meanStepShare,
  promptMilliseconds,
} from "./static.ts";

/** What a report tells apart; `PARTS` says which group of the issue each belongs to. */
export type Part =
  | "dense decode"
  | "MoE decode"
  | "bucketed prefill"
  | "static prefill"
  | "MoE prefill"
  | "rates and paces"
  | "first tokens"
  | "TGI"
  | "kernels"
  | "collectives"
  | "runtime"
  | "profiles";

export const PARTS: Readonly<Record<Part, string>> = Object.freeze({
  "dense decode": "dense decode",
  "MoE decode": "MoE decode",
  "bucketed prefill": "prefill",
  "static prefill": "prefill",
  "MoE prefill": "prefill",
  "rates and paces": "serving",
  "first tokens": "serving",
  TGI: "serving",
  kernels: "kernels",
  collectives: "collectives",
  runtime: "runtime",
  profiles: "profiles",
});

export interface Priced {
  readonly row: Row;
  readonly part: Part;
  readonly key: string;
  readonly predicted: number;
  readonly measured: number;
  readonly baseline: number;
  /** What the data sheet alone says; NaN where no step is. */
  readonly floor: number;
  /** Is it a rate, of which more is better? */
  readonly rate: boolean;
  /** How far its plan lies from what was measured; of kernels and collectives: from their own sources. */
  readonly tier: Tier;
  /** Absent: a kernel's, a collective's or a runtime's. */
  readonly plan?: Plan;
}

export interface Unpriced {
  readonly row: Row;
  /** Has its model a config? */
  readonly config: boolean;
  readonly reason: string;
}

export type Answer = Priced | Unpriced;

export interface Pricing {
  readonly constants: ConstantTable;
  /** Set-ups by row id and by key, kept over several pricings of one table. */
  readonly setUps?: Map<string, SetUp | string>;
  /** A user's own, on every set-up; absent: none. */
  readonly effects?: Effects;
  /** Runs a set-up through the engine in virtual time; absent: serving rows are left out. */
  readonly serve?: (setUp: SetUp) => Serving | string;
}

/** Never throws: a set-up that the simulator refuses is a row without a price, and says why. */
export function priceRow(row: Row, pricing: Pricing): Answer {
  try {
    return priceKnown(row, pricing);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { row, config: findArchitecture(row.model) !== undefined, reason };
  }
}

function priceKnown(row: Row, pricing: Pricing): Answer {
  const none = (reason: string, config: boolean): Unpriced => ({ row, config, reason });
  if (!(row.value > 0)) return none("no positive value", false);
  const kernel = priceKernel(row, pricing.constants);
  if (typeof kernel === "string") return none(kernel, false);
  if (kernel !== undefined)
    return {
      row,
      key: `${row.model}|${row.kernelNotes}|${row.inputLength}|${row.notes}`,
      tier: row.instance.startsWith("trn3") ? "unknown" : "calibrated",
      floor: kernel.baseline,
      rate: /efficiency/.test(row.metric),
      ...kernel,
    };
  const architecture = findArchitecture(row.model);
  if (architecture === undefined) return none("no config in models/catalog", false);
  if (row.split === "" || /load_time|startup/.test(row.metric))
    return none("a start-up time, not a step", true);
  let setUp = pricing.setUps?.get(row.id);
  if (setUp === undefined) {
    setUp = setUpOf(row, architecture, pricing.constants);
    // Rows of one key share one set-up, so that its graphs are priced once.
    if (typeof setUp !== "string") setUp = pricing.setUps?.get(setUp.key) ?? setUp;
    pricing.setUps?.set(row.id, setUp);
    if (typeof setUp !== "string") pricing.setUps?.set(setUp.key, setUp);
  }
  if (typeof setUp === "string") return none(setUp, true);
  const { effects } = pricing;
  if (effects !== undefined) setUp = { ...setUp, plan: { ...setUp.plan, effects } };
  const answer = predict(row, setUp, pricing);
  if (typeof answer === "string") return none(answer, true);
  const { plan } = setUp;
  const kind = PARTS[answer.part];
  const tier = isCovered(kind) ? tierOf(plan, kind) : "unknown";
  return { row, key: setUp.key, tier, plan, ...answer };
}

type Prediction = Omit<Priced, "row" | "key" | "tier" | "plan">;

function predict(row: Row, setUp: SetUp, pricing: Pricing): Prediction | string {
  if (row.metric === "MBU" || row.metric === "MFU") return profile(row, setUp);
  if (/acceptance/.test(row.metric)) return "an acceptance of drafts: a property of the words";
  const metric = metricOf(row);
  checkUnit(row);
  if (setUp.pooled) return pooled(row, metric, setUp);
  if (setUp.loop === "closed" || setUp.loop === "open") {
    if (pricing.serve === undefined) return "serving is priced by the scheduler";
    return served(row, metric, setUp, pricing.serve(setUp));
  }
  return alone(row, metric, setUp);
}

/** An encoder, or a decoder that pools: whole compiled batches, one after another. */
function pooled(row: Row, metric: Metric, setUp: SetUp): Prediction | string {
  if (setUp.prompt === undefined) return "no prompt length";
  const { batch, plan } = setUp;
  const tokens = setUp.compiled ?? setUp.prompt;
  const forward = promptMilliseconds(setUp, { rows: batch, prompt: tokens });
  const peer = (its: Peer): number =>
    its.prompt({ ...setUp, bucket: tokens, prompt: tokens }) * batch;
  const [base, floor] = [peer(TWO_CONSTANTS), peer(FLOOR)];
  // Data parallel over the instance, unless so many engines are told.
  const cores = (plan.instance.chips * plan.instance.chip.cores) / plan.logicalCore;
  const engines = /data parallel/i.test(row.kernelNotes)
    ? Math.floor(cores / plan.tensorParallel)
    : setUp.replicas;
  // In a closed loop half of the clients wait for the batch of the others, unless those fill it.
  const closed = setUp.loop === "closed";
  const live = closed ? (setUp.live ?? batch) / engines : batch;
  const seated = closed ? Math.min(batch, Math.max(1, live / 2)) : batch;
  const waits = closed && row.percentile !== "min" ? live / seated : 1;
  const busy = seated * engines;
  const part: Part = "static prefill";
  const measured = milliseconds(row.value, row.unit);
  switch (metric) {
    case "forward_latency":
    case "e2e_latency":
    case "TTFT":
      return {
        part,
        predicted: forward * waits,
        measured,
        baseline: base * waits,
        floor: floor * waits,
        rate: false,
      };
    case "forward_rate":
    case "request_rate":
      return {
        part,
        predicted: (1000 * busy) / forward,
        measured: row.value,
        baseline: (1000 * busy) / base,
        floor: (1000 * busy) / floor,
        rate: true,
      };
    default:
      return `metric "${row.metric}" is not one of a pooled model's`;
  }
}

/** One stream, or one static batch: no scheduler. */
function alone(row: Row, metric: Metric, setUp: SetUp): Prediction | string {
  const { output, prompt } = setUp;
  const rows = batchesPrompts(setUp) ? setUp.batch : 1;
  const prompts = setUp.loop === "static" ? setUp.batch / rows : 1;
  const first = (): number =>
    arrivalMilliseconds(setUp) + promptMilliseconds(setUp, { rows }) * prompts;
  if (metric === "TTFT" || metric === "whole_prefill") {
    if (prompt === undefined) return "no prompt length";
    if (setUp.contextParallel > 1) return NO_CONTEXT_PARALLEL;
    return {
      part: setUp.moe ? "MoE prefill" : prefillPart(setUp),
      predicted: first(),
      measured: milliseconds(row.value, row.unit),
      baseline: TWO_CONSTANTS.prompt(setUp) * rows * prompts,
      floor: FLOOR.prompt(setUp) * rows * prompts,
      rate: false,
    };
  }
  const middle = tokenMilliseconds(setUp);
  const step = row.percentile === "mean" ? middle * meanStepShare(setUp) : middle;
  const prompted = prompt !== undefined && setUp.contextParallel === 1;
  if (metric !== "TPOT" && metric !== "decode_steps" && !/output_|per_request/.test(metric)) {
    if (output === undefined) return "no output length";
    if (prompt === undefined) return "no prompt length";
    if (!prompted) return NO_CONTEXT_PARALLEL;
  }
  const predicted = figureOf(row, metric, setUp, { step, first: prompted ? first() : undefined });
  const peer = (its: Peer): number =>
    figureOf(row, metric, setUp, {
      step: its.step(setUp),
      first: prompted ? its.prompt(setUp) : undefined,
    }) ?? Number.NaN;
  if (predicted === undefined) return `metric "${row.metric}" is not one of a step's`;
  const rate = /throughput|rate/.test(metric);
  return {
    part: setUp.moe ? "MoE decode" : "dense decode",
    predicted,
    measured: rate ? row.value : milliseconds(row.value, row.unit),
    baseline: peer(TWO_CONSTANTS),
    floor: peer(FLOOR),
    rate,
  };
}

const NO_CONTEXT_PARALLEL = "not modelled: context parallelism";

/** A metric of streams whose steps take `step` ms, after first tokens at `first` ms (undefined: left out). */
function figureOf(
  row: Row,
  metric: Metric,
  setUp: SetUp,
  { step, first }: { readonly step: number; readonly first: number | undefined },
): number | undefined {
  const { output = 1, prompt = 0 } = setUp;
  const streams = setUp.loop === "static" ? setUp.batch : 1;
  const whole = (first ?? 0) + step * Math.max(0, output - 1);
  switch (metric) {
    case "TPOT":
      return step;
    case "decode_steps":
      return step * stepsOf(row);
    case "per_request_throughput":
      return 1000 / step;
    case "output_throughput":
      return (
        (1000 * streams) /
        (first === undefined || setUp.output === undefined ? step : whole / output)
      );
    case "e2e_latency":
      return whole;
    case "latency_per_token":
      return whole / output;
    case "request_rate":
      return (1000 * streams) / whole;
    case "sequence_throughput":
    case "total_throughput":
      return (1000 * streams * (output + prompt)) / whole;
    default:
      return undefined;
  }
}

/** Prompts padded to buckets by a serving stack, or graphs of one length driven by hand. */
function prefillPart(setUp: SetUp): Part {
  return setUp.plan.stack.name.startsWith("transformers-neuronx")
    ? "static prefill"
    : "bucketed prefill";
}

function served(
  row: Row,
  metric: Metric,
  setUp: SetUp,
  serving: Serving | string,
): Prediction | string {
  if (typeof serving === "string") return serving;
  if (setUp.contextParallel > 1) return "not modelled: context parallelism";
  const peer = (its: Peer): number =>
    setUp.live === undefined ? Number.NaN : peerServing(its, setUp)(metric);
  const measured = milliseconds(row.value, row.unit);
  const picked = serving.metric(metric, quantileOf(row.percentile), setUp.stepAlone);
  if (picked === undefined) return `metric "${row.metric}" is not one of serving's`;
  const rate = /throughput|rate/.test(metric);
  return {
    // First tokens under load hang on the loader's own queue: told apart from rates and paces.
    part: setUp.plan.stack.name.startsWith("tgi")
      ? "TGI"
      : metric === "TTFT"
        ? "first tokens"
        : "rates and paces",
    predicted: picked,
    measured: rate ? row.value : measured,
    baseline: peer(TWO_CONSTANTS),
    floor: peer(FLOOR),
    rate,
  };
}

/**
 * Profiles of a compiled graph: bytes or FLOPs over its time and the peak. The ports' own tests compile
 * for 128 tokens (contrib/models, test_model.py), prompts too.
 */
const PROFILED_TOKENS = 128;

function profile(row: Row, setUp: SetUp): Prediction | string {
  const prompts = /context encoding/.test(row.kernelNotes);
  if (setUp.prompt !== undefined) return "a profile of another kind";
  const { plan } = setUp;
  const { chip } = plan.instance;
  const graph = costOf(setUp).graph({
    phase: prompts ? "prefill" : "decode",
    rows: 1,
    queries: prompts ? PROFILED_TOKENS : 1,
    context: PROFILED_TOKENS,
  });
  const moved = (calls: readonly TimedCall[]): number =>
    calls.reduce(
      (sum, { call }) => sum + (call.work?.moves ?? []).reduce((all, move) => all + move.bytes, 0),
      0,
    );
  const bytes =
    moved(graph.prologue) +
    graph.layers.reduce((sum, { group, calls }) => sum + group.indices.length * moved(calls), 0) +
    moved(graph.epilogue);
  const flops = stepFlops(plan.architecture, graph.shape, "model") / plan.tensorParallel;
  const [done, peak] =
    row.metric === "MFU"
      ? [flops, 2 * 128 * 128 * chip.clockHz.tensor * plan.logicalCore]
      : [bytes, (chip.hbmBytesPerSecond / chip.cores) * plan.logicalCore];
  const of = (ms: number): number => done / (peak * ms * 1e-3);
  const peer = (its: Peer): number => {
    const asked = { ...setUp, prompt: PROFILED_TOKENS, output: 0 };
    return of(prompts ? its.prompt(asked) : its.step(asked));
  };
  return {
    part: "profiles",
    predicted: of(graph.nanos / 1e6),
    measured: row.value,
    baseline: peer(TWO_CONSTANTS),
    floor: peer(FLOOR),
    rate: true,
  };
}
