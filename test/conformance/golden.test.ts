/**
 * The engine on the cpu device against Hugging Face transformers: greedy ids
 * equal over 64 tokens and logits within 1e-3, however the work is cut: ranks,
 * chunks, cache hits, preemption, neighbours.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { loadModel } from "../../models/load.ts";
import { type GoldenCase, goldens, logitsError, sharedData } from "../support/golden.ts";
import { GreedyEngine, type GreedyRun, type GreedySetup } from "../support/greedy.ts";

const LOGITS_TOLERANCE = 1e-3;

async function withEngine(
  folder: string,
  setup: GreedySetup,
  use: (greedy: GreedyEngine) => Promise<void>,
): Promise<void> {
  const greedy = await GreedyEngine.start(folder, setup);
  try {
    await use(greedy);
  } finally {
    await greedy.close();
  }
}

function compare(runs: readonly GreedyRun[], cases: readonly GoldenCase[]): void {
  for (const [i, golden] of cases.entries()) {
    const run = runs[i];
    if (!run) throw new Error(`no run ${i}`);
    expect(run.outputs, `ids of "${golden.prompt}"`).toEqual(golden.output_ids);
    const { first_logits: first, last_logits: last } = golden;
    if (first) expect(logitsError(run.firstLogits, first)).toBeLessThan(LOGITS_TOLERANCE);
    if (last) expect(logitsError(run.lastLogits, last)).toBeLessThan(LOGITS_TOLERANCE);
  }
}

const promptsOf = (cases: readonly GoldenCase[]) => cases.map(({ prompt_ids }) => prompt_ids);

describe.each(goldens().map((golden) => [golden.name, golden] as const))("%s", (_, golden) => {
  const { folder, cases } = golden;
  const few = cases.slice(0, 4);
  const steps = few[0]?.output_ids.length ?? 0;

  it("one rank: each prompt alone, then all 16 together", () =>
    withEngine(folder, {}, async (greedy) => {
      for (const each of few) compare(await greedy.run([each.prompt_ids], steps), [each]);
      expect(cases.length).toBe(16);
      expect(steps).toBe(64);
      compare(await greedy.run(promptsOf(cases), steps), cases);
    }));

  it("two ranks", () =>
    withEngine(folder, { ranks: 2 }, async (greedy) => {
      compare(await greedy.run(promptsOf(few), steps), few);
    }));

  it("chunks of 7", () =>
    withEngine(folder, { maxTokens: 7 }, async (greedy) => {
      compare(await greedy.run(promptsOf(few), steps), few);
      const widest = greedy.events.flatMap((event) =>
        event.type === "step-finished" ? [event.tokens] : [],
      );
      expect(Math.max(...widest)).toBe(7);
    }));

  it("prefix-cache hits, in blocks of 4", () =>
    withEngine(folder, { blockSize: 4 }, async (greedy) => {
      const cold = await greedy.run(promptsOf(few), steps);
      expect(cold.map(({ cachedTokens }) => cachedTokens)).toEqual([0, 0, 0, 0]);
      const warm = await greedy.run(promptsOf(few), steps);
      compare(warm, few);
      for (const [i, { cachedTokens }] of warm.entries()) {
        const length = few[i]?.prompt_ids.length ?? 0;
        expect(cachedTokens).toBe(Math.floor((length - 1) / 4) * 4);
      }
    }));

  it("preemption, in a pool too small for all", () =>
    withEngine(folder, { blocks: 14 }, async (greedy) => {
      compare(await greedy.run(promptsOf(few), steps), few);
      expect(greedy.count("request-preempted")).toBeGreaterThan(0);
      expect(greedy.engine.kvUsage).toBe(0);
    }));
});

const stories = sharedData("model-stories260k");

describe.skipIf(stories === undefined)("stories260K (skipped without TRAINYARD_DATA)", () => {
  interface Story {
    readonly prompt: string;
    readonly prompt_ids: readonly number[];
    readonly output_ids: readonly number[];
    readonly text: string;
    readonly first_logits: readonly number[];
  }
  const read = (): readonly Story[] =>
    gunzipSync(readFileSync(join(stories ?? "", "golden.jsonl.gz")))
      .toString()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));

  for (const setup of [{}, { ranks: 2 }, { maxTokens: 7 }, { blockSize: 4 }])
    it(`tells the same stories: ${JSON.stringify(setup)}`, () => {
      const folder = join(stories ?? "", "hf");
      return withEngine(folder, { maxTokens: 512, ...setup }, async (greedy) => {
        const { tokenizer, generation } = await loadModel(folder);
        for (const story of read()) {
          const ids = await tokenizer?.encode(story.prompt);
          expect([...(ids ?? [])]).toEqual(story.prompt_ids);
          const length = story.output_ids.length;
          const [run] = await greedy.run([story.prompt_ids], length, {
            ignoreEos: false,
            eosTokenIds: generation.eosTokenIds,
          });
          expect(run?.outputs).toEqual(story.output_ids.slice(0, length));
          expect(logitsError(run?.firstLogits ?? [], { values: story.first_logits })).toBeLessThan(
            LOGITS_TOLERANCE,
          );
          // The golden text is that of the output alone, as at the beginning of a text.
          expect(tokenizer?.decode(run?.outputs ?? [], { skipSpecial: true })).toBe(story.text);
        }
      });
    });

  it("gives each prompt token's log-probability, whole and in chunks", async () => {
    interface PromptGolden {
      readonly ids: readonly number[];
      readonly prompt_logprobs: readonly (number | null)[];
    }
    const golden: PromptGolden = JSON.parse(
      readFileSync(join(stories ?? "", "prompt_logprobs.json"), "utf8"),
    );
    for (const maxTokens of [512, 7])
      await withEngine(join(stories ?? "", "hf"), { maxTokens }, async (greedy) => {
        await greedy.run([golden.ids], 1, { promptLogprobs: 0 });
        const emitted = greedy.events.flatMap((event) =>
          event.type === "tokens-emitted" ? (event.promptLogprobs ?? []) : [],
        );
        expect(emitted.length).toBe(golden.ids.length - 1);
        for (const [i, { chosen }] of emitted.entries())
          expect(Math.abs(chosen - (golden.prompt_logprobs[i + 1] ?? 0))).toBeLessThan(
            LOGITS_TOLERANCE,
          );
      });
  });
});
