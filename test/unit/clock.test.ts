/** One order of time, two drivers. */
import { describe, expect, it, vi } from "vitest";
import { MILLISECOND } from "../../device/clock.ts";
import { RealClock } from "../../device/clocks/real.ts";
import { VirtualClock } from "../../device/clocks/virtual.ts";

describe("virtual clock", () => {
  it("orders by time, then arrivals before steps, then insertion", () => {
    const clock = new VirtualClock();
    const order: string[] = [];
    clock.at(5, () => order.push("step a"), "step");
    clock.at(5, () => order.push("arrival a"));
    clock.at(3, () => order.push("early"), "step");
    clock.at(5, () => order.push("step b"), "step");
    clock.at(5, () => order.push("arrival b"), "arrival");
    clock.runReady();
    expect(order).toEqual(["early", "arrival a", "arrival b", "step a", "step b"]);
    expect(clock.now()).toBe(5);
  });

  it("runs a thousand random times in order", () => {
    const clock = new VirtualClock();
    const seen: number[] = [];
    for (let i = 0; i < 1000; i++) clock.at((i * 7919) % 503, () => seen.push(clock.now()));
    clock.runReady();
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen).toHaveLength(1000);
  });

  it("takes the past for now, and never runs inside `at`", () => {
    const clock = new VirtualClock();
    clock.at(10, () => {
      let ran = false;
      clock.at(1, () => {
        ran = true;
        expect(clock.now()).toBe(10);
      });
      expect(ran).toBe(false);
    });
    clock.runReady();
  });

  it("cancels, and knows what is next", () => {
    const clock = new VirtualClock();
    let ran = 0;
    const cancel = clock.at(1, () => ran++);
    clock.at(2, () => ran++);
    expect(clock.next()).toBe(1);
    cancel();
    expect(clock.next()).toBe(2);
    clock.runReady();
    expect(ran).toBe(1);
    expect(clock.next()).toBeUndefined();
  });

  it("stops at `until` and goes on later", () => {
    const clock = new VirtualClock();
    const seen: number[] = [];
    for (const when of [1, 2, 3]) clock.at(when, () => seen.push(when));
    clock.runReady(2);
    expect(seen).toEqual([1, 2]);
    clock.runReady();
    expect(seen).toEqual([1, 2, 3]);
  });

  it("waits for what is held", async () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    clock.at(1, () => {
      const release = clock.hold();
      setImmediate(() => {
        seen.push("outside");
        release();
        release(); // twice is once
      });
    });
    clock.at(2, () => seen.push("after"));
    await clock.run();
    expect(seen).toEqual(["outside", "after"]);
  });
});

describe("what waits until all is settled", () => {
  it("comes at once in virtual time, and early in a step in real time", () => {
    let ran = 0;
    new VirtualClock().settled(MILLISECOND, () => ran++);
    expect(ran).toBe(1);
    vi.useFakeTimers({ toFake: ["setTimeout"] });
    const clock = new RealClock();
    const settled: string[] = [];
    clock.settled(3_600_000 * MILLISECOND, () => settled.push("after an hour's step"));
    clock.settled(6 * MILLISECOND, () => settled.push("after a step of 6 ms"));
    vi.advanceTimersByTime(1);
    expect(settled).toEqual(["after a step of 6 ms"]);
    vi.advanceTimersByTime(2);
    expect(settled).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(settled).toEqual(["after a step of 6 ms", "after an hour's step"]);
    vi.useRealTimers();
  });
});

describe("real clock", () => {
  it("keeps the order of steps when the event loop is late for several", async () => {
    const clock = new RealClock();
    const order: number[] = [];
    const start = clock.now();
    await new Promise<void>((resolve) => {
      // The first is slept for, the second is short enough to be turned for: both are past when the loop is free.
      clock.at(start + 4 * MILLISECOND, () => order.push(4), "step");
      setTimeout(() => {
        clock.at(start + 5 * MILLISECOND, () => order.push(5), "step");
        clock.at(start + 3 * MILLISECOND, () => order.push(3), "step")();
        while (clock.now() < start + 8 * MILLISECOND);
        setTimeout(resolve, 20);
      }, 1);
    });
    expect(order).toEqual([4, 5]);
  });

  it("calls back at or after the time, cancelled ones never", async () => {
    const clock = new RealClock();
    const start = clock.now();
    let cancelled = false;
    clock.at(start + MILLISECOND, () => {
      cancelled = true;
    })();
    const calledAt = (milliseconds: number): Promise<number> =>
      new Promise((resolve) => {
        clock.at(start + milliseconds * MILLISECOND, () => resolve(clock.now() - start));
      });
    const [late, early] = await Promise.all([calledAt(4), calledAt(2)]);
    expect(early).toBeGreaterThanOrEqual(2 * MILLISECOND);
    expect(late).toBeGreaterThanOrEqual(4 * MILLISECOND);
    expect(cancelled).toBe(false);
  });
});
