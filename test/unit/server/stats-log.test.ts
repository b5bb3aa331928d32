/** vLLM's line of averages, and the warning of a host that is late. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { EngineEvent } from "../../../engine/events.ts";
import { logStats } from "../../../server/stats-log.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Hear = (event: EngineEvent) => void;

/** Lines of one interval of ten seconds in which this is heard. */
function lines(timeScale: number, events: readonly object[], running = 1) {
  const said: Record<"info" | "warn", string[]> = { info: [], warn: [] };
  let hear: Hear = () => {};
  const engine = {
    ...{ running, waiting: 2, kvUsage: 0.25 },
    subscribe: (receive: Hear) => {
      hear = receive;
    },
  };
  const end = logStats(
    { all: [engine] } as unknown as Parameters<typeof logStats>[0], // no more of it is read
    {
      info: (text: string) => said.info.push(text),
      warn: (text: string) => said.warn.push(text),
    } as never,
    { seconds: 10, ended: () => undefined, timeScale },
  );
  for (const event of events) hear(event as EngineEvent);
  vi.advanceTimersByTime(10_000);
  end();
  vi.advanceTimersByTime(60_000);
  return said;
}

const step = (priced: number, took: number) => ({
  ...{ type: "step-finished", duration: took, cost: { duration: priced } },
});

describe("the line of averages", () => {
  it("tells rates of the interval, and the share of prompts found in the cache", () => {
    const { info } = lines(1, [
      { type: "request-queued", id: 1, promptTokens: 80 },
      { type: "request-scheduled", id: 1, cachedTokens: 20, resumed: false },
      { type: "request-scheduled", id: 1, cachedTokens: 80, resumed: true },
      { type: "tokens-emitted", id: 1, tokens: [1, 2, 3] },
      { type: "tokens-emitted", id: 1, tokens: [4, 5] },
      { type: "request-queued", id: 2, promptTokens: 500 },
      { type: "request-finished", id: 2 },
    ]);
    expect(info).toEqual([
      "Engine 000: Avg prompt throughput: 8.0 tokens/s, Avg generation throughput: 0.5 tokens/s, Running: 1 reqs, Waiting: 2 reqs, KV cache usage: 25.0%, Prefix cache hit rate: 25.0%",
    ]);
  });

  it("is said each interval while something runs, and ends when it is told", () => {
    expect(lines(1, [], 1).info).toHaveLength(1);
  });

  it("warns of a host whose steps take longer than the simulated machine's, on its own scale of time", () => {
    const slow = [step(1e6, 1.5e6), step(1e6, 1e6)];
    expect(lines(1, slow).warn[0]).toContain("steps took 25.0% longer");
    expect(lines(1, slow).warn[0]).toContain("one of them 0.5 ms");
    // Half the pace is asked for: the host has time enough.
    expect(lines(2, slow).warn).toEqual([]);
    expect(lines(1, [step(1e6, 1e6)]).warn).toEqual([]);
    expect(lines(1, [{ type: "step-finished", duration: 5 }]).warn).toEqual([]);
  });
});
