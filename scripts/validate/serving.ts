/**
 * Serving rows in virtual time: a service, the client that measured it, and the
 * figures that this client prints. Of several replicas one is simulated, the one
 * with most requests, and the others do as much; llmperf waits for all of them.
 */
import { VirtualClock } from "../../device/clock.ts";
import { guidedRate, guidedThroughput, type Lengths, type Run, rounds, waves } from "./clients.ts";
import { engineService, routerService, type Service } from "./services.ts";
import type { SetUp } from "./setup.ts";

export interface Serving {
  /** The metric's value in ms, tokens/s or requests/s; undefined when it is not one of serving's. */
  metric(name: string, percentile: string, stepAlone: boolean): number | undefined;
}

/** BOS and template tokens around a prompt of the benchmark's own count. */
const FRAME_TOKENS = 8;

/** Requests of each client of a benchmark that does not tell. */
const ROUNDS = 5;

/** More requests at once, or in a second, than a published table's: refused, not simulated for minutes. */
const MOST = 1024;

export function serve(setUp: SetUp): Serving | string {
  const { prompt, output, client } = setUp;
  if (prompt === undefined || output === undefined) return "no prompt or output length";
  if (setUp.loop === "open" && !((setUp.rate ?? 0) > 0)) return "no request rate";
  if (Math.max(setUp.live ?? 0, setUp.rate ?? 0) > MOST) return `more than ${MOST} requests`;
  const lengths: Lengths = {
    prompt: prompt + FRAME_TOKENS,
    output,
    promptSpread: setUp.spread.prompt,
    outputSpread: setUp.spread.output,
  };
  const all = setUp.live ?? 1;
  const live = Math.max(1, Math.ceil(all / setUp.replicas));
  const serviceOn = (clock: VirtualClock): Service =>
    setUp.plan.stack.name === "tgi"
      ? routerService(setUp, clock, client === "llmperf" ? 1.2 : 0.3)
      : engineService(setUp, clock);
  const fresh = (): { readonly clock: VirtualClock; readonly service: Service } => {
    const clock = new VirtualClock();
    return { clock, service: serviceOn(clock) };
  };
  if (setUp.loop === "open") {
    const gap = (1e9 * setUp.replicas) / (setUp.rate ?? 1);
    return summarise(guidedRate(fresh(), lengths, gap), setUp.replicas);
  }
  switch (client) {
    case "guidellm":
      return summarise(guided(fresh, lengths, all / setUp.replicas), setUp.replicas);
    case "llmperf": {
      const clock = new VirtualClock();
      const services = Array.from({ length: setUp.replicas }, () => serviceOn(clock));
      return summarise(waves({ clock, services }, lengths, all), 1);
    }
    case "burst":
      return summarise(rounds(fresh(), lengths, { clients: live, rounds: 1 }), all / live);
    case "rounds":
      return summarise(rounds(fresh(), lengths, { clients: live, rounds: ROUNDS }), all / live);
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

/** The rows tell how many were in flight by rate × latency, not how many clients there were: sought here. */
function guided(
  fresh: () => { readonly clock: VirtualClock; readonly service: Service },
  lengths: Lengths,
  inFlight: number,
): Run {
  let clients = Math.ceil(inFlight);
  let run = guidedThroughput(fresh(), lengths, clients);
  for (let tries = 0; tries < 4; tries++) {
    const found = run.counted.reduce((sum, one) => sum + one.end - one.arrival, 0) / run.nanos;
    const better = Math.max(1, Math.round((clients * inFlight) / found));
    if (better === clients) break;
    clients = better;
    run = guidedThroughput(fresh(), lengths, clients);
  }
  return run;
}

function summarise({ counted, nanos }: Run, share: number): Serving {
  if (counted.length === 0) return { metric: () => undefined };
  const seconds = nanos / 1e9;
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
          return (tokens / seconds) * share;
        case "request_rate":
          return (counted.length / seconds) * share;
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
