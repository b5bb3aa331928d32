/** The live feed: what a step costs does not grow with who watches, and what is told is whole. */
import { describe, expect, it } from "vitest";
import { MILLISECOND } from "../../../device/clock.ts";
import type { EngineEvent, StepFinished } from "../../../engine/events.ts";
import { LiveFeed, mapOf } from "../../../server/ops/live-feed.ts";

interface Counted {
  reads: number;
}

/** Counts every field that is read of it. */
function counted<E extends EngineEvent>(event: E, count: Counted): E {
  return new Proxy(event, {
    get: (target, key) => {
      count.reads++;
      return Reflect.get(target, key) as unknown;
    },
  });
}

const step = (at: number): StepFinished => ({
  type: "step-finished",
  at: at * MILLISECOND,
  step: at,
  repeated: 1,
  rows: 2,
  work: () => [
    { id: 1, start: 0, count: 90, drafted: 0 },
    { id: 2, start: 40, count: 3, drafted: 2 },
  ],
  tokens: 93,
  duration: 9 * MILLISECOND,
  running: 2,
  waiting: 1,
  waitingCapacity: 1,
  waitingDeferred: 0,
  kvUsage: 0.5,
  preemptions: 1,
  cost: {
    duration: 4 * MILLISECOND,
    parts: { weights: 3 * MILLISECOND, kv: MILLISECOND },
    paddedTokens: 0,
    paddedRows: 0,
    spans: () => [],
  },
});

const emitted = (at: number): EngineEvent => ({
  type: "tokens-emitted",
  at: at * MILLISECOND,
  id: 2,
  tokens: [5, 6],
  drafted: 2,
  accepted: 1,
});

/** Steps of 10 ms; a tick after each tenth. */
function watchedBy(watchers: number) {
  const count = { reads: 0, maps: 0, sends: 0, withinSteps: 0 };
  const feed = new LiveFeed({
    hello: { model: "m" },
    curve: () => [[]],
    blockKinds: () => {
      count.maps++;
      return new Uint8Array(8);
    },
    engines: 1,
    now: () => 0,
    timeScale: 2,
  });
  const texts: string[][] = [];
  for (let each = 0; each < watchers; each++) {
    const own: string[] = [];
    texts.push(own);
    feed.join({
      bufferedAmount: 0,
      send: (text) => {
        count.sends++;
        own.push(text);
      },
    });
  }
  const maps = count.maps;
  for (let at = 10; at <= 2000; at += 10) {
    const before = count.sends;
    feed.receive(0, counted(emitted(at), count));
    feed.receive(0, counted(step(at), count));
    count.withinSteps += count.sends - before;
    if (at % 100 === 0) feed.tick();
  }
  return { count: { ...count, maps: count.maps - maps }, texts };
}

describe("the live feed", () => {
  it("costs a step the same for one watcher and for fifty, and sends nothing within it", () => {
    const [one, fifty] = [watchedBy(1), watchedBy(50)];
    expect(one.count.reads).toBeGreaterThan(400);
    expect(fifty.count.reads).toBe(one.count.reads);
    expect(fifty.count.maps).toBe(one.count.maps);
    expect(fifty.count.withinSteps).toBe(0);
    expect(fifty.count.sends).toBe(50 * one.count.sends);
    for (const texts of fifty.texts) expect(texts.length).toBe(one.texts[0]?.length);
    // A text is made once: all have the very same.
    expect(new Set(fifty.texts.map((texts) => texts.join("\n"))).size).toBe(1);
  });

  it("reads nothing of a step that nobody watches", () => {
    const { count } = watchedBy(0);
    expect(count.reads).toBe(0);
  });

  it("loses neither tokens nor guesses of the steps it leaves out", () => {
    const [texts = []] = watchedBy(1).texts;
    const steps = texts
      .map((text) => JSON.parse(text) as { type: string; steps: Record<string, number>[] })
      .flatMap((message) => (message.type === "steps" ? message.steps : []));
    const sum = (key: string): number => steps.reduce((all, one) => all + (one[key] ?? 0), 0);
    const told = steps.length + sum("skipped");
    // One in 20 ms, and the newest at each tick.
    expect(steps.length).toBeLessThanOrEqual(100 + 20);
    expect(told).toBe(200);
    expect(steps.at(-1)?.["at_seconds"]).toBe(2);
    for (const key of ["output_tokens", "drafted"]) expect(sum(key)).toBe(2 * told);
    expect(sum("accepted")).toBe(told);
    expect(sum("preemptions")).toBe(told);
    // Priced parts in wall time, and how much later the step ended.
    expect(steps[0]).toMatchObject({
      prompt_rows: 1,
      prompt_tokens: 90,
      parts_ms: { weights: 6, kv: 2 },
      lateness_ms: 1,
    });
  });

  it("gives a watcher that does not read nothing more", () => {
    let sent = 0;
    const feed = new LiveFeed({
      hello: {},
      curve: () => [],
      blockKinds: () => new Uint8Array(0),
      engines: 1,
      now: () => 0,
      timeScale: 1,
    });
    feed.join({ bufferedAmount: 2 ** 21, send: () => sent++ });
    feed.receive(0, step(10));
    feed.tick();
    expect(sent).toBe(1); // the first, before it could lag
  });
});

describe("the map of blocks", () => {
  it("counts all and draws at most 4,096 cells, each of the kind most of its blocks are", () => {
    expect(mapOf(Uint8Array.of(0, 1, 2, 3, 3))).toEqual({
      ...{ blocks: 5, blocks_a_cell: 1, blank: 1, cached: 1, held: 1, shared: 2 },
      cells: "01233",
    });
    const many = Uint8Array.from({ length: 10_000 }, (_, block) => (block < 5000 ? 2 : 0));
    const { cells, ...counts } = mapOf(many) as { cells: string };
    expect(counts).toMatchObject({ blocks: 10_000, blocks_a_cell: 3, held: 5000, blank: 5000 });
    expect(cells).toHaveLength(Math.ceil(10_000 / 3));
    expect(cells).toMatch(/^2+0+$/);
  });
});
