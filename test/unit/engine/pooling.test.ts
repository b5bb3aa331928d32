/** Requests that pool: whose states, however they are cut, found, lost and given up. */
import { expect, it } from "vitest";
import type { Batch, StepResult } from "../../../device/device.ts";
import { NullDevice } from "../../../device/null/device.ts";
import type { EngineEvent } from "../../../engine/events.ts";
import { QueueFullError } from "../../../engine/options.ts";
import type { PoolingKind } from "../../../models/model.ts";
import {
  engineWorld,
  finishes,
  request,
  VOCABULARY,
  type WorldOptions,
} from "../../support/engine-world.ts";

/** Its state of a position is [id, position, 1/3]. */
class StatesDevice extends NullDevice {
  override execute(batch: Batch, done: (result: StepResult) => void): void {
    super.execute(batch, (result) => {
      const hidden = new Map(
        batch.rows.flatMap(({ id, want, context, start, count }) => {
          if (want !== "hidden" && want !== "states") return [];
          const first = want === "hidden" ? start + count - 1 : start;
          const states = [...context.subarray(first, start + count)].flatMap((token, at) => [
            ...[token, first + at, 1 / 3],
          ]);
          return [[id, Float32Array.from(states)] as const];
        }),
      );
      done(result.ok ? { ...result, hidden } : result);
    });
  }
}

function world(of: Omit<WorldOptions, "clock"> = {}) {
  return engineWorld({ ...of, make: (options) => new StatesDevice(options) });
}

const prompt = Array.from({ length: 50 }, (_, index) => (index * 7) % VOCABULARY);
const pool = (pooling: PoolingKind, ids: readonly number[] = prompt) =>
  request(ids, {}, { pooling });
const vectors = (events: readonly EngineEvent[]) =>
  events.flatMap((event) =>
    event.type === "tokens-emitted" ? [event.pooled && [...event.pooled]] : [],
  );

const mean = prompt.reduce((sum, id) => sum + id, 0) / prompt.length;
const WANTED = {
  last: [prompt[49], 49, Math.fround(1 / 3)],
  cls: [prompt[0], 0, Math.fround(1 / 3)],
  mean: [Math.fround(mean), 24.5, Math.fround(1 / 3)],
};

it.each(["last", "cls", "mean"] as const)(
  "pools %s: whole, in pieces, twice, two steps under way",
  async (kind) => {
    for (const maxNumBatchedTokens of [64, 16, 7]) {
      for (const inFlight of [1, 2] as const) {
        const { engine, clock, events, device } = world({
          ...{ limits: { inFlight }, options: { maxNumBatchedTokens } },
        });
        engine.submit(pool(kind));
        await clock.run();
        engine.submit(pool(kind)); // the cache has its beginning now
        engine.submit(request([1, 2, 3], { maxTokens: 5, ignoreEos: true }));
        await clock.run();
        engine.check();
        expect(vectors(events).filter((one) => one !== undefined)).toEqual([
          WANTED[kind],
          WANTED[kind],
        ]);
        const [first, second] = finishes(events).filter(({ reason }) => reason === "stop");
        expect(first).toMatchObject({ outputTokens: 0, promptTokens: 50, cachedTokens: 0 });
        // All states of a mean are computed; the last one's are found but for it.
        expect(second?.cachedTokens).toBe(kind === "last" ? 48 : 0);
        expect(device.batches.every(({ rows }) => rows.every(({ drafted }) => drafted === 0))).toBe(
          true,
        );
      }
    }
  },
);

it("a mean begins anew when its blocks were lost, and another's step failed", async () => {
  let steps = 0;
  const { engine, clock, events } = world({
    options: { maxNumBatchedTokens: 16 },
    trouble: () =>
      ++steps === 3 ? { ok: false, error: new Error("lost"), kvLost: true } : undefined,
  });
  engine.submit(pool("mean"));
  await clock.run();
  engine.check();
  expect(events.some(({ type }) => type === "request-preempted")).toBe(true);
  expect(vectors(events)).toEqual([WANTED.mean]);
});

it("fills the context to its last token, and no further", async () => {
  const { engine, clock, events } = world();
  const ids = (length: number) => Array.from({ length }, () => 3);
  engine.submit(pool("last", ids(engine.maxContext)));
  await clock.run();
  expect(vectors(events)).toEqual([[3, engine.maxContext - 1, Math.fround(1 / 3)]]);
  expect(() => engine.submit(pool("last", ids(engine.maxContext + 1)))).toThrow("does not fit");
  expect(() => engine.submit(request(ids(engine.maxContext)))).toThrow("no room for output");
});

it("waits its turn within the queue's limits, and is dropped from it", async () => {
  const { engine, clock, events, device } = world({
    options: { maxNumSeqs: 1, maxNumQueuedReqs: 2 },
  });
  engine.submit(pool("mean"));
  await clock.run(1);
  const [gone] = engine.submit(pool("mean"));
  engine.submit(pool("last", [9]));
  expect(() => engine.submit(pool("mean"))).toThrow(QueueFullError);
  engine.finish(gone ?? -1, "abort");
  await clock.run();
  engine.check();
  expect(vectors(events)).toEqual([WANTED.mean, [9, 0, Math.fround(1 / 3)]]);
  expect(finishes(events).map(({ reason }) => reason)).toEqual(["abort", "stop", "stop"]);
  expect(device.batches.some(({ rows }) => rows.some(({ id }) => id === gone))).toBe(false);
});

it("a device without states gives an end and no vector", async () => {
  const { engine, clock, events } = engineWorld();
  engine.submit(pool("mean"));
  await clock.run();
  expect(vectors(events)).toEqual([undefined]);
  expect(finishes(events)).toMatchObject([{ reason: "stop", outputTokens: 0 }]);
});
