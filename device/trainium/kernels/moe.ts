/**
 * Experts, by the rules of NxD's expert MLPs (neuronx_distributed/modules/moe/
 * expert_mlps_v2.py, `forward`). Decode gathers the chosen experts token by token
 * while tokens × top-k < experts (selective), else streams all of a rank's, or its
 * group's (expert-parallel). Prompts are sorted into blocks of 512 tokens that share
 * an expert (blockwise): one NKI kernel where a shard allows it, else traced blocks.
 */
import type { ExpertsOp } from "../../../models/ops.ts";
import {
  activationsMove,
  bytesOf,
  castCycles,
  type Kernel,
  type Move,
  matmulCycles,
  padded,
  type Site,
  tensorRate,
  utilisation,
  type Work,
  weightsMove,
} from "./kernel.ts";
import { hasMegakernel } from "./megakernel.ts";

/** Elements of one expert on one rank, and its three matrices' inner width there. */
function expertOf(
  op: ExpertsOp,
  site: Site,
): { readonly elements: number; readonly width: number } {
  const { tensorParallel, expertParallel } = site.plan;
  const within = Math.max(1, tensorParallel / expertParallel);
  const width = padded(op.intermediate) / within;
  return { elements: 3 * padded(op.hidden) * width, width };
}

function expertBytes(op: ExpertsOp, site: Site): number {
  return expertOf(op, site).elements * bytesOf(site.plan.formats.experts);
}

/** Tensor cycles of `tokens` through one expert. */
function expertCycles(op: ExpertsOp, site: Site, tokens: number): number {
  const { width } = expertOf(op, site);
  const rate = tensorRate(site, site.plan.formats.experts);
  const hidden = padded(op.hidden);
  return 2 * matmulCycles(tokens, hidden, width, rate) + matmulCycles(tokens, width, hidden, rate);
}

/** Vector cycles of casting so many experts' weights. */
function expertCasts(op: ExpertsOp, site: Site, experts: number): number {
  return castCycles(site, site.plan.formats.experts, experts * expertOf(op, site).elements);
}

/** Experts of one rank. */
function localExperts(op: ExpertsOp, site: Site): number {
  return Math.ceil(op.experts / site.plan.expertParallel);
}

/** Rows of an expert lie apart in HBM: a gather streams slower than a matrix. */
function gather(site: Site, bytes: number): Move {
  const move = weightsMove(site, bytes);
  return { ...move, efficiency: move.efficiency * site.constant("moe.gather.speed") };
}

/** Models of few, large experts stream all of them (facts of SDK 2.29's Mixtral graphs). */
const FEW_EXPERTS = 16;

export const selectiveExperts: Kernel<ExpertsOp> = {
  name: "moe-selective",
  summary: "Gathers the chosen experts of each token: few rows, many experts.",
  fits: (op, { plan, shape, tokens }) =>
    shape.phase === "decode" &&
    plan.expertParallel === 1 &&
    op.experts > FEW_EXPERTS &&
    tokens * op.topK < op.experts,
  work(op, site) {
    const gathered = site.tokens * op.topK;
    return {
      cycles: {
        tensor: gathered * expertCycles(op, site, 1),
        vector: expertCasts(op, site, gathered),
      },
      moves: [gather(site, gathered * expertBytes(op, site))],
      regions: site.constant("moe.regions") + (site.tokens - 1) * site.constant("moe.token"),
      fixed: gathered * site.constant("moe.selective"),
    };
  },
};

export const allExperts: Kernel<ExpertsOp> = {
  name: "moe-all-experts",
  summary: "Streams every expert of the rank past all tokens.",
  fits: (_op, { shape }) => shape.phase === "decode",
  work: (op, site) => streamAll(op, site, 0),
};

export const expertParallel: Kernel<ExpertsOp> = {
  name: "moe-expert-parallel",
  summary: "Streams the experts of the rank's group past tiles of 128 tokens.",
  fits: (_op, { plan, shape }) => shape.phase === "decode" && plan.expertParallel > 1,
  work(op, site) {
    const fused = site.plan.kernels.has("fused-moe") || hasMegakernel(site.plan);
    const tiles = fused ? 0 : Math.ceil(site.tokens / 128);
    return streamAll(op, site, tiles * site.constant("moe.expert-parallel"));
  },
};

function streamAll(op: ExpertsOp, site: Site, fixed: number): Work {
  const experts = localExperts(op, site);
  // Tokens of all replicas that share the experts meet at them, spread over the groups.
  const replicas = Math.max(1, site.plan.expertParallel / site.plan.tensorParallel);
  // More ranks than experts: some are held more than once, and share their tokens.
  const copies = Math.max(1, site.plan.expertParallel / op.experts);
  const tokens = Math.ceil((site.tokens * replicas) / copies);
  const peak = utilisation(site, expertOf(op, site).width);
  return {
    cycles: {
      tensor: (experts * expertCycles(op, site, tokens)) / peak,
      vector: expertCasts(op, site, experts),
    },
    moves: [weightsMove(site, experts * expertBytes(op, site))],
    regions: site.constant("moe.regions"),
    fixed,
  };
}

/** DEFAULT_BLOCK_SIZE of model_utils.py. */
const BLOCK_TOKENS = 512;

/** Blocks of the worst distribution over the rank's experts (`num_blocks` of forward_blockwise). */
export function blocksOf(op: ExpertsOp, site: Site): number {
  const chosen = site.tokens * op.topK;
  const others = localExperts(op, site) - 1;
  const blocks = Math.ceil(Math.max(0, chosen - others) / BLOCK_TOKENS) + others;
  return Math.min(blocks, chosen);
}

/** A prompt too short to fill a block: all tokens pass all experts. */
export const promptExperts: Kernel<ExpertsOp> = {
  name: "moe-prompt-all-experts",
  summary: "Passes all tokens of a short prompt through every expert.",
  fits: (op, { shape, plan, tokens }) =>
    shape.phase === "prefill" && plan.expertParallel === 1 && tokens * op.topK < BLOCK_TOKENS,
  work: (op, site) => streamAll(op, site, 0),
};

/**
 * A block's products, its expert's weights, and its rows: gathered from all tokens, and written into the
 * output of all tokens, read before where a token has several experts. What a narrow shard costs beside is the block's own time.
 */
function blocksWork(op: ExpertsOp, site: Site): Work {
  const blocks = blocksOf(op, site);
  const peak = site.core("prefill.gemm");
  const rows = BLOCK_TOKENS * padded(op.hidden) * 2; // BF16
  const passes = op.topK > 1 ? 3 : 2; // blockwise.py: is_tensor_update_accumulating=multi_expert_per_token
  return {
    cycles: {
      tensor: (blocks * expertCycles(op, site, BLOCK_TOKENS)) / peak,
      vector: expertCasts(op, site, blocks),
    },
    moves: [
      weightsMove(site, blocks * expertBytes(op, site)),
      activationsMove(site, blocks * passes * rows),
    ],
    regions: site.constant("moe.regions") + blocks * site.constant("moe.block"),
    fixed: 0,
  };
}

/** can_use_blockwise_matmul_nki: a rank's columns of an expert are a multiple of 16. */
export const blockwiseExperts: Kernel<ExpertsOp> = {
  name: "moe-blockwise",
  summary: "Sorts a prompt's tokens by expert into padded blocks, one NKI kernel for all.",
  named: true,
  fits: (op, site) =>
    site.plan.kernels.has("blockwise-moe") &&
    site.shape.phase === "prefill" &&
    expertOf(op, site).width % 16 === 0,
  work: blocksWork,
};

/**
 * torch_blockwise_matmul_inference: an unrolled loop. Each block gathers its tokens, multiplies,
 * and adds into the output of all tokens, which the graph copies (`output[indices] += block`).
 */
export const tracedBlocks: Kernel<ExpertsOp> = {
  name: "moe-traced-blocks",
  summary: "The compiler's own graph of a prompt's blocks: each copies the output of all tokens.",
  fits: (_op, { shape }) => shape.phase === "prefill",
  work(op, site) {
    const work = blocksWork(op, site);
    const blocks = blocksOf(op, site);
    const copied = 2 * site.tokens * padded(op.hidden) * 2; // read and written, BF16
    return {
      ...work,
      moves: [...work.moves, activationsMove(site, blocks * copied)],
      regions: work.regions + blocks * site.constant("moe.block.traced"),
      serial: true,
    };
  },
};
