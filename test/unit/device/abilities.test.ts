/** What a device says it can do is what it does: whoever asks the sampler can hold a grammar. */
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../device/clocks/virtual.ts";
import type { Batch, Device, Sampler } from "../../../device/device.ts";
import { simulateHeads } from "../../../device/heads.ts";
import { NullDevice } from "../../../device/null/device.ts";
import { createDevice } from "../../../device/registry.ts";
import { borrowWords } from "../../../device/words/borrow.ts";
import { catalogueModel } from "../../support/catalogue.ts";

const LIMITS = {
  blockSize: 16,
  blocks: 64,
  maxRows: 4,
  maxTokens: 64,
  maxContext: 256,
  maxDrafted: 4,
  inFlight: 1,
} as const;

interface Made {
  readonly device: Device;
  readonly run: () => Promise<void>;
  readonly asked: () => number;
}

async function make(kind: string): Promise<Made> {
  const clock = new VirtualClock();
  let asked = 0;
  const sampler: Sampler = {
    sample: () => {
      asked++;
      return { tokens: [1], accepted: 0 };
    },
    prompt: () => [],
  };
  // What an inner device takes does not wait for the outer one's time.
  const innerClock = new VirtualClock();
  const none = (values: "logits" | "ids", of: Sampler = sampler, on = clock): Device =>
    new NullDevice({ clock: on, sampler: of, limits: LIMITS, vocabSize: 50, values });
  const trainium = (inner?: Device): Promise<Device> =>
    createDevice("trainium", {
      model: catalogueModel("meta-llama/Llama-3.2-1B-Instruct"),
      clock,
      sampler,
      tensorParallelSize: 4,
      maxRows: 4,
      maxContext: 1024,
      seed: 3,
      own: {},
      ...(inner && { inner }),
    });
  const borrowed = (): Promise<Device> =>
    borrowWords(sampler, async (of) => none("logits", of, innerClock));
  const kinds: Readonly<Record<string, () => Promise<Device>>> = {
    logits: async () => none("logits"),
    ids: async () => none("ids"),
    heads: async () => simulateHeads(none("logits"), { acceptance: [0.5], seed: 1 }),
    borrowed,
    synthetic: () => trainium(),
    "with words": async () => trainium(await borrowed()),
  };
  const device = await kinds[kind]?.();
  if (device === undefined) throw new Error(`No kind ${kind}.`);
  const run = async (): Promise<void> => {
    await innerClock.run();
    await clock.run();
  };
  return { device, run, asked: () => asked };
}

describe.each(["logits", "ids", "heads", "borrowed", "synthetic", "with words"])("%s", (kind) => {
  it("asks the sampler where it says that grammars hold, and drafts where it says so", async () => {
    const { device, run, asked } = await make(kind);
    const batch: Batch = {
      step: 0,
      rows: [
        {
          id: 1,
          context: Int32Array.of(1, 2, 3),
          start: 0,
          count: 3,
          drafted: 0,
          blocks: [0],
          want: "last",
        },
      ],
      copies: [],
    };
    const results: boolean[] = [];
    device.execute(batch, ({ ok }) => results.push(ok));
    await run();
    expect(results).toEqual([true]);
    expect(asked() > 0).toBe(device.can.grammar);
    expect(device.draft !== undefined).toBe(device.can.draft);
  });
});
