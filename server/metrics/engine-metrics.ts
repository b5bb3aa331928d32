/**
 * vLLM's series of one engine, fed by its events. Names, labels and buckets as
 * vLLM serves them. Durations are of the engine's clock. An aborted request
 * counts under its reason, disconnected clients included (vLLM forgets those).
 */
import { type Nanos, SECOND } from "../../device/clock.ts";
import type { SequenceId } from "../../device/device.ts";
import { IdMap } from "../../device/id-map.ts";
import type { Engine } from "../../engine/engine.ts";
import type { EngineEvent, RequestFinished, TokensEmitted } from "../../engine/events.ts";
import type { GenerationRequest } from "../../engine/sequence.ts";
import { type EngineMetricsOptions, seriesOf } from "./engine-series.ts";
import type { Families, Labels } from "./families.ts";
import { helpOf } from "./help.ts";

/** What is known of a sequence under way. */
interface Track {
  readonly queued: Nanos;
  readonly promptTokens: number;
  scheduled?: Nanos;
  cached: number;
  first?: Nanos;
  last: Nanos;
  tokens: number;
  preemptions: number;
  group?: Group;
}

/** The n completions of one request. */
interface Group {
  readonly n: number;
  /** Absent: of a request that pools. */
  readonly maxTokens?: number;
  left: number;
  longest: number;
}

/** States of a sleeping engine, by the level it was put to sleep with. */
const SLEEP_STATES = { awake: -1, weights_offloaded: 1, discard_all: 2 } as const;

export class EngineMetrics {
  /** Of requests whose completions are told in parts. */
  readonly #groups = new WeakMap<GenerationRequest, Group>();
  readonly #tracks = new IdMap<Track>();
  readonly #series: ReturnType<typeof seriesOf>;
  /** As `/sleep` was told, 0 to 2; −1: awake. */
  sleepLevel = -1;
  #deferred = 0;
  /** Given out in the step under way, and prompts completed in it. */
  #stepTokens = 0;
  /** Prompt tokens looked up and found so far. */
  #queries = 0;
  #hits = 0;

  constructor(families: Families, engine: Engine, options: EngineMetricsOptions) {
    this.#series = seriesOf(families, options);
    const labels = { model_name: options.modelName, engine: String(options.index) };
    const gauge = (name: string, read: () => number, further: Labels = {}) =>
      families.gauge(`vllm:${name}`, helpOf(`vllm:${name}`), { ...labels, ...further }, read);
    const usage = () => engine.kvUsage;
    gauge("num_requests_running", () => engine.running);
    gauge("num_requests_waiting", () => engine.waiting);
    const deferred = () => Math.min(this.#deferred, engine.waiting);
    const byReason = "num_requests_waiting_by_reason";
    gauge(byReason, () => engine.waiting - deferred(), { reason: "capacity" });
    gauge(byReason, deferred, { reason: "deferred" });
    gauge("kv_cache_usage_perc", usage);
    for (const [state, value] of Object.entries(SLEEP_STATES)) {
      const read = () => (value === this.sleepLevel ? 1 : 0);
      gauge("engine_sleep_state", read, { sleep_state: state });
    }
    families
      .gauge("vllm:cache_config_info", helpOf("vllm:cache_config_info"), {
        ...options.cacheConfig,
        engine: labels.engine,
      })
      .set(1);
    if (!options.hidden) return;
    const removed = (name: string, help: string, read: () => number) =>
      families.gauge(`vllm:${name}`, help, labels, read);
    removed("gpu_cache_usage_perc", "Removed name of kv_cache_usage_perc.", usage);
    removed("cpu_cache_usage_perc", "Removed; there is no CPU cache.", () => 0);
    removed("num_requests_swapped", "Removed; requests are never swapped.", () => 0);
    removed("gpu_prefix_cache_hit_rate", "Removed; prefix-cache hits by queries.", () =>
      this.#queries === 0 ? 0 : this.#hits / this.#queries,
    );
  }

  /** Of the HTTP side: what events do not carry. `from`: completions of the request told before. */
  submitted(request: GenerationRequest, ids: readonly SequenceId[], from: number): void {
    const { n = 1, params, pooling } = request;
    const earlier = from === 0 ? undefined : this.#groups.get(request);
    const group = earlier ?? {
      n,
      left: n,
      longest: 0,
      ...(!pooling && { maxTokens: params.maxTokens }),
    };
    if (ids.length < n) this.#groups.set(request, group);
    for (const id of ids) {
      const track = this.#tracks.get(id);
      if (track !== undefined) track.group = group;
    }
  }

  receive(event: EngineEvent): void {
    const series = this.#series;
    switch (event.type) {
      case "request-queued":
        this.#tracks.set(event.id, {
          queued: event.at,
          promptTokens: event.promptTokens,
          cached: 0,
          last: event.at,
          tokens: 0,
          preemptions: 0,
        });
        return;
      case "request-scheduled": {
        const track = this.#tracks.get(event.id);
        if (track === undefined || event.resumed) return;
        track.scheduled = event.at;
        track.cached = event.cachedTokens;
        this.#queries += track.promptTokens;
        this.#hits += event.cachedTokens;
        series.cachedOnDevice.inc(event.cachedTokens);
        series.prefixQueries.forEach((one) => {
          one.inc(track.promptTokens);
        });
        series.prefixHits.forEach((one) => {
          one.inc(event.cachedTokens);
        });
        return;
      }
      case "request-preempted": {
        series.preemptions.inc();
        const track = this.#tracks.get(event.id);
        if (track !== undefined) track.preemptions++;
        return;
      }
      case "tokens-emitted":
        this.#tokens(event);
        return;
      case "request-finished":
        this.#finished(event);
        return;
      case "step-finished":
        this.#deferred = event.waitingDeferred;
        // As vLLM: a step counts what it gave out and the prompts it completed; one in the midst
        // of a prompt is not observed.
        if (this.#stepTokens > 0) series.iterationTokens.observe(this.#stepTokens);
        this.#stepTokens = 0;
        return;
    }
  }

  #tokens(event: TokensEmitted): void {
    const series = this.#series;
    const track = this.#tracks.get(event.id);
    if (track === undefined) return;
    if (track.first === undefined) {
      track.first = event.at;
      series.timeToFirstToken.observe((event.at - track.queued) / SECOND);
      series.promptTokens.inc(track.promptTokens);
      series.promptCached.inc(track.cached);
      series.promptComputed.inc(track.promptTokens - track.cached);
      series.promptFound.inc(track.cached);
      this.#stepTokens += track.promptTokens - track.cached;
    } else {
      const seconds = (event.at - track.last) / SECOND;
      series.interToken.forEach((one) => {
        one.observe(seconds);
      });
    }
    track.last = event.at;
    track.tokens += event.tokens.length;
    this.#stepTokens += event.tokens.length;
    series.generationTokens.inc(event.tokens.length);
    if (event.drafted > 0 && series.speculation !== undefined) {
      const { drafts, drafted, accepted, positions } = series.speculation;
      drafts.inc();
      drafted.inc(event.drafted);
      accepted.inc(event.accepted);
      for (let index = 0; index < event.accepted; index++) positions[index]?.inc();
    }
  }

  #finished(event: RequestFinished): void {
    const series = this.#series;
    const track = this.#tracks.get(event.id);
    this.#tracks.delete(event.id);
    series.success[event.reason].inc();
    if (track === undefined) return;
    const { queued, scheduled, first, last, tokens, promptTokens, group } = track;
    series.requestPreemptions.observe(track.preemptions);
    series.e2e.observe((event.at - queued) / SECOND);
    series.requestPrompt.observe(promptTokens);
    series.requestGeneration.observe(event.outputTokens);
    series.prefillComputed.observe(promptTokens - track.cached);
    if (scheduled !== undefined) {
      series.queue.observe((scheduled - queued) / SECOND);
      if (first !== undefined) {
        series.prefill.observe((first - scheduled) / SECOND);
        series.inference.observe((last - scheduled) / SECOND);
      }
    }
    if (first !== undefined) {
      const decode = (last - first) / SECOND;
      series.decode.observe(decode);
      series.perToken.observe(tokens > 1 ? decode / (tokens - 1) : 0);
    }
    if (group === undefined) return;
    if (group.maxTokens !== undefined) series.paramsMaxTokens.observe(group.maxTokens);
    group.longest = Math.max(group.longest, event.outputTokens);
    group.left--;
    if (group.left > 0) return;
    series.paramsN.observe(group.n);
    series.maxGeneration.observe(group.longest);
  }
}
