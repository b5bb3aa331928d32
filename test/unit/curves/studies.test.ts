import { describe, expect, it } from "vitest";
import { RealClock } from "../../../device/clocks/real.ts";
import { VirtualClock } from "../../../device/clocks/virtual.ts";
import { compareRuns, runRequests } from "../../../scripts/commands/study/clocks.ts";
import { bareLoop, gapsOf, judgeGaps } from "../../../scripts/commands/study/gaps.ts";

describe("gaps that a client sees", () => {
  it("count only while all streams decode", () => {
    // The second stream's third token comes at 7; the first one's last but one at 10.
    const first = [0, 1, 2, 4, 7, 10, 11];
    const second = [3, 5, 7, 9, 12, 20];
    expect(gapsOf([first, second])).toEqual([3, 2]);
    expect(gapsOf([[0, 1, 2, 4, 7]])).toEqual([2]);
  });

  it("are judged by their median and the slowest hundredth, none of them by nothing", () => {
    const gaps = (rest: number, slow: number): number[] => [
      ...Array.from({ length: 99 }, () => rest),
      slow,
    ];
    expect(judgeGaps(gaps(10, 12), 10)).toEqual({ median: 10, tail: 2, good: true });
    expect(judgeGaps(gaps(10, 12.5), 10)).toEqual({ median: 10, tail: 2.5, good: false });
    expect(judgeGaps(gaps(10.01, 10.01), 10).good).toBe(true);
    expect(judgeGaps(gaps(10.03, 10.03), 10).good).toBe(false);
    expect(judgeGaps(gaps(9.97, 9.97), 10).good).toBe(false);
    expect(judgeGaps([], 10).good).toBe(false);
  });

  it("a loop of timers keeps its period where timers are never late", async () => {
    const clock = new VirtualClock();
    const loop = bareLoop(clock, 2.5, 4);
    for (let tick = 0; tick < 4; tick++) {
      clock.runReady();
      await Promise.resolve();
    }
    expect(await loop).toEqual([2.5, 2.5, 2.5]);
    expect(clock.now()).toBe(10e6);
  });
});

describe("the same requests under two clocks", () => {
  it("get the same ids, all of them, and virtual time repeats itself", async () => {
    const virtual = await runRequests(new VirtualClock(), 8);
    const lengths = Object.values(virtual.ids).map((ids) => ids.length);
    expect(lengths).toEqual([4, 17, 30, 6, 19, 32, 8, 21]);
    const again = await runRequests(new VirtualClock(), 8);
    expect([again.ids, again.nanos]).toEqual([virtual.ids, virtual.nanos]);
    const real = await runRequests(new RealClock(), 8);
    expect(compareRuns(virtual, real).equal).toBe(true);
    // The last one comes at 420 ms.
    expect(Math.min(virtual.nanos, real.nanos)).toBeGreaterThan(420e6);
  });

  it("agree where ids are equal and durations within half a percent", () => {
    const run = (nanos: number, id: number) => ({ ids: { 0: [1, id] }, nanos, hostSeconds: 1 });
    expect(compareRuns(run(1000, 2), run(1005, 2))).toMatchObject({ equal: true, good: true });
    expect(compareRuns(run(1000, 2), run(1006, 2))).toMatchObject({ equal: true, good: false });
    expect(compareRuns(run(1000, 2), run(994, 2)).good).toBe(false);
    expect(compareRuns(run(1000, 2), run(1000, 3))).toMatchObject({ equal: false, good: false });
  });
});
