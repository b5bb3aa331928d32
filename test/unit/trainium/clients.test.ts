import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../device/clocks/virtual.ts";
import {
  guidedThroughput,
  type Lengths,
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
});
