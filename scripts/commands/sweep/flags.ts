/** Flags of `trainyard sweep`, and the systems that they span. */
import { Command } from "commander";
import { UsageError } from "../../usage.ts";
import type { SystemSpec } from "../../virtual/system.ts";
import { INFERENCEX, parseConcurrency, parseShape, powerAbove, type Workload } from "./protocol.ts";

export const DEFAULT_MODEL = "meta-llama/Llama-3.1-8B-Instruct";

export interface SweepOptions {
  readonly models: readonly string[];
  /** Live server; absent: virtual time. */
  readonly url?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly device: string;
  readonly instances: readonly string[];
  readonly tensorParallel: readonly number[];
  readonly dataParallel: readonly number[];
  readonly expertParallel: boolean;
  readonly kernels: readonly string[];
  readonly own: Readonly<Record<string, string>>;
  readonly concurrency: readonly number[];
  readonly workload: Workload;
  readonly maxNumSeqs?: number;
  readonly maxModelLen?: number;
  readonly maxNumBatchedTokens?: number;
  readonly blockSize?: number;
  readonly blocks?: number;
  readonly quantization?: string;
  readonly prefixCaching: boolean;
  readonly speculative?: string;
  readonly out?: string;
  readonly chart: boolean;
  readonly quiet: boolean;
  /** Chips of the live server, for the figures per chip. */
  readonly chips?: number;
}

const list = (text: string): string[] => text.split(",").map((part) => part.trim());
const integers = (text: string): number[] =>
  list(text).map((part) => {
    const value = Number(part);
    if (!Number.isInteger(value) || value < 1)
      throw new UsageError(`"${part}" is no whole number ≥ 1.`);
    return value;
  });

export function parseSweep(argv: readonly string[], print: (text: string) => void): SweepOptions {
  const command = new Command("trainyard sweep")
    .description(
      "Users against tokens/s/user, and output tokens/s against concurrency: in virtual time on a simulated device, or over HTTP against --url.",
    )
    .argument("[models]", `catalogue ids or folders, by comma (default ${DEFAULT_MODEL})`)
    .option("--url <url>", "sweep a live OpenAI-compatible server instead")
    .option("--api-key <key>", "bearer token of the live server")
    .option("--device <name>", "simulated device", "trainium")
    .option("--instance <names>", "instances, by comma (default: the device's)")
    .option("--tensor-parallel-size, --tp <sizes>", "by comma", "4")
    .option("--data-parallel-size, --dp <sizes>", "by comma", "1")
    .option("--enable-expert-parallel", "spread experts over the ranks")
    .option(
      "--neuron-kernels <names>",
      "kernel sets to compare, by comma; + joins the kernels of a set",
    )
    .option("--logical-nc-config <n>", "physical cores in a logical one")
    .option("--serving-stack <name>", "runtime whose limits and gaps apply")
    .option("--additional-config <json>", "vLLM-Neuron's additional config")
    .option("--quantization <format>", "weight format")
    .option(
      "--speculative-config <json>",
      'as vLLM\'s; simulated heads take acceptance_rate or acceptance_length, e.g. {"method": "eagle3", "num_speculative_tokens": 3, "acceptance_length": 2.2}',
    )
    .option("--concurrency <users>", "1..256 doubles; 1,2,12 lists", "1..64")
    .option("--shape <in/out>", "prompt and output tokens: 1k1k, 8k1k, 2000/300", "1k1k")
    .option("--random-range-ratio <r>", "lengths in [r·L, L]", String(INFERENCEX.ratio))
    .option("--requests-per-user <n>", "measured", String(INFERENCEX.requestsPerUser))
    .option("--warmups-per-user <n>", "before them", String(INFERENCEX.warmupsPerUser))
    .option(
      "--max-num-seqs <n>",
      "rows of a replica (default: the point's users, to a power of two)",
    )
    .option("--max-model-len <n>", "context of a replica (default: prompt + output, to 128)")
    .option("--max-num-batched-tokens <n>", "tokens in a step (default: the device's)")
    .option("--block-size <n>", "tokens in a KV block")
    .option("--num-gpu-blocks-override <n>", "KV blocks")
    .option("--enable-prefix-caching", "off by default: the protocol's prompts are distinct")
    .option("--chips <n>", "chips of the live server")
    .option("--seed <n>", "of prompts and lengths", "0")
    .option(
      "--out <folder>",
      "write points (vLLM JSON), CSV, InferenceX rows, HTML, SVG, PNG; resumes",
    )
    .option("--no-chart", "no chart in the terminal")
    .option("--quiet", "no progress on stderr")
    .exitOverride()
    .configureOutput({ writeOut: print, writeErr: () => {} });
  command.parse([...argv], { from: "user" });
  const given = command.opts<Readonly<Record<string, string | boolean | undefined>>>();
  const text = (name: string): string | undefined => {
    const value = given[name];
    return typeof value === "string" ? value : undefined;
  };
  const integer = (name: string): number | undefined => {
    const value = text(name);
    return value === undefined ? undefined : integers(value)[0];
  };
  const [inputLen, outputLen] = parseShape(text("shape") ?? "1k1k");
  const optional = <K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } =>
    (value === undefined ? {} : { [key]: value }) as { [key in K]?: V }; // one key, as typed
  const own: Record<string, string> = {};
  for (const [flag, name] of [
    ["logical-nc-config", "logicalNcConfig"],
    ["serving-stack", "servingStack"],
    ["additional-config", "additionalConfig"],
  ] as const) {
    const value = text(name);
    if (value !== undefined) own[flag] = value;
  }
  const key = text("apiKey");
  if (text("device") === "null")
    throw new UsageError("--device null keeps no time: nothing to measure.");
  return {
    models: list(command.args[0] ?? DEFAULT_MODEL),
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
    device: text("device") ?? "trainium",
    instances: list(text("instance") ?? ""),
    tensorParallel: integers(text("tp") ?? "4"),
    dataParallel: integers(text("dp") ?? "1"),
    expertParallel: given["enableExpertParallel"] === true,
    kernels: list(text("neuronKernels") ?? "").map((set) => set.replaceAll("+", ",")),
    own,
    concurrency: parseConcurrency(text("concurrency") ?? "1..64"),
    workload: {
      inputLen,
      outputLen,
      ratio: Number(text("randomRangeRatio")),
      requestsPerUser: Number(text("requestsPerUser")),
      warmupsPerUser: Number(text("warmupsPerUser")),
      seed: Number(text("seed")),
    },
    prefixCaching: given["enablePrefixCaching"] === true,
    chart: given["chart"] !== false,
    quiet: given["quiet"] === true,
    ...optional("url", text("url")),
    ...optional("maxNumSeqs", integer("maxNumSeqs")),
    ...optional("maxModelLen", integer("maxModelLen")),
    ...optional("maxNumBatchedTokens", integer("maxNumBatchedTokens")),
    ...optional("blockSize", integer("blockSize")),
    ...optional("blocks", integer("numGpuBlocksOverride")),
    ...optional("quantization", text("quantization")),
    ...optional("speculative", text("speculativeConfig")),
    ...optional("chips", integer("chips")),
    ...optional("out", text("out")),
  };
}

/** Every system of the sweep, for a given number of users. */
export function systemsOf(options: SweepOptions, concurrency: number): SystemSpec[] {
  const { workload } = options;
  const specs: SystemSpec[] = [];
  for (const model of options.models)
    for (const instance of options.instances)
      for (const tensorParallel of options.tensorParallel)
        for (const dataParallel of options.dataParallel)
          for (const kernels of options.kernels)
            specs.push({
              model,
              device: options.device,
              instance,
              tensorParallel,
              dataParallel,
              expertParallel: options.expertParallel,
              kernels,
              own: options.own,
              maxNumSeqs: options.maxNumSeqs ?? powerAbove(Math.ceil(concurrency / dataParallel)),
              maxModelLen:
                options.maxModelLen ??
                Math.ceil((workload.inputLen + workload.outputLen) / 128) * 128,
              prefixCaching: options.prefixCaching,
              seed: workload.seed,
              ...(options.maxNumBatchedTokens === undefined
                ? {}
                : { maxNumBatchedTokens: options.maxNumBatchedTokens }),
              ...(options.blockSize === undefined ? {} : { blockSize: options.blockSize }),
              ...(options.blocks === undefined ? {} : { blocks: options.blocks }),
              ...(options.quantization === undefined ? {} : { quantization: options.quantization }),
              ...(options.speculative === undefined ? {} : { speculative: options.speculative }),
            });
  return specs;
}
