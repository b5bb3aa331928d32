/** What seldom happens: devices that answer nothing, books that are wrong, drafts that cannot be made. */
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../device/clocks/virtual.ts";
import type { Device, DeviceLimits, StepResult } from "../../../device/device.ts";
import { NullDevice } from "../../../device/null/device.ts";
import { Engine } from "../../../engine/engine.ts";
import { BlockPool } from "../../../engine/kv/block-pool.ts";
import { LiveSequence } from "../../../engine/live-sequence.ts";
import { QueueFullError } from "../../../engine/options.ts";
import { chooseVictim, comesBefore } from "../../../engine/policy.ts";
import { TokenSampler } from "../../../engine/sample/sampler.ts";
import { DEFAULT_SAMPLING } from "../../../engine/sequence.ts";
import { type DraftDevice, DraftModelProposer } from "../../../engine/speculate/draft-model.ts";
import type { Proposals } from "../../../engine/speculate/proposer.ts";
import {
  createProposer,
  expectedLength,
  readSpeculativeConfig,
} from "../../../engine/speculate/registry.ts";
import { SuffixProposer } from "../../../engine/speculate/suffix.ts";
import { StepPlan } from "../../../engine/step-plan.ts";
import { WaitingQueue } from "../../../engine/waiting-queue.ts";
import { sha256 } from "../../../server/sha256.ts";
import { engineWorld, finishes, outputs, request } from "../../support/engine-world.ts";

const LIMITS: DeviceLimits = {
  blockSize: 4,
  blocks: 16,
  maxRows: 4,
  maxTokens: 8,
  maxContext: 40,
  maxDrafted: 0,
  inFlight: 1,
};

const sequence = (id: number, prompt: readonly number[], priority = 0, arrival = 0) =>
  new LiveSequence(
    { prompt, params: { ...DEFAULT_SAMPLING, maxTokens: 30 }, priority },
    { id, index: 0, group: [id], arrival, maxContext: 100 },
  );

const range = (count: number): number[] => Array.from({ length: count }, (_, at) => at % 97);

describe("a device that gives no id for a row", () => {
  it("ends that request alone, with an error that says so", () => {
    const clock = new VirtualClock();
    const sampler = new TokenSampler();
    const inner = new NullDevice({ clock, sampler, limits: LIMITS, vocabSize: 97 });
    let steps = 0;
    const device: Device = {
      name: "forgetful",
      limits: LIMITS,
      vocabSize: 97,
      can: inner.can,
      execute: (batch, done) => {
        inner.execute(batch, (result: StepResult) => {
          const third = steps++ === 2;
          if (!result.ok || !third) return done(result);
          const sampled = new Map(result.sampled);
          sampled.delete(0);
          done({ ...result, sampled });
        });
      },
      release: (ids) => inner.release(ids),
      close: () => inner.close(),
    };
    const engine = new Engine(
      { device, clock, sampler, sha256 },
      { maxNumSeqs: 4, maxNumBatchedTokens: 8 },
    );
    const ends: string[] = [];
    engine.subscribe((event) => {
      if (event.type === "request-finished") {
        ends.push(
          `${event.id} ${event.reason} ${event.outputTokens} ${event.error?.message ?? ""}`,
        );
      }
    });
    for (const first of [1, 2])
      engine.submit(request([first, 5], { maxTokens: 5, temperature: 0 }));
    clock.runReady();
    engine.check();
    expect(ends[0]).toMatch(/^0 error 2 The device returned no token/);
    expect(ends[1]).toBe("1 length 5 ");
  });
});

describe("a plan of a step", () => {
  it("takes back what a preempted row took, and its kind's place", () => {
    const plan = new StepPlan({ ...LIMITS, mixLong: false, longRowsPerStep: 1 }, 4, 8);
    const one = sequence(1, range(9));
    plan.add({ sequence: one, epoch: 0, count: 5, room: 6, long: true });
    expect([plan.room, plan.hasLong, plan.takes(true), plan.takes(false)]).toEqual([
      2,
      true,
      false,
      false,
    ]);
    plan.remove(sequence(2, [1]));
    expect(plan.room).toBe(2);
    plan.remove(one);
    expect([plan.room, plan.hasLong, plan.takes(true), plan.takes(false)]).toEqual([
      8,
      false,
      true,
      true,
    ]);
    plan.add({ sequence: one, epoch: 0, count: 1, room: 1, long: false });
    expect([plan.takes(true), plan.takes(false)]).toEqual([false, true]);
    plan.add({ sequence: sequence(3, [1]), epoch: 0, count: 7, room: 7, long: false });
    expect([plan.full, plan.takes(false)]).toEqual([true, false]);
  });
});

describe("who gives way", () => {
  it("is the last admitted, or the least urgent and of those the latest", () => {
    const running = [sequence(0, [1], 5, 1), sequence(1, [1], 9, 1), sequence(2, [1], 9, 2)];
    expect(chooseVictim([], "fcfs")).toBeUndefined();
    expect(chooseVictim([], "priority")).toBeUndefined();
    expect(chooseVictim(running, "fcfs")?.id).toBe(2);
    expect(chooseVictim(running.slice(0, 2), "priority")?.id).toBe(1);
    expect(chooseVictim(running, "priority")?.id).toBe(2);
    expect(chooseVictim([...running].reverse(), "priority")?.id).toBe(2);
    const [a, b] = [sequence(4, [1], 0, 3), sequence(5, [1], 0, 3)];
    expect([comesBefore(a, b), comesBefore(b, a)]).toEqual([true, false]);
  });

  it("waits in order of urgency, whoever left the queue meanwhile", () => {
    const queue = new WaitingQueue();
    const all = Array.from({ length: 40 }, (_, id) =>
      sequence(id, [1], (id * 7) % 5, (id * 3) % 4),
    );
    for (const each of all) queue.push(each);
    queue.push(all[3] ?? sequence(99, [1])); // it is there already
    for (const each of all) if (each.id % 3 === 0) each.status = "ended";
    const left = all.filter((each) => each.id % 3 !== 0);
    left.sort((a, b) => (comesBefore(a, b) ? -1 : 1));
    const order: number[] = [];
    for (let each = queue.peek(); each !== undefined; each = queue.peek()) {
      order.push(each.id);
      queue.pop();
    }
    expect(order).toEqual(left.map(({ id }) => id));
    expect(queue.pop()).toBeUndefined();
  });
});

describe("an engine's books", () => {
  it("are refused when a pool is told what cannot be", () => {
    const pool = new BlockPool(4);
    expect(() => pool.references(4)).toThrow(/No block 4/);
    const blocks: number[] = [];
    expect(pool.take(5, blocks)).toBe(false);
    expect(pool.take(2, blocks)).toBe(true);
    pool.check();
    pool.release(blocks);
    expect(() => pool.release(blocks)).toThrow(/more often/);
  });

  it("count queue limits only while someone waits, and tell how long to wait", () => {
    const { clock, engine } = engineWorld({
      limits: { maxRows: 1 },
      options: { maxNumQueuedTokens: 10 },
    });
    engine.submit(request(range(20), { maxTokens: 2 })); // alone it may be longer than the limit
    clock.runReady(clock.now() + 1);
    engine.submit(request(range(6), { maxTokens: 2 }));
    expect(() => engine.submit(request(range(5)))).toThrow(/6 tokens.* wait already/);
    engine.submit(request(range(4), { maxTokens: 2 }));
    clock.runReady();
    expect(engine.waiting).toBe(0);
  });

  it("tell when a request came, and how long to wait by the pace at which they end", () => {
    const SECOND = 1e9;
    const { clock, engine, events } = engineWorld({
      limits: { maxRows: 1 },
      options: { maxNumQueuedReqs: 1 },
      price: () => 10 * SECOND,
    });
    const one = request([1, 2], { maxTokens: 1 });
    const ended = (): number => events.filter(({ type }) => type === "request-finished").length;
    clock.at(5 * SECOND, () => engine.submit(one));
    clock.runReady();
    expect(events[0]).toMatchObject({ type: "request-queued", at: 5 * SECOND });
    engine.subscribe((event) => {
      if (event.type === "request-finished" && ended() < 60) engine.submit(one);
    });
    engine.submit(one);
    clock.runReady();
    expect(ended()).toBe(60);
    engine.submit(one);
    clock.runReady(clock.now() + 1);
    engine.submit(one);
    const refused = (n: number): number => {
      try {
        engine.submit({ ...one, n });
      } catch (error) {
        if (error instanceof QueueFullError) return error.retryAfterSeconds;
      }
      return Number.NaN;
    };
    expect([refused(1), refused(3), refused(9)]).toEqual([10, 30, 60]); // one each ten seconds; a minute at most
  });

  it("end at a stop id only from minTokens on, and at the model's length", () => {
    const most = range(90);
    const { clock, engine, events } = engineWorld({ limits: { maxContext: 12 } });
    const stops = { maxTokens: 9, stopTokenIds: most, seed: 1 };
    engine.submit(request([1, 2], { ...stops, minTokens: 3 }));
    engine.submit(request([1, 2], { ...stops, minTokens: 0 }));
    engine.submit(request([1, 2], { maxTokens: 99, ignoreEos: true, eosTokenIds: most }));
    clock.runReady();
    const ends = finishes(events).sort((a, b) => a.id - b.id);
    const [held = [], free = []] = [0, 1].map((id) => outputs(events).get(id));
    expect(held.slice(0, 3).every((id) => id >= 90)).toBe(true);
    expect(held.slice(3).findIndex((id) => id < 90)).toBe(held.length - 4);
    expect(free.findIndex((id) => id < 90)).toBe(free.length - 1);
    expect(ends.map(({ reason }) => reason)).toEqual(["stop", "stop", "length"]);
    expect(ends[0]?.stopTokenId).toBe(held.at(-1));
    expect(ends[2]?.outputTokens).toBe(10);
  });
});

describe("log-probabilities of a prompt", () => {
  const prompt = Array.from({ length: 21 }, (_, at) => (at * 13) % 97);

  /** What each sequence was told of its prompt, and which rows asked for it. */
  function told(limits: Partial<DeviceLimits>, options: { readonly cached: boolean }) {
    const { clock, engine, device, events } = engineWorld({ limits });
    if (options.cached) {
      engine.submit(request(prompt, { maxTokens: 1 }));
      clock.runReady();
    }
    const before = device.batches.length;
    const [asking = -1] = engine.submit(
      request(prompt, { maxTokens: 2, promptLogprobs: 1, temperature: 0 }, { n: 2 }),
    );
    const [other = -1] = engine.submit(request([7, ...prompt], { maxTokens: 2, temperature: 0 }));
    clock.runReady();
    engine.check();
    const found = events.flatMap((event) =>
      event.type === "tokens-emitted" && event.promptLogprobs !== undefined
        ? [{ id: event.id, logprobs: event.promptLogprobs }]
        : [],
    );
    const rows = device.batches.slice(before).flatMap((batch) => batch.rows);
    const wants = (id: number): string[] => [
      ...new Set(rows.filter((row) => row.id === id).map(({ want }) => want)),
    ];
    return { found, wants: { asking: wants(asking), other: wants(other) }, asking };
  }

  it("come once, of every position, whatever the pieces and whatever is cached", () => {
    const whole = told({}, { cached: false });
    expect(whole.found.map(({ id, logprobs }) => [id, logprobs.length])).toEqual([
      [whole.asking, prompt.length - 1],
    ]);
    expect(whole.wants).toEqual({ asking: ["all", "last"], other: ["last"] });
    for (const [maxTokens, cached] of [
      [5, false],
      [64, true],
      [7, true],
    ] as const) {
      const pieces = told({ maxTokens }, { cached });
      expect(pieces.found.map(({ logprobs }) => logprobs)).toEqual(
        whole.found.map(({ logprobs }) => logprobs),
      );
      expect(pieces.wants.other).not.toContain("all");
    }
  });
});

describe("a draft model", () => {
  /** Drafts are the counter's next numbers; what it was asked is kept. */
  function drafter(limits: Partial<DeviceLimits> = {}) {
    const asked: { readonly id: number; readonly start: number; readonly count: number }[][] = [];
    const released: number[] = [];
    let fails = false;
    let closed = false;
    const device: DraftDevice = {
      name: "drafter",
      limits: { ...LIMITS, ...limits },
      vocabSize: 97,
      can: { draft: true, promptLogprobs: false, grammar: false, hidden: false, adapters: false },
      execute: () => {},
      release: (ids) => void released.push(...ids),
      close: async () => {
        closed = true;
      },
      draft: (rows, count, done) => {
        asked.push(rows.map(({ id, start, count: tokens }) => ({ id, start, count: tokens })));
        if (fails) return done(new Map());
        const guess = Array.from({ length: count }, (_, at) => 50 + at);
        done(new Map(rows.map(({ id }) => [id, guess])));
      },
    };
    const proposer = new DraftModelProposer(device);
    const propose = (...requests: { sequence: LiveSequence; count: number }[]): Proposals => {
      let found: Proposals = new Map();
      proposer.propose(requests, (drafts) => {
        found = drafts;
      });
      return found;
    };
    const fail = (now: boolean): void => {
      fails = now;
    };
    return { proposer, propose, asked, released, fail, isClosed: () => closed };
  }

  const append = (one: LiveSequence, ids: readonly number[]): void => {
    one.write(one.length, ids);
    one.length += ids.length;
  };

  it("computes what is new, goes back to what was agreed on, and starts anew after a failure", () => {
    const { propose, asked, fail } = drafter({ maxTokens: 32 });
    const one = sequence(7, [1, 2, 3, 4]);
    expect(propose({ sequence: one, count: 2 }).get(7)).toEqual([50, 51]);
    append(one, [50, 9]); // one guess held; the last was never computed
    propose({ sequence: one, count: 3 });
    append(one, [8]); // none held
    expect(propose({ sequence: one, count: 3 }).get(7)).toHaveLength(3);
    fail(true);
    append(one, [7]);
    expect(propose({ sequence: one, count: 3 }).size).toBe(0);
    fail(false);
    append(one, [6]);
    propose({ sequence: one, count: 3 });
    expect(asked.map(([row]) => [row?.start, row?.count])).toEqual([
      [0, 4],
      [5, 1],
      [6, 1],
      [7, 1],
      [0, 9],
    ]);
  });

  it("takes a long prompt in over several calls, and guesses with the last", () => {
    const { propose, asked } = drafter();
    const one = sequence(1, range(20));
    const found = [1, 2, 3].map(() => propose({ sequence: one, count: 2 }).get(1));
    expect(found).toEqual([undefined, undefined, [50, 51]]);
    expect(asked.flat().map(({ start, count }) => [start, count])).toEqual([
      [0, 8],
      [8, 8],
      [16, 4],
    ]);
  });

  it("leaves out whom it has no row, no token, no block or no context for", async () => {
    const { propose, asked, proposer, released, isClosed } = drafter({ maxRows: 2 });
    const short = (id: number): { sequence: LiveSequence; count: number } => ({
      sequence: sequence(id, [1, 2]),
      count: 2,
    });
    expect([...propose(short(1), short(2), short(3)).keys()]).toEqual([1, 2]);
    expect(propose({ sequence: sequence(4, range(39)), count: 2 }).size).toBe(0); // several calls needed
    const full = { sequence: sequence(6, range(8)), count: 2 };
    expect([...propose(full, short(8)).keys()]).toEqual([6]); // the first takes all tokens of the call
    expect(asked.at(-1)?.map(({ id }) => id)).toEqual([6]);
    const near = sequence(5, range(40));
    for (let call = 0; call < 6; call++) propose({ sequence: near, count: 2 });
    expect(Math.max(...asked.flat().map(({ start, count }) => start + count))).toBeLessThanOrEqual(
      38,
    );
    proposer.release(near);
    proposer.release(near);
    proposer.release(sequence(77, [1]));
    expect(released).toEqual([5]);
    await proposer.close();
    expect(isClosed()).toBe(true);
    const tiny = drafter({ blocks: 1 });
    expect([...tiny.propose(short(1), short(2)).keys()]).toEqual([1]);
  });
});

describe("the configuration of guesses", () => {
  const read = (keys: Readonly<Record<string, unknown>>) =>
    readSpeculativeConfig({ num_speculative_tokens: 3, ...keys });
  const target = new NullDevice({
    clock: new VirtualClock(),
    sampler: new TokenSampler(),
    limits: LIMITS,
    vocabSize: 97,
  });

  it.each([
    [{ method: "ngram", model: 7 }, /model must be a path, not 7/],
    [{ method: "ngram", adaptive: "yes" }, /adaptive must be true or false/],
    [{ method: "ngram", num_speculative_tokens: 1.5 }, /whole number above 0, not 1.5/],
    [{ method: "ngram", num_speculative_tokens: "3" }, /a number, not "3"/],
    [{ method: "eagle3", acceptance_rate: [0.5, 2] }, /acceptance_rate must be in \[0, 1\], not 2/],
    [{ method: "mtp", acceptance_length: "long" }, /acceptance_length must be a number/],
  ])("names what is wrong in %j", (keys, message) => {
    expect(() => read(keys)).toThrow(message);
  });

  it("knows the acceptance of simulated heads, and of no other method", () => {
    expect(read({ method: "eagle3" }).acceptance).toEqual([0.7]);
    expect(read({ method: "mtp", acceptance_rate: [0.9, 0.5] }).acceptance).toEqual([0.9, 0.5]);
    const [rate = 0] = read({ method: "medusa", acceptance_length: 2.2 }).acceptance ?? [];
    expect(1 + rate + rate ** 2 + rate ** 3).toBeCloseTo(2.2, 6);
    expect(read({ method: "suffix" }).acceptance).toBeUndefined();
    expect(expectedLength(read({ method: "suffix" }))).toBe(1);
    expect(expectedLength(read({ method: "mtp", acceptance_rate: [0.5] }))).toBeCloseTo(1.875, 9);
  });

  it("refuses what the device or the configuration lacks", async () => {
    const mute: Device = {
      name: "mute",
      limits: LIMITS,
      vocabSize: 97,
      can: { ...target.can, draft: false },
      execute: () => {},
      release: () => {},
      close: async () => {},
    };
    await expect(
      (async () => createProposer({ config: read({ method: "eagle3" }), target: mute }))(),
    ).rejects.toThrow(/"mute" cannot draft: eagle3/);
    await expect(
      (async () =>
        createProposer({ config: read({ method: "draft_model", model: "x" }), target }))(),
    ).rejects.toThrow(/draft_model needs "model"/);
    const odd = { ...read({ method: "ngram" }), method: "crystal ball" };
    await expect((async () => createProposer({ config: odd, target }))()).rejects.toThrow(
      /unknown method "crystal ball"/,
    );
    for (const keys of [
      { method: "ngram", prompt_lookup_max: 3 },
      { method: "suffix", suffix_decoding_max_spec_factor: 2 },
      { method: "draft_model", model: "x" },
      { method: "medusa" },
    ]) {
      const proposer = await createProposer({ config: read(keys), target, draft: target });
      expect(proposer.name).toBe(keys.method);
      await proposer.close();
    }
  });
});

describe("suffix decoding", () => {
  it("learns finished outputs, up to so many ids, and never the prompts", () => {
    const proposer = new SuffixProposer({ maxCachedTokens: 12 });
    const guess = (ids: readonly number[]): readonly number[] => {
      let found: readonly number[] = [];
      const one = sequence(9, ids);
      proposer.propose([{ sequence: one, count: 2 }], (drafts) => {
        found = drafts.get(9) ?? [];
      });
      return found;
    };
    const finished = (id: number, prompt: readonly number[], output: readonly number[]): void => {
      const one = sequence(id, prompt);
      one.write(one.length, output);
      one.length += output.length;
      proposer.release(one);
    };
    finished(1, [60, 61, 62], [10, 11, 12, 13]);
    expect(guess([10, 11])).toEqual([12, 13]);
    expect(guess([60, 61])).toEqual([]);
    expect(guess([12, 13])).toEqual([]); // where one text ends no other begins
    finished(2, [1], [20, 21, 22, 23, 24, 25, 26, 27, 28, 29]); // too much for both
    expect(guess([10, 11])).toEqual([]);
    expect(guess([20, 21])).toEqual([22, 23]);
  });
});

describe("requests that end while others look on", () => {
  it("leave the trial of a culprit, whose place others give up", () => {
    let failing = true;
    const { clock, engine, events } = engineWorld({
      limits: { maxRows: 2 },
      trouble: (batch) =>
        failing && batch.rows.some((row) => row.id === 0)
          ? { ok: false, error: new Error("bad row") }
          : undefined,
    });
    for (let id = 0; id < 6; id++) engine.submit(request([id, 1, 2], { maxTokens: 8 }));
    clock.runReady();
    engine.check();
    failing = false;
    const ends = finishes(events).sort((a, b) => a.id - b.id);
    expect(ends.map(({ reason }) => reason)).toEqual(["error", ...Array(5).fill("length")]);
    expect(engine.health(clock.now()).failures).toBe(0);
    const alone = engineWorld();
    alone.engine.submit(request([3, 1, 2], { maxTokens: 8, temperature: 0 }));
    alone.clock.runReady();
    expect(outputs(alone.events).get(0)).toHaveLength(8);
  });
});
