/**
 * Attention over the compiled context. Plain graphs keep the score matrix and
 * pass over it several times on the scalar engine, which has the exponent; in decode the rows and heads
 * of a step share one pass (they lie on partitions), so that part grows with the
 * context alone. The flash kernel keeps scores in SBUF and skips what is masked.
 */
import type { AttentionOp, LatentAttentionOp } from "../../../models/ops.ts";
import {
  bytesOf,
  type Kernel,
  localKvHeads,
  localUnits,
  type Move,
  matmulCycles,
  type Site,
  utilisation,
  type Work,
  weightsMove,
} from "./kernel.ts";

/** Tokens of the cache that a row's attention reads. */
function reach(op: { readonly window?: number }, site: Site): number {
  return Math.min(site.shape.context, op.window ?? Number.POSITIVE_INFINITY);
}

/** Bytes of K and V on one rank, all rows. */
function cacheBytes(op: AttentionOp, site: Site): number {
  const heads = localKvHeads(op.kvHeads, op.heads, site.plan);
  return site.shape.rows * reach(op, site) * heads * 2 * op.headDim * bytesOf(site.plan.formats.kv);
}

/** Bytes of one head's K row of a block of 32 tokens: what one descriptor of a paged cache moves. */
function cacheChunk(op: AttentionOp, site: Site): number {
  return site.plan.stack.blockSize * op.headDim * bytesOf(site.plan.formats.kv);
}

function softmaxCycles(op: { readonly heads: number }, site: Site, context: number): number {
  const heads = ownHeads(op, site);
  const partitions = Math.ceil((site.shape.rows * site.shape.queries * heads) / 128);
  const { scalarWidth } = site.plan.instance.chip;
  return (site.constant("softmax.passes") * partitions * context * 128) / scalarWidth;
}

/** Tensor cycles of so many scores and their values with the array full, `width` of both a head: nothing is quicker. */
function productCycles(scores: number, width: number): number {
  return (scores * width) / (128 * 128);
}

/** Query heads of one rank. */
function ownHeads(op: { readonly heads: number }, { plan }: Site): number {
  return localUnits(op.heads, plan.tensorParallel);
}

/** The cache of all rows, read once. */
function cacheMove(op: AttentionOp, site: Site): Move {
  return {
    cause: "kv",
    bytes: cacheBytes(op, site),
    chunkBytes: cacheChunk(op, site),
    efficiency: site.core("hbm.kv"),
  };
}

function decodeWork(op: AttentionOp, site: Site, passes: boolean, pair: number): Work {
  const kvHeads = localKvHeads(op.kvHeads, op.heads, site.plan);
  const context = reach(op, site);
  return {
    cycles: {
      scalar: passes ? softmaxCycles(op, site, context) : 0,
      tensor: productCycles(site.tokens * ownHeads(op, site) * context, 2 * op.headDim),
    },
    moves: [cacheMove(op, site)],
    regions: 4, // store K and V, scores, softmax, values
    fixed: site.shape.rows * kvHeads * pair,
    serial: passes,
  };
}

/** Scores of one rank's heads in a prompt step. */
function scores(op: { readonly heads: number; readonly window?: number }, site: Site): number {
  return ownHeads(op, site) * site.tokens * site.shape.context;
}

/** ps a score on one core → vector cycles of the rank's cores together. */
function scoreCycles(site: Site, count: number, picoseconds: number): number {
  return count * picoseconds * 1e-12 * site.plan.instance.chip.clockHz.vector;
}

/** Scalar cycles of a prompt's scores in the compiler's own graph: exponents run there. */
function plainCycles(op: { readonly heads: number; readonly window?: number }, site: Site): number {
  const passes = site.constant("attention.passes") * site.stack("plain");
  return (scores(op, site) * passes) / site.plan.instance.chip.scalarWidth;
}

export const plainAttention: Kernel<AttentionOp> = {
  name: "plain-attention",
  summary: "The compiler's own graph: scores in HBM, several vector passes, nothing skipped.",
  fits: () => true,
  work(op, site) {
    if (site.shape.phase === "decode") return decodeWork(op, site, true, site.core("pair"));
    return {
      cycles: {
        scalar: plainCycles(op, site),
        tensor: productCycles(scores(op, site), 2 * op.headDim),
      },
      moves: [cacheMove(op, site)],
      regions: 4,
      fixed: 0,
    };
  },
};

export const flashAttention: Kernel<AttentionOp> = {
  name: "flash-attention",
  named: true,
  summary: "Scores stay in SBUF, masked blocks are skipped; prompts only.",
  fits: (_op, site) =>
    site.plan.kernels.has("flash-attention") &&
    site.shape.phase === "prefill" &&
    site.shape.queries >= site.plan.stack.flashFrom,
  work(op, site) {
    const heads = localUnits(op.heads, site.plan.tensorParallel) * site.shape.rows;
    const { context, queries } = site.shape;
    // The causal half of the new tokens' square, and everything before it; a window cuts both.
    const past = context - queries;
    const perRow = queries * (past + queries / 2);
    const windowed = Math.min(perRow, queries * (op.window ?? Number.POSITIVE_INFINITY));
    const cycles = scoreCycles(site, heads * windowed, site.core("attention.flash"));
    return {
      cycles: { vector: cycles, tensor: productCycles(heads * windowed, 2 * op.headDim) },
      moves: [cacheMove(op, site)],
      regions: 2,
      fixed: (heads / site.rank.cores) * site.constant("attention.flash.fixed"),
    };
  },
};

/** Attention inside the fused token-generation block: no pass over the compiled context; see fusions.ts. */
export function fusedDecodeWork(op: AttentionOp, site: Site): Work {
  const pair = site.core("pair") + site.constant("fused-attention.pair");
  return decodeWork(op, site, false, pair);
}

/** DeepSeek's attention in the latent space: every rank reads the whole latent cache. */
export const latentAttention: Kernel<LatentAttentionOp> = {
  name: "latent-attention",
  summary: "Queries absorbed into the latent space; prompts expand the latent to heads.",
  fits: () => true,
  work(op, site) {
    const { plan, shape } = site;
    const heads = localUnits(op.heads, plan.tensorParallel);
    const width = op.latentDim + op.ropeDim;
    const up = heads * (op.nopeDim + op.valueDim) * op.latentDim * bytesOf(plan.formats.dense);
    const latentMove: Move = {
      cause: "kv",
      bytes: shape.rows * shape.context * width * bytesOf(plan.formats.kv),
      chunkBytes: plan.stack.blockSize * width * bytesOf(plan.formats.kv),
      efficiency: site.core("hbm.kv"),
    };
    if (shape.phase === "prefill") {
      const cycles = plainCycles(op, site);
      const expand = matmulCycles(
        shape.rows * shape.context,
        op.latentDim,
        heads * (op.nopeDim + op.valueDim),
        1,
      );
      return {
        cycles: { scalar: cycles, tensor: expand / utilisation(site, op.latentDim) },
        moves: [weightsMove(site, up), latentMove],
        regions: 6,
        fixed: 0,
      };
    }
    return {
      cycles: {
        scalar: softmaxCycles(op, site, shape.context),
        tensor: productCycles(site.tokens * heads * shape.context, width + op.latentDim),
      },
      moves: [weightsMove(site, up), latentMove],
      regions: site.constant("latent.regions"),
      fixed: shape.rows * heads * site.core("pair"),
      serial: true,
    };
  },
};
