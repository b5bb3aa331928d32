/** Prices one row: its group, what is predicted, what was measured, and the baseline's answer. */
import type { ConstantTable } from "../../../device/trainium/constants.ts";
import { constant } from "../../../device/trainium/constants.ts";
import { kvBytesPerToken, localBytes } from "../../../device/trainium/memory.ts";
import { rankOf } from "../../../device/trainium/plan.ts";
import { CostModel } from "../../../device/trainium/price/cost-model.ts";
import type { TimedCall } from "../../../device/trainium/price/receipt.ts";
import type { Architecture } from "../../../models/architecture.ts";
import { architectureWeights } from "../../../models/architecture.ts";
import { priceKernel } from "./kernels.ts";
import type { Draft } from "./read/draft.ts";
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
  stepMilliseconds,
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
  /** Is the chip one that has published figures? */
  readonly calibrated: boolean;
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
      calibrated: !row.instance.startsWith("trn3"),
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
  const answer = predict(row, setUp, pricing);
  if (typeof answer === "string") return none(answer, true);
  const { calibrated } = setUp.plan.instance.chip;
  return { row, key: setUp.key, calibrated, ...answer };
}

type Prediction = Omit<Priced, "row" | "key" | "calibrated">;

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
  const floor = baselinePrompt({ ...setUp, bucket: tokens }) * batch;
  // Data parallel over the instance, unless so many engines are told.
  const cores = (plan.instance.chips * plan.instance.chip.cores) / plan.logicalCore;
  const engines = /data parallel/i.test(row.kernelNotes)
    ? Math.floor(cores / plan.tensorParallel)
    : setUp.replicas;
  const busy =
    setUp.loop === "closed" ? Math.min(batch * engines, setUp.live ?? batch) : batch * engines;
  const part: Part = "static prefill";
  const measured = milliseconds(row.value, row.unit);
  switch (metric) {
    case "forward_latency":
    case "e2e_latency":
    case "TTFT":
      return { part, predicted: forward, measured, baseline: floor };
    case "forward_rate":
    case "request_rate":
      return {
        part,
        predicted: (1000 * busy) / forward,
        measured: row.value,
        baseline: (1000 * busy) / floor,
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
  const middle = tokenMilliseconds(setUp);
  const step = row.percentile === "mean" ? middle * meanStepShare(setUp) : middle;
  const base = baselineStep(setUp);
  const streams = setUp.loop === "static" ? setUp.batch : 1;
  const decode = setUp.moe ? "MoE decode" : "dense decode";
  const measured = milliseconds(row.value, row.unit);
  const whole = (ms: number, promptMs: number): number =>
    promptMs + ms * Math.max(0, (output ?? 1) - 1);
  const prompted = prompt !== undefined && setUp.contextParallel === 1;
  if (metric === "TTFT" || metric === "whole_prefill") {
    if (prompt === undefined) return "no prompt length";
    if (!prompted) return "not modelled: context parallelism";
    return {
      part: setUp.moe ? "MoE prefill" : prefillPart(setUp),
      predicted: first(),
      measured,
      baseline: baselinePrompt(setUp) * rows * prompts,
    };
  }
  if (metric === "TPOT") return { part: decode, predicted: step, measured, baseline: base };
  if (metric === "decode_steps") {
    const steps = stepsOf(row);
    return { part: decode, predicted: step * steps, measured, baseline: base * steps };
  }
  if (metric === "forward_latency" || metric === "forward_rate")
    return `metric "${row.metric}" is not one of a step's`;
  if (metric === "output_throughput" || metric === "per_request_throughput") {
    const rate = (ms: number, promptMs: number): number =>
      metric === "per_request_throughput" || output === undefined || !prompted
        ? 1000 / ms
        : (1000 * output) / whole(ms, promptMs);
    return {
      part: decode,
      predicted: streams * rate(step, prompted ? first() : 0),
      measured: row.value,
      baseline: streams * rate(base, prompted ? baselinePrompt(setUp) : 0),
    };
  }
  if (output === undefined) return "no output length";
  if (!prompted)
    return prompt === undefined ? "no prompt length" : "not modelled: context parallelism";
  const of = (ms: number): number => {
    switch (metric) {
      case "e2e_latency":
        return ms;
      case "latency_per_token":
        return ms / output;
      case "request_rate":
        return (1000 * streams) / ms;
      case "sequence_throughput":
      case "total_throughput":
        return (1000 * streams * (output + prompt)) / ms;
    }
  };
  const rate = metric !== "e2e_latency" && metric !== "latency_per_token";
  return {
    part: decode,
    predicted: of(whole(step, first())),
    measured: rate ? row.value : measured,
    baseline: of(whole(base, baselinePrompt(setUp))),
  };
}

/** Prompts padded to buckets by a serving stack, or graphs of one length driven by hand. */
function prefillPart(setUp: SetUp): Part {
  return setUp.plan.stack.name === "transformers-neuronx" ? "static prefill" : "bucketed prefill";
}

/** Tokens a draft of `k` is worth: each holds with the acceptance published beside the EAGLE3 rows. */
const ACCEPTANCE = 0.69;

/** ms a token of one stream, drafts counted. */
export function tokenMilliseconds(setUp: SetUp): number {
  const step = stepMilliseconds(setUp);
  const { draft, plan } = setUp;
  if (draft === undefined) return step;
  const gap = constant(plan.constants, "runtime.sync-gap") / 1e6;
  let tokens = 1;
  for (let index = 1; index <= draft.tokens; index++) tokens += ACCEPTANCE ** index;
  const passes = draft.kind === "parallel" ? 1 : draft.tokens;
  return (step + passes * draftMilliseconds(setUp, draft) + gap) / tokens;
}

/** ms of one pass of what drafts: a model's step on the same ranks, or a layer and the head of the target. */
function draftMilliseconds(setUp: SetUp, { kind, architecture, tokens }: Draft): number {
  const { plan } = setUp;
  const cost =
    architecture === undefined ? costOf(setUp) : new CostModel({ ...plan, architecture });
  const graph = cost.graph({
    phase: "decode",
    rows: setUp.batch,
    queries: kind === "parallel" ? tokens : 1,
    context: plan.maxContext,
  });
  if (architecture !== undefined) return graph.nanos / 1e6;
  const layers = plan.architecture.layers.length;
  const edge = graph.epilogue.reduce((sum, call) => sum + call.nanos, 0);
  return ((graph.nanos - edge) / layers + edge) / 1e6;
}

function served(
  row: Row,
  metric: Metric,
  setUp: SetUp,
  serving: Serving | string,
): Prediction | string {
  if (typeof serving === "string") return serving;
  if (setUp.contextParallel > 1) return "not modelled: context parallelism";
  const base = setUp.live === undefined ? undefined : baselineServing(setUp);
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
    baseline: base?.(metric) ?? Number.NaN,
  };
}

function profile(row: Row, setUp: SetUp): Prediction | string {
  if (/context encoding/.test(row.kernelNotes)) return "a prompt profile without its length";
  if (setUp.prompt !== undefined || row.metric === "MFU") return "a profile of another kind";
  const rank = setUp.plan.instance.chip.hbmBytesPerSecond / setUp.plan.instance.chip.cores;
  const graph = costOf(setUp).graph({ phase: "decode", rows: 1, queries: 1, context: 512 });
  const moved = (calls: readonly TimedCall[]): number =>
    calls.reduce(
      (sum, { call }) => sum + (call.work?.moves ?? []).reduce((all, move) => all + move.bytes, 0),
      0,
    );
  const bytes =
    moved(graph.prologue) +
    graph.layers.reduce((sum, { group, calls }) => sum + group.indices.length * moved(calls), 0) +
    moved(graph.epilogue);
  const of = (ms: number): number => bytes / (rank * setUp.plan.logicalCore * ms * 1e-3);
  return {
    part: "profiles",
    predicted: of(graph.nanos / 1e6),
    measured: row.value,
    baseline: of(baselineStep(setUp)),
  };
}

const streamed = new WeakMap<SetUp, number>();

/** Weight bytes that a decode step streams on one rank: all but the embedding table. */
function weightBytes(setUp: SetUp): number {
  const known = streamed.get(setUp);
  if (known !== undefined) return known;
  const bytes = countWeightBytes(setUp);
  streamed.set(setUp, bytes);
  return bytes;
}

function countWeightBytes(setUp: SetUp): number {
  const { plan, moe } = setUp;
  const its = plan.architecture;
  const table = its.tiedHead ? "" : "model.embed_tokens.weight";
  return architectureWeights(its)
    .filter((weight) => weight.name !== table)
    .reduce(
      (sum, weight) =>
        sum +
        localBytes(weight, plan) * (moe && weight.shard === "expert" ? activeShare(its, setUp) : 1),
      0,
    );
}

function activeShare(architecture: Architecture, setUp: SetUp): number {
  for (const layer of architecture.layers) {
    for (const op of layer.ops) {
      if (op.op === "experts") return Math.min(1, (setUp.batch * op.topK) / op.experts);
    }
  }
  return 1;
}

function kvBytes(setUp: SetUp): number {
  const { plan } = setUp;
  return plan.architecture.kvGroups.reduce((sum, group) => {
    const context = Math.min(plan.maxContext, group.window ?? plan.maxContext);
    return sum + kvBytesPerToken(group, plan) * context * setUp.batch;
  }, 0);
}

/** The two-constant baseline: 0.85 × (weights + KV) / peak HBM + 0.180 ms a layer. */
function baselineStep(setUp: SetUp): number {
  const { plan } = setUp;
  const { chip } = plan.instance;
  const peak = (chip.hbmBytesPerSecond / chip.cores) * rankOf(plan).cores;
  const bytes = weightBytes(setUp) + kvBytes(setUp);
  return 0.85 * (bytes / peak) * 1e3 + 0.18 * plan.architecture.layers.length;
}

/** Its kin for prompts: FLOPs at half of peak and the same constant a layer. */
function baselinePrompt(setUp: SetUp): number {
  const { plan } = setUp;
  const { chip } = plan.instance;
  const tokens = setUp.bucket ?? 2 ** Math.ceil(Math.log2(setUp.prompt ?? 128));
  const parameters = weightBytes(setUp) / 2;
  const core = 2 * 128 * 128 * chip.clockHz.tensor;
  return (
    ((2 * parameters * tokens) / (0.5 * core * plan.logicalCore)) * 1e3 +
    0.18 * plan.architecture.layers.length
  );
}

/** Its kin for serving: the law of one prefill at a time over the baseline's own step and prompt. */
function baselineServing(setUp: SetUp): (metric: string) => number {
  const live = (setUp.live ?? 1) / setUp.replicas;
  const output = setUp.output ?? 1;
  const running = Math.min(live, setUp.batch);
  const prompt = baselinePrompt(setUp);
  const step = baselineStep(setUp) + ((running - 1) * prompt) / output;
  const e2e = prompt + step * output;
  const total = (e2e * live) / running;
  return (metric) => {
    switch (metric) {
      case "TPOT":
        return step;
      case "TTFT":
        return prompt + (total - e2e);
      case "e2e_latency":
        return total;
      case "latency_per_token":
        return total / output;
      case "per_request_throughput":
        return 1000 / step;
      case "request_rate":
        return (1000 * running * setUp.replicas) / e2e;
      case "output_throughput":
        return (1000 * running * output * setUp.replicas) / e2e;
      default:
        return Number.NaN;
    }
  };
}
