import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../device/clocks/virtual.ts";
import { simulateHeads } from "../../../device/heads.ts";
import { createDevice } from "../../../device/registry.ts";
import { Engine } from "../../../engine/engine.ts";
import type { EngineOptions } from "../../../engine/options.ts";
import { TokenSampler } from "../../../engine/sample/sampler.ts";
import { DEFAULT_SAMPLING } from "../../../engine/sequence.ts";
import { createProposer, readSpeculativeConfig } from "../../../engine/speculate/registry.ts";
import { type Receipt, Receipts } from "../../../server/metrics/receipts.ts";
import { sha256 } from "../../../server/sha256.ts";
import { catalogueModel } from "../../support/catalogue.ts";

const sum = (causes: Readonly<Record<string, number>>): number =>
  Object.values(causes).reduce((total, nanos) => total + nanos, 0);

interface Wish {
  readonly at: number;
  readonly prompt: number;
  readonly tokens: number;
  readonly n?: number;
}

interface World {
  readonly blocks?: number;
  readonly speculative?: string;
  readonly inFlight?: 1 | 2;
}

/** Runs requests in virtual time; checks every receipt at every token; answers with the last ones. */
async function run(wishes: readonly Wish[], { blocks, speculative, inFlight }: World = {}) {
  const clock = new VirtualClock();
  const sampler = new TokenSampler({});
  const device = await createDevice("trainium", {
    model: catalogueModel("meta-llama/Llama-3.2-1B-Instruct"),
    clock,
    sampler,
    tensorParallelSize: 4,
    maxRows: 8,
    maxContext: 1024,
    seed: 3,
    own: { instance: "trn2.3xlarge" },
    ...(blocks !== undefined && { blocks }),
    ...(inFlight !== undefined && { inFlight }),
  });
  const config =
    speculative === undefined ? undefined : readSpeculativeConfig(JSON.parse(speculative));
  const options: EngineOptions = {
    maxNumSeqs: 8,
    maxNumBatchedTokens: 1024,
    ...(config !== undefined && {
      speculative: {
        proposer: await createProposer({
          config,
          target: simulateHeads(device, { acceptance: config.acceptance, seed: 1 }),
        }),
        maxTokens: config.maxTokens,
      },
    }),
  };
  const engine = new Engine({ device, clock, sampler, sha256 }, options);
  const receipts = new Receipts([engine], 1);
  const open = new Map<number, { readonly receipt: Receipt; readonly submitted: number }>();
  const seen: { id: number; at: number; accepted: number }[] = [];
  let preemptions = 0;
  engine.subscribe((event) => {
    if (event.type === "tokens-emitted") seen.push(event);
    if (event.type === "request-preempted") preemptions++;
  });
  const params = { ...DEFAULT_SAMPLING, temperature: 0, ignoreEos: true };
  for (const { at, prompt, tokens, n = 1 } of wishes) {
    clock.at(at, () => {
      const ids = Int32Array.from({ length: prompt }, (_, index) => index % 50);
      const request = { prompt: ids, n, params: { ...params, maxTokens: tokens } };
      const submitted = clock.now();
      for (const id of engine.submit(request)) {
        open.set(id, { receipt: receipts.open({ engine: 0, id }, submitted), submitted });
      }
    });
  }
  await clock.run();
  engine.check();
  expect(seen.length).toBeGreaterThan(0);
  for (const { id, at } of seen) {
    const its = open.get(id);
    if (its === undefined) throw new Error(`nobody asked for ${id}`);
    expect(sum(its.receipt.upTo(at))).toBe(at - its.submitted);
  }
  const last = new Map(seen.map(({ id, at }) => [id, at]));
  const causes = [...last].map(([id, at]) => open.get(id)?.receipt.upTo(at) ?? {});
  return { causes, preemptions, accepted: seen.reduce((all, its) => all + its.accepted, 0) };
}

describe("a receipt adds up at every token", () => {
  it("of one request: no queue but the start, no lateness in virtual time", async () => {
    const { causes } = await run([{ at: 1000, prompt: 40, tokens: 9 }]);
    expect(Object.keys(causes[0] ?? {})).toEqual(
      expect.arrayContaining(["weights", "collectives", "launch", "padding"]),
    );
    expect(causes[0]).not.toHaveProperty("queue");
    expect(causes[0]).not.toHaveProperty("lateness");
  });

  it("of requests that wait for each other's prompts, steps one by one or two under way", async () => {
    const wishes = Array.from({ length: 12 }, (_, index) => ({
      at: 1e6 * index,
      prompt: 100 + 37 * index,
      tokens: 5 + index,
    }));
    for (const inFlight of [1, 2] as const) {
      const { causes } = await run(wishes, { inFlight });
      expect(causes.some((its) => (its["queue"] ?? 0) > 0)).toBe(true);
      expect(causes.some((its) => (its["stalled"] ?? 0) > 0)).toBe(true);
    }
  });

  it("of completions of one prompt, and of prompts found in the cache", async () => {
    const { causes } = await run([
      { at: 0, prompt: 300, tokens: 7, n: 3 },
      { at: 5e7, prompt: 300, tokens: 4 },
    ]);
    expect(causes).toHaveLength(4);
  });

  it("of preempted requests: waiting and computing again is preemption", async () => {
    const wishes = Array.from({ length: 4 }, () => ({ at: 0, prompt: 60, tokens: 400 }));
    const { causes, preemptions } = await run(wishes, { blocks: 34 });
    expect(preemptions).toBeGreaterThan(0);
    expect(causes.some((its) => (its["preemption"] ?? 0) > 0)).toBe(true);
  });

  it("of speculation, where a step gives several tokens", async () => {
    const speculative = '{"method": "eagle3", "num_speculative_tokens": 3}';
    const { accepted } = await run([{ at: 0, prompt: 30, tokens: 40 }], { speculative });
    expect(accepted).toBeGreaterThan(0);
  });
});
