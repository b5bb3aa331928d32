/** Entry of the thread that computes half of a rank's experts; see expert-team.ts. */
import "./expert-end.ts"; // first: it tells how loading the others ended
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import {
  DONE,
  EPOCH,
  FAILED,
  HELPER,
  type HelperMessage,
  LAYER,
  MESSAGE,
  partOf,
  type TeamMemory,
  TOKENS,
  teamViews,
} from "./expert-team.ts";
import { Experts } from "./experts.ts";
import { Router } from "./routing.ts";
import { type Runner, Session } from "./session.ts";
import { wholePairs } from "./two-ways.ts";

/** Loads of a helper that was called, about 200 µs: what comes before a layer's experts takes less. */
const SPINS = 40_000;

class ExpertHelper {
  readonly #views: ReturnType<typeof teamViews>;
  readonly #memory: TeamMemory;
  readonly #sessions: Runner[] = [];
  readonly #layers: {
    readonly experts: Experts;
    readonly scores: number;
    readonly both: boolean;
  }[] = [];

  constructor(memory: TeamMemory) {
    this.#memory = memory;
    this.#views = teamViews(memory);
  }

  serve(): never {
    const { control, text } = this.#views;
    for (let seen = 0; ; ) {
      while (Atomics.load(control, EPOCH) === seen) {
        Atomics.wait(control, EPOCH, seen);
        for (let spins = 0; spins < SPINS && Atomics.load(control, EPOCH) === seen; spins++);
      }
      seen = Atomics.load(control, EPOCH);
      control[FAILED] = 0;
      try {
        this.#work();
      } catch (error) {
        const told = new TextEncoder().encode(String(error)).subarray(0, text.length);
        text.set(told);
        control[FAILED] = told.length;
      }
      Atomics.store(control, DONE, seen);
      Atomics.notify(control, DONE);
    }
  }

  #work(): void {
    const { control, input, scores, out } = this.#views;
    const layer = control[LAYER] as number;
    if (layer === MESSAGE) {
      this.#take(receiveMessageOnPort(parentPort as NonNullable<typeof parentPort>)?.message);
      return;
    }
    const tokens = control[TOKENS] as number;
    const its = this.#layers[layer];
    if (its === undefined) throw new Error(`cpu: the helper has no layer ${layer}.`);
    const { hidden } = this.#memory;
    const visits = its.experts.choose(scores.subarray(0, tokens * its.scores));
    its.experts.compute(
      input.subarray(0, tokens * hidden),
      out.subarray(0, tokens * hidden),
      () => {},
      partOf(HELPER, its.both, visits),
    );
  }

  #take(message: HelperMessage): void {
    if (message.kind === "open") {
      this.#sessions.push(new Session(message.graph, message.options));
      return;
    }
    const { step, router, choiceBias, sessions, pairs, both } = message;
    const runners = sessions.map((index) => {
      if (index === undefined) return undefined;
      const found = this.#sessions[index];
      if (found === undefined) throw new Error(`cpu: the helper has no session ${index}.`);
      return found;
    });
    const given = pairs ? wholePairs : (rows: number): number => rows;
    const experts = new Experts(step, new Router(router, choiceBias), runners, given);
    this.#layers.push({ experts, scores: step.op.experts, both });
  }
}

// The rank's thread, which ends this one with itself, gives these.
new ExpertHelper(workerData as TeamMemory).serve();
