/**
 * Prompts and decodes apart: engines that compute prompts, engines that decode, and a queue between
 * them whose transfers take the links' time. To whoever loads it, it is one engine.
 *
 *     prefiller   [ waits )[ prompt ) its blocks stay held .............. free
 *     queue                          [ waits )[ transfer )
 *     decoder                                 a seat is taken ... [ waits )[ last prompt token, ids ... )
 *
 * As vLLM's connectors have it: the decoder pulls, the id that the prefiller sampled is discarded, and
 * the decoder computes the prompt's last token itself. A transfer begins when its decoder has a seat
 * and blocks for the prompt, and both ends are idle; else it waits in order of the prompts' ends.
 */
import type { Nanos } from "../../device/clock.ts";
import type { VirtualClock } from "../../device/clocks/virtual.ts";
import type { Device, SequenceId } from "../../device/device.ts";
import type { Engine } from "../../engine/engine.ts";
import type { EngineEvent, EngineListener, RequestFinished } from "../../engine/events.ts";
import type { AnyRequest } from "../../engine/sequence.ts";

/** What a load is sent to: an engine, or a system that looks like one. */
export interface Served {
  submit(request: AnyRequest): readonly SequenceId[];
  subscribe(listener: EngineListener): () => void;
  close(): Promise<void>;
}

/** One engine of either kind. */
export interface Worker {
  readonly engine: Engine;
  readonly device: Device;
}

export interface DisaggregatedParts {
  readonly clock: VirtualClock;
  /** Neither is empty. */
  readonly prefillers: readonly Worker[];
  readonly decoders: readonly Worker[];
  /** ns of a prompt's K and V on the links. */
  readonly transfer: (promptTokens: number) => Nanos;
}

/** A request at a worker, with the system's id for it. */
interface Under {
  readonly id: SequenceId;
  readonly request: AnyRequest;
  /** Prompt tokens that its prefiller found in its cache. */
  readonly cachedTokens: number;
}

/** One whose prompt is computed. */
interface Job extends Under {
  readonly prefiller: Side;
  /** Its id at the prefiller. */
  readonly promptId: SequenceId;
}

/** A worker with what is under way at it. */
class Side {
  readonly worker: Worker;
  /** By the worker's ids. */
  readonly under = new Map<SequenceId, Under>();
  /** Prompt tokens that wait or run here. */
  tokens = 0;
  /** Requests that are being sent here, or decode. */
  seats = 0;
  comingBlocks = 0;
  transferring = false;

  constructor(worker: Worker) {
    this.worker = worker;
  }

  blocksOf({ prompt }: AnyRequest): number {
    return Math.ceil((prompt.length + 1) / this.worker.device.limits.blockSize);
  }

  /** Has it a seat, and blocks for the prompt? An empty one takes any. */
  takes(request: AnyRequest): boolean {
    if (this.seats === 0) return true;
    const { engine, device } = this.worker;
    if (this.seats >= engine.options.maxNumSeqs) return false;
    const free = Math.round((1 - engine.kvUsage) * device.limits.blocks);
    return this.blocksOf(request) <= free - this.comingBlocks;
  }
}

export class Disaggregated implements Served {
  readonly #clock: VirtualClock;
  readonly #transfer: (promptTokens: number) => Nanos;
  readonly #prefillers: readonly Side[];
  readonly #decoders: readonly Side[];
  readonly #listeners = new Set<EngineListener>();
  /** Prompts computed, in order of their ends. */
  readonly #queue: Job[] = [];
  #next: SequenceId = 0;

  constructor({ clock, prefillers, decoders, transfer }: DisaggregatedParts) {
    this.#clock = clock;
    this.#transfer = transfer;
    this.#prefillers = prefillers.map((worker) => new Side(worker));
    this.#decoders = decoders.map((worker) => new Side(worker));
    for (const side of this.#prefillers)
      side.worker.engine.subscribe((event) => this.#prefilled(side, event));
    for (const side of this.#decoders)
      side.worker.engine.subscribe((event) => this.#decoded(side, event));
  }

  /** To the prefiller with the fewest prompt tokens before it. Throws as `Engine.submit`. */
  submit(request: AnyRequest): readonly SequenceId[] {
    const side = least(this.#prefillers, ({ tokens }) => tokens);
    if (side === undefined) throw new Error("There is no engine for prompts.");
    const params = { ...request.params, maxTokens: 1, minTokens: 0 };
    const [promptId] = side.worker.engine.submit({ ...request, params, keepsBlocks: true });
    if (promptId === undefined) return [];
    const id = this.#next++;
    side.under.set(promptId, { id, request, cachedTokens: 0 });
    side.tokens += request.prompt.length;
    return [id];
  }

  /** Tokens, ends and preemptions by this system's ids; steps of all its engines. */
  subscribe(listener: EngineListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    const sides = [...this.#prefillers, ...this.#decoders];
    await Promise.all(sides.map(({ worker }) => worker.engine.close()));
  }

  #tell(event: EngineEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #prefilled(side: Side, event: EngineEvent): void {
    if (event.type === "step-finished") this.#tell(event);
    if (!("id" in event)) return;
    const its = side.under.get(event.id);
    if (its === undefined) return;
    if (event.type === "request-preempted") this.#tell({ ...event, id: its.id });
    if (event.type !== "request-finished") return;
    side.under.delete(event.id);
    side.tokens -= its.request.prompt.length;
    if (event.reason === "error" || event.reason === "abort") {
      this.#tell({ ...event, id: its.id });
      return;
    }
    const { cachedTokens } = event;
    this.#queue.push({ ...its, prefiller: side, promptId: event.id, cachedTokens });
    this.#pump();
  }

  /** Begins every transfer that can begin; prompts whose own engine is sending wait, others pass them. */
  #pump(): void {
    for (let at = 0; at < this.#queue.length; ) {
      const job = this.#queue[at];
      if (job === undefined) return;
      const ready = this.#decoders.filter((its) => its.takes(job.request));
      if (ready.length === 0) return;
      const decoder = least(
        ready.filter(({ transferring }) => !transferring),
        ({ seats }) => seats,
      );
      if (decoder === undefined || job.prefiller.transferring) {
        at++;
        continue;
      }
      this.#queue.splice(at, 1);
      this.#send(job, decoder);
    }
  }

  #send(job: Job, decoder: Side): void {
    const { prefiller, request } = job;
    const blocks = decoder.blocksOf(request);
    prefiller.transferring = true;
    decoder.transferring = true;
    decoder.seats++;
    decoder.comingBlocks += blocks;
    const nanos = this.#transfer(request.prompt.length);
    this.#clock.at(this.#clock.now() + nanos, () => {
      prefiller.transferring = false;
      decoder.transferring = false;
      decoder.comingBlocks -= blocks;
      prefiller.worker.engine.letGo(job.promptId);
      this.#decode(job, decoder);
      this.#pump();
    });
  }

  #decode(job: Job, decoder: Side): void {
    const { id, request, cachedTokens } = job;
    try {
      const received = request.prompt.length - 1;
      const [own] = decoder.worker.engine.submit({ ...request, received });
      if (own !== undefined) decoder.under.set(own, { id, request, cachedTokens });
    } catch (error) {
      decoder.seats--;
      const failure = error instanceof Error ? error : new Error(String(error));
      this.#tell({ ...ended(request, cachedTokens), at: this.#clock.now(), id, error: failure });
    }
  }

  #decoded(side: Side, event: EngineEvent): void {
    if (event.type === "step-finished") this.#tell(event);
    if (!("id" in event)) return;
    const its = side.under.get(event.id);
    if (its === undefined) return;
    if (event.type === "tokens-emitted" || event.type === "request-preempted")
      this.#tell({ ...event, id: its.id });
    if (event.type !== "request-finished") return;
    side.under.delete(event.id);
    side.seats--;
    this.#tell({ ...event, id: its.id, cachedTokens: its.cachedTokens });
    this.#pump();
  }
}

function ended({ prompt }: AnyRequest, cachedTokens: number): Omit<RequestFinished, "at" | "id"> {
  return {
    type: "request-finished",
    reason: "error",
    promptTokens: prompt.length,
    cachedTokens,
    outputTokens: 0,
  };
}

/** The first of those that have least of it. */
function least(sides: readonly Side[], of: (side: Side) => number): Side | undefined {
  return sides.reduce<Side | undefined>(
    (best, its) => (best === undefined || of(its) < of(best) ? its : best),
    undefined,
  );
}
