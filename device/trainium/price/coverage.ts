/** What the calibration tables measured; written by `validate --left-out --save`. */
import { type Covered, readCovered } from "./covered.ts";

/** Kind, stack, core, path, format, ranks, rows, context, table. */
export const COVERAGE: readonly Covered[] = readCovered(`
MoE decode | nxd-direct | v3 | many experts | bf16 | 4 | 1 | 1024 | aws-neuron/neuronx-distributed-inference PR #144 contrib/models/sarvam-30b/README.md @ SDK 2.29
MoE decode | nxd-direct | v3 | many experts | bf16 | 4 | 1 | 16384 | aws-neuron/neuronx-distributed-inference PR #144 contrib/models/sarvam-30b/README.md @ SDK 2.29
MoE decode | nxd-direct | v3 | many experts | bf16 | 4 | 1 | 256 | aws-neuron/neuronx-distributed-inference PR #144 contrib/models/sarvam-30b/README.md @ SDK 2.29
MoE decode | nxd-direct | v3 | many experts | bf16 | 4 | 1 | 4096 | aws-neuron/neuronx-distributed-inference PR #144 contrib/models/sarvam-30b/README.md @ SDK 2.29
MoE decode | nxd-direct | v3 | many experts | bf16 | 4 | 1 | 8192 | aws-neuron/neuronx-distributed-inference PR #144 contrib/models/sarvam-30b/README.md @ SDK 2.29
MoE decode | nxd-direct | v3 | many experts | bf16 | 4 | 2 | 4096 | aws-neuron/neuronx-distributed-inference PR #144 contrib/models/sarvam-30b/README.md @ SDK 2.29
MoE decode | nxd-direct | v3 | many experts | bf16 | 4 | 4 | 4096 | aws-neuron/neuronx-distributed-inference PR #144 contrib/models/sarvam-30b/README.md @ SDK 2.29
MoE decode | nxd-direct | v3 | many experts | bf16 | 4 | 8 | 4096 | aws-neuron/neuronx-distributed-inference PR #144 contrib/models/sarvam-30b/README.md @ SDK 2.29
MoE decode | nxd-direct | v3 | many experts | bf16 | 64 | 1 | 1024 | aws-neuron/neuronx-distributed-inference PR #107 contrib/models/Solar-Open-100B/README.md @ SDK 2.28
MoE decode | nxd-direct | v3 | many experts | bf16 | 64 | 1 | 16384 | aws-neuron/neuronx-distributed-inference PR #107 contrib/models/Solar-Open-100B/README.md @ SDK 2.28
MoE decode | nxd-direct | v3 | many experts | bf16 | 64 | 1 | 2048 | aws-neuron/neuronx-distributed-inference PR #107 contrib/models/Solar-Open-100B/README.md @ SDK 2.28
MoE decode | nxd-direct | v3 | many experts | bf16 | 64 | 1 | 32768 | aws-neuron/neuronx-distributed-inference PR #107 contrib/models/Solar-Open-100B/README.md @ SDK 2.28
MoE decode | nxd-direct | v3 | many experts | bf16 | 64 | 1 | 4096 | aws-neuron/neuronx-distributed-inference PR #107 contrib/models/Solar-Open-100B/README.md @ SDK 2.28
MoE decode | nxd-direct | v3 | many experts | bf16 | 64 | 1 | 8192 | aws-neuron/neuronx-distributed-inference PR #107 contrib/models/Solar-Open-100B/README.md @ SDK 2.28
MoE decode | nxd-inference | v3 | expert-parallel | fp8 | 64 | 32 | 1024 | aws-neuron/neuronx-distributed-inference PR #148 contrib/models/MiMo-V2.5/README.md @ SDK 2.29
MoE decode | nxd-inference | v3 | many experts latent | fp8 | 64 | 1 | 512 | aws-neuron/neuronx-distributed-inference PR #145 contrib/models/Kimi-K2.5/README.md @ SDK 2.29
MoE decode | nxd-inference | v3 | many experts | bf16 | 2 | 1 | 2048 | aws-neuron/neuronx-distributed-inference contrib/models/Trinity/README.md @ SDK 2.28
MoE decode | nxd-inference | v3 | many experts | bf16 | 2 | 2 | 2048 | aws-neuron/neuronx-distributed-inference contrib/models/Trinity/README.md @ SDK 2.28
MoE decode | nxd-inference | v3 | many experts | bf16 | 2 | 4 | 2048 | aws-neuron/neuronx-distributed-inference contrib/models/Trinity/README.md @ SDK 2.28
MoE decode | nxd-inference | v3 | many experts | bf16 | 4 | 1 | 2048 | aws-neuron/neuronx-distributed-inference contrib/models/Trinity/README.md @ SDK 2.28
MoE decode | nxd-inference | v3 | many experts | bf16 | 4 | 2 | 2048 | aws-neuron/neuronx-distributed-inference contrib/models/Trinity/README.md @ SDK 2.28
MoE decode | nxd-inference | v3 | many experts | bf16 | 4 | 4 | 2048 | aws-neuron/neuronx-distributed-inference contrib/models/Trinity/README.md @ SDK 2.28
MoE decode | nxd-inference-segmented | v3 | few experts | bf16 | 8 | 1 | 4096 | aws-neuron/neuronx-distributed-inference PR #133 contrib/models/Mixtral-8x7B-Instruct-v0.1/README.md @ SDK 2.29
MoE decode | optimum | v2 | many experts | bf16 | 32 | 8 | 4096 | huggingface/optimum-neuron benchmark/vllm/single-instance/qwen3-30B-A3B/vllm-results.csv @ 2025-09
MoE decode | optimum | v3 | few experts | bf16 | 64 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/single-instance/llama4-Scout-trn2/vllm-results.csv @ 2025-10
MoE decode | vllm-neuron | v3 | many experts | bf16 | 16 | 1 | 1024 | aws-neuron/aws-neuron-sdk vllm-neuron/docs/tutorials/tutorial-eagle3-speculative-decoding-gpt-oss.md @ SDK 2.31
dense decode | nxd-direct | v3 | dense | bf16 | 1 | 1 | 1024 | aws-neuron/neuronx-distributed-inference PR #154 contrib/models/Isaac-0.2-2B/README.md @ SDK 2.29
dense decode | nxd-direct | v3 | dense | bf16 | 1 | 1 | 4096 | aws-neuron/neuronx-distributed-inference PR #154 contrib/models/Isaac-0.2-2B/README.md @ SDK 2.29
dense decode | nxd-direct | v3 | dense | bf16 | 4 | 1 | 256 | aws-neuron/neuronx-distributed-inference PR #110 contrib/models/Qwen2.5-VL-7B-Instruct/README.md @ SDK 2.29
dense decode | nxd-inference | v3 | dense | bf16 | 4 | 1 | 4096 | aws-neuron/neuronx-distributed-inference contrib/models/chandra/README.md @ SDK 2.28
dense decode | nxd-inference-segmented | v3 | dense | bf16 | 4 | 1 | 4096 | aws-neuron/neuronx-distributed-inference PR #132 contrib/models/Ministral-3-3B-Instruct-2512-BF16/README.md @ SDK 2.29
dense decode | nxd-inference-segmented | v3 | dense | bf16 | 4 | 1 | 4096 | aws-neuron/neuronx-distributed-inference PR #132 contrib/models/Ministral-8B-Instruct-2410/README.md @ SDK 2.29
dense decode | nxd-inference-segmented | v3 | dense | bf16 | 4 | 1 | 4096 | aws-neuron/neuronx-distributed-inference PR #132 contrib/models/Mistral-7B-Instruct-v0.3/README.md @ SDK 2.29
dense decode | nxd-inference-segmented | v3 | dense | bf16 | 4 | 4 | 4096 | aws-neuron/neuronx-distributed-inference PR #132 contrib/models/Ministral-3-3B-Instruct-2512-BF16/README.md @ SDK 2.29
dense decode | nxd-inference-segmented | v3 | dense | bf16 | 4 | 4 | 4096 | aws-neuron/neuronx-distributed-inference PR #132 contrib/models/Ministral-8B-Instruct-2410/README.md @ SDK 2.29
dense decode | nxd-inference-segmented | v3 | dense | bf16 | 4 | 4 | 4096 | aws-neuron/neuronx-distributed-inference PR #132 contrib/models/Mistral-7B-Instruct-v0.3/README.md @ SDK 2.29
dense decode | nxd-inference-segmented | v3 | dense | bf16 | 4 | 4 | 4096 | aws-neuron/neuronx-distributed-inference PR #134 contrib/models/Ministral-3-14B-Instruct-2512/README.md @ SDK 2.29
dense decode | nxd-inference-segmented | v3 | dense | bf16 | 4 | 8 | 4096 | aws-neuron/neuronx-distributed-inference PR #134 contrib/models/Ministral-3-14B-Instruct-2512/README.md @ SDK 2.29
dense decode | optimum | v2 | dense | bf16 | 8 | 1 | 4096 | huggingface/optimum-neuron docs/source/benchmarks/inferentia-llama3.1-8b.mdx (bar charts) @ 2025
dense decode | optimum | v2 | dense | bf16 | 8 | 16 | 4096 | huggingface/optimum-neuron docs/source/benchmarks/inferentia-llama3.1-8b.mdx (bar charts) @ 2025
dense decode | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron (branch data_parallel_benchmarks) benchmark/vllm/llama-3.1-8b/vllm-results-cli-dp.csv @ 2026-03
dense decode | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/chunked-prefill/chunked-cpu-sampling.csv @ 2026-03
dense decode | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/chunked-prefill/hybrid-ods.csv @ 2026-03
dense decode | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/chunked-prefill/std-cpu-sampling.csv @ 2026-03
dense decode | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/chunked-prefill/std-ods.csv @ 2026-03
dense decode | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/data-parallel/llama3.1-8b/vllm-results-dp3.csv @ 2025-09
dense decode | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/data-parallel/llama3.1-8b/vllm-results-dp4.csv @ 2025-09
dense decode | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron docs/source/benchmarks/inferentia-llama3.1-8b.mdx (bar charts) @ 2025
dense decode | optimum | v2 | dense | bf16 | 8 | 4 | 4096 | huggingface/optimum-neuron docs/source/benchmarks/inferentia-llama3.1-8b.mdx (bar charts) @ 2025
dense decode | optimum | v2 | dense | bf16 | 8 | 48 | 4096 | huggingface/optimum-neuron docs/source/benchmarks/inferentia-llama3.1-8b.mdx (bar charts) @ 2025
dense decode | optimum | v2 | dense | bf16 | 8 | 8 | 4096 | huggingface/optimum-neuron docs/source/benchmarks/inferentia-llama3.1-8b.mdx (bar charts) @ 2025
dense decode | optimum | v3 | dense | bf16 | 4 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/single-instance/llama-3.1-8b-trn2/vllm-results.csv @ 2025-10
dense decode | tgi-nxd | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron git blob 46cfd644 benchmark/text-generation-inference/performance/llama3.1-8b/tgi-results.csv @ 2025-06
dense decode | transformers-neuronx | v2 | dense | bf16 | 24 | 1 | 1152 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/latency_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 24 | 1 | 16384 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/latency_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 24 | 1 | 2048 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/latency_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 24 | 1 | 256 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/latency_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 24 | 1 | 3072 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/latency_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 24 | 1 | 4096 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/latency_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 24 | 1 | 512 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/latency_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 24 | 1 | 8192 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/latency_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 24 | 4 | 16384 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/throughput_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 24 | 8 | 16384 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/throughput_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 24 | 8 | 4096 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/throughput_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 24 | 8 | 8192 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/throughput_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 32 | 1 | 1152 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 32 | 1 | 16384 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 32 | 1 | 2048 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 32 | 1 | 256 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 32 | 1 | 3072 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 32 | 1 | 4096 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 32 | 1 | 512 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 32 | 1 | 8192 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 32 | 4 | 1152 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 32 | 4 | 16384 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 32 | 4 | 2048 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 32 | 4 | 256 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 32 | 4 | 3072 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 32 | 4 | 4096 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 32 | 4 | 512 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 32 | 8 | 16384 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx | v2 | dense | bf16 | 32 | 8 | 8192 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.0
dense decode | transformers-neuronx-2.18.1 | v2 | dense | bf16 | 32 | 1 | 1152 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.1
dense decode | transformers-neuronx-2.18.1 | v2 | dense | bf16 | 32 | 1 | 256 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.1
dense decode | transformers-neuronx-2.18.1 | v2 | dense | bf16 | 32 | 1 | 4096 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.1
dense decode | transformers-neuronx-2.18.1 | v2 | dense | bf16 | 32 | 4 | 1152 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.1
dense decode | transformers-neuronx-2.18.1 | v2 | dense | bf16 | 32 | 4 | 256 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.1
dense decode | transformers-neuronx-2.18.1 | v2 | dense | bf16 | 32 | 4 | 4096 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.1
dense decode | transformers-neuronx-2.18.1 | v2 | dense | int8 | 32 | 1 | 4096 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.1
dense decode | transformers-neuronx-2.18.1 | v2 | dense | int8 | 32 | 1 | 8192 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.1
prefill | nxd-direct | v3 | dense | bf16 | 4 | 1 | 1024 | aws-neuron/neuronx-distributed-inference PR #110 contrib/models/Qwen2.5-VL-7B-Instruct/README.md @ SDK 2.29
prefill | nxd-direct | v3 | dense | bf16 | 4 | 1 | 2048 | aws-neuron/neuronx-distributed-inference PR #110 contrib/models/Qwen2.5-VL-7B-Instruct/README.md @ SDK 2.29
prefill | nxd-direct | v3 | dense | bf16 | 4 | 1 | 256 | aws-neuron/neuronx-distributed-inference PR #110 contrib/models/Qwen2.5-VL-7B-Instruct/README.md @ SDK 2.29
prefill | nxd-direct | v3 | dense | bf16 | 4 | 1 | 4096 | aws-neuron/neuronx-distributed-inference PR #110 contrib/models/Qwen2.5-VL-7B-Instruct/README.md @ SDK 2.29
prefill | nxd-direct | v3 | dense | bf16 | 4 | 1 | 512 | aws-neuron/neuronx-distributed-inference PR #110 contrib/models/Qwen2.5-VL-7B-Instruct/README.md @ SDK 2.29
prefill | nxd-direct | v3 | many experts | bf16 | 4 | 1 | 1024 | aws-neuron/neuronx-distributed-inference PR #144 contrib/models/sarvam-30b/README.md @ SDK 2.29
prefill | nxd-direct | v3 | many experts | bf16 | 4 | 1 | 16384 | aws-neuron/neuronx-distributed-inference PR #144 contrib/models/sarvam-30b/README.md @ SDK 2.29
prefill | nxd-direct | v3 | many experts | bf16 | 4 | 1 | 256 | aws-neuron/neuronx-distributed-inference PR #144 contrib/models/sarvam-30b/README.md @ SDK 2.29
prefill | nxd-direct | v3 | many experts | bf16 | 4 | 1 | 4096 | aws-neuron/neuronx-distributed-inference PR #144 contrib/models/sarvam-30b/README.md @ SDK 2.29
prefill | nxd-direct | v3 | many experts | bf16 | 4 | 1 | 8192 | aws-neuron/neuronx-distributed-inference PR #144 contrib/models/sarvam-30b/README.md @ SDK 2.29
prefill | nxd-direct | v3 | many experts | bf16 | 4 | 2 | 4096 | aws-neuron/neuronx-distributed-inference PR #144 contrib/models/sarvam-30b/README.md @ SDK 2.29
prefill | nxd-direct | v3 | many experts | bf16 | 4 | 4 | 4096 | aws-neuron/neuronx-distributed-inference PR #144 contrib/models/sarvam-30b/README.md @ SDK 2.29
prefill | nxd-direct | v3 | many experts | bf16 | 4 | 8 | 4096 | aws-neuron/neuronx-distributed-inference PR #144 contrib/models/sarvam-30b/README.md @ SDK 2.29
prefill | nxd-direct | v3 | many experts | bf16 | 64 | 1 | 1024 | aws-neuron/neuronx-distributed-inference PR #107 contrib/models/Solar-Open-100B/README.md @ SDK 2.28
prefill | nxd-direct | v3 | many experts | bf16 | 64 | 1 | 16384 | aws-neuron/neuronx-distributed-inference PR #107 contrib/models/Solar-Open-100B/README.md @ SDK 2.28
prefill | nxd-direct | v3 | many experts | bf16 | 64 | 1 | 2048 | aws-neuron/neuronx-distributed-inference PR #107 contrib/models/Solar-Open-100B/README.md @ SDK 2.28
prefill | nxd-direct | v3 | many experts | bf16 | 64 | 1 | 32768 | aws-neuron/neuronx-distributed-inference PR #107 contrib/models/Solar-Open-100B/README.md @ SDK 2.28
prefill | nxd-direct | v3 | many experts | bf16 | 64 | 1 | 4096 | aws-neuron/neuronx-distributed-inference PR #107 contrib/models/Solar-Open-100B/README.md @ SDK 2.28
prefill | nxd-direct | v3 | many experts | bf16 | 64 | 1 | 8192 | aws-neuron/neuronx-distributed-inference PR #107 contrib/models/Solar-Open-100B/README.md @ SDK 2.28
prefill | nxd-inference | v3 | expert-parallel | fp8 | 64 | 32 | 1024 | aws-neuron/neuronx-distributed-inference PR #148 contrib/models/MiMo-V2.5/README.md @ SDK 2.29
prefill | nxd-inference | v3 | many experts latent | fp8 | 64 | 1 | 512 | aws-neuron/neuronx-distributed-inference PR #145 contrib/models/Kimi-K2.5/README.md @ SDK 2.29
prefill | nxd-inference | v3 | many experts | bf16 | 2 | 1 | 2048 | aws-neuron/neuronx-distributed-inference contrib/models/Trinity/README.md @ SDK 2.28
prefill | nxd-inference | v3 | many experts | bf16 | 2 | 2 | 2048 | aws-neuron/neuronx-distributed-inference contrib/models/Trinity/README.md @ SDK 2.28
prefill | nxd-inference | v3 | many experts | bf16 | 2 | 4 | 2048 | aws-neuron/neuronx-distributed-inference contrib/models/Trinity/README.md @ SDK 2.28
prefill | nxd-inference | v3 | many experts | bf16 | 4 | 1 | 2048 | aws-neuron/neuronx-distributed-inference contrib/models/Trinity/README.md @ SDK 2.28
prefill | nxd-inference | v3 | many experts | bf16 | 4 | 2 | 2048 | aws-neuron/neuronx-distributed-inference contrib/models/Trinity/README.md @ SDK 2.28
prefill | nxd-inference | v3 | many experts | bf16 | 4 | 4 | 2048 | aws-neuron/neuronx-distributed-inference contrib/models/Trinity/README.md @ SDK 2.28
prefill | nxd-inference-segmented | v3 | dense | bf16 | 4 | 4 | 4096 | aws-neuron/neuronx-distributed-inference PR #134 contrib/models/Ministral-3-14B-Instruct-2512/README.md @ SDK 2.29
prefill | nxd-inference-segmented | v3 | dense | bf16 | 4 | 8 | 4096 | aws-neuron/neuronx-distributed-inference PR #134 contrib/models/Ministral-3-14B-Instruct-2512/README.md @ SDK 2.29
prefill | nxd-inference-segmented | v3 | few experts | bf16 | 8 | 1 | 4096 | aws-neuron/neuronx-distributed-inference PR #133 contrib/models/Mixtral-8x7B-Instruct-v0.1/README.md @ SDK 2.29
prefill | optimum | v2 | dense | bf16 | 8 | 1 | 4096 | huggingface/optimum-neuron docs/source/benchmarks/inferentia-llama3.1-8b.mdx (bar charts) @ 2025
prefill | optimum | v2 | dense | bf16 | 8 | 16 | 4096 | huggingface/optimum-neuron docs/source/benchmarks/inferentia-llama3.1-8b.mdx (bar charts) @ 2025
prefill | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron (branch data_parallel_benchmarks) benchmark/vllm/llama-3.1-8b/vllm-results-cli-dp.csv @ 2026-03
prefill | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/chunked-prefill/chunked-cpu-sampling.csv @ 2026-03
prefill | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/chunked-prefill/hybrid-ods.csv @ 2026-03
prefill | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/chunked-prefill/std-cpu-sampling.csv @ 2026-03
prefill | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/chunked-prefill/std-ods.csv @ 2026-03
prefill | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/data-parallel/llama3.1-8b/vllm-results-dp3.csv @ 2025-09
prefill | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/data-parallel/llama3.1-8b/vllm-results-dp4.csv @ 2025-09
prefill | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron docs/source/benchmarks/inferentia-llama3.1-8b.mdx (bar charts) @ 2025
prefill | optimum | v2 | dense | bf16 | 8 | 4 | 4096 | huggingface/optimum-neuron docs/source/benchmarks/inferentia-llama3.1-8b.mdx (bar charts) @ 2025
prefill | optimum | v2 | dense | bf16 | 8 | 48 | 4096 | huggingface/optimum-neuron docs/source/benchmarks/inferentia-llama3.1-8b.mdx (bar charts) @ 2025
prefill | optimum | v2 | dense | bf16 | 8 | 8 | 4096 | huggingface/optimum-neuron docs/source/benchmarks/inferentia-llama3.1-8b.mdx (bar charts) @ 2025
prefill | optimum | v2 | many experts | bf16 | 32 | 8 | 4096 | huggingface/optimum-neuron benchmark/vllm/single-instance/qwen3-30B-A3B/vllm-results.csv @ 2025-09
prefill | optimum | v3 | dense | bf16 | 4 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/single-instance/llama-3.1-8b-trn2/vllm-results.csv @ 2025-10
prefill | optimum | v3 | few experts | bf16 | 64 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/single-instance/llama4-Scout-trn2/vllm-results.csv @ 2025-10
prefill | tgi-nxd | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron git blob 46cfd644 benchmark/text-generation-inference/performance/llama3.1-8b/tgi-results.csv @ 2025-06
prefill | transformers-neuronx | v2 | dense | bf16 | 24 | 1 | 1152 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/latency_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 24 | 1 | 16384 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/latency_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 24 | 1 | 2048 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/latency_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 24 | 1 | 256 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/latency_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 24 | 1 | 3072 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/latency_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 24 | 1 | 4096 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/latency_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 24 | 1 | 512 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/latency_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 24 | 1 | 8192 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/latency_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 24 | 4 | 16384 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/throughput_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 24 | 8 | 16384 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/throughput_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 24 | 8 | 4096 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/throughput_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 24 | 8 | 8192 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/inf2/throughput_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 32 | 1 | 1152 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 32 | 1 | 16384 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 32 | 1 | 2048 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 32 | 1 | 256 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 32 | 1 | 3072 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 32 | 1 | 4096 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 32 | 1 | 512 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 32 | 1 | 8192 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 32 | 4 | 1152 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 32 | 4 | 16384 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 32 | 4 | 2048 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 32 | 4 | 256 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 32 | 4 | 3072 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 32 | 4 | 4096 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 32 | 4 | 512 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 32 | 8 | 16384 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx | v2 | dense | bf16 | 32 | 8 | 8192 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.0
prefill | transformers-neuronx-2.18.1 | v2 | dense | bf16 | 32 | 1 | 1152 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.1
prefill | transformers-neuronx-2.18.1 | v2 | dense | bf16 | 32 | 1 | 256 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.1
prefill | transformers-neuronx-2.18.1 | v2 | dense | bf16 | 32 | 1 | 4096 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.1
prefill | transformers-neuronx-2.18.1 | v2 | dense | bf16 | 32 | 4 | 1152 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.1
prefill | transformers-neuronx-2.18.1 | v2 | dense | bf16 | 32 | 4 | 256 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.1
prefill | transformers-neuronx-2.18.1 | v2 | dense | bf16 | 32 | 4 | 4096 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/throughput_data_decoder.csv @ SDK 2.18.1
prefill | transformers-neuronx-2.18.1 | v2 | dense | int8 | 32 | 1 | 4096 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.1
prefill | transformers-neuronx-2.18.1 | v2 | dense | int8 | 32 | 1 | 8192 | aws-neuron/aws-neuron-sdk about-neuron/benchmarks/trn1/latency_data_decoder.csv @ SDK 2.18.1
prefill | vllm-neuron | v3 | many experts | bf16 | 16 | 1 | 1024 | aws-neuron/aws-neuron-sdk vllm-neuron/docs/tutorials/tutorial-eagle3-speculative-decoding-gpt-oss.md @ SDK 2.31
serving | nkipy | v3 | dense | bf16 | 8 | 16 | 4096 | aws-neuron/nkipy (branch nkipy_serving) nkipy_serving/docs/models/qwen3_dense.md @ 2026-03
serving | nkipy | v3 | dense | bf16 | 8 | 32 | 4096 | aws-neuron/nkipy (branch nkipy_serving) nkipy_serving/docs/models/qwen3_dense.md @ 2026-03
serving | nkipy | v3 | dense | bf16 | 8 | 64 | 4096 | aws-neuron/nkipy (branch nkipy_serving) nkipy_serving/docs/models/qwen3_dense.md @ 2026-03
serving | nkipy | v3 | dense | bf16 | 8 | 8 | 4096 | aws-neuron/nkipy (branch nkipy_serving) nkipy_serving/docs/models/qwen3_dense.md @ 2026-03
serving | nxd-inference | v3 | dense | bf16 | 64 | 1 | 12800 | aws-neuron/aws-neuron-sdk libraries/nxd-inference/tutorials/trn2-llama3.3-70b-tutorial.rst @ SDK 2.23
serving | nxd-inference | v3 | expert-parallel | fp8 | 64 | 32 | 1024 | aws-neuron/neuronx-distributed-inference PR #148 contrib/models/MiMo-V2.5/README.md @ SDK 2.29
serving | nxd-inference-segmented | v3 | dense | bf16 | 4 | 4 | 4096 | aws-neuron/neuronx-distributed-inference PR #134 contrib/models/Ministral-3-14B-Instruct-2512/README.md @ SDK 2.29
serving | nxd-inference-segmented | v3 | dense | bf16 | 4 | 8 | 4096 | aws-neuron/neuronx-distributed-inference PR #134 contrib/models/Ministral-3-14B-Instruct-2512/README.md @ SDK 2.29
serving | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron (branch data_parallel_benchmarks) benchmark/vllm/llama-3.1-8b/vllm-results-cli-dp.csv @ 2026-03
serving | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/chunked-prefill/chunked-cpu-sampling.csv @ 2026-03
serving | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/chunked-prefill/hybrid-ods.csv @ 2026-03
serving | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/chunked-prefill/std-cpu-sampling.csv @ 2026-03
serving | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/chunked-prefill/std-ods.csv @ 2026-03
serving | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/data-parallel/llama3.1-8b/vllm-results-dp3.csv @ 2025-09
serving | optimum | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/data-parallel/llama3.1-8b/vllm-results-dp4.csv @ 2025-09
serving | optimum | v2 | many experts | bf16 | 32 | 8 | 4096 | huggingface/optimum-neuron benchmark/vllm/single-instance/qwen3-30B-A3B/vllm-results.csv @ 2025-09
serving | optimum | v3 | dense | bf16 | 4 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/single-instance/llama-3.1-8b-trn2/vllm-results.csv @ 2025-10
serving | optimum | v3 | few experts | bf16 | 64 | 32 | 4096 | huggingface/optimum-neuron benchmark/vllm/single-instance/llama4-Scout-trn2/vllm-results.csv @ 2025-10
serving | tgi | v2 | dense | bf16 | 32 | 1 | 2048 | huggingface/optimum-neuron git blob 1483ff62 benchmark/text-generation-inference/performance/llama3-70b-trn1.32xlarge/tgi-results-batchsize-1.csv @ 2024
serving | tgi | v2 | dense | bf16 | 32 | 4 | 4096 | huggingface/optimum-neuron git blob d85d5a25 benchmark/text-generation-inference/performance/llama3-70b-trn1.32xlarge/tgi-results.csv @ 2024
serving | tgi-1.4 | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron git blob 35bac0e2 benchmark/text-generation-inference/mistral-7b/tgi-results.csv @ 2024
serving | tgi-1.4 | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron git blob cc0ebc87 benchmark/text-generation-inference/llama-7b/tgi-results.csv @ 2024
serving | tgi-nxd | v2 | dense | bf16 | 8 | 32 | 4096 | huggingface/optimum-neuron git blob 46cfd644 benchmark/text-generation-inference/performance/llama3.1-8b/tgi-results.csv @ 2025-06
serving | vllm-neuron | v3 | dense | bf16 | 8 | 2 | 2048 | aws-neuron/aws-neuron-sdk vllm-neuron/docs/tutorials/tutorial-eagle3-speculative-decoding-llama-3-1.md @ SDK 2.31
`);
