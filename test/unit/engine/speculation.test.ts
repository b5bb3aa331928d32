/** Speculation changes when ids come, never which: greedy and sampled, with penalties, logprobs and siblings. */

import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../device/clocks/virtual.ts";
import type { Batch, BatchRow, Device, Sampled } from "../../../device/device.ts";
import { simulateHeads } from "../../../device/heads.ts";
import { NullDevice } from "../../../device/null/device.ts";
import { Engine } from "../../../engine/engine.ts";
import { LiveSequence } from "../../../engine/live-sequence.ts";

import { TokenSampler } from "../../../engine/sample/sampler.ts";
import { DEFAULT_SAMPLING, type SamplingParams } from "../../../engine/sequence.ts";
import type { DraftDevice } from "../../../engine/speculate/draft-model.ts";
import { lookUp, NgramProposer } from "../../../engine/speculate/ngram.ts";
import type { Proposer } from "../../../engine/speculate/proposer.ts";
import {
  createProposer,
  rateOfLength,
  readSpeculativeConfig,
  speculativeMethods,
} from "../../../engine/speculate/registry.ts";
import { sha256 } from "../../../server/sha256.ts";
import { engineWorld, outputs, request, VOCABULARY } from "../../support/engine-world.ts";

/** A null device that only drafts; the same seed guesses right, another one wrong. */
function drafter(clock: VirtualClock, seed: number): DraftDevice {
  const limits = {
    blockSize: 4,
    blocks: 200,
    maxRows: 16,
    maxTokens: 64,
    maxContext: 128,
    maxDrafted: 0,
    inFlight: 1,
  } as const;
  const sampler = new TokenSampler();
  return new NullDevice({ clock, sampler, limits, vocabSize: VOCABULARY, seed, price: () => 100 });
}

/** A workload whose greedy ids fall into loops (97² pairs), so that texts repeat. */
const WORKLOAD: readonly (Partial<SamplingParams> & { readonly n?: number })[] = [
  { temperature: 0 },
  { temperature: 0, repetitionPenalty: 1.3 },
  { temperature: 0.6, seed: 3, minP: 0.1 },
  { temperature: 1, seed: 4, topK: 3, logprobs: 2, n: 3 },
  { temperature: 0, logitBias: new Map([[5, 4]]), frequencyPenalty: 0.3 },
  { temperature: 0, badWords: [[1, 2], [9]], minTokens: 5, stopTokenIds: [20, 21, 22] },
  { temperature: 0.3, seed: 9, presencePenalty: 0.4, allowedTokenIds: [1, 2, 3, 4, 5, 6, 7, 8] },
];

async function play(
  method: string | undefined,
  options: { adaptive?: boolean; draftSeed?: number; blocks?: number } = {},
) {
  const clock = new VirtualClock();
  const draft = drafter(clock, options.draftSeed ?? 7);
  let proposer: Proposer | undefined;
  if (method !== undefined) {
    const config = readSpeculativeConfig({
      method,
      num_speculative_tokens: 5,
      prompt_lookup_min: 1,
      prompt_lookup_max: 4,
      acceptance_rate: 0.7,
      model: "draft",
    });
    proposer = await createProposer({
      config,
      target: simulateHeads(draft, { acceptance: config.acceptance, seed: 1 }),
      draft,
    });
  }
  const world = engineWorld({
    clock,
    limits: { blocks: options.blocks ?? 256 },
    options: {
      ...(proposer === undefined
        ? {}
        : { speculative: { proposer, maxTokens: 5, adaptive: options.adaptive ?? false } }),
    },
  });
  for (const [index, { n, ...params }] of WORKLOAD.entries()) {
    const prompt = [index, 8, 15, 8, 15, 8, 15, 8];
    world.engine.submit(
      request(prompt, { maxTokens: 60, ...params }, n === undefined ? {} : { n }),
    );
  }
  clock.runReady();
  world.engine.check();
  const emitted = world.events.filter((event) => event.type === "tokens-emitted");
  const logprobs = emitted.flatMap((event) => (event.id === 3 ? (event.logprobs ?? []) : []));
  return {
    ids: outputs(world.events),
    logprobs,
    drafted: emitted.reduce((sum, event) => sum + event.drafted, 0),
    accepted: emitted.reduce((sum, event) => sum + event.accepted, 0),
  };
}

describe("speculation", () => {
  it.each(speculativeMethods)("%s gives the ids and logprobs of plain decoding", async (method) => {
    const plain = await play(undefined);
    // 60 blocks are too few: guesses are cut and sequences preempted.
    for (const blocks of [256, 60]) {
      const guessed = await play(method, { adaptive: blocks === 60, blocks });
      expect(guessed.ids).toEqual(plain.ids);
      expect(guessed.logprobs).toEqual(plain.logprobs);
      expect(guessed.drafted).toBeGreaterThan(0);
      if (blocks === 256) {
        expect(guessed.accepted).toBeGreaterThan(0);
        expect(guessed.accepted).toBeLessThan(guessed.drafted);
      }
    }
  });

  it("survives a draft model that is always wrong", async () => {
    const plain = await play(undefined);
    const guessed = await play("draft_model", { draftSeed: 8 });
    expect(guessed.ids).toEqual(plain.ids);
    expect(guessed.accepted / guessed.drafted).toBeLessThan(0.1);
  });

  it("accepts simulated guesses at the given rate", async () => {
    const clock = new VirtualClock();
    const target = drafter(clock, 7);
    const config = readSpeculativeConfig({
      method: "eagle3",
      num_speculative_tokens: 4,
      acceptance_rate: [0.8, 0.5, 0.9, 0.3],
    });
    const proposer = await createProposer({
      config,
      target: simulateHeads(target, { acceptance: config.acceptance, seed: 1 }),
    });
    const world = engineWorld({
      clock,
      limits: { maxContext: 4000, blocks: 1100 },
      options: { speculative: { proposer, maxTokens: 4, adaptive: false } },
    });
    world.engine.submit(request([1, 2], { temperature: 0, maxTokens: 3900 }));
    clock.runReady();
    const reached = [0, 0, 0, 0, 0];
    for (const event of world.events) {
      if (event.type !== "tokens-emitted" || event.drafted < 4) continue;
      for (let i = 0; i <= event.accepted; i++) reached[i] = (reached[i] ?? 0) + 1;
    }
    [0.8, 0.5, 0.9, 0.3].forEach((rate, index) => {
      expect((reached[index + 1] ?? 0) / (reached[index] ?? 1)).toBeCloseTo(rate, 1);
    });
  });

  it("draws from the target's distribution: chi-square over 20,000 ids", () => {
    // Six ids at fixed logits; guesses are taken round robin, likely and unlikely ones alike.
    const logits = [2, 1.2, 0.4, 0, -0.7, -2];
    const temperature = 0.9;
    const weights = logits.map((logit) => Math.exp(logit / temperature));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const sampler = new TokenSampler({ seed: 11 });
    const params = { ...DEFAULT_SAMPLING, temperature, maxTokens: 50_000 };
    const place = { id: 0, index: 0, group: [0], arrival: 0, maxContext: 100_000 };
    sampler.add(new LiveSequence({ prompt: [0], params }, place));
    const counts = [0, 0, 0, 0, 0, 0];
    let position = 1;
    let drawn = 0;
    let accepted = 0;
    for (let round = 0; drawn < 20_000; round++) {
      const guess = [0, 1, 2].map((offset) => (round + offset) % 6);
      const context = new Int32Array(position + 3);
      context.set(guess, position);
      const row: BatchRow = {
        id: 0,
        context,
        start: position - 1,
        count: 4,
        drafted: 3,
        blocks: [],
        want: "last",
      };
      const sampled = sampler.sample(
        row,
        Float32Array.from([...logits, ...logits, ...logits, ...logits]),
      );
      for (const id of sampled.tokens) counts[id] = (counts[id] ?? 0) + 1;
      drawn += sampled.tokens.length;
      position += sampled.tokens.length;
      accepted += sampled.accepted;
    }
    const chiSquare = counts.reduce((sum, count, id) => {
      const expected = (drawn * (weights[id] ?? 0)) / total;
      return sum + (count - expected) ** 2 / expected;
    }, 0);
    expect(accepted).toBeGreaterThan(2_000);
    expect(chiSquare).toBeLessThan(15.09); // 5 degrees of freedom, p = 0.01
  });

  it("draws from the target's distribution through the whole engine: chi-square over 20,000 ids", () => {
    const logits = [1.5, 1, 0.5, 0, -0.5, -1];
    const weights = logits.map((logit) => Math.exp(logit / 0.8));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const clock = new VirtualClock();
    const sampler = new TokenSampler({ seed: 3 });
    const limits = {
      blockSize: 16,
      blocks: 4000,
      maxRows: 200,
      maxTokens: 2000,
      maxContext: 200,
      maxDrafted: 4,
      inFlight: 1,
    } as const;
    /** The same logits at every position. */
    const device: Device = {
      name: "fixed",
      limits,
      vocabSize: 6,
      can: { draft: false, promptLogprobs: true, grammar: true, hidden: false, adapters: false },
      execute: ({ rows }, done) => {
        const sampled = new Map<number, Sampled>();
        for (const row of rows) {
          const positions = Array.from({ length: row.drafted + 1 }, () => logits).flat();
          sampled.set(row.id, sampler.sample(row, Float32Array.from(positions)));
        }
        clock.at(clock.now() + 1, () => done({ ok: true, sampled }), "step");
      },
      release: () => {},
      close: () => Promise.resolve(),
    };
    const proposer = new NgramProposer({ min: 1, max: 3 });
    const engine = new Engine(
      { device, clock, sampler, sha256 },
      {
        maxNumSeqs: 200,
        maxNumBatchedTokens: 2000,
        speculative: { proposer, maxTokens: 4, adaptive: false },
      },
    );
    const counts = [0, 0, 0, 0, 0, 0];
    let accepted = 0;
    engine.subscribe((event) => {
      if (event.type !== "tokens-emitted") return;
      accepted += event.accepted;
      for (const id of event.tokens) counts[id] = (counts[id] ?? 0) + 1;
    });
    for (let i = 0; i < 200; i++) {
      engine.submit(request([i % 6, 1, 2], { temperature: 0.8, maxTokens: 100 }));
    }
    clock.runReady();
    expect(accepted).toBeGreaterThan(2_000);
    const chiSquare = counts.reduce((sum, count, id) => {
      const expected = (20_000 * (weights[id] ?? 0)) / total;
      return sum + (count - expected) ** 2 / expected;
    }, 0);
    expect(chiSquare).toBeLessThan(15.09); // 5 degrees of freedom, p = 0.01
  });

  it("looks up the latest longest match and goes on into the guess", () => {
    const look = (text: number[], min: number, max: number, count: number) =>
      lookUp(Int32Array.from(text), text.length, { min, max, count });
    expect(look([1, 2, 3, 9, 1, 2, 4, 9, 1, 2], 2, 3, 3)).toEqual([4, 9, 1]);
    expect(look([1, 2, 3, 9, 7, 2, 4, 9, 1, 2], 2, 3, 2)).toEqual([3, 9]);
    expect(look([5, 6, 5, 6], 1, 2, 5)).toEqual([5, 6, 5, 6, 5]);
    expect(look([1, 2, 3], 1, 3, 4)).toEqual([]);
    expect(look([1, 2, 3, 1], 2, 3, 4)).toEqual([]);
  });

  it("reads vLLM's configuration and names what is wrong", () => {
    expect(readSpeculativeConfig({ model: "ngram", num_speculative_tokens: 3 }).method).toBe(
      "ngram",
    );
    expect(readSpeculativeConfig({ model: "/m", num_speculative_tokens: 3 }).method).toBe(
      "draft_model",
    );
    expect(() => readSpeculativeConfig({ method: "oracle", num_speculative_tokens: 1 })).toThrow(
      /oracle.*ngram/,
    );
    expect(() => readSpeculativeConfig({ method: "ngram" })).toThrow(/num_speculative_tokens/);
    expect(() => readSpeculativeConfig({ method: "ngram", num_speculative_tokens: 0 })).toThrow(
      /whole number/,
    );
    expect(() => readSpeculativeConfig({})).toThrow(/method/);
  });

  it("turns a mean length into a rate", () => {
    const rate = rateOfLength(2.5, 3);
    expect(1 + rate + rate ** 2 + rate ** 3).toBeCloseTo(2.5, 6);
  });
});

describe("adaptive length", () => {
  /** Virtual time that 16 streams take, by how much a token costs beside a step's 10,000. */
  async function timeOf(acceptance: number | undefined, tokenCost: number): Promise<number> {
    const clock = new VirtualClock();
    const price = (batch: Batch): number =>
      10_000 + tokenCost * batch.rows.reduce((sum, row) => sum + row.count, 0);
    const config = readSpeculativeConfig({
      method: "eagle3",
      num_speculative_tokens: 4,
      acceptance_rate: acceptance ?? 0,
    });
    const proposer = await createProposer({
      config,
      target: simulateHeads(drafter(clock, 7), { acceptance: config.acceptance, seed: 1 }),
    });
    const speculative = { proposer, maxTokens: 4 };
    const world = engineWorld({
      clock,
      price,
      limits: { maxContext: 400, blocks: 1700, maxTokens: 256 },
      options: { maxNumBatchedTokens: 256, ...(acceptance === undefined ? {} : { speculative }) },
    });
    for (let i = 0; i < 16; i++) {
      world.engine.submit(request([i, 1], { temperature: 0, maxTokens: 350 }));
    }
    clock.runReady();
    return clock.now();
  }

  it("wins where it can and loses next to nothing where it cannot: 16 streams", async () => {
    for (const [acceptance, tokenCost, least] of [
      [0.8, 10, 2],
      [0.3, 2_000, 0.97],
      [0.05, 10, 0.97],
      [0.7, 2_000, 0.97],
    ] as const) {
      const plain = await timeOf(undefined, tokenCost);
      const guessed = await timeOf(acceptance, tokenCost);
      expect(plain / guessed).toBeGreaterThan(least);
    }
  });
});
