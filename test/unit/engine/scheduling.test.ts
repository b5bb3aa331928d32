/** Who runs when: sharing, urgency, limits, starvation, repetition, both clocks. */
import { describe, expect, it } from "vitest";
import { type Clock, SECOND } from "../../../device/clock.ts";
import { RealClock } from "../../../device/clocks/real.ts";
import { VirtualClock } from "../../../device/clocks/virtual.ts";
import type { BatchRow } from "../../../device/device.ts";
import type { EngineEvent } from "../../../engine/events.ts";
import { EngineClosedError, PromptTooLongError, QueueFullError } from "../../../engine/options.ts";
import { engineWorld, finishes, outputs, request } from "../../support/engine-world.ts";

const range = (count: number, from = 0): number[] =>
  Array.from({ length: count }, (_, i) => (from + i) % 97);

const order = (events: readonly EngineEvent[], type: EngineEvent["type"]): number[] =>
  events.flatMap((event) => (event.type === type && "id" in event ? [event.id] : []));

describe("parallel sampling", () => {
  it("computes the prompt once and copies only its last block", () => {
    const { clock, engine, device, events } = engineWorld({
      options: { enablePrefixCaching: false },
    });
    engine.submit(request(range(10), { maxTokens: 3, seed: 1 }, { n: 4 }));
    clock.runReady();
    const [first, second] = device.batches;
    expect(first?.rows.map((row) => row.count)).toEqual([10]);
    expect(second?.rows.map((row) => [row.start, row.count])).toEqual([
      [10, 1],
      [9, 1],
      [9, 1],
      [9, 1],
    ]);
    expect(second?.copies).toHaveLength(3);
    const shared = second?.rows.map((row) => row.blocks.slice(0, 2).join());
    expect(new Set(shared).size).toBe(1);
    expect(new Set([...outputs(events).values()].map((ids) => ids.join())).size).toBeGreaterThan(1);
  });

  it("goes on when the leader leaves before its prompt is computed", () => {
    const { clock, engine, events } = engineWorld({ limits: { maxTokens: 4 } });
    const [leader = 0, ...others] = engine.submit(request(range(20), { maxTokens: 3 }, { n: 3 }));
    clock.at(1100, () => engine.finish(leader, "abort"));
    clock.runReady();
    engine.check();
    const ends = finishes(events);
    expect(ends.map((event) => event.reason)).toEqual(["abort", "length", "length"]);
    expect(outputs(events).get(others[1] ?? -1)).toHaveLength(3);
  });

  it("reports those that wait for their leader", () => {
    const { clock, engine, events } = engineWorld({ limits: { maxTokens: 8 } });
    engine.submit(request(range(20), { maxTokens: 1 }, { n: 3 }));
    clock.runReady();
    const steps = events.filter((event) => event.type === "step-finished");
    expect(steps.slice(0, 3).map((event) => event.waitingDeferred)).toEqual([2, 2, 0]);
  });
});

describe("urgency", () => {
  it("orders admission by priority under fcfs too, then by arrival", () => {
    const { clock, engine, events } = engineWorld({ limits: { maxRows: 1 } });
    for (const priority of [0, 5, -3, 0]) {
      engine.submit(request(range(4), { maxTokens: 2 }, { priority }));
    }
    clock.runReady();
    expect(order(events, "request-scheduled")).toEqual([2, 0, 3, 1]);
  });

  it.each([
    ["fcfs", 2],
    ["priority", 1],
  ] as const)("%s preempts sequence %i", (schedulingPolicy, victim) => {
    const { clock, engine, events } = engineWorld({
      limits: { blocks: 6, maxContext: 24 },
      options: { schedulingPolicy },
    });
    // Admitted in this order, each in a step of its own.
    [0, 5, 3].forEach((priority, index) => {
      const each = request(range(3), { maxTokens: 12, temperature: 0 }, { priority });
      clock.at(1500 * index, () => engine.submit(each));
    });
    clock.runReady();
    engine.check();
    expect(order(events, "request-preempted")[0]).toBe(victim);
  });

  it("aborts at the deadline, waiting or running", () => {
    const { clock, engine, events } = engineWorld({ limits: { maxRows: 1 } });
    engine.submit(request(range(4), { maxTokens: 50 }, { deadline: 5500 }));
    engine.submit(request(range(4), { maxTokens: 50 }, { deadline: 3000 }));
    engine.submit(request(range(4), { maxTokens: 2 }, { deadline: SECOND }));
    clock.runReady(SECOND / 2);
    expect(finishes(events).map((event) => [event.id, event.reason])).toEqual([
      [1, "abort"],
      [0, "abort"],
      [2, "length"],
    ]);
    expect(clock.next()).toBeUndefined(); // the third deadline is off
  });
});

describe("room", () => {
  it("passes a head that does not fit, but not for ever", () => {
    const { clock, engine, events } = engineWorld({
      limits: { blocks: 20, maxContext: 80, maxRows: 4 },
      options: { maxNumSeqs: 4, enablePrefixCaching: false },
    });
    engine.submit(request(range(8), { maxTokens: 60, temperature: 0 }));
    clock.runReady(2000);
    engine.submit(request(range(72), { maxTokens: 2, temperature: 0 })); // needs what the first holds
    for (let i = 0; i < 100; i++)
      engine.submit(request(range(4, i), { maxTokens: 2, temperature: 0 }));
    clock.runReady();
    engine.check();
    const scheduled = order(events, "request-scheduled");
    const place = scheduled.indexOf(1);
    expect(place).toBeGreaterThan(10);
    expect(place).toBeLessThan(75);
    expect(finishes(events)).toHaveLength(102);
  });

  it("blocks behind the head when told so", () => {
    const { clock, engine, events } = engineWorld({
      limits: { blocks: 20, maxContext: 80 },
      options: { skipAhead: 0 },
    });
    engine.submit(request(range(8), { maxTokens: 60, temperature: 0 }));
    clock.runReady(2000);
    engine.submit(request(range(72), { maxTokens: 2, temperature: 0 }));
    engine.submit(request(range(4), { maxTokens: 2, temperature: 0 }));
    clock.runReady();
    expect(order(events, "request-scheduled").slice(0, 3)).toEqual([0, 1, 2]);
  });

  it("refuses what can never fit, and what would wait too long", () => {
    const { clock, engine } = engineWorld({
      limits: { maxRows: 1 },
      options: { maxNumQueuedReqs: 2, maxNumQueuedTokens: 30 },
    });
    expect(() => engine.submit(request(range(128)))).toThrow(PromptTooLongError);
    expect(() => engine.submit(request([]))).toThrow(RangeError);
    engine.submit(request(range(5), { maxTokens: 30 }));
    clock.runReady(1500);
    engine.submit(request(range(20)));
    expect(() => engine.submit(request(range(20)))).toThrow(/20 tokens/);
    engine.submit(request(range(5)));
    const refused = (): unknown => {
      try {
        return engine.submit(request(range(1)));
      } catch (error) {
        return error;
      }
    };
    const error = refused();
    expect(error).toBeInstanceOf(QueueFullError);
    expect(error instanceof QueueFullError ? error.retryAfterSeconds : 0).toBeGreaterThan(0);
    clock.runReady();
    expect(refused()).toEqual([3]);
  });

  it("finishes a storm of preemptions with the ids of calm", () => {
    const play = (blocks: number) => {
      const { clock, engine, events } = engineWorld({
        limits: { blocks, maxContext: 96, maxRows: 64, maxTokens: 256 },
        options: { maxNumSeqs: 64, maxNumBatchedTokens: 256 },
      });
      for (let seed = 0; seed < 200; seed++) {
        engine.submit(
          request(range(8 + (seed % 20), seed), { maxTokens: 60, temperature: 0.9, seed }),
        );
      }
      clock.runReady();
      engine.check();
      expect(finishes(events).every((event) => event.reason === "length")).toBe(true);
      return { ids: outputs(events), preemptions: order(events, "request-preempted").length };
    };
    const needed = 200 * Math.ceil((18 + 60) / 4);
    const storm = play(Math.floor(0.02 * needed));
    const calm = play(needed + 200);
    expect(storm.preemptions).toBeGreaterThan(50);
    expect(calm.preemptions).toBe(0);
    expect(storm.ids).toEqual(calm.ids);
  });
});

describe("long prompts and streams", () => {
  const costOf = ({ start, count }: BatchRow, parity: number): number =>
    1000 * count * (1 + (start + count / 2) / parity);

  /** Gaps between a stream's tokens while a prompt of 4,096 comes in. */
  function gaps(
    mixLong: boolean,
    decodeShare: number,
    /** Context at which attention doubles what a token costs; absent: it costs nothing. */
    parity = Number.POSITIVE_INFINITY,
    told = parity,
  ): { worst: number; took: number } {
    const { clock, engine, events } = engineWorld({
      limits: {
        blockSize: 16,
        blocks: 600,
        maxContext: 8192,
        maxTokens: 512,
        mixLong,
        ...(mixLong ? {} : { longRowsPerStep: 1 }),
        ...(Number.isFinite(told) && { attentionParity: told }),
      },
      options: { maxNumBatchedTokens: 512, decodeShare },
      price: (batch) => Math.ceil(batch.rows.reduce((sum, row) => sum + costOf(row, parity), 0)),
    });
    for (let i = 0; i < 8; i++)
      engine.submit(request(range(8, i), { maxTokens: 300, temperature: 0 }));
    clock.at(100_000, () => engine.submit(request(range(4096), { maxTokens: 2, temperature: 0 })));
    clock.runReady();
    const last = new Map<number, number>();
    let worst = 0;
    let took = 0;
    for (const event of events) {
      if (event.type !== "tokens-emitted") continue;
      if (event.id === 8) took = Math.max(took, event.at);
      else worst = Math.max(worst, event.at - (last.get(event.id) ?? event.at));
      last.set(event.id, event.at);
    }
    return { worst, took };
  }

  it("share a step: no stream waits longer than one step of the budget", () => {
    expect(gaps(true, 0).worst).toBeLessThanOrEqual(1.5 * 512_000);
  });

  it("keep steps alike where attention is dear: pieces get shorter as the context grows", () => {
    const first = 1000 * 512 * (1 + 256 / 500); // a step of the budget at the prompt's beginning
    expect(gaps(true, 0, 500).worst).toBeLessThanOrEqual(1.1 * first);
    expect(gaps(true, 0, 500, Number.POSITIVE_INFINITY).worst).toBeGreaterThan(4 * first);
  });

  it("take turns where they cannot share and a share is set", () => {
    const promptsFirst = gaps(false, 0);
    const half = gaps(false, 0.5);
    expect(promptsFirst.worst).toBeGreaterThan(7.9 * 512_000);
    expect(half.worst).toBeLessThanOrEqual(1.1 * 512_000);
    expect(half.took).toBeLessThan(1.2 * promptsFirst.took);
  });
});

describe("repetition", () => {
  it("makes the same ids at the same times in fewer batches", () => {
    const play = (repeat: boolean) => {
      const { clock, engine, device, events } = engineWorld({
        values: "ids",
        limits: { blocks: 200 },
        options: { repeat, enablePrefixCaching: false },
        price: (batch) => 500 + 10 * batch.rows.length,
      });
      for (let i = 0; i < 12; i++) {
        clock.at(i * 9001, () => engine.submit(request(range(6, i), { maxTokens: 20 + 7 * i })));
      }
      clock.runReady();
      engine.check();
      const ends = finishes(events).map(({ id, at }) => [id, at]);
      return { ids: outputs(events), ends, batches: device.batches.length, events };
    };
    const single = play(false);
    const repeated = play(true);
    expect(repeated.ids).toEqual(single.ids);
    expect(repeated.ends).toEqual(single.ends);
    expect(repeated.batches).toBeLessThan(single.batches / 5);
    const count = (events: readonly EngineEvent[]): number =>
      events.reduce((sum, event) => sum + (event.type === "step-finished" ? event.repeated : 0), 0);
    expect(count(repeated.events)).toBe(single.batches);
  });
});

describe("the engine's surface", () => {
  it("gives equal ids under both clocks", async () => {
    const play = <C extends Clock>(clock: C) => {
      const world = engineWorld({ price: () => 20_000, clock });
      for (let seed = 0; seed < 12; seed++) {
        world.engine.submit(request(range(5 + seed), { maxTokens: 8, seed: 10 - seed, topP: 0.9 }));
      }
      return world;
    };
    const virtual = play(new VirtualClock());
    virtual.clock.runReady();
    const real = play(new RealClock());
    await real.engine.idle();
    expect(outputs(real.events)).toEqual(outputs(virtual.events));
    await real.engine.close();
  });

  it("lets a listener end and submit; all listeners hear it in one order", () => {
    const { clock, engine, events } = engineWorld();
    const later: EngineEvent[] = [];
    engine.subscribe((event) => {
      if (event.type === "tokens-emitted" && event.id === 0) engine.finish(0, "stop");
      if (event.type === "request-finished" && event.id < 3)
        engine.submit(request([1, 2], { maxTokens: 1 }));
    });
    engine.subscribe((event) => later.push(event));
    engine.submit(request(range(4), { maxTokens: 9 }));
    clock.runReady();
    expect(later).toEqual(events);
    expect(finishes(events).map((event) => event.reason)).toEqual([
      "stop",
      "length",
      "length",
      "length",
    ]);
  });

  it("names the stop id and the model's further ends, but not EOS", () => {
    const ids = [...Array(97).keys()];
    const endOf = (params: Parameters<typeof request>[1]) => {
      const { clock, engine, events } = engineWorld();
      engine.submit(request(range(4), { maxTokens: 4, minTokens: 0, temperature: 0, ...params }));
      clock.runReady();
      const [end] = finishes(events);
      return { reason: end?.reason, stopTokenId: end?.stopTokenId, tokens: end?.outputTokens };
    };
    const { stopTokenId: drawn = -1, ...stopped } = endOf({ stopTokenIds: ids });
    expect(stopped).toEqual({ reason: "stop", tokens: 1 });
    const others = ids.filter((id) => id !== drawn);
    const own = { reason: "stop", stopTokenId: undefined, tokens: 1 };
    expect(endOf({ eosTokenIds: [drawn, ...others] })).toEqual(own);
    expect(endOf({ eosTokenIds: [...others, drawn] })).toEqual({ ...own, stopTokenId: drawn });
    const ignored = endOf({ eosTokenIds: ids, ignoreEos: true });
    expect(ignored).toEqual({ reason: "length", stopTokenId: undefined, tokens: 4 });
  });

  it("closes: ends all, refuses more", async () => {
    const { clock, engine, events } = engineWorld();
    for (let i = 0; i < 20; i++) engine.submit(request(range(9), { maxTokens: 40 }));
    clock.runReady(3000);
    const closed = engine.close();
    clock.runReady();
    await closed;
    engine.check();
    expect(finishes(events).filter((event) => event.reason === "abort")).toHaveLength(20);
    expect(() => engine.submit(request([1]))).toThrow(EngineClosedError);
  });
});
describe("prompts computed elsewhere", () => {
  it("one that comes with K and V computes its last token alone, and all after a preemption", () => {
    const { clock, engine, device } = engineWorld({
      limits: { blocks: 8 },
      options: { enablePrefixCaching: false },
      values: "ids",
    });
    const [id = 0] = engine.submit(request(range(13), { maxTokens: 8 }, { received: 99 }));
    device.arriving.set(id, 12);
    clock.runReady(1);
    expect(device.batches[0]?.rows.map(({ start, count }) => [start, count])).toEqual([[12, 1]]);
    engine.resetPrefixCache({ preempt: true });
    clock.runReady();
    expect(device.batches[1]?.rows[0]).toMatchObject({ start: 0 });
    engine.check();
  });

  it("one that keeps its blocks holds them until it is let go; aborted ones hold none", () => {
    const { clock, engine } = engineWorld({ options: { enablePrefixCaching: false } });
    const keep = { keepsBlocks: true };
    const [kept = 0] = engine.submit(request(range(12), { maxTokens: 1 }, keep));
    const [gone = 0] = engine.submit(request(range(12, 50), { maxTokens: 9 }, keep));
    clock.runReady(1200);
    engine.finish(gone, "abort");
    clock.runReady();
    expect(engine.kvUsage).toBeGreaterThan(0);
    engine.check();
    engine.letGo(kept);
    engine.letGo(kept);
    expect(engine.kvUsage).toBe(0);
    engine.check();
  });
});
