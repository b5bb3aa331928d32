/** Guesses and overlap on the cpu device: greedy ids are the goldens', sampled ids those without. */

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { RealClock } from "../../device/clocks/real.ts";
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
import { sha256 } from "../../server/sha256.ts";
import { outputs, request } from "../support/engine-world.ts";
import { goldens } from "../support/golden.ts";

const TOKENS = 32;
const golden = goldens().find(({ name }) => name === "llama");

interface Pair {
  readonly target: string;
  readonly draft: string;
  readonly prompts: readonly (readonly number[])[];
  /** Greedy ids of the first two prompts, where known. */
  readonly expected?: readonly (readonly number[])[];
}

/** The model guesses for itself. */
const ITSELF: Pair = {
  target: golden?.folder ?? "",
  draft: golden?.folder ?? "",
  prompts: golden?.cases.slice(0, 5).map(({ prompt_ids }) => prompt_ids) ?? [],
  expected: golden?.cases.slice(0, 2).map(({ output_ids }) => output_ids.slice(0, TOKENS)) ?? [],
};

const folder = (name: string): string =>
  fileURLToPath(new URL(`../../models/bundled/${name}`, import.meta.url));

const BUNDLED: Pair = {
  target: folder("trainyard-tiny"),
  draft: folder("trainyard-draft"),
  prompts: Array.from({ length: 5 }, (_, i) => [300 + i, 411, 522, 633 + i, 411, 522]),
};

const PARAMS: readonly Partial<SamplingParams>[] = [
  {},
  {},
  { temperature: 0.9, seed: 5, minP: 0.02 },
  { temperature: 0.7, seed: 6, topK: 8, repetitionPenalty: 1.1, logprobs: 1 },
  { temperature: 1.2, seed: 7, topP: 0.8, frequencyPenalty: 0.2 },
];

async function cpu(
  source: string,
  { clock, sampler, inFlight }: { clock: RealClock; sampler: TokenSampler; inFlight: 1 | 2 },
): Promise<Device> {
  return createDevice("cpu", {
    model: await loadModel(source),
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

async function play(pair: Pair, method: string | undefined, inFlight: 1 | 2 = 1) {
  const clock = new RealClock();
  const sampler = new TokenSampler();
  const device = await cpu(pair.target, { clock, sampler, inFlight });
  const parts = async () => {
    // Simulated heads ask it too: their guesses are then wrong, and must do no harm.
    const draft = await cpu(pair.draft, { clock, sampler: new TokenSampler(), inFlight: 1 });
    const config = readSpeculativeConfig({
      method,
      model: "itself",
      num_speculative_tokens: 4,
      prompt_lookup_min: 1,
      prompt_lookup_max: 3,
    });
    const proposer = await createProposer({ config, target: draft, draft });
    return { draft, speculative: { proposer, maxTokens: 4, adaptive: false } };
  };
  const guessing = method === undefined ? undefined : await parts();
  const engine = new Engine(
    { device, clock, sampler, sha256 },
    {
      maxNumSeqs: 8,
      maxNumBatchedTokens: 256,
      ...(guessing && { speculative: guessing.speculative }),
    },
  );
  const events: EngineEvent[] = [];
  engine.subscribe((event) => events.push(event));
  pair.prompts.forEach((prompt, index) => {
    const params = { temperature: 0, maxTokens: TOKENS, ...PARAMS[index] };
    engine.submit(request(prompt, params, index === 3 ? { n: 2 } : {}));
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

const PAIRS: readonly (readonly [string, Pair, boolean])[] = [
  ["a tiny model and itself", ITSELF, golden !== undefined],
  ["the bundled pair (skipped until it is there)", BUNDLED, existsSync(BUNDLED.target)],
];

/** Simulated heads are one proposer under several names: one stands for all. */
const METHODS = speculativeMethods.filter((method) => method !== "medusa" && method !== "mtp");

describe.each(PAIRS)("%s", (_, pair, present) => {
  const plain = present ? play(pair, undefined) : undefined;

  it.runIf(present)("plain decoding gives the goldens", async () => {
    const ids = (await plain)?.ids;
    pair.expected?.forEach((expected, id) => {
      expect(ids?.get(id)).toEqual(expected);
    });
    expect(ids?.size).toBe(6);
  });

  it.runIf(present)("two steps in flight change no id", async () => {
    expect((await play(pair, undefined, 2)).ids).toEqual((await plain)?.ids);
  });

  it.runIf(present).each(METHODS)("%s changes no id", async (method) => {
    const guessed = await play(pair, method);
    expect(guessed.ids).toEqual((await plain)?.ids);
    if (method === "draft_model") expect(guessed.accepted).toBeGreaterThan(20);
  });
});
