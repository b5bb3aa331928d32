/**
 * Load in virtual time: requests go straight into the engines of a simulated
 * system, and come back as the same records that the HTTP client makes.
 *
 *     closed loop   `concurrency` users, each sends its next request when the last one ends
 *     open loop     each request at its arrival, whatever is still under way
 */
import { type Nanos, SECOND } from "../../device/clock.ts";
import type {
  EngineEvent,
  RequestFinished,
  StepFinished,
  TokensEmitted,
} from "../../engine/events.ts";
import { type AnyRequest, DEFAULT_SAMPLING, type UnreadPrompt } from "../../engine/sequence.ts";
import { Gaps } from "../load/gaps.ts";
import type { RequestRecord } from "../load/record.ts";
import type { WorkRequest } from "../workload/request.ts";
import type { VirtualEngine, VirtualSystem } from "./build.ts";

export interface VirtualRun {
  /** In order of `requests`. */
  readonly records: readonly RequestRecord[];
  /** Seconds of virtual time, first submission to last end. */
  readonly duration: number;
  readonly steps: StepTotals;
}

/** What the steps of the run had in common. */
export interface StepTotals {
  steps: number;
  /** Seconds in steps, replicas added. */
  busy: number;
  /** The same by part of the steps' price; empty where steps have none. */
  readonly parts: Record<string, number>;
  tokens: number;
  paddedTokens: number;
  mostRunning: number;
  mostWaiting: number;
  mostKvUsage: number;
}

/** Where a request stands. Times in nanoseconds of the clock. */
interface Progress {
  readonly index: number;
  /** Its user in a closed loop, its place in an open one. */
  readonly turn: number;
  readonly submitted: number;
  first: number | undefined;
  last: number;
  preemptions: number;
  readonly gaps: Gaps;
}

export interface VirtualLoad {
  /** Users, for a closed loop; absent: open loop by `WorkRequest.arrival`. */
  readonly concurrency?: number;
  readonly salt?: string;
  /** False: records have no inter-token gaps, for runs of many million tokens. Absent: they have. */
  readonly gaps?: boolean;
  /**
   * Which engine of the list takes a request; `turn` counts users (closed loop) or
   * requests (open loop). Absent: each in turn.
   */
  readonly route?: (request: WorkRequest, turn: number) => number;
  /** Told of each request that ends. */
  readonly onDone?: () => void;
}

export async function runVirtual(
  system: VirtualSystem,
  requests: readonly WorkRequest[],
  load: VirtualLoad,
): Promise<VirtualRun> {
  const run = new Run(system, requests, load);
  run.start();
  await system.clock.run();
  return run.finish();
}

class Run {
  readonly #system: VirtualSystem;
  readonly #requests: readonly WorkRequest[];
  readonly #load: VirtualLoad;
  readonly #records: RequestRecord[];
  readonly #under: readonly Map<number, Progress>[];
  readonly #origin: number;
  readonly #gaps: boolean;
  readonly #leave: (() => void)[] = [];
  readonly #steps: StepTotals = {
    steps: 0,
    busy: 0,
    parts: {},
    tokens: 0,
    paddedTokens: 0,
    mostRunning: 0,
    mostWaiting: 0,
    mostKvUsage: 0,
  };
  #next = 0;
  #end: number;
  /** The last repeated step's, and what lies between them. */
  #moments: readonly Nanos[] = [];
  #apart = new Gaps();

  constructor(system: VirtualSystem, requests: readonly WorkRequest[], load: VirtualLoad) {
    this.#system = system;
    this.#requests = requests;
    this.#load = load;
    this.#records = new Array(requests.length);
    this.#under = system.engines.map(() => new Map<number, Progress>());
    this.#origin = system.clock.now();
    this.#gaps = load.gaps !== false;
    this.#end = this.#origin;
    for (const [replica, { engine }] of system.engines.entries()) {
      this.#leave.push(engine.subscribe((event) => this.#on(replica, event)));
    }
  }

  start(): void {
    const { concurrency } = this.#load;
    if (concurrency !== undefined) {
      for (let user = 0; user < concurrency; user++) this.#submitNext(user);
      return;
    }
    const { clock } = this.#system;
    for (const [index, request] of this.#requests.entries()) {
      clock.at(this.#origin + Math.round((request.arrival ?? 0) * SECOND), () =>
        this.#submit(index, index),
      );
    }
  }

  finish(): VirtualRun {
    for (const leave of this.#leave) leave();
    for (const [index, request] of this.#requests.entries()) {
      this.#records[index] ??= failed(request, "The request never ended.");
    }
    const duration = (this.#end - this.#origin) / SECOND;
    return { records: this.#records, duration, steps: this.#steps };
  }

  /** Users stay with their engine: with C users on D engines each has about C / D. */
  #submitNext(user: number): void {
    if (this.#next >= this.#requests.length) return;
    this.#submit(this.#next++, user);
  }

  #submit(index: number, turn: number): void {
    const request = this.#requests[index];
    if (request === undefined) return;
    try {
      const { engines } = this.#system;
      const replica = this.#load.route?.(request, turn) ?? turn % engines.length;
      const its = engines[replica];
      if (its === undefined) throw new Error(`There is no engine ${replica} in this system.`);
      const [id] = its.engine.submit(this.#generation(request, its));
      if (id !== undefined) {
        this.#under[replica]?.set(id, {
          index,
          turn,
          submitted: this.#system.clock.now(),
          first: undefined,
          last: this.#system.clock.now(),
          preemptions: 0,
          gaps: new Gaps(),
        });
      }
    } catch (error) {
      this.#records[index] = failed(
        request,
        error instanceof Error ? error.message : String(error),
      );
      if (this.#load.concurrency !== undefined) {
        this.#system.clock.at(this.#system.clock.now(), () => this.#submitNext(turn));
      }
    }
  }

  #generation(request: WorkRequest, engine: VirtualEngine): AnyRequest {
    return {
      prompt: unreadOf(request, engine) ?? idsOf(request),
      params: {
        ...DEFAULT_SAMPLING,
        temperature: 0,
        maxTokens: request.outputTokens,
        ignoreEos: true,
      },
      ...(this.#load.salt === undefined ? {} : { salt: this.#load.salt }),
    };
  }

  #on(replica: number, event: EngineEvent): void {
    switch (event.type) {
      case "tokens-emitted":
        this.#tokens(replica, event);
        return;
      case "request-finished":
        this.#finished(replica, event);
        return;
      case "request-preempted": {
        const progress = this.#under[replica]?.get(event.id);
        if (progress !== undefined) progress.preemptions++;
        return;
      }
      case "step-finished": {
        const steps = this.#steps;
        steps.steps += event.repeated;
        steps.busy += event.duration / SECOND;
        addParts(steps.parts, event);
        steps.tokens += event.tokens;
        steps.paddedTokens += (event.cost?.paddedTokens ?? 0) * event.repeated;
        steps.mostRunning = Math.max(steps.mostRunning, event.running);
        steps.mostWaiting = Math.max(steps.mostWaiting, event.waiting);
        steps.mostKvUsage = Math.max(steps.mostKvUsage, event.kvUsage);
        return;
      }
      default:
    }
  }

  #tokens(replica: number, event: TokensEmitted): void {
    const progress = this.#under[replica]?.get(event.id);
    if (progress === undefined) return;
    // Drafts arrive together, in one chunk; a repeated step's tokens one after another.
    const { moments } = event;
    this.#chunk(progress, moments?.[0] ?? event.at);
    if (moments === undefined || moments.length < 2) return;
    if (this.#gaps) progress.gaps.addAll(this.#between(moments));
    progress.last = moments[moments.length - 1] ?? progress.last;
  }

  /** Seconds from one to the next. A step's moments are the same for all its rows. */
  #between(moments: readonly Nanos[]): Gaps {
    if (moments === this.#moments) return this.#apart;
    const apart = new Gaps();
    let last = moments[0] ?? 0;
    for (let index = 1; index < moments.length; index++) {
      const moment = moments[index] ?? last;
      apart.add((moment - last) / SECOND);
      last = moment;
    }
    this.#moments = moments;
    this.#apart = apart;
    return apart;
  }

  #chunk(progress: Progress, moment: Nanos): void {
    if (progress.first === undefined) progress.first = moment;
    else if (this.#gaps) progress.gaps.add((moment - progress.last) / SECOND);
    progress.last = moment;
  }

  #finished(replica: number, event: RequestFinished): void {
    const under = this.#under[replica];
    const progress = under?.get(event.id);
    const request = progress === undefined ? undefined : this.#requests[progress.index];
    if (under === undefined || progress === undefined || request === undefined) return;
    under.delete(event.id);
    this.#load.onDone?.();
    const ok = event.reason === "length" || event.reason === "stop";
    this.#end = Math.max(this.#end, event.at);
    this.#records[progress.index] = {
      ok,
      ...(ok ? {} : { error: event.error?.message ?? `The request ended by ${event.reason}.` }),
      sent: (progress.submitted - this.#origin) / SECOND,
      ttft: ((progress.first ?? progress.submitted) - progress.submitted) / SECOND,
      latency: (progress.last - progress.submitted) / SECOND,
      itl: progress.gaps,
      promptTokens: event.promptTokens,
      outputTokens: event.outputTokens,
      wantedTokens: request.outputTokens,
      cachedTokens: event.cachedTokens,
      preemptions: progress.preemptions,
    };
    if (this.#load.concurrency !== undefined) {
      this.#system.clock.at(event.at, () => this.#submitNext(progress.turn));
    }
  }
}

function idsOf({ prompt }: WorkRequest): Int32Array {
  if (prompt.type !== "ids") throw new Error("Virtual time takes token-id prompts only.");
  return prompt.ids;
}

/**
 * The prompt without its ids. Who speculates or computes reads them; so does a prefix cache, unless
 * the workload knows what its blocks would be called (with prompts apart they may have two sizes).
 */
function unreadOf(request: WorkRequest, { spec, device }: VirtualEngine): UnreadPrompt | undefined {
  if (spec.speculative !== undefined || device.can.grammar) return undefined;
  if (!spec.prefixCaching) {
    return { length: request.promptTokens, names: [] };
  }
  const names = spec.prefill === undefined ? request.names?.(device.limits.blockSize) : undefined;
  return names && { length: request.promptTokens, names };
}

function failed(request: WorkRequest, error: string): RequestRecord {
  return {
    ok: false,
    error,
    sent: 0,
    ttft: 0,
    latency: 0,
    itl: [],
    promptTokens: request.promptTokens,
    outputTokens: 0,
    wantedTokens: request.outputTokens,
  };
}

/** A repeated step's parts are those of one, on the time of all: they add up to it. */
function addParts(parts: Record<string, number>, { cost, duration }: StepFinished): void {
  if (cost === undefined || cost.duration === 0) return;
  const scale = duration / cost.duration / SECOND;
  for (const part in cost.parts) {
    parts[part] = (parts[part] ?? 0) + (cost.parts[part] ?? 0) * scale;
  }
}
