/** Whoever has begun goes on, whatever the rules by which prompts are cut; and those that wait cost nothing. */
import { describe, expect, it, vi } from "vitest";
import { BlockPool } from "../../../engine/kv/block-pool.ts";
import { engineWorld, request } from "../../support/engine-world.ts";

const range = (count: number, from = 0): number[] =>
  Array.from({ length: count }, (_, i) => (from + i) % 97);

describe("a prompt that was begun", () => {
  const BUDGET = 40;

  /** Steps from its first row to its first id, and those of them that had no row of it. */
  function begun(of: {
    readonly chunked: boolean;
    readonly threshold: number;
    readonly streams: number;
    readonly prompt: number;
  }): { readonly steps: number; readonly without: number } {
    const { clock, engine, device, events } = engineWorld({
      limits: { blocks: 4096, maxContext: 4096, maxTokens: BUDGET },
      options: {
        maxNumBatchedTokens: BUDGET,
        enableChunkedPrefill: of.chunked,
        longPrefillTokenThreshold: of.threshold,
      },
    });
    for (let i = 0; i < of.streams; i++) {
      engine.submit(request(range(4, i), { maxTokens: 120, temperature: 0 }));
    }
    let id = -1;
    clock.at(20_000, () => {
      [id = -1] = engine.submit(request(range(of.prompt), { maxTokens: 1, temperature: 0 }));
    });
    clock.runReady();
    const has = device.batches.map((batch) => batch.rows.some((row) => row.id === id));
    expect(events.some((event) => event.type === "tokens-emitted" && event.id === id)).toBe(true);
    const from = has.indexOf(true);
    const steps = has.lastIndexOf(true) - from + 1;
    return { steps, without: has.slice(from, from + steps).filter((each) => !each).length };
  }

  it("gets a row in every step, chunked prefill on or off, any threshold, any streams", () => {
    for (const chunked of [true, false]) {
      for (const threshold of [0, 5, 33]) {
        for (const [streams, prompt] of [
          [1, 79], // the rest after the first step is 40: never as much room as that beside a stream
          [8, 75],
          [15, 300],
          [3, 41],
        ] as const) {
          const { steps, without } = begun({ chunked, threshold, streams, prompt });
          const piece = Math.min(threshold || BUDGET, BUDGET - streams);
          expect(without, `${chunked} ${threshold} ${streams} ${prompt}`).toBe(0);
          expect(steps).toBeLessThanOrEqual(Math.ceil(prompt / piece) + 1);
        }
      }
    }
  });
});

describe("long cached prompts that wait", () => {
  it("are looked up once, not in every step, though blocks come and go meanwhile", () => {
    const SHARED = 400;
    const { clock, engine, events } = engineWorld({
      limits: { blockSize: 4, blocks: 600, maxContext: 2400, maxTokens: 2400 },
      options: { maxNumBatchedTokens: 2400 },
    });
    const shared = range(4 * SHARED);
    engine.submit(request([...shared, 1, 2], { maxTokens: 1 }));
    clock.runReady();
    // Streams that will fill what is free, and then take blocks of the cached prompt.
    for (let i = 0; i < 3; i++) {
      engine.submit(request(range(100, 11 * i + 3), { maxTokens: 500, ignoreEos: true }));
    }
    clock.runReady(clock.now() + 5000);
    for (let i = 0; i < 12; i++) {
      engine.submit(request([...shared, ...range(520, i)], { maxTokens: 1 }));
    }
    const find = vi.spyOn(BlockPool.prototype, "find");
    const references = vi.spyOn(BlockPool.prototype, "references");
    const stepsBefore = events.filter((event) => event.type === "step-finished").length;
    clock.runReady(clock.now() + 400_000);
    const steps = events.filter((event) => event.type === "step-finished").length - stepsBefore;
    expect(steps).toBeGreaterThan(200);
    expect(engine.waiting).toBe(12);
    // Each of the nine that are looked at walks its prompt once; after that two questions a step.
    expect(find.mock.calls.length).toBeLessThan(9 * (SHARED + 1) + 3 * 9 * steps);
    expect(references.mock.calls.length).toBeLessThan(12 * SHARED + 20 * steps);
    find.mockRestore();
    references.mockRestore();
    clock.runReady();
    engine.check();
    expect(engine.waiting).toBe(0);
  });
});
