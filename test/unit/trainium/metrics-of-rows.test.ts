/** What a row's metric is of its set-up's step and prompt: relations that any figures keep, and reasons where there is no price. */
import { describe, expect, it } from "vitest";
import { trainium2 } from "../../../device/trainium/chips/trainium2.ts";
import { DEFAULT_CONSTANTS } from "../../../device/trainium/constants.ts";
import { groupOfRow, peersTable, report } from "../../../scripts/commands/validate/json.ts";
import { type Priced, priceRow } from "../../../scripts/commands/validate/price.ts";
import { readFormats } from "../../../scripts/commands/validate/read/formats.ts";
import { quantileOf } from "../../../scripts/commands/validate/read/metric.ts";
import type { Row } from "../../../scripts/commands/validate/rows.ts";

/** Made up: nothing below is a published figure. */
const BASE: Row = {
  ...{ id: "made-up", source: "somebody/some-port README.md", date: "2026 (SDK 2.29)" },
  ...{ model: "Llama-3.1-8B", paramsB: "8", instance: "trn2.3xlarge", chips: "1", tp: "4" },
  ...{ lnc: "2", dtype: "bf16", concurrency: "1", engineBatch: "1", inputLength: "1024" },
  ...{ outputLength: "128", speculation: "n", kernelNotes: "", metric: "TPOT", value: 10 },
  ...{ unit: "ms", percentile: "p50", quality: "B", split: "calibrate", notes: "" },
};

const answer = (part: Partial<Row>) =>
  priceRow({ ...BASE, ...part }, { constants: DEFAULT_CONSTANTS });

function priced(part: Partial<Row>): Priced {
  const its = answer(part);
  if (!("predicted" in its)) throw new Error(its.reason);
  return its;
}

const predicted = (metric: string, part: Partial<Row> = {}): number =>
  priced({ metric, ...(/rate|throughput/.test(metric) && { unit: "tok/s" }), ...part }).predicted;

describe("metrics of a stream alone", () => {
  const step = predicted("TPOT");
  const first = predicted("TTFT");
  const whole = first + 127 * step;

  it.each([
    ["inter token latency", step],
    ["per_request_throughput", 1000 / step],
    ["decode_time_64_steps", 64 * step],
    ["e2e_latency", whole],
    ["latency_per_token", whole / 128],
    ["output_throughput", (1000 * 128) / whole],
    ["request_rate", 1000 / whole],
    ["sequence_throughput", (1000 * (1024 + 128)) / whole],
    ["total_token_throughput", (1000 * (1024 + 128)) / whole],
  ])("%s follows from its step and its first token", (metric, value) => {
    expect(predicted(metric)).toBeCloseTo(value, 9);
  });

  it("a static batch counts all of its streams, and its prompts stand before its answers", () => {
    const batch = { concurrency: "4 (static batch)", engineBatch: "4" };
    const [its, prompts] = [predicted("TPOT", batch), predicted("TTFT", batch)];
    expect(prompts).toBeGreaterThan(2 * first);
    const all = prompts + 127 * its;
    expect(predicted("e2e_latency", batch)).toBeCloseTo(all, 9);
    expect(predicted("output_throughput", batch)).toBeCloseTo((4 * 1000 * 128) / all, 9);
    expect(predicted("request_rate", batch)).toBeCloseTo(4000 / all, 9);
  });

  it("a rate beside no answer's length is that of its steps alone", () => {
    expect(predicted("output_throughput", { outputLength: "" })).toBeCloseTo(
      1000 / predicted("TPOT", { outputLength: "" }),
      9,
    );
  });

  it("says a measured rate as it is, and a measured time in milliseconds", () => {
    expect(priced({ metric: "e2e_latency", value: 2, unit: "s" }).measured).toBe(2000);
    expect(priced({ metric: "TPOT", value: 500, unit: "us" }).measured).toBe(0.5);
    expect(priced({ metric: "request_rate", value: 2, unit: "req/s" })).toMatchObject({
      measured: 2,
      rate: true,
    });
  });

  it.each<[Partial<Row>, RegExp]>([
    [{ metric: "TTFT", inputLength: "" }, /^no prompt length$/],
    [{ metric: "e2e_latency", inputLength: "" }, /^no prompt length$/],
    [{ metric: "e2e_latency", outputLength: "" }, /^no output length$/],
    [{ metric: "latency" }, /^metric "latency" is not one of a step's$/],
    [{ metric: "happiness" }, /^metric "happiness" is not one of a step's$/],
    [{ metric: "acceptance_rate" }, /an acceptance of drafts/],
    [{ metric: "load_time" }, /a start-up time, not a step/],
    [{ split: "" }, /a start-up time, not a step/],
    [{ value: 0 }, /no positive value/],
    [{ unit: "furlongs" }, /unit "furlongs" is not known/],
    [{ model: "unheard-of-7b" }, /no config in models\/catalog/],
    [{ concurrency: "8 (closed loop)" }, /serving is priced by the scheduler/],
    [{ metric: "MBU", inputLength: "1024" }, /a profile of another kind/],
  ])("without a price, %j: %s", (part, reason) => {
    const its = answer(part);
    expect("reason" in its && its.reason).toMatch(reason);
  });
});

describe("metrics of a pooled model", () => {
  const BERT = {
    ...{ model: "bert-large-uncased", instance: "inf2.xlarge", tp: "1", lnc: "1", paramsB: "" },
    ...{ concurrency: "4", engineBatch: "4", inputLength: "128", outputLength: "0" },
  };
  const of = (metric: string, part: Partial<Row> = {}): number =>
    predicted(metric, { ...BERT, ...part });

  it("a rate is the batch over its time, and data parallel has an engine a core", () => {
    const time = of("latency");
    expect(of("throughput", { unit: "inf/s" })).toBeCloseTo(4000 / time, 9);
    const kernelNotes = "encoder forward; run mode Data Parallel";
    const parallel = of("throughput", { unit: "inf/s", kernelNotes });
    // Two cores of one Inferentia2.
    expect(parallel).toBeCloseTo((2 * 4000) / of("latency", { kernelNotes }), 9);
    expect(of("latency", { engineBatch: "8", concurrency: "8" })).toBeGreaterThan(time);
    expect(of("latency", { inputLength: "256" })).toBeGreaterThan(time);
  });

  it("in a closed loop half of the clients wait for the others' batch", () => {
    const time = of("latency");
    expect(of("latency", { concurrency: "16 (closed loop)" })).toBeCloseTo(4 * time, 9);
    expect(of("latency", { concurrency: "4 (closed loop)" })).toBeCloseTo(2 * time, 9);
    expect(of("latency", { concurrency: "16 (closed loop)", percentile: "min" })).toBeCloseTo(
      time,
      9,
    );
  });

  it("has no steps", () => {
    const its = answer({ ...BERT, metric: "TPOT" });
    expect("reason" in its && its.reason).toMatch(/not one of a pooled model's/);
    const none = answer({ ...BERT, metric: "latency", inputLength: "" });
    expect("reason" in none && none.reason).toMatch(/no prompt length/);
  });
});

describe("profiles", () => {
  it("tell shares of the peaks: decode is bound by bytes, a prompt by FLOPs", () => {
    const at = (metric: string, kernelNotes: string): number =>
      predicted(metric, { inputLength: "", outputLength: "", unit: "%", kernelNotes });
    const decode = { bytes: at("MBU", "token generation"), flops: at("MFU", "token generation") };
    const prompt = { bytes: at("MBU", "context encoding"), flops: at("MFU", "context encoding") };
    for (const share of [...Object.values(decode), ...Object.values(prompt)]) {
      expect(share).toBeGreaterThan(0);
      expect(share).toBeLessThan(1);
    }
    expect(decode.bytes).toBeGreaterThan(decode.flops);
    expect(prompt.flops).toBeGreaterThan(decode.flops);
  });
});

describe("kernels and collectives", () => {
  const KERNEL = { model: "", inputLength: "2048", unit: "us" };

  it.each<[Partial<Row>, RegExp]>([
    [{ metric: "attention_latency", inputLength: "long" }, /no length/],
    [{ metric: "attention_latency", kernelNotes: "v3" }, /a tutorial stage/],
    [{ metric: "attention_latency", inputLength: "16384", kernelNotes: "v10" }, /exceed SBUF/],
    [{ metric: "dma_efficiency", inputLength: "" }, /no bytes/],
    [{ metric: "ratio_of_machines" }, /a marketing ratio/],
    [{ metric: "matmul_latency" }, /outside the decoder's vocabulary/],
    [{ metric: "runtime_overhead", kernelNotes: "some graph" }, /the graph is not described/],
    [{ metric: "all_reduce_latency", model: "r=?" }, /no ranks or bytes/],
    [{ metric: "all_reduce_latency", model: "r=32", notes: "2 concurrent streams" }, /two streams/],
    [{ metric: "all_reduce_latency", model: "r=32", notes: "300 us floor" }, /not a hardware/],
    [{ metric: "permute_latency", model: "r=32" }, /of another kind/],
  ])("without a price, %j: %s", (part, reason) => {
    const its = answer({ ...KERNEL, ...part });
    expect("reason" in its && its.reason).toMatch(reason);
  });

  it("attention grows with the square of its length, a ring with bytes and ranks", () => {
    const attention = (inputLength: string): number =>
      predicted("attention_latency", { ...KERNEL, inputLength, kernelNotes: "v10" });
    expect(attention("4096") / attention("2048")).toBeGreaterThan(3);
    const ring = (ranks: number, bytes: string): number =>
      predicted("all_reduce_latency", { ...KERNEL, model: `r=${ranks}`, inputLength: bytes });
    expect(ring(32, "67108864")).toBeGreaterThan(ring(32, "1048576"));
    const gap = predicted("runtime_overhead", { ...KERNEL, kernelNotes: "gap between graphs" });
    const jitter = predicted("runtime_overhead", { ...KERNEL, kernelNotes: "jitter" });
    expect(gap).toBeGreaterThan(0);
    expect(jitter).not.toBe(gap);
    // Bytes of a descriptor decide how much of the ceiling is reached.
    const share = (inputLength: string): number =>
      predicted("dma_efficiency", { ...KERNEL, inputLength });
    expect(share("512")).toBeLessThan(share("4096"));
    expect(share("1000000")).toBeLessThanOrEqual(1);
  });

  it.each([
    ["all_reduce_latency", "collectives"],
    ["attention_latency", "kernels"],
    ["matmul_latency", "kernels"],
    ["runtime_overhead", "runtime"],
    ["ratio_of_machines", "runtime"],
    ["MBU", "profiles"],
  ])("%s without a price stands among %s", (metric, group) => {
    expect(groupOfRow({ ...BASE, metric })).toBe(group);
  });
});

describe("words of percentiles and formats", () => {
  it.each([
    ["p99.9", 0.999],
    ["P50", 0.5],
    ["median", 0.5],
    ["min", 0],
    ["peak", 1],
    ["max", 1],
    ["average", "mean"],
    ["", "mean"],
  ])("%s is the quantile %s", (text, quantile) => {
    const found = quantileOf(text);
    if (typeof quantile === "number") expect(found).toBeCloseTo(quantile, 12);
    else expect(found).toBe(quantile);
  });

  it("what is no percentile is refused with its word", () => {
    expect(() => quantileOf("lucky")).toThrow('percentile "lucky" is not known');
  });

  it.each([
    ["bf16", { dense: "bf16", experts: "bf16", kv: "bf16" }],
    ["fp8 weights, bf16 activations", { dense: "fp8", experts: "fp8", kv: "bf16" }],
    ["bf16, KV cache fp8", { dense: "bf16", experts: "bf16", kv: "fp8" }],
    ["fp8 experts bf16 attention", { dense: "bf16", experts: "fp8", kv: "bf16" }],
    ["MXFP4 experts dequantized to bf16", { dense: "bf16", experts: "bf16", kv: "bf16" }],
    ["FP32 model, matmul autocast bf16", { dense: "bf16", experts: "bf16", kv: "bf16" }],
    ["f32", { dense: "f32", experts: "f32", kv: "bf16" }],
  ])("%s", (text, formats) => {
    expect(readFormats(text, trainium2)[0]).toEqual(formats);
  });

  it("two sizes for one thing are refused", () => {
    expect(() => readFormats("fp8 bf16", trainium2)).toThrow("two formats of different sizes");
  });
});

describe("a report", () => {
  it("of nothing has no share, and of rows without a price no error", () => {
    expect(report([])).toMatchObject({ rows: 0, priced: 0, share: null, groups: {} });
    const lost = answer({ dtype: "posit8" });
    const { groups } = report([lost]) as { groups: Record<string, Record<string, unknown>> };
    expect(groups["dense decode"]).toMatchObject({
      ...{ rows: 1, priced: 0, meanError: null, meanErrorWithRefused: 2, medianFactor: null },
      peers: { fittedFloor: { factor: null } },
    });
    expect(peersTable([lost])).toMatch(/dense decode.*–/);
  });
});
