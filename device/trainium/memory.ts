/**
 * What lies in the HBM of one logical core. A logical core owns its cores' share
 * of the chip's stacks, so a model can be too big with the machine half empty.
 *
 *     [ weights, adapters | runtime and scratch | KV pool ............ | free ]
 */
import { isAdapted } from "../../models/adapters.ts";
import { architectureWeights, type KvGroup } from "../../models/architecture.ts";
import type { Weight } from "../../models/ops.ts";
import { localKvHeads, localShape, padded } from "./kernels/kernel.ts";
import { FORMAT_BYTES, type Plan, rankOf } from "./plan.ts";

export interface MemoryPlan {
  /** Bytes of HBM that one logical core owns. */
  readonly capacity: number;
  readonly weights: number;
  readonly runtime: number;
  /** Bytes of one block of the KV pool, all layers. */
  readonly blockBytes: number;
  readonly blocks: number;
  readonly kv: number;
}

/** Runtime, DMA rings, NEFF instructions and scratch: 1 GiB (VLLM_NEURON_MIN_KV_BUDGET_GIB's neighbour, an estimate). */
const RUNTIME_BYTES = 2 ** 30;

const GIB = 2 ** 30;

/** Bytes of a weight on one rank, in the plan's formats. */
export function localBytes(weight: Weight, plan: Plan): number {
  if (weight.shard === "expert") {
    const [experts = 1, ...shape] = weight.shape;
    const each = shape.reduce((product, size) => product * padded(size), 1);
    const spread = Math.max(plan.tensorParallel, plan.expertParallel);
    // More ranks than experts: each holds one whole, some the same as another.
    const held = plan.expertParallel > experts ? 1 : experts / spread;
    return held * each * FORMAT_BYTES[plan.formats.experts];
  }
  const elements =
    weight.shape.length === 1
      ? (weight.shape[0] ?? 0)
      : localShape(weight, plan).reduce((product, size) => product * size, 1);
  return elements * FORMAT_BYTES[plan.formats.dense];
}

/** KV bytes of one token on one rank, all layers of a group. */
export function kvBytesPerToken(group: KvGroup, plan: Plan): number {
  const heads =
    group.kind === "latent" ? 1 : localKvHeads(group.kvHeads, plan.architecture.heads, plan);
  const each = group.keyDim + group.valueDim;
  return group.layers.length * heads * each * FORMAT_BYTES[plan.formats.kv];
}

export interface MemoryWish {
  readonly blocks?: number;
  /** Bytes of KV on one rank. */
  readonly bytes?: number;
}

/**
 * Lays the memory out. A group of sliding layers keeps its window alone, so a
 * block costs it only the window's share of the compiled context.
 */
export function layMemory(plan: Plan, wish: MemoryWish = {}): MemoryPlan {
  const rank = rankOf(plan);
  const weights = architectureWeights(plan.architecture).reduce(
    (sum, weight) => sum + localBytes(weight, plan),
    adapterBytes(plan),
  );
  const blockBytes = plan.architecture.kvGroups.reduce((sum, group) => {
    const kept = Math.min(1, (group.window ?? plan.maxContext) / plan.maxContext);
    return sum + kvBytesPerToken(group, plan) * plan.stack.blockSize * kept;
  }, 0);
  const free = rank.hbmBytes - weights - RUNTIME_BYTES;
  const budget = wish.bytes ?? Math.min(free, rank.hbmBytes * plan.stack.kvShare);
  const blocks = wish.blocks ?? Math.max(0, Math.floor(budget / blockBytes));
  return {
    capacity: rank.hbmBytes,
    weights,
    runtime: RUNTIME_BYTES,
    blockBytes,
    blocks,
    kv: blocks * blockBytes,
  };
}

/** `layMemory`, refusing what one logical core cannot hold. */
export function planMemory(plan: Plan, wish: MemoryWish = {}): MemoryPlan {
  const memory = layMemory(plan, wish);
  const needed = Math.ceil(plan.maxContext / plan.stack.blockSize);
  const used = memory.weights + memory.runtime + memory.kv;
  if (memory.blocks < needed && (wish.blocks ?? wish.bytes) !== undefined) {
    throw new Error(
      `The KV cache was given ${memory.blocks} blocks of ${plan.stack.blockSize} tokens, but one sequence of ` +
        `${plan.maxContext} tokens needs ${needed}: use a smaller --max-model-len or more blocks.`,
    );
  }
  if (used > memory.capacity || memory.blocks < needed) {
    throw new Error(refusal(plan, memory, needed));
  }
  return memory;
}

/** What grows with users: bytes of KV of so many rows at one context, as far as any fits and one step beyond. */
export interface MemoryGrowth {
  /** Tokens of each row. */
  readonly context: number;
  readonly users: readonly number[];
  /** Bytes of one logical core, by users. */
  readonly kv: readonly number[];
  /** Rows of that context that the pool holds at once. */
  readonly mostUsers: number;
}

export function growth(plan: Plan, context: number): MemoryGrowth {
  const { blockBytes, blocks } = layMemory(plan);
  const each = Math.ceil(context / plan.stack.blockSize);
  const mostUsers = Math.floor(blocks / each);
  const users: number[] = [];
  for (
    let count = 1;
    users.length === 0 || (users[users.length - 1] ?? 0) <= mostUsers;
    count *= 2
  ) {
    users.push(count);
  }
  return { context, users, kv: users.map((count) => count * each * blockBytes), mostUsers };
}

/** In GiB, or in MiB where those would print as 0.0. */
function sizeText(bytes: number): string {
  return bytes < GIB / 10
    ? `${(bytes / 2 ** 20).toFixed(1)} MiB`
    : `${(bytes / GIB).toFixed(1)} GiB`;
}

function refusal(plan: Plan, memory: MemoryPlan, needed: number): string {
  const { chip } = plan.instance;
  const least = memory.runtime + needed * memory.blockBytes;
  const spare = memory.capacity - least;
  const total = memory.weights * plan.tensorParallel;
  const fitting = spare > 0 ? Math.ceil(total / spare) : undefined;
  const heads = plan.architecture.heads;
  const cores = (plan.instance.chips * chip.cores) / plan.logicalCore;
  let next = plan.tensorParallel;
  while (next <= cores && (heads % next !== 0 || next < (fitting ?? Number.POSITIVE_INFINITY)))
    next *= 2;
  const help =
    memory.weights + memory.runtime <= memory.capacity
      ? "a smaller --max-model-len, --kv-cache-dtype fp8, or a larger --tensor-parallel-size"
      : next <= cores && fitting !== undefined
        ? `--tensor-parallel-size ${next}`
        : "a larger --instance or a smaller weight format (--quantization fp8)";
  return (
    `The model does not fit: each of ${plan.tensorParallel} logical cores of ${chip.name} owns ` +
    `${sizeText(memory.capacity)} of HBM, but needs ${sizeText(memory.weights)} for weights ` +
    `(${plan.formats.dense}/${plan.formats.experts}), ${sizeText(memory.runtime)} for the runtime and ` +
    `${sizeText(needed * memory.blockBytes)} for one sequence of ${plan.maxContext} tokens. Try ${help}.`
  );
}

/** The plan as a table, one row a use. */
export function memoryTable(plan: Plan, memory: MemoryPlan): string {
  const free = memory.capacity - memory.weights - memory.runtime - memory.kv;
  const rows: readonly (readonly [string, number, string])[] = [
    ["weights", memory.weights, `${plan.formats.dense}, experts ${plan.formats.experts}`],
    ["runtime", memory.runtime, "rings, instructions, scratch (estimate)"],
    [
      "KV pool",
      memory.kv,
      `${memory.blocks} blocks of ${plan.stack.blockSize} tokens, ${plan.formats.kv}`,
    ],
    ["free", free, ""],
    [
      "HBM",
      memory.capacity,
      `of one logical core (LNC ${plan.logicalCore}), ${plan.instance.chip.name}`,
    ],
  ];
  return rows
    .map(([name, bytes, note]) =>
      `${name.padEnd(8)} ${(bytes / GIB).toFixed(2).padStart(7)} GiB  ${note}`.trimEnd(),
    )
    .join("\n");
}

/** Bytes on one rank of all places for adapters. */
export function adapterBytes(plan: Plan): number {
  const { adapters, architecture, formats } = plan;
  if (adapters === undefined) return 0;
  const elements = architecture.layers.reduce(
    (sum, { ops }) =>
      sum +
      ops.reduce((own, op) => {
        if (op.op !== "linear" || !isAdapted(op.path)) return own;
        const [out, width] = localShape(op.weight, plan);
        return own + adapters.maxRank * (out + width);
      }, 0),
    0,
  );
  return adapters.inStep * elements * FORMAT_BYTES[formats.dense];
}
