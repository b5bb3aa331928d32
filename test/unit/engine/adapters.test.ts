/** Which adapters may run together, and when one can be let go. */
import { expect, it } from "vitest";
import type { Adapter } from "../../../device/device.ts";
import { engineWorld, finishes, outputs, request } from "../../support/engine-world.ts";

const adapter = (id: number): Adapter => ({ id, name: `a${id}`, path: `/a/${id}`, folder: "" });
const PROMPT = Array.from({ length: 10 }, (_, index) => index);
const LONG = { maxTokens: 20, ignoreEos: true } as const;

it("runs no more adapters in a step than the device computes, and passes those that wait", () => {
  const { engine, events, clock, device } = engineWorld({ limits: { maxAdapters: 2 } });
  const steps: string[][] = [];
  const execute = device.execute.bind(device);
  device.execute = (batch, done) => {
    steps.push([...new Set(batch.rows.flatMap((row) => row.adapter?.name ?? []))]);
    execute(batch, done);
  };
  // The third adapter stands before others of the first two and of none.
  for (const id of [1, 2, 3, 1, 2, 3, 0, 1]) {
    engine.submit(request(PROMPT, LONG, id === 0 ? {} : { adapter: adapter(id) }));
  }
  clock.run();
  engine.check();
  expect(finishes(events).map(({ reason }) => reason)).toEqual(new Array(8).fill("length"));
  expect(Math.max(...steps.map((names) => names.length))).toBe(2);
  const ends = finishes(events).map(({ id }) => id);
  expect(ends.slice(0, 6).sort()).toEqual([0, 1, 3, 4, 6, 7]);
  expect(ends.slice(6).sort()).toEqual([2, 5]);
  const finished = events.filter((event) => event.type === "step-finished");
  expect(finished[1]).toMatchObject({ waiting: 2, waitingDeferred: 2, waitingCapacity: 0 });
});

it("keeps one that others pass from starving", () => {
  const { engine, events, clock } = engineWorld({
    limits: { maxAdapters: 1 },
    options: { maxNumSeqs: 2 },
  });
  const first = engine.submit(request(PROMPT, LONG, { adapter: adapter(1) }));
  const other = engine.submit(request(PROMPT, LONG, { adapter: adapter(2) }));
  for (let i = 0; i < 200; i++) engine.submit(request(PROMPT, LONG, { adapter: adapter(1) }));
  clock.run();
  engine.check();
  const ends = finishes(events).map(({ id }) => id);
  expect(ends).toHaveLength(202);
  expect(ends.indexOf(first[0] ?? -1)).toBe(0);
  expect(ends.indexOf(other[0] ?? -1)).toBeLessThan(80);
});

it("names those in use, and drops one when nobody names it any more", () => {
  const { engine, clock, device } = engineWorld({ limits: { maxAdapters: 1 } });
  const dropped: string[] = [];
  Object.assign(device, { adapters: { drop: ({ name }: Adapter) => dropped.push(name) } });
  engine.submit(request(PROMPT, LONG, { adapter: adapter(1) }));
  engine.submit(request(PROMPT, LONG, { adapter: adapter(2) }));
  engine.dropAdapter(adapter(3));
  expect(dropped).toEqual(["a3"]);
  let seen: unknown;
  engine.subscribe((event) => {
    if (event.type === "tokens-emitted") seen ??= engine.adapters;
  });
  engine.dropAdapter(adapter(1));
  expect(dropped).toEqual(["a3"]);
  clock.run();
  expect(seen).toEqual({ running: ["a1"], waiting: ["a2"] });
  expect(dropped).toEqual(["a3", "a1"]);
  expect(engine.adapters).toEqual({ running: [], waiting: [] });
});

it("finds in the cache what the same adapter computed, and nothing of another or of none", () => {
  const { engine, events, clock } = engineWorld({ limits: { maxAdapters: 4 } });
  const cached = (with_: { adapter?: Adapter }): number => {
    const [id] = engine.submit(request(PROMPT, LONG, with_));
    clock.run();
    return finishes(events).find((event) => event.id === id)?.cachedTokens ?? -1;
  };
  expect(cached({ adapter: adapter(1) })).toBe(0);
  expect(cached({})).toBe(0);
  expect(cached({ adapter: adapter(2) })).toBe(0);
  expect(cached({ adapter: { ...adapter(1), path: "/elsewhere" } })).toBe(0);
  expect(cached({ adapter: adapter(1) })).toBe(8);
  expect(cached({})).toBe(8);
  expect(outputs(events).size).toBe(6);
});
