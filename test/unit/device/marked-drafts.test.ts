/** Simulated heads over another model's words: drafts hold at their rate, and the words are the same. */
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../device/clocks/virtual.ts";
import type { Device, DeviceLimits, Sampler } from "../../../device/device.ts";
import { simulateHeads } from "../../../device/heads.ts";
import { NullDevice } from "../../../device/null/device.ts";
import { borrowWords } from "../../../device/words/borrow.ts";
import { MarkedDrafts } from "../../../device/words/marked-drafts.ts";
import { Engine } from "../../../engine/engine.ts";
import type { EngineEvent } from "../../../engine/events.ts";
import { TokenSampler } from "../../../engine/sample/sampler.ts";
import type { Constraint, SamplingParams } from "../../../engine/sequence.ts";
import { createProposer, readSpeculativeConfig } from "../../../engine/speculate/registry.ts";
import { sha256 } from "../../../server/sha256.ts";
import { outputs, request } from "../../support/engine-world.ts";

const VOCABULARY = 97;
const RATES = [0.8, 0.5, 0.9, 0.3];

const LIMITS: DeviceLimits = {
  blockSize: 16,
  blocks: 600,
  maxRows: 8,
  maxTokens: 256,
  maxContext: 4000,
  maxDrafted: 4,
  inFlight: 1,
};

interface Wanted {
  readonly params: Partial<SamplingParams>;
  readonly constraint?: Constraint;
}

async function run(wanted: readonly Wanted[], drafts: boolean) {
  const clock = new VirtualClock();
  const sampler = new TokenSampler({ seed: 3 });
  const make = (shown: Sampler): Promise<Device> =>
    Promise.resolve(
      new NullDevice({ clock, sampler: shown, limits: LIMITS, vocabSize: VOCABULARY, seed: 7 }),
    );
  const words = await borrowWords(sampler, make);
  const device = drafts ? new MarkedDrafts(words, { sampler, seed: 5 }) : words;
  const config = readSpeculativeConfig({
    method: "eagle3",
    num_speculative_tokens: 4,
    acceptance_rate: RATES,
  });
  const proposer = drafts
    ? await createProposer({
        config,
        target: simulateHeads(device, { acceptance: config.acceptance, seed: 5 }),
      })
    : undefined;
  const engine = new Engine(
    { device, clock, sampler, sha256 },
    {
      maxNumSeqs: 8,
      maxNumBatchedTokens: 256,
      ...(proposer && { speculative: { proposer, maxTokens: 4, adaptive: false } }),
    },
  );
  const events: EngineEvent[] = [];
  engine.subscribe((event) => events.push(event));
  for (const [index, { params, constraint }] of wanted.entries()) {
    engine.submit(
      request(
        [index, 8, 15],
        params,
        constraint === undefined ? {} : { constraints: [constraint] },
      ),
    );
  }
  clock.runReady();
  engine.check();
  const logprobs = events.flatMap((event) =>
    event.type === "tokens-emitted" ? (event.logprobs ?? []) : [],
  );
  return { events, ids: outputs(events), logprobs, engine };
}

/** Small ids until the last of them, which ends it; then nothing is allowed any more. */
function endingGrammar(end: number): Constraint {
  const said: number[] = [];
  return {
    mask: (words) => {
      for (let id = 0; id <= end; id++) words[id >> 5] = (words[id >> 5] ?? 0) | (1 << (id & 31));
      return true;
    },
    accept: (id) => {
      if (said.includes(end) || id > end) return false;
      said.push(id);
      return true;
    },
    rollback: (count) => void said.splice(said.length - count, count),
  };
}

const WANTED: readonly Wanted[] = [
  { params: { temperature: 0, maxTokens: 60 } },
  { params: { temperature: 1, seed: 4, maxTokens: 60 } },
  { params: { temperature: 1, maxTokens: 60, logprobs: 2, frequencyPenalty: 0.5 } },
  { params: { temperature: 1, maxTokens: 60, stopTokenIds: [1, 2, 3, 4, 5, 6, 7, 8, 9] } },
];

describe("drafts of heads over borrowed words", () => {
  it.each([0, 1])("hold at each position's own rate, at temperature %i", async (temperature) => {
    const { events } = await run([{ params: { temperature, maxTokens: 3900 } }], true);
    const reached = [0, 0, 0, 0, 0];
    for (const event of events) {
      if (event.type !== "tokens-emitted" || event.drafted < 4) continue;
      for (let i = 0; i <= event.accepted; i++) reached[i] = (reached[i] ?? 0) + 1;
    }
    expect(reached[0]).toBeGreaterThan(1000);
    RATES.forEach((rate, index) => {
      expect((reached[index + 1] ?? 0) / (reached[index] ?? 1)).toBeCloseTo(rate, 1);
    });
  });

  it("change no word, no log-probability and no end", async () => {
    const [plain, drafted] = [await run(WANTED, false), await run(WANTED, true)];
    expect(drafted.ids).toEqual(plain.ids);
    expect(drafted.logprobs.length).toBe(60);
    expect(drafted.logprobs).toEqual(plain.logprobs);
    const steps = (events: readonly EngineEvent[]): number =>
      events.filter(({ type }) => type === "step-finished").length;
    expect(steps(drafted.events)).toBeLessThan(0.7 * steps(plain.events));
  });

  it("ask nothing of a grammar that has ended", async () => {
    const params = { temperature: 1, maxTokens: 200, eosTokenIds: [40] };
    const wanted = (): readonly Wanted[] => [{ params, constraint: endingGrammar(40) }];
    const [plain, drafted] = [await run(wanted(), false), await run(wanted(), true)];
    expect(drafted.ids).toEqual(plain.ids);
    for (const { events } of [plain, drafted]) {
      expect(events.find(({ type }) => type === "request-finished")).toMatchObject({
        reason: "stop",
      });
    }
  });

  it("leave nothing behind of a sequence that goes during a step", async () => {
    const clock = new VirtualClock();
    const sampler = new TokenSampler({ seed: 3 });
    const asked: number[][] = [];
    const words: Device = {
      name: "words",
      limits: LIMITS,
      vocabSize: VOCABULARY,
      can: { draft: false, promptLogprobs: false, grammar: true, hidden: false, adapters: false },
      execute: ({ rows }, done) => {
        asked.push(rows.map(({ id }) => id));
        const sampled = new Map(rows.map(({ id }) => [id, { tokens: [1], accepted: 0 }]));
        clock.at(clock.now() + 10, () => done({ ok: true, sampled }));
      },
      release: () => {},
      close: () => Promise.resolve(),
    };
    const device = new MarkedDrafts(words, { sampler, seed: 5 });
    const drafts = new Map<number, readonly number[]>();
    const row = (id: number, context: Int32Array, drafted: number) =>
      ({ id, context, start: 1, count: 1 + drafted, drafted, blocks: [], want: "last" }) as const;
    const known = Int32Array.of(1, 2);
    device.draft([row(1, known, 0), row(2, known, 0)], 2, (all) => {
      for (const [id, its] of all) drafts.set(id, its);
    });
    const rows = [1, 2].map((id) => row(id, Int32Array.of(1, 2, ...(drafts.get(id) ?? [])), 2));
    let tokens: unknown;
    device.execute({ step: 1, rows, copies: [] }, (result) => {
      tokens = result.ok && [...result.sampled].map(([id, its]) => [id, its.tokens.length]);
    });
    clock.at(5, () => device.release([1]));
    clock.runReady();
    expect(asked).toEqual([[1, 2], [2], [2]]);
    expect(tokens).toEqual([
      [1, 1],
      [2, 3],
    ]);
  });
});
