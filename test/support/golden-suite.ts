/** What every model with goldens must hold to, however its work is cut: one suite for all of them. */
import { expect, it } from "vitest";
import { type Golden, type GoldenCase, logitsError } from "./golden.ts";
import { GreedyEngine, type GreedyRun, type GreedySetup } from "./greedy.ts";

export const LOGITS_TOLERANCE = 1e-3;

/** An engine over the folder, closed afterwards. */
export async function withEngine(
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

/** Ids equal and logits close: alone, together, on two ranks, in chunks, cached, preempted. */
export function holdsToGolden(golden: Pick<Golden, "folder" | "cases">): void {
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
    withEngine(folder, { blocks: 14, blockSize: 16 }, async (greedy) => {
      compare(await greedy.run(promptsOf(few), steps), few);
      expect(greedy.count("request-preempted")).toBeGreaterThan(0);
      expect(greedy.engine.kvUsage).toBe(0);
    }));
}
