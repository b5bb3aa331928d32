import { expect, it } from "vitest";
import { EngineTrack, type Step } from "../../../server/web/src/live/track.ts";

it("what came first is drawn, though its half second began before anybody looked", () => {
  const track = new EngineTrack();
  const [opened, later] = [12.3, 40];
  const step = (at_seconds: number): Step => ({
    ...{ at_seconds, engine: 0, duration_ms: 1, rows: 1, tokens: 1, prompt_rows: 0 },
    ...{ prompt_tokens: 0, running: 1, waiting: 0, kv_usage: 0, preemptions: 0, skipped: 0 },
    ...{ output_tokens: 1, drafted: 0, accepted: 0 },
  });
  for (const at of [11.9, 12.35, 12.4, 13]) track.step(step(at));
  expect(track.binsOf(opened, later).map(({ tokens }) => tokens)).toEqual([2, 1]);
  expect(track.binsOf(opened, 12.9).map(({ tokens }) => tokens)).toEqual([2]);
});
