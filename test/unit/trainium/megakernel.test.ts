import { describe, expect, it } from "vitest";
import { CostModel } from "../../../device/trainium/price/cost-model.ts";
import { planFor } from "../../../device/trainium/settings.ts";
import { catalogueModel } from "../../support/catalogue.ts";

const OWN = {
  instance: "trn3-gen2-ultraserver",
  "neuron-stack": "vllm-neuron@0.29",
  "logical-nc-config": 1,
  "kv-cache-dtype": "fp8",
  "enable-expert-parallel": true,
  "additional-config": { neuron_config: { moe_ep_degree: 128 } },
};

const plan = (kernels: string, own: object = {}, rest: object = {}) =>
  planFor({
    model: catalogueModel("openai/gpt-oss-120b"),
    tensorParallel: 8,
    blockSize: 128,
    maxRows: 8,
    maxContext: 10_240,
    own: { ...OWN, "neuron-kernels": kernels, ...own },
    ...rest,
  });

const nanos = (kernels: string, phase: "decode" | "prefill"): number =>
  new CostModel(plan(kernels)).graph({
    phase,
    rows: phase === "decode" ? 8 : 1,
    queries: phase === "decode" ? 1 : 1024,
    context: 8192,
  }).nanos;

describe("the megakernel", () => {
  it("makes a decode step cheaper than every kernel that works by layer, and no prompt", () => {
    const layers = "flash-attention,blockwise-moe,fused-qkv,fused-mlp,fused-attention,fused-moe";
    expect(nanos(`${layers},megakernel`, "decode")).toBeLessThan(nanos(layers, "decode"));
    expect(nanos(`${layers},megakernel`, "prefill")).toBe(nanos(layers, "prefill"));
  });

  it.each<[string, object, object, RegExp]>([
    ["another model", {}, { model: catalogueModel("Qwen/Qwen3-30B-A3B") }, /needs a gpt-oss model/],
    ["BF16 K and V", { "kv-cache-dtype": "auto" }, {}, /--kv-cache-dtype fp8/],
    ["joined cores", { "logical-nc-config": 2 }, {}, /--logical-nc-config 1/],
    ["other blocks", {}, { blockSize: 32 }, /--block-size 128/],
    ["other ranks", {}, { tensorParallel: 4 }, /--tensor-parallel-size 8/],
    ["experts of its own", { "additional-config": {} }, {}, /moe_ep_degree/],
    ["a chip without MXFP4", { instance: "trn2.48xlarge" }, {}, /experts in MXFP4/],
  ])("refuses %s, naming what it needs", (_, own, rest, message) => {
    expect(() => plan("megakernel", own, rest)).toThrow(message);
  });
});
