/**
 * How a model is laid on a machine: every choice that a compiled graph fixes.
 * A plan is plain data; lowering and pricing read it and nothing else.
 */
import type { Architecture } from "../../models/architecture.ts";
import type { WeightFormat } from "../../models/ops.ts";
import type { ConstantTable } from "./constants.ts";
import type { Effects } from "./effects.ts";
import type { InstanceSpec } from "./instances.ts";
import type { StackSpec } from "./stacks/stack.ts";

/** Bytes of one element, scales included (MX: one scale byte for 32 elements). */
export const FORMAT_BYTES: Readonly<Record<WeightFormat, number>> = Object.freeze({
  f32: 4,
  f16: 2,
  bf16: 2,
  fp8: 1,
  mxfp8: 8.25 / 8,
  mxfp4: 4.25 / 8,
  int8: 1,
  int4: 4.25 / 8,
});

/** The principles of fast kernels, each of which a study may turn off. */
export interface Principles {
  /** Loads, compute and stores of a kernel overlap. */
  readonly pipelined: boolean;
  /** Activations stay in SBUF between the kernels of a layer. */
  readonly sbufResident: boolean;
  /** Bytes of one DMA; absent: each kernel's own. */
  readonly dmaChunkBytes?: number;
  /** Share of a collective's time that compute hides. */
  readonly collectiveOverlap: number;
}

export const ALL_PRINCIPLES: Principles = {
  pipelined: true,
  sbufResident: true,
  collectiveOverlap: 0,
};

export interface Plan {
  readonly architecture: Architecture;
  readonly instance: InstanceSpec;
  readonly stack: StackSpec;
  readonly constants: ConstantTable;
  /** Physical cores in a logical one. */
  readonly logicalCore: number;
  readonly tensorParallel: number;
  /** Groups that the experts are spread over; 1: experts are split like other weights. */
  readonly expertParallel: number;
  readonly kernels: ReadonlySet<string>;
  /** Formats in HBM. */
  readonly formats: {
    readonly dense: WeightFormat;
    readonly experts: WeightFormat;
    readonly kv: WeightFormat;
  };
  /** Context compiled for, tokens. */
  readonly maxContext: number;
  /** Rows compiled for. */
  readonly maxRows: number;
  readonly maxTokens: number;
  readonly asyncScheduling: boolean;
  readonly onDeviceSampling: boolean;
  readonly principles: Principles;
  /** Places for adapters on the device, and their rank; absent: none are served. */
  readonly adapters?: { readonly inStep: number; readonly maxRank: number };
  /** What a user's own measurements of this set-up say; absent: nothing. */
  readonly effects?: Effects;
}

/** What one rank (a logical core) has. */
export interface RankSpec {
  readonly cores: number;
  readonly hbmBytes: number;
  /** min(HBM share, what its DMA engines sustain), bytes a second. */
  readonly bytesPerSecond: number;
}

export function rankOf(plan: Plan): RankSpec {
  const { chip } = plan.instance;
  const cores = plan.logicalCore;
  const share = chip.hbmBytesPerSecond / chip.cores;
  return {
    cores,
    hbmBytes: (chip.hbmBytes / chip.cores) * cores,
    bytesPerSecond: Math.min(share, chip.dmaBytesPerSecondPerCore) * cores,
  };
}

/** Powers of two from `first` to `last`, which ends the list whatever it is. */
export function powerBuckets(first: number, last: number): readonly number[] {
  const buckets: number[] = [];
  for (let size = first; size < last; size *= 2) buckets.push(size);
  return [...buckets, last];
}

/** The smallest bucket that holds `size`; the largest when none does. */
export function bucketOf(buckets: readonly number[], size: number): number {
  return buckets.find((bucket) => bucket >= size) ?? buckets[buckets.length - 1] ?? size;
}

export interface Buckets {
  readonly tokens: readonly number[];
  readonly rows: readonly number[];
  readonly contexts: readonly number[];
}

/**
 * Expert-parallel decode refuses batches below experts / top-k (expert_parallelism.md): such steps are
 * padded. Data-parallel ranks that share the experts bring their rows together.
 */
function leastRows({ architecture, expertParallel, tensorParallel }: Plan): number {
  if (expertParallel === 1) return 1;
  const sharing = Math.max(1, expertParallel / tensorParallel);
  let most = 1;
  for (const { ops } of architecture.layers) {
    for (const op of ops)
      if (op.op === "experts") most = Math.max(most, Math.ceil(op.experts / op.topK / sharing));
  }
  return most;
}

export function bucketsOf(plan: Plan): Buckets {
  const { stack, maxTokens, maxRows, maxContext } = plan;
  const longest = Math.min(maxTokens, maxContext, stack.maxSegment ?? maxTokens);
  const named = stack.named ?? {};
  const rows = named.rows ?? (stack.rowBuckets === "powers" ? powerBuckets(1, maxRows) : [maxRows]);
  const least = leastRows(plan);
  return {
    tokens: named.tokens ?? powerBuckets(Math.min(stack.firstTokenBucket, longest), longest),
    rows: [...new Set(rows.map((its) => Math.max(its, least)))],
    contexts:
      named.contexts === undefined
        ? stack.contextBuckets === "powers"
          ? powerBuckets(Math.min(stack.firstContextBucket, maxContext), maxContext)
          : [maxContext]
        : [...named.contexts, maxContext],
  };
}
