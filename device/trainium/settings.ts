/**
 * Flags → plan. What cannot be compiled is refused here, with the numbers and
 * the flag that would help.
 */

import type { Model } from "../../models/model.ts";
import type { WeightFormat } from "../../models/ops.ts";
import { namedBuckets } from "./buckets.ts";
import { DEFAULT_CONSTANTS } from "./constants.ts";
import { type Effects, readEffects } from "./effects.ts";
import { DEFAULT_INSTANCE, findInstance, type InstanceSpec } from "./instances.ts";
import { checkMegakernel } from "./kernels/megakernel.ts";
import { chooseKernels } from "./kernels/registry.ts";
import { checkNeuronKeys } from "./neuron-keys.ts";
import { ALL_PRINCIPLES, type Plan } from "./plan.ts";
import { stackNamed } from "./stacks/releases.ts";
import type { StackSpec } from "./stacks/stack.ts";
import { type Change, parseChanges, readChanges, whatIf } from "./what-if.ts";

/** DECISIONS: a catalogue model serves min(config, 8192) tokens unless told. */
export const DEFAULT_CONTEXT = 8192;
export const DEFAULT_ROWS = 32;

export interface PlanRequest {
  readonly model: Model;
  readonly tensorParallel: number;
  readonly maxRows?: number;
  readonly maxTokens?: number;
  readonly maxContext?: number;
  readonly blockSize?: number;
  readonly quantization?: string;
  readonly adapters?: Plan["adapters"];
  /** kebab-case flags of the device's own. */
  readonly own: Readonly<Record<string, unknown>>;
}

/** Throws with the numbers and the flag that would help when the machine cannot run it. */
export function planFor(request: PlanRequest): Plan {
  const { own, model } = request;
  const architecture = model.architecture;
  const instance = whatIf(findInstance(text(own, "instance") ?? DEFAULT_INSTANCE), changesOf(own));
  const { neuron } = additionalConfig(own);
  const base = stackNamed(text(own, "neuron-stack") ?? text(own, "serving-stack") ?? "vllm-neuron");
  const logicalCore = checkLogicalCore(
    whole(own, "logical-nc-config") ?? whole(neuron, "logical_nc_config"),
    instance,
  );
  const tensorParallel = request.tensorParallel;
  checkTensorParallel(tensorParallel, { model, instance, stack: base, logicalCore });
  const maxContext = Math.min(
    architecture.maxContext,
    request.maxContext ??
      whole(neuron, "seq_len") ??
      Math.min(DEFAULT_CONTEXT, architecture.usualContext ?? DEFAULT_CONTEXT),
  );
  const maxRows = request.maxRows ?? whole(neuron, "batch_size") ?? DEFAULT_ROWS;
  const maxTokens = request.maxTokens ?? maxContext;
  const stack: StackSpec = {
    ...base,
    ...(request.blockSize !== undefined && { blockSize: request.blockSize }),
    ...namedBuckets(neuron, { maxContext, maxRows, maxTokens }),
  };
  const experts = architecture.layers.some((layer) => layer.ops.some((op) => op.op === "experts"));
  const parallel = own["enable-expert-parallel"] === true || own["expert-parallel"] !== undefined;
  const plan: Plan = {
    architecture,
    instance,
    stack,
    constants: DEFAULT_CONSTANTS,
    logicalCore,
    tensorParallel,
    expertParallel:
      experts && parallel
        ? (whole(own, "expert-parallel") ?? whole(neuron, "moe_ep_degree") ?? tensorParallel)
        : 1,
    kernels: chooseKernels(stack.kernels, text(own, "neuron-kernels"), neuron),
    formats: formatsFor(request, instance, neuron),
    maxContext,
    maxRows,
    maxTokens,
    asyncScheduling: own["async-scheduling"] === false ? false : stack.asyncScheduling,
    onDeviceSampling: neuron["on_device_sampling_config"] === null ? false : stack.onDeviceSampling,
    principles: ALL_PRINCIPLES,
    ...(request.adapters && { adapters: request.adapters }),
    ...effectsOf(own),
  };
  checkMegakernel(plan);
  return plan;
}

/** `--hardware`'s figures, then `--set`'s. */
function changesOf(own: Readonly<Record<string, unknown>>): readonly Change[] {
  const file = text(own, "hardware");
  const given = text(own, "set");
  return [
    ...(file === undefined ? [] : readChanges(jsonObject(file, "--hardware"))),
    ...(given === undefined ? [] : parseChanges(given)),
  ];
}

function effectsOf(own: Readonly<Record<string, unknown>>): { readonly effects?: Effects } {
  const file = text(own, "calibration");
  return file === undefined ? {} : { effects: readEffects(file) };
}

function jsonObject(value: string, flag: string): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch (error) {
    throw new Error(`${flag} is not JSON: ${String(error)}`);
  }
  if (!isRecord(parsed)) throw new Error(`${flag} must be a JSON object.`);
  return parsed;
}

function checkLogicalCore(asked: number | undefined, instance: InstanceSpec): number {
  const { chip } = instance;
  const size = asked ?? chip.defaultLogicalCore;
  if (!chip.logicalCores.includes(size)) {
    throw new Error(
      `--logical-nc-config ${size}: ${chip.name} joins ${chip.logicalCores.join(" or ")} physical ` +
        `cores into a logical one; use --logical-nc-config ${chip.defaultLogicalCore}.`,
    );
  }
  return size;
}

function checkTensorParallel(
  ranks: number,
  at: {
    readonly model: Model;
    readonly instance: InstanceSpec;
    readonly stack: StackSpec;
    readonly logicalCore: number;
  },
): void {
  const { instance, logicalCore } = at;
  const cores = (instance.chips * instance.chip.cores) / logicalCore;
  if (ranks > cores) {
    throw new Error(
      `--tensor-parallel-size ${ranks}: ${instance.name} has ${cores} logical cores (LNC ${logicalCore}); use at most ${cores} or a larger --instance.`,
    );
  }
  const { heads } = at.model.architecture;
  if (heads % ranks !== 0 && !at.stack.padHeads) {
    const fitting = Array.from({ length: cores }, (_, index) => index + 1).filter(
      (size) => heads % size === 0,
    );
    throw new Error(
      `--tensor-parallel-size ${ranks} does not divide the model's ${heads} attention heads; use one of ${fitting.join(", ")}.`,
    );
  }
}

const FORMATS: readonly WeightFormat[] = [
  "f32",
  "f16",
  "bf16",
  "fp8",
  "mxfp8",
  "mxfp4",
  "int8",
  "int4",
];

/**
 * Formats in HBM. A format that the chip does not compute and nobody asked for is
 * dequantised to BF16, as the stacks do with MXFP4 checkpoints on Trainium2.
 */
function formatsFor(
  request: PlanRequest,
  instance: InstanceSpec,
  neuron: Readonly<Record<string, unknown>>,
): Plan["formats"] {
  const { chip } = instance;
  const asked =
    request.quantization ?? text(neuron, "quantization") ?? text(neuron, "quantization_dtype");
  const named = asked === undefined ? undefined : formatNamed(asked);
  if (named !== undefined && chip.tensorRate[named] === undefined) {
    const able = FORMATS.filter((format) => chip.tensorRate[format] !== undefined);
    throw new Error(
      `--quantization ${asked}: ${chip.name} does not compute ${named}; it computes ${able.join(", ")}. ` +
        "Use --quantization fp8, none, or an --instance that does (trn3-gen2-ultraserver for MX formats).",
    );
  }
  const stored = (format: WeightFormat): WeightFormat =>
    chip.tensorRate[format] === undefined ? "bf16" : format === "f32" ? "bf16" : format;
  const declared = request.model.format;
  const experts = expertFormat(request.model) ?? declared;
  const cache = text(request.own, "kv-cache-dtype") ?? "auto";
  if (cache !== "auto" && cache !== "bfloat16" && !cache.startsWith("fp8")) {
    throw new Error(`--kv-cache-dtype ${cache}: the simulated stacks keep auto (BF16) or fp8.`);
  }
  const mx = named === "mxfp4" || named === "mxfp8";
  return {
    dense: stored(named !== undefined && !mx ? named : declared),
    experts: named ?? stored(experts),
    kv: cache.startsWith("fp8") ? "fp8" : "bf16",
  };
}

function expertFormat(model: Model): WeightFormat | undefined {
  for (const layer of model.architecture.layers) {
    for (const op of layer.ops) if (op.op === "experts") return op.down.format;
  }
  return undefined;
}

function formatNamed(name: string): WeightFormat | undefined {
  const plain = name.toLowerCase();
  if (plain === "none" || plain === "auto") return undefined;
  if (plain.startsWith("f8") || plain.startsWith("fp8")) return "fp8";
  const found = FORMATS.find((format) => format === plain);
  if (found === undefined) {
    throw new Error(`--quantization "${name}" is not known; known: none, ${FORMATS.join(", ")}.`);
  }
  return found;
}

function additionalConfig(own: Readonly<Record<string, unknown>>): {
  readonly neuron: Readonly<Record<string, unknown>>;
} {
  const given = own["additional-config"];
  const parsed: unknown = typeof given === "string" ? parseJson(given) : given;
  if (parsed === undefined) return { neuron: {} };
  if (!isRecord(parsed)) throw new Error("--additional-config must be a JSON object.");
  const neuron = parsed["neuron_config"] ?? parsed["override_neuron_config"] ?? {};
  if (!isRecord(neuron)) throw new Error("--additional-config: neuron_config must be an object.");
  checkNeuronKeys(parsed, neuron);
  return { neuron };
}

function parseJson(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch (error) {
    throw new Error(`--additional-config is not JSON: ${String(error)}`);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(values: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const value = values[key];
  return typeof value === "string" ? value : undefined;
}

function whole(values: Readonly<Record<string, unknown>>, key: string): number | undefined {
  const value = Number(values[key] ?? Number.NaN);
  return Number.isSafeInteger(value) ? value : undefined;
}
