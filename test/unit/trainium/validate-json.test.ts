import { describe, expect, it } from "vitest";
import { DEFAULT_CONSTANTS } from "../../../device/trainium/constants.ts";
import { floorNanos } from "../../../device/trainium/price/floor.ts";
import {
  constantsHash,
  groupOfRow,
  groupsOf,
  report,
} from "../../../scripts/commands/validate/json.ts";
import { type Answer, type Priced, priceRow } from "../../../scripts/commands/validate/price.ts";
import { findArchitecture } from "../../../scripts/commands/validate/read/model.ts";
import type { Row } from "../../../scripts/commands/validate/rows.ts";
import { setUpOf } from "../../../scripts/commands/validate/setup.ts";

/** Made up: nothing here is a published figure. */
const ROW: Row = {
  id: "m1",
  source: "somebody/some-port README.md",
  date: "2026",
  model: "Llama-3.1-8B",
  paramsB: "8",
  instance: "trn2.3xlarge",
  chips: "1",
  tp: "4",
  lnc: "2",
  dtype: "bf16",
  concurrency: "1",
  engineBatch: "1",
  inputLength: "1024",
  outputLength: "128",
  speculation: "n",
  kernelNotes: "",
  metric: "TPOT",
  value: 1,
  unit: "ms",
  percentile: "mean",
  quality: "B",
  split: "calibrate",
  notes: "",
};

const answer = (part: Partial<Row>): Answer =>
  priceRow({ ...ROW, ...part }, { constants: DEFAULT_CONSTANTS });

/** A row measured at so many times its prediction. */
function off(times: number, part: Partial<Row> = {}): Answer {
  const first = answer(part);
  if (!("predicted" in first)) throw new Error(first.reason);
  return answer({ ...part, value: first.predicted * times });
}

describe("--json", () => {
  it("tells errors by set-up, with refused set-ups as off by a factor of 3", () => {
    const groups = report([
      off(2, { id: "a" }),
      off(1, { id: "b", inputLength: "2048" }),
      answer({ id: "c", dtype: "posit8" }),
      answer({ id: "d", dtype: "posit8", metric: "TTFT" }),
    ])["groups"] as Record<string, { [key: string]: unknown }>;
    expect(groups["dense decode"]).toMatchObject({ rows: 3, priced: 2, setUps: 2, tables: 1 });
    expect(groups["dense decode"]?.["meanError"]).toBeCloseTo(0.25);
    expect(groups["dense decode"]?.["meanErrorWithRefused"]).toBeCloseTo((0.5 + 0 + 2) / 3);
    expect(groups["dense decode"]?.["medianFactor"]).toBeCloseTo(Math.sqrt(2));
    expect(groups["prefill"]).toMatchObject({ rows: 1, priced: 0, meanError: null });
    expect(groups["prefill"]?.["refused"]).toEqual({ "unread words (dtype_quant: posit8)": 1 });
  });

  it("keeps sanity rows and tails apart", () => {
    const { groups, tails, sanity } = report([
      off(1),
      off(1, { split: "sanity" }),
      off(1, { percentile: "p90" }),
    ]) as Record<string, Record<string, { rows: number }>>;
    for (const part of [groups, tails, sanity]) expect(part?.["dense decode"]?.rows).toBe(1);
  });

  it("a floor times its fitted factor errs no more than as it is, whatever the figure", () => {
    const its = [
      off(1),
      off(1, { metric: "output_throughput", unit: "tok/s", outputLength: "64" }),
    ];
    const groups = groupsOf(its);
    const { floor, fittedFloor } = groups["dense decode"]?.peers ?? {};
    expect(fittedFloor?.factor).toBeGreaterThan(1);
    expect(fittedFloor?.meanError).toBeLessThan(floor?.meanError ?? 0);
  });

  it.each([
    [{ metric: "ITL", model: "Some-MoE-40B-A3B" }, "MoE decode"],
    [{ metric: "TPOT", model: "unheard-of-7b" }, "dense decode"],
    [{ metric: "TTFT" }, "prefill"],
    [{ metric: "TTFT", concurrency: "16 (closed loop)" }, "serving"],
    [{ metric: "latency", outputLength: "0" }, "prefill"],
    [{ metric: "MFU" }, "profiles"],
  ])("a row without a price still has a group: %j", (part, group) => {
    expect(groupOfRow({ ...ROW, ...part })).toBe(group);
  });

  it("names its constants by a hash", () => {
    expect(constantsHash()).toMatch(/^[0-9a-f]{16}$/);
  });
});

describe("the floor", () => {
  it.each([
    ["Llama-3.1-8B", "4", "trn2.3xlarge"],
    ["GPT-OSS-20B", "4", "trn2.3xlarge"],
    ["DeepSeek-V3", "64", "trn2.48xlarge"],
    ["Llama-2-13b", "24", "inf2.48xlarge"],
  ])("of %s is below the prediction, and grows with rows and context", (model, tp, instance) => {
    const priced = off(1, { model, tp, instance, lnc: "" }) as Priced;
    expect(priced.floor).toBeGreaterThan(0);
    expect(priced.floor).toBeLessThan(priced.predicted);
    const architecture = findArchitecture(model);
    const setUp =
      architecture &&
      setUpOf({ ...ROW, model, tp, instance, lnc: "" }, architecture, DEFAULT_CONSTANTS);
    if (setUp === undefined || typeof setUp === "string") throw new Error("no set-up");
    const at = (rows: number, context: number): number =>
      floorNanos(setUp.plan, { phase: "decode", rows, queries: 1, context });
    expect(at(8, 1024)).toBeGreaterThan(at(1, 1024));
    expect(at(8, 4096)).toBeGreaterThan(at(8, 1024));
  });
});
