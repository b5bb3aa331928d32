/**
 * The memory plan: what a rank holds, and how many KV blocks fit. The KV cache
 * takes the bytes it is given, by default 1 GiB over all ranks, but never more
 * than every row at full context could use.
 */
import { availableParallelism } from "node:os";
import { type Architecture, architectureWeights } from "../../models/architecture.ts";
import type { Checkpoint, Model, StoredTensor } from "../../models/model.ts";
import { type Weight, weightsOf } from "../../models/ops.ts";
import { sizeAsIntegers } from "../../models/weights/ggml/blocks.ts";
import { checkShards, shardShape } from "../../models/weights/shard.ts";
import type { DeviceSettings } from "../settings.ts";
import { threadEach } from "./graph/experts.ts";
import type { Quantization } from "./graph/lower.ts";
import { compileProgram } from "./graph/program.ts";
import { type BlockBits, blockOf } from "./graph/quantise.ts";
import { smallWeights, workAlone } from "./graph/small-segment.ts";
import type { Program } from "./graph/steps.ts";
import type { KvFormat } from "./kernel/kv-layout.ts";
import { poolBytesPerBlock } from "./kv-pool.ts";

/** As vLLM's CPU build: shorter ones find shorter common beginnings, longer ones cost less to look up. */
export const DEFAULT_BLOCK_SIZE = 128;
const DEFAULT_KV_BYTES = 2 ** 30;
const DEFAULT_MAX_ROWS = 256;
const DEFAULT_MAX_TOKENS = 2048;

/** A rank's pool is one WebAssembly memory, which ends at 4 GiB; some is scratch. */
const POOL_LIMIT_BYTES = 3.75 * 2 ** 30;

export interface MemoryPlan {
  readonly ranks: number;
  /** Of each rank. */
  readonly threads: number;
  readonly blockSize: number;
  readonly blocks: number;
  readonly maxRows: number;
  readonly maxTokens: number;
  readonly maxContext: number;
  /** On each rank. */
  readonly weightBytes: number;
  /** On each rank, of int4 weights that are held a second time in int8; 0: they are not. */
  readonly secondCopyBytes: number;
  /** In that second copy experts are in int4 again, for a second thread. */
  readonly expertsAgain: boolean;
  /** On each rank, of small int4 segments that are held once more for one thread; 0: none are, or both copies are theirs. */
  readonly aloneBytes: number;
  /** Of int4's blocks. */
  readonly blockBits: BlockBits;
  readonly kvFormat: KvFormat;
  readonly kvBytesPerBlock: number;
  readonly kvBytes: number;
}

export type PlanSettings = Partial<Pick<DeviceSettings, "own" | "adapters">> &
  Pick<
    DeviceSettings,
    | "tensorParallelSize"
    | "blockSize"
    | "blocks"
    | "kvCacheBytes"
    | "maxRows"
    | "maxTokens"
    | "maxContext"
    | "quantization"
  >;

/** Of the memory that is free at the start a second copy may take so much, by itself. */
const SHARE_OF_FREE = 0.25;

/** What a machine has: bytes of memory that can be had, and cores. */
export interface Room {
  readonly free: number;
  readonly cores: number;
}

/** Throws for a block size or a pool that cannot be had. `room` absent: of this machine. */
export function planMemory(
  model: Model,
  settings: PlanSettings,
  room: Room = { free: process.availableMemory(), cores: availableParallelism() },
): MemoryPlan {
  const { own = {} } = settings;
  const ranks = settings.tensorParallelSize;
  const blockSize = settings.blockSize ?? DEFAULT_BLOCK_SIZE;
  if (blockSize < 1 || blockSize % 4 !== 0) {
    throw new Error(`The cpu device needs a block size that is a multiple of 4, not ${blockSize}.`);
  }
  checkShards(model.architecture, ranks);
  const program = compileProgram(model.architecture, {
    ...{ rank: 0, ranks, adapters: settings.adapters !== undefined },
    expertParallel: own["enable-expert-parallel"] === true,
  });
  const maxRows = settings.maxRows ?? DEFAULT_MAX_ROWS;
  const maxContext =
    settings.maxContext ?? model.architecture.usualContext ?? model.architecture.maxContext;
  const kvFormat = kvFormatOf(own["kv-cache-dtype"]);
  const kvBytesPerBlock = poolBytesPerBlock({ ...program.cache, blockSize, format: kvFormat });
  const useful = maxRows * Math.ceil(maxContext / blockSize);
  const budget = (settings.kvCacheBytes ?? DEFAULT_KV_BYTES) / ranks;
  const limit = Math.floor(POOL_LIMIT_BYTES / kvBytesPerBlock);
  const blocks = settings.blocks ?? Math.min(Math.floor(budget / kvBytesPerBlock), useful, limit);
  if (blocks > limit) {
    throw new Error(
      `${blocks} KV blocks of ${kvBytesPerBlock} bytes do not fit a rank's pool of at most ${limit} blocks.`,
    );
  }
  if (blocks < 1) {
    throw new Error(`${budget} bytes a rank hold no KV block of ${kvBytesPerBlock} bytes.`);
  }
  const quantization = quantizationOf(settings.quantization, model.checkpoint);
  const threads = Math.max(1, Math.floor((room.cores - Number(own["spare-cores"] ?? 0)) / ranks));
  const shared = threads > 1 ? sharedExperts(program) : new Set<string>();
  const second = quantization === "int4" ? secondCopyBytes(model, settings, room.free, shared) : 0;
  const batchInvariant = own["batch-invariant"] === true;
  const alone = second === 0 && workAlone({ threads, quantization, batchInvariant });
  return {
    ranks,
    threads,
    blockSize,
    blocks,
    maxRows,
    maxTokens: settings.maxTokens ?? DEFAULT_MAX_TOKENS,
    maxContext,
    weightBytes: weightBytes(model, ranks, () =>
      quantization === "int4" ? blockBits(model) : quantization,
    ),
    blockBits: blockBits(model),
    secondCopyBytes: second,
    expertsAgain: second > 0 && shared.size > 0,
    aloneBytes: alone ? aloneBytes(program, ranks, blockBits(model)) : 0,
    kvFormat,
    kvBytesPerBlock,
    kvBytes: blocks * kvBytesPerBlock,
  };
}

/** `--kv-cache-dtype` by vLLM's names. Products are computed in F32, so that is what `auto` keeps. */
const KV_FORMATS = { auto: "f32", bfloat16: "bf16", int8_per_token_head: "int8" } as const;

export const KV_FORMAT_NAMES = {
  f32: "F32",
  bf16: "BF16",
  int8: "int8 by token and head",
} as const;

function kvFormatOf(name: unknown = "auto"): KvFormat {
  const found = Object.entries(KV_FORMATS).find(([known]) => known === name);
  if (found !== undefined) return found[1];
  const known = Object.keys(KV_FORMATS).join(", ");
  throw new Error(`The cpu device has no --kv-cache-dtype "${name}"; known: ${known}.`);
}

/** Speed of products, FLOP/s, over that of the attention kernel: about 5 in F32, more in integers. */
const PRODUCTS_OVER_ATTENTION = 5;

/** Context at which attention costs a token as much as its products. */
export function attentionParity({ layers }: Architecture): number {
  let products = 0;
  let attention = 0;
  for (const op of layers.flatMap((layer) => layer.ops)) {
    if (op.op === "linear") products += op.weight.shape.reduce((size, axis) => size * axis, 2);
    // Windows bound what their layers cost.
    if (op.op === "attention" && op.window === undefined) attention += 4 * op.heads * op.headDim;
  }
  return products / Math.max(1, attention) / PRODUCTS_OVER_ATTENTION;
}

/** Methods of published weights, as vLLM's `--quantization` names them: such are computed as stored. */
const STORED: ReadonlySet<string> = new Set([
  "gptq",
  "awq",
  "compressed-tensors",
  "mxfp4",
  "fp8",
  "gguf",
]);

/** Absent: as the checkpoint is. */
export function quantizationOf(name: string | undefined, checkpoint?: Checkpoint): Quantization {
  const packed = [...(checkpoint?.tensors.values() ?? [])].some(({ packing }) => packing);
  if (name === undefined) return packed ? "stored" : "none";
  if (name === "none") return "none";
  if (packed && STORED.has(name)) return "stored";
  if (name === "int4" || name === "int8" || name === "w8a16") return name;
  throw new Error(`The cpu device has no quantization "${name}"; known: int4, int8, w8a16.`);
}

/** Weights that so few bytes hold stay in caches: 4 bits would not be read any quicker, and cost the most here. */
const CACHED_BYTES = 2 ** 23;

function blockBits(model: Model): BlockBits {
  return weightBytes(model, 1, () => "int8") <= CACHED_BYTES ? 8 : 4;
}

/** What `--weight-copies` comes to; batch invariance wants one kind of product, so one copy. */
function secondCopyBytes(
  model: Model,
  { own = {}, tensorParallelSize: ranks }: PlanSettings,
  free: number,
  shared: ReadonlySet<string>,
): number {
  const asked = own["weight-copies"] ?? "auto";
  const invariant = own["batch-invariant"] === true;
  if (asked === "2" && invariant)
    throw new Error("--weight-copies 2 and --batch-invariant exclude each other.");
  const bytes = weightBytes(model, ranks, ({ name }) =>
    shared.has(name) ? blockBits(model) : "int8",
  );
  const fits = bytes * ranks <= SHARE_OF_FREE * free;
  return !invariant && (asked === "2" || (asked === "auto" && fits)) ? bytes : 0;
}

/** Weights of experts that two threads divide: the second holds them as the first does. */
function sharedExperts({ body }: Program): ReadonlySet<string> {
  const ops = body.flatMap((step) =>
    step.kind === "experts" && threadEach(step) ? [step.op] : [],
  );
  return new Set(ops.flatMap(weightsOf).map(({ name }) => name));
}

/** What a rank holds of weights, however often. */
export const heldBytes = (plan: MemoryPlan): number =>
  plan.weightBytes + plan.secondCopyBytes + plan.aloneBytes;

function aloneBytes(program: Program, ranks: number, bits: BlockBits): number {
  const shapeOf = (weight: Weight): readonly number[] => shardShape(weight, 0, ranks);
  const size = (weight: Weight) => {
    const [rows = 0, width = 1] = shapeOf(weight);
    return { rows, width };
  };
  return smallWeights(program, { size }).reduce(
    (sum, weight) => sum + bytesOf(shapeOf(weight), weight, bits),
    0,
  );
}

/** Bytes a rank streams a step: the embedding table is read row by row from its file. */
function weightBytes(
  model: Model,
  ranks: number,
  formatOf: (weight: Weight) => BlockBits | Exclude<Quantization, "int4">,
): number {
  const { architecture } = model;
  const tied = architecture.tiedHead;
  const table = architecture.prologue.find((op) => op.op === "embed")?.table.name;
  return architectureWeights(architecture)
    .filter((weight) => tied || weight.name !== table)
    .reduce((sum, weight) => {
      const shape = shardShape(weight, 0, ranks);
      const format = formatOf(weight);
      const stored = model.checkpoint?.tensors.get(weight.name.replace("{e}", "0"));
      return (
        sum + (format === "stored" ? storedBytes(shape, stored) : bytesOf(shape, weight, format))
      );
    }, 0);
}

/** Of a block without a zero of its own the runtime holds 8 bytes more than its scale, of one with a zero that alone (measured). */
const BLOCK_BYTES = 12;
const ZEROED_BYTES = 5;

/** Codes and what a group has besides; what is not in groups is F32. */
function storedBytes(shape: readonly number[], stored: StoredTensor | undefined): number {
  const elements = shape.reduce((product, size) => product * size, 1);
  const packing = stored?.packing;
  if (packing === undefined || packing.kind === "fp8") return 4 * elements;
  if (packing.kind === "ggml") {
    const { bits, group, zeroed } = sizeAsIntegers(packing.type);
    return (elements * bits) / 8 + (elements / group) * (zeroed ? ZEROED_BYTES : BLOCK_BYTES);
  }
  if (packing.kind === "int8") return elements + BLOCK_BYTES * (elements / (shape.at(-1) ?? 1));
  return "bits" in packing
    ? (elements * packing.bits) / 8 + BLOCK_BYTES * (elements / 128)
    : elements + BLOCK_BYTES * (elements / 32);
}

/** `format`: the bits of blocks, or else. */
function bytesOf(
  shape: readonly number[],
  weight: Weight,
  format: BlockBits | Exclude<Quantization, "int4" | "stored">,
): number {
  const elements = shape.reduce((product, size) => product * size, 1);
  const width = shape.at(-1) ?? 1;
  if (weight.shape.length < 2 || format === "none") return 4 * elements;
  if (typeof format === "string") return elements + 4 * (elements / width);
  const block = blockOf(width);
  return block === undefined
    ? 4 * elements
    : (elements * format) / 8 + BLOCK_BYTES * (elements / block);
}
