import { expect, it } from "vitest";
import { engineWorld, finishes, outputs, request } from "../../support/engine-world.ts";

const N = 23;
const seeded = (maxTokens: number) =>
  request([5, 6, 7, 8, 9], { maxTokens, temperature: 1, seed: 3, ignoreEos: true }, { n: N });

/** Scheduled ids, in their order, and what each said; `parts`: how many join at a time, steps between. */
async function run(maxTokens: number, parts: readonly number[], steps = 0) {
  const { engine, clock, events } = engineWorld({ options: { maxNumSeqs: 4 } });
  const joining = engine.open(seeded(maxTokens));
  let time = 0;
  for (const count of parts) {
    joining.join(count);
    time += steps * 1_100;
    if (steps > 0) await clock.run(time);
  }
  await clock.run();
  engine.check();
  expect(engine.waiting).toBe(0);
  const order = events.flatMap((event) =>
    event.type === "request-scheduled" && !event.resumed ? [event.id] : [],
  );
  return { order, said: [...outputs(events)].sort(([a], [b]) => a - b), ends: finishes(events) };
}

it.each([
  ["at once", 6, [3, 10, 10], 0],
  ["while the leader computes", 6, [1, 1, 21], 1],
  ["after the leader's prompt", 20, [2, 11, 10], 4],
  ["after all that came before have ended", 1, [1, 2, 20], 30],
  ["after the leader alone", 20, [1, 22], 5],
] as const)(
  "parts that join %s: the same ids, order and draws",
  async (_, maxTokens, parts, steps) => {
    const whole = await run(maxTokens, [N]);
    const split = await run(maxTokens, parts, steps);
    expect(split.order).toEqual(whole.order);
    expect(split.said).toEqual(whole.said);
    expect(split.ends).toHaveLength(N);
  },
);

it("a part joins whoever leads, when the leaders before have ended", async () => {
  const { engine, clock, events } = engineWorld();
  const joining = engine.open(seeded(3));
  for (const id of joining.join(5).slice(0, 3)) engine.finish(id, "abort");
  joining.join(4);
  joining.join(joining.left);
  await clock.run();
  engine.check();
  expect(finishes(events).filter(({ reason }) => reason === "length")).toHaveLength(N - 3);
  const computed = events.filter(
    (event) => event.type === "request-scheduled" && event.cachedTokens === 0,
  );
  expect(computed).toHaveLength(1);
});

it("a part that joins after the leader's first token waits for room alone", async () => {
  const { engine, clock, events } = engineWorld({ options: { maxNumSeqs: 1 } });
  const joining = engine.open(seeded(20));
  joining.join(1);
  await clock.run(5_500);
  expect(outputs(events).size).toBe(1);
  joining.join(joining.left);
  await clock.run(7_500);
  const last = events.findLast((event) => event.type === "step-finished");
  expect(last).toMatchObject({ waiting: N - 1, waitingDeferred: 0 });
  const deferred = events.filter(
    (event) => event.type === "step-finished" && event.waitingDeferred > 0,
  );
  expect(deferred).toEqual([]);
});

it("those to come count as waiting, and the engine idles when they are forgone", async () => {
  const { engine, clock } = engineWorld({ options: { maxNumQueuedReqs: 30 } });
  const joining = engine.open(seeded(1));
  expect(engine.waiting).toBe(N);
  expect(() => engine.submit(seeded(1))).toThrow(/23 requests \(115 tokens\) wait already/);
  joining.join(2);
  await clock.run();
  const idle = engine.idle().then(() => "idle");
  expect(await Promise.race([idle, Promise.resolve("busy")])).toBe("busy");
  joining.forgo();
  joining.forgo();
  expect(engine.waiting).toBe(0);
  expect(await idle).toBe("idle");
});

it("nothing joins an engine that is closed", async () => {
  const { engine, clock } = engineWorld();
  const joining = engine.open(seeded(5));
  joining.join(1);
  const closed = engine.close();
  expect(() => joining.join(1)).toThrow("The engine is closed.");
  joining.forgo();
  await clock.run();
  await closed;
});
