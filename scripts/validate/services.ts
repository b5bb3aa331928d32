/**
 * Who answers: the project's own engine over the simulated device, or TGI's
 * router before a static batch. Both live on one virtual clock.
 */
import type { Nanos, VirtualClock } from "../../device/clock.ts";
import type { SequenceId } from "../../device/device.ts";
import { TrainiumDevice } from "../../device/trainium/device.ts";
import { Engine } from "../../engine/engine.ts";
import { TokenSampler } from "../../engine/sample/sampler.ts";
import { DEFAULT_SAMPLING } from "../../engine/sequence.ts";
import type { Model } from "../../models/model.ts";
import type { SetUp } from "./setup.ts";
import { promptMilliseconds, stepMilliseconds } from "./static.ts";

export interface Answered {
  readonly arrival: Nanos;
  readonly first: Nanos;
  readonly end: Nanos;
  readonly tokens: number;
  /** Time between tokens, ns each. */
  readonly gaps: readonly number[];
}

/** Asks for a prompt and an output of so many tokens; `done` is called when it is answered. */
export type Service = (prompt: number, output: number, done: (answered: Answered) => void) => void;

export function engineService(setUp: SetUp, clock: VirtualClock): Service {
  const { plan } = setUp;
  const sampler = new TokenSampler({});
  const device = new TrainiumDevice(
    {
      model: modelOf(setUp),
      clock,
      sampler,
      tensorParallelSize: plan.tensorParallel,
      seed: 1,
      own: {},
      blocks: Math.ceil(plan.maxContext / plan.stack.blockSize) * plan.maxRows + 1,
    },
    plan,
    { unchecked: true },
  );
  const engine = new Engine(
    { device, clock, sampler },
    {
      maxNumSeqs: plan.maxRows,
      maxNumBatchedTokens: device.limits.maxTokens,
      enablePrefixCaching: false,
      repeat: setUp.client !== "burst", // whose tables print the median gap: told step by step
    },
  );
  interface Open {
    readonly arrival: Nanos;
    readonly gaps: number[];
    readonly done: (answered: Answered) => void;
    first: Nanos;
    last: Nanos;
  }
  const open = new Map<SequenceId, Open>();
  engine.subscribe((event) => {
    if (event.type !== "tokens-emitted" && event.type !== "request-finished") return;
    const its = open.get(event.id);
    if (its === undefined) return;
    if (event.type === "tokens-emitted") {
      let tokens = event.tokens.length;
      if (its.first === 0) {
        its.first = event.at;
        its.last = event.at;
        tokens--;
      }
      for (let index = 0; index < tokens; index++) its.gaps.push((event.at - its.last) / tokens);
      its.last = event.at;
      return;
    }
    open.delete(event.id);
    const { arrival, first, gaps } = its;
    its.done({ arrival, first, end: event.at, tokens: event.outputTokens, gaps });
  });
  return (prompt, output, done) => {
    const arrival = clock.now();
    const params = { ...DEFAULT_SAMPLING, maxTokens: output, ignoreEos: true, temperature: 0 };
    for (const id of engine.submit({ prompt: new Int32Array(prompt).fill(3), params })) {
      open.set(id, { arrival, first: 0, last: 0, gaps: [], done });
    }
  };
}

function modelOf(setUp: SetUp): Model {
  return {
    source: setUp.key,
    config: {},
    architecture: setUp.plan.architecture,
    format: setUp.plan.formats.dense,
    generation: { eosTokenIds: [] },
  };
}

/**
 * TGI's router (launcher defaults): waiting prompts join a running batch when they
 * are `ratio` times as many, or after so many decode steps; a prefill holds as many
 * prompts, padded to the longest, as the token budget takes, and stalls the others.
 */
const ROUTER = { waitingTokens: 20, prefillTokens: 4096 } as const;

interface Slot {
  readonly arrival: Nanos;
  readonly prompt: number;
  readonly done: (answered: Answered) => void;
  readonly gaps: number[];
  left: number;
  first: Nanos;
  last: Nanos;
}

/** `ratio`: waiting_served_ratio, 1.2 before TGI 2.0 and 0.3 since. */
export function routerService(setUp: SetUp, clock: VirtualClock, ratio: number): Service {
  const waiting: Slot[] = [];
  let running: Slot[] = [];
  let busy = false;
  let steps = 0;
  let justPrefilled = false;

  const taken = (): number => {
    const room = setUp.batch - running.length;
    let longest = 0;
    let count = 0;
    for (const { prompt } of waiting.slice(0, room)) {
      longest = Math.max(longest, prompt);
      if (count > 0 && (count + 1) * longest > ROUTER.prefillTokens) break;
      count++;
    }
    const least =
      running.length === 0 || steps >= ROUTER.waitingTokens
        ? 1
        : Math.max(1, Math.floor(running.length * ratio));
    return count >= least ? count : 0;
  };

  const end = (): void => {
    running = running.filter((slot) => {
      if (slot.left > 0) return true;
      slot.done({
        arrival: slot.arrival,
        first: slot.first,
        end: clock.now(),
        tokens: slot.gaps.length + 1,
        gaps: slot.gaps,
      });
      return false;
    });
  };

  const next = (): void => {
    if (busy) return;
    const count = justPrefilled && running.length > 0 ? 0 : taken();
    if (count === 0 && running.length === 0) return;
    busy = true;
    const joined = waiting.splice(0, count);
    const milliseconds =
      count > 0
        ? joined.reduce((sum, slot) => sum + promptMilliseconds(setUp, { prompt: slot.prompt }), 0)
        : stepMilliseconds(setUp, running.length);
    clock.at(
      clock.now() + Math.round(milliseconds * 1e6),
      () => {
        busy = false;
        const now = clock.now();
        for (const slot of count > 0 ? joined : running) {
          if (count > 0) slot.first = now;
          else slot.gaps.push(now - slot.last);
          slot.last = now;
          slot.left--;
        }
        // A batch that begins looks once more for company before its first step.
        justPrefilled = count > 0 && running.length > 0;
        steps = count > 0 ? 1 : steps + 1;
        running.push(...joined);
        end();
        next();
      },
      "step",
    );
  };

  return (prompt, output, done) => {
    const arrival = clock.now();
    waiting.push({ arrival, prompt, done, gaps: [], left: output, first: 0, last: 0 });
    clock.at(arrival, next);
  };
}
