/**
 * The engines of this server, one or (data parallel) several, and the way of
 * their events back to the requests. Text is not made inside an engine's step:
 * events are kept and handed on after the next step has been started, so that
 * the device computes while the streams are written. Whatever a receiver throws
 * ends its own request here; it reaches neither the engine nor the process.
 */
import type { SequenceId } from "../device/device.ts";
import { IdMap } from "../device/id-map.ts";
import type { Engine } from "../engine/engine.ts";
import type { EngineEvent } from "../engine/events.ts";
import type { Joining } from "../engine/joining.ts";
import type { GenerationRequest } from "../engine/sequence.ts";

/** Events of one sequence. */
export type SequenceEvent = Extract<EngineEvent, { readonly id: SequenceId }>;

export interface Receiver {
  /** Called inside the engine: keep it, do nothing else. */
  receive(event: SequenceEvent): void;
  /** Called later, once for all that was received. */
  flush(): void;
  /** One of the above threw: nothing more comes, and the client is to be told. */
  fail(error: Error): void;
}

/** A sequence of one of the engines. */
export interface Handle {
  readonly engine: number;
  readonly id: SequenceId;
}

/** A receiver and what it is of. */
interface Listening {
  readonly receiver: Receiver;
  readonly handle: Handle;
  /** Something was received that it has not been called for. */
  waits: boolean;
  /** It threw, and is told no more. */
  failed: boolean;
}

/**
 * Receivers that are called before the event loop turns: a share of those that wait. Where steps
 * are quicker than the writing, tokens meanwhile join those that wait, and a write takes several
 * events. No fewer than FEWEST, since a turn costs too; MOST is a millisecond of writing, for which others wait.
 */
const SHARE = 1 / 4;
const FEWEST = 8;
const MOST = 128;

export class Engines {
  readonly all: readonly Engine[];
  /** Of each engine. */
  readonly #listening: readonly IdMap<Listening>[];
  readonly #unflushed: Listening[] = [];
  #flushComes = false;
  readonly #report: (error: Error) => void;
  #next = 0;

  /** `report` is told of what receivers threw. */
  constructor(
    engines: readonly Engine[],
    report: (error: Error) => void = (error) => process.emitWarning(error),
  ) {
    this.all = engines;
    this.#report = report;
    this.#listening = engines.map(() => new IdMap());
    engines.forEach((engine, index) => {
      engine.subscribe((event) => this.#receive(index, event));
    });
  }

  /**
   * Engine of the next request: the least loaded, or the one a header names. As vLLM: those
   * that wait weigh the more, the fuller the KV cache above its half; equals take turns.
   */
  choose(pinned?: number): number {
    if (pinned !== undefined) return pinned;
    const count = this.all.length;
    let chosen = this.#next;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < count && count > 1; i++) {
      const index = (this.#next + i) % count;
      const engine = this.all[index];
      if (engine === undefined) continue;
      const { waiting, running, kvUsage } = engine;
      const load = waiting + running + waiting * 6 * Math.max(0, kvUsage - 0.5);
      if (load >= least) continue;
      least = load;
      chosen = index;
    }
    this.#next = (this.#next + 1) % count;
    return chosen;
  }

  /** Throws what `Engine.open` throws. */
  open(engine: number, request: GenerationRequest): Joining {
    const target = this.all[engine];
    if (target === undefined) throw new Error(`There is no engine ${engine}.`);
    return target.open(request);
  }

  listen(handle: Handle, receiver: Receiver): void {
    this.#listening[handle.engine]?.set(handle.id, {
      receiver,
      handle,
      waits: false,
      failed: false,
    });
  }

  finish(handle: Handle, reason: "stop" | "abort"): void {
    this.all[handle.engine]?.finish(handle.id, reason);
  }

  get running(): number {
    return this.all.reduce((sum, engine) => sum + engine.running, 0);
  }

  get waiting(): number {
    return this.all.reduce((sum, engine) => sum + engine.waiting, 0);
  }

  /** The fullest engine's. */
  get kvUsage(): number {
    return Math.max(...this.all.map((engine) => engine.kvUsage));
  }

  async idle(): Promise<void> {
    await Promise.all(this.all.map((engine) => engine.idle()));
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((engine) => engine.close()));
  }

  #receive(index: number, event: EngineEvent): void {
    if (!("id" in event)) return;
    const all = this.#listening[index];
    const one = all?.get(event.id);
    if (one === undefined) return;
    if (event.type === "request-finished") all?.delete(event.id);
    try {
      one.receiver.receive(event);
    } catch (error) {
      this.#fail(one, error);
      return;
    }
    if (!one.waits) this.#unflushed.push(one);
    one.waits = true;
    if (this.#flushComes) return;
    this.#flushComes = true;
    queueMicrotask(() => setImmediate(() => this.#flush()));
  }

  /** The first of those who wait; between them and the others everybody else has a turn. */
  #flush(): void {
    const share = Math.ceil(SHARE * this.#unflushed.length);
    const first = this.#unflushed.splice(0, Math.min(MOST, Math.max(FEWEST, share)));
    this.#flushComes = this.#unflushed.length > 0;
    if (this.#flushComes) setImmediate(() => this.#flush());
    for (const one of first) {
      one.waits = false;
      if (one.failed) continue;
      try {
        one.receiver.flush();
      } catch (error) {
        this.#fail(one, error);
      }
    }
  }

  /** The receiver's sequence ends and its client is told, once the call under way is over. */
  #fail(one: Listening, thrown: unknown): void {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    this.#report(error);
    if (one.failed) return;
    one.failed = true;
    const { receiver, handle } = one;
    this.#listening[handle.engine]?.delete(handle.id);
    setImmediate(() => {
      this.finish(handle, "abort");
      try {
        receiver.fail(error);
      } catch (second) {
        this.#report(second instanceof Error ? second : new Error(String(second)));
      }
    });
  }
}
