/** A scenario through this project's engine, step by step, with a device that answers the scenario's ids. */
import type { Clock, Nanos } from "../../../../device/clock.ts";
import type {
  Batch,
  BatchRow,
  Device,
  DeviceLimits,
  Sampled,
  StepResult,
} from "../../../../device/device.ts";
import { Engine } from "../../../../engine/engine.ts";
import { TokenSampler } from "../../../../engine/sample/sampler.ts";
import { DEFAULT_SAMPLING } from "../../../../engine/sequence.ts";
import type { Proposer } from "../../../../engine/speculate/proposer.ts";
import { sha256 } from "../../../../server/sha256.ts";
import { guessesAt, idAt, type Scenario, STEPS, type Step } from "./scenario.ts";

/** Runs what was asked for when it is told to. */
class StepClock implements Clock {
  readonly kind = "virtual";
  #now: Nanos = 0;
  #due: (() => void)[] = [];

  now(): Nanos {
    return this.#now;
  }

  at(_when: Nanos, run: () => void): () => void {
    this.#due.push(run);
    return () => {
      this.#due = this.#due.filter((one) => one !== run);
    };
  }

  hold(): () => void {
    return () => {};
  }

  settled(_step: Nanos, run: () => void): void {
    run();
  }

  tick(): void {
    this.#now++;
    for (const run of this.#due.splice(0)) run();
  }
}

export function ourSteps(of: Scenario): Step[] {
  const clock = new StepClock();
  const device = new HeldDevice(of);
  const keys: number[] = []; // by sequence id, which count up
  // As vLLM's runner, only those are guessed for whose prompt is computed.
  const answered = new Set<number>();
  const engine = engineOf(of, { device, clock, proposer: givenGuesses(of, keys, answered) });
  device.keys = keys;
  const keyOf = (id: number) => keys[id] ?? 0;
  const ids = new Map<number, number>();
  let found: [number, number][] = [];
  let preempted: number[] = [];
  let finished: [number, string][] = [];
  engine.subscribe((event) => {
    if (event.type === "request-scheduled") found.push([keyOf(event.id), event.cachedTokens]);
    if (event.type === "tokens-emitted") answered.add(event.id);
    if (event.type === "request-preempted") answered.delete(event.id);
    if (event.type === "request-preempted") preempted.push(keyOf(event.id));
    if (event.type === "request-finished" && event.reason !== "abort")
      finished.push([keyOf(event.id), event.reason]);
  });
  const steps: Step[] = [];
  for (let step = 0; step < STEPS; step++) {
    [found, preempted, finished] = [[], [], []];
    for (const { key } of of.aborts.filter((one) => one.step === step))
      engine.finish(ids.get(key) ?? -1, "abort");
    for (const one of of.arrivals.filter((each) => each.step === step)) {
      const params = {
        ...DEFAULT_SAMPLING,
        ...{ maxTokens: one.maxTokens, ignoreEos: true, stopTokenIds: of.stops ? [0] : [] },
      };
      const [id = -1] = engine.submit({ prompt: one.prompt, params, priority: one.priority });
      keys[id] = one.key;
      ids.set(one.key, id);
    }
    engine.resume(); // a step without rows asks for no other
    clock.tick();
    const rows = device.rows();
    const [counts, blocks] = [
      rows.map((row) => [keyOf(row.id), row.count] as const),
      rows.map((row) => [keyOf(row.id), row.blocks.length] as const),
    ];
    device.finish();
    steps.push({
      rows: byKey(counts),
      blocks: byKey(blocks),
      found: byKey(found),
      preempted: preempted.toSorted((a, b) => a - b),
      finished: byKey(finished),
      names: sumOf(engine.cachedBlocks()),
    });
  }
  engine.check();
  return steps;
}

function givenGuesses(
  of: Scenario,
  keys: readonly number[],
  answered: ReadonlySet<number>,
): Proposer {
  return {
    name: "given",
    propose: (requests, done) => {
      const guesses = requests
        .filter(({ sequence: { id } }) => answered.has(id))
        .map(({ sequence: { id, length }, count }) => {
          return [id, guessesAt(of, keys[id] ?? 0, length, count)] as const;
        });
      done(new Map(guesses));
    },
    close: () => Promise.resolve(),
  };
}

function engineOf(
  of: Scenario,
  parts: { readonly device: Device; readonly clock: Clock; readonly proposer: Proposer },
): Engine {
  const { device, clock, proposer } = parts;
  return new Engine(
    { device, clock, sampler: new TokenSampler(), sha256 },
    {
      ...{ maxNumSeqs: of.maxSeqs, maxNumBatchedTokens: of.maxTokens, skipAhead: 0 },
      ...{ enablePrefixCaching: of.caching, enableChunkedPrefill: of.chunked },
      ...{ schedulingPolicy: of.policy, ownPolicies: false },
      ...(of.drafts > 0 && {
        speculative: { proposer, maxTokens: of.drafts, adaptive: false },
      }),
    },
  );
}

/** Keeps a step until it is told to end it. */
class HeldDevice implements Device {
  readonly name = "held";
  readonly vocabSize = 64;
  readonly can = {
    ...{ draft: false, promptLogprobs: false, grammar: false, hidden: false, adapters: false },
  };
  readonly limits: DeviceLimits;
  keys: readonly number[] = [];
  readonly #of: Scenario;
  #batch: Batch | undefined;
  #done: ((result: StepResult) => void) | undefined;

  constructor(of: Scenario) {
    this.#of = of;
    this.limits = {
      ...{ blockSize: of.blockSize, blocks: of.blocks, maxRows: of.maxSeqs },
      ...{ maxTokens: of.maxTokens, maxContext: 1024, maxDrafted: of.drafts, inFlight: 1 },
    };
  }

  execute(batch: Batch, done: (result: StepResult) => void): void {
    this.#batch = batch;
    this.#done = done;
  }

  rows(): readonly BatchRow[] {
    return this.#batch?.rows ?? [];
  }

  finish(): void {
    const done = this.#done;
    const sampled = new Map<number, Sampled>();
    for (const row of this.rows()) {
      if (row.want === "last") sampled.set(row.id, this.#sample(row));
    }
    this.#batch = this.#done = undefined;
    done?.({ ok: true, sampled });
  }

  #sample({ id, context, start, count, drafted }: BatchRow): Sampled {
    const key = this.keys[id] ?? 0;
    const from = start + count - drafted;
    const tokens: number[] = [];
    for (let at = from; at <= from + drafted; at++) {
      const next = idAt(this.#of, key, at);
      tokens.push(next);
      if (at < from + drafted && context[at] !== next) break;
    }
    return { tokens, accepted: tokens.length - 1 };
  }

  release(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function byKey<Row extends readonly [number, unknown]>(rows: readonly Row[]): Row[] {
  return rows.toSorted((a, b) => a[0] - b[0]);
}

/** Of 48 bits: numbers of JSON hold them. */
function sumOf(names: readonly Uint8Array[]): [number, number] {
  let [high, low] = [0, 0];
  for (const name of names) {
    const view = new DataView(name.buffer, name.byteOffset, 6);
    high ^= view.getUint16(0);
    low ^= view.getUint32(2);
  }
  return [names.length, high * 2 ** 32 + (low >>> 0)];
}
