/**
 * Serving rows: the project's own engine over the simulated device in virtual
 * time. Clients of a closed loop ask again as soon as they are answered; an open
 * loop asks at a fixed mean rate; replicas are served one for all.
 */
import { VirtualClock } from "../../device/clock.ts";
import type { SequenceId } from "../../device/device.ts";
import { TrainiumDevice } from "../../device/trainium/device.ts";
import { Engine } from "../../engine/engine.ts";
import { TokenSampler } from "../../engine/sample/sampler.ts";
import { DEFAULT_SAMPLING } from "../../engine/sequence.ts";
import type { Model } from "../../models/model.ts";
import type { SetUp } from "./setup.ts";

export interface Serving {
  /** The metric's value in ms, tokens/s or requests/s; undefined when it is not one of serving's. */
  metric(name: string, percentile: string, stepAlone: boolean): number | undefined;
}

interface Answered {
  readonly arrival: number;
  readonly first: number;
  readonly end: number;
  readonly tokens: number;
  readonly gaps: readonly number[];
}

/** Requests that are simulated a client: enough for a steady state. */
const ROUNDS = 6;

export function serve(setUp: SetUp): Serving | string {
  const { prompt, output, plan } = setUp;
  if (prompt === undefined || output === undefined) return "no prompt or output length";
  const live = Math.max(1, Math.round((setUp.live ?? 1) / setUp.replicas));
  if (setUp.loop === "open" && setUp.rate === undefined) return "no request rate";
  const clock = new VirtualClock();
  const sampler = new TokenSampler({});
  const device = new TrainiumDevice(
    {
      model: modelOf(setUp),
      clock,
      sampler,
      tensorParallelSize: plan.tensorParallel,
      seed: 1,
      own: {},
      blocks: Math.ceil(plan.maxContext / plan.stack.blockSize) * plan.maxRows + 1,
    },
    plan,
    { unchecked: true },
  );
  const engine = new Engine(
    { device, clock, sampler },
    {
      maxNumSeqs: plan.maxRows,
      maxNumBatchedTokens: device.limits.maxTokens,
      enablePrefixCaching: false,
    },
  );
  const total = setUp.loop === "open" ? Math.max(60, 3 * plan.maxRows) : live * ROUNDS;
  const answered = run(engine, clock, {
    total,
    live,
    prompt,
    output,
    ...(setUp.loop === "open" && { gap: (1e9 * setUp.replicas) / (setUp.rate ?? 1) }),
  });
  return summarise(answered, setUp);
}

function run(
  engine: Engine,
  clock: VirtualClock,
  load: {
    readonly total: number;
    readonly live: number;
    readonly prompt: number;
    readonly output: number;
    readonly gap?: number;
  },
): readonly Answered[] {
  const open = new Map<
    SequenceId,
    { arrival: number; first: number; last: number; gaps: number[] }
  >();
  const answered: Answered[] = [];
  let asked = 0;
  const ask = (): void => {
    if (asked >= load.total) return;
    asked++;
    const prompt = Int32Array.from(
      { length: load.prompt },
      (_, index) => 3 + ((index * 7 + asked * 131) % 20_000),
    );
    const params = { ...DEFAULT_SAMPLING, maxTokens: load.output, ignoreEos: true, temperature: 0 };
    for (const id of engine.submit({ prompt, params })) {
      open.set(id, { arrival: clock.now(), first: 0, last: 0, gaps: [] });
    }
  };
  engine.subscribe((event) => {
    if (event.type === "tokens-emitted") {
      const its = open.get(event.id);
      if (its === undefined) return;
      if (its.first === 0) its.first = event.at;
      else its.gaps.push((event.at - its.last) / event.tokens.length);
      its.last = event.at;
    } else if (event.type === "request-finished") {
      const its = open.get(event.id);
      if (its === undefined) return;
      open.delete(event.id);
      answered.push({
        arrival: its.arrival,
        first: its.first,
        end: event.at,
        tokens: event.outputTokens,
        gaps: its.gaps,
      });
      if (load.gap === undefined) clock.at(clock.now(), ask);
    }
  });
  if (load.gap === undefined) for (let client = 0; client < load.live; client++) clock.at(0, ask);
  else for (let index = 0; index < load.total; index++) clock.at(Math.round(index * load.gap), ask);
  clock.runReady();
  return answered;
}

function modelOf(setUp: SetUp): Model {
  return {
    source: setUp.key,
    config: {},
    architecture: setUp.plan.architecture,
    format: setUp.plan.formats.dense,
    generation: { eosTokenIds: [] },
  };
}

function summarise(answered: readonly Answered[], setUp: SetUp): Serving {
  const replicas = setUp.replicas;
  const begin = Math.min(...answered.map((its) => its.arrival));
  const end = Math.max(...answered.map((its) => its.end));
  const seconds = (end - begin) / 1e9;
  const e2e = answered.map((its) => (its.end - its.arrival) / 1e6);
  const ttft = answered.map((its) => (its.first - its.arrival) / 1e6);
  const tpot = answered.map((its) => (its.end - its.first) / 1e6 / Math.max(1, its.tokens - 1));
  const gaps = answered.flatMap((its) => its.gaps.map((gap) => gap / 1e6));
  const tokens = answered.reduce((sum, its) => sum + its.tokens, 0);
  return {
    metric(name, percentile, stepAlone) {
      const pick = (values: readonly number[]): number =>
        percentile === "mean"
          ? mean(values)
          : quantile(values, percentile === "p99" ? 0.99 : percentile === "p90" ? 0.9 : 0.5);
      switch (name) {
        case "TPOT":
          return stepAlone ? pick(gaps) : pick(tpot);
        case "TTFT":
          return pick(ttft);
        case "e2e_latency":
          return pick(e2e);
        case "latency_per_token":
          return pick(answered.map((its, index) => (e2e[index] ?? 0) / its.tokens));
        case "per_request_throughput":
          return pick(tpot.map((ms) => 1000 / ms));
        case "output_throughput":
          return (tokens / seconds) * replicas;
        case "request_rate":
          return (answered.length / seconds) * replicas;
        default:
          return undefined;
      }
    },
  };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? 0;
  const high = sorted[Math.ceil(at)] ?? low;
  return low + (high - low) * (at - Math.floor(at));
}
