/**
 * Who answers: the project's own engine over the simulated device; batch-services.ts
 * has the schedulers of other servers. All live on one virtual clock.
 */

import type { Nanos } from "../../../device/clock.ts";
import type { VirtualClock } from "../../../device/clocks/virtual.ts";
import type { SequenceId } from "../../../device/device.ts";
import { TrainiumDevice } from "../../../device/trainium/device.ts";
import { Engine } from "../../../engine/engine.ts";
import { TokenSampler } from "../../../engine/sample/sampler.ts";
import { DEFAULT_SAMPLING } from "../../../engine/sequence.ts";
import type { Model } from "../../../models/model.ts";
import { sha256 } from "../../../server/sha256.ts";
import type { SetUp } from "./setup.ts";

export interface Answered {
  readonly arrival: Nanos;
  readonly first: Nanos;
  readonly end: Nanos;
  readonly tokens: number;
  /** Time between tokens, ns each. */
  readonly gaps: readonly number[];
}

/** Replicas behind one address: requests go to them in turn (nginx's round robin). */
export interface Site {
  readonly clock: VirtualClock;
  readonly services: readonly Service[];
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
    { device, clock, sampler, sha256 },
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
