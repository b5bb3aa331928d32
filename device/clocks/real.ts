/** The wall's time. */
import { type Clock, checkTime, MILLISECOND, type Nanos, type Phase } from "../clock.ts";
import { settledAfter, YoungCollector } from "./quiet.ts";

/** Below this distance a timer is too coarse and the event loop is turned instead; more where timers prove later. */
const SPIN_NANOS = 1.5 * MILLISECOND;
const MOST_SPIN_NANOS = 4 * MILLISECOND;
/** Added to what a timer was late, to be in time when the next is as late. */
const SPARE_NANOS = 0.5 * MILLISECOND;
/** How fast a margin that is not needed is given up, a timer. */
const RELAX = 0.995;

/**
 * A deadline is reached by sleeping until shortly before it and turning the event
 * loop for the rest: a bare timer is up to 1 ms late, and later on a busy machine,
 * which the margin follows. In the quiet between steps the young generation is
 * collected. When the event loop is late for several deadlines, those of phase
 * `step` still run in their order.
 */
export class RealClock implements Clock {
  readonly kind = "real";
  readonly #origin = process.hrtime.bigint();
  /** Callbacks of phase `step` to come, earliest first: a few at most. */
  readonly #steps: Due[] = [];
  readonly #collector = new YoungCollector();
  /** Distance at which a sleep ends. */
  #margin: Nanos = SPIN_NANOS;
  /** The last time that was told. */
  #told: Nanos = 0;

  now(): Nanos {
    this.#told = Number(process.hrtime.bigint() - this.#origin);
    return this.#told;
  }

  at(when: Nanos, run: () => void, phase: Phase = "arrival"): () => void {
    checkTime(when);
    const due: Due = { when, run };
    const ordered = phase === "step";
    if (ordered) {
      const before = this.#steps.findLastIndex((each) => each.when <= when);
      this.#steps.splice(before + 1, 0, due);
    }
    let cancelled = false;
    let wakeAt: Nanos | undefined;
    const wait = (): void => {
      if (cancelled) return;
      // What is due at once was due when it was asked for: a clock costs a microsecond on some machines.
      const now = wakeAt === undefined && when <= this.#told ? this.#told : this.now();
      if (wakeAt !== undefined) this.#woke(now - wakeAt);
      wakeAt = undefined;
      const left = when - now;
      if (left <= 0) ordered ? this.#runSteps(due) : run();
      else if (ordered && this.#collector.due(now, left)) {
        this.settled(left, () => {
          this.#collector.collect(when - this.now());
          wait();
        });
      } else if (left > this.#margin) {
        wakeAt = when - this.#margin;
        setTimeout(wait, (left - this.#margin) / MILLISECOND);
      } else setImmediate(wait);
    };
    setImmediate(wait);
    return () => {
      cancelled = true;
      if (ordered && this.#steps.includes(due)) this.#steps.splice(this.#steps.indexOf(due), 1);
    };
  }

  hold(): () => void {
    return () => {};
  }

  /** A bare timer: turning the event loop for it would take the core from the readers. */
  settled(step: Nanos, run: () => void): void {
    setTimeout(run, settledAfter(step) / MILLISECOND);
  }

  /** A timer came `late`: the next sleep ends early enough for one as late. */
  #woke(late: Nanos): void {
    const needed = Math.min(MOST_SPIN_NANOS, late + SPARE_NANOS);
    this.#margin = Math.max(SPIN_NANOS, needed, this.#margin * RELAX);
  }

  /** All that were to run before `last`, and it; nothing when it has run with a later one. */
  #runSteps(last: Due): void {
    while (this.#steps.includes(last)) this.#steps.shift()?.run();
  }
}

interface Due {
  readonly when: Nanos;
  readonly run: () => void;
}
