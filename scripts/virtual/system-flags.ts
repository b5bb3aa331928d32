/** Flags that name one simulated system, shared by replay and plan. */
import type { Command } from "commander";
import { DEFAULT_MODEL } from "../commands/sweep/flags.ts";
import { UsageError } from "../usage.ts";
import type { SystemSpec } from "./system.ts";

export function addSystemFlags(command: Command): Command {
  return command
    .option("--model <id>", "catalogue id or folder", DEFAULT_MODEL)
    .option("--device <name>", "simulated device", "trainium")
    .option("--instance <name>", "default: the device's")
    .option("--tensor-parallel-size, --tp <n>", "", "4")
    .option("--data-parallel-size, --dp <n>", "", "1")
    .option("--enable-expert-parallel", "spread experts over the ranks")
    .option("--neuron-kernels <names>", "kernels, by comma")
    .option("--logical-nc-config <n>", "physical cores in a logical one")
    .option("--serving-stack <name>", "runtime whose limits and gaps apply")
    .option("--additional-config <json>", "vLLM-Neuron's additional config")
    .option("--quantization <format>", "weight format")
    .option("--speculative-config <json>", "as vLLM's")
    .option("--max-num-seqs <n>", "rows of a replica", "32")
    .option("--max-model-len <n>", "context of a replica (default: what the longest request needs)")
    .option("--max-num-batched-tokens <n>", "tokens in a step")
    .option("--block-size <n>", "tokens in a KV block")
    .option("--num-gpu-blocks-override <n>", "KV blocks of a replica")
    .option("--seed <n>", "", "0");
}

type Given = Readonly<Record<string, unknown>>;

const OWN = {
  "logical-nc-config": "logicalNcConfig",
  "serving-stack": "servingStack",
  "additional-config": "additionalConfig",
} as const;

export function systemFrom(given: Given, changes: Partial<SystemSpec> = {}): SystemSpec {
  const own: Record<string, string> = {};
  for (const [flag, name] of Object.entries(OWN)) {
    const value = given[name];
    if (typeof value === "string") own[flag] = value;
  }
  const batched = optionalWhole(given, "maxNumBatchedTokens", "--max-num-batched-tokens");
  const blockSize = optionalWhole(given, "blockSize", "--block-size");
  const blocks = optionalWhole(given, "numGpuBlocksOverride", "--num-gpu-blocks-override");
  return {
    model: String(given["model"]),
    device: String(given["device"]),
    instance: String(given["instance"] ?? ""),
    tensorParallel: whole(given, "tp", "--tensor-parallel-size"),
    dataParallel: whole(given, "dp", "--data-parallel-size"),
    expertParallel: given["enableExpertParallel"] === true,
    kernels: String(given["neuronKernels"] ?? ""),
    own,
    maxNumSeqs: whole(given, "maxNumSeqs", "--max-num-seqs"),
    maxModelLen: optionalWhole(given, "maxModelLen", "--max-model-len") ?? 8192,
    prefixCaching: true,
    seed: Number(given["seed"]),
    ...(batched === undefined ? {} : { maxNumBatchedTokens: batched }),
    ...(blockSize === undefined ? {} : { blockSize }),
    ...(blocks === undefined ? {} : { blocks }),
    ...(typeof given["quantization"] === "string" ? { quantization: given["quantization"] } : {}),
    ...(typeof given["speculativeConfig"] === "string"
      ? { speculative: given["speculativeConfig"] }
      : {}),
    ...changes,
  };
}

/** A whole number ≥ 1. Throws with the flag's name. */
export function whole(given: Given, name: string, flag: string): number {
  const value = optionalWhole(given, name, flag);
  if (value === undefined) throw new UsageError(`${flag} is missing.`);
  return value;
}

export function optionalWhole(given: Given, name: string, flag: string): number | undefined {
  if (given[name] === undefined) return undefined;
  const value = Number(given[name]);
  if (!Number.isInteger(value) || value < 1) {
    throw new UsageError(`${flag} takes a whole number ≥ 1, not "${String(given[name])}".`);
  }
  return value;
}
