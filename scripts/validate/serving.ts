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

/** Requests of each client in a run. */
const ROUNDS = 5;

/** guidellm's runs end after a minute or so many requests: what their mean TTFT says of the first wave's share. */
const GUIDED = { nanos: 60e9, requests: 128 } as const;

/** BOS and template tokens around a prompt of the benchmark's own count. */
const FRAME_TOKENS = 8;

export function serve(setUp: SetUp): Serving | string {
  const { prompt, output, plan } = setUp;
  if (prompt === undefined || output === undefined) return "no prompt or output length";
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
  const live = Math.max(1, Math.ceil((setUp.live ?? 1) / setUp.replicas));
  const answered = run(engine, clock, loadOf(setUp, { live, prompt, output }));
  const clients = Math.max(1, setUp.live ?? live * setUp.replicas);
  return summarise(answered, {
    // One replica is simulated: the others do as much, a last one with fewer clients less.
    share: setUp.loop === "open" ? setUp.replicas : clients / live,
    // The rows give in-flight requests as rate × e2e, so the rate is theirs over ours.
    ...(setUp.guided && setUp.loop === "closed" && { inFlight: clients }),
  });
}

interface Load {
  readonly total: number;
  readonly live: number;
  readonly prompt: number;
  readonly output: number;
  /** Half-widths of the uniform spread of lengths, tokens. */
  readonly spread: { readonly prompt: number; readonly output: number };
  /** Mean ns between arrivals of an open loop. */
  readonly gap?: number;
  /** No request is asked after this, ns. */
  readonly until: number;
}

function loadOf(
  setUp: SetUp,
  at: { readonly live: number; readonly prompt: number; readonly output: number },
): Load {
  const open = setUp.loop === "open";
  const guided = GUIDED.requests / setUp.replicas;
  const total = open
    ? Math.max(80, 4 * setUp.plan.maxRows)
    : setUp.burst
      ? at.live
      : setUp.guided
        ? Math.max(at.live, Math.round(guided))
        : at.live * ROUNDS;
  return {
    ...at,
    prompt: at.prompt + FRAME_TOKENS,
    total,
    spread: setUp.spread,
    ...(open && { gap: (1e9 * setUp.replicas) / (setUp.rate ?? 1) }),
    until: setUp.guided && !open ? GUIDED.nanos : Number.POSITIVE_INFINITY,
  };
}

function run(engine: Engine, clock: VirtualClock, load: Load): readonly Answered[] {
  const open = new Map<
    SequenceId,
    { arrival: number; first: number; last: number; gaps: number[] }
  >();
  const answered: Answered[] = [];
  const draw = seeded(7);
  const around = (mean: number, width: number): number =>
    Math.max(1, Math.round(mean + (2 * draw() - 1) * width));
  let asked = 0;
  const ask = (): void => {
    if (asked >= load.total || clock.now() > load.until) return;
    asked++;
    const prompt = new Int32Array(around(load.prompt, load.spread.prompt)).fill(3 + asked);
    const maxTokens = around(load.output, load.spread.output);
    const params = { ...DEFAULT_SAMPLING, maxTokens, ignoreEos: true, temperature: 0 };
    for (const id of engine.submit({ prompt, params })) {
      open.set(id, { arrival: clock.now(), first: 0, last: 0, gaps: [] });
    }
  };
  engine.subscribe((event) => {
    if (event.type === "tokens-emitted") {
      const its = open.get(event.id);
      if (its === undefined) return;
      let tokens = event.tokens.length;
      if (its.first === 0) {
        its.first = event.at;
        its.last = event.at;
        tokens--;
      }
      for (let index = 0; index < tokens; index++) its.gaps.push((event.at - its.last) / tokens);
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
  if (load.gap === undefined) {
    for (let client = 0; client < load.live; client++) clock.at(0, ask);
  } else {
    let at = 0;
    for (let index = 0; index < load.total; index++) {
      clock.at(Math.round(at), ask);
      at += load.gap;
    }
  }
  clock.runReady();
  return answered;
}

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
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

function summarise(
  counted: readonly Answered[],
  its: { readonly share: number; readonly inFlight?: number },
): Serving {
  const begin = Math.min(...counted.map((one) => one.arrival));
  const end = Math.max(...counted.map((one) => one.end));
  const mean = meanOf(counted.map((one) => (one.end - one.arrival) / 1e9));
  const seconds =
    its.inFlight === undefined
      ? (end - begin) / 1e9
      : (counted.length * mean * its.share) / its.inFlight;
  const e2e = counted.map((one) => (one.end - one.arrival) / 1e6);
  const ttft = counted.map((one) => (one.first - one.arrival) / 1e6);
  const tpot = counted.map((one) => (one.end - one.first) / 1e6 / Math.max(1, one.tokens - 1));
  const gaps = counted.flatMap((one) => one.gaps.map((gap) => gap / 1e6));
  const tokens = counted.reduce((sum, one) => sum + one.tokens, 0);
  return {
    metric(name, percentile, stepAlone) {
      const pick = (values: readonly number[]): number =>
        percentile === "mean"
          ? meanOf(values)
          : quantile(values, percentile === "p99" ? 0.99 : percentile === "p90" ? 0.9 : 0.5);
      switch (name) {
        case "TPOT":
          return stepAlone ? pick(gaps) : pick(tpot);
        case "TTFT":
          return pick(ttft);
        case "e2e_latency":
          return pick(e2e);
        case "latency_per_token":
          return pick(counted.map((one, index) => (e2e[index] ?? 0) / one.tokens));
        case "per_request_throughput":
          return pick(tpot.map((ms) => 1000 / ms));
        case "output_throughput":
          return (tokens / seconds) * its.share;
        case "request_rate":
          return (counted.length / seconds) * its.share;
        default:
          return undefined;
      }
    },
  };
}

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? 0;
  const high = sorted[Math.ceil(at)] ?? low;
  return low + (high - low) * (at - Math.floor(at));
}
