/**
 * What a kernel is to the cost model: how many cycles each engine works, what
 * moves, and how many kernel-sized regions (pipeline fill, first DMA byte,
 * semaphores) it needs. Numbers are per rank (one logical core).
 */
import type { Op, Weight, WeightFormat } from "../../../models/ops.ts";
import type { Engine } from "../chips/chip.ts";
import { constant } from "../constants.ts";
import { FORMAT_BYTES, type Plan, type RankSpec, rankOf } from "../plan.ts";

export type Cause = "weights" | "kv" | "activations";

export interface Move {
  readonly cause: Cause;
  readonly bytes: number;
  /** Bytes of one DMA descriptor row. */
  readonly chunkBytes: number;
  /** Share of the rank's DMA ceiling that is reached with large chunks. */
  readonly efficiency: number;
}

export interface Work {
  /** Cycles of one physical core's engine; a logical core of two splits them. */
  readonly cycles: Readonly<Partial<Record<Engine, number>>>;
  readonly moves: readonly Move[];
  /** Kernel-sized regions, each a fixed cost. */
  readonly regions: number;
  /** Further fixed time, ns. */
  readonly fixed: number;
  /** Do its DMA and its engines overlap? Absent: yes. */
  readonly serial?: boolean;
}

/** The step a graph is compiled for. */
export interface StepShape {
  readonly phase: "decode" | "prefill";
  /** Sequences. */
  readonly rows: number;
  /** Tokens computed of each: 1 and drafts in decode, the bucket in prefill. */
  readonly queries: number;
  /** KV tokens that attention goes over, of each. */
  readonly context: number;
}

/** Where a kernel runs: the plan, its rank, the step. */
export interface Site {
  readonly plan: Plan;
  readonly rank: RankSpec;
  readonly shape: StepShape;
  /** rows · queries */
  readonly tokens: number;
  /** A constant of this chip's core: `key` + `.v3`. */
  readonly core: (key: string) => number;
  readonly constant: (key: string) => number;
  /** A constant of the stack that compiled the graph: `stack.` + `key` + its name. */
  readonly stack: (key: string) => number;
  /** One region in this graph, ns. */
  readonly region: number;
  /** Bytes at which a DMA saturates, and the efficiency of those beyond. */
  readonly dma: { readonly saturates: number; readonly ceiling: number };
}

export function siteOf(plan: Plan, shape: StepShape): Site {
  const name = plan.instance.chip.core;
  const core = (key: string): number => constant(plan.constants, `${key}.${name}`);
  const plain = (key: string): number => constant(plan.constants, key);
  const stack = (key: string): number =>
    constant(plan.constants, `stack.${key}.${plan.stack.graphs}`);
  return {
    plan,
    rank: rankOf(plan),
    shape,
    tokens: shape.rows * shape.queries,
    core,
    constant: plain,
    stack,
    region: core("region") * stack("regions"),
    dma: { saturates: plain("dma.chunk"), ceiling: plain("dma.ceiling") },
  };
}

/** A kernel for one kind of op. The first of a registry's list that fits is taken. */
export interface Kernel<Kind extends Op> {
  readonly name: string;
  /** One sentence for the README and `--help`. */
  readonly summary: string;
  /** Does it stand among a plan's kernels by name? Then it is taken only where it is quicker. */
  readonly named?: true;
  fits(op: Kind, site: Site): boolean;
  work(op: Kind, site: Site): Work;
}

/** Large enough for every DMA to run at its ceiling. */
export const LARGE_CHUNK = 16_384;

export function bytesOf(format: WeightFormat): number {
  return FORMAT_BYTES[format];
}

/** Units (heads) of one rank: padded up when the stack pads, whole heads when fewer than ranks. */
export function localUnits(units: number, ranks: number): number {
  return Math.max(1, Math.ceil(units / ranks));
}

/** KV heads that one rank holds, by the stack's rule where TP does not divide them. */
export function localKvHeads(kvHeads: number, heads: number, plan: Plan): number {
  const ranks = plan.tensorParallel;
  const { kvSharding } = plan.stack;
  if (kvSharding === "replicate" || kvHeads % ranks === 0) return localUnits(kvHeads, ranks);
  const own = localUnits(heads, ranks);
  const spare = own * ranks - heads;
  const even = spare === 0 || (kvSharding === "spread" && spare % kvHeads === 0);
  return even && ranks % kvHeads === 0 ? 1 : own;
}

/** A size that is no multiple of 128 is padded to the next multiple of 512 (gpt-oss: 2880 → 3072). */
export function padded(size: number): number {
  return size % 128 === 0 || size < 128 ? size : Math.ceil(size / 512) * 512;
}

/** `[out, in]` of a weight on one rank. */
export function localShape(weight: Weight, plan: Plan): readonly [number, number] {
  const ranks = plan.tensorParallel;
  const [out = 1, width = 1] = weight.shape;
  const split = (size: number): number => {
    const units = weight.units ?? size;
    return (size / units) * localUnits(units, ranks);
  };
  switch (weight.shard) {
    case "replicated":
      return [out, width];
    case "column":
      return [split(out), width];
    case "kv-head": {
      const units = weight.units ?? 1;
      return [(out / units) * localKvHeads(units, plan.architecture.heads, plan), width];
    }
    case "row":
      return [out, split(width)];
    case "vocab":
      return [Math.ceil(out / ranks), width];
    case "expert":
      return [out, width];
  }
}

/** Operands of a product: stored in `format`, computed natively or cast to BF16. */
export function tensorRate(site: Site, format: WeightFormat): number {
  return casts(site, format) ? 1 : (site.plan.instance.chip.tensorRate[format] ?? 1);
}

/** Is a weight cast to BF16 before its product? Integers always; other short formats where the stack's graphs do. */
function casts({ plan }: Site, format: WeightFormat): boolean {
  return format === "int8" || format === "int4" || (format === "fp8" && plan.stack.castsWeights);
}

/** Vector cycles of casting so many weights: each element passes once. */
export function castCycles(site: Site, format: WeightFormat, elements: number): number {
  return casts(site, format) ? elements / site.plan.instance.chip.vectorWidth : 0;
}

/**
 * Tensor cycles of `[tokens, k] · [k, out]`: weights stream past the tokens, or
 * tokens past the weights, whichever is fewer (nc_matmul: max(64, moving) cycles
 * a 128 × 128 tile).
 */
export function matmulCycles(tokens: number, k: number, out: number, rate: number): number {
  const deep = Math.ceil(k / 128);
  const weightsMove = Math.ceil(out / 512) * 512 * Math.ceil(tokens / 128);
  const tokensMove = Math.ceil(out / 128) * Math.max(tokens, 64);
  return (deep * Math.min(weightsMove, tokensMove)) / rate;
}

/**
 * Share of peak that a GEMM of a prompt reaches: narrow shards fill and drain the array more often.
 * What `matmulCycles` pads to whole tiles is not counted against them once more.
 */
export function utilisation(site: Site, narrow: number): number {
  if (site.shape.phase === "decode") return 1;
  const width = Math.ceil(narrow / 128) * 128;
  return (site.core("prefill.gemm") * width) / (width + site.stack("width"));
}

/**
 * `[tokens, k] · [k, out]` with its weights streamed from HBM; `wide`: columns of the
 * product that it is part of.
 */
export function matmulWork(
  site: Site,
  size: {
    readonly k: number;
    readonly out: number;
    readonly format: WeightFormat;
    readonly wide?: number;
  },
): Work {
  const { k, out, format, wide = out } = size;
  const spilled = site.plan.principles.sbufResident ? 0 : site.tokens * (k + out) * 2;
  const cycles =
    matmulCycles(site.tokens, k, out, tensorRate(site, format)) /
    utilisation(site, Math.min(k, wide));
  return {
    cycles: { tensor: cycles, vector: castCycles(site, format, k * out) },
    moves: [
      weightsMove(site, k * out * bytesOf(format)),
      ...(spilled > 0 ? [activationsMove(site, spilled)] : []),
    ],
    regions: 1,
    fixed: 0,
  };
}

export function weightsMove(site: Site, bytes: number): Move {
  return {
    cause: "weights",
    bytes,
    chunkBytes: LARGE_CHUNK,
    efficiency: site.core("hbm.weights"),
  };
}

export function activationsMove(site: Site, bytes: number): Move {
  return { cause: "activations", bytes, chunkBytes: 4096, efficiency: site.core("hbm.weights") };
}

/**
 * Work of an op that only the vector engine sees, `passes` over `[tokens, width]`. `shared`: each rank
 * holds the whole width, of its own tokens alone where the stack keeps a prompt apart over the ranks.
 */
export function vectorWork(site: Site, width: number, passes: number, shared = false): Work {
  const { plan, shape } = site;
  const { chip } = plan.instance;
  const apart = shared && shape.phase === "prefill" && plan.stack.sequenceParallel;
  // Rows lie on partitions in a prompt, the hidden axis does in decode: lanes are full either way.
  const elements = (site.tokens * width * passes) / (apart ? plan.tensorParallel : 1);
  const spilled = site.plan.principles.sbufResident ? 0 : 2 * site.tokens * width * 2;
  return {
    cycles: { vector: elements / chip.vectorWidth },
    moves: spilled > 0 ? [activationsMove(site, spilled)] : [],
    regions: 1,
    fixed: 0,
  };
}
