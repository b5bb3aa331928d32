/**
 * Serving rows in virtual time: a service, the client that measured it, and the
 * figures that this client prints.
 */
import { VirtualClock } from "../../../device/clocks/virtual.ts";
import {
  batchService,
  type Policy,
  promptsFirst,
  promptsTogether,
  routerPolicy,
  stepThenPrompts,
} from "./batch-services.ts";
import {
  guidedRate,
  guidedThroughput,
  type Lengths,
  loops,
  type Run,
  sweepRequests,
  waves,
} from "./clients.ts";
import type { Metric } from "./read/metric.ts";
import { engineService, type Site } from "./services.ts";
import { endEarly, type SetUp } from "./setup.ts";

export interface Serving {
  /** The metric's value in ms, tokens/s or requests/s; undefined when it is not one of serving's. */
  metric(name: Metric, quantile: number | "mean", stepAlone: boolean): number | undefined;
}

/** BOS and template tokens around a prompt of the benchmark's own count. */
const FRAME_TOKENS = 8;

/** Requests of each client of a benchmark that does not tell. */
const ROUNDS = 5;

/**
 * Requests of a run of the QKV tables, which do not tell: the medians of 4 and 8 at once are
 * those of 10 in waves; beside the fused block, those of 20.
 */
const BURST_REQUESTS = 10;
const FUSED_BURST_REQUESTS = 20;

/** More requests at once, or in a second, than a published table's: refused, not simulated for minutes. */
const MOST = 1024;

export function serve(setUp: SetUp): Serving | string {
  const { prompt, output, client } = setUp;
  if (prompt === undefined || output === undefined) return "no prompt or output length";
  if (setUp.loop === "open" && !((setUp.rate ?? 0) > 0)) return "no request rate";
  if (Math.max(setUp.live ?? 0, setUp.rate ?? 0) > MOST) return `more than ${MOST} requests`;
  const lengths: Lengths = {
    prompt: prompt / setUp.recount + FRAME_TOKENS,
    output,
    promptSpread: setUp.spread.prompt / setUp.recount,
    outputSpread: setUp.spread.output,
    endEarly: endEarly(setUp),
  };
  const live = Math.max(1, Math.ceil(setUp.live ?? 1));
  const policy = policyOf(setUp);
  const fresh = (): Site => {
    const clock = new VirtualClock();
    const service = () =>
      policy === undefined ? engineService(setUp, clock) : batchService(setUp, clock, policy);
    return { clock, services: Array.from({ length: setUp.replicas }, service) };
  };
  if (setUp.loop === "open") return openLoop(fresh, lengths, setUp);
  switch (client) {
    case "guidellm":
      return summarise(guided(fresh, lengths, setUp), { prompt, pooled: true });
    case "llmperf":
      return summarise(waves(fresh(), lengths, { requests: live, drawn: setUp.drawn }), {
        prompt,
        recount: setUp.recount,
        medians: true,
      });
    case "burst":
      return summarise(loops(fresh(), lengths, { clients: live, requests: burstOf(setUp) }), {
        prompt,
      });
    case "rounds":
      return summarise(
        loops(fresh(), lengths, { clients: live, requests: setUp.requests ?? live * ROUNDS }),
        { prompt },
      );
  }
}

function burstOf({ plan }: SetUp): number {
  return plan.kernels.has("fused-attention") ? FUSED_BURST_REQUESTS : BURST_REQUESTS;
}

/** optimum-neuron's "adapt to 0.11.0": vLLM's V1 scheduler. */
const OPTIMUM_V1 = "2025-11-12";

/** The scheduler of a server that is not the project's own. */
function policyOf({ plan, date }: SetUp): Policy | undefined {
  switch (plan.stack.name) {
    case "tgi-1.4":
      return routerPolicy(1.2, 4096);
    case "tgi":
    case "tgi-nxd":
      return routerPolicy(0.3, Number.POSITIVE_INFINITY);
    case "optimum":
      return date < OPTIMUM_V1 ? promptsFirst : stepThenPrompts;
    case "nkipy":
      return promptsTogether;
    default:
      return undefined;
  }
}

/** `serve`, run once for all metrics of one set-up. */
export function onceASetUp(): typeof serve {
  const known = new Map<string, Serving | string>();
  return (setUp) => {
    let its = known.get(setUp.key);
    if (its === undefined) {
      its = serve(setUp);
      known.set(setUp.key, its);
    }
    return its;
  };
}

/**
 * Requests that guidellm keeps open: one fewer than it allows (scheduler/base.py), and what its scripts
 * allow is a power of two (128 where nothing is told, else a number given): the one above the mean in
 * flight, which those that have ended lower, or in an open loop the one that fills the seats.
 */
function clientsOf(setUp: SetUp): number {
  const { live, loop, batch, replicas } = setUp;
  if (setUp.clients && live !== undefined) return live;
  const least = loop === "open" || live === undefined ? batch * replicas : live + 1;
  return Math.max(1, 2 ** Math.ceil(Math.log2(least)) - 1);
}

/** How far the mean in flight that a row tells may lie from that of so many clients before they are not those. */
const UNLIKE = 1.25;

/**
 * guidellm's throughput run. Where the power of two keeps another mean in flight than the row tells,
 * the clients are as many as keep that (by Little's law it grows with them).
 */
function guided(fresh: () => Site, lengths: Lengths, setUp: SetUp): Run {
  const requests = sweepRequests(fresh(), lengths);
  const clients = clientsOf(setUp);
  const run = guidedThroughput(fresh(), lengths, { clients, requests });
  const { live } = setUp;
  if (setUp.clients || setUp.loop === "open" || live === undefined) return run;
  const ratio = live / inFlight(run);
  if (Math.max(ratio, 1 / ratio) < UNLIKE) return run;
  const fewer = Math.max(1, Math.round(clients * ratio));
  return guidedThroughput(fresh(), lengths, { clients: fewer, requests });
}

/** Mean in flight of the answers that count, as rate × latency. */
function inFlight({ counted, nanos }: Run): number {
  return counted.reduce((sum, one) => sum + one.end - one.arrival, 0) / nanos;
}

/**
 * An open loop at the rate told. A guidellm sweep's is no rate of its own: the scripts ask for one run
 * beside the synchronous and the throughput one (NUM_SWEEP_PROFILES=1), whose rate is what the latter got
 * answered (profile_generator.py, create_sweep_profile). Its latencies are those of a server at its own
 * limit, whatever that is; its rates those of the requests that were sent.
 */
function openLoop(fresh: () => Site, lengths: Lengths, setUp: SetUp): Serving {
  const { prompt = 0, rate = 1 } = setUp;
  const clients = clientsOf(setUp);
  const at = (asked: number): Serving =>
    summarise(guidedRate(fresh(), lengths, { gap: 1e9 / asked, clients }), {
      prompt,
      pooled: true,
    });
  const told = at(rate);
  if (!setUp.sweep) return told;
  const limit = guided(fresh, lengths, setUp);
  const own = at((1e9 * limit.counted.length) / limit.nanos);
  return {
    metric: (name, share, stepAlone) =>
      (/throughput|rate/.test(name) ? told : own).metric(name, share, stepAlone),
  };
}

interface Reading {
  /** Mean prompt, tokens. */
  readonly prompt: number;
  /** The pace is that of all gaps together (guidellm), not of each answer. */
  readonly pooled?: boolean;
  readonly recount?: number;
  /** The latency a token is a median whatever the table calls it (generate_csv.py of TGI's benchmark). */
  readonly medians?: boolean;
}

function summarise({ counted, nanos }: Run, its: Reading): Serving {
  const { prompt, pooled = false, recount = 1, medians = false } = its;
  if (counted.length === 0) return { metric: () => undefined };
  const seconds = nanos / 1e9;
  const e2e = counted.map((one) => (one.end - one.arrival) / 1e6);
  const ttft = counted.map((one) => (one.first - one.arrival) / 1e6);
  const tpot = counted.map((one) => (one.end - one.first) / 1e6 / Math.max(1, one.tokens - 1));
  const gaps = counted.flatMap((one) => one.gaps.map((gap) => gap / 1e6));
  const tokens = counted.reduce((sum, one) => sum + one.tokens, 0);
  return {
    metric(name, share, stepAlone) {
      const pick = pickerOf(share);
      switch (name) {
        case "TPOT":
          return stepAlone || pooled ? pick(gaps) : pick(tpot);
        case "TTFT":
          return pick(ttft);
        case "e2e_latency":
          return pick(e2e);
        case "latency_per_token":
          return pickerOf(medians ? 0.5 : share)(
            counted.map((one, index) => (e2e[index] ?? 0) / one.tokens / recount),
          );
        case "per_request_throughput":
          return pick(tpot.map((ms) => 1000 / ms));
        case "output_throughput":
          return (tokens * recount) / seconds;
        case "total_throughput":
          return ((tokens + counted.length * prompt) * recount) / seconds;
        case "request_rate":
          return counted.length / seconds;
        default:
          return undefined;
      }
    },
  };
}

const pickerOf =
  (share: number | "mean") =>
  (values: readonly number[]): number =>
    share === "mean" ? meanOf(values) : quantile(values, share);

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? 0;
  const high = sorted[Math.ceil(at)] ?? low;
  return low + (high - low) * (at - Math.floor(at));
}
