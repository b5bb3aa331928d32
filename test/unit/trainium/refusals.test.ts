import { describe, expect, it } from "vitest";
import { planMemory } from "../../../device/trainium/memory.ts";
import type { Plan } from "../../../device/trainium/plan.ts";
import { planFor } from "../../../device/trainium/settings.ts";
import { catalogueModel } from "../../support/catalogue.ts";

const plan = (
  id: string,
  tensorParallel: number,
  own: Readonly<Record<string, unknown>>,
  more: Partial<Parameters<typeof planFor>[0]> = {},
): Plan => planFor({ model: catalogueModel(id), tensorParallel, own, ...more });

const TRN2 = { instance: "trn2.48xlarge" };

describe("what a machine cannot run is refused with numbers and a way out", () => {
  it("refuses gpt-oss-120b in BF16 at TP 8, and takes it at TP 16", () => {
    expect(() => planMemory(plan("openai/gpt-oss-120b", 8, TRN2))).toThrow(
      /24\.0 GiB.*29\.\d GiB for weights.*--tensor-parallel-size 16/,
    );
    expect(planMemory(plan("openai/gpt-oss-120b", 16, TRN2)).blocks).toBeGreaterThan(256);
  });

  it("prints small sizes in MiB", () => {
    const short = plan("meta-llama/Llama-3.3-70B-Instruct", 4, {}, { maxContext: 64 });
    expect(() => planMemory(short)).toThrow(/and \d+\.\d MiB for one sequence of 64 tokens/);
  });

  it("says how many blocks one sequence needs where their number was given", () => {
    const llama = plan("meta-llama/Llama-3.1-8B-Instruct", 4, {}, { maxContext: 1024 });
    expect(() => planMemory(llama, { blocks: 16 })).toThrow(/given 16 blocks of 32.*needs 32/);
    expect(() => planMemory(llama, { bytes: 1 })).toThrow(/given 0 blocks/);
  });

  it("refuses a tensor parallelism that does not divide the heads", () => {
    expect(() => plan("Qwen/Qwen2.5-7B-Instruct", 8, TRN2)).toThrow(
      /--tensor-parallel-size 8 does not divide.*28 attention heads.*1, 2, 4, 7, 14, 28/,
    );
  });

  it("refuses more ranks than the machine has logical cores", () => {
    expect(() => plan("meta-llama/Llama-3.1-8B-Instruct", 8, {})).toThrow(/4 logical cores/);
  });

  it("refuses MX formats on Trainium2 and computes them on Trainium3", () => {
    const asked = { quantization: "mxfp4" };
    expect(() => plan("openai/gpt-oss-120b", 16, TRN2, asked)).toThrow(
      /Trainium2 does not compute mxfp4.*trn3/,
    );
    const trn3 = plan("openai/gpt-oss-120b", 8, { instance: "trn3-gen2-ultraserver" }, asked);
    expect(trn3.formats).toEqual({ dense: "bf16", experts: "mxfp4", kv: "bf16" });
  });

  it("dequantises a checkpoint's MXFP4 experts where the chip has no MX", () => {
    expect(plan("openai/gpt-oss-20b", 4, {}).formats.experts).toBe("bf16");
  });

  it("refuses LNC 8", () => {
    expect(() => plan("Qwen/Qwen3-8B", 4, { "logical-nc-config": 8 })).toThrow(
      /--logical-nc-config 8.*1 or 2/,
    );
  });

  it("keeps the context within the largest bucket", () => {
    const short = plan("Qwen/Qwen3-8B", 4, {}, { maxContext: 2048 });
    expect(short.maxContext).toBe(2048);
    expect(plan("meta-llama/Llama-2-7b-hf", 4, {}).maxContext).toBe(4096);
  });

  it.each([
    [{ instance: "trn9.48xlarge" }, /trn9.*known: inf2\.xlarge/],
    [{ "serving-stack": "triton" }, /triton.*known: vllm-neuron/],
    [{ "neuron-kernels": "magic" }, /magic.*known: default/],
    [{ "additional-config": "{" }, /not JSON/],
    [{ "additional-config": "[]" }, /JSON object/],
  ])("names what it does not know: %j", (own, message) => {
    expect(() => plan("Qwen/Qwen3-8B", 4, own)).toThrow(message);
  });

  it("reads neuron_config", () => {
    const neuron = { attn_block_tkg_nki_kernel_enabled: false, on_device_sampling_config: null };
    const own = { "additional-config": JSON.stringify({ neuron_config: neuron }) };
    const its = plan("Qwen/Qwen3-8B", 4, own);
    expect(its.kernels.has("fused-attention")).toBe(false);
    expect(its.onDeviceSampling).toBe(false);
  });
});
