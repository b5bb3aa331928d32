/** Guesses and overlap on the cpu device: greedy ids are the goldens', sampled ids those without. */
import { describe, expect, it } from "vitest";
import { RealClock } from "../../device/clock.ts";
import type { Device } from "../../device/device.ts";
import { createDevice } from "../../device/registry.ts";
import { Engine } from "../../engine/engine.ts";
import type { EngineEvent } from "../../engine/events.ts";
import { TokenSampler } from "../../engine/sample/sampler.ts";
import type { SamplingParams } from "../../engine/sequence.ts";
import {
  createProposer,
  readSpeculativeConfig,
  speculativeMethods,
} from "../../engine/speculate/registry.ts";
import { loadModel } from "../../models/load.ts";
import { outputs, request } from "../support/engine-world.ts";
import { goldens } from "../support/golden.ts";

const TOKENS = 32;
const golden = goldens().find(({ name }) => name === "llama");
const cases = golden?.cases.slice(0, 5) ?? [];

const PARAMS: readonly Partial<SamplingParams>[] = [
  {},
  {},
  { temperature: 0.9, seed: 5, minP: 0.02 },
  { temperature: 0.7, seed: 6, topK: 8, repetitionPenalty: 1.1, logprobs: 1 },
  { temperature: 1.2, seed: 7, topP: 0.8, frequencyPenalty: 0.2 },
];

async function cpu(clock: RealClock, sampler: TokenSampler, inFlight: 1 | 2): Promise<Device> {
  return createDevice("cpu", {
    model: await loadModel(golden?.folder ?? ""),
    clock,
    sampler,
    tensorParallelSize: 1,
    maxRows: 8,
    maxContext: 256,
    maxTokens: 256,
    maxDrafted: 4,
    inFlight,
    seed: 0,
    own: {},
  });
}

async function play(method: string | undefined, inFlight: 1 | 2 = 1) {
  const clock = new RealClock();
  const sampler = new TokenSampler();
  const device = await cpu(clock, sampler, inFlight);
  const parts = async () => {
    // The model guesses for itself; simulated heads ask a second instance.
    const draft = await cpu(clock, new TokenSampler(), 1);
    const config = readSpeculativeConfig({
      method,
      model: "itself",
      num_speculative_tokens: 4,
      prompt_lookup_min: 1,
      prompt_lookup_max: 3,
    });
    const proposer = await createProposer({ config, target: draft, draft, seed: 0 });
    return { draft, speculative: { proposer, maxTokens: 4, adaptive: false } };
  };
  const guessing = method === undefined ? undefined : await parts();
  const engine = new Engine(
    { device, clock, sampler },
    {
      maxNumSeqs: 8,
      maxNumBatchedTokens: 256,
      ...(guessing && { speculative: guessing.speculative }),
    },
  );
  const events: EngineEvent[] = [];
  engine.subscribe((event) => events.push(event));
  cases.forEach(({ prompt_ids }, index) => {
    const params = { temperature: 0, maxTokens: TOKENS, ...PARAMS[index] };
    engine.submit(request(prompt_ids, params, index === 3 ? { n: 2 } : {}));
  });
  await engine.idle();
  engine.check();
  await engine.close();
  if (method !== "draft_model") await guessing?.draft.close(); // its proposer has closed it
  const accepted = events.reduce(
    (sum, event) => sum + (event.type === "tokens-emitted" ? event.accepted : 0),
    0,
  );
  return { ids: outputs(events), accepted };
}

describe("on the cpu device", () => {
  const plain = play(undefined);

  it("plain decoding gives the goldens", async () => {
    const { ids } = await plain;
    expect(ids.get(0)).toEqual(cases[0]?.output_ids.slice(0, TOKENS));
    expect(ids.get(1)).toEqual(cases[1]?.output_ids.slice(0, TOKENS));
    expect(ids.size).toBe(6);
  });

  it("two steps in flight change no id", async () => {
    expect((await play(undefined, 2)).ids).toEqual((await plain).ids);
  });

  // Simulated heads know an oracle that keeps no KV cache of its own: priced devices only.
  const real = speculativeMethods.filter((method) => !["eagle3", "medusa", "mtp"].includes(method));
  it.each(real)("%s changes no id", async (method) => {
    const guessed = await play(method);
    expect(guessed.ids).toEqual((await plain).ids);
    if (method === "draft_model") expect(guessed.accepted).toBeGreaterThan(40);
  });
});
