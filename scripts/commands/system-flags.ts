/** Rows that name simulated systems, shared by the commands that build them. */
import { KV_LINKS } from "../../device/trainium/price/transfer.ts";
import { fileText } from "../../server/settings/file-text.ts";
import { isObjectText, rowsOf } from "../../server/settings/row.ts";
import { UsageError } from "../usage.ts";
import type { PrefillSpec, SystemSpec } from "../virtual/build.ts";
import type { FlagValues } from "./flags.ts";
import { count } from "./kinds.ts";

export const DEFAULT_MODEL = "meta-llama/Llama-3.1-8B-Instruct";

const system = rowsOf("System");

/** The device's own flags, handed on as they are. */
export const OWN_FLAGS = {
  "logical-nc-config": count(system, undefined, "physical cores in a logical one"),
  "serving-stack": system.text(undefined, "runtime whose limits and gaps apply", { value: "NAME" }),
  "neuron-stack": system.text(undefined, "the same with a release", { value: "NAME[@RELEASE]" }),
  "kv-cache-dtype": system.text(undefined, "auto or fp8", { value: "FORMAT" }),
  "additional-config": system.text(undefined, "vLLM-Neuron's additional config", {
    value: "JSON",
    check: isObjectText,
  }),
  set: system.text(undefined, "what if: chip or link figures, e.g. hbm.bandwidth=2x,link.hop=500", {
    value: "NAME=VALUE",
  }),
  hardware: system.of<string | undefined>(
    "FILE",
    undefined,
    "the same as a JSON object of names and values",
    fileText,
  ),
  calibration: system.of<string | undefined>(
    "FILE",
    undefined,
    "what trainyard calibrate learnt",
    fileText,
  ),
} as const;

/** What a replica is, beside its parallelism. */
export const REPLICA_FLAGS = {
  device: system.text("trainium", "simulated device", { value: "NAME" }),
  "enable-expert-parallel": system.toggle(false, "spread experts over the ranks"),
  quantization: system.text(undefined, "weight format", { value: "FORMAT" }),
  "speculative-config": system.text(
    undefined,
    'as vLLM\'s; simulated heads take acceptance_rate or acceptance_length, e.g. {"method": "eagle3", "num_speculative_tokens": 3, "acceptance_length": 2.2}',
    { value: "JSON", check: isObjectText },
  ),
  "max-num-batched-tokens": count(system, undefined, "tokens in a step; default: the device's"),
  "block-size": count(system, undefined, "tokens in a KV block"),
  "num-gpu-blocks-override": count(system, undefined, "KV blocks of a replica"),
} as const;

const apart = rowsOf("Prompts apart");

/** Engines for prompts alone, named as InferenceX names them; the replicas' own flags are then of those that decode. */
export const PREFILL_FLAGS = {
  "prefill-num-workers": count(
    apart,
    undefined,
    "engines that compute prompts alone; absent: each engine does both",
  ),
  "prefill-instance": apart.text(undefined, "default: as those that decode", { value: "NAME" }),
  "prefill-tp": count(apart, undefined, "ranks of each; default: as those that decode"),
  "prefill-enable-expert-parallel": apart.toggle(undefined, "default: as those that decode"),
  "prefill-neuron-kernels": apart.text(undefined, "kernels, by comma; default: the same", {
    value: "NAMES",
  }),
  "prefill-logical-nc-config": count(apart, undefined, "physical cores in a logical one"),
  "prefill-max-num-seqs": count(apart, 1, "rows of each"),
  "kv-transfer-link": apart.choice(KV_LINKS, "efa", "what carries K and V to those that decode"),
} as const;

/** Throws UsageError where engines for prompts are described and none is asked for. */
export function prefillFrom(
  values: FlagValues<typeof PREFILL_FLAGS>,
  given: ReadonlySet<string>,
  decode: Pick<SystemSpec, "instance" | "tensorParallel" | "kernels">,
): { readonly prefill?: PrefillSpec } {
  const workers = values["prefill-num-workers"];
  if (workers === undefined) {
    const lone = Object.keys(PREFILL_FLAGS).find((flag) => given.has(flag));
    if (lone !== undefined) throw new UsageError(`--${lone} needs --prefill-num-workers.`);
    return {};
  }
  const logicalCore = values["prefill-logical-nc-config"];
  const experts = values["prefill-enable-expert-parallel"];
  return {
    prefill: {
      workers,
      instance: values["prefill-instance"] ?? decode.instance,
      tensorParallel: values["prefill-tp"] ?? decode.tensorParallel,
      ...(experts !== undefined && { expertParallel: experts }),
      kernels: values["prefill-neuron-kernels"] ?? decode.kernels,
      own: logicalCore === undefined ? {} : { "logical-nc-config": logicalCore },
      maxNumSeqs: values["prefill-max-num-seqs"],
      link: values["kv-transfer-link"],
    },
  };
}

/** One system. */
export const SYSTEM_FLAGS = {
  model: system.text(DEFAULT_MODEL, "catalogue id or folder", { value: "ID" }),
  instance: system.text("", "default: the device's", { value: "NAME" }),
  "tensor-parallel-size": count(system, 4, "ranks that share the weights; also --tp", "--tp"),
  "data-parallel-size": count(system, 1, "independent engines; also --dp", "--dp"),
  "neuron-kernels": system.text("", "kernels, by comma", { value: "NAMES" }),
  ...REPLICA_FLAGS,
  ...OWN_FLAGS,
  "max-num-seqs": count(system, 32, "rows of a replica"),
  "max-model-len": count(
    system,
    undefined,
    "context of a replica; default: what the longest request needs",
  ),
  seed: system.integer(0, "of everything random"),
} as const;

export function ownFrom(values: FlagValues<typeof OWN_FLAGS>): Record<string, string | number> {
  return Object.fromEntries(
    Object.keys(OWN_FLAGS).flatMap((flag) => {
      const value = values[flag as keyof typeof OWN_FLAGS]; // the table's own keys
      return value === undefined ? [] : [[flag, value]];
    }),
  );
}

/** What the replica's flags give to a spec. */
export function replicaFrom(values: FlagValues<typeof REPLICA_FLAGS>) {
  const batched = values["max-num-batched-tokens"];
  const blockSize = values["block-size"];
  const blocks = values["num-gpu-blocks-override"];
  const { quantization, device } = values;
  const speculative = values["speculative-config"];
  return {
    device,
    expertParallel: values["enable-expert-parallel"],
    ...(batched === undefined ? {} : { maxNumBatchedTokens: batched }),
    ...(blockSize === undefined ? {} : { blockSize }),
    ...(blocks === undefined ? {} : { blocks }),
    ...(quantization === undefined ? {} : { quantization }),
    ...(speculative === undefined ? {} : { speculative }),
  };
}

export function systemFrom(
  values: FlagValues<typeof SYSTEM_FLAGS>,
  changes: Partial<SystemSpec> = {},
): SystemSpec {
  return {
    ...replicaFrom(values),
    model: values.model,
    instance: values.instance,
    tensorParallel: values["tensor-parallel-size"],
    dataParallel: values["data-parallel-size"],
    kernels: values["neuron-kernels"],
    own: ownFrom(values),
    maxNumSeqs: values["max-num-seqs"],
    maxModelLen: values["max-model-len"] ?? 8192,
    prefixCaching: true,
    seed: values.seed,
    ...changes,
  };
}
