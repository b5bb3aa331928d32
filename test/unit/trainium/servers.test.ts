/** Servers of published tables: whose prompts pass together, and what a sweep's open loop is. */
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../device/clocks/virtual.ts";
import { DEFAULT_CONSTANTS } from "../../../device/trainium/constants.ts";
import {
  batchService,
  promptsTogether,
  stepThenPrompts,
} from "../../../scripts/commands/validate/batch-services.ts";
import { findArchitecture } from "../../../scripts/commands/validate/read/model.ts";
import type { Row } from "../../../scripts/commands/validate/rows.ts";
import type { Answered } from "../../../scripts/commands/validate/services.ts";
import { serve } from "../../../scripts/commands/validate/serving.ts";
import { type SetUp, setUpOf } from "../../../scripts/commands/validate/setup.ts";

/** A made-up row: nothing below is a published figure. */
function made(part: Partial<Row>): SetUp {
  const row: Row = {
    id: "made-up",
    source: "huggingface/optimum-neuron benchmark/vllm/some.csv",
    date: "2025-09-01",
    model: "Llama-3.1-8B",
    paramsB: "8",
    instance: "trn1.32xlarge",
    chips: "4",
    tp: "8",
    lnc: "1",
    dtype: "bf16",
    concurrency: "1",
    engineBatch: "32",
    inputLength: "1500 +/-150",
    outputLength: "250 +/-20",
    speculation: "n",
    kernelNotes: "optimum-neuron",
    metric: "TTFT",
    value: 10,
    unit: "ms",
    percentile: "mean",
    quality: "A",
    split: "calibrate",
    notes: "guidellm 0.1.0 emulated data",
    ...part,
  };
  const architecture = findArchitecture(row.model);
  if (architecture === undefined) throw new Error(`no config of ${row.model}`);
  const its = setUpOf(row, architecture, DEFAULT_CONSTANTS);
  if (typeof its === "string") throw new Error(its);
  return its;
}

const nkipy = (part: Partial<Row> = {}): SetUp =>
  made({
    source: "aws-neuron/nkipy nkipy_serving README.md",
    model: "Qwen3-0.6B",
    kernelNotes: "",
    notes: "",
    concurrency: "100 prompts, rate inf",
    engineBatch: "[16, 32]",
    inputLength: "ShareGPT",
    outputLength: "ShareGPT",
    ...part,
  });

describe("servers of published tables", () => {
  it("nkipy has the buckets of its config and the row buckets that a cell lists", () => {
    const { plan } = nkipy();
    expect(plan.stack.named?.rows).toEqual([16, 32]);
    expect(plan.stack.named?.tokens).toEqual([32, 128, 1024, 4096]);
    expect(plan.maxContext).toBe(4096);
  });

  it("nkipy answers prompts of one graph together, before it steps the others", () => {
    const firsts = (policy: typeof promptsTogether): readonly number[] => {
      const clock = new VirtualClock();
      const ask = batchService(nkipy(), clock, policy);
      const answered: Answered[] = [];
      for (let index = 0; index < 4; index++) ask(200, 4, (its) => answered.push(its));
      clock.runReady();
      return answered.map(({ first }) => first).sort((a, b) => a - b);
    };
    const together = firsts(promptsTogether);
    expect(together).toHaveLength(4);
    // The first prompt alone starts a turn; those that came meanwhile share the next graph.
    expect(together[1]).toBe(together[3]);
    const apart = firsts(stepThenPrompts);
    expect(apart[3]).toBeGreaterThan(apart[0] ?? 0);
  });

  it("no graph is compiled for less than the longest of spread lengths", () => {
    const its = made({
      kernelNotes: "vLLM",
      notes: "",
      source: "somebody/some-port README.md",
      concurrency: "4",
      engineBatch: "4",
      inputLength: "ShareGPT",
      outputLength: "ShareGPT",
    });
    expect(its.plan.maxContext).toBe(1024); // 217 + 216 and 186 + 185
  });

  it("answers of TGI end earlier than those of vLLM, seats are powers of two", () => {
    const vllm = made({});
    const tgi = made({ source: "huggingface/optimum-neuron tgi-results.csv", kernelNotes: "TGI" });
    expect(vllm.output).toBe(230);
    expect(tgi.output).toBe(175);
    const untold = made({ concurrency: "closed loop, in flight 26.1", engineBatch: "" });
    expect(untold.batch).toBe(32);
  });

  it("a sweep's open loop runs at the server's own limit, whatever rate was told", () => {
    const ttft = (concurrency: string): number => {
      const serving = serve(made({ concurrency }));
      if (typeof serving === "string") throw new Error(serving);
      return serving.metric("TTFT", "mean", false) ?? Number.NaN;
    };
    const slow = ttft("open loop asynchronous@0.5 req/sec");
    expect(ttft("open loop asynchronous@9 req/sec")).toBeCloseTo(slow, 6);
    // A rate of its own, in the words of another client, is what it says.
    expect(ttft("open loop 0.05 req/s")).toBeLessThan(slow);
  });
});
