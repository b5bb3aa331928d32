import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../device/clocks/virtual.ts";
import {
  guidedRate,
  guidedThroughput,
  type Lengths,
  loops,
  type Run,
  waves,
} from "../../../scripts/commands/validate/clients.ts";
import type { Site } from "../../../scripts/commands/validate/services.ts";

const lengths: Lengths = {
  prompt: 1500,
  output: 10,
  promptSpread: 0,
  outputSpread: 0,
  endEarly: 0,
};

/** Answers anything after a second; remembers when it was asked. */
function slowSite(): { readonly site: Site; readonly asked: number[] } {
  const clock = new VirtualClock();
  const asked: number[] = [];
  const service: Site["services"][number] = (_prompt, tokens, done) => {
    const arrival = clock.now();
    asked.push(arrival / 1e9);
    clock.at(arrival + 1e9, () =>
      done({ arrival, first: arrival + 1, end: clock.now(), tokens, gaps: [] }),
    );
  };
  return { site: { clock, services: [service] }, asked };
}

describe("load generators", () => {
  it("llmperf asks in waves: all at once, or one after another as it draws them", () => {
    const ready = slowSite();
    const run: Run = waves(ready.site, lengths, { requests: 3, drawn: false });
    expect(ready.asked.slice(0, 6)).toEqual([0, 0, 0, 1, 1, 1]);
    expect(run.counted).toHaveLength(24);
    const drawn = slowSite();
    waves(drawn.site, lengths, { requests: 3, drawn: true });
    const [first = 0, second = 0, third = 0, next = 0] = drawn.asked;
    expect(first).toBeGreaterThan(0);
    expect(second - first).toBeCloseTo(first);
    expect(next - third).toBeCloseTo(1 + first); // the last answer, then a draw
  });

  it("guidellm has 50 prompts ready, further ones come as it draws them", () => {
    const { site, asked } = slowSite();
    guidedThroughput(site, lengths, { clients: 127, requests: 60 });
    expect(asked.filter((at) => at === 0)).toHaveLength(50);
    const later = asked.slice(50);
    expect(later).toHaveLength(10);
    expect(Math.min(...later)).toBeGreaterThan(0.04);
    expect(later[9]).toBeGreaterThan(0.4);
  });

  it("guidellm's open loop asks on time, and no more at once than it allows", () => {
    const idle = slowSite();
    guidedRate(idle.site, lengths, { gap: 2e9, clients: 4 });
    expect(idle.asked.slice(0, 4)).toEqual([0, 2, 4, 6]);
    expect(idle.asked).toHaveLength(60);
    const busy = slowSite();
    guidedRate(busy.site, lengths, { gap: 1e8, clients: 4 });
    const inFlight = busy.asked.map(
      (at) => busy.asked.filter((other) => other <= at && other > at - 1 + 1e-6).length,
    );
    expect(Math.max(...inFlight)).toBe(4);
    // Ten a second are asked for, four are answered: they come later, they do not queue.
    expect(busy.asked.length).toBeLessThan(4 * 121);
    expect(busy.asked.length).toBeGreaterThan(3.5 * 120);
  });

  it("a client that asks again does so a round trip after the answer", () => {
    const { site, asked } = slowSite();
    loops(site, lengths, { clients: 1, requests: 3 });
    expect(asked).toEqual([0, 1.001, 2.002]);
  });

  it("lengths have the mean that is told, however few are drawn", () => {
    const clock = new VirtualClock();
    const drawn: (readonly [number, number])[] = [];
    const service: Site["services"][number] = (prompt, tokens, done) => {
      drawn.push([prompt, tokens]);
      done({ arrival: 0, first: 1, end: 2, tokens, gaps: [] });
    };
    const spread = { ...lengths, prompt: 200, promptSpread: 199, output: 180, outputSpread: 179 };
    loops({ clock, services: [service] }, spread, { clients: 1, requests: 40 });
    const mean = (at: 0 | 1): number => drawn.reduce((sum, its) => sum + its[at], 0) / drawn.length;
    expect(mean(0) / 200).toBeCloseTo(1, 1);
    expect(mean(1) / 180).toBeCloseTo(1, 1);
    expect(Math.min(...drawn.map(([prompt]) => prompt))).toBeLessThan(30);
    expect(Math.max(...drawn.map(([prompt]) => prompt))).toBeGreaterThan(370);
  });
});
