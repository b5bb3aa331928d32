/** The serving stacks. Facts: vllm-neuron docs (SDK 2.32), NxD Inference guides, optimum-neuron benchmarks. */
import type { StackSpec } from "./stack.ts";

/** The vLLM plug-in: torch.compile graphs with NKI library kernels. */
export const vllmNeuron: StackSpec = {
  name: "vllm-neuron",
  aliases: ["vllm-neuron plugin", "vllm plugin"],
  graphs: "vllm-neuron",
  blockSize: 32,
  firstTokenBucket: 128,
  rowBuckets: "powers",
  contextBuckets: "powers",
  firstContextBucket: 1024,
  mixLong: false,
  asyncScheduling: true,
  onDeviceSampling: true,
  castsWeights: false, // NKI kernels take FP8 and MX operands
  sequenceParallel: true, // tensor_parallelism.md: reduce-scatter and all-gather around each block
  padHeads: false,
  kvSharding: "replicate",
  flashFrom: 512,
  kernels: [
    "flash-attention",
    "blockwise-moe",
    "fused-qkv",
    "fused-mlp",
    "fused-attention",
    "fused-moe",
  ],
  kvShare: 0.3,
};

/** NxD Inference under vLLM: traced graphs, one a bucket (powers of two from 128, autobucketing.py), kernels by flag. */
export const nxdInference: StackSpec = {
  ...vllmNeuron,
  name: "nxd-inference",
  aliases: ["nxdi", "nxd inference", "nxd"],
  graphs: "nxd-inference",
  castsWeights: true, // quantization_layers.py dequantises before the product
  maxSegment: 65_536,
  firstTokenBucket: 128,
  rowBuckets: "compiled",
  firstContextBucket: 256,
  kernels: ["flash-attention", "blockwise-moe"],
  kvShare: 0.9,
};

/** NxD Inference driven by its own scripts: static batches. */
export const nxdDirect: StackSpec = { ...nxdInference, name: "nxd-direct", aliases: [] };

/** One author's set-up under vLLM: prompts in segments of 1,024 (three for 2,048 tokens and a template). */
export const nxdSegmented: StackSpec = {
  ...nxdInference,
  name: "nxd-inference-segmented",
  aliases: [],
  maxSegment: 1024,
  firstTokenBucket: 1024,
  usualContext: 4096,
};

/** Encoders and pooled decoders, traced by torch-neuronx: one graph, no server. */
export const torchNeuronx: StackSpec = {
  ...nxdDirect,
  name: "torch-neuronx",
  aliases: ["torch-neuronx", "torch neuronx"],
};

/**
 * aws-neuron/nkipy, nkipy_serving: logits come back to the host, which samples in NumPy
 * (model_runner.py, NumpyLogitsProcessor) between synchronous steps. Four token buckets, and graphs for
 * contexts of 4,096 (config.py, DEFAULT_TOKEN_BUCKETS and DEFAULT_MAX_CONTEXT_LEN).
 */
export const nkipy: StackSpec = {
  ...nxdInference,
  name: "nkipy",
  aliases: ["nkipy"],
  rowBuckets: "powers",
  contextBuckets: "compiled",
  usualContext: 4096,
  named: { tokens: [32, 128, 1024, 4096] },
  asyncScheduling: false,
  onDeviceSampling: false,
};

/** optimum-neuron under vLLM: one compiled batch and context, for prompts too; no asynchronous steps. */
export const optimum: StackSpec = {
  ...nxdInference,
  name: "optimum",
  aliases: ["optimum-neuron", "optimum"],
  graphs: "optimum",
  maxSegment: 65_536,
  firstTokenBucket: 65_536,
  flashFrom: 4096,
  kernels: [...nxdInference.kernels, "fused-qkv"], // modeling_llama.py: fused_qkv=True
  contextBuckets: "compiled",
  asyncScheduling: false,
  sequenceParallel: false, // models/inference: no layer of its own takes sequence parallelism
};

/** transformers-neuronx: HLO graphs, static batches, heads padded to the cores. */
export const transformersNeuronx: StackSpec = {
  ...nxdInference,
  name: "transformers-neuronx",
  aliases: ["transformers-neuronx"],
  graphs: "transformers-neuronx",
  maxSegment: 65_536,
  firstTokenBucket: 128,
  firstContextBucket: 128,
  sequenceParallel: false, // its sequence_parallel_norm is off unless asked for
  padHeads: true,
  kvSharding: "even", // get_qkv_padding before June 2024
  flashFrom: 8192,
  kernels: ["flash-attention"],
};

/** Since 2.18.1 its Llama 3 notebooks ask for layout BSH and one product for Q, K and V. */
export const transformersNeuronxBsh: StackSpec = {
  ...transformersNeuronx,
  name: "transformers-neuronx-2.18.1",
  aliases: [],
  graphs: "tgi",
  flashFrom: 4096,
  kernels: [...transformersNeuronx.kernels, "fused-qkv"],
};

/** Text Generation Inference 2: graphs of transformers-neuronx, prompts padded to the one compiled context. */
export const tgi: StackSpec = {
  ...transformersNeuronx,
  name: "tgi",
  aliases: ["tgi"],
  graphs: "tgi",
  kvSharding: "spread", // get_qkv_padding as of June 2024
  kernels: [...transformersNeuronx.kernels, "fused-qkv"], // model_configs.py, for Llama
  firstTokenBucket: 65_536,
  contextBuckets: "compiled",
  flashFrom: 4096,
  asyncScheduling: false,
  onDeviceSampling: false,
};

/** Text Generation Inference 3, of 2025: optimum-neuron's graphs of NxD Inference. */
export const tgiNxd: StackSpec = { ...optimum, name: "tgi-nxd", aliases: [] };

/** Text Generation Inference 1.4, as of April 2024. */
export const tgiEarly: StackSpec = {
  ...tgi,
  name: "tgi-1.4",
  aliases: [],
  graphs: "transformers-neuronx",
  kernels: transformersNeuronx.kernels,
  kvSharding: "even",
};

export const STACKS: readonly StackSpec[] = Object.freeze([
  vllmNeuron,
  nxdInference,
  nxdDirect,
  nxdSegmented,
  nkipy,
  torchNeuronx,
  optimum,
  tgi,
  tgiEarly,
  tgiNxd,
  transformersNeuronx,
  transformersNeuronxBsh,
]);

/** By name; throws listing the known ones. */
export function findStack(name: string): StackSpec {
  const found = STACKS.find((its) => its.name === name.toLowerCase());
  if (found === undefined) {
    throw new Error(
      `--serving-stack "${name}" is not known; known: ${STACKS.map((its) => its.name).join(", ")}.`,
    );
  }
  return found;
}
