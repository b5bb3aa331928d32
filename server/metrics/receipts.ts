/**
 * Receipts: where the time of a request went, to the nanosecond. Time is cut at
 * the ends of the engine's steps:
 *
 *     submitted      step k ends      step k+1 ends    …
 *     [ queue ...... )[ stalled ..... )[ host | weights kv … lateness )
 *                     k+1 without it    k+2 with it, as it was priced
 *
 * | cause | of a request |
 * |---|---|
 * | queue | until the first step that computes it begins |
 * | stalled | the engine computes others (their prompts, as a rule) |
 * | preemption | from losing its blocks to its next token, computing again included |
 * | host | between two steps, beside what a step's price has of it |
 * | weights, kv, activations, compute, launch, collectives, sampling, padding | of the steps that compute it |
 * | lateness | those steps ended so much later (negative: earlier) than priced, as the host saw it |
 */
import type { Nanos } from "../../device/clock.ts";
import type { SequenceId } from "../../device/device.ts";
import type { Engine } from "../../engine/engine.ts";
import type { EngineEvent } from "../../engine/events.ts";
import type { Handle } from "../engines.ts";

/** ns by cause; they add up to the time they are a receipt of. */
export type Causes = Readonly<Record<string, Nanos>>;

/** One step's end, as a request sees it. */
interface Stretch {
  readonly until: Nanos;
  /** What the time before a step of its own began was spent on, and how much it was. */
  readonly waiting: "queue" | "stalled" | "preemption" | "host";
  readonly waited: Nanos;
  /** Of a step of its own, shared by all that were in it. */
  readonly step?: Causes;
}

export class Receipt {
  readonly #stretches: Stretch[] = [];
  #since: Nanos;
  #started = false;
  #preempted = false;

  constructor(submitted: Nanos) {
    this.#since = submitted;
  }

  /** Adds up to the time from its submission to `when`, the end of one of its steps. */
  upTo(when: Nanos): Causes {
    const sums: Record<string, Nanos> = {};
    const add = (cause: string, nanos: Nanos): void => {
      if (nanos !== 0) sums[cause] = (sums[cause] ?? 0) + nanos;
    };
    for (const { until, waiting, waited, step } of this.#stretches) {
      if (until > when) break;
      add(waiting, waited);
      for (const cause in step) add(cause, step[cause] ?? 0);
    }
    return sums;
  }

  /** A step ended; `causes` when it computed this request. `emitted`: it gave tokens. */
  stepped(
    step: { readonly at: Nanos; readonly duration: Nanos },
    causes: Causes | undefined,
    emitted: boolean,
  ): void {
    const until = step.at;
    if (this.#preempted) {
      this.#add({ until, waiting: "preemption", waited: until - this.#since });
    } else if (causes === undefined) {
      const waiting = this.#started ? "stalled" : "queue";
      this.#add({ until, waiting, waited: until - this.#since });
    } else {
      const waiting = this.#started ? "host" : "queue";
      const waited = until - step.duration - this.#since;
      this.#add({ until, waiting, waited, step: causes });
    }
    this.#started ||= causes !== undefined;
    if (emitted) this.#preempted = false;
  }

  preempted(): void {
    this.#preempted = true;
  }

  #add(stretch: Stretch): void {
    this.#stretches.push(stretch);
    this.#since = stretch.until;
  }
}

/** Follows all requests of the engines that have a receipt open. */
export class Receipts {
  readonly #open: readonly Map<SequenceId, Receipt>[];
  readonly #timeScale: number;

  constructor(engines: readonly Engine[], timeScale: number) {
    this.#timeScale = timeScale;
    this.#open = engines.map(() => new Map());
    engines.forEach((engine, index) => {
      const emitted = new Set<SequenceId>();
      const ended = new Set<SequenceId>();
      engine.subscribe((event) => this.#receive(index, event, { emitted, ended }));
    });
  }

  /** Before the event loop turns: no step has ended since. */
  open({ engine, id }: Handle, submitted: Nanos): Receipt {
    const receipt = new Receipt(submitted);
    this.#open[engine]?.set(id, receipt);
    return receipt;
  }

  #receive(
    engine: number,
    event: EngineEvent,
    /** Since the last step ended: these come before its own event. */
    seen: { readonly emitted: Set<SequenceId>; readonly ended: Set<SequenceId> },
  ): void {
    const open = this.#open[engine];
    if (open === undefined) return;
    if (event.type === "tokens-emitted") seen.emitted.add(event.id);
    else if (event.type === "request-preempted") open.get(event.id)?.preempted();
    else if (event.type === "request-finished") seen.ended.add(event.id);
    else if (event.type === "step-finished") {
      const causes = causesOf(event, this.#timeScale);
      const computed = new Set(event.work().map((row) => row.id));
      for (const [id, receipt] of open) {
        receipt.stepped(event, computed.has(id) ? causes : undefined, seen.emitted.has(id));
      }
      for (const id of seen.ended) open.delete(id);
      seen.emitted.clear();
      seen.ended.clear();
    }
  }
}

/** A device without prices says how long it took, not why. `timeScale`: wall seconds of a simulated one. */
export function causesOf(
  {
    cost,
    duration,
  }: { readonly duration: Nanos; readonly cost?: { readonly parts: Causes } | undefined },
  timeScale: number,
): Causes {
  if (cost === undefined) return { compute: duration };
  const causes: Record<string, Nanos> = {};
  let priced = 0;
  for (const part in cost.parts) {
    const nanos = Math.round((cost.parts[part] ?? 0) * timeScale);
    causes[part] = nanos;
    priced += nanos;
  }
  causes["lateness"] = duration - priced;
  return causes;
}
