/** What is kept of requests is bounded: in requests, in marks, in steps. */
import type { FastifyRequest } from "fastify";
import { describe, expect, it } from "vitest";
import type { Clock } from "../../../device/clock.ts";
import type { Engine } from "../../../engine/engine.ts";
import type { EngineListener, StepFinished } from "../../../engine/events.ts";
import { Life } from "../../../server/metrics/life.ts";
import { StepLog } from "../../../server/metrics/step-log.ts";
import { RequestHistory } from "../../../server/requests/history.ts";

const step = (at: number, ids: readonly number[] = []): StepFinished => ({
  type: "step-finished",
  at,
  step: at,
  repeated: 1,
  rows: ids.length,
  work: () => ids.map((id) => ({ id, start: 0, count: 8, drafted: 0 })),
  tokens: 8 * ids.length,
  duration: 5,
  running: ids.length,
  waiting: 0,
  waitingCapacity: 0,
  waitingDeferred: 0,
  kvUsage: 0,
  preemptions: 0,
});

describe("the log of steps", () => {
  it("keeps the last ones, and says where those asked for are not all there", () => {
    const log = new StepLog(10, 1);
    for (let at = 10; at <= 200; at += 10) log.add(step(at));
    expect(log.between(150, 180)?.map(({ at }) => at)).toEqual([160, 170, 180]);
    expect(log.between(110, 1000)?.length).toBe(9);
    expect(log.between(105, 1000)).toBeUndefined();
    expect(log.between(50, 90)).toBeUndefined();
  });
});

/** An engine that says what a test says. */
function world(entries: number, marks: number) {
  const listeners: EngineListener[] = [];
  const engine = { subscribe: (one: EngineListener) => listeners.push(one) } as unknown as Engine; // all that is asked of it
  const clock = { now: () => 0 } as unknown as Clock; // nothing else is asked
  const history = new RequestHistory([engine], { entries, marks, timeScale: 1, clock });
  const serve = (id: number, tokens: number): void => {
    const request = { record: {}, url: "/v1/completions" } as FastifyRequest; // what is read of it
    history.begin(request, 0);
    const life = history.follow({ engine: 0, id }, 0);
    const tell: EngineListener = (event) => {
      if ("id" in event) life.receive(event);
      for (const listener of listeners) listener(event);
    };
    tell({ type: "request-scheduled", at: 1, id, cachedTokens: 0, resumed: false });
    for (let token = 0; token < tokens; token++) {
      const at = 10 * (token + 1);
      tell({ type: "tokens-emitted", at, id, tokens: [1], drafted: 0, accepted: 0 });
      for (const listener of listeners) listener(step(at, [id]));
      request.record.wrote?.();
    }
    const generation = {
      ...{ choices: [], cachedTokens: 0, outputTokens: tokens, lives: [life] },
      timings: { submitted: 0, finished: 10 * tokens },
    };
    Object.assign(request.record, { generation });
    history.end(request, { status: 200, gone: false });
  };
  return { history, serve };
}

describe("what is kept of requests", () => {
  it("are so many at most, and no prompt", () => {
    const { history, serve } = world(4, 1e6);
    for (let id = 0; id < 10; id++) serve(id, 3);
    expect(history.over.map(({ number }) => number)).toEqual([7, 8, 9, 10]);
    expect(history.underWay).toEqual([]);
    for (const kept of history.over) expect(kept).not.toHaveProperty("generation");
  });

  it("hold the beginnings of what clients wrote, and no more of it", () => {
    const { history } = world(4, 1e6);
    const long = "x".repeat(100_000);
    const record = { id: long, error: `no ${long}` };
    const request = { record, url: `/v1/completions?${long}` } as unknown as FastifyRequest; // what is read of it
    history.begin(request, 0);
    history.end(request, { status: 400, gone: false });
    const [kept] = history.over;
    expect(kept).toMatchObject({ route: "/v1/completions", error: `no ${long.slice(0, 1_021)}` });
    expect(kept?.id).toHaveLength(1_024);
  });

  it("holds so many marks at most: the oldest lose theirs, not their line", () => {
    const { history, serve } = world(100, 100);
    // A piece, ten tokens and ten writes each.
    for (let id = 0; id < 10; id++) serve(id, 10);
    const forgotten = history.over.map(({ lives }) => lives[0]?.forgotten);
    expect(forgotten).toEqual([...Array(6).fill(true), ...Array(4).fill(false)]);
    const [newest] = history.over.slice(-1);
    expect(newest?.lives[0]?.pieces).toEqual([{ at: 10, duration: 5, tokens: 8 }]);
  });
});

describe("the life of a completion", () => {
  it("is computed from being scheduled to its next token, its preemption or its end", () => {
    const life = new Life(0, 5);
    const scheduled = (at: number, resumed: boolean): void =>
      life.receive({ type: "request-scheduled", id: 1, at, cachedTokens: at, resumed });
    const emitted = (at: number, tokens: readonly number[]): void =>
      life.receive({ type: "tokens-emitted", id: 1, at, tokens, drafted: 0, accepted: 0 });
    expect(life.computing).toBe(false);
    scheduled(10, false);
    expect(life.computing).toBe(true);
    emitted(20, [1]);
    expect(life.computing).toBe(false);
    life.receive({ type: "request-preempted", id: 1, at: 30 });
    scheduled(40, true);
    expect(life.computing).toBe(true);
    emitted(55, [2, 3]);
    scheduled(60, true);
    life.ended();
    expect(life.computing).toBe(false);
    expect(life).toMatchObject({ cachedTokens: 10, scheduled: [10, 40, 60], preempted: [30] });
    expect([life.emitted, life.tokens, life.stall]).toEqual([[20, 55], [1, 2], 35]);
  });
});
