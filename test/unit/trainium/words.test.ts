import { describe, expect, it } from "vitest";
import { DEFAULT_CONSTANTS } from "../../../device/trainium/constants.ts";
import { priceRow } from "../../../scripts/commands/validate/price.ts";
import { isMiddle } from "../../../scripts/commands/validate/read/metric.ts";
import { findArchitecture } from "../../../scripts/commands/validate/read/model.ts";
import { countOf } from "../../../scripts/commands/validate/read/words.ts";
import type { Row } from "../../../scripts/commands/validate/rows.ts";
import { type SetUp, setUpOf } from "../../../scripts/commands/validate/setup.ts";

/** A made-up row: nothing below is a published figure. */
const BASE: Row = {
  id: "made-up",
  source: "somebody/some-port README.md",
  date: "2026 (SDK 2.29)",
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
  value: 10,
  unit: "ms",
  percentile: "mean",
  quality: "B",
  split: "calibrate",
  notes: "",
};

function read(part: Partial<Row>): SetUp | string {
  const row = { ...BASE, ...part };
  const architecture = findArchitecture(row.model);
  if (architecture === undefined) throw new Error(`no config of ${row.model}`);
  return setUpOf(row, architecture, DEFAULT_CONSTANTS);
}

function set(part: Partial<Row>): SetUp {
  const its = read(part);
  if (typeof its === "string") throw new Error(its);
  return its;
}

describe("words of made-up rows", () => {
  it.each([
    ["10,000", 10_000],
    ["1,048,576", 1_048_576],
    ["8K", 8192],
    ["12k", 12_288],
    ["10K", 10_000],
    ["1.5K", 1500],
    ["1M", 1_048_576],
    [",", Number.NaN],
    ["many", Number.NaN],
  ])("%s is a count of %d", (text, count) => {
    expect(countOf(text)).toBe(count);
  });

  it.each<[Partial<Row>, Partial<Pick<SetUp, "prompt" | "output" | "compiled" | "bucket">>]>([
    [
      { inputLength: "8K", outputLength: "1K" },
      { prompt: 8192, output: 1024 },
    ],
    [{ inputLength: "~10,000 tokens" }, { prompt: 10_000 }],
    [{ inputLength: "sonnet, avg 512" }, { prompt: 512 }],
    [{ inputLength: "17 (seq_len 512)" }, { prompt: 17, compiled: 512 }],
    [
      { inputLength: "512-token bucket", outputLength: "" },
      { prompt: 512, bucket: 512 },
    ],
    [
      { inputLength: "64 bucket", outputLength: "seq_len 256" },
      { prompt: 64, output: 192 },
    ],
    [{ inputLength: "two images and text, video" }, { prompt: undefined }],
    [{ inputLength: "chat prompt" }, { prompt: undefined }],
    [{ inputLength: "8192 (8K)" }, { prompt: 8192 }],
    [
      { inputLength: "8K/1K", outputLength: "1K" },
      { prompt: 8192, output: 1024 },
    ],
    [{ inputLength: "image 640x480" }, { prompt: undefined }],
  ])("lengths %j", (part, expected) => {
    const its = read(part);
    if (typeof its === "string") expect(its).toMatch(/unread words \(input_len: two\)/);
    else expect(its).toMatchObject(expected);
  });

  it("a maximum context beside a sequence length is the longest prompt's", () => {
    const both = set({ notes: "max context 1536, seq-len 2560" });
    expect([both.plan.maxContext, both.plan.maxTokens]).toEqual([2560, 1536]);
    const alone = set({ notes: "max context 4096" });
    expect([alone.plan.maxContext, alone.plan.maxTokens]).toEqual([4096, 4096]);
  });

  it("a decode graph is never compiled for less than the prompt and its answer", () => {
    expect(set({ inputLength: "4096", outputLength: "4096" }).plan.maxContext).toBe(8192);
    const optimum = { kernelNotes: "optimum-neuron", inputLength: "6,000", outputLength: "500" };
    expect(set(optimum).plan.maxContext).toBeGreaterThanOrEqual(6500);
  });

  it.each<[string, Partial<SetUp>]>([
    ["32 (closed loop, in flight 29.1)", { loop: "closed", live: 32, clients: true }],
    ["closed loop, in flight 29.1", { loop: "closed", live: 29.1, clients: false }],
    ["16 concurrent users", { loop: "closed", live: 16 }],
    ["max-concurrency 24", { loop: "closed", live: 24 }],
    ["open loop asynchronous@2.5 req/sec, in flight 6.0", { loop: "open", rate: 2.5 }],
    ["4 req/s (poisson)", { loop: "open", rate: 4 }],
    ["200 prompts, rate inf", { loop: "closed", live: 200, requests: 200 }],
    ["1 (synchronous)", { loop: "single", live: 1 }],
    ["8 (static batch)", { loop: "static", live: 8 }],
  ])("concurrency %s", (concurrency, expected) => {
    expect(set({ concurrency, engineBatch: "8" })).toMatchObject(expected);
  });

  it.each<[string, Partial<SetUp>]>([
    ["[8,16,48]", { batch: 48 }],
    ["16 x DP2", { batch: 16, replicas: 2 }],
    ["ctx batch 1 / tkg batch 8", { batch: 8 }],
    ["BS=24", { batch: 24 }],
    ["1 (ctx), 4 (tkg)", { batch: 4 }],
    ["24 x DP3 (72)", { batch: 24, replicas: 3 }],
  ])("seats %s", (engineBatch, expected) => {
    expect(set({ engineBatch })).toMatchObject(expected);
  });

  it.each([
    ["EP=16", 16],
    ["ep 16", 16],
    ["MoE EP16", 16],
    ["moe_ep_degree 16", 16],
    ["expert parallelism 16", 16],
    ["", 1],
  ])("expert parallelism, however it is spelt: %j", (kernelNotes, expertParallel) => {
    const its = set({ model: "Qwen3-30B-A3B", kernelNotes });
    expect(its.plan.expertParallel).toBe(expertParallel);
  });

  it.each([
    ["attention TKG block kernel", ["fused-attention"], []],
    ["QKV + MLP NKI kernels", ["fused-qkv", "fused-mlp"], []],
    ["NKI kernels: fused QKV, MLP", ["fused-qkv", "fused-mlp"], []],
    ["fused MoE kernel, no MLP kernel", ["fused-moe"], ["fused-mlp"]],
    ["all NKI kernels enabled", ["fused-attention", "fused-moe", "fused-mlp"], []],
    ["no kernels", ["flash-attention"], ["fused-qkv", "fused-mlp"]],
    ["prefill attention kernel", ["flash-attention"], ["fused-attention"]],
  ] as const)("kernels in words: %s", (kernelNotes, on, off) => {
    const { kernels } = set({ kernelNotes }).plan;
    for (const kernel of on) expect(kernels.has(kernel), kernel).toBe(true);
    for (const kernel of off) expect(kernels.has(kernel), kernel).toBe(false);
  });

  it.each([
    ["fp8 experts, bf16 attention", "bf16", "fp8", "bf16"],
    ["bf16 attention + fp8 MoE", "bf16", "fp8", "bf16"],
    ["f8e4m3 per-channel", "fp8", "fp8", "bf16"],
    ["W8A16", "int8", "int8", "bf16"],
    ["weights int8, matmul autocast bf16", "int8", "int8", "bf16"],
    ["FP32 model, matmul autocast bf16", "bf16", "bf16", "bf16"],
    ["bf16, fp8 KV cache", "bf16", "bf16", "fp8"],
    ["MXFP4 experts", "bf16", "bf16", "bf16"], // Trainium2 dequantises
    ["bf16 (MXFP4 dequantised)", "bf16", "bf16", "bf16"],
  ])("formats %s", (dtype, dense, experts, kv) => {
    expect(set({ dtype }).plan.formats).toEqual({ dense, experts, kv });
  });

  it.each([
    ["y: EAGLE3, 4 speculative tokens", 4, "head"],
    ["yes (Medusa, K=5)", 5, "parallel"],
    ["y: Llama-3.2-1B draft, speculation length 7", 7, "model"],
    ["y: fused speculation with a Llama-3.2-1B-Instruct draft, K=3", 3, "model"],
  ])("drafts are priced: %s", (speculation, tokens, kind) => {
    expect(set({ speculation }).draft).toMatchObject({ tokens, kind });
    const priced = (its: string): number => {
      const answer = priceRow({ ...BASE, speculation: its }, { constants: DEFAULT_CONSTANTS });
      return "predicted" in answer ? answer.predicted : Number.NaN;
    };
    expect(priced(speculation)).toBeGreaterThan(0);
    expect(priced(speculation)).not.toBeCloseTo(priced("n"));
  });

  it.each<[Partial<Row>, RegExp]>([
    [{ kernelNotes: "zigzag mode" }, /kernel_notes: zigzag/],
    [{ kernelNotes: "fused frobnication kernel" }, /frobnication/],
    [{ dtype: "posit8" }, /dtype_quant: posit8/],
    [{ concurrency: "several" }, /batch_or_concurrency: several/],
    [{ engineBatch: "huge" }, /engine_batch: huge/],
    [{ inputLength: "a novel" }, /input_len: novel/],
    [{ speculation: "y: lookahead oracle" }, /untold number of tokens/],
    [{ instance: "trn9.48xlarge" }, /not known/],
    [{ instance: "trn1 vs trn2" }, /not one machine/],
    [{ kernelNotes: "EAGLE3" }, /speculation that spec_decode does not tell/],
    [{ concurrency: "1-8" }, /batch_or_concurrency: 8/],
    [{ tp: "" }, /tensor parallelism/],
    [{ lnc: "4" }, /LNC 4/],
    [{ kernelNotes: "prefix caching, 90 % hit" }, /not modelled: prefix caching/],
    [{ notes: "served with 4 LoRA adapters" }, /not modelled: LoRA/],
    [{ notes: "compiled with block size 16 and k=3" }, /unread words \(notes: block size 16/],
  ])("refused with the words or the physics: %j", (part, reason) => {
    expect(read(part)).toMatch(reason);
  });

  it("what is said to be off is not refused, prose is no setting", () => {
    const notes = "prefix caching off; 20 % slower than a batch of 8 on another day";
    expect(typeof read({ kernelNotes: "no prefix caching", notes })).toBe("object");
  });

  it.each([
    ["meta-llama/Meta-Llama-3-70B-Instruct", 80],
    ["Llama 3.1 405B", 126],
    ["llama3.2-3b-instruct", 28],
    ["Qwen/Qwen2.5-7B-Instruct", 28],
    ["qwen-3-32b", 64],
    ["gpt_oss_20b", 24],
    ["Mixtral 8x22B Instruct v0.1", 56],
    ["DeepSeek-V3-0324", 61],
    ["Qwen3-235B-A22B-Instruct-2507-FP8", 94],
  ])("the config of %s, however it is spelt", (name, layers) => {
    expect(findArchitecture(name)?.layers).toHaveLength(layers);
  });

  it("p90, p99, minima and peaks are no middles", () => {
    const middles = ["mean", "p50", "median", "approx", "", "p90", "p95", "p99", "min", "peak"];
    expect(middles.filter((percentile) => isMiddle({ ...BASE, percentile }))).toEqual(
      middles.slice(0, 5),
    );
  });

  it("TGI compiles every power of two at batch 1, one context above", () => {
    const row = {
      kernelNotes: "TGI batch size 1",
      notes: "guidellm",
      source: "x git blob d85d5a25",
    };
    expect(set({ ...row, engineBatch: "1" }).plan.stack.contextBuckets).toBe("powers");
    expect(set({ ...row, engineBatch: "4" }).plan.stack.contextBuckets).toBe("compiled");
  });
});
