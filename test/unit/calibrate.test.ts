import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Effects } from "../../device/trainium/effects.ts";
import { projectPath } from "../../models/weights/project-files.ts";
import { fromRows, learntText } from "../../scripts/commands/calibrate/main.ts";
import {
  calibratedMarkdown,
  readCalibrated,
} from "../../scripts/commands/validate/calibrate-left-out.ts";
import { constantsHash } from "../../scripts/commands/validate/json.ts";
import type { Row } from "../../scripts/commands/validate/rows.ts";
import { type Measurement, solve } from "../../scripts/commands/validate/solve.ts";

/** ms of a step of 10 with 2 of the host's, and of a prompt of 100 with 20. */
const step = ({ decode }: Effects): number => 8 * decode + 2;
const prompt = ({ prefill }: Effects): number => 80 * prefill + 20;
const of = (predicted: (its: Effects) => number, truth: Effects): Measurement => ({
  predicted,
  measured: predicted(truth),
});

describe("two measurements of a table left out", () => {
  const kept = readCalibrated();

  it("were taken with these constants: run `trainyard validate --calibrate-left-out --save` after a change", () => {
    expect(kept?.constants).toBe(constantsHash());
  });

  it("stand in the README, and are worth something in every group", () => {
    if (kept === undefined) throw new Error("nothing kept");
    const readme = readFileSync(
      projectPath("scripts", "commands", "calibrate", "README.md"),
      "utf8",
    );
    expect(readme).toContain(calibratedMarkdown(kept));
    for (const { group, before, after } of kept.groups) expect(after, group).toBeLessThan(before);
  });
});

describe("calibrate", () => {
  it.each([
    { decode: 1.3, prefill: 0.7 },
    { decode: 0.5, prefill: 2.5 },
    { decode: 1, prefill: 1 },
  ])("two measurements find the effects they were made with: %j", (truth) => {
    const { effects, unknown, after } = solve([of(step, truth), of(prompt, truth)]);
    expect(effects.decode / truth.decode).toBeCloseTo(1, 1);
    expect(effects.prefill / truth.prefill).toBeCloseTo(1, 1);
    expect(unknown).toEqual([]);
    expect(after).toBeLessThan(0.01);
  });

  it("latencies of both kinds part them", () => {
    const truth = { decode: 1.4, prefill: 0.8 };
    const whole = (answers: number) => (its: Effects) => prompt(its) + answers * step(its);
    const { effects } = solve([of(whole(10), truth), of(whole(200), truth)]);
    expect(effects.decode).toBeCloseTo(1.4, 1);
    expect(effects.prefill).toBeCloseTo(0.8, 1);
  });

  it("says what no measurement can tell, and leaves it at 1", () => {
    const solution = solve([of(step, { decode: 1.2, prefill: 3 })]);
    expect(solution.unknown).toEqual(["prefill"]);
    expect(solution.effects.prefill).toBe(1);
    const text = learntText([of(step, { decode: 1.2, prefill: 3 })], solution);
    expect(text).toMatch(/Not learnt: prompts/);
    expect(text).toMatch(/One measurement/);
  });

  it("contradicting measurements meet between them", () => {
    const { effects } = solve([
      of(step, { decode: 1.2, prefill: 1 }),
      of(step, { decode: 1.5, prefill: 1 }),
    ]);
    expect(effects.decode).toBeGreaterThan(1.2);
    expect(effects.decode).toBeLessThan(1.5);
  });

  it("takes a user's rows of few columns, and says why others are not used", () => {
    const empty = Object.fromEntries(
      "id source date model paramsB instance chips tp lnc dtype concurrency engineBatch inputLength outputLength speculation kernelNotes metric unit percentile quality split notes"
        .split(" ")
        .map((key) => [key, ""]),
    ) as unknown as Row;
    const row: Row = {
      ...empty,
      model: "llama 3.1 8b",
      instance: "trn2.3xlarge",
      tp: "4",
      inputLength: "1K",
      metric: "TPOT",
      unit: "ms",
      value: 12,
    };
    const { measurements, refused } = fromRows([row, { ...row, model: "nobody-7b" }]);
    expect(measurements).toHaveLength(1);
    expect(refused[0]).toMatch(/row 2: TPOT: no config/);
    const [one] = measurements;
    const twice = one?.predicted({ decode: 2, prefill: 1 }) ?? 0;
    expect(twice / (one?.predicted({ decode: 1, prefill: 1 }) ?? 1)).toBeGreaterThan(1.9);
  });
});
