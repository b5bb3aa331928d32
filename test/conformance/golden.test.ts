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
import { goldens, logitsError, sharedData } from "../support/golden.ts";
import { holdsToGolden, LOGITS_TOLERANCE, withEngine } from "../support/golden-suite.ts";

describe.each(goldens().map((golden) => [golden.name, golden] as const))("%s", (_, golden) => {
  holdsToGolden(golden);
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
