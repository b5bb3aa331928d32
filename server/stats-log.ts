/**
 * vLLM's line of averages, every VLLM_LOG_STATS_INTERVAL seconds while there is
 * traffic; after a load, what falsifies it as a benchmark.
 */
import type { FastifyBaseLogger } from "fastify";
import { IdMap } from "../device/id-map.ts";
import type { EngineEvent } from "../engine/events.ts";
import type { Engines } from "./engines.ts";
import type { LoadReport } from "./metrics/load-watch.ts";
import { latenessOf } from "./metrics/neuron-metrics.ts";

/** A host that makes steps longer by more than this share does not keep the simulated pace. */
const LATE = 0.01;

class Averages {
  /** ns of priced steps since the last line: as priced, beyond it, and the latest one's. */
  priced = 0;
  late = 0;
  latest = 0;
  prompt = 0;
  generation = 0;
  queries = 0;
  hits = 0;
  readonly #waiting = new IdMap<number>();
  readonly #timeScale: number;

  constructor(timeScale: number) {
    this.#timeScale = timeScale;
  }

  receive(event: EngineEvent): void {
    switch (event.type) {
      case "step-finished": {
        if (event.cost === undefined) return;
        const priced = event.cost.duration * this.#timeScale;
        this.priced += priced;
        this.late += event.duration - priced; // a step after a late one makes up for it, or does not
        this.latest = Math.max(this.latest, latenessOf(event, this.#timeScale));
        return;
      }
      case "request-queued":
        this.#waiting.set(event.id, event.promptTokens);
        return;
      case "request-scheduled":
        if (event.resumed) return;
        this.queries += this.#waiting.get(event.id) ?? 0;
        this.hits += event.cachedTokens;
        return;
      case "tokens-emitted": {
        this.generation += event.tokens.length;
        const prompt = this.#waiting.get(event.id);
        if (prompt === undefined) return;
        this.prompt += prompt;
        this.#waiting.delete(event.id);
        return;
      }
      case "request-finished":
        this.#waiting.delete(event.id);
    }
  }
}

/** Returns the way to end it. */
export function logStats(
  engines: Engines,
  logger: Pick<FastifyBaseLogger, "info" | "warn">,
  of: {
    readonly seconds: number;
    readonly ended: () => LoadReport | undefined;
    /** Wall seconds that a simulated second takes. */
    readonly timeScale: number;
  },
): () => void {
  const { seconds, ended, timeScale } = of;
  const averages = engines.all.map((engine) => {
    const one = new Averages(timeScale);
    engine.subscribe((event) => one.receive(event));
    return one;
  });
  const timer = setInterval(() => {
    engines.all.forEach((engine, index) => {
      const one = averages[index];
      if (one === undefined) return;
      const { prompt, generation, queries, hits } = one;
      if (prompt + generation + engine.running + engine.waiting === 0) return;
      const rate = (tokens: number): string => (tokens / seconds).toFixed(1);
      const share = queries === 0 ? 0 : (100 * hits) / queries;
      logger.info(
        `Engine ${String(index).padStart(3, "0")}: Avg prompt throughput: ${rate(prompt)} tokens/s, Avg generation throughput: ${rate(generation)} tokens/s, Running: ${engine.running} reqs, Waiting: ${engine.waiting} reqs, KV cache usage: ${(100 * engine.kvUsage).toFixed(1)}%, Prefix cache hit rate: ${share.toFixed(1)}%`,
      );
      if (one.late > LATE * one.priced) {
        logger.warn(
          `This host is late: steps took ${((100 * one.late) / one.priced).toFixed(1)}% longer than the simulated machine's, one of them ${(one.latest / 1e6).toFixed(1)} ms; what clients measure now is this host's time, not the machine's. See trainyard:step_lateness_seconds.`,
        );
      }
      one.prompt = 0;
      one.generation = 0;
      one.priced = 0;
      one.late = 0;
      one.latest = 0;
    });
    const load = ended();
    if (load !== undefined) logger.info(describeLoad(load));
  }, seconds * 1000);
  timer.unref();
  return () => clearInterval(timer);
}

function describeLoad({ requests, seconds, notices, ...load }: LoadReport): string {
  const mean = load.meanConcurrency.toFixed(1);
  const shape = `${requests} requests in ${seconds.toFixed(1)} s, ${mean} under way on average, ${load.peakConcurrency} at most`;
  const found = notices.map(({ code, text }) => `\n  ${code}: ${text}`);
  return found.length === 0
    ? `Load ended: ${shape}.`
    : `Load ended: ${shape}. As a benchmark, mind:${found.join("")}`;
}
